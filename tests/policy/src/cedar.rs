//! A policy and the law packs as Cedar policies, entities and requests.

use std::fmt::Write as _;
use std::str::FromStr as _;

use cedar_policy::{Authorizer, Context, Decision, Entities, EntityUid, Policy, PolicyId, PolicySet, Request};
use menshen_policy::document::{Abroad, ConsentKind, Effect, Giver, Id, Place};
use menshen_policy::packs::{Demand, Then};
use menshen_policy::{AgeBand, Consent, Month, Verdict};
use serde_json::{Value, json};

use crate::naive::{World, ages};
use crate::random::Asked;

/// What Cedar says.
#[derive(Debug)]
pub struct Told {
    pub verdict: Verdict,
    pub asks_guardian: bool,
    /// Every rule that forbids, asks, asks a guardian, or asks for a stronger consent.
    pub spoke: Vec<String>,
}

/// One policy, translated.
pub struct Oracle {
    policies: PolicySet,
    entities: Entities,
    authorizer: Authorizer,
}

fn word<T: serde::Serialize>(value: &T) -> Value {
    serde_json::to_value(value).expect("a word")
}

fn words<T: serde::Serialize>(values: &[T]) -> String {
    serde_json::to_string(values).expect("words")
}

/// A name and everything that it is a part of.
fn with_ancestors(name: &Id) -> Vec<String> {
    let parts: Vec<&str> = name.as_str().split('.').collect();
    (1..=parts.len()).map(|count| parts[..count].join(".")).collect()
}

fn kind_number(kind: ConsentKind) -> i64 {
    match kind {
        ConsentKind::General => 0,
        ConsentKind::Separate => 1,
        _ => 2,
    }
}

fn giver_number(giver: Giver) -> i64 {
    match giver {
        Giver::Administrator => 0,
        Giver::Subject => 1,
        Giver::Guardian => 2,
        _ => 3,
    }
}

fn is_abroad(place: &Place, territory: &[Place]) -> bool {
    !territory.iter().any(|whole| place == whole || place.as_str().starts_with(&format!("{whole}-")))
}

/// Conditions joined by `&&`.
#[derive(Default)]
struct When(Vec<String>);

impl When {
    fn any<T: serde::Serialize>(&mut self, attribute: &str, values: &[T]) {
        if !values.is_empty() {
            self.0.push(format!("{attribute}.containsAny({})", words(values)));
        }
    }

    fn text(&self) -> String {
        if self.0.is_empty() { "true".to_owned() } else { self.0.join(" && ") }
    }
}

impl Oracle {
    pub fn new(world: &World<'_>) -> Self {
        let mut policies = PolicySet::new();
        let mut add = |name: String, effect: &str, action: &str, when: &str| {
            let text = format!("{effect}(principal, action == Action::\"{action}\", resource) when {{ {when} }};");
            let policy = Policy::parse(Some(PolicyId::new(&name)), &text).unwrap_or_else(|e| panic!("{text}: {e}"));
            policies.add(policy).expect("names differ");
        };
        let kinds = |kind: Option<ConsentKind>| kind.map_or(0, kind_number);
        let mut rule = |name: &str, action: &str, kind: i64, may: &str, surely: &str| {
            if !action.is_empty() {
                add(format!("{action}:{name}"), "permit", action, may);
            }
            if action == "forbid" {
                let on_duty = format!("({may}) && (context.basis != \"legal-duty\" || ({surely}))");
                add(format!("no-run:{name}"), "forbid", "run", &on_duty);
                add(format!("no-ask:{name}"), "forbid", "be-asked", may);
            }
            for strength in 1..=kind {
                add(format!("kind-{strength}:{name}"), "permit", &format!("kind-{strength}"), may);
            }
        };
        for (id, declared) in &world.document.rules {
            let when = &declared.when;
            let mut may = When::default();
            may.any("[resource.id]", &when.purposes);
            may.any("resource.uses", &when.uses);
            may.any("resource.categories", &when.categories);
            may.any("resource.recipients", &when.recipients);
            may.any("resource.recipientTypes", &when.recipient_types);
            may.any("context.bases", &when.legal_bases);
            may.any("context.mayBeIn", &when.jurisdictions);
            let mut surely = When::default();
            if !when.jurisdictions.is_empty() {
                surely.0.push("context has place".to_owned());
            }
            if let Some(age) = when.age_below {
                may.0.push(format!("(!(context has youngest) || context.youngest < {age})"));
                surely.0.push(format!("context has oldest && context.oldest < {age}"));
            }
            if let Some(age) = when.age_from {
                may.0.push(format!("(!(context has oldest) || context.oldest >= {age})"));
                surely.0.push(format!("context has youngest && context.youngest >= {age}"));
            }
            let action = match declared.effect {
                Effect::Deny => "forbid",
                Effect::Guardian => "guardian",
                _ => "ask",
            };
            rule(id.as_str(), action, kinds(declared.kind), &may.text(), &surely.text());
        }
        for pack in world.packs {
            for (id, law) in &pack.rules {
                let Demand::Needs { when, then, consent } = &law.demand else { continue };
                let mut may = When::default();
                may.any("context.packs", std::slice::from_ref(&pack.id));
                may.any("context.bases", &when.legal_bases);
                may.any("resource.uses", &when.uses);
                may.any("resource.categories", &when.categories);
                may.any("resource.recipientTypes", &when.recipient_types);
                if let Some(necessity) = when.necessity {
                    may.0.push(format!("resource.necessity == {}", word(&necessity)));
                }
                for (wanted, attribute) in [(when.sensitive, "isSensitive"), (when.special, "isSpecial")] {
                    if wanted {
                        may.0.push(format!("resource.{attribute}"));
                    }
                }
                if when.abroad {
                    may.any("resource.abroadFrom", std::slice::from_ref(&pack.id));
                }
                if let Some(age) = when.age_below {
                    let mut limit = String::new();
                    for (place, age) in &when.places {
                        write!(limit, "if context has place && context.place == \"{place}\" then {age} else ")
                            .expect("text");
                    }
                    may.0.push(format!("(!(context has youngest) || context.youngest < ({limit}{age}))"));
                }
                let action = match then {
                    Some(Then::Guardian) => "guardian",
                    Some(Then::Ask) => "ask",
                    _ => "",
                };
                rule(&format!("{}/{id}", pack.id), action, kinds(*consent), &may.text(), "");
            }
        }
        rule("abroad", "ask", 1, "resource.handsAbroad", "");
        let agreed = "context.noticeAgreed && !context.restricted";
        let rests_on_yes = "[\"consent\", \"instruction\"].contains(context.basis)";
        let given = "context.consent == \"given\" && context.inTime && context.kind >= context.kindNeeded \
                     && (if context.basis == \"instruction\" then context.by == 0 && !context.guardian \
                     else context.by >= (if context.guardian && resource.giver < 2 then 2 else resource.giver))";
        add("duty".to_owned(), "permit", "run", "context.basis == \"legal-duty\"");
        let freely = format!("{agreed} && !{rests_on_yes} && !context.guardian && !context.mustAsk");
        add("freely".to_owned(), "permit", "run", &freely);
        let by_yes = format!("{agreed} && {given} && ({rests_on_yes} || context.guardian || context.mustAsk)");
        add("by-yes".to_owned(), "permit", "run", &by_yes);
        let askable = format!(
            "{agreed} && context.basis != \"legal-duty\" && !(context.basis == \"instruction\" && context.guardian) \
             && ![\"refused\", \"withdrawn\"].contains(context.consent)"
        );
        add("askable".to_owned(), "permit", "be-asked", &askable);
        Self { policies, entities: entities(world), authorizer: Authorizer::new() }
    }

    /// The context of a question, before Cedar's own answers about asking are in it.
    pub fn context(world: &World<'_>, asked: &Asked, band: Option<AgeBand>) -> Value {
        let purpose = &world.document.purposes[asked.purpose.as_str()];
        let place = asked.place.as_ref();
        let (sure, maybe) = world.in_force(place);
        let (basis, bases) = world.bases(purpose, place);
        let covers = |pack: &&menshen_policy::packs::Pack| place.is_none_or(|place| !is_abroad(place, &pack.territory));
        let may_be_in: Vec<&Id> = world.packs.iter().filter(covers).map(|pack| &pack.id).collect();
        let adult = world.takes_unknown_as_adult(place);
        let mut context = json!({
            "noticeAgreed": asked.notice_agreed, "restricted": asked.restricted,
            "basis": word(&basis), "bases": word(&bases), "mayBeIn": word(&may_be_in),
            "packs": sure.iter().chain(&maybe).map(|pack| pack.id.as_str()).collect::<Vec<_>>(),
            "guardian": false, "mustAsk": false, "kindNeeded": 0, "inTime": false, "by": 0, "kind": 0
        });
        if let Some(place) = place {
            context["place"] = word(place);
        }
        if band.is_some() || adult {
            let (youngest, oldest) = ages(band, Month::at(asked.now_ms), adult);
            context["youngest"] = json!(youngest);
            context["oldest"] = json!(oldest);
        }
        context["consent"] = json!(match asked.consent {
            Consent::NotAsked => "not-asked",
            Consent::Outdated => "outdated",
            Consent::Refused => "refused",
            Consent::Withdrawn => "withdrawn",
            Consent::Given { .. } => "given",
        });
        if let Consent::Given { kind, by, until_ms } = asked.consent {
            context["kind"] = json!(kind_number(kind));
            context["by"] = json!(giver_number(by));
            context["inTime"] = json!(until_ms.is_none_or(|until| until > asked.now_ms));
        }
        context
    }

    pub fn decide(&self, world: &World<'_>, asked: &Asked, band: Option<AgeBand>) -> Told {
        let purpose = &world.document.purposes[asked.purpose.as_str()];
        let mut context = Self::context(world, asked, band);
        let is_on_duty = context["basis"] == "legal-duty";
        let mut spoke = Vec::new();
        let mut speaks = |action: &str, context: &Value| {
            let (is_allowed, rules) = self.ask(action, asked, context);
            spoke.extend(rules.into_iter().filter_map(|rule| Some(rule.split_once(':')?.1.to_owned())));
            is_allowed
        };
        speaks("forbid", &context);
        let asks_guardian = speaks("guardian", &context);
        let must_ask = speaks("ask", &context);
        let own = purpose.consent.as_ref().map_or(0, |terms| kind_number(terms.kind));
        let by_rule = (1..=2).rev().find(|kind| speaks(&format!("kind-{kind}"), &context)).unwrap_or(0);
        context["guardian"] = json!(asks_guardian);
        context["mustAsk"] = json!(must_ask);
        context["kindNeeded"] = json!(own.max(by_rule));
        let verdict = if self.ask("run", asked, &context).0 {
            Verdict::Allow
        } else if self.ask("be-asked", asked, &context).0 {
            Verdict::Ask
        } else {
            Verdict::Deny
        };
        let declared = purpose.consent.as_ref().map_or(Giver::Subject, |terms| terms.given_by);
        let asks_guardian = declared == Giver::Guardian || (asks_guardian && declared == Giver::Subject);
        Told { verdict, asks_guardian: asks_guardian && !is_on_duty, spoke }
    }

    /// One request, ready to be asked.
    pub fn request(action: &str, asked: &Asked, context: &Value) -> Request {
        let uid = |text: String| EntityUid::from_str(&text).expect("an entity");
        let context = Context::from_json_value(context.clone(), None).expect("a context");
        let (who, what) = (uid("Person::\"one\"".to_owned()), uid(format!("Purpose::\"{}\"", asked.purpose)));
        Request::new(who, uid(format!("Action::\"{action}\"")), what, context, None).expect("a request")
    }

    /// Whether Cedar allows it, and nothing else.
    pub fn is_allowed(&self, request: &Request) -> bool {
        self.authorizer.is_authorized(request, &self.policies, &self.entities).decision() == Decision::Allow
    }

    /// How many Cedar policies it has become.
    pub fn len(&self) -> usize {
        self.policies.num_of_policies()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn ask(&self, action: &str, asked: &Asked, context: &Value) -> (bool, Vec<String>) {
        let request = Self::request(action, asked, context);
        let response = self.authorizer.is_authorized(&request, &self.policies, &self.entities);
        let errors: Vec<String> = response.diagnostics().errors().map(ToString::to_string).collect();
        assert!(errors.is_empty(), "{errors:?}");
        let rules = response.diagnostics().reason().map(ToString::to_string).collect();
        (response.decision() == Decision::Allow, rules)
    }
}

/// The purposes with what is declared about them.
fn entities(world: &World<'_>) -> Entities {
    let document = world.document;
    let purposes = document.purposes.iter().map(|(id, purpose)| {
        let recipients = || purpose.recipients.iter().map(|id| &document.recipients[id]);
        let categories = || purpose.categories.iter().map(|id| &document.categories[id]);
        let places = || recipients().filter_map(|recipient| recipient.place.as_ref());
        let abroad_from: Vec<&Id> = world
            .packs
            .iter()
            .filter(|pack| places().any(|place| is_abroad(place, &pack.territory)))
            .map(|pack| &pack.id)
            .collect();
        let residency = document.residency.as_ref().filter(|residency| residency.abroad == Abroad::SeparateConsent);
        json!({ "uid": { "type": "Purpose", "id": id.as_str() }, "parents": [], "attrs": {
            "id": id.as_str(),
            "uses": with_ancestors(&purpose.data_use),
            "necessity": word(&purpose.necessity),
            "categories": purpose.categories.iter().flat_map(with_ancestors).collect::<Vec<_>>(),
            "recipients": word(&purpose.recipients),
            "recipientTypes": recipients().map(|recipient| word(&recipient.kind)).collect::<Vec<_>>(),
            "isSensitive": categories().any(|category| category.sensitive || category.special),
            "isSpecial": categories().any(|category| category.special),
            "abroadFrom": word(&abroad_from),
            "handsAbroad": residency.is_some_and(|r| places().any(|place| is_abroad(place, &r.stored_in))),
            "giver": purpose.consent.as_ref().map_or(1, |terms| giver_number(terms.given_by))
        } })
    });
    Entities::from_json_value(Value::Array(purposes.collect()), None).expect("entities")
}
