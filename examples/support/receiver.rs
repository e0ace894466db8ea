//! An embedded OTLP/HTTP receiver on a loopback port, with scripted failures, for examples and tests.
//!
//! It keeps what it is sent in memory, drops duplicates by `log.record.uid`, and stops when dropped. Bodies are OTLP protobuf
//! (`application/x-protobuf`) or lines of JSON (`application/x-ndjson`), which are answered with `{"rejected":N}`.
//!
//! # Erase requests
//! `POST <endpoint>/erase` with `content-type: application/json` and
//! `{"type":"erase","purpose":"analytics","pseudonyms":["…"],"policy":"…"}` removes the stored
//! records of that purpose whose `enduser.pseudo.id` is among the pseudonyms. The answer is 200 with
//! `{"erased":N}`. Asking again is harmless: it erases 0.

#![allow(dead_code, reason = "each program that includes this file uses a part of it")]

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, VecDeque},
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::{
    collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse},
    common::v1::{AnyValue, KeyValue, any_value},
    logs::v1::LogRecord,
};
use prost::Message as _;
use serde::Deserialize;

const LOGS_PATH: &str = "/v1/logs";
const ERASE_PATH: &str = "/v1/logs/erase";
const PROTOBUF: &str = "application/x-protobuf";
const NDJSON: &str = "application/x-ndjson";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain";

const UID: &str = "log.record.uid";
const PURPOSE: &str = "privacy.purpose";
const PSEUDONYM: &str = "enduser.pseudo.id";

/// The largest request body, compressed or not, in bytes.
const MAX_BODY: u64 = 64 * 1024 * 1024;
const MAX_HEAD: u64 = 64 * 1024;
/// A client that is silent for so long is dropped.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// How the receiver treats one well-formed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// Stores and answers 200.
    Ok,
    /// Stores nothing and answers 503 with `Retry-After` in whole seconds.
    Unavailable { retry_after: Duration },
    /// Stores, then closes the connection without a reply.
    CommitAndDrop,
    /// Stores nothing and answers 200 with a web page, as a captive portal does.
    Html200,
    /// Stores, then sends a reply whose body ends before its declared length.
    CutBody,
    /// Stores all but the last `count` new records and says so in a partial success.
    Reject { count: usize },
    /// Answers with this status; stores if it is a 2xx. A 3xx points to another path here.
    Status(u16),
    /// Waits, then does as `Ok`.
    Delay(Duration),
}

/// A record as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) uid: String,
    pub(crate) event: String,
    /// Empty if the record names none.
    pub(crate) purpose: String,
    /// All attributes, uid and purpose among them, their values as text.
    pub(crate) attributes: BTreeMap<String, String>,
}

/// A request to forget what was sent for a purpose.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EraseRequest {
    pub(crate) purpose: String,
    pub(crate) pseudonyms: BTreeSet<String>,
    /// Which policy the person acted under.
    pub(crate) policy: String,
}

/// The JSON messages that the receiver understands.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Message {
    Erase(EraseRequest),
}

/// A request as it arrived, of any kind and any outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    /// The length of the body as it came over the wire.
    pub(crate) body_bytes: usize,
    /// The status it was answered with; `None` while it waits and if it was dropped.
    pub(crate) status: Option<u16>,
}

/// The running receiver.
pub(crate) struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    stopped: Condvar,
}

#[derive(Default)]
struct State {
    stopping: bool,
    script: VecDeque<Behaviour>,
    records: Vec<Received>,
    uids: BTreeSet<String>,
    duplicates: usize,
    bytes: BTreeMap<String, u64>,
    erase_requests: Vec<EraseRequest>,
    requests: Vec<Request>,
    connections: BTreeMap<u64, TcpStream>,
}

impl Receiver {
    /// Starts on a free loopback port.
    pub(crate) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let acceptor = thread::Builder::new().name("receiver".into()).spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        })?;
        Ok(Self { address, shared, acceptor: Some(acceptor) })
    }

    /// Where to send logs.
    pub(crate) fn url(&self) -> String {
        format!("http://{}{LOGS_PATH}", self.address)
    }

    /// Adds to what happens to the next requests, one each; then it is [`Behaviour::Ok`] again.
    pub(crate) fn script(&self, behaviours: Vec<Behaviour>) {
        self.shared.state().script.extend(behaviours);
    }

    /// What is stored, in order of arrival.
    pub(crate) fn records(&self) -> Vec<Received> {
        self.shared.state().records.clone()
    }

    /// How many records arrived again and were dropped.
    pub(crate) fn duplicates(&self) -> usize {
        self.shared.state().duplicates
    }

    /// Bytes of encoded records that arrived for a purpose, whatever became of them.
    ///
    /// Duplicates and refused requests count: this tells what left the client.
    pub(crate) fn bytes(&self, purpose: &str) -> u64 {
        self.shared.state().bytes.get(purpose).copied().unwrap_or(0)
    }

    /// The erase requests that were carried out, in order.
    pub(crate) fn erase_requests(&self) -> Vec<EraseRequest> {
        self.shared.state().erase_requests.clone()
    }

    /// All requests, in order of arrival.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.state().requests.clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        {
            let mut state = self.shared.state();
            state.stopping = true;
            for stream in state.connections.values() {
                drop(stream.shutdown(Shutdown::Both));
            }
        }
        self.shared.stopped.notify_all();
        // Wakes the acceptor; if this fails, its thread ends with the process.
        if TcpStream::connect(self.address).is_ok()
            && let Some(acceptor) = self.acceptor.take()
        {
            drop(acceptor.join());
        }
    }
}

impl Shared {
    // A poisoned lock means that a connection's thread panicked; what it had stored still holds.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, or until the receiver stops.
    fn sleep(&self, time: Duration) {
        let waited = self.stopped.wait_timeout_while(self.state(), time, |state| !state.stopping);
        drop(waited);
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut threads: Vec<JoinHandle<()>> = Vec::new();
    for (number, stream) in (0..).zip(listener.incoming()) {
        // An error here is a client that gave up; the next one may do better.
        let Ok(stream) = stream else { continue };
        {
            let mut state = shared.state();
            if state.stopping {
                break;
            }
            let Ok(handle) = stream.try_clone() else {
                continue;
            };
            state.connections.insert(number, handle);
        }
        let serving = thread::Builder::new().spawn({
            let shared = Arc::clone(shared);
            move || {
                // The client sees its connection end; there is nobody else to tell.
                drop(serve(stream, &shared));
                shared.state().connections.remove(&number);
            }
        });
        threads.retain(|thread| !thread.is_finished());
        match serving {
            Ok(thread) => threads.push(thread),
            Err(_) => drop(shared.state().connections.remove(&number)),
        }
    }
    for thread in threads {
        drop(thread.join());
    }
}

/// An answer before it is written.
struct Answer {
    status: u16,
    content_type: &'static str,
    body: Vec<u8>,
    extra: Option<(&'static str, String)>,
    cut: bool,
}

impl Answer {
    fn new(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, content_type, body: body.into(), extra: None, cut: false }
    }

    fn write(&self, stream: &mut TcpStream) -> io::Result<()> {
        let mut head = format!(
            "HTTP/1.1 {} Scripted\r\nconnection: close\r\ncontent-type: {}\r\ncontent-length: {}\r\n",
            self.status,
            self.content_type,
            self.body.len()
        );
        if let Some((name, value)) = &self.extra {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let sent = self.body.len() / if self.cut { 2 } else { 1 };
        let mut bytes = head.into_bytes();
        bytes.extend(self.body.iter().take(sent));
        stream.write_all(&bytes)
    }
}

/// Serves the one request of a connection.
fn serve(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_read_timeout(Some(READ_TIMEOUT))?;
    stream.set_write_timeout(Some(READ_TIMEOUT))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut request = read_head(&mut reader)?;
    if request.headers.get("expect").map(String::as_str) == Some("100-continue") {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let length = request.headers.get("content-length");
    let length: Option<u64> = length.and_then(|length| length.parse().ok());
    let refusal = match length {
        _ if !matches!(request.path.as_str(), LOGS_PATH | ERASE_PATH) => Some((404, "no such path")),
        _ if request.method != "POST" => Some((405, "only POST")),
        None => Some((411, "a content-length is needed")),
        Some(MAX_BODY..) => Some((413, "the body is too long")),
        Some(_) => None,
    };
    let mut body = Vec::new();
    if refusal.is_none() {
        let length = length.unwrap_or(0);
        reader.take(length).read_to_end(&mut body)?;
        if body.len() as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    request.body_bytes = body.len();
    let answer = arrived(shared, request, |Request { path, headers, .. }| match refusal {
        Some((status, problem)) => Some(Answer::new(status, TEXT, problem)),
        None if path == ERASE_PATH => answer_erase(shared, headers, &body),
        None => answer_logs(shared, headers, &body),
    });
    match answer {
        Some(answer) => answer.write(&mut stream)?,
        None => return stream.shutdown(Shutdown::Both),
    }
    // Closing with unread input would reset the connection and could destroy the answer on its way.
    stream.shutdown(Shutdown::Write)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    io::copy(&mut stream, &mut io::sink()).map(drop)
}

/// Notes a request before it is treated, and its status afterwards.
fn arrived(shared: &Shared, request: Request, treat: impl FnOnce(&Request) -> Option<Answer>) -> Option<Answer> {
    let index = {
        let mut state = shared.state();
        state.requests.push(request.clone());
        state.requests.len() - 1
    };
    let answer = treat(&request);
    if let Some(noted) = shared.state().requests.get_mut(index) {
        noted.status = answer.as_ref().map(|answer| answer.status);
    }
    answer
}

fn read_head(reader: &mut impl BufRead) -> io::Result<Request> {
    let mut reader = reader.take(MAX_HEAD);
    let mut line = || -> io::Result<String> {
        let mut text = String::new();
        reader.read_line(&mut text)?;
        match text.strip_suffix('\n') {
            Some(line) => Ok(line.trim_end_matches('\r').to_owned()),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    };
    let first = line()?;
    let mut words = first.split(' ');
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let mut headers = BTreeMap::new();
    loop {
        let line = line()?;
        if line.is_empty() {
            break;
        }
        let Some((name, value)) = line.split_once(':') else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    Ok(Request { method: method.to_owned(), path: path.to_owned(), headers, body_bytes: 0, status: None })
}

fn has_type(headers: &BTreeMap<String, String>, expected: &str) -> bool {
    let value = headers.get("content-type").and_then(|value| value.split(';').next());
    value.is_some_and(|value| value.trim().eq_ignore_ascii_case(expected))
}

fn answer_logs(shared: &Shared, headers: &BTreeMap<String, String>, body: &[u8]) -> Option<Answer> {
    let is_lines = has_type(headers, NDJSON);
    if !is_lines && !has_type(headers, PROTOBUF) {
        return Some(Answer::new(415, TEXT, "only protobuf or NDJSON"));
    }
    let encoding = headers.get("content-encoding").map(String::as_str);
    let records = match if is_lines { decode_lines(encoding, body) } else { decode(encoding, body) } {
        Ok(records) => records,
        Err(problem) => return Some(Answer::new(400, TEXT, problem)),
    };
    let told = move |rejected: usize| {
        if is_lines {
            Answer::new(200, JSON, format!(r#"{{"rejected":{rejected}}}"#))
        } else {
            Answer::new(200, PROTOBUF, response(rejected))
        }
    };
    {
        let mut state = shared.state();
        for (record, bytes) in &records {
            *state.bytes.entry(record.purpose.clone()).or_default() += bytes;
        }
    }
    let records: Vec<Received> = records.into_iter().map(|(record, _)| record).collect();
    scripted(
        shared,
        || told(0),
        |reject| {
            let mut state = shared.state();
            let State { records: stored, uids, duplicates, .. } = &mut *state;
            let before = stored.len();
            for record in records {
                if uids.insert(record.uid.clone()) {
                    stored.push(record);
                } else {
                    *duplicates += 1;
                }
            }
            let kept = before.max(stored.len().saturating_sub(reject));
            let rejected = stored.split_off(kept);
            for record in &rejected {
                uids.remove(&record.uid);
            }
            told(rejected.len())
        },
    )
}

fn answer_erase(shared: &Shared, headers: &BTreeMap<String, String>, body: &[u8]) -> Option<Answer> {
    if !has_type(headers, JSON) {
        return Some(Answer::new(415, TEXT, "only JSON"));
    }
    let request = match serde_json::from_slice(body) {
        Ok(Message::Erase(request)) => request,
        Err(error) => return Some(Answer::new(400, TEXT, error.to_string())),
    };
    let success = || Answer::new(200, JSON, r#"{"erased":0}"#);
    scripted(shared, success, |_| {
        let mut state = shared.state();
        let before = state.records.len();
        state.records.retain(|record| {
            let pseudonym = record.attributes.get(PSEUDONYM);
            record.purpose != request.purpose
                || !pseudonym.is_some_and(|pseudonym| request.pseudonyms.contains(pseudonym))
        });
        let erased = before - state.records.len();
        state.erase_requests.push(request);
        Answer::new(200, JSON, format!(r#"{{"erased":{erased}}}"#))
    })
}

/// Treats a well-formed request as the script says. `commit` is given the number to reject.
fn scripted(shared: &Shared, success: impl FnOnce() -> Answer, commit: impl FnOnce(usize) -> Answer) -> Option<Answer> {
    let behaviour = shared.state().script.pop_front();
    match behaviour.unwrap_or(Behaviour::Ok) {
        Behaviour::Ok => Some(commit(0)),
        Behaviour::Reject { count } => Some(commit(count)),
        Behaviour::Delay(time) => {
            shared.sleep(time);
            Some(commit(0))
        }
        Behaviour::CommitAndDrop => {
            commit(0);
            None
        }
        Behaviour::CutBody => Some(Answer { cut: true, ..commit(0) }),
        Behaviour::Html200 => {
            Some(Answer::new(200, "text/html", "<!DOCTYPE html><html><body>Sign in to the network</body></html>"))
        }
        Behaviour::Unavailable { retry_after } => Some(Answer {
            extra: Some(("retry-after", retry_after.as_secs().to_string())),
            ..Answer::new(503, TEXT, "later")
        }),
        Behaviour::Status(status) => Some(match status {
            200..300 => Answer { status, ..commit(0) },
            300..400 => Answer { status, extra: Some(("location", "/elsewhere".into())), ..success() },
            _ => Answer::new(status, TEXT, "scripted"),
        }),
    }
}

/// The reply of a real collector: a partial success, which with nothing rejected is a full one.
fn response(rejected: usize) -> Vec<u8> {
    let error_message = match rejected {
        0 => String::new(),
        _ => "rejected by the script".to_owned(),
    };
    ExportLogsServiceResponse {
        partial_success: Some(ExportLogsPartialSuccess {
            rejected_log_records: i64::try_from(rejected).unwrap_or(i64::MAX),
            error_message,
        }),
    }
    .encode_to_vec()
}

fn unpacked<'a>(encoding: Option<&str>, body: &'a [u8]) -> Result<Cow<'a, [u8]>, &'static str> {
    match encoding {
        None => Ok(body.into()),
        Some("gzip") => {
            let mut unpacked = Vec::new();
            let mut decoder = GzDecoder::new(body).take(MAX_BODY + 1);
            let read = decoder.read_to_end(&mut unpacked);
            read.map_err(|_| "the body is not gzip, or cut")?;
            if unpacked.len() as u64 > MAX_BODY {
                return Err("the body is too long");
            }
            Ok(unpacked.into())
        }
        Some(_) => Err("unknown content-encoding"),
    }
}

/// One line of NDJSON.
#[derive(Deserialize)]
struct Line {
    event_name: String,
    resource: BTreeMap<String, serde_json::Value>,
    attributes: BTreeMap<String, serde_json::Value>,
}

/// The records of a body of lines, each with the length of its line.
pub(crate) fn decode_lines(encoding: Option<&str>, body: &[u8]) -> Result<Vec<(Received, u64)>, &'static str> {
    let body = unpacked(encoding, body)?;
    let text = str::from_utf8(&body).map_err(|_| "the body is not UTF-8")?;
    let Some(lines) = text.strip_suffix('\n') else { return Err("the last line does not end") };
    let record = |line: &str| {
        let bytes = line.len() as u64;
        let line: Line = serde_json::from_str(line).map_err(|_| "a line is no record")?;
        let shown = |value: serde_json::Value| match value {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        let pairs = line.resource.into_iter().chain(line.attributes);
        let attributes: BTreeMap<String, String> = pairs.map(|(name, value)| (name, shown(value))).collect();
        let uid = attributes.get(UID).filter(|uid| !uid.is_empty()).ok_or("a record has no log.record.uid")?.clone();
        let purpose = attributes.get(PURPOSE).cloned().unwrap_or_default();
        Ok((Received { uid, event: line.event_name, purpose, attributes }, bytes))
    };
    lines.split('\n').map(record).collect()
}

/// The records of a body, each with its encoded length in bytes.
pub(crate) fn decode(encoding: Option<&str>, body: &[u8]) -> Result<Vec<(Received, u64)>, &'static str> {
    let body = unpacked(encoding, body)?;
    let request = ExportLogsServiceRequest::decode(body.as_ref()).map_err(|_| "the body is no OTLP logs request")?;
    let mut records = Vec::new();
    for logs in request.resource_logs {
        // What holds for all records of a block stands once, on its resource.
        let shared = logs.resource.map(|resource| resource.attributes).unwrap_or_default();
        for record in logs.scope_logs.into_iter().flat_map(|logs| logs.log_records) {
            let bytes = record.encoded_len() as u64;
            let record = received(record, &shared).ok_or("a record has no log.record.uid")?;
            records.push((record, bytes));
        }
    }
    Ok(records)
}

fn received(record: LogRecord, shared: &[KeyValue]) -> Option<Received> {
    let attributes: BTreeMap<String, String> =
        shared.iter().cloned().chain(record.attributes).map(|pair| (pair.key, text(pair.value))).collect();
    Some(Received {
        uid: attributes.get(UID).filter(|uid| !uid.is_empty())?.clone(),
        event: record.event_name,
        purpose: attributes.get(PURPOSE).cloned().unwrap_or_default(),
        attributes,
    })
}

fn text(value: Option<AnyValue>) -> String {
    use any_value::Value;
    match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        Some(Value::BoolValue(flag)) => flag.to_string(),
        // menshen writes no other kind; shown as they are decoded.
        other => format!("{other:?}"),
    }
}
