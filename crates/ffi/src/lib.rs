//! The bridge to Kotlin and Swift: values converted, host objects answered closed where they throw, flows kept for callers
//! on several threads. The API is the hand-written layer on each side.

pub mod answers;
pub mod condition;
pub mod error;
pub mod foreign;
pub mod open;
pub mod session;

uniffi::setup_scaffolding!();
