//! The record of processing activities of a controller (GDPR art. 30(1)).

use menshen::Policy;
use menshen::policy::document::{LegalBasis, Purpose, RecipientType, RetentionAction};

use super::table::Table;
use super::{Declared, local, locale};
use crate::words::{article, word};

const COLUMNS: &[(&str, &str)] = &[
    ("activity", "Processing activity"),
    ("purpose", "Purpose"),
    ("legal_basis", "Legal basis"),
    ("subjects", "Data subjects"),
    ("categories", "Categories of data"),
    ("recipients", "Recipients"),
    ("transfers", "Places of the recipients"),
    ("erasure", "Time limits for erasure"),
    ("source", "Clause"),
];

pub(super) fn declare(policy: &Policy, declared: &mut Declared) {
    let locale = locale(policy, &["en"]);
    let document = policy.document();
    let controller = &document.controller;
    let rows = document.purposes.iter().map(|(id, purpose)| {
        vec![
            format!("{} ({id})", local(&purpose.name, locale)),
            local(&purpose.text, locale).to_owned(),
            basis(purpose),
            match purpose.legal_basis {
                LegalBasis::Instruction => "people in the business data of customers".to_owned(),
                _ => "people who use the app".to_owned(),
            },
            categories(policy, purpose, locale),
            recipients(policy, purpose, locale, false),
            recipients(policy, purpose, locale, true),
            erasure(purpose),
            purpose.source.to_string(),
        ]
    });
    let stored = document.residency.as_ref().map_or_else(
        || "not stated".to_owned(),
        |residency| residency.stored_in.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    );
    let security = "Records are sealed on the device under a key for each purpose, which a withdrawal destroys; what is \
                    sent goes over TLS; every answer and every opening stands in a signed ledger.";
    let table = Table {
        locale,
        title: "Record of processing activities (GDPR art. 30(1))".to_owned(),
        facts: vec![
            ("Controller", local(&controller.name, locale).to_owned()),
            ("Address", local(&controller.address, locale).to_owned()),
            ("Contact", local(&controller.contact, locale).to_owned()),
            ("Policy", format!("{} {}, in effect from {}", document.id, document.version, document.effective_from)),
            ("Stored in", stored),
            ("Security on the device", security.to_owned()),
        ],
        columns: COLUMNS,
        rows: rows.collect(),
    };
    table.declare(policy, "gdpr/processing-register", declared);
    declared.left.push(
        "gdpr/processing-register: representative, data protection officer, safeguards of transfers and security at the \
         servers, which are not in a policy"
            .to_owned(),
    );
}

fn basis(purpose: &Purpose) -> String {
    let basis = purpose.legal_basis_in.get("eu").copied().unwrap_or(purpose.legal_basis);
    let statute = purpose.statute.iter().filter(|_| basis == LegalBasis::LegalDuty).map(String::as_str);
    let words = word(&basis).replace('-', " ");
    std::iter::once(words.as_str()).chain(article(basis, "eu")).chain(statute).collect::<Vec<_>>().join(", ")
}

fn categories(policy: &Policy, purpose: &Purpose, locale: &str) -> String {
    let categories = &policy.document().categories;
    let named = purpose.categories.iter().filter_map(|id| categories.get(id)).map(|category| {
        let special = if category.special { " (special category)" } else { "" };
        format!("{}{special}", local(&category.name, locale))
    });
    named.collect::<Vec<_>>().join("; ")
}

/// Who receives the data, or where those are who are not the controller itself or people whom the person chooses.
fn recipients(policy: &Policy, purpose: &Purpose, locale: &str, places: bool) -> String {
    let recipients = purpose.recipients.iter().filter_map(|id| policy.recipient(id.as_str()));
    let told = recipients.filter_map(|recipient| {
        let name = local(&recipient.name, locale);
        if !places {
            return Some(format!("{name} ({})", word(&recipient.kind)));
        }
        let elsewhere = !matches!(recipient.kind, RecipientType::Maker | RecipientType::People | RecipientType::Public);
        let place = recipient.place.as_ref().map_or("not stated", |place| place.as_str());
        elsewhere.then(|| format!("{name}: {place}"))
    });
    told.collect::<Vec<_>>().join("; ")
}

fn erasure(purpose: &Purpose) -> String {
    let retention = &purpose.retention;
    let or_at =
        |until: Option<&dyn std::fmt::Display>| until.map(|event| format!(" or at `{event}`")).unwrap_or_default();
    let until = retention.until.as_ref().map(|id| id as &dyn std::fmt::Display);
    let device = format!("on the device {} from recording{}", retention.duration, or_at(until));
    let Some(elsewhere) = &retention.elsewhere else { return format!("{device}; at the recipients not stated") };
    let start = elsewhere.start.as_ref().map_or_else(|| "arrival".to_owned(), |event| format!("`{event}`"));
    let time = match (&elsewhere.duration, &elsewhere.until) {
        (Some(duration), Some(event)) => format!("{duration} from {start} or at `{event}`"),
        (Some(duration), None) => format!("{duration} from {start}"),
        (None, Some(event)) => format!("until `{event}`"),
        (None, None) => "not stated".to_owned(),
    };
    let action = match elsewhere.action {
        RetentionAction::DeleteOrAnonymise => "then deleted or made anonymous",
        _ => "then deleted",
    };
    format!("{device}; at the recipients {time}, {action}")
}
