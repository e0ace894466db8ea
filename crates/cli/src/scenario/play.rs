//! Plays a scenario step by step, and compares what it gave with what was expected.

use serde_json::{Value, json};

use super::format::{Scenario, Step};
use super::world::{Stop, World};

/// How a scenario went.
pub(crate) enum Verdict {
    Passed,
    Failed(Failed),
    /// The library cannot do one of its steps yet, and the scenario says so. It stops at this line.
    Waiting {
        line: usize,
    },
    /// It says that it waits, and passes.
    WaitsNoMore,
}

/// The step that failed, and how.
pub(crate) struct Failed {
    pub(crate) line: usize,
    /// The step as it is written; empty where the scenario as a whole failed.
    pub(crate) step: String,
    pub(crate) why: Why,
    /// Whether the step only read the policy's words.
    pub(crate) reads_policy: bool,
}

pub(crate) enum Why {
    /// Expected and got, by key.
    Differs(Vec<Difference>),
    /// In words.
    Said(String),
}

pub(crate) struct Difference {
    pub(crate) key: &'static str,
    pub(crate) expected: Value,
    pub(crate) got: Value,
}

/// Plays a scenario under a policy that was checked, in its canonical form.
pub(crate) fn play(scenario: &Scenario, policy: &[u8]) -> Verdict {
    match (through(scenario, policy), &scenario.waiting) {
        (Ok(()), None) => Verdict::Passed,
        (Ok(()), Some(_)) => Verdict::WaitsNoMore,
        (Err(failed), Some(_)) => Verdict::Waiting { line: failed.line },
        (Err(failed), None) => Verdict::Failed(failed),
    }
}

fn through(scenario: &Scenario, policy: &[u8]) -> Result<(), Failed> {
    let whole = |stop| Failed { line: scenario.line, step: String::new(), why: said(stop), reads_policy: false };
    let mut world = World::new(policy, &scenario.person, scenario.start_ms).map_err(whole)?;
    for step in &scenario.steps {
        let failed = |why| Failed {
            line: step.line,
            step: step.text.clone(),
            why,
            reads_policy: matches!(step.action, super::format::Action::PolicySays { .. }),
        };
        let differences = carry_out(&mut world, step).map_err(|stop| failed(said(stop)))?;
        if !differences.is_empty() {
            return Err(failed(Why::Differs(differences)));
        }
    }
    Ok(())
}

fn said(stop: Stop) -> Why {
    Why::Said(match stop {
        Stop::Broken(message) => message,
        Stop::NotYet(verb) => {
            format!("the library cannot do `{verb}` yet: mark the scenario with \"waiting\" and say what is missing")
        }
    })
}

fn carry_out(world: &mut World, step: &Step) -> Result<Vec<Difference>, Stop> {
    let wants_ledger = step.expected.iter().any(|(key, _)| *key == "ledger");
    let before = if wants_ledger { world.ledger()?.len() } else { 0 };
    let got = world.act(&step.action)?;
    let is_expected = step.expected.iter().any(|(key, _)| matches!(*key, "error" | "errors"));
    if let Some(error) = got.get("error").and_then(Value::as_str).filter(|_| !is_expected) {
        let text = got.get("text").and_then(Value::as_str).unwrap_or_default();
        return Err(Stop::Broken(format!("an error that no step expected, `{error}`: {text}")));
    }
    let mut differences = Vec::new();
    for (key, expected) in &step.expected {
        let found = if *key == "ledger" {
            json!(world.ledger()?.split_off(before))
        } else {
            world.look(key)?.or_else(|| got.get(*key).cloned()).unwrap_or_default()
        };
        let fits = match *key {
            "ledger" => is_in_order(expected, &found),
            "errors" => has_all(expected, &found),
            _ => *expected == found,
        };
        if !fits {
            differences.push(Difference { key, expected: expected.clone(), got: found });
        }
    }
    Ok(differences)
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// All that is expected is there, in this order, whatever stands between; an empty list expects nothing at all.
fn is_in_order(expected: &Value, found: &Value) -> bool {
    let mut rest = items(found).iter();
    expected.is_array()
        && if items(expected).is_empty() {
            items(found).is_empty()
        } else {
            items(expected).iter().all(|one| rest.any(|other| other == one))
        }
}

fn has_all(expected: &Value, found: &Value) -> bool {
    !items(expected).is_empty() && items(expected).iter().all(|one| items(found).contains(one))
}
