//! The main job on the policy of a mobile CRM: `--json`, `--interactive`, `--locale LOCALE`.
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
        title: "汇容客",
        policy: include_str!("policies/huirongke.json"),
        born: "1990-05",
        place: "CN",
        yes: &["usage-statistics", "personalisation", "customer-search", "voice-input", "improvement"],
        child: None,
        identifiers: &[
            ("umeng", Identifier::Imei),
            ("umeng", Identifier::AndroidId),
            ("umeng", Identifier::Mac),
            ("umeng", Identifier::Imsi),
        ],
        features: &["customer-search", "voice-input", "publish-from-album"],
        starts: &[("umeng", Start::Switch), ("umeng", Start::ByApp)],
        events: [
            ("page_viewed", "usage-statistics"),
            ("search_made", "personalisation"),
            ("service_called", "operation"),
            ("account_followed", "social"),
        ],
        location: "customer-search",
        refused: "import-contacts",
        asked_identifiers: &[
            Identifier::Imei,
            Identifier::AndroidId,
            Identifier::Idfa,
            Identifier::Openudid,
            Identifier::Guid,
            Identifier::Mac,
            Identifier::Imsi,
            Identifier::Oaid,
        ],
        analytics: "usage-statistics",
        analytics_sdk: "umeng",
        outbox: ("customer-items", "maker"),
        next_purpose: ("customer-scoring", "improvement"),
        next_recipient: ("personalisation", "search-helper"),
        dropped: "social",
    })
}
