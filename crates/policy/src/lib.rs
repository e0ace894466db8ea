//! The privacy policy as a document and as a decision: reading, checking, law packs, deciding.
//!
//! This crate is pure: no input or output, no clock, no state. [`Policy::read`] takes the document's bytes,
//! [`Policy::rules_in_force`] compiles what holds where the person lives, and [`RulesInForce::decide`] answers whether a
//! purpose may run for the person at a moment, and why.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")
)]

mod asking;
mod canonical;
mod change;
mod check;
mod combine;
mod compare;
mod countries;
mod decide;
pub mod document;
mod draw;
mod due;
mod error;
mod findings;
mod forms;
mod identity;
mod in_force;
mod json;
pub mod packs;
mod policy;
mod read;
mod schema;
mod subject;
mod vocabulary;

pub use asking::{Asking, Territory};
pub use change::{Change, Terms};
pub use combine::Barrier;
pub use compare::{Difference, Weight, differences};
pub use decide::{Consent, Decision, Explanation, Missing, Question, Reason, Reasons, RuleThatSpeaks, Verdict};
pub use document::Document;
pub use draw::Drawing;
pub use error::{ErrorCode, Errors, PolicyError, Position, closest};
pub use findings::Finding;
pub use identity::{Identity, PackIdentity};
pub use in_force::{ReAsk, RulesInForce};
pub use policy::{Policy, PurposeId};
pub use read::{Read, locate};
pub use schema::SCHEMA;
pub use subject::{AgeBand, Month, Subject, Threshold};
