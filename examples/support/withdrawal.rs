//! Step 8: analytics is withdrawn with records queued and two batches in flight, of which one can be cut.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use menshen::{Recorded, TransportReply, UploadOutcome, UploadRequest, Withdrawal};

use super::events::fields_of;
use super::receiver::Behaviour;
use super::report::grouped;
use super::storing::EVENTS;
use super::uploading::{accepted, records_in};
use super::{Failure, Story};

const QUEUED: u64 = 8000;

impl Story<'_> {
    pub(super) fn withdrawal(&mut self) -> Result<(), Failure> {
        let analytics = self.app.analytics;
        for number in 0..QUEUED {
            let (event, _) = self.app.events[usize::try_from(number % 4)?];
            let _ = self.session.record(event, fields_of(event, EVENTS + number, "after"))?;
        }
        self.menshen.sync()?;
        for copy in ["copy-before", "copy-after"] {
            copy_folder(&self.path("store"), &self.path(copy))?;
        }
        let before = self.opened_copy("copy-before")?;

        // One batch is whole with the receiver, which is slow to answer; of the other one, half has left.
        self.receiver.script(vec![Behaviour::Delay(Duration::from_millis(300))]);
        let whole = self.session.next_upload()?.ok_or("a batch is due")?;
        let half = self.session.next_upload()?.ok_or("a second batch is due")?;
        let carried = self.count(&whole)? + self.count(&half)?;
        let queued = (QUEUED / 4).saturating_sub(carried);
        let bytes_sent = self.receiver.bytes(analytics);
        let (transport, request) = (self.sender.transport.clone(), whole.clone());
        let sending = std::thread::spawn(move || transport.send(&request));
        let connection = Cuttable::send_half(&half)?;
        let patience = Instant::now();
        while self.receiver.bytes(analytics) == bytes_sent {
            if patience.elapsed() > Duration::from_secs(10) {
                return Err("the batch in flight did not reach the receiver".into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }

        let began = Instant::now();
        let withdrawal = self.session.withdraw(analytics)?;
        let took = began.elapsed().as_secs_f64() * 1000.0;
        let (bytes_sent, bytes_of_others) = (self.receiver.bytes(analytics), self.bytes_of_others(analytics));
        // The host stops what it is told to stop, where it still can.
        let told_to_stop = matches!(&withdrawal, Withdrawal::Done { in_flight }
            if [whole.id, half.id].iter().all(|id| in_flight.contains(id)));
        let cut = connection.cut();
        let reply = sending.join().map_err(|_| "the sending thread failed")?;
        let fates = [
            fate(&self.session.upload_finished(whole.id, &reply)?),
            fate(&self.session.upload_finished(half.id, &cut)?),
        ];
        let maintained = self.session.maintain()?;
        let event = self.event_of(analytics)?;
        let refused = matches!(self.session.record(event, fields_of(event, 0, "no"))?, Recorded::Denied(_));
        let stores_nothing = refused && self.session.waiting_records(analytics)? == 0;
        let ledgered = self.session.export_ledger()?.matches("in-flight-at-withdrawal").count();

        self.sender.drain(&self.session, &self.stage)?;
        let after = self.receiver.bytes(analytics) - bytes_sent;
        let others = self.bytes_of_others(analytics) - bytes_of_others;
        let arrived = self.receiver.records().iter().filter(|record| record.purpose != analytics).count() as u64;
        let erased = self.receiver.erase_requests().iter().filter(|erase| erase.purpose == analytics).count();
        let copy = self.opened_copy("copy-after")?;
        let key_destroyed = maintained.shredded.iter().any(|purpose| purpose == analytics);

        let report = &mut self.report;
        report.step(8, "withdrawn", &format!("{analytics}, in {took:.1} ms, with {} records queued", grouped(queued)));
        report.note(&format!("two batches in flight, {} records of it in them, reported apart:", grouped(carried)));
        report.note(&format!("· whole with the receiver, which answered later: {}", fates[0]));
        report.note(&format!(
            "· cut when half of its {} bytes had left: {}",
            grouped(half.body.len() as u64),
            fates[1]
        ));
        report.note(&format!("its key destroyed: {}", if key_destroyed { "yes" } else { "no" }));
        report.note(&format!("{after} bytes of it after the call (control: {} bytes of the others)", grouped(others)));
        report.note(&format!("{erased} request to erase reached the receiver"));
        report.note(&format!(
            "a copy of the store from before: {} records of it readable before, {} after",
            grouped(before.readable),
            copy.readable
        ));
        report.must(told_to_stop, "the withdrawal names both batches in flight");
        report.must(fates == ["delivered", "cancelled"] && ledgered == 2, "both fates are told and ledgered");
        report.must(carried > 0 && queued > 0, "records of it are in flight and queued");
        report.must(arrived == EVENTS / 4 * 3 + QUEUED / 4 * 3, "the rest is uploaded, all of it, once");
        report.must(erased == 1, "the receiver is asked to erase");
        report.must(key_destroyed, "the key is destroyed");
        report.must(stores_nothing, "a withdrawn purpose stores nothing");
        report.must(before.open && before.stores, "the copy was open before the withdrawal");
        report.must(!copy.open && !copy.stores, "an old copy of the store opens nothing");
        report.figure("in_flight", fates.to_vec());
        report.zero("bytes_after_withdrawal", after, others, "bytes of the other purposes");
        report.figure("erase_requests", erased);
        report.zero("shredded_copy_readable", copy.readable, before.readable, "in the same copy before");
        Ok(())
    }

    /// Records of the withdrawn purpose in an upload.
    fn count(&self, request: &UploadRequest) -> Result<u64, Failure> {
        Ok(records_in(request)?.iter().filter(|record| record.purpose == self.app.analytics).count() as u64)
    }

    /// What of the withdrawn purpose a copy of the store gives away with the keys as they are now.
    fn opened_copy(&self, name: &str) -> Result<Copy, Failure> {
        let session = self.open_copy(name)?;
        let open = session.is_purpose_allowed(self.app.analytics);
        let mut readable = 0;
        while let Some(request) = session.next_upload()? {
            if !request.url.ends_with("/erase") {
                readable += self.count(&request)?;
            }
            session.upload_finished(request.id, &accepted())?;
        }
        let event = self.event_of(self.app.analytics)?;
        let stores = session.record(event, fields_of(event, 0, "copy"))? == Recorded::Buffered;
        Ok(Copy { readable, open, stores })
    }
}

struct Copy {
    readable: u64,
    open: bool,
    stores: bool,
}

fn fate(outcome: &UploadOutcome) -> &'static str {
    match outcome {
        UploadOutcome::Cancelled { delivered: true } => "delivered",
        UploadOutcome::Cancelled { delivered: false } => "cancelled",
        _ => "not reported",
    }
}

/// An upload over a connection that its host can cut while the body is on its way.
struct Cuttable {
    stream: TcpStream,
}

impl Cuttable {
    fn send_half(request: &UploadRequest) -> Result<Self, Failure> {
        let address = request.url.strip_prefix("http://").and_then(|rest| rest.split_once('/'));
        let (host, path) = address.ok_or("an address of this machine")?;
        let mut stream = TcpStream::connect(host)?;
        let length = request.body.len();
        write!(stream, "POST /{path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n")?;
        for (name, value) in &request.headers {
            write!(stream, "{name}: {value}\r\n")?;
        }
        stream.write_all(b"\r\n")?;
        stream.write_all(&request.body[..length / 2])?;
        Ok(Self { stream })
    }

    /// Nothing more of it leaves; what the transport then has to say is that it has no answer.
    fn cut(self) -> TransportReply {
        let _ = self.stream.shutdown(Shutdown::Both);
        TransportReply::Failed { code: "connection-lost" }
    }
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let path = entry?.path();
        let target = to.join(path.file_name().ok_or("a file name")?);
        if path.is_dir() {
            copy_folder(&path, &target)?;
        } else {
            std::fs::copy(&path, &target)?;
        }
    }
    Ok(())
}
