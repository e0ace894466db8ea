//! The bridge to Kotlin and Swift. It converts and nothing else; the API is the hand-written layer on each side.

pub mod answers;
pub mod error;
pub mod foreign;
pub mod open;
pub mod session;

uniffi::setup_scaffolding!();
