//! Step 7: back online, with a receiver that misbehaves first.

use std::collections::BTreeMap;
use std::time::Duration;

use menshen::{DeviceClock, Session, Transport, TransportReply, UploadOutcome, UploadRequest};

use super::receiver::{self, Behaviour, Received};
use super::report::grouped;
use super::storing::EVENTS;
use super::{Failure, Stage, Story};

/// Sends what is allowed until nothing is due, moving the clock instead of waiting.
pub(crate) struct Sender {
    pub(crate) transport: Transport,
}

impl Sender {
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self { transport: Transport::new()? })
    }

    /// The records that were acknowledged.
    pub(crate) fn drain(&self, session: &Session, stage: &Stage) -> Result<u64, Failure> {
        let mut acknowledged = 0;
        for _ in 0..10_000 {
            if let Some(request) = session.next_upload()? {
                let reply = self.transport.send(&request);
                if let UploadOutcome::Acknowledged { records } = session.upload_finished(request.id, &reply)? {
                    acknowledged += u64::try_from(records)?;
                }
                continue;
            }
            let now = stage.clock.now().wall_ms;
            match session.next_upload_at() {
                Some(at) => stage.clock.advance(at - now),
                None => return Ok(acknowledged),
            }
        }
        Err("uploading does not end".into())
    }
}

impl Story<'_> {
    pub(super) fn online(&mut self) -> Result<(), Failure> {
        self.receiver
            .script(vec![Behaviour::Unavailable { retry_after: Duration::from_secs(2) }, Behaviour::CommitAndDrop]);
        let uploaded = self.sender.drain(&self.session, &self.stage)?;
        let (records, duplicates) = (self.receiver.records(), self.receiver.duplicates() as u64);
        let mut purposes: BTreeMap<&str, u64> = BTreeMap::new();
        records.iter().for_each(|record| *purposes.entry(&record.purpose).or_default() += 1);
        let told: Vec<String> = purposes.iter().map(|(id, count)| format!("{id} {}", grouped(*count))).collect();
        let requests = self.receiver.requests();
        let statuses: Vec<Option<u16>> = requests.iter().map(|request| request.status).collect();
        let as_told = statuses.get(..2) == Some(&[Some(503), None]) && statuses[2..].iter().all(|s| *s == Some(200));
        let headers = [("content-type", "application/x-protobuf"), ("content-encoding", "gzip")];
        let is_otlp = headers
            .iter()
            .all(|(name, value)| requests.iter().all(|r| r.headers.get(*name).is_some_and(|given| given == value)));
        let bytes: u64 = requests.iter().map(|request| request.body_bytes as u64).sum();
        let beside = ["privacy.policy.hash", "privacy.law_packs"];
        let described = records.iter().all(|record| beside.iter().all(|key| record.attributes.contains_key(*key)));

        let report = &mut self.report;
        report.step(7, "back online", &format!("503, a lost reply, then 200: {} events uploaded", grouped(uploaded)));
        report.note(&told.join(" · "));
        report.note(&format!(
            "{} requests, {} bytes as OTLP in gzip, {} duplicates removed by their id",
            requests.len(),
            grouped(bytes),
            grouped(duplicates)
        ));
        report.must(as_told, "the receiver answered 503, then nothing, then 200");
        report.must(is_otlp, "uploads are protobuf in gzip");
        report.must(uploaded == EVENTS && records.len() as u64 == EVENTS, "everything allowed is uploaded, once");
        report.must(duplicates >= 1, "a lost reply makes duplicates that are removed by their id");
        report.must(described, "policy and law packs stand beside every record");
        report.figure("uploaded", uploaded);
        report.figure("duplicates_removed", duplicates);
        Ok(())
    }
}

/// The records that an upload carries.
pub(crate) fn records_in(request: &UploadRequest) -> Result<Vec<Received>, Failure> {
    let records = receiver::decode(Some("gzip"), &request.body)?;
    Ok(records.into_iter().map(|(record, _)| record).collect())
}

/// The reply of a receiver that has everything.
pub(crate) fn accepted() -> TransportReply {
    TransportReply::Response { status: 200, headers: Vec::new(), body: Vec::new(), complete: true }
}
