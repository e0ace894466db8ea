//! Google Play's Data safety form: the developer's export, filled by the ids of its rows.

use std::collections::{BTreeMap, BTreeSet};

use menshen::Policy;
use menshen::policy::document::{Document, LegalBasis, Necessity, Purpose, RecipientType, Right};

use super::{Declared, stores};

const TYPES: &str = "PSL_DATA_TYPES_";
const USAGE: &str = "PSL_DATA_USAGE_RESPONSES:";
/// The form may begin with a byte order mark.
const MARK: char = '\u{feff}';

/// A question and a response of the form.
type RowId = (String, String);

/// Fills the form.
///
/// # Errors
/// Why the text is not an export of it.
pub(super) fn declare(policy: &Policy, export: &str, declared: &mut Declared) -> Result<(), String> {
    let mut answers = answers(policy.document());
    let (mark, body) = export.strip_prefix(MARK).map_or(("", export), |body| ("\u{feff}", body));
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(body.as_bytes());
    let terminator = if body.contains("\r\n") { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
    let mut writer = csv::WriterBuilder::new().flexible(true).terminator(terminator).from_writer(Vec::new());
    let mut open: BTreeMap<String, bool> = BTreeMap::new();
    for (at, record) in reader.records().enumerate() {
        let record = record.map_err(|error| error.to_string())?;
        let cell = |at: usize| record.get(at).unwrap_or_default();
        if at == 0 {
            if !cell(0).starts_with("Question ID") || record.len() < 3 {
                return Err("its first line does not begin with `Question ID`".to_owned());
            }
            writer.write_record(&record).map_err(|error| error.to_string())?;
            continue;
        }
        let id: RowId = (cell(0).to_owned(), cell(1).to_owned());
        let ours = id.0.starts_with(TYPES) || id.0.starts_with(USAGE);
        let value = match answers.remove(&id) {
            Some(answer) => answer,
            // What the policy does not collect stays empty; what it cannot know keeps the developer's answer.
            None if ours => "",
            None => cell(2),
        };
        if !ours {
            *open.entry(id.0).or_default() |= !value.is_empty();
        }
        let filled: Vec<&str> =
            record.iter().enumerate().map(|(at, cell)| if at == 2 { value } else { cell }).collect();
        writer.write_record(&filled).map_err(|error| error.to_string())?;
    }
    let bytes = writer.into_inner().map_err(|error| error.to_string())?;
    declared.file("play/data-safety.csv", format!("{mark}{}", String::from_utf8_lossy(&bytes)));
    let unanswered: Vec<String> = open.into_iter().filter(|(_, has)| !has).map(|(id, _)| id).collect();
    if !unanswered.is_empty() {
        declared.left.push(format!("play/data-safety.csv: {}", unanswered.join(", ")));
    }
    declared.unfit.extend(answers.into_iter().filter(|(_, answer)| *answer == "true").map(
        |((question, response), _)| {
            format!("the form has no row `{question}`, `{response}`; export it anew, its ids may have changed")
        },
    ));
    Ok(())
}

/// Every answer that the policy has.
fn answers(document: &Document) -> BTreeMap<RowId, &'static str> {
    let mut answers = BTreeMap::new();
    let collected = stores::collected(document, stores::google_type);
    let mut say = |question: String, response: &str, answer| {
        answers.insert((question, response.to_owned()), answer);
    };
    let yes = |is: bool| if is { "true" } else { "false" };
    say("PSL_DATA_COLLECTION_COLLECTS_PERSONAL_DATA".to_owned(), "", yes(!collected.is_empty()));
    if document.rights.contains_key(&Right::Delete) {
        say("PSL_SUPPORT_DATA_DELETION_BY_USER".to_owned(), "DATA_DELETION_YES", "true");
        say("PSL_SUPPORT_DATA_DELETION_BY_USER".to_owned(), "DATA_DELETION_NO", "");
        say("PSL_SUPPORT_DATA_DELETION_BY_USER".to_owned(), "DATA_DELETION_NO_AUTO_DELETED", "");
    }
    for (data_type, of_type) in &collected {
        say(question_of(data_type).to_owned(), data_type, "true");
        let about = |question: &str| format!("{USAGE}{data_type}:{question}");
        let shared = of_type.purposes.iter().any(|purpose| is_shared(document, purpose));
        let how = "PSL_DATA_USAGE_COLLECTION_AND_SHARING";
        say(about(how), "PSL_DATA_USAGE_ONLY_COLLECTED", "true");
        if shared {
            say(about(how), "PSL_DATA_USAGE_ONLY_SHARED", "true");
        }
        // What is sealed on the device and sent later is not processed in memory only.
        say(about("PSL_DATA_USAGE_EPHEMERAL"), "", "false");
        let optional = of_type.purposes.iter().all(|purpose| is_refusable(purpose));
        let control = if optional { "OPTIONAL" } else { "REQUIRED" };
        say(about("DATA_USAGE_USER_CONTROL"), &format!("PSL_DATA_USAGE_USER_CONTROL_{control}"), "true");
        let uses = |purposes: &mut dyn Iterator<Item = &&Purpose>| -> BTreeSet<&str> {
            purposes.map(|purpose| stores::google_purpose(&purpose.data_use)).collect()
        };
        for purpose in uses(&mut of_type.purposes.iter()) {
            say(about("DATA_USAGE_COLLECTION_PURPOSE"), purpose, "true");
        }
        for purpose in uses(&mut of_type.purposes.iter().filter(|purpose| is_shared(document, purpose))) {
            say(about("DATA_USAGE_SHARING_PURPOSE"), purpose, "true");
        }
    }
    answers
}

/// Whether somebody who decides for themselves receives it. A processor works for the developer, and what the person
/// publishes or sends is no sharing in the words of the form.
fn is_shared(document: &Document, purpose: &Purpose) -> bool {
    let mut recipients = purpose.recipients.iter().filter_map(|id| document.recipients.get(id));
    recipients.any(|recipient| recipient.kind == RecipientType::Controller)
}

/// Whether the app works for somebody who does not want this purpose.
fn is_refusable(purpose: &Purpose) -> bool {
    purpose.legal_basis == LegalBasis::Consent || purpose.necessity == Necessity::Additional
}

/// The question under which the form lists a type.
fn question_of(data_type: &str) -> &'static str {
    match data_type {
        "PSL_CREDIT_DEBIT_BANK_ACCOUNT_NUMBER" | "PSL_PURCHASE_HISTORY" | "PSL_OTHER" => "PSL_DATA_TYPES_FINANCIAL",
        "PSL_APPROX_LOCATION" | "PSL_PRECISE_LOCATION" => "PSL_DATA_TYPES_LOCATION",
        "PSL_WEB_BROWSING_HISTORY" => "PSL_DATA_TYPES_SEARCH_AND_BROWSING",
        "PSL_SMS_CALL_LOG" | "PSL_OTHER_MESSAGES" => "PSL_DATA_TYPES_EMAIL_AND_TEXT",
        "PSL_PHOTOS" => "PSL_DATA_TYPES_PHOTOS_AND_VIDEOS",
        "PSL_AUDIO" => "PSL_DATA_TYPES_AUDIO",
        "PSL_HEALTH" => "PSL_DATA_TYPES_HEALTH_AND_FITNESS",
        "PSL_CONTACTS" => "PSL_DATA_TYPES_CONTACTS",
        "PSL_OTHER_PERFORMANCE" => "PSL_DATA_TYPES_APP_PERFORMANCE",
        "PSL_FILES_AND_DOCS" => "PSL_DATA_TYPES_FILES_AND_DOCS",
        "PSL_USER_INTERACTION"
        | "PSL_IN_APP_SEARCH_HISTORY"
        | "PSL_APPS_ON_DEVICE"
        | "PSL_USER_GENERATED_CONTENT"
        | "PSL_OTHER_APP_ACTIVITY" => "PSL_DATA_TYPES_APP_ACTIVITY",
        "PSL_DEVICE_ID" => "PSL_DATA_TYPES_IDENTIFIERS",
        _ => "PSL_DATA_TYPES_PERSONAL",
    }
}
