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

#[test]
fn a_legal_basis_may_differ_by_place_and_an_unknown_place_has_the_strictest() {
    let policy = policy(|document| {
        document["purposes"]["messaging"]["legal_basis_in"] = json!({ "cn": "consent" });
        document["purposes"]["messaging"]["consent"] = json!({ "kind": "general", "given_by": "subject" });
    });
    let asked = question(&policy, "messaging", Some("1990-05"), Consent::NotAsked);
    let at = |place: Option<Place>| policy.rules_in_force(place.as_ref()).decide(&asked).verdict;
    assert_eq!((at(place("JP")), at(place("CN")), at(None)), (Verdict::Allow, Verdict::Ask, Verdict::Ask));
    let rules = policy.rules_in_force(None);
    let unknown = rules.decide(&asked);
    assert!(unknown.missing.place && unknown.missing.decisive, "the place would settle it");
}

#[test]
fn where_the_law_wants_a_separate_consent_a_general_one_does_not_do() {
    // `advertising` goes to a controller of its own.
    let policy = policy(|document| {
        document["purposes"]["advertising"]["consent"]["kind"] = json!("general");
        document["recipients"]["ads"]["type"] = json!("controller");
    });
    let general = Consent::Given { kind: ConsentKind::General, by: Giver::Subject, until_ms: None };
    let asked = question(&policy, "advertising", Some("1990-05"), general);
    let verdict = |at: &str, consent| {
        let rules = policy.rules_in_force(place(at).as_ref());
        let decision = rules.decide(&Question { consent, ..asked });
        (decision.verdict, decision.kind)
    };
    assert_eq!(verdict("JP", general), (Verdict::Allow, ConsentKind::General));
    assert_eq!(verdict("CN", general), (Verdict::Ask, ConsentKind::Separate));
    assert_eq!(verdict("CN", GIVEN), (Verdict::Allow, ConsentKind::Separate));
    let in_china = policy.rules_in_force(place("CN").as_ref());
    let decision = in_china.decide(&asked);
    let why: Vec<_> = decision.reasons.iter().map(|r| policy.explain(r, None).rule.map(ToString::to_string)).collect();
    assert_eq!(why, [None, Some("separate-third-party".to_owned())]);
}

#[test]
fn a_recipient_abroad_needs_a_separate_consent_where_the_policy_says_so() {
    let policy = policy(|document| {
        document["residency"] = json!({ "stored_in": ["CN"], "abroad": "separate-consent", "source": "999 ¶9" });
        document["recipients"]["friends"]["place"] = json!("DE");
    });
    let asked = question(&policy, "messaging", Some("1990-05"), Consent::NotAsked);
    let rules = policy.rules_in_force(place("JP").as_ref());
    assert_eq!(reasons(&rules, &asked), (Verdict::Ask, vec![Reason::Abroad, Reason::ConsentNotAsked]));
    assert_eq!(rules.decide(&asked).kind, ConsentKind::Separate);
    assert_eq!(policy.explain(Reason::Abroad, None).source, Some("999 ¶9"));
}

#[test]
fn an_absolute_prohibition_forbids_whoever_agrees() {
    let mut document: Value = serde_json::from_slice(include_bytes!("../../../tests/vectors/policy.json")).unwrap();
    document.as_object_mut().unwrap().remove("$schema");
    document["rules"]["never-sold"] = json!({
        "effect": "deny", "when": { "uses": ["marketing"] }, "text": { "en": "Never.", "zh-Hans": "绝不。" },
        "source": "999 ¶9"
    });
    let text = document.to_string();
    // The checker tells the author that the policy says yes and no to it; the engine says no all the same.
    let errors = Policy::read(text.as_bytes()).unwrap_err();
    assert_eq!(errors.as_slice()[0].code(), "contradiction");
    let policy = Policy::read_kept(text.as_bytes()).unwrap();
    let asked = question(&policy, "advertising", Some("1990-05"), GIVEN);
    assert_eq!(reasons(&policy.rules_in_force(place("JP").as_ref()), &asked).0, Verdict::Deny);
}

#[test]
fn a_service_for_everyone_takes_an_unknown_age_as_an_adults_only_where_no_law_says_otherwise() {
    let policy = policy(|document| document["subject"]["age_and_place"] = json!("general-audience"));
    let unknown = question(&policy, "statistics", None, GIVEN);
    let at = |place: Option<Place>| policy.rules_in_force(place.as_ref()).decide(&unknown).verdict;
    assert_eq!(at(place("JP")), Verdict::Allow);
    assert_eq!((at(place("DE")), at(None)), (Verdict::Deny, Verdict::Deny));
    let child = question(&policy, "statistics", Some("2020-01"), GIVEN);
    assert_eq!(
        policy.rules_in_force(place("JP").as_ref()).decide(&child).verdict,
        Verdict::Deny,
        "it knows better now"
    );
}

#[test]
fn business_data_opens_on_an_administrators_assurance_and_closes_on_a_known_no() {
    let policy = policy(|document| document["purposes"]["messaging"]["legal_basis"] = json!("instruction"));
    let rules = policy.rules_in_force(place("JP").as_ref());
    let with = |consent| {
        let asked = question(&policy, "messaging", Some("1990-05"), consent);
        (rules.decide(&asked).asked, reasons(&rules, &asked))
    };
    let (who, answer) = with(Consent::NotAsked);
    assert_eq!((who, answer), (Giver::Administrator, (Verdict::Ask, vec![Reason::AssuranceNeeded])));
    let by = |by| Consent::Given { kind: ConsentKind::Separate, by, until_ms: None };
    assert_eq!(with(by(Giver::Administrator)).1, (Verdict::Allow, vec![Reason::Instruction]));
    assert_eq!(with(by(Giver::Subject)).1.0, Verdict::Ask, "nobody else can assure it");
    assert_eq!(with(Consent::Withdrawn).1.0, Verdict::Deny);
}

#[test]
fn a_guardians_yes_holds_after_the_coming_of_age() {
    let policy = policy(|_| {});
    let by_guardian = Consent::Given { kind: ConsentKind::Separate, by: Giver::Guardian, until_ms: None };
    let rules = policy.rules_in_force(place("DE").as_ref());
    let grown = question(&policy, "statistics", Some("1990-05"), by_guardian);
    assert_eq!(reasons(&rules, &grown), (Verdict::Allow, vec![Reason::ConsentByGuardian]));
}

#[test]
fn an_answer_is_due_at_the_sooner_of_promise_and_law() {
    use menshen_policy::document::{Date, Right};
    let right = |document: &mut Value, count: u8| {
        document["rights"] = json!({ "access": {
            "way": { "en": "Settings", "zh-Hans": "设置" }, "verification": true,
            "due": { "count": count, "unit": "days", "from": "verification" }, "source": "999 ¶9"
        } });
    };
    let due = |policy: &Policy, at: Option<Place>| {
        policy.due(Right::Access, at.as_ref(), &Date::parse("2026-11-02").unwrap()).map(|date| date.to_string())
    };
    let slow = policy(|document| right(document, 60));
    assert_eq!(due(&slow, place("JP")).as_deref(), Some("2027-01-01"));
    assert_eq!(due(&slow, place("CN")).as_deref(), Some("2026-11-23"), "15 working days");
    assert_eq!(due(&slow, place("DE")).as_deref(), Some("2026-12-02"), "one month");
    assert_eq!(due(&slow, None).as_deref(), Some("2026-11-23"));
    let fast = policy(|document| right(document, 5));
    assert_eq!(due(&fast, place("CN")).as_deref(), Some("2026-11-07"));
    assert_eq!(due(&policy(|_| {}), place("JP")), None);
}
