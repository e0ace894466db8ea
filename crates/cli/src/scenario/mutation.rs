//! Whether the scenarios of a policy would miss any of its rules: each is deleted in turn, and something has to notice.

use menshen::Policy;
use serde_json::Value;

use super::format::Scenario;
use super::play::{Verdict, play};

/// What noticed that a rule is gone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caught {
    /// The document is not right any more.
    ByCheck,
    /// A scenario failed at what the library did.
    ByScenario,
    /// A scenario failed because it does not read the rule's words any more.
    ByReading,
    /// Nothing.
    Not,
}

/// A rule that was deleted, and what noticed.
pub(crate) struct Mutant {
    /// Where it stood, as a JSON pointer.
    pub(crate) pointer: String,
    pub(crate) caught: Caught,
}

/// Deletes every rule of a document in turn: everything that has a source of its own, every endpoint, and every field
/// of an event. `done` is told each.
pub(crate) fn mutate(document: &Value, scenarios: &[&Scenario], done: impl Fn(&Mutant) + Sync) -> Vec<Mutant> {
    let mut rules = Vec::new();
    find(document, "", &mut rules);
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(4);
    let share = rules.len().div_ceil(workers).max(1);
    std::thread::scope(|scope| {
        let work = |rules| {
            let (done, document) = (&done, &document);
            scope.spawn(move || delete_each(rules, document, scenarios, done))
        };
        let running: Vec<_> = rules.chunks(share).map(work).collect();
        running.into_iter().flat_map(|one| one.join().unwrap_or_default()).collect()
    })
}

fn delete_each(rules: &[String], document: &Value, scenarios: &[&Scenario], done: &impl Fn(&Mutant)) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for pointer in rules {
        let mut without = document.clone();
        delete(&mut without, pointer);
        let mutant = Mutant { pointer: pointer.clone(), caught: judge(&without, pointer, scenarios) };
        done(&mutant);
        mutants.push(mutant);
    }
    mutants
}

/// Plays until a scenario fails, those first that speak of the rule.
fn judge(without: &Value, pointer: &str, scenarios: &[&Scenario]) -> Caught {
    let Ok(policy) = Policy::read(without.to_string().as_bytes()) else { return Caught::ByCheck };
    let speaks_of = |scenario: &Scenario| {
        let has = |part: &str| scenario.steps.iter().any(|step| step.text.contains(part));
        pointer.split('/').skip(2).filter(|part| has(part)).count()
    };
    let mut scenarios: Vec<&Scenario> = scenarios.iter().copied().filter(|one| one.waiting.is_none()).collect();
    scenarios.sort_by_key(|scenario| std::cmp::Reverse(speaks_of(scenario)));
    for scenario in scenarios {
        match play(scenario, policy.canonical()) {
            Verdict::Failed(failed) if failed.reads_policy => return Caught::ByReading,
            Verdict::Failed(_) => return Caught::ByScenario,
            _ => {}
        }
    }
    Caught::Not
}

fn find(node: &Value, at: &str, rules: &mut Vec<String>) {
    if let Value::Object(members) = node {
        let is_listed = ["/endpoints/", "/fields/"]
            .iter()
            .any(|map| at.rsplit_once('/').is_some_and(|(above, _)| format!("{above}/").ends_with(map)));
        if !at.is_empty() && (members.contains_key("source") || is_listed) {
            rules.push(at.to_owned());
        }
        for (key, value) in members {
            // Keys of a policy hold neither of the two characters that a pointer escapes.
            find(value, &format!("{at}/{key}"), rules);
        }
    }
}

fn delete(document: &mut Value, pointer: &str) {
    if let Some((above, key)) = pointer.rsplit_once('/')
        && let Some(Value::Object(members)) = document.pointer_mut(above)
    {
        members.remove(key);
    }
}
