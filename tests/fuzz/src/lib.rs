//! What the fuzz targets share: a store whose files they replace, and the checksums, codes and seals made anew around
//! what the fuzzer wrote, so that it gets behind them.

pub mod forge;
pub mod platform;
pub mod seeds;
pub mod store;

use std::sync::LazyLock;

/// The bug planted to see that the fuzzer reaches what lies behind the seals: a panic where `is_deep` holds. It sleeps
/// until the environment says `MENSHEN_PLANTED`.
pub fn planted(is_deep: impl FnOnce() -> bool) {
    static IS_PLANTED: LazyLock<bool> = LazyLock::new(|| std::env::var_os("MENSHEN_PLANTED").is_some());
    assert!(!*IS_PLANTED || !is_deep(), "the planted bug");
}
