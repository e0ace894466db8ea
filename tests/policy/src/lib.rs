//! The peers of the decision, and random policies and questions for all of them.

pub mod cedar;
pub mod rego;

#[path = "../../../crates/policy/tests/support/naive.rs"]
pub mod naive;
#[path = "../../../crates/policy/tests/support/random.rs"]
pub mod random;
pub mod sixty;
