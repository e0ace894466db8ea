//! A decision: any question to any policy, and what holds for every answer.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use menshen::Policy;
use menshen::policy::document::{ConsentKind, Effect, Giver, LegalBasis, Place, SubjectMode};
use menshen::policy::{AgeBand, Consent, Month, Question, Reason, Verdict};
use menshen_fuzz::{planted, seeds};

/// The policies that are asked where the fuzzer wrote none.
static POLICIES: LazyLock<Vec<Policy>> =
    LazyLock::new(|| seeds::of("policy").iter().filter_map(|seed| Policy::read(seed).ok()).collect());

const PLACES: [&str; 8] = ["CN", "DE", "FR", "US", "US-CA", "JP", "HK", "GB"];
const KINDS: [ConsentKind; 3] = [ConsentKind::General, ConsentKind::Separate, ConsentKind::Written];
const GIVERS: [Giver; 4] = [Giver::Subject, Giver::Guardian, Giver::Both, Giver::Administrator];

/// A question as the first bytes say it; the rest is the text of a policy.
struct Asked {
    purpose: u8,
    born: Option<Month>,
    place: Option<Place>,
    notice_agreed: bool,
    restricted: bool,
    consent: Consent,
    now_ms: i64,
}

impl Asked {
    const BYTES: usize = 12;

    fn of(bytes: &[u8; Self::BYTES]) -> Self {
        let [purpose, year, month, place, flags, consent, kind, until, n0, n1, n2, n3] = *bytes;
        let now_ms = i64::from(u32::from_le_bytes([n0, n1, n2, n3])) * 1000;
        let until_ms = (until > 0).then(|| now_ms.saturating_add((i64::from(until) - 64) * 86_400_000));
        let one_of = |index: u8, length: usize| usize::from(index) % length;
        Self {
            purpose,
            born: Month::new(1900 + i32::from(year), month),
            place: PLACES.get(usize::from(place)).map(|place| Place::parse(place).unwrap()),
            notice_agreed: flags & 1 == 0,
            restricted: flags & 2 != 0,
            consent: match consent % 5 {
                0 => Consent::NotAsked,
                1 => Consent::Outdated,
                2 => Consent::Refused,
                3 => Consent::Withdrawn,
                _ => Consent::Given { kind: KINDS[one_of(kind, 3)], by: GIVERS[one_of(kind / 3, 4)], until_ms },
            },
            now_ms,
        }
    }
}

fuzz_target!(init: seeds::write("decide"), |data: &[u8]| {
    let Some((bytes, text)) = data.split_first_chunk::<{ Asked::BYTES }>() else { return };
    let asked = Asked::of(bytes);
    let own = if text.starts_with(b"{") { Policy::read(text).ok() } else { None };
    let policy = own.as_ref().unwrap_or(&POLICIES[text.first().map_or(0, |byte| usize::from(*byte)) % POLICIES.len()]);
    let purposes: Vec<_> = policy.purposes().map(|(id, _, _)| id).collect();
    let Some(purpose) = purposes.get(usize::from(asked.purpose) % purposes.len().max(1)) else { return };
    let age = asked.born.map(|born| AgeBand::of(born, Month::at(asked.now_ms), policy.thresholds()));
    let question = Question {
        purpose: *purpose,
        age,
        notice_agreed: asked.notice_agreed,
        consent: asked.consent,
        restricted: asked.restricted,
        now_ms: asked.now_ms,
    };
    let rules = policy.rules_in_force(asked.place.as_ref());
    let decision = rules.decide(&question);
    assert_eq!(decision, rules.decide(&question), "the same question has the same answer");

    let basis = rules.basis(*purpose).expect("the purpose is one of the policy");
    let spoken: Vec<_> = rules.rules_that_speak(&question).collect();
    if spoken.iter().any(|rule| rule.effect == Some(Effect::Deny) && rule.certain) {
        assert_eq!(decision.verdict, Verdict::Deny, "a deny is absolute");
    }
    if !asked.notice_agreed && basis != LegalBasis::LegalDuty {
        assert_eq!(decision.verdict, Verdict::Deny, "nothing opens before the notice");
    }
    if matches!(basis, LegalBasis::Consent | LegalBasis::Instruction) && decision.verdict == Verdict::Allow {
        assert!(matches!(asked.consent, Consent::Given { .. }), "what rests on a yes opens on a yes");
    }
    for reason in decision.reasons.iter() {
        let explanation = policy.explain(reason, Some(*purpose));
        assert!(!explanation.code.is_empty());
        if matches!(reason, Reason::Rule(_) | Reason::Law { .. } | Reason::Abroad) {
            assert!(spoken.iter().any(|rule| rule.reason == reason), "a rule that is named did speak");
        }
    }
    assert!(decision.valid_until_ms.is_none_or(|until| until > asked.now_ms), "an answer holds at least now");

    // What is not known allows nothing more; that a service for everyone takes an unknown age as an adult's is its policy.
    let mut fewer = Question { consent: Consent::NotAsked, ..question };
    if policy.document().subject.age_and_place != SubjectMode::GeneralAudience {
        fewer.age = None;
    }
    let unknown = policy.rules_in_force(None);
    let said_no = matches!(asked.consent, Consent::Refused | Consent::Withdrawn) || asked.restricted;
    let is_duty = [&rules, &unknown].iter().any(|rules| rules.basis(*purpose) == Some(LegalBasis::LegalDuty));
    if !said_no && !is_duty {
        assert!(unknown.decide(&fewer).verdict >= decision.verdict, "an unknown allows nothing more");
    }
    planted(|| {
        let by_guardian = matches!(asked.consent, Consent::Given { by: Giver::Guardian, .. });
        by_guardian && decision.verdict == Verdict::Allow && age.is_some_and(|age| age.below.is_some())
    });
});
