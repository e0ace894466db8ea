//! Random policies and random questions about them, from a seed.

use menshen_policy::document::{ConsentKind, Giver, Place};
use menshen_policy::{AgeBand, Consent, Month, Policy, PurposeId, Question};
use serde_json::{Map, Value, json};

/// The moment around which questions are asked: 2026-11-25.
pub const NOW_MS: i64 = 1_795_564_800_000;

const PACKS: [&str; 4] = ["cn", "eu", "us-ca", "us-coppa"];
const PLACES: [&str; 8] = ["CN", "DE", "FR", "AT", "US-CA", "US-NY", "JP", "BR"];
const BASES: [&str; 5] = ["consent", "contract", "legitimate-interest", "legal-duty", "instruction"];
const USES: [&str; 6] = [
    "analytics",
    "essential.service",
    "marketing.communications",
    "marketing.advertising.third_party",
    "personalize.content",
    "third_party_sharing",
];
const CATEGORIES: [&str; 6] = [
    "user.name",
    "user.biometric.voice",
    "user.location.precise",
    "user.device",
    "user.behavior",
    "user.contact.email",
];
const RECIPIENTS: [&str; 5] = ["maker", "helper", "network", "friends", "everyone"];
const TYPES: [&str; 5] = ["maker", "processor", "controller", "people", "public"];

/// xorshift64*: small, and the same everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    /// True in `of` of a hundred cases.
    pub fn percent(&mut self, of: usize) -> bool {
        self.below(100) < of
    }

    pub fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    /// At least one and at most `most` of them, each once, in their order.
    fn some<'a>(&mut self, from: &[&'a str], most: usize) -> Vec<&'a str> {
        let count = 1 + self.below(most);
        let mut chosen: Vec<&str> = (0..count).map(|_| self.pick(from)).collect();
        chosen.sort_unstable();
        chosen.dedup();
        chosen
    }
}

fn text(word: &str) -> Value {
    json!({ "en": word })
}

fn purpose(random: &mut Random) -> Value {
    let basis = random.pick(&BASES);
    let mut bases = vec![basis];
    let mut elsewhere = Map::new();
    if basis != "instruction" && random.percent(25) {
        for pack in random.some(&PACKS, 2) {
            let basis = random.pick(&BASES[..4]);
            bases.push(basis);
            elsewhere.insert(pack.to_owned(), json!(basis));
        }
    }
    let mut purpose = json!({
        "name": text("name"), "text": text("text"), "source": "999 ¶1",
        "use": random.pick(&USES), "necessity": random.pick(&["basic", "additional"]),
        "legal_basis": basis, "legal_basis_in": elsewhere,
        "categories": random.some(&CATEGORIES, 3), "recipients": random.some(&RECIPIENTS, 2),
        "retention": { "duration": "P1D", "source": "not stated" }
    });
    if bases.contains(&"consent") {
        let (kind, by) =
            (random.pick(&["general", "general", "separate"]), random.pick(&["subject", "subject", "both"]));
        purpose["consent"] = json!({ "kind": kind, "given_by": by });
    }
    if bases.contains(&"legal-duty") {
        purpose["statute"] = json!("Act 1");
    }
    purpose
}

fn rule(random: &mut Random, purposes: &[&str]) -> Value {
    let mut when = Map::new();
    if random.percent(60) {
        let below = 12 + random.below(7);
        when.insert("age_below".to_owned(), json!(below));
        if random.percent(25) {
            when.insert("age_from".to_owned(), json!(below - 1 - random.below(4)));
        }
    } else if random.percent(20) {
        when.insert("age_from".to_owned(), json!(16 + random.below(6)));
    }
    let mut list = |key: &str, percent: usize, from: &[&str], most: usize| {
        if random.percent(percent) {
            when.insert(key.to_owned(), json!(random.some(from, most)));
        }
    };
    list("jurisdictions", 45, &PACKS, 2);
    list("purposes", 55, purposes, 2);
    list("uses", 20, &["marketing", "analytics", "essential", "personalize"], 1);
    list("categories", 20, &["user.biometric", "user.location", "user.device"], 2);
    list("recipients", 10, &RECIPIENTS, 2);
    list("recipient_types", 10, &TYPES, 2);
    list("legal_bases", 20, &BASES, 2);
    let effect = random.pick(&["deny", "ask", "guardian", "guardian", "ask"]);
    let mut rule = json!({ "effect": effect, "when": when, "text": text("text"), "source": "999 ¶2" });
    if effect != "deny" && random.percent(25) {
        rule["kind"] = json!("separate");
    }
    rule
}

/// A document that may be wrong: rules that deny what they should not make it so.
fn document(random: &mut Random) -> Value {
    let names = ["p0", "p1", "p2", "p3", "p4"];
    let purposes: Map<String, Value> = names.iter().map(|name| ((*name).to_owned(), purpose(random))).collect();
    let rules: Map<String, Value> = (0..random.below(7)).map(|at| (format!("r{at}"), rule(random, &names))).collect();
    let categories: Map<String, Value> = CATEGORIES
        .iter()
        .map(|name| {
            let (sensitive, special) = (random.percent(25), random.percent(15));
            ((*name).to_owned(), json!({ "name": text("name"), "sensitive": sensitive, "special": special }))
        })
        .collect();
    let recipients: Map<String, Value> = RECIPIENTS
        .iter()
        .zip(TYPES)
        .map(|(name, kind)| {
            let mut recipient = json!({ "name": text("name"), "type": kind, "source": "999 ¶3" });
            if random.percent(50) {
                recipient["place"] = json!(random.pick(&["CN", "DE", "US"]));
            }
            ((*name).to_owned(), recipient)
        })
        .collect();
    let everywhere = if random.percent(30) { random.some(&PACKS, 1) } else { Vec::new() };
    let mut document = json!({
        "id": "random", "version": "1.0.0", "effective_from": "2026-01-01", "locales": ["en"],
        "jurisdictions": everywhere,
        "controller": { "name": text("a"), "address": text("b"), "contact": text("c"), "source": "999 ¶1" },
        "acceptance": { "mode": "explicit", "changes": "explicit", "source": "999 ¶1" },
        "subject": { "age_and_place": random.pick(&["asked", "general-audience"]), "source": "999 ¶1" },
        "notice": { "title": text("a"), "body": text("b"), "source": "999 ¶1" },
        "categories": categories, "purposes": purposes, "features": {}, "recipients": recipients, "rules": rules
    });
    if random.percent(40) {
        let stored_in = random.some(&["CN", "DE"], 1);
        document["residency"] = json!({ "stored_in": stored_in, "abroad": "separate-consent", "source": "999 ¶1" });
    }
    document
}

/// A right policy, as a document and compiled.
pub fn policy(random: &mut Random) -> (Value, Policy) {
    loop {
        let document = document(random);
        if let Ok(policy) = Policy::read(document.to_string().as_bytes()) {
            return (document, policy);
        }
    }
}

/// One question: about which purpose, whom, where.
#[derive(Clone, Debug)]
pub struct Asked {
    pub purpose: String,
    pub born: Option<Month>,
    pub place: Option<Place>,
    pub notice_agreed: bool,
    pub consent: Consent,
    pub restricted: bool,
    pub now_ms: i64,
}

impl Asked {
    pub fn age(&self, policy: &Policy) -> Option<AgeBand> {
        // The band was cut when it was asked, up to two years ago.
        let then = Month::at(NOW_MS - 400 * 86_400_000);
        self.born.map(|born| AgeBand::of(born, then, policy.thresholds()))
    }

    pub fn question(&self, policy: &Policy) -> Question {
        Question {
            purpose: self.id(policy),
            age: self.age(policy),
            notice_agreed: self.notice_agreed,
            consent: self.consent,
            restricted: self.restricted,
            now_ms: self.now_ms,
        }
    }

    pub fn id(&self, policy: &Policy) -> PurposeId {
        policy.purpose_id(&self.purpose).unwrap()
    }
}

pub fn asked(random: &mut Random) -> Asked {
    let born = (!random.percent(25)).then(|| {
        let age = i32::try_from(8 + random.below(22)).unwrap();
        Month::new(2026 - age, u8::try_from(1 + random.below(12)).unwrap()).unwrap()
    });
    let place = (!random.percent(25)).then(|| Place::parse(random.pick(&PLACES)).unwrap());
    let kinds = [ConsentKind::General, ConsentKind::Separate, ConsentKind::Separate, ConsentKind::Written];
    let givers = [Giver::Subject, Giver::Subject, Giver::Guardian, Giver::Both, Giver::Both, Giver::Administrator];
    let day = 86_400_000;
    let consent = match random.below(100) {
        0..20 => Consent::NotAsked,
        20..25 => Consent::Outdated,
        25..30 => Consent::Refused,
        30..34 => Consent::Withdrawn,
        _ => Consent::Given {
            kind: kinds[random.below(kinds.len())],
            by: givers[random.below(givers.len())],
            until_ms: random.percent(30).then(|| NOW_MS + day * (i64::try_from(random.below(20)).unwrap() - 4)),
        },
    };
    Asked {
        purpose: format!("p{}", random.below(5)),
        born,
        place,
        notice_agreed: !random.percent(11),
        consent,
        restricted: random.percent(5),
        now_ms: NOW_MS + i64::try_from(random.below(1_000_000_000)).unwrap(),
    }
}
