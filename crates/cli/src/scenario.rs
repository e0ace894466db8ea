//! Scenarios: what a person does and what must follow, played against the real library. `SCENARIOS.md` has the format.

pub(crate) mod format;
pub(crate) mod junit;
pub(crate) mod mutation;
pub(crate) mod play;
mod sent;
mod text;
mod world;
