//! The fields of the events that the examples record.

use menshen::{Fields, fields};

/// Fields of an event; `text` stands in the one that a canary may take.
pub(crate) fn fields_of(event: &str, number: u64, text: &str) -> Fields {
    let n = i64::try_from(number).unwrap_or(0);
    let account = "account-of-somebody";
    match event {
        "feature_used" => {
            fields! { "feature" => text, "seconds" => n as f64 / 10.0, "times" => n, "first_time" => n == 0, "account" => account }
        }
        "app_crashed" => {
            fields! { "trace" => text, "foreground" => true, "free_memory_mb" => 512.5, "model" => "model 7" }
        }
        "call_ended" => {
            fields! { "video" => n % 2 == 0, "seconds" => n, "packet_loss" => 0.01, "codec" => text, "account" => account }
        }
        "purchase_made" => {
            fields! { "product" => text, "price" => 1.5, "currency" => "EUR", "restored" => false, "account" => account }
        }
        "service_called" => {
            fields! { "service" => text, "milliseconds" => n, "succeeded" => true, "model" => "model 7", "account" => account }
        }
        "search_made" => fields! { "words" => text, "results" => n, "model" => "model 7" },
        "account_followed" => fields! { "account" => account, "followed" => text, "now" => true },
        "page_viewed" => fields! { "page" => text, "seconds" => 1.5, "times" => n, "first_time" => false },
        _ => Fields::new(),
    }
}
