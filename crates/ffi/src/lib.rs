//! The bridge to Kotlin and Swift: values converted, host objects answered closed where they throw, flows kept for callers
//! on several threads. The API is the hand-written layer on each side.
//!
//! What this library frees is wiped first: it is the last crate of the apps that load it, so that its allocator is its own.

pub mod answers;
pub mod condition;
pub mod error;
pub mod foreign;
pub mod open;
pub mod rights;
mod session;

/// Wipes what is freed: plaintext that passed through parsers and strings does not stay behind in the heap.
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<std::alloc::System> = zeroizing_alloc::ZeroAlloc(std::alloc::System);

uniffi::setup_scaffolding!();
