//! Random policies and questions, decided by the engine and by Cedar: verdict, who is asked, what kind of consent, and
//! every rule that speaks. `cargo run --release` asks 100,000 and prints the shares; the first difference ends it.

use std::collections::{BTreeMap, BTreeSet};

use menshen_policy::document::{Giver, LegalBasis};
use menshen_policy::{Consent, Document, Reason, Verdict, packs};
use menshen_policy_proof::cedar::Oracle;
use menshen_policy_proof::naive::World;
use menshen_policy_proof::random::{self, Random};

const A_POLICY: usize = 100;

fn main() {
    let wanted = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(100_000);
    let mut random = Random::new(7);
    let packs = packs::built_in().expect("the packs are right");
    let mut shares: BTreeMap<&str, usize> = BTreeMap::new();
    let mut asked_all = 0;
    while asked_all < wanted {
        let (document, policy) = random::policy(&mut random);
        let types: Document = serde_json::from_value(document.clone()).expect("it was read before");
        let world = World { document: &types, packs: &packs };
        let oracle = Oracle::new(&world);
        for _ in 0..A_POLICY {
            let asked = random::asked(&mut random);
            let rules = policy.rules_in_force(asked.place.as_ref());
            let decision = rules.decide(&asked.question(&policy));
            let told = oracle.decide(&world, &asked, asked.age(&policy));
            let context = || format!("{asked:?}\n{decision:?}\n{told:?}\n{document:#}");
            assert_eq!(decision.verdict, told.verdict, "{}", context());
            let basis = rules.basis(asked.id(&policy)).expect("the purpose is declared");
            let is_weighed = decision.reasons.iter().any(|reason| {
                matches!(
                    reason,
                    Reason::ConsentNotAsked
                        | Reason::ConsentGiven
                        | Reason::ConsentByGuardian
                        | Reason::ConsentTooWeak
                        | Reason::ConsentExpired
                        | Reason::ConsentOutdated
                )
            });
            if is_weighed && basis != LegalBasis::Instruction {
                assert_eq!(decision.asked == Giver::Guardian, told.asks_guardian, "{}", context());
            }
            // The rules that the engine names are among those that Cedar lets speak.
            let spoke: BTreeSet<&String> = told.spoke.iter().collect();
            for reason in decision.reasons.iter() {
                let explanation = policy.explain(reason, None);
                let name = match (reason, explanation.pack, explanation.rule) {
                    (Reason::Law { .. }, Some(pack), Some(rule)) => format!("{pack}/{rule}"),
                    (Reason::Rule(_), None, Some(rule)) => rule.to_string(),
                    (Reason::Abroad, ..) => "abroad".to_owned(),
                    _ => continue,
                };
                assert!(spoke.contains(&name), "{name}: {}", context());
            }
            asked_all += 1;
            let mut add = |name, holds: bool| *shares.entry(name).or_default() += usize::from(holds);
            add("allow", decision.verdict == Verdict::Allow);
            add("ask", decision.verdict == Verdict::Ask);
            add("deny", decision.verdict == Verdict::Deny);
            add("age unknown", asked.born.is_none());
            add("place unknown", asked.place.is_none());
            add("consent unknown", asked.consent == Consent::NotAsked);
            add("notice not agreed", !asked.notice_agreed);
        }
    }
    for (name, count) in shares {
        #[allow(clippy::cast_precision_loss, reason = "a share with one digit")]
        let share = count as f64 * 100.0 / asked_all as f64;
        println!("{name:>18} {share:5.1} %");
        assert!(share >= 10.0, "{name} makes up {share:.1} %");
    }
    println!("{asked_all} questions, decided alike by the engine and by Cedar");
}
