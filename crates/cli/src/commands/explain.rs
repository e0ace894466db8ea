//! `menshen explain`: what a policy decides for a person, with every rule that spoke.

mod answer;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use jiff::civil::Date;
use jiff::tz::Offset;
use menshen::Policy;
use menshen::policy::document::{Giver, Id, Place};
use menshen::policy::{AgeBand, Consent, Month, PurposeId, Question, RulesInForce};

use crate::arguments::{month, place};
use crate::failure::{Failure, Result};
use crate::output;
use crate::policy_file::PolicyFile;
use crate::words::instead_of;

/// Explain a decision about a feature, a purpose or an event, with every rule that speaks
///
/// The first line is the decision and how long it holds by itself. Below it is every rule of the policy and of the law
/// packs in force that speaks, the strictest first, each with its clause or law; the last one of a purpose is what makes
/// it lawful. What is not told is unknown: a child, and every place at once. Nobody was asked yet, unless an answer is
/// given.
#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Explain {
    /// The policy document; `-` stands for standard input
    policy: PathBuf,
    #[command(flatten)]
    about: About,
    /// The month of the person's birth, such as 2014-03
    #[arg(long, value_name = "YYYY-MM", value_parser = month)]
    born: Option<Month>,
    /// Where the person lives: a country (ISO 3166-1), or a part of one, such as US-CA
    #[arg(long = "in", value_name = "PLACE", value_parser = place)]
    place: Option<Place>,
    /// The day to decide for, such as 2026-12-01; today without it
    #[arg(long, value_name = "DATE", value_parser = day)]
    on: Option<Date>,
    /// What was answered to each of the purposes
    #[arg(long, value_enum, value_name = "ANSWER")]
    answered: Option<Answered>,
    /// Who answered
    #[arg(long, value_enum, default_value_t = By::Subject, value_name = "WHO", requires = "answered")]
    by: By,
    /// The person objected to each of the purposes
    #[arg(long)]
    objected: bool,
    /// The notice was not agreed yet
    #[arg(long)]
    before_notice: bool,
    /// How to write the answer
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    format: Format,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct About {
    /// A feature: all of its purposes
    #[arg(long, value_name = "ID")]
    feature: Option<String>,
    /// A purpose
    #[arg(long, value_name = "ID")]
    purpose: Option<String>,
    /// An event: its purpose
    #[arg(long, value_name = "NAME")]
    event: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  menshen explain policy.json --feature share-location --born 2014-03 --in DE
  menshen explain policy.json --purpose ads --born 1990-01 --in CN --answered yes
  menshen explain policy.json --event call_ended --in US-CA --on 2027-01-01

Exit codes: 0 whatever the decision is, 2 the policy is wrong or has no such feature, purpose or event.";

#[derive(Clone, Copy, ValueEnum)]
enum Answered {
    /// In the kind of consent that is asked for
    Yes,
    No,
    /// Yes once, taken back
    Withdrawn,
}

#[derive(Clone, Copy, ValueEnum)]
enum By {
    /// The person
    Subject,
    Guardian,
    /// The person and a guardian
    Both,
    /// Of a customer, for business data
    Administrator,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// What is asked about: how it is called, and the purposes behind it.
struct Subject<'a> {
    kind: &'static str,
    id: &'a str,
    purposes: Vec<(PurposeId, &'a Id)>,
    permissions: Vec<&'static str>,
}

/// The circumstances: everything of a question but the purpose.
struct Circumstances {
    born: Option<Month>,
    place: Option<Place>,
    day: Date,
    now_ms: i64,
    answered: Option<(Answered, Giver)>,
    objected: bool,
    before_notice: bool,
}

impl Explain {
    pub(crate) fn run(self) -> Result {
        let policy = PolicyFile::read(&self.policy)?.checked()?;
        let subject = self.about.find(&policy)?;
        let day = self.on.unwrap_or_else(|| Offset::UTC.to_datetime(jiff::Timestamp::now()).date());
        let start = Offset::UTC.to_timestamp(day.at(0, 0, 0, 0));
        let start = start.map_err(|error| Failure::new(format!("`{day}` is no day: {error}")))?;
        let by = match self.by {
            By::Subject => Giver::Subject,
            By::Guardian => Giver::Guardian,
            By::Both => Giver::Both,
            By::Administrator => Giver::Administrator,
        };
        let circumstances = Circumstances {
            born: self.born,
            place: self.place,
            day,
            now_ms: start.as_millisecond(),
            answered: self.answered.map(|answer| (answer, by)),
            objected: self.objected,
            before_notice: self.before_notice,
        };
        let answer = answer::Answer::of(&policy, &subject, &circumstances);
        output::print(&match self.format {
            Format::Text => answer.text(),
            Format::Json => answer.json(),
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

impl About {
    fn find<'a>(&'a self, policy: &'a Policy) -> Result<Subject<'a>> {
        let document = policy.document();
        let purposes = |ids: &mut dyn Iterator<Item = &'a Id>| {
            ids.filter_map(|id| Some((policy.purpose_id(id.as_str())?, id))).collect::<Vec<_>>()
        };
        let missing = |kind, id: &str, there_are: Vec<&str>| {
            Failure::new(format!("the policy has no {kind} `{id}`; {}", instead_of(id, there_are)))
        };
        if let Some(id) = &self.feature {
            let names = || document.features.keys().map(Id::as_str).collect();
            let feature = policy.feature(id).ok_or_else(|| missing("feature", id, names()))?;
            let permissions = feature.permissions.keys().map(|permission| permission.id()).collect();
            return Ok(Subject { kind: "feature", id, purposes: purposes(&mut feature.purposes.iter()), permissions });
        }
        if let Some(id) = &self.event {
            let names = || document.events.keys().map(Id::as_str).collect();
            let event = policy.event(id).ok_or_else(|| missing("event", id, names()))?;
            let purposes = purposes(&mut std::iter::once(&event.purpose));
            return Ok(Subject { kind: "event", id, purposes, permissions: Vec::new() });
        }
        let id = self.purpose.as_deref().unwrap_or_default();
        let names = || document.purposes.keys().map(Id::as_str).collect();
        let (known, _) = document.purposes.get_key_value(id).ok_or_else(|| missing("purpose", id, names()))?;
        let purposes = purposes(&mut std::iter::once(known));
        Ok(Subject { kind: "purpose", id, purposes, permissions: Vec::new() })
    }
}

impl Circumstances {
    /// The question about one purpose.
    fn question(&self, policy: &Policy, rules: &RulesInForce, purpose: PurposeId, id: &Id) -> Question {
        let age = self.born.map(|born| AgeBand::of(born, Month::at(self.now_ms), policy.thresholds()));
        let unasked = Question {
            purpose,
            age,
            notice_agreed: !self.before_notice,
            consent: Consent::NotAsked,
            restricted: self.objected,
            now_ms: self.now_ms,
        };
        let consent = match self.answered {
            None => Consent::NotAsked,
            Some((Answered::No, _)) => Consent::Refused,
            Some((Answered::Withdrawn, _)) => Consent::Withdrawn,
            Some((Answered::Yes, by)) => {
                let terms = policy.purpose(id.as_str()).and_then(|purpose| purpose.consent.as_ref());
                let valid_ms = terms
                    .and_then(|terms| terms.valid_for.as_ref())
                    .and_then(|valid| i64::try_from(valid.seconds()).ok()?.checked_mul(1000));
                let until_ms = valid_ms.and_then(|valid| self.now_ms.checked_add(valid));
                Consent::Given { kind: rules.decide(&unasked).kind, by, until_ms }
            }
        };
        Question { consent, ..unasked }
    }
}

fn day(text: &str) -> std::result::Result<Date, String> {
    match text.parse::<Date>() {
        Ok(day) if (1970..=2200).contains(&day.year()) => Ok(day),
        _ => Err("expected a day such as 2026-12-01, between 1970 and 2200".to_owned()),
    }
}
