//! What the story measures with: decoded uploads, canaries, folders, and the documents it makes.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Read, Write};
use std::path::Path;

use menshen::{Fields, Session, TransportReply, UploadRequest, fields};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message as _;
use serde_json::{Value, json};

use crate::story::{App, Failure};

/// Events recorded offline.
pub(crate) const EVENTS: u64 = 10_000;
/// Canaries among them.
pub(crate) const CANARIES: u64 = 20;

/// The same policy a version later: one purpose and one recipient more, one purpose less.
pub(crate) fn next_version(app: &App, document: &Value) -> Result<Value, Failure> {
    let mut next = document.clone();
    next["version"] = json!("1.1.0");
    let (added, like) = app.next_purpose;
    next["purposes"][added] = next["purposes"][like].clone();
    let (purpose, recipient) = app.next_recipient;
    next["recipients"][recipient] = json!({
        "name": next["recipients"]["maker"]["name"].clone(), "type": "processor",
        "source": next["recipients"]["maker"]["source"].clone(),
    });
    if let Some(place) = next["recipients"]["maker"].get("place").cloned() {
        next["recipients"][recipient]["place"] = place;
    }
    next["purposes"][purpose]["recipients"].as_array_mut().ok_or("recipients")?.push(json!(recipient));
    let drop = |map: &mut Value, keep: &dyn Fn(&Value) -> bool| {
        if let Some(map) = map.as_object_mut() {
            map.retain(|_, value| keep(value));
        }
    };
    next["purposes"].as_object_mut().ok_or("purposes")?.remove(app.dropped);
    drop(&mut next["events"], &|event| event["purpose"] != json!(app.dropped));
    drop(&mut next["features"], &|feature| {
        !feature["purposes"].as_array().is_some_and(|purposes| purposes.contains(&json!(app.dropped)))
    });
    Ok(next)
}

/// Reads the numbers that the child recorded, through the uploads of its store.
pub(crate) fn drain_numbers(session: &Session, found: &mut BTreeSet<u64>) -> Result<(), Failure> {
    while let Some(request) = session.next_upload()? {
        for record in decode(&request)?.resource_logs.into_iter().flat_map(|r| r.scope_logs).flat_map(|s| s.log_records)
        {
            let text = format!("{:?}", record.attributes);
            if let Some((_, rest)) = text.split_once("number ") {
                let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
                found.insert(digits.parse()?);
            }
        }
        session.upload_finished(request.id, &accepted())?;
    }
    Ok(())
}

pub(crate) fn accepted() -> TransportReply {
    TransportReply::Response { status: 200, headers: Vec::new(), body: Vec::new(), complete: true }
}

pub(crate) fn is_erase(request: &UploadRequest) -> bool {
    request.url.ends_with("/erase")
}

pub(crate) fn decode(request: &UploadRequest) -> Result<ExportLogsServiceRequest, Failure> {
    let mut body = Vec::new();
    flate2::read::GzDecoder::new(request.body.as_slice()).read_to_end(&mut body)?;
    Ok(ExportLogsServiceRequest::decode(body.as_slice())?)
}

pub(crate) fn purposes_of_records(request: &UploadRequest) -> Result<Vec<String>, Failure> {
    let mut purposes = Vec::new();
    for logs in decode(request)?.resource_logs {
        let named = logs.resource.iter().flat_map(|r| &r.attributes).find(|pair| pair.key == "privacy.purpose");
        let purpose = named.map(|pair| format!("{:?}", pair.value)).unwrap_or_default();
        let purpose = purpose.split('"').nth(1).unwrap_or_default().to_owned();
        purposes.extend(logs.scope_logs.iter().flat_map(|s| &s.log_records).map(|_| purpose.clone()));
    }
    Ok(purposes)
}

pub(crate) fn purposes_in(request: &UploadRequest) -> Result<Vec<String>, Failure> {
    Ok(purposes_of_records(request)?.into_iter().collect::<BTreeSet<_>>().into_iter().collect())
}

/// The canary that an event carries; twenty of them are spread over all events.
pub(crate) fn canary(number: u64) -> Option<String> {
    let step = EVENTS / CANARIES;
    // Odd offsets put canaries into events of every purpose.
    let index = number / step;
    (number % step == index % 4).then(|| format!("canary-{index:02}-7f3a9c"))
}

pub(crate) fn count_canaries(bytes: &[u8]) -> u64 {
    let found = |index: &u64| {
        let canary = format!("canary-{index:02}-7f3a9c").into_bytes();
        bytes.windows(canary.len()).any(|window| window == canary)
    };
    (0..CANARIES).filter(found).count() as u64
}

pub(crate) fn folder_bytes(folder: &Path) -> Result<Vec<u8>, Failure> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            all.extend(folder_bytes(&path)?);
        } else {
            all.extend(std::fs::read(path)?);
        }
    }
    Ok(all)
}

pub(crate) fn copy_folder(from: &Path, to: &Path) -> Result<(), Failure> {
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

pub(crate) fn list(folder: &Path) -> Result<BTreeSet<String>, Failure> {
    let names = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    names.collect()
}

pub(crate) fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

pub(crate) fn progress(what: &str, done: u64, all: u64) {
    if !std::io::stdout().is_terminal() {
        return;
    }
    let width = 30;
    let full = usize::try_from(done * width / all).unwrap_or(0);
    print!("\r   {what:<18} {:<30} {done}", "█".repeat(full));
    if done == all {
        print!("\r{:<80}\r", "");
    }
    let _ = std::io::stdout().flush();
}

/// An event's fields, for the apps of the examples.
pub(crate) fn event_fields(event: &str, number: u64, text: &str) -> Fields {
    let n = i64::try_from(number).unwrap_or(0);
    let account = "account-of-somebody";
    match event {
        "feature_used" => {
            fields! { "feature" => text, "seconds" => n as f64 / 10.0, "times" => n, "first_time" => n == 0, "account" => account }
        }
        "app_crashed" => {
            fields! { "trace" => text, "foreground" => true, "free_memory_mb" => 512.5, "model" => "model 7" }
        }
        "call_ended" => {
            fields! { "video" => n % 2 == 0, "seconds" => n, "packet_loss" => 0.01, "codec" => text, "account" => account }
        }
        "purchase_made" => {
            fields! { "product" => text, "price" => 1.5, "currency" => "EUR", "restored" => false, "account" => account }
        }
        "service_called" => {
            fields! { "service" => text, "milliseconds" => n, "succeeded" => true, "model" => "model 7", "account" => account }
        }
        "search_made" => fields! { "words" => text, "results" => n, "model" => "model 7" },
        "account_followed" => fields! { "account" => account, "followed" => text, "now" => true },
        "page_viewed" => fields! { "page" => text, "seconds" => 1.5, "times" => n, "first_time" => false },
        _ => Fields::new(),
    }
}

/// A value as it stands in the closing table.
pub(crate) fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

pub(crate) fn words(list: &[Value]) -> String {
    list.iter().map(word).collect::<Vec<_>>().join(", ")
}
