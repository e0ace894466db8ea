//! A person, an app, a clock and a network that do anything in any order, over the whole library, and a model of what was
//! answered that says what may never happen.

mod step;
mod world;

pub use step::{Step, sequence};
pub use world::{Fault, Seen, Violation, run};
