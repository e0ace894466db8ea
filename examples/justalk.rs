//! The main job on the policy of a family messenger: `--json`, `--interactive`, `--locale LOCALE`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "an example stops at what it did not expect"
)]
#![allow(missing_docs, reason = "a program")]

#[path = "support/story.rs"]
mod story;

use menshen::Identifier;
use story::{App, Start};

fn main() -> std::process::ExitCode {
    story::main(&App {
        title: "JusTalk Family",
        policy: include_str!("policies/justalk-family.json"),
        born: "1990-05",
        place: "DE",
        yes: &["usage-statistics", "crash-diagnostics", "share-location", "maps", "profile-details"],
        child: Some("DE"),
        identifiers: &[
            ("umeng", Identifier::AndroidId),
            ("firebase", Identifier::IpAddress),
            ("firebase", Identifier::Guid),
        ],
        features: &["share-location", "voice-call", "video-call"],
        starts: &[("umeng", Start::Switch), ("firebase", Start::ByApp), ("admob", Start::ByApp)],
        events: [
            ("feature_used", "usage-statistics"),
            ("app_crashed", "crash-diagnostics"),
            ("call_ended", "calls"),
            ("purchase_made", "purchases"),
        ],
        location: "share-location",
        refused: "find-contacts",
        asked_identifiers: &[],
        analytics: "usage-statistics",
        analytics_sdk: "umeng",
        outbox: ("messaging", "chosen-contacts"),
        next_purpose: ("photo-effects", "profile-details"),
        next_recipient: ("crash-diagnostics", "crash-helper"),
        dropped: "purchases",
    })
}
