//! stub
use crate::programme::Prepared;
pub(crate) fn matrix(_: u64) -> Result<Prepared, String> {
    Err("not built".into())
}
pub(crate) fn sequences(_: u64) -> Result<Prepared, String> {
    Err("not built".into())
}
pub(crate) fn halves(_: u64) -> Result<Prepared, String> {
    Err("not built".into())
}
