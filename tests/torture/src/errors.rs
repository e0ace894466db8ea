//! stub
use crate::programme::Prepared;
pub(crate) fn every_operation(_: u64) -> Result<Prepared, String> { Err("not built".into()) }
