//! Step 10: a new version of the policy takes a purpose away at once and adds only what is agreed.

use std::collections::BTreeSet;

use menshen::{Outcome, Recorded};
use serde_json::{Value, json};

use super::events::fields_of;
use super::report::grouped;
use super::{App, Failure, Story, read};

impl Story<'_> {
    pub(super) fn new_version(&mut self) -> Result<(), Failure> {
        let app = self.app;
        let stays = app.events.iter().find(|(_, purpose)| ![app.dropped, app.analytics].contains(purpose));
        let (stays, _) = stays.ok_or("an event of a purpose that stays")?;
        let dropped = self.event_of(app.dropped)?;
        let mut queued = 0;
        for number in 0..50 {
            queued +=
                u64::from(self.session.record(dropped, fields_of(dropped, number, "dropped"))? == Recorded::Buffered);
            let _ = self.session.record(stays, fields_of(stays, number, "stays"))?;
        }
        let accepted_version = self.session.policy_version();
        self.session.offer_policy(read(&next_version(app, &self.document)?)?)?;
        let closed = !self.session.is_purpose_allowed(app.dropped);
        let (before, others_before) = (self.receiver.bytes(app.dropped), self.bytes_of_others(app.dropped));
        let uploaded = self.sender.drain(&self.session, &self.stage)?;
        let sent = self.receiver.bytes(app.dropped) - before;
        let others = self.bytes_of_others(app.dropped) - others_before;
        let ((added, _), (widened, _)) = (app.next_purpose, app.next_recipient);
        let governs = self.session.policy_version() == accepted_version
            && self.session.is_purpose_allowed(widened)
            && !self.session.is_purpose_allowed(added);
        // Agrees to the version; what it adds is asked for apart, and gets a yes of its own.
        let mut person = self.scripted(&[widened, added]);
        let asks_again = match person.go_through(self.session.changed_policy()?)? {
            Outcome::Finished { asks_again } => asks_again,
            _ => Vec::new(),
        };
        let shredded = self.session.maintain()?.shredded;
        let expected: BTreeSet<&str> = [added, widened].into();
        let version = self.session.policy_version();

        let report = &mut self.report;
        report.step(10, "new version", &format!("{version} is in force and drops {}: closed at once", app.dropped));
        report.note(&format!("{sent} bytes of its {queued} queued records were sent"));
        report.note(&format!(
            "(control: {} bytes of the others in the same upload, {} of it before)",
            grouped(others),
            grouped(before)
        ));
        report.note(&format!("{accepted_version} governed the rest until this was answered:"));
        person.log.iter().for_each(|text| report.note(&format!("· {text}")));
        report.note(&format!("only {} asked; shredded: {}", asks_again.join(" and "), shredded.join(", ")));
        report.must(closed && queued == 50, "what a version takes away ends at once");
        report.must(before > 0, "the receiver counted bytes of the dropped purpose before");
        let known = |purpose: &str| app.events.iter().any(|(_, of)| *of == purpose);
        report.must(uploaded == 50, "what stays is uploaded, all of it");
        report.must(self.receiver.records().iter().all(|one| known(&one.purpose)), "nothing else reached the receiver");
        report.must(governs, "the accepted version governs until the new one is agreed");
        report.must(asks_again.iter().map(String::as_str).collect::<BTreeSet<_>>() == expected, "only additions ask");
        report.must(expected.iter().all(|id| self.session.is_purpose_allowed(id)), "what is added opens with its yes");
        report.must(shredded == [app.dropped], "the dropped purpose is shredded, and nothing else");
        report.must(version == "1.1.0", "the new version governs after the agreement");
        report.zero("dropped_bytes_sent", sent, others, "bytes of the others in the same upload");
        report.figure("reask", asks_again);
        Ok(())
    }
}

/// The same policy a version later: one purpose and one recipient more, one purpose less.
pub(crate) fn next_version(app: &App, document: &Value) -> Result<Value, Failure> {
    let mut next = document.clone();
    next["version"] = json!("1.1.0");
    let (added, like) = app.next_purpose;
    next["purposes"][added] = next["purposes"][like].clone();
    let (purpose, recipient) = app.next_recipient;
    let maker = &next["recipients"]["maker"];
    let mut processor = json!({ "name": maker["name"], "type": "processor", "source": maker["source"] });
    if let Some(place) = maker.get("place") {
        processor["place"] = place.clone();
    }
    next["recipients"][recipient] = processor;
    next["purposes"][purpose]["recipients"].as_array_mut().ok_or("recipients")?.push(json!(recipient));
    let dropped = json!(app.dropped);
    let mut map = |key: &str| next[key].as_object_mut().map(std::mem::take).ok_or("a map");
    let (mut purposes, mut events, mut features) = (map("purposes")?, map("events")?, map("features")?);
    purposes.remove(app.dropped);
    events.retain(|_, event| event["purpose"] != dropped);
    features.retain(|_, feature| !feature["purposes"].as_array().is_some_and(|of| of.contains(&dropped)));
    (next["purposes"], next["events"], next["features"]) = (purposes.into(), events.into(), features.into());
    Ok(next)
}
