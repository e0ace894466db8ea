//! stub
use crate::programme::Prepared;
pub(crate) fn attacks(_: u64) -> Result<Prepared, String> {
    Err("not built".into())
}
pub(crate) fn fields(_: u64) -> Result<Prepared, String> {
    Err("not built".into())
}
