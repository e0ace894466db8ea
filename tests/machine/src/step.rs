//! What can happen.

use proptest::collection::vec;
use proptest::prelude::*;

/// The purposes that the model follows.
pub const PURPOSES: [&str; 4] = ["statistics", "advertising", "voice-notes", "messaging"];

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// The first launch, with the same answer to everything.
    Launch(bool),
    /// A question from the settings.
    Ask(usize, bool),
    Withdraw(usize),
    Object(usize),
    Restrict(usize),
    WithdrawAll,
    Delete,
    Record(usize),
    /// An upload begins and stays under way.
    Send,
    /// The oldest upload under way ends, taken or not.
    Reply(bool),
    Identifier,
    /// The feature with the microphone, by a tap or by the app, and what the system answers.
    Request {
        tap: bool,
        granted: bool,
    },
    /// The system's own settings.
    Permission(bool),
    Revoked,
    /// All clocks, in hours.
    Pass(u16),
    /// The wall clock alone, in days.
    Jump(i32),
    Restart,
    Maintain,
}

/// A sequence of at most so many steps.
pub fn sequence(longest: usize) -> impl Strategy<Value = Vec<Step>> {
    let purpose = || 0..PURPOSES.len();
    let step = prop_oneof![
        2 => any::<bool>().prop_map(Step::Launch),
        6 => (purpose(), any::<bool>()).prop_map(|(at, yes)| Step::Ask(at, yes)),
        3 => purpose().prop_map(Step::Withdraw),
        2 => purpose().prop_map(Step::Object),
        2 => purpose().prop_map(Step::Restrict),
        1 => Just(Step::WithdrawAll),
        1 => Just(Step::Delete),
        6 => purpose().prop_map(Step::Record),
        4 => Just(Step::Send),
        3 => any::<bool>().prop_map(Step::Reply),
        3 => Just(Step::Identifier),
        4 => (any::<bool>(), any::<bool>()).prop_map(|(tap, granted)| Step::Request { tap, granted }),
        2 => any::<bool>().prop_map(Step::Permission),
        1 => Just(Step::Revoked),
        3 => (1..60_u16).prop_map(Step::Pass),
        2 => (-3650..36_500).prop_map(Step::Jump),
        2 => Just(Step::Restart),
        1 => Just(Step::Maintain),
    ];
    // A launch first, most of the time: without it nothing opens.
    (any::<bool>(), vec(step, 1..longest)).prop_map(|(launched, mut steps)| {
        if launched {
            steps.insert(0, Step::Launch(true));
        }
        steps
    })
}
