//! Step 1: twelve attempts before anything was agreed, each refused with its reason and clause.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use menshen::{Answer, Denial, Identifier, IdentifierAnswer, Outcome, Recorded, Session, Step, Trigger};

use super::events::fields_of;
use super::{Failure, Start, Story};

const UNDECLARED: &str = "the policy does not declare what is attempted";

/// One refused attempt.
struct Refused {
    kind: &'static str,
    what: String,
    /// The clause that declares what was attempted.
    declared: String,
    denial: Denial,
}

impl Story<'_> {
    pub(super) fn before_consent(&mut self) -> Result<(), Failure> {
        let sdk = self.app.analytics_sdk;
        let started = starts(&self.session, sdk)?;
        let refused = self.refused(&started)?;
        let (reads, dialogs) = (self.stage.platform.reads(), self.stage.platform.dialogs());
        let (starts_before, stored) =
            (started.load(Ordering::SeqCst), self.session.waiting_records(self.app.analytics)?);

        // The control: another person agrees, and the same counters count.
        let session = self.menshen.session("somebody who agreed")?;
        let control_starts = starts(&session, sdk)?;
        self.scripted(self.app.yes).go_through(session.first_launch()?)?;
        let handed = session.identifier(sdk, Identifier::AndroidId)?;
        let (control_reads, control_starts) =
            (self.stage.platform.reads() - reads, control_starts.load(Ordering::SeqCst));

        let report = &mut self.report;
        report.step(1, "before consent", &format!("{} attempts refused, each with its clause", refused.len()));
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        for Refused { kind, what, declared, .. } in &refused {
            report.note(&format!("{kind:<11} {what:<37} {declared}"));
            *kinds.entry(kind).or_default() += 1;
        }
        // A flow that ended at the notice names no clause of its own: it is the notice's.
        let notice = self.menshen.policy().document().notice.source.as_str();
        let reason =
            |one: &Refused| format!("{} ({})", one.denial.code, one.denial.source.as_deref().unwrap_or(notice));
        let reasons: BTreeSet<String> = refused.iter().map(reason).collect();
        report.note(&format!("the reason: {}", reasons.into_iter().collect::<Vec<_>>().join(", ")));
        report.note(&format!("{reads} reads of the platform, {starts_before} starts of {sdk}"));
        report.note(&format!(
            "(control: {control_reads} read and {control_starts} start once another person had agreed)"
        ));
        let two_of_each = kinds.len() == 4 && kinds.values().all(|count| *count >= 2);
        report.must(refused.len() == 12 && two_of_each, "12 attempts, at least two of each of 4 kinds, are refused");
        report.must(dialogs == 0 && stored == 0, "nothing is asked of the system or stored before consent");
        report.must(matches!(handed, IdentifierAnswer::Handed(_)), "an identifier is handed out after consent");
        report.figure("refused_before_consent", refused.len());
        report.zero("reads_before_consent", reads, control_reads, "by a person who had agreed");
        report.zero("starts_before_consent", starts_before, control_starts, "by a person who had agreed");
        Ok(())
    }

    /// Tries everything; what succeeds is missing in the list.
    fn refused(&self, started: &AtomicU64) -> Result<Vec<Refused>, Failure> {
        let (session, policy) = (&self.session, self.menshen.policy());
        let mut refused = Vec::new();
        let mut add = |kind, what, declared: &str, denial: Option<Denial>| {
            refused.extend(denial.map(|denial| Refused { kind, what, declared: declared.to_owned(), denial }));
        };
        for (recipient, identifier) in self.app.identifiers {
            let used = policy.recipient(recipient).and_then(|of| of.identifiers.get(identifier)).ok_or(UNDECLARED)?;
            let denial = match session.identifier(recipient, *identifier)? {
                IdentifierAnswer::Denied(denial) => Some(denial),
                IdentifierAnswer::Handed(_) => None,
            };
            add("identifier", format!("{} for {recipient}", identifier.id()), used.source.as_str(), denial);
        }
        for feature in self.app.features {
            let used = policy.feature(feature).ok_or(UNDECLARED)?;
            let (permission, of) = used.permissions.first_key_value().ok_or("the feature needs no permission")?;
            // Where the policy does not say why the permission is needed, the clause of the feature declares it.
            let declared = if of.source.as_str() == "not stated" { &used.source } else { &of.source };
            // The person closes the notice without agreeing.
            let denial = match session.request(feature, Trigger::App)?.drive(&mut |_: &Step| Answer::No)? {
                Outcome::Denied(denial) => Some(denial),
                _ => None,
            };
            add("permission", format!("{} for {feature}", permission.id()), declared.as_str(), denial);
        }
        for (event, purpose) in &self.app.events[..3] {
            let declared = policy.event(event).ok_or(UNDECLARED)?.source.as_str();
            let basis = serde_json::to_value(policy.purpose(purpose).map(|of| of.legal_basis))?;
            let denial = match session.record(event, fields_of(event, 0, "x"))? {
                Recorded::Denied(denial) => Some(denial),
                Recorded::Buffered | Recorded::Held => None,
            };
            add("event", format!("{event}, on {}", basis.as_str().unwrap_or_default()), declared, denial);
        }
        for (recipient, start) in self.app.starts {
            let declared = policy.recipient(recipient).ok_or(UNDECLARED)?.source.as_str();
            let (held, how) = match start {
                Start::Switch => (started.load(Ordering::SeqCst) == 0, "by its switch"),
                Start::ByApp => (session.note_sdk(recipient, true).is_err(), "by the app itself"),
            };
            let denial = session.why_not_start(recipient)?.filter(|_| held);
            add("SDK start", format!("{recipient}, {how}"), declared, denial);
        }
        Ok(refused)
    }
}

/// Puts a third-party SDK under its gate and counts its starts.
fn starts(session: &Session, recipient: &str) -> Result<Arc<AtomicU64>, Failure> {
    let starts = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&starts);
    session.when_allowed(recipient, move || _ = counter.fetch_add(1, Ordering::SeqCst), || {})?;
    Ok(starts)
}
