//! A policy and the law packs as Rego. It answers the verdict alone.

use std::fmt::Write as _;

use menshen_policy::document::{ConsentKind, Effect, Id};
use menshen_policy::packs::{Demand, Then};
use regorus::{CompiledPolicy, Engine, Value};
use serde_json::{Value as Json, json};

use crate::naive::World;

const HEAD: &str = r#"
package menshen
import rego.v1

purpose := data.purposes[input.purpose]
any_of(held, wanted) if { some one in wanted; one in held }
may_be_below(age) if not input.youngest
may_be_below(age) if input.youngest < age
may_be_from(age) if not input.oldest
may_be_from(age) if input.oldest >= age

default guardian := false
guardian if count(asks_guardian) > 0
default must_ask := false
must_ask if count(asks) > 0
yes_basis if input.basis in {"consent", "instruction"}
needed := max({purpose.giver} | {2 | guardian})
kind_needed := max({purpose.kind} | kinds)
given if { input.consent == "given"; input.inTime; input.kind >= kind_needed; input.by >= needed }
agreed if { input.noticeAgreed; not input.restricted; count(denies) == 0 }
rests_on_yes if yes_basis
rests_on_yes if guardian
rests_on_yes if must_ask

default verdict := "deny"
verdict := "allow" if { agreed; not rests_on_yes }
verdict := "allow" if { agreed; rests_on_yes; given }
verdict := "ask" if { agreed; rests_on_yes; not given; not input.consent in {"refused", "withdrawn"} }
"#;

fn words<T: serde::Serialize>(values: &[T]) -> String {
    serde_json::to_string(values).expect("words")
}

fn any<T: serde::Serialize>(conditions: &mut Vec<String>, held: &str, wanted: &[T]) {
    if !wanted.is_empty() {
        conditions.push(format!("any_of({held}, {})", words(wanted)));
    }
}

fn kind_number(kind: ConsentKind) -> u8 {
    match kind {
        ConsentKind::General => 0,
        ConsentKind::Separate => 1,
        _ => 2,
    }
}

/// The Rego text of a policy without legal duties, instructions, places abroad and consents by both.
fn text(world: &World<'_>) -> String {
    let mut text = HEAD.to_owned();
    let mut add = |set: &str, name: String, conditions: &[String]| {
        let body = if conditions.is_empty() { "true".to_owned() } else { conditions.join("; ") };
        writeln!(text, "{set} contains {name} if {{ {body} }}").expect("text");
    };
    for (id, rule) in &world.document.rules {
        let when = &rule.when;
        let mut conditions = Vec::new();
        any(&mut conditions, "[input.purpose]", &when.purposes);
        any(&mut conditions, "purpose.uses", &when.uses);
        any(&mut conditions, "purpose.categories", &when.categories);
        any(&mut conditions, "purpose.recipients", &when.recipients);
        any(&mut conditions, "purpose.recipientTypes", &when.recipient_types);
        any(&mut conditions, "input.bases", &when.legal_bases);
        any(&mut conditions, "input.mayBeIn", &when.jurisdictions);
        conditions.extend(when.age_below.map(|age| format!("may_be_below({age})")));
        conditions.extend(when.age_from.map(|age| format!("may_be_from({age})")));
        let set = match rule.effect {
            Effect::Deny => "denies",
            Effect::Guardian => "asks_guardian",
            _ => "asks",
        };
        add(set, format!("\"{id}\""), &conditions);
        if let Some(kind) = rule.kind {
            add("kinds", kind_number(kind).to_string(), &conditions);
        }
    }
    for pack in world.packs {
        for (id, law) in &pack.rules {
            let Demand::Needs { when, then, consent } = &law.demand else { continue };
            let mut conditions = Vec::new();
            any(&mut conditions, "input.packs", std::slice::from_ref(&pack.id));
            any(&mut conditions, "input.bases", &when.legal_bases);
            any(&mut conditions, "purpose.uses", &when.uses);
            any(&mut conditions, "purpose.categories", &when.categories);
            any(&mut conditions, "purpose.recipientTypes", &when.recipient_types);
            conditions.extend(when.necessity.map(|word| format!("purpose.necessity == {}", json!(word))));
            if when.sensitive || when.special || when.abroad {
                conditions.push("false".to_owned());
            }
            if let Some(age) = when.age_below {
                if when.places.is_empty() {
                    conditions.push(format!("may_be_below({age})"));
                } else {
                    let ages = json!(when.places);
                    conditions
                        .push(format!("may_be_below(object.get({ages}, object.get(input, \"place\", \"\"), {age}))"));
                }
            }
            let name = format!("\"{}/{id}\"", pack.id);
            match then {
                Some(Then::Guardian) => add("asks_guardian", name, &conditions),
                Some(Then::Ask) => add("asks", name, &conditions),
                _ => {}
            }
            if let Some(kind) = consent {
                add("kinds", kind_number(*kind).to_string(), &conditions);
            }
        }
    }
    text
}

/// One policy, compiled.
pub struct Rego(CompiledPolicy);

impl Rego {
    pub fn new(world: &World<'_>) -> Self {
        let mut engine = Engine::new();
        let text = text(world);
        engine.add_policy("menshen.rego".to_owned(), text.clone()).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let with_ancestors = |name: &Id| -> Vec<String> {
            let parts: Vec<&str> = name.as_str().split('.').collect();
            (1..=parts.len()).map(|count| parts[..count].join(".")).collect()
        };
        let purposes: serde_json::Map<String, Json> = world
            .document
            .purposes
            .iter()
            .map(|(id, purpose)| {
                let types: Vec<Json> =
                    purpose.recipients.iter().map(|id| json!(world.document.recipients[id].kind)).collect();
                let kind = purpose.consent.as_ref().map_or(0, |terms| kind_number(terms.kind));
                let declared = json!({
                    "uses": with_ancestors(&purpose.data_use), "necessity": purpose.necessity,
                    "categories": purpose.categories.iter().flat_map(with_ancestors).collect::<Vec<_>>(),
                    "recipients": purpose.recipients, "recipientTypes": types, "giver": 1, "kind": kind
                });
                (id.to_string(), declared)
            })
            .collect();
        engine.add_data_json(&json!({ "purposes": purposes }).to_string()).expect("data");
        Self(engine.compile_with_entrypoint(&"data.menshen.verdict".into()).expect("it compiles"))
    }

    /// The input of a question: Cedar's context with the purpose's name.
    pub fn input(context: &Json, purpose: &str) -> Value {
        let mut input = context.clone();
        input["purpose"] = json!(purpose);
        Value::from_json_str(&input.to_string()).expect("an input")
    }

    pub fn verdict(&self, input: Value) -> String {
        let verdict = self.0.eval_with_input(input).expect("a verdict");
        verdict.as_string().expect("a word").to_string()
    }
}
