//! The policy document as types: the single definition of what a policy may say.
//!
//! Everything is keyed by id, there is one way to say each thing, and every rule names the clause of the
//! published text that it comes from. Unknown keys are errors. The JSON Schema that editors and the
//! checker use is generated from these types.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

#[cfg(feature = "schema")]
use schemars::JsonSchema;

/// Text for people, one entry for each locale that the policy declares.
pub type Text = BTreeMap<Locale, String>;

/// An app's privacy policy.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The JSON Schema for editors; not part of the policy.
    #[serde(rename = "$schema", default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// The policy's own name; it never changes between versions.
    pub id: Id,
    /// The version of this text, by Semantic Versioning.
    pub version: Version,
    /// The day from which what this version takes away ends, and what it adds may be asked for.
    pub effective_from: Date,
    /// The locales in which every text is given (BCP 47); the first is the fallback.
    pub locales: Vec<Locale>,
    /// The law packs that hold for everyone under this policy, wherever they live. The packs of the
    /// person's place hold besides.
    pub jurisdictions: Vec<Id>,
    /// Who answers for the data.
    pub controller: Controller,
    /// How a person agrees to the policy as a whole.
    pub acceptance: Acceptance,
    /// How the person's age and place become known.
    pub subject: SubjectSource,
    /// The statement shown and agreed before anything else.
    pub notice: Notice,
    /// Where personal data may be stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub residency: Option<Residency>,
    /// The kinds of data that the policy speaks of, by fideslang key or an extension of one.
    pub categories: BTreeMap<Id, Category>,
    /// What the data is for. Consent, keys and withdrawal are per purpose.
    pub purposes: BTreeMap<Id, Purpose>,
    /// What the person can do in the app, and what that needs.
    pub features: BTreeMap<Id, Feature>,
    /// What the app records.
    #[serde(default)]
    pub events: BTreeMap<Id, Event>,
    /// Who receives data, the maker included.
    pub recipients: BTreeMap<Id, Recipient>,
    /// Where the library sends what is still allowed.
    #[serde(default)]
    pub endpoints: BTreeMap<Id, Endpoint>,
    /// What is forbidden, or needs somebody else's yes, under conditions. Rules have no order.
    #[serde(default)]
    pub rules: BTreeMap<Id, Rule>,
}

/// Who answers for the data.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Controller {
    /// The name that the person knows.
    pub name: Text,
    /// The postal address.
    pub address: Text,
    /// How to reach the controller: an address, a number, or the words of the policy.
    pub contact: Text,
    /// The clause this comes from.
    pub source: Source,
}

/// How a person agrees to the policy as a whole.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Acceptance {
    /// What the policy takes as agreement.
    pub mode: AcceptanceMode,
    /// The clause this comes from.
    pub source: Source,
}

/// What a policy takes as agreement. The engine always asks explicitly; a laxer mode is a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AcceptanceMode {
    /// A button that says so.
    Explicit,
    /// The act of signing in.
    Login,
    /// Use of the app. No law pack accepts it, so the engine asks explicitly all the same.
    ContinuedUse,
}

/// How age and place become known.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SubjectSource {
    /// Where the answer comes from.
    pub age_and_place: SubjectMode,
    /// The clause this comes from.
    pub source: Source,
}

/// Where age and place come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SubjectMode {
    /// One neutral question to the person.
    Asked,
    /// The app knows and tells the library.
    Supplied,
}

/// The statement shown and agreed before anything else.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// One line.
    pub title: Text,
    /// What the person should know, for a small screen.
    pub body: Text,
    /// The clause this comes from.
    pub source: Source,
}

/// Where personal data may be stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Residency {
    /// The only places, ISO 3166-1 alpha-2.
    pub stored_in: Vec<Place>,
    /// The clause this comes from.
    pub source: Source,
}

/// A kind of data.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Category {
    /// What it is called in a prompt.
    pub name: Text,
    /// Whether its leak would harm the person (PIPL art. 28; GB/T 35273 annex B).
    #[serde(default, skip_serializing_if = "is_false")]
    pub sensitive: bool,
}

/// What data is for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Purpose {
    /// A short name, as it stands beside a switch.
    pub name: Text,
    /// Why the data is needed, in one or two sentences. The prompt shows it.
    pub text: Text,
    /// The clause this comes from.
    pub source: Source,
    /// What makes it lawful.
    pub legal_basis: LegalBasis,
    /// How consent is given; there exactly when the basis is consent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<ConsentTerms>,
    /// The law that demands it; there exactly when the basis is a legal duty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statute: Option<String>,
    /// The kinds of data used.
    pub categories: Vec<Id>,
    /// Who receives them.
    pub recipients: Vec<Id>,
    /// How long a record is kept on the device.
    pub retention: Retention,
    /// What the loss of a system permission does.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_revocation: OnRevocation,
}

/// What makes processing lawful (GDPR art. 6; PIPL art. 13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LegalBasis {
    /// The person said yes to this purpose.
    Consent,
    /// The person asked for a service that needs it.
    Contract,
    /// A statute demands it.
    LegalDuty,
    /// The controller's interest, weighed against the person's. It does not exist in China.
    LegitimateInterest,
}

/// How consent is given.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ConsentTerms {
    /// The kind of consent.
    pub kind: ConsentKind,
    /// Who gives it.
    pub given_by: Giver,
    /// How long a yes holds (ISO 8601); without it, until it is withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_for: Option<Duration>,
}

/// The kind of a consent. A weaker kind never stands in for a stronger one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ConsentKind {
    /// One yes to one purpose.
    General,
    /// A prompt of its own (单独同意, PIPL art. 23, 25, 29, 39).
    Separate,
    /// In writing.
    Written,
}

/// Who gives a consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Giver {
    /// The person.
    Subject,
    /// A parent or guardian.
    Guardian,
    /// Both of them; a no of either wins.
    Both,
}

/// How long a record is kept on the device.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// The longest time from recording, ISO 8601.
    pub duration: Duration,
    /// The event that ends it earlier, as the app reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Id>,
    /// The clause this comes from, or `not stated`.
    pub source: Source,
}

/// What the loss of a system permission does to a purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum OnRevocation {
    /// Nothing is read until the permission is back; what is sealed is still sent.
    #[default]
    Suspend,
    /// The consent ends, once the person confirms that it was their act.
    Withdraw,
}

/// What the person can do in the app.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// What it is called on screen.
    pub name: Text,
    /// The purposes that must be allowed, all of them.
    pub purposes: Vec<Id>,
    /// The system permissions that must be there, all of them, each with the text shown when asking.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "keyed::<Permission, PermissionUse>"))]
    pub permissions: BTreeMap<Permission, PermissionUse>,
    /// What refusing means, in one sentence.
    pub refused: Text,
    /// The clause this comes from.
    pub source: Source,
}

/// Why one feature needs one system permission.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PermissionUse {
    /// What the person reads beside the system dialog.
    pub text: Text,
    /// The clause this comes from.
    pub source: Source,
}

/// A system permission, by one name for Android and iOS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub enum Permission {
    /// Where the device is, to the street.
    #[serde(rename = "location.precise")]
    LocationPrecise,
    /// Where the device is, to the district.
    #[serde(rename = "location.coarse")]
    LocationCoarse,
    /// The camera.
    #[serde(rename = "camera")]
    Camera,
    /// The microphone.
    #[serde(rename = "microphone")]
    Microphone,
    /// Reading the address book.
    #[serde(rename = "contacts.read")]
    ContactsRead,
    /// Writing the address book.
    #[serde(rename = "contacts.write")]
    ContactsWrite,
    /// The photo library.
    #[serde(rename = "photos")]
    Photos,
    /// Sending and reading text messages (Android).
    #[serde(rename = "sms")]
    Sms,
    /// Files of other apps (Android).
    #[serde(rename = "storage")]
    Storage,
    /// Showing notifications.
    #[serde(rename = "notifications")]
    Notifications,
    /// The telephone state, which carries hardware identifiers (Android).
    #[serde(rename = "phone-state")]
    PhoneState,
    /// The advertising identifier (iOS App Tracking Transparency).
    #[serde(rename = "tracking")]
    Tracking,
}

/// Something the app records.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// The purpose it serves.
    pub purpose: Id,
    /// Everything it may carry. What is not declared is refused or dropped.
    pub fields: BTreeMap<Id, Field>,
    /// The clause this comes from.
    pub source: Source,
}

/// One field of an event.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// The type of its value.
    #[serde(rename = "type")]
    pub kind: FieldType,
    /// The kind of data it holds; one that the purpose declares.
    pub category: Id,
    /// The form in which it is stored and sent.
    #[serde(default, skip_serializing_if = "is_default")]
    pub form: FieldForm,
}

/// The type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FieldType {
    /// Text, UTF-8.
    String,
    /// A whole number of 64 bits, signed.
    Integer,
    /// A number with a fraction, IEEE 754 double, finite.
    Number,
    /// Yes or no.
    Boolean,
}

/// The form in which a field is stored and sent.
// In rising order of strictness: the greater of two versions' forms holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FieldForm {
    /// As it was recorded.
    #[default]
    Plain,
    /// HMAC-SHA-256 under a key of the purpose: equal values stay equal, within one consent only.
    KeyedHash,
}

/// Who receives data.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Recipient {
    /// The name that the person can look up.
    pub name: Text,
    /// What it is to the controller.
    #[serde(rename = "type")]
    pub kind: RecipientType,
    /// How to reach it, or `not stated`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// Where it stores, ISO 3166-1 alpha-2; absent where the policy does not state it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// There if it runs as an SDK inside the app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sdk: Option<Sdk>,
    /// The device identifiers that it may be handed, each in its smallest useful form. What is not listed
    /// is refused as undeclared.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "keyed::<Identifier, IdentifierUse>"))]
    pub identifiers: BTreeMap<Identifier, IdentifierUse>,
    /// The clause this comes from.
    pub source: Source,
}

/// What a recipient is to the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RecipientType {
    /// The controller itself.
    Maker,
    /// Works on the controller's instruction.
    Processor,
    /// Decides for itself what it does with the data.
    Controller,
    /// People whom the person chooses.
    People,
    /// A public authority.
    Authority,
}

/// Code of a third party inside the app.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Sdk {
    /// When it may start.
    pub start: SdkStart,
}

/// When a third-party SDK may start. One that starts itself cannot be expressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SdkStart {
    /// Once every purpose that names it as a recipient is allowed.
    AfterConsent,
    /// Never on this device: the policy names it only to keep it out.
    Never,
}

/// A device identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Identifier {
    /// International Mobile Equipment Identity (Android).
    Imei,
    /// International Mobile Subscriber Identity, of the SIM card (Android).
    Imsi,
    /// Settings.Secure.ANDROID_ID.
    AndroidId,
    /// Open Anonymous Device Identifier of the Mobile Security Alliance (Android, China).
    Oaid,
    /// Google's advertising identifier.
    AdvertisingId,
    /// Apple's advertising identifier.
    Idfa,
    /// Apple's identifier for the vendor.
    Idfv,
    /// An identifier that apps once shared through the pasteboard (iOS).
    Openudid,
    /// An identifier that an SDK makes for itself.
    Guid,
    /// The network hardware address.
    Mac,
    /// The address of the device in the network.
    IpAddress,
}

/// How one identifier is handed to one recipient.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct IdentifierUse {
    /// The form that is handed out.
    pub form: IdentifierForm,
    /// The clause this comes from.
    pub source: Source,
}

/// The form of an identifier. The raw value is not a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum IdentifierForm {
    /// Declared, and never handed out; the platform is not read.
    Refused,
    /// HMAC-SHA-256 of the value under a key of this recipient and consent: useless to anyone else, and
    /// another value after a withdrawal.
    KeyedHash,
    /// A random value of this recipient and consent in place of the identifier; the platform is not read.
    Pseudonym,
    /// The address without its last part (IPv4 /24, IPv6 /48).
    Truncated,
}

impl IdentifierForm {
    /// How little of the identifier is left, for comparing: the stricter form of two versions is handed out.
    #[must_use]
    pub fn strictness(self) -> u8 {
        match self {
            Self::Truncated => 0,
            Self::KeyedHash => 1,
            Self::Pseudonym => 2,
            Self::Refused => 3,
        }
    }
}

/// Where the library sends what is still allowed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// An `https` address, or `http` on a loopback address for tests.
    pub url: Url,
    /// Whose it is. Records of a purpose go there when the purpose names this recipient.
    pub recipient: Id,
    /// How records are written.
    pub encoding: Encoding,
}

/// How records are written for an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Encoding {
    /// OTLP/HTTP logs, protobuf, gzip.
    Otlp,
}

/// Something forbidden, or in need of somebody else's yes, under conditions. All conditions must hold; an
/// unknown one counts as holding.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What the rule does where it speaks.
    pub effect: Effect,
    /// Where it speaks.
    #[serde(default)]
    pub when: Condition,
    /// What the person reads.
    pub text: Text,
    /// The clause this comes from.
    pub source: Source,
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Effect {
    /// Forbids it, whatever anyone says.
    Deny,
    /// A guardian must say yes.
    Guardian,
    /// The person must say yes, whatever the legal basis.
    Ask,
}

/// Where a rule speaks.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// For a person younger than this, in full years.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_below: Option<u8>,
    /// For a person of this age or older, in full years.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_from: Option<u8>,
    /// For a person who lives in one of the territories of these law packs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jurisdictions: Vec<Id>,
    /// For these purposes only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub purposes: Vec<Id>,
    /// For purposes on these legal bases only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub legal_bases: Vec<LegalBasis>,
}

/// The schema of a map whose keys are words of a closed set.
#[cfg(feature = "schema")]
fn keyed<K: JsonSchema, V: JsonSchema>(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "propertyNames": generator.subschema_for::<K>(),
        "additionalProperties": generator.subschema_for::<V>(),
    })
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

macro_rules! string_type {
    ($(#[$doc:meta])* $name:ident, $pattern:literal, $check:expr, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[cfg_attr(feature = "schema", derive(JsonSchema))]
        #[serde(transparent)]
        pub struct $name(
            #[cfg_attr(feature = "schema", schemars(regex(pattern = $pattern)))]
            String
        );

        impl $name {
            /// Reads one, checking its form.
            ///
            /// # Errors
            /// The text has another form.
            pub fn parse(text: &str) -> Result<Self, BadForm> {
                let check: fn(&str) -> bool = $check;
                if check(text) { Ok(Self(text.to_owned())) } else { Err(BadForm($what)) }
            }

            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

/// A text that is not of the form its place demands; says which form that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadForm(&'static str);

impl fmt::Display for BadForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", self.0)
    }
}

impl std::error::Error for BadForm {}

string_type!(
    /// A name inside a policy: lower-case words of letters and digits, joined by `-`, `_` or `.`, at most 64 bytes.
    Id,
    r"^[a-z][a-z0-9]*([-_.][a-z0-9]+)*$",
    |text| {
        text.len() <= 64
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.split(['-', '_', '.']).all(|word| {
                !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            })
    },
    "an id: lower-case letters and digits in words joined by `-`, `_` or `.`"
);

string_type!(
    /// A locale, BCP 47: `en`, `zh-Hans`, `zh-Hant-TW`.
    Locale,
    r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$",
    |text| {
        let mut parts = text.split('-');
        parts.next().is_some_and(|p| (2..=3).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_lowercase()))
            && parts.all(|p| (2..=8).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_alphanumeric()))
    },
    "a locale such as `en` or `zh-Hans` (BCP 47)"
);

string_type!(
    /// A place, ISO 3166-1 alpha-2, with an optional subdivision (ISO 3166-2): `CN`, `US-CA`.
    Place,
    r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$",
    |text| {
        let (country, rest) = text.split_once('-').map_or((text, None), |(c, r)| (c, Some(r)));
        country.len() == 2
            && country.bytes().all(|b| b.is_ascii_uppercase())
            && rest.is_none_or(|r| {
                (1..=3).contains(&r.len()) && r.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
            })
    },
    "a place such as `DE` or `US-CA` (ISO 3166)"
);

string_type!(
    /// The clause of the published text that something comes from: the text's number, then the clause as
    /// printed there or `¶` and the number of the non-blank paragraph; or `not stated`.
    Source,
    r"^(not stated|[0-9]{3} .+)$",
    |text| {
        text == "not stated"
            || text.split_once(' ').is_some_and(|(n, clause)| {
                n.len() == 3 && n.bytes().all(|b| b.is_ascii_digit()) && !clause.trim().is_empty()
            })
    },
    "a source such as `001 ¶22`, or `not stated`"
);

string_type!(
    /// A day, ISO 8601: `2024-06-12`.
    Date,
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
    |text| text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok(),
    "a date such as `2024-06-12`"
);

string_type!(
    /// A version, Semantic Versioning without a pre-release: `1.2.0`.
    Version,
    r"^(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})$",
    |text| {
        let parts: Vec<_> = text.split('.').collect();
        parts.len() == 3
            && parts.iter().all(|p| {
                (1..=9).contains(&p.len())
                    && p.bytes().all(|b| b.is_ascii_digit())
                    && (p.len() == 1 || !p.starts_with('0'))
            })
    },
    "a version such as `1.0.0`"
);

string_type!(
    /// A span of time in weeks, days, hours, minutes and seconds, ISO 8601: `P15D`, `PT24H`. At most ten years.
    Duration,
    r"^P([0-9]+W|([0-9]+D)?(T([0-9]+H)?([0-9]+M)?([0-9]+S)?)?)$",
    |text| duration_seconds(text).is_some(),
    "a duration such as `P15D` or `PT24H` (ISO 8601), longer than zero and at most ten years"
);

string_type!(
    /// An address: `https://…`, or `http://` on a loopback address.
    Url,
    r"^(https://.+|http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?(/.*)?)$",
    |text| {
        let plain = |c: char| c.is_ascii_graphic();
        if !text.chars().all(plain) {
            return false;
        }
        if let Some(rest) = text.strip_prefix("https://") {
            return !rest.is_empty() && !rest.starts_with('/') && !rest.contains('@');
        }
        text.strip_prefix("http://").is_some_and(|rest| {
            let host = rest.split('/').next().unwrap_or(rest);
            let name = host.rsplit_once(':').filter(|(h, p)| {
                !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()) && (!h.contains(':') || h.ends_with(']'))
            });
            matches!(name.map_or(host, |(h, _)| h), "127.0.0.1" | "localhost" | "[::1]")
        })
    },
    "an `https` address (`http` only on a loopback address)"
);

impl Version {
    /// The three numbers, for comparing.
    #[must_use]
    pub fn numbers(&self) -> (u32, u32, u32) {
        let mut parts = self.0.split('.').map(|p| p.parse().unwrap_or(0));
        let mut next = || parts.next().unwrap_or(0);
        (next(), next(), next())
    }
}

impl Duration {
    /// Its length in seconds.
    #[must_use]
    pub fn seconds(&self) -> u64 {
        duration_seconds(&self.0).unwrap_or(0)
    }
}

/// The length of an ISO 8601 duration without years and months, which have no fixed length.
fn duration_seconds(text: &str) -> Option<u64> {
    const TEN_YEARS: u64 = 3653 * 86_400;
    let rest = text.strip_prefix('P')?;
    let (date, time) = rest.split_once('T').map_or((rest, None), |(d, t)| (d, Some(t)));
    if time.is_some_and(str::is_empty) {
        return None;
    }
    let mut total: u64 = 0;
    for (part, units) in [
        (date, [('W', 604_800), ('D', 86_400)].as_slice()),
        (time.unwrap_or(""), [('H', 3600), ('M', 60), ('S', 1)].as_slice()),
    ] {
        let mut units = units.iter();
        let mut rest = part;
        while !rest.is_empty() {
            let end = rest.find(|c: char| !c.is_ascii_digit())?;
            let (digits, tail) = rest.split_at(end);
            let unit = tail.chars().next()?;
            // Units stand in their order, each at most once.
            let (_, seconds) = units.by_ref().find(|(letter, _)| *letter == unit)?;
            total = total.checked_add(digits.parse::<u64>().ok()?.checked_mul(*seconds)?)?;
            rest = tail.get(1..)?;
        }
    }
    (1..=TEN_YEARS).contains(&total).then_some(total)
}

macro_rules! ids {
    ($name:ident { $($variant:ident => $id:literal),+ $(,)? }) => {
        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The id, as a policy writes it.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $(Self::$variant => $id),+ }
            }

            /// The one with an id.
            #[must_use]
            pub fn from_id(id: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.id() == id)
            }
        }
    };
}

ids!(Permission {
    LocationPrecise => "location.precise",
    LocationCoarse => "location.coarse",
    Camera => "camera",
    Microphone => "microphone",
    ContactsRead => "contacts.read",
    ContactsWrite => "contacts.write",
    Photos => "photos",
    Sms => "sms",
    Storage => "storage",
    Notifications => "notifications",
    PhoneState => "phone-state",
    Tracking => "tracking",
});

ids!(Identifier {
    Imei => "imei",
    Imsi => "imsi",
    AndroidId => "android-id",
    Oaid => "oaid",
    AdvertisingId => "advertising-id",
    Idfa => "idfa",
    Idfv => "idfv",
    Openudid => "openudid",
    Guid => "guid",
    Mac => "mac",
    IpAddress => "ip-address",
});

ids!(IdentifierForm {
    Refused => "refused",
    KeyedHash => "keyed-hash",
    Pseudonym => "pseudonym",
    Truncated => "truncated",
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_what_a_document_writes() {
        for permission in Permission::ALL {
            assert_eq!(serde_json::to_value(permission).unwrap(), permission.id());
        }
        for identifier in Identifier::ALL {
            assert_eq!(serde_json::to_value(identifier).unwrap(), identifier.id());
        }
        for form in IdentifierForm::ALL {
            assert_eq!(serde_json::to_value(form).unwrap(), form.id());
        }
    }
}
