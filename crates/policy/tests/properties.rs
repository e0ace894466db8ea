//! What holds for every policy and every question: the engine says what the words say, and whatever is added, removed or
//! unknown allows nothing more.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "a test stops at what it did not expect"
)]

#[path = "support/naive.rs"]
mod naive;
#[path = "support/random.rs"]
mod random;

use std::collections::BTreeSet;

use menshen_policy::document::{Effect, LegalBasis};
use menshen_policy::{Consent, Decision, Document, Policy, Reason, Verdict, packs};
use naive::World;
use random::{Asked, Random};
use serde_json::{Value, json};

/// How many questions: `cargo test --release -p menshen-policy --test properties -- --nocapture` asks a million.
const QUESTIONS: usize = if cfg!(debug_assertions) { 8_000 } else { 1_000_000 };
const A_POLICY: usize = 200;

fn decide(policy: &Policy, asked: &Asked) -> (Verdict, Vec<String>, Vec<Reason>) {
    let rules = policy.rules_in_force(asked.place.as_ref());
    let decision = rules.decide(&asked.question(policy));
    (decision.verdict, named(policy, &decision), decision.reasons.iter().collect())
}

/// The rules that a decision names.
fn named(policy: &Policy, decision: &Decision<'_>) -> Vec<String> {
    let named = decision.reasons.iter().filter(|r| matches!(r, Reason::Rule(_) | Reason::Law { .. } | Reason::Abroad));
    named.map(|reason| name(policy, reason)).collect()
}

fn name(policy: &Policy, rule: Reason) -> String {
    let explanation = policy.explain(rule, None);
    match (explanation.pack, explanation.rule) {
        (Some(pack), Some(rule)) => format!("{pack}/{rule}"),
        (None, Some(rule)) => rule.to_string(),
        _ => "abroad".to_owned(),
    }
}

#[derive(Default)]
struct Shares {
    total: usize,
    counts: std::collections::BTreeMap<&'static str, usize>,
}

impl Shares {
    fn count(&mut self, asked: &Asked, verdict: Verdict) {
        self.total += 1;
        let mut add = |name, holds: bool| *self.counts.entry(name).or_default() += usize::from(holds);
        add("allow", verdict == Verdict::Allow);
        add("ask", verdict == Verdict::Ask);
        add("deny", verdict == Verdict::Deny);
        add("age unknown", asked.born.is_none());
        add("place unknown", asked.place.is_none());
        add("consent unknown", asked.consent == Consent::NotAsked);
        add("notice not agreed", !asked.notice_agreed);
    }

    fn print_and_check(&self) {
        for (name, count) in &self.counts {
            let share = *count as f64 * 100.0 / self.total as f64;
            println!("{name:>18} {share:5.1} %  of {} questions", self.total);
            assert!(share >= 10.0, "{name} makes up {share:.1} %");
        }
    }
}

#[test]
fn the_engine_decides_what_the_words_of_the_policy_and_the_laws_say() {
    let mut random = Random::new(1);
    let packs = packs::built_in().unwrap();
    let mut shares = Shares::default();
    for _ in 0..QUESTIONS / A_POLICY {
        let (document, policy) = random::policy(&mut random);
        let types: Document = serde_json::from_value(document.clone()).unwrap();
        let world = World { document: &types, packs: &packs };
        for _ in 0..A_POLICY {
            let asked = random::asked(&mut random);
            let rules = policy.rules_in_force(asked.place.as_ref());
            let decision = rules.decide(&asked.question(&policy));
            let naive = world.decide(&asked, asked.age(&policy));
            let context = || format!("{asked:?}\n{decision:?}\n{naive:?}\n{document:#}");
            assert_eq!(decision.verdict, naive.verdict, "{}", context());
            if let (Some(who), Some(kind)) = (naive.asked, naive.kind) {
                assert_eq!((decision.asked, decision.kind), (who, kind), "{}", context());
            }
            // A rule that is named did speak, and where rules decided one of them is named.
            let spoke = |name: &String| {
                naive.denying.contains(name) || naive.guardian.contains(name) || naive.asking.contains(name)
            };
            let named = named(&policy, &decision);
            let too_weak = decision.reasons.iter().any(|reason| reason == Reason::ConsentTooWeak);
            assert!(too_weak || named.iter().all(spoke), "{}", context());
            // Whoever asks for all rules that speak is told exactly those that fire.
            for (effect, fired) in
                [(Effect::Deny, &naive.denying), (Effect::Guardian, &naive.guardian), (Effect::Ask, &naive.asking)]
            {
                let spoken =
                    rules.rules_that_speak(&asked.question(&policy)).filter(|rule| rule.effect == Some(effect));
                let names: BTreeSet<String> = spoken.map(|rule| name(&policy, rule.reason)).collect();
                assert_eq!(&names, fired, "{}", context());
            }
            let first = decision.reasons.iter().next().unwrap();
            if matches!(first, Reason::Rule(_)) && decision.verdict == Verdict::Deny && naive.asked.is_none() {
                // Business data is denied to who needs a guardian.
                let denied = if naive.denying.is_empty() { &naive.guardian } else { &naive.denying };
                assert!(denied.contains(&named[0]), "{}", context());
            }
            shares.count(&asked, decision.verdict);
        }
    }
    shares.print_and_check();
}

/// Policies and questions, and what each change of either may do to the verdict.
fn never_more(seed: u64, share: usize, change: impl Fn(&mut Random, &Value, &Asked) -> Option<(Value, Asked)>) {
    let mut random = Random::new(seed);
    let (mut compared, mut stricter) = (0, 0);
    for _ in 0..QUESTIONS / A_POLICY / share {
        let (document, policy) = random::policy(&mut random);
        for _ in 0..A_POLICY {
            let asked = random::asked(&mut random);
            let Some((changed, asked_then)) = change(&mut random, &document, &asked) else { continue };
            let changed = if changed == document { None } else { Some(Policy::read(changed.to_string().as_bytes())) };
            let then = match &changed {
                None => decide(&policy, &asked_then),
                Some(Ok(changed)) => decide(changed, &asked_then),
                // What the checker refuses allows nothing at all.
                Some(Err(_)) => continue,
            };
            let before = decide(&policy, &asked);
            compared += 1;
            stricter += usize::from(then.0 > before.0);
            assert!(then.0 >= before.0, "{asked:?} {before:?}\n{asked_then:?} {then:?}\n{document:#}");
        }
    }
    // The control: the change does something.
    assert!(compared > 0 && stricter > 0, "{stricter} of {compared} became stricter");
    println!("{compared} compared, {stricter} became stricter");
}

#[test]
fn adding_a_rule_never_allows_more() {
    never_more(2, 20, |random, document, asked| {
        // Another age cuts the band elsewhere, and less may be known for certain.
        if rests_on_duty(document, asked) {
            return None;
        }
        let mut changed = document.clone();
        let effect = random.pick(&["deny", "ask", "guardian"]);
        let when = json!({ "age_below": 10 + random.below(12), "purposes": [asked.purpose] });
        changed["rules"]["added"] =
            json!({ "effect": effect, "when": when, "text": { "en": "no" }, "source": "999 ¶9" });
        Some((changed, asked.clone()))
    });
}

/// A legal duty needs nobody's input: it is the one basis on which an unknown closes nothing, and only what is certain
/// does.
fn rests_on_duty(document: &Value, asked: &Asked) -> bool {
    let purpose = &document["purposes"][&asked.purpose];
    let elsewhere = purpose["legal_basis_in"].as_object().unwrap();
    purpose["legal_basis"] == "legal-duty" || elsewhere.values().any(|basis| *basis == "legal-duty")
}

#[test]
fn removing_an_input_never_allows_more() {
    never_more(3, 4, |random, document, asked| {
        let mut fewer = asked.clone();
        match random.below(4) {
            // General audiences are the policy's own exception, which the checker finds.
            0 if document["subject"]["age_and_place"] == "general-audience" => return None,
            0 => fewer.born = None,
            1 => fewer.place = None,
            2 if asked.consent == Consent::Refused || asked.consent == Consent::Withdrawn => return None,
            2 => fewer.consent = Consent::NotAsked,
            _ => fewer.notice_agreed = false,
        }
        (!rests_on_duty(document, asked)).then(|| (document.clone(), fewer))
    });
}

#[test]
fn a_law_pack_never_allows_more() {
    never_more(4, 20, |random, document, asked| {
        let mut changed = document.clone();
        let pack = random.pick(&["cn", "eu", "us-ca", "us-coppa"]);
        let named = changed["jurisdictions"].as_array_mut().unwrap();
        if named.iter().any(|name| name == pack) {
            return None;
        }
        named.push(json!(pack));
        // Another legal basis in a place is the policy's own word, not the pack's.
        let purpose = &document["purposes"][&asked.purpose];
        purpose["legal_basis_in"].as_object().unwrap().is_empty().then(|| (changed, asked.clone()))
    });
}

#[test]
fn until_the_answer_says_it_may_change_nothing_becomes_stricter_by_itself() {
    let mut random = Random::new(5);
    let mut compared = 0;
    for _ in 0..QUESTIONS / A_POLICY / 4 {
        let (document, policy) = random::policy(&mut random);
        for _ in 0..A_POLICY {
            let asked = random::asked(&mut random);
            let rules = policy.rules_in_force(asked.place.as_ref());
            let question = asked.question(&policy);
            let now = rules.decide(&question);
            // A year ahead, or the last moment before it may change.
            let later_ms = now.valid_until_ms.map_or(asked.now_ms + 365 * 86_400_000, |until| until - 1);
            let later = rules.decide(&menshen_policy::Question { now_ms: later_ms, ..question });
            assert!(later.verdict <= now.verdict, "{asked:?} {now:?}\n{later:?}\n{document:#}");
            compared += usize::from(later_ms > asked.now_ms);
        }
    }
    assert!(compared > 0);
}

#[test]
fn only_a_yes_opens_what_rests_on_one() {
    let mut random = Random::new(6);
    let mut opened = 0;
    for _ in 0..QUESTIONS / A_POLICY / 4 {
        let (_, policy) = random::policy(&mut random);
        for _ in 0..A_POLICY {
            let asked = random::asked(&mut random);
            let rules = policy.rules_in_force(asked.place.as_ref());
            let decision = rules.decide(&asked.question(&policy));
            if rules.basis(asked.id(&policy)) == Some(LegalBasis::Consent) && decision.verdict == Verdict::Allow {
                assert!(matches!(asked.consent, Consent::Given { .. }) && asked.notice_agreed && !asked.restricted);
                opened += 1;
            }
        }
    }
    assert!(opened > 0);
}
