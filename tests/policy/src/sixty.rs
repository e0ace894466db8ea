//! The policy of the bench: 60 rules over 24 purposes, 12 kinds of data and 8 recipients, besides the law packs.

use serde_json::{Map, Value, json};

const PACKS: [&str; 4] = ["cn", "eu", "us-ca", "us-coppa"];
const BASES: [&str; 4] = ["consent", "contract", "legitimate-interest", "consent"];
const USES: [&str; 6] =
    ["analytics", "essential.service", "marketing.communications", "personalize.content", "functional", "operations"];
const CATEGORIES: [&str; 12] = [
    "user.name",
    "user.biometric.voice",
    "user.location.precise",
    "user.location.imprecise",
    "user.device",
    "user.behavior",
    "user.contact.email",
    "user.contact.phone_number",
    "user.content.private",
    "user.social",
    "user.telemetry",
    "user.unique_id",
];
const TYPES: [&str; 8] = ["maker", "processor", "processor", "controller", "controller", "people", "people", "public"];

fn text(word: &str) -> Value {
    json!({ "en": word })
}

/// The document.
pub fn document() -> Value {
    let purposes: Map<String, Value> = (0..24)
        .map(|at| {
            let mut purpose = json!({
                "name": text("name"), "text": text("text"), "source": "999 ¶1", "use": USES[at % 6],
                "necessity": if at % 2 == 0 { "basic" } else { "additional" }, "legal_basis": BASES[at % 4],
                "categories": [CATEGORIES[at % 12], CATEGORIES[(at + 5) % 12]],
                "recipients": [format!("r{}", at % 8), format!("r{}", (at + 3) % 8)],
                "retention": { "duration": "P1D", "source": "not stated" }
            });
            if BASES[at % 4] == "consent" {
                purpose["consent"] = json!({ "kind": "general", "given_by": "subject" });
            }
            (format!("p{at}"), purpose)
        })
        .collect();
    let rules: Map<String, Value> = (0..60_usize)
        .map(|at| {
            // Every rule is about some people: a prohibition for everybody would contradict the policy.
            let mut when = json!({ "age_below": 12 + at % 7, "purposes": [format!("p{}", at * 7 % 24), format!("p{}", at * 5 % 24)] });
            match at % 5 {
                0 => when["jurisdictions"] = json!([PACKS[at % 4]]),
                1 => when["categories"] = json!([CATEGORIES[at % 12], "user.contact"]),
                2 => when["recipients"] = json!([format!("r{}", at % 8)]),
                3 => when["uses"] = json!([USES[at % 6], "marketing"]),
                _ => when["legal_bases"] = json!(["consent", "contract"]),
            }
            if at % 3 == 0 {
                when.as_object_mut().expect("an object").remove("purposes");
            }
            if when["purposes"][0] == when["purposes"][1] && when.get("purposes").is_some() {
                when["purposes"] = json!([when["purposes"][0]]);
            }
            let effect = ["deny", "deny", "ask", "guardian", "ask"][at % 5];
            let rule = json!({ "effect": effect, "when": when, "text": text("text"), "source": "999 ¶2" });
            (format!("rule-{at}"), rule)
        })
        .collect();
    let categories: Map<String, Value> =
        CATEGORIES.iter().map(|name| ((*name).to_owned(), json!({ "name": text("name") }))).collect();
    let recipients: Map<String, Value> = (0..8)
        .map(|at| (format!("r{at}"), json!({ "name": text("name"), "type": TYPES[at], "source": "999 ¶3" })))
        .collect();
    json!({
        "id": "sixty", "version": "1.0.0", "effective_from": "2026-01-01", "locales": ["en"], "jurisdictions": [],
        "controller": { "name": text("a"), "address": text("b"), "contact": text("c"), "source": "999 ¶1" },
        "acceptance": { "mode": "explicit", "changes": "explicit", "source": "999 ¶1" },
        "subject": { "age_and_place": "asked", "source": "999 ¶1" },
        "notice": { "title": text("a"), "body": text("b"), "source": "999 ¶1" },
        "categories": categories, "purposes": purposes, "features": {}, "recipients": recipients, "rules": rules
    })
}
