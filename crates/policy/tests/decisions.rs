//! What the rules in force decide about a purpose, and on which policy and law packs that rests.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

use menshen_policy::document::{ConsentKind, Giver, Place};
use menshen_policy::{AgeBand, Consent, Month, Policy, Question, Reason, RulesInForce, Verdict};
use serde_json::{Value, json};

const NOW_MS: i64 = 1_800_000_000_000;
const GIVEN: Consent = Consent::Given { kind: ConsentKind::Separate, by: Giver::Subject, until_ms: None };

fn policy(change: impl Fn(&mut Value)) -> Policy {
    let mut document: Value = serde_json::from_slice(include_bytes!("../../../tests/vectors/policy.json")).unwrap();
    change(&mut document);
    Policy::read(document.to_string().as_bytes()).unwrap()
}

fn place(text: &str) -> Option<Place> {
    Place::parse(text).ok()
}

fn question(policy: &Policy, purpose: &str, born: Option<&str>, consent: Consent) -> Question {
    let band = |born| AgeBand::of(Month::parse(born).unwrap(), Month::at(NOW_MS), policy.thresholds());
    Question {
        purpose: policy.purpose_id(purpose).unwrap(),
        age: born.map(band),
        notice_agreed: true,
        consent,
        restricted: false,
        now_ms: NOW_MS,
    }
}

fn reasons(rules: &RulesInForce, question: &Question) -> (Verdict, Vec<Reason>) {
    let decision = rules.decide(question);
    (decision.verdict, decision.reasons.iter().collect())
}

#[test]
fn a_decision_names_the_policy_and_the_law_packs_in_force_where_the_person_lives() {
    let policy = policy(|document| document["jurisdictions"] = json!(["us-coppa"]));
    let packs = |place: Option<Place>| {
        let rules = policy.rules_in_force(place.as_ref());
        let identity = rules.decide(&question(&policy, "statistics", None, GIVEN)).identity;
        assert_eq!(identity.policy_hash, policy.hash());
        assert!(identity.law_packs.iter().all(|pack| pack.hash.len() == 64 && pack.as_of.len() == 10));
        identity.law_packs.iter().map(|pack| pack.id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(packs(place("DE")), ["eu", "us-coppa"]);
    assert_eq!(packs(place("US-CA")), ["us-ca", "us-coppa"]);
    assert_eq!(packs(place("JP")), ["us-coppa"]);
    assert_eq!(packs(None), ["cn", "eu", "us-ca", "us-coppa"], "an unknown place is every place");
}

#[test]
fn the_age_of_consent_is_that_of_the_place() {
    let policy = policy(|_| {});
    let verdict = |at: &str, born: &str| {
        let consent = Consent::Given { kind: ConsentKind::Separate, by: Giver::Subject, until_ms: None };
        policy.rules_in_force(place(at).as_ref()).decide(&question(&policy, "statistics", Some(born), consent)).verdict
    };
    // Fifteen and a half.
    assert_eq!(verdict("DE", "2011-07"), Verdict::Ask, "below 16 a guardian answers");
    assert_eq!(verdict("AT", "2011-07"), Verdict::Allow, "14 is enough there");
    assert_eq!(verdict("JP", "2011-07"), Verdict::Allow, "no pack speaks there");
}

#[test]
fn a_prohibition_wins_over_every_yes_and_an_unknown_age_is_a_childs() {
    let policy = policy(|_| {});
    let rules = policy.rules_in_force(place("JP").as_ref());
    let child = question(&policy, "statistics", Some("2020-01"), GIVEN);
    assert_eq!(reasons(&rules, &child).0, Verdict::Deny);
    let unknown = rules.decide(&Question { age: None, ..child });
    assert_eq!(unknown.verdict, Verdict::Deny);
    assert!(unknown.missing.decisive && unknown.missing.age && !unknown.missing.place);
}

#[test]
fn a_legitimate_interest_asks_in_china_and_where_nobody_knows_whether_it_is_china() {
    let policy = policy(|document| {
        document["purposes"]["statistics"]["legal_basis"] = json!("legitimate-interest");
        document["purposes"]["statistics"].as_object_mut().unwrap().remove("consent");
    });
    let asked = question(&policy, "statistics", Some("1990-05"), Consent::NotAsked);
    let at = |place: Option<Place>| policy.rules_in_force(place.as_ref()).decide(&asked).verdict;
    assert_eq!(at(place("JP")), Verdict::Allow);
    assert_eq!(at(place("CN")), Verdict::Ask);
    assert_eq!(at(None), Verdict::Ask);
    let rules = policy.rules_in_force(None);
    assert!(rules.decide(&asked).missing.place, "the place would settle it");
    let in_china = policy.rules_in_force(place("CN").as_ref());
    let reason = in_china.decide(&asked).reasons.first().unwrap();
    let explanation = policy.explain(reason, policy.purpose_id("statistics"));
    assert_eq!(explanation.code, "no-legitimate-interest");
    assert_eq!(explanation.pack.unwrap().as_str(), "cn");
    assert_eq!(
        (explanation.rule.unwrap().as_str(), explanation.source),
        ("no-legitimate-interest", Some("PIPL art. 13"))
    );
}

#[test]
fn only_a_legal_duty_needs_no_notice_and_a_consent_ends_with_its_time() {
    let policy = policy(|_| {});
    let rules = policy.rules_in_force(place("JP").as_ref());
    let before_notice = |purpose| {
        let asked = question(&policy, purpose, Some("1990-05"), GIVEN);
        reasons(&rules, &Question { notice_agreed: false, ..asked })
    };
    assert_eq!(before_notice("keep-logs"), (Verdict::Allow, vec![Reason::LegalDuty]));
    assert_eq!(before_notice("messaging"), (Verdict::Deny, vec![Reason::NoticeNotAgreed]));
    let until = |until_ms| {
        let consent = Consent::Given { kind: ConsentKind::General, by: Giver::Subject, until_ms: Some(until_ms) };
        rules.decide(&question(&policy, "statistics", Some("1990-05"), consent)).verdict
    };
    assert_eq!((until(NOW_MS + 1), until(NOW_MS)), (Verdict::Allow, Verdict::Ask));
}

#[test]
fn every_purpose_is_decided_by_its_own_rules() {
    let policy = policy(|_| {});
    let rules = policy.rules_in_force(place("JP").as_ref());
    let fourteen = |purpose| reasons(&rules, &question(&policy, purpose, Some("2012-06"), GIVEN)).0;
    assert_eq!(fourteen("statistics"), Verdict::Allow);
    assert_eq!(fourteen("advertising"), Verdict::Deny, "no advertising below 16");
}

#[test]
fn a_document_that_was_once_accepted_is_read_though_a_stricter_release_would_refuse_it() {
    let mut document: Value = serde_json::from_slice(include_bytes!("../../../tests/vectors/policy.json")).unwrap();
    document.as_object_mut().unwrap().remove("$schema");
    // Nobody's records go there: today's checker refuses it.
    document["endpoints"]["own"]["recipient"] = json!("tracker");
    let text = document.to_string();
    assert!(Policy::read(text.as_bytes()).is_err());
    let kept = Policy::read_kept(text.as_bytes()).unwrap();
    assert_eq!(kept.canonical(), text.as_bytes());
    assert!(kept.purpose_id("statistics").is_some());
    assert!(Policy::read_kept(b"{}").is_err(), "its shape must be there");
}
