//! The types of a file of scenarios, and its strict reading.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use menshen::policy::document::Duration;
use menshen::{Permission, PermissionState, Trigger};
use serde_json::Value;

use super::text::{Node, Object, Read, Source, Wrong};
use crate::words::instead_of;

/// The scenarios of one file.
pub(crate) struct File {
    /// The policy that they are about.
    pub(crate) policy: PathBuf,
    pub(crate) scenarios: Vec<Scenario>,
}

/// One story.
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) line: usize,
    /// Why the library cannot play it yet.
    pub(crate) waiting: Option<String>,
    pub(crate) person: Person,
    /// When it begins, in milliseconds since 1970.
    pub(crate) start_ms: i64,
    pub(crate) steps: Vec<Step>,
}

/// Who holds the phone.
#[derive(Clone, Default)]
pub(crate) struct Person {
    /// The birth month, `2014-03`; without it the person walks away from the question.
    pub(crate) born: Option<String>,
    /// The residence, ISO 3166.
    pub(crate) place: Option<String>,
    pub(crate) locale: Option<String>,
    /// The prompts that are answered yes: `notice`, `changed-policy`, or a purpose. Everything else is a no.
    pub(crate) agrees: Vec<String>,
    /// What the person answers to the system's dialogs; everything else is refused there.
    pub(crate) system: BTreeMap<Permission, PermissionState>,
}

/// One step: what is done, and what must follow.
pub(crate) struct Step {
    pub(crate) line: usize,
    /// The step as it is written.
    pub(crate) text: String,
    pub(crate) action: Action,
    pub(crate) expected: Vec<(&'static str, Value)>,
}

/// How the prompts of one step are answered, where it is other than the person usually does.
#[derive(Default)]
pub(crate) struct Answers {
    pub(crate) agrees: Vec<String>,
    pub(crate) refuses: Vec<String>,
    /// The prompt before which the person, or the system, ends the app.
    pub(crate) leaves_at: Option<String>,
}

/// What is done.
pub(crate) enum Action {
    App(App),
    Request {
        feature: String,
        trigger: Trigger,
        answers: Answers,
    },
    Settings {
        purpose: String,
        answers: Answers,
    },
    IsAllowed {
        feature: String,
    },
    Record {
        event: String,
        fields: Vec<(String, Value)>,
        /// Of several times the last answer is told.
        times: u64,
    },
    Withdraw {
        purpose: String,
    },
    Advance {
        ms: u64,
    },
    SetClock {
        ms: i64,
    },
    Policy {
        policy: NewPolicy,
    },
    Check {
        policy: NewPolicy,
    },
    Permission {
        permission: Permission,
        state: PermissionState,
    },
    Upload {
        reply: Reply,
    },
    Identifier {
        identifier: String,
        recipient: String,
    },
    Start {
        recipient: String,
    },
    Supply {
        born: String,
        place: String,
    },
    SignIn {
        account: String,
    },
    Put {
        purpose: String,
        recipient: String,
        text: String,
        ttl_ms: u64,
    },
    Deliver {
        result: String,
    },
    Use {
        feature: String,
    },
    Due {
        right: String,
    },
    PolicySays {
        parts: Vec<(String, Value)>,
    },
    /// Known to the format, and not yet to the library.
    NotYet {
        verb: &'static str,
    },
}

/// What happens to the app as a whole.
pub(crate) enum App {
    Launches(Answers),
    ShowsChanges(Answers),
    Restarts,
    GoesOffline,
    GoesOnline,
    Tidies,
    SignsOut,
    Reads,
    StopsUsing,
}

/// Another version of the policy.
pub(crate) enum NewPolicy {
    /// Changes to the latest one, as a JSON merge patch (RFC 7386).
    Patch(Value),
    File(PathBuf),
}

/// What the receiver answers.
#[derive(Clone, Copy)]
pub(crate) enum Reply {
    Status(u16),
    /// The answer is lost on the way.
    Lost,
}

/// What can be expected of a step, in the order in which it is told.
pub(crate) const EXPECTATIONS: [&str; 19] = [
    "effect", "reason", "rule", "source", "remedy", "until", "text", "error", "errors", "prompts", "form", "day",
    "open", "running", "stored", "sent", "ledger", "receipts", "version",
];

/// What the library cannot do yet. A scenario with one of these is marked `waiting`.
const NOT_YET: [&str; 10] = [
    "right",
    "objects_to",
    "restricts",
    "guardian",
    "notice_arrives",
    "signal",
    "assures",
    "happens",
    "turns_off",
    "combines",
];

const VERBS: [&str; 31] = [
    "app",
    "request",
    "settings",
    "is_allowed",
    "record",
    "withdraw",
    "advance",
    "set_clock",
    "policy",
    "check",
    "permission",
    "upload",
    "identifier",
    "start",
    "supply",
    "sign_in",
    "put",
    "deliver",
    "use",
    "due",
    "policy_says",
    "right",
    "objects_to",
    "restricts",
    "guardian",
    "notice_arrives",
    "signal",
    "assures",
    "happens",
    "turns_off",
    "combines",
];

impl File {
    /// Reads a file of scenarios.
    pub(crate) fn parse(path: &Path, text: &str) -> Read<Self> {
        let beside = path.parent().unwrap_or(Path::new(""));
        let mut file = Source(text).root()?.object()?;
        let policy = beside.join(file.need("policy")?.string()?);
        let usual = file.take("person").map(person).transpose()?.unwrap_or_default();
        let scenarios = file.need("scenarios")?.items()?;
        file.finish()?;
        let scenarios = scenarios.into_iter().map(|node| scenario(node, &usual, beside)).collect::<Read<Vec<_>>>()?;
        for (at, one) in scenarios.iter().enumerate() {
            if scenarios.iter().take(at).any(|before| before.name == one.name) {
                let message = format!("another scenario of this file is called `{}`, too", one.name);
                return Err(Wrong { line: one.line, message });
            }
        }
        Ok(Self { policy, scenarios })
    }
}

fn scenario(node: Node<'_>, usual: &Person, beside: &Path) -> Read<Scenario> {
    let mut object = node.object()?;
    let name = object.need("scenario")?.string()?;
    let waiting = object.take_string("waiting")?;
    let person = object.take("person").map(person).transpose()?.unwrap_or_else(|| usual.clone());
    let start = object.take("start").map(moment).transpose()?;
    let steps = object.need("steps")?.items()?;
    object.finish()?;
    let steps = steps.into_iter().map(|node| step(node, beside)).collect::<Read<Vec<_>>>()?;
    if steps.is_empty() {
        return Err(node.wrong("a scenario without a step shows nothing"));
    }
    // 2026-06-01, 08:00 UTC.
    let start_ms = start.unwrap_or(1_780_300_800_000);
    Ok(Scenario { name, line: node.line(), waiting, person, start_ms, steps })
}

fn person(node: Node<'_>) -> Read<Person> {
    let mut object = node.object()?;
    let mut person = Person {
        born: object.take_string("born")?,
        place: object.take_string("in")?,
        locale: object.take_string("locale")?,
        agrees: object.take_strings("agrees")?,
        system: BTreeMap::new(),
    };
    for (id, state) in object.take("system").map(Node::members).transpose()?.unwrap_or_default() {
        person.system.insert(permission(&id, state)?, permission_state(state)?);
    }
    object.finish()?;
    Ok(person)
}

fn step(node: Node<'_>, beside: &Path) -> Read<Step> {
    let mut object = node.object()?;
    let mut verb = None;
    for name in VERBS {
        if let Some(found) = object.take(name) {
            if let Some((other, _)) = verb {
                return Err(found.wrong(format!("`{other}` and `{name}` are two steps; a step does one thing")));
            }
            verb = Some((name, found));
        }
    }
    let Some((verb, argument)) = verb else {
        let first = node.members()?.into_iter().next();
        let (key, at) = first.ok_or_else(|| node.wrong("an empty step does nothing"))?;
        return Err(at.wrong(format!("`{key}` is not a step; {}", instead_of(&key, VERBS))));
    };
    object.forget_asked();
    let action = action(verb, argument, &mut object, beside)?;
    let mut expected = Vec::new();
    for key in EXPECTATIONS {
        if let Some(value) = object.take(key) {
            expected.push((key, value.value()?));
        }
    }
    object.finish()?;
    Ok(Step { line: node.line(), text: node.in_one_line(), action, expected })
}

fn action(verb: &'static str, argument: Node<'_>, object: &mut Object<'_>, beside: &Path) -> Read<Action> {
    Ok(match verb {
        "app" => Action::App(app(argument, object)?),
        "request" => {
            let trigger = match object.take("by").map(|by| Ok((by, by.string()?))).transpose()? {
                None => Trigger::Tap,
                Some((by, word)) => match word.as_str() {
                    "tap" => Trigger::Tap,
                    "app" => Trigger::App,
                    other => return Err(unknown(by, other, &["tap", "app"])),
                },
            };
            Action::Request { feature: argument.string()?, trigger, answers: answers(object)? }
        }
        "settings" => Action::Settings { purpose: argument.string()?, answers: answers(object)? },
        "is_allowed" => Action::IsAllowed { feature: argument.string()? },
        "record" => {
            let fields = object.take("fields").map(Node::members).transpose()?.unwrap_or_default();
            let fields = fields.into_iter().map(|(name, node)| Ok((name, node.value()?))).collect::<Read<_>>()?;
            let times = object.take("times").map(Node::number).transpose()?.unwrap_or(1).max(1);
            Action::Record { event: argument.string()?, fields, times }
        }
        "withdraw" => Action::Withdraw { purpose: argument.string()? },
        "advance" => Action::Advance { ms: duration(argument)? },
        "set_clock" => Action::SetClock { ms: moment(argument)? },
        "policy" => Action::Policy { policy: new_policy(argument, beside)? },
        "check" => Action::Check { policy: new_policy(argument, beside)? },
        "permission" => Action::Permission {
            permission: permission(&argument.string()?, argument)?,
            state: permission_state(object.need("state")?)?,
        },
        "upload" => Action::Upload { reply: reply(argument)? },
        "identifier" => Action::Identifier { identifier: argument.string()?, recipient: object.need("to")?.string()? },
        "start" => Action::Start { recipient: argument.string()? },
        "supply" => {
            let mut subject = argument.object()?;
            let (born, place) = (subject.need("born")?.string()?, subject.need("in")?.string()?);
            subject.finish()?;
            Action::Supply { born, place }
        }
        "sign_in" => Action::SignIn { account: argument.string()? },
        "put" => Action::Put {
            purpose: argument.string()?,
            recipient: object.need("to")?.string()?,
            text: object.need("bytes")?.string()?,
            ttl_ms: duration(object.need("for")?)?,
        },
        "deliver" => {
            let word = argument.string()?;
            const RESULTS: [&str; 3] = ["delivered", "refused", "later"];
            if !RESULTS.contains(&word.as_str()) {
                return Err(unknown(argument, &word, &RESULTS));
            }
            Action::Deliver { result: word }
        }
        "use" => Action::Use { feature: argument.string()? },
        "due" => Action::Due { right: argument.string()? },
        "policy_says" => {
            let parts = argument.members()?.into_iter();
            let parts = parts.map(|(part, node)| Ok((part, node.value()?))).collect::<Read<Vec<_>>>()?;
            if parts.is_empty() {
                return Err(argument.wrong("names nothing that the policy says"));
            }
            Action::PolicySays { parts }
        }
        verb => {
            // Whatever such a step will need later.
            for key in ["by", "to", "fields", "of"] {
                object.take(key);
            }
            debug_assert!(NOT_YET.contains(&verb));
            Action::NotYet { verb }
        }
    })
}

fn app(argument: Node<'_>, object: &mut Object<'_>) -> Read<App> {
    let word = argument.string()?;
    Ok(match word.as_str() {
        "launches" => App::Launches(answers(object)?),
        "shows-changes" => App::ShowsChanges(answers(object)?),
        "restarts" => App::Restarts,
        "goes-offline" => App::GoesOffline,
        "goes-online" => App::GoesOnline,
        "tidies" => App::Tidies,
        "signs-out" => App::SignsOut,
        "reads" => App::Reads,
        "stops-using" => App::StopsUsing,
        other => {
            let words = [
                "launches",
                "shows-changes",
                "restarts",
                "goes-offline",
                "goes-online",
                "tidies",
                "signs-out",
                "reads",
                "stops-using",
            ];
            return Err(unknown(argument, other, &words));
        }
    })
}

fn answers(object: &mut Object<'_>) -> Read<Answers> {
    Ok(Answers {
        agrees: object.take_strings("agrees")?,
        refuses: object.take_strings("refuses")?,
        leaves_at: object.take_string("leaves_at")?,
    })
}

fn new_policy(node: Node<'_>, beside: &Path) -> Read<NewPolicy> {
    Ok(match node.value()? {
        Value::String(file) => NewPolicy::File(beside.join(file)),
        patch @ Value::Object(_) => NewPolicy::Patch(patch),
        _ => return Err(node.wrong("expected a file, or changes to the policy as an object")),
    })
}

fn reply(node: Node<'_>) -> Read<Reply> {
    match node.value()? {
        Value::String(word) if word == "lost" => Ok(Reply::Lost),
        Value::Number(_) => {
            let status = u16::try_from(node.number()?).ok().filter(|status| (100..600).contains(status));
            status.map(Reply::Status).ok_or_else(|| node.wrong("a status is a number from 100 to 599"))
        }
        _ => Err(node.wrong("expected a status, such as 200, or `lost`")),
    }
}

/// A duration as policies write it, in milliseconds.
fn duration(node: Node<'_>) -> Read<u64> {
    let text = node.string()?;
    let parsed = Duration::parse(&text).map(|duration| duration.seconds().saturating_mul(1000));
    parsed.map_err(|_| node.wrong(format!("`{text}` is not a duration such as `P2D` or `PT48H`, of ten years at most")))
}

/// A moment, in milliseconds since 1970.
fn moment(node: Node<'_>) -> Read<i64> {
    let text = node.string()?;
    let parsed: Option<Timestamp> = text.parse().ok();
    let wrong = || node.wrong(format!("`{text}` is not a moment such as `2026-06-01T08:00:00Z`"));
    parsed.map(Timestamp::as_millisecond).ok_or_else(wrong)
}

fn permission(id: &str, node: Node<'_>) -> Read<Permission> {
    Permission::from_id(id).ok_or_else(|| node.wrong(format!("`{id}` is not a system permission")))
}

fn permission_state(node: Node<'_>) -> Read<PermissionState> {
    let word = node.string()?;
    Ok(match word.as_str() {
        "not-asked" => PermissionState::NotAsked,
        "granted" => PermissionState::Granted,
        "limited" => PermissionState::Limited,
        "denied" => PermissionState::Denied,
        "blocked" => PermissionState::Blocked,
        other => return Err(unknown(node, other, &["not-asked", "granted", "limited", "denied", "blocked"])),
    })
}

fn unknown(node: Node<'_>, word: &str, known: &[&str]) -> Wrong {
    node.wrong(format!("`{word}` is not a value here; {}", instead_of(word, known.iter().copied())))
}
