//! The answer of `menshen explain`: what is decided, and every rule that speaks, as text and as JSON.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::Offset;
use menshen::Policy;
use menshen::policy::document::{Effect, Giver, Id, LegalBasis, SubjectMode};
use menshen::policy::{
    AgeBand, Decision, Identity, Missing, Month, Question, Reason, RuleThatSpeaks, RulesInForce, Verdict,
};
use serde_json::{Value, json};

use super::{Circumstances, Subject};
use crate::output::{BAD, FAINT, GOOD, NOTE, styled};
use crate::words::{article, word};

pub(super) struct Answer<'a> {
    subject: &'a Subject<'a>,
    circumstances: &'a Circumstances,
    identity: Identity,
    mode: SubjectMode,
    verdict: Verdict,
    missing: Missing,
    until: Option<Until>,
    purposes: Vec<PurposeAnswer<'a>>,
}

/// When an answer may change by itself, and why.
struct Until {
    ms: i64,
    why: String,
}

struct PurposeAnswer<'a> {
    id: &'a Id,
    verdict: Verdict,
    asked: Giver,
    kind: String,
    lines: Vec<Line>,
}

/// One rule that speaks.
struct Line {
    /// `deny`, `guardian`, `ask`, `allow`, or the kind of consent that it raises a question to.
    does: String,
    /// The rule, as pack and rule or as an id of the policy.
    rule: String,
    /// Under which condition, or from what.
    why: String,
    /// The clause and the law.
    source: String,
    /// Whether it speaks for certain.
    certain: bool,
    /// How strict it is, for the order.
    rank: u8,
}

impl<'a> Answer<'a> {
    pub(super) fn of(policy: &'a Policy, subject: &'a Subject<'a>, circumstances: &'a Circumstances) -> Self {
        let rules = policy.rules_in_force(circumstances.place.as_ref());
        let mut answer = Self {
            subject,
            circumstances,
            identity: (**rules.identity()).clone(),
            mode: policy.document().subject.age_and_place,
            verdict: Verdict::Allow,
            missing: Missing::default(),
            until: None,
            purposes: Vec::new(),
        };
        for (purpose, id) in &subject.purposes {
            let question = circumstances.question(policy, &rules, *purpose, id);
            let decision = rules.decide(&question);
            answer.verdict = answer.verdict.max(decision.verdict);
            answer.missing.age |= decision.missing.age;
            answer.missing.place |= decision.missing.place;
            answer.missing.decisive |= decision.missing.decisive;
            if let Some(ms) = decision.valid_until_ms
                && answer.until.as_ref().is_none_or(|until| ms < until.ms)
            {
                answer.until = Some(Until { ms, why: circumstances.why_then(question.age, ms) });
            }
            let maker = Lines { policy, rules: &rules, circumstances, question: &question, decision: &decision, id };
            answer.purposes.push(PurposeAnswer {
                id,
                verdict: decision.verdict,
                asked: decision.asked,
                kind: word(&decision.kind),
                lines: maker.make(),
            });
        }
        answer
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let lines = || self.purposes.iter().flat_map(|purpose| &purpose.lines);
        let width = |cell: fn(&Line) -> &str| lines().map(|line| cell(line).chars().count()).max().unwrap_or(0);
        let widths = [width(|line| &line.does), width(|line| &line.rule), width(|line| &line.why)];
        let indent = 6;
        let table = indent + widths.iter().sum::<usize>() + 2 * 3;
        let heading = format!("{}  {}", verdict_word(self.verdict), self.subject.id);
        let until = self.until.as_ref().map(|until| format!("until {}", until.why)).unwrap_or_default();
        let gap = if until.is_empty() { 0 } else { table.saturating_sub(heading.chars().count()).max(2) };
        let verdict = styled(style(self.verdict), verdict_word(self.verdict));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{verdict}  {}{}{until}", self.subject.id, " ".repeat(gap));
        for purpose in &self.purposes {
            if self.purposes.len() > 1 || self.subject.kind == "event" {
                let _ = writeln!(text, "  {}  {}", verdict_word(purpose.verdict), purpose.id);
            }
            for line in &purpose.lines {
                let [does, rule, why] = widths;
                let row = format!(
                    "{}{:does$}  {:rule$}  {:why$}  {}",
                    " ".repeat(indent),
                    line.does,
                    line.rule,
                    line.why,
                    line.source
                );
                let _ = writeln!(text, "{}", row.trim_end());
            }
            if purpose.verdict == Verdict::Ask {
                let whom = match purpose.asked {
                    Giver::Guardian => "a guardian is",
                    Giver::Both => "the person and a guardian are",
                    Giver::Administrator => "the customer's administrator is",
                    _ => "the person is",
                };
                let _ = writeln!(text, "      {whom} asked, kind of consent: {}", purpose.kind);
            }
        }
        if !self.subject.permissions.is_empty() {
            let permissions = self.subject.permissions.join(", ");
            let _ = writeln!(
                text,
                "      and the system permission for {permissions}, asked after the purposes are allowed"
            );
        }
        if let Some(unknown) = self.unknown() {
            let _ = writeln!(text, "      {unknown}");
        }
        let _ = writeln!(text, "{}", styled(FAINT, &self.under()));
        text
    }

    /// What the decision would like to know.
    fn unknown(&self) -> Option<String> {
        let what = match (self.missing.age, self.missing.place) {
            (true, true) => "the age and the place are",
            (true, false) => "the age is",
            (false, true) => "the place is",
            (false, false) => return None,
        };
        let then = match (self.missing.decisive, self.mode) {
            (false, _) => "the answer is the same whatever they are",
            (true, SubjectMode::Supplied) => "the app is to supply what is missing, and the answer may be another then",
            (true, _) => "the person is asked first, and the answer may be another then",
        };
        Some(format!("{what} unknown; {then}"))
    }

    fn under(&self) -> String {
        let Identity { policy_id, policy_version, law_packs, .. } = &self.identity;
        let packs: Vec<String> = law_packs.iter().map(|pack| format!("{} of {}", pack.id, pack.as_of)).collect();
        let packs = if packs.is_empty() { "no law pack".to_owned() } else { format!("law packs {}", packs.join(", ")) };
        format!("{policy_id} {policy_version} with {packs}, decided for {}", self.circumstances.day)
    }

    pub(super) fn json(&self) -> String {
        let purposes = self.purposes.iter().map(|purpose| {
            let rules = purpose.lines.iter().map(|line| {
                json!({
                    "does": line.does,
                    "rule": line.rule,
                    "why": line.why,
                    "source": line.source,
                    "certain": line.certain,
                })
            });
            json!({
                "purpose": purpose.id,
                "verdict": verdict_word(purpose.verdict),
                "asked": (purpose.verdict == Verdict::Ask).then_some(word(&purpose.asked)),
                "kind": (purpose.verdict == Verdict::Ask).then_some(&purpose.kind),
                "rules": rules.collect::<Vec<Value>>(),
            })
        });
        let answer = json!({
            "format": "menshen/explain/0",
            "about": { self.subject.kind: self.subject.id },
            "decided_for": self.circumstances.day.to_string(),
            "verdict": verdict_word(self.verdict),
            "valid_until": self.until.as_ref().map(|until| date(until.ms)),
            "unknown": {
                "age": self.missing.age,
                "place": self.missing.place,
                "decisive": self.missing.decisive,
            },
            "permissions": self.subject.permissions,
            "purposes": purposes.collect::<Vec<Value>>(),
            "identity": self.identity,
        });
        format!("{answer:#}\n")
    }
}

/// Makes the lines of one purpose.
struct Lines<'a> {
    policy: &'a Policy,
    rules: &'a RulesInForce,
    circumstances: &'a Circumstances,
    question: &'a Question,
    decision: &'a Decision<'a>,
    id: &'a Id,
}

impl Lines<'_> {
    fn make(&self) -> Vec<Line> {
        let mut lines: Vec<Line> = self.rules.rules_that_speak(self.question).map(|rule| self.of_rule(&rule)).collect();
        if !self.question.notice_agreed {
            lines.push(self.of_reason("deny", Reason::NoticeNotAgreed, "the notice was not agreed"));
        }
        if self.question.restricted {
            lines.push(self.of_reason("deny", Reason::Restricted, "the person objected"));
        }
        lines.push(self.of_basis());
        lines.sort_by_key(|line| line.rank);
        lines
    }

    fn of_rule(&self, rule: &RuleThatSpeaks) -> Line {
        let does = match (rule.effect, rule.kind) {
            (Some(effect), _) => word(&effect),
            (None, kind) => kind.map(|kind| word(&kind)).unwrap_or_default(),
        };
        let rank = match rule.effect {
            Some(Effect::Deny) => 0,
            Some(Effect::Guardian) => 1,
            Some(Effect::Ask) => 2,
            _ => 3,
        };
        let explanation = self.policy.explain(rule.reason, Some(self.question.purpose));
        let name = match (rule.reason, explanation.pack, explanation.rule) {
            (Reason::Abroad, _, _) => "residency".to_owned(),
            (_, Some(pack), Some(rule)) => format!("{pack}/{rule}"),
            (_, _, rule) => rule.map(ToString::to_string).unwrap_or_default(),
        };
        let source = explanation.source.unwrap_or_default().to_owned();
        Line { does, rule: name, why: self.condition(rule), source, certain: rule.certain, rank }
    }

    /// The condition under which a rule speaks, with the age that meets it.
    fn condition(&self, rule: &RuleThatSpeaks) -> String {
        let age = self.circumstances.born.map(|born| {
            let every_year: Vec<u8> = (0..=150).collect();
            AgeBand::of(born, Month::at(self.circumstances.now_ms), &every_year).from
        });
        let age_is = match (rule.age_from, rule.age_below, age) {
            (None, None, _) => None,
            (None, Some(below), Some(age)) => Some(format!("age {age} < {below}")),
            (Some(from), None, Some(age)) => Some(format!("age {age} ≥ {from}")),
            (Some(from), Some(below), Some(age)) => Some(format!("{from} ≤ age {age} < {below}")),
            (None, Some(below), None) => Some(format!("age unknown, < {below}")),
            (Some(from), None, None) => Some(format!("age unknown, ≥ {from}")),
            (Some(from), Some(below), None) => Some(format!("age unknown, {from} to {}", below.saturating_sub(1))),
        };
        // What is not certain although the age is known, or does not matter, rests on the place.
        let place_is_open = !rule.certain && self.circumstances.place.is_none();
        let place_is = place_is_open.then(|| "place unknown".to_owned());
        let kind_only = rule.effect.is_none().then(|| "consent, where it is asked".to_owned());
        [kind_only, age_is, place_is].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// A line about the purpose, or the notice, as a whole.
    fn of_reason(&self, does: &str, reason: Reason, why: &str) -> Line {
        let explanation = self.policy.explain(reason, Some(self.question.purpose));
        let rule = explanation.rule.map_or_else(|| "notice".to_owned(), ToString::to_string);
        let source = explanation.source.unwrap_or_default().to_owned();
        Line { does: does.to_owned(), rule, why: why.to_owned(), source, certain: true, rank: 0 }
    }

    /// What makes the purpose lawful, and how that stands.
    fn of_basis(&self) -> Line {
        let basis = self.rules.basis(self.question.purpose).unwrap_or(LegalBasis::Consent);
        let asks = matches!(basis, LegalBasis::Consent | LegalBasis::Instruction)
            || self.decision.reasons.iter().any(|reason| consent_stands(reason).is_some());
        let (does, state) = match (asks, self.decision.reasons.iter().find_map(consent_stands)) {
            (false, _) => ("allow", String::new()),
            (true, Some((does, state))) => (does, state.to_owned()),
            (true, None) => self.as_answered(),
        };
        let articles = self.decision.identity.law_packs.iter().filter_map(|pack| article(basis, &pack.id));
        let clause = self.policy.purpose(self.id.as_str()).map(|purpose| purpose.source.to_string());
        let basis = word(&basis).replace('-', " ");
        Line {
            does: does.to_owned(),
            rule: self.id.to_string(),
            why: if state.is_empty() { basis } else { format!("{basis}: {state}") },
            source: clause.into_iter().chain(articles.map(str::to_owned)).collect::<Vec<_>>().join(" · "),
            certain: true,
            rank: 4,
        }
    }

    /// How the consent stands where the decision does not rest on it.
    fn as_answered(&self) -> (&'static str, String) {
        use super::Answered;
        let (does, state) = match self.circumstances.answered {
            None => ("ask", "not asked"),
            Some((Answered::Yes, _)) => ("allow", "given"),
            Some((Answered::No, _)) => ("deny", "refused"),
            Some((Answered::Withdrawn, _)) => ("deny", "withdrawn"),
        };
        (does, state.to_owned())
    }
}

/// What a reason says about the consent, if it speaks of it.
fn consent_stands(reason: Reason) -> Option<(&'static str, &'static str)> {
    Some(match reason {
        Reason::ConsentNotAsked => ("ask", "not asked"),
        Reason::AssuranceNeeded => ("ask", "no administrator assured it"),
        Reason::ConsentExpired => ("ask", "its time is over"),
        Reason::ConsentOutdated => ("ask", "given to narrower terms"),
        Reason::ConsentTooWeak => ("ask", "by somebody else, or of a weaker kind"),
        Reason::ConsentRefused => ("deny", "refused"),
        Reason::ConsentWithdrawn => ("deny", "withdrawn"),
        Reason::ConsentGiven => ("allow", "given"),
        Reason::ConsentByGuardian => ("allow", "given by a guardian; the person is asked at next use"),
        Reason::Instruction => ("allow", "an administrator assured it"),
        _ => return None,
    })
}

impl Circumstances {
    /// What happens at a moment when an answer may change: a birthday, or the end of a consent.
    fn why_then(&self, age: Option<AgeBand>, ms: i64) -> String {
        let month = Month::at(ms);
        if let Some(band) = age
            && band.next_change(Month::at(self.now_ms)) == Some(month)
            && month.start_ms() == ms
        {
            return format!("{month}, when the person is surely {}", band.at_least(month));
        }
        format!("{}, when the consent ends", date(ms))
    }
}

/// A moment as a day, or as day and time if it is not midnight; UTC.
fn date(ms: i64) -> String {
    let Ok(moment) = Timestamp::from_millisecond(ms) else { return String::new() };
    if ms.rem_euclid(86_400_000) == 0 { Offset::UTC.to_datetime(moment).date().to_string() } else { moment.to_string() }
}

fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allow => "allow",
        Verdict::Ask => "ask",
        Verdict::Deny => "deny",
    }
}

fn style(verdict: Verdict) -> anstyle::Style {
    match verdict {
        Verdict::Allow => GOOD,
        Verdict::Ask => NOTE,
        Verdict::Deny => BAD,
    }
}
