//! The main job on the policy of a family messenger: `--json`, `--interactive`, `--locale LOCALE`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "an example stops at what it did not expect"
)]
#![allow(missing_docs, dead_code, reason = "the receiver and the stage offer more than one example needs")]

#[path = "support/probe.rs"]
mod probe;
#[path = "support/receiver.rs"]
mod receiver;
#[path = "support/stage.rs"]
mod stage;
#[path = "support/story.rs"]
mod story;

use menshen::Identifier;
use probe::event_fields;
use story::App;

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
        sdks: &["umeng", "firebase", "admob"],
        events: [
            ("feature_used", "usage-statistics"),
            ("app_crashed", "crash-diagnostics"),
            ("call_ended", "calls"),
            ("purchase_made", "purchases"),
        ],
        make_event: event_fields,
        location: "share-location",
        refused: "find-contacts",
        analytics_sdk: "umeng",
        asked_identifiers: &[],
        analytics: "usage-statistics",
        outbox: ("messaging", "chosen-contacts"),
        next_purpose: ("photo-effects", "profile-details"),
        next_recipient: ("crash-diagnostics", "crash-helper"),
        dropped: "purchases",
    })
}
