//! Step 9: an item for somebody who is offline ends with its time to live; a delivered one leaves a tombstone.

use std::collections::BTreeSet;

use menshen::{DeliveryResult, Put};

use super::{Failure, Story};

const HOUR: i64 = 3_600_000;
const TIME_TO_LIVE: i64 = 24 * HOUR;

impl Story<'_> {
    pub(super) fn outbox(&mut self) -> Result<(), Failure> {
        let (purpose, recipient) = self.app.outbox;
        let session = &self.session;
        for text in ["delivered first", "for somebody who is offline"] {
            let put = session.outbox_put(purpose, recipient, TIME_TO_LIVE.unsigned_abs(), text.as_bytes())?;
            if let Put::Denied(denial) = put {
                return Err(format!("the outbox is closed: {}", denial.code).into());
            }
        }
        let (segments_with, secrets_with) = (self.segments()?, self.slice_secrets()?);
        // The first is delivered; the other one comes again every minute.
        let mut offered: Vec<Vec<u8>> = Vec::new();
        for _ in 0..3 {
            while let Some(item) = session.next_delivery()? {
                let result = match item.bytes.as_slice() {
                    b"delivered first" => DeliveryResult::Delivered,
                    _ => DeliveryResult::Later { after_ms: 60_000 },
                };
                session.delivery_finished(item.id, result)?;
                offered.push(item.bytes);
            }
            self.stage.clock.advance(60_000);
        }
        let times = |text: &[u8]| offered.iter().filter(|bytes| *bytes == text).count() as u64;
        let (delivered, waiting) = (times(b"delivered first"), times(b"for somebody who is offline"));
        self.stage.clock.advance(TIME_TO_LIVE);
        let late = u64::from(session.next_delivery()?.is_some());
        // A slice ends with its bucket, at most an eighth of the time to live later.
        self.stage.clock.advance(TIME_TO_LIVE / 8 + HOUR);
        let ended = session.maintain()?;
        let gone = segments_with.difference(&self.segments()?).count() as u64;
        // The slot of a slice's secret holds it twice; what was destroyed stands nowhere in the file any more.
        let secrets = self.slice_secrets()?;
        let destroyed = secrets_with.difference(&secrets).count() as u64;
        let expired = ended.expired_records.saturating_sub(delivered);

        let report = &mut self.report;
        report.step(9, "outbox", &format!("two items of {purpose}, to live for 24 hours"));
        report.note(&format!("one delivered, offered {delivered} time: its tombstone keeps it from being sent again"));
        report.note("one for somebody who is offline:");
        report.note(&format!("· offered {late} times after its time (control: {waiting} times while it lived)"));
        report.note(&format!(
            "· {expired} expired with its slice: {destroyed} of {} slice keys overwritten, {gone} file less",
            secrets_with.len()
        ));
        report.must(delivered == 1 && waiting == 3, "an undelivered item comes again, a delivered one does not");
        report.must(ended.expired_segments >= 1 && gone >= 1 && destroyed >= 1, "its slice's key and file are gone");
        report.must(!secrets.is_empty(), "the keys of other slices are still found in the same way");
        report.zero("offered_after_expiry", late, waiting, "times while it lived");
        report.figure("expired", expired);
        Ok(())
    }

    /// The slots of the key file that hold a slice's secret, as `FORMAT.md` has them.
    fn slice_secrets(&self) -> Result<BTreeSet<Vec<u8>>, Failure> {
        const SLICE: u8 = 3;
        let keys = std::fs::read(self.path("store").join("keys"))?;
        Ok(keys.chunks(512).filter(|slot| slot.first() == Some(&SLICE)).map(<[u8]>::to_vec).collect())
    }

    fn segments(&self) -> Result<BTreeSet<std::ffi::OsString>, Failure> {
        let files = std::fs::read_dir(self.path("store").join("segments"))?;
        Ok(files.map(|file| Ok(file?.file_name())).collect::<std::io::Result<_>>()?)
    }
}
