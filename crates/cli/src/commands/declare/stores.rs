//! What the stores call the kinds of data and the uses of a policy: its fideslang keys, mapped by their longest known part.

use std::collections::BTreeMap;

use menshen::policy::document::{Document, Id, Purpose, RecipientType};

/// A kind of data: its key, Apple's type (behind `NSPrivacyCollectedDataType`), Google's type.
const TYPES: &[(&str, &str, &str)] = &[
    ("user", "OtherDataTypes", "PSL_OTHER_PERSONAL"),
    ("user.account", "UserID", "PSL_USER_ACCOUNT"),
    ("user.behavior", "ProductInteraction", "PSL_USER_INTERACTION"),
    ("user.behavior.browsing_history", "BrowsingHistory", "PSL_WEB_BROWSING_HISTORY"),
    ("user.behavior.communication", "OtherUsageData", "PSL_OTHER_APP_ACTIVITY"),
    ("user.behavior.presence", "OtherUsageData", "PSL_OTHER_APP_ACTIVITY"),
    ("user.behavior.purchase_history", "PurchaseHistory", "PSL_PURCHASE_HISTORY"),
    ("user.behavior.search_history", "SearchHistory", "PSL_IN_APP_SEARCH_HISTORY"),
    ("user.biometric", "SensitiveInfo", "PSL_OTHER_PERSONAL"),
    ("user.contact", "OtherUserContactInfo", "PSL_OTHER_PERSONAL"),
    ("user.contact.address", "PhysicalAddress", "PSL_ADDRESS"),
    ("user.contact.email", "EmailAddress", "PSL_EMAIL"),
    ("user.contact.phone_number", "PhoneNumber", "PSL_PHONE"),
    ("user.content", "OtherUserContent", "PSL_USER_GENERATED_CONTENT"),
    ("user.content.album", "PhotosorVideos", "PSL_PHOTOS"),
    ("user.content.camera", "PhotosorVideos", "PSL_PHOTOS"),
    ("user.content.communication", "EmailsOrTextMessages", "PSL_OTHER_MESSAGES"),
    ("user.content.feedback", "CustomerSupport", "PSL_USER_GENERATED_CONTENT"),
    ("user.content.files", "OtherUserContent", "PSL_FILES_AND_DOCS"),
    ("user.content.private", "EmailsOrTextMessages", "PSL_OTHER_MESSAGES"),
    ("user.content.self_image", "PhotosorVideos", "PSL_PHOTOS"),
    ("user.content.text_messages", "EmailsOrTextMessages", "PSL_SMS_CALL_LOG"),
    ("user.content.voice", "AudioData", "PSL_AUDIO"),
    ("user.demographic.political_opinion", "SensitiveInfo", "PSL_POLITICAL_RELIGIOUS"),
    ("user.demographic.race_ethnicity", "SensitiveInfo", "PSL_RACE_ETHNICITY"),
    ("user.demographic.religious_belief", "SensitiveInfo", "PSL_POLITICAL_RELIGIOUS"),
    ("user.demographic.sexual_orientation", "SensitiveInfo", "PSL_SEXUAL_ORIENTATION_GENDER_IDENTITY"),
    ("user.device", "OtherDiagnosticData", "PSL_OTHER_PERFORMANCE"),
    ("user.device.device_id", "DeviceID", "PSL_DEVICE_ID"),
    ("user.device.installed_apps", "OtherUsageData", "PSL_APPS_ON_DEVICE"),
    ("user.device.ip_address", "OtherDataTypes", "PSL_DEVICE_ID"),
    ("user.financial", "OtherFinancialInfo", "PSL_OTHER"),
    ("user.health_and_medical", "Health", "PSL_HEALTH"),
    // A location whose precision is not stated may be precise.
    ("user.location", "PreciseLocation", "PSL_PRECISE_LOCATION"),
    ("user.location.imprecise", "CoarseLocation", "PSL_APPROX_LOCATION"),
    ("user.name", "Name", "PSL_NAME"),
    ("user.payment", "PaymentInfo", "PSL_CREDIT_DEBIT_BANK_ACCOUNT_NUMBER"),
    ("user.social", "Contacts", "PSL_CONTACTS"),
    ("user.telemetry", "OtherDiagnosticData", "PSL_OTHER_PERFORMANCE"),
    ("user.unique_id", "UserID", "PSL_USER_ACCOUNT"),
];

/// A use: its key, Apple's purpose (behind `NSPrivacyCollectedDataTypePurpose`), Google's.
const USES: &[(&str, &str, &str)] = &[
    ("", "Other", "PSL_APP_FUNCTIONALITY"),
    ("analytics", "Analytics", "PSL_ANALYTICS"),
    ("essential", "AppFunctionality", "PSL_APP_FUNCTIONALITY"),
    ("essential.fraud_detection", "AppFunctionality", "PSL_FRAUD_PREVENTION_SECURITY"),
    ("essential.service.authentication", "AppFunctionality", "PSL_ACCOUNT_MANAGEMENT"),
    ("essential.service.operations.improve", "Analytics", "PSL_ANALYTICS"),
    ("essential.service.security", "AppFunctionality", "PSL_FRAUD_PREVENTION_SECURITY"),
    ("functional", "AppFunctionality", "PSL_APP_FUNCTIONALITY"),
    ("functional.service.improve", "Analytics", "PSL_ANALYTICS"),
    ("marketing", "DeveloperAdvertising", "PSL_DEVELOPER_COMMUNICATIONS"),
    ("marketing.advertising", "DeveloperAdvertising", "PSL_ADVERTISING"),
    ("marketing.advertising.third_party", "ThirdPartyAdvertising", "PSL_ADVERTISING"),
    ("personalize", "ProductPersonalization", "PSL_PERSONALIZATION"),
];

/// The row of the longest known part of a key.
fn row(rows: &'static [(&str, &str, &str)], key: &Id) -> (&'static str, &'static str) {
    let is_part = |whole: &str| {
        whole.is_empty()
            || key.as_str().strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let longest = rows.iter().filter(|(whole, _, _)| is_part(whole)).max_by_key(|(whole, _, _)| whole.len());
    longest.map_or(("OtherDataTypes", "PSL_OTHER_PERSONAL"), |(_, apple, google)| (apple, google))
}

pub(super) fn apple_type(category: &Id) -> &'static str {
    row(TYPES, category).0
}

pub(super) fn google_type(category: &Id) -> &'static str {
    row(TYPES, category).1
}

pub(super) fn apple_purpose(data_use: &Id) -> &'static str {
    row(USES, data_use).0
}

pub(super) fn google_purpose(data_use: &Id) -> &'static str {
    row(USES, data_use).1
}

/// What is collected of one type of a store.
#[derive(Default)]
pub(super) struct Collected<'a> {
    pub(super) categories: Vec<&'a str>,
    pub(super) purposes: Vec<&'a Purpose>,
}

/// What leaves the device, by a store's type. What goes only to people whom the person chooses is not collected: the
/// stores mean data that the developer or a third party can read.
pub(super) fn collected<'a>(
    document: &'a Document,
    type_of: fn(&Id) -> &'static str,
) -> BTreeMap<&'static str, Collected<'a>> {
    let mut found: BTreeMap<&'static str, Collected<'a>> = BTreeMap::new();
    for purpose in document.purposes.values() {
        let mut recipients = purpose.recipients.iter().filter_map(|id| document.recipients.get(id));
        if recipients.all(|recipient| recipient.kind == RecipientType::People) {
            continue;
        }
        for category in &purpose.categories {
            let of_type = found.entry(type_of(category)).or_default();
            if !of_type.categories.contains(&category.as_str()) {
                of_type.categories.push(category.as_str());
            }
            if !of_type.purposes.iter().any(|known| std::ptr::eq(*known, purpose)) {
                of_type.purposes.push(purpose);
            }
        }
    }
    found
}
