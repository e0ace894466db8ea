//! Step 1: twelve attempts before anything was agreed, each refused with its reason and clause.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use menshen::{Answer, Denial, Identifier, IdentifierAnswer, Outcome, Recorded, Session, Step, Trigger};

use super::events::fields_of;
use super::{Failure, Start, Story};

/// Counts the starts of a third-party SDK.
struct Sdk {
    starts: Arc<AtomicU64>,
}

impl Sdk {
    fn under_its_gate(session: &Session, recipient: &str) -> Result<Self, Failure> {
        let starts = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&starts);
        session.when_allowed(recipient, move || _ = counter.fetch_add(1, Ordering::SeqCst), || {})?;
        Ok(Self { starts })
    }

    fn starts(&self) -> u64 {
        self.starts.load(Ordering::SeqCst)
    }
}

/// One refused attempt.
struct Refused {
    kind: &'static str,
    what: String,
    /// The clause that declares what was attempted.
    declared: String,
    code: &'static str,
    /// The clause of the refusal.
    source: String,
}

impl Story<'_> {
    pub(super) fn before_consent(&mut self) -> Result<(), Failure> {
        let sdk = Sdk::under_its_gate(&self.session, self.app.analytics_sdk)?;
        let mut refused = self.identifiers_refused()?;
        refused.extend(self.permissions_refused()?);
        refused.extend(self.events_refused()?);
        refused.extend(self.starts_refused(&sdk)?);
        let (reads, dialogs, starts) = (self.stage.platform.reads(), self.stage.platform.dialogs(), sdk.starts());
        let stored = self.session.waiting_records(self.app.analytics)?;

        // The control: another person agrees, and the same counters count.
        let session = self.menshen.session("somebody who agreed")?;
        let control = Sdk::under_its_gate(&session, self.app.analytics_sdk)?;
        self.scripted(self.app.yes).go_through(session.first_launch()?)?;
        let handed = session.identifier(self.app.analytics_sdk, Identifier::AndroidId)?;
        let control_reads = self.stage.platform.reads() - reads;

        let report = &mut self.report;
        report.step(1, "before consent", &format!("{} attempts refused, each with its clause", refused.len()));
        for attempt in &refused {
            report.note(&format!("{:<11} {:<37} {}", attempt.kind, attempt.what, attempt.declared));
        }
        let reasons: BTreeSet<String> = refused.iter().map(|one| format!("{} ({})", one.code, one.source)).collect();
        report.note(&format!("the reason: {}", reasons.into_iter().collect::<Vec<_>>().join(", ")));
        report.note(&format!("{reads} reads of the platform, {starts} starts of {}", self.app.analytics_sdk));
        report.note(&format!(
            "(control: {control_reads} read and {} start once another person had agreed)",
            control.starts()
        ));
        let kinds: BTreeSet<&str> = refused.iter().map(|one| one.kind).collect();
        let two_of_each = kinds.iter().all(|kind| refused.iter().filter(|one| one.kind == *kind).count() >= 2);
        report.must(refused.len() == 12 && kinds.len() == 4 && two_of_each, "12 attempts of 4 kinds are refused");
        report.must(refused.iter().all(|one| !one.source.is_empty()), "every refusal cites a clause");
        report.must(dialogs == 0 && stored == 0, "nothing is asked of the system or stored before consent");
        report.must(matches!(handed, IdentifierAnswer::Handed(_)), "an identifier is handed out after consent");
        report.figure("refused_before_consent", refused.len());
        report.zero("reads_before_consent", reads, control_reads, "by a person who had agreed");
        report.zero("starts_before_consent", starts, control.starts(), "by a person who had agreed");
        Ok(())
    }

    fn identifiers_refused(&self) -> Result<Vec<Refused>, Failure> {
        let mut refused = Vec::new();
        for (recipient, identifier) in self.app.identifiers {
            let declared = self.menshen.policy().recipient(recipient).and_then(|r| r.identifiers.get(identifier));
            let declared = declared.ok_or("the identifier is declared")?.source.to_string();
            if let IdentifierAnswer::Denied(denial) = self.session.identifier(recipient, *identifier)? {
                let what = format!("{} for {recipient}", identifier.id());
                refused.push(self.refused("identifier", what, declared, denial));
            }
        }
        Ok(refused)
    }

    fn permissions_refused(&self) -> Result<Vec<Refused>, Failure> {
        let mut refused = Vec::new();
        for feature in self.app.features {
            let used = self.menshen.policy().feature(feature).ok_or("the feature is declared")?;
            let (permission, of) = used.permissions.first_key_value().ok_or("the feature needs a permission")?;
            // Where the policy does not say why the permission is needed, the clause of the feature declares it.
            let declared = if of.source.as_str() == "not stated" { &used.source } else { &of.source };
            // The person closes the notice without agreeing.
            let outcome = self.session.request(feature, Trigger::App)?.drive(&mut |_: &Step| Answer::No)?;
            if let Outcome::Denied(denial) = outcome {
                let what = format!("{} for {feature}", permission.id());
                refused.push(self.refused("permission", what, declared.to_string(), denial));
            }
        }
        Ok(refused)
    }

    fn events_refused(&self) -> Result<Vec<Refused>, Failure> {
        let mut refused = Vec::new();
        for (event, purpose) in &self.app.events[..3] {
            let declared = self.menshen.policy().event(event).ok_or("the event is declared")?.source.to_string();
            let basis = serde_json::to_value(self.menshen.policy().purpose(purpose).map(|of| of.legal_basis))?;
            if let Recorded::Denied(denial) = self.session.record(event, fields_of(event, 0, "x"))? {
                let what = format!("{event}, on {}", basis.as_str().unwrap_or_default());
                refused.push(self.refused("event", what, declared, denial));
            }
        }
        Ok(refused)
    }

    fn starts_refused(&self, switched: &Sdk) -> Result<Vec<Refused>, Failure> {
        let mut refused = Vec::new();
        for (recipient, start) in self.app.starts {
            let declared = self.menshen.policy().recipient(recipient).ok_or("the SDK is declared")?.source.to_string();
            let (held, how) = match start {
                Start::Switch => (switched.starts() == 0, "by its switch"),
                Start::ByApp => (self.session.note_sdk(recipient, true).is_err(), "by the app itself"),
            };
            if let Some(denial) = self.session.may_start(recipient)?.filter(|_| held) {
                refused.push(self.refused("SDK start", format!("{recipient}, {how}"), declared, denial));
            }
        }
        Ok(refused)
    }

    fn refused(&self, kind: &'static str, what: String, declared: String, denial: Denial) -> Refused {
        // A flow that ended at the notice names no clause of its own: it is the notice's.
        let notice = || self.menshen.policy().document().notice.source.to_string();
        Refused { kind, what, declared, code: denial.code, source: denial.source.unwrap_or_else(notice) }
    }
}
