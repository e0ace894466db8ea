//! The policy document as types: the single definition of what a policy may say.
//!
//! Everything is keyed by id, there is one way to say each thing, and every rule names the clause of the
//! published text that it comes from. Unknown keys are errors. The JSON Schema that editors and the
//! checker use is generated from these types.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[cfg(feature = "schema")]
use schemars::JsonSchema;

pub use crate::forms::{BadForm, Date, Duration, Id, Locale, Place, Source, Url, Version};
pub use crate::vocabulary::{Identifier, IdentifierForm, Permission};

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

/// What the text takes as agreement. It says what is written, and loosens nothing: the engine asks explicitly in
/// every mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AcceptanceMode {
    /// A button that says so.
    Explicit,
    /// The act of signing in.
    Login,
    /// Use of the app.
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
    /// The app knows and tells the library; the person is not asked. What depends on them is closed until then.
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
