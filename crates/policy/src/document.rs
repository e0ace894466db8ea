//! The policy document as types: the single definition of what a policy may say.
//!
//! Everything is keyed by id, there is one way to say each thing, and every rule names the clause of the
//! published text that it comes from. Unknown keys are errors. The JSON Schema that editors and the
//! checker use is generated from these types.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[cfg(feature = "schema")]
use schemars::JsonSchema;

pub use crate::forms::{BadForm, Date, Duration, Id, Locale, NativeKey, Place, Source, Url, Version};
pub use crate::vocabulary::{Identifier, IdentifierForm, Permission, USES};

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
    /// What kind of app it is, where the law lists what such an app may demand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_class: Option<AppClass>,
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
    /// Data that is never brought together, whoever agrees.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub never_combine: BTreeMap<Id, NeverCombine>,
    /// What the policy claims to need nobody's leave for. On the device an exception opens nothing: it explains
    /// what the server did, or why a right is refused.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub exceptions: BTreeMap<Id, Exception>,
    /// What the person may demand, and how.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "schema", schemars(schema_with = "keyed::<Right, RightTerms>"))]
    pub rights: BTreeMap<Right, RightTerms>,
    /// What is recorded when data is handed over because somebody demands it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disclosures: Option<Disclosures>,
    /// The ways in which the controller reaches the person.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub channels: BTreeMap<Id, Channel>,
    /// What the controller tells the person by itself, as signed messages.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "schema", schemars(schema_with = "keyed::<InboundNotice, InboundNoticeTerms>"))]
    pub inbound_notices: BTreeMap<InboundNotice, InboundNoticeTerms>,
    /// What is done about signals from outside the app. A signal closes; none opens.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "schema", schemars(schema_with = "keyed::<Signal, SignalUse>"))]
    pub signals: BTreeMap<Signal, SignalUse>,
    /// The cookies that are set in the app's web views, by group.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cookies: BTreeMap<Id, Cookies>,
    /// The policies of suppliers whose product is built into this app. Both controllers are named, and their text is
    /// shown, where the person is asked for one of these purposes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub upstream: BTreeMap<Id, Upstream>,
    /// What an app that builds this product in must show its own users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integrators: Option<Integrators>,
}

/// The class of an app, after the ranges of necessary personal data of common apps (China, 2021), as far as their
/// text is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AppClass {
    /// Text, voice and video between people (即时通信类).
    InstantMessaging,
    /// Forums, microblogs and the like (网络社区类).
    OnlineCommunity,
    /// Buying goods (网上购物类).
    OnlineShopping,
    /// Lessons and training (学习教育类).
    Learning,
    /// Calculators, torches and the like (实用工具类).
    Utility,
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
    /// What the policy takes as agreement to its first version.
    pub mode: AcceptanceMode,
    /// What it takes as agreement to a later version that changes something.
    pub changes: AcceptanceMode,
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
    /// How long a guardian's answer is waited for; what was kept for the question goes then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guardian_wait: Option<Duration>,
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
    /// The person is asked, and a service for everyone takes an unknown age as an adult's until it knows better,
    /// where no law pack in force says otherwise.
    GeneralAudience,
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
    /// The places, ISO 3166-1 alpha-2.
    pub stored_in: Vec<Place>,
    /// Whether a recipient may store anywhere else.
    pub abroad: Abroad,
    /// The clause this comes from.
    pub source: Source,
}

/// Whether data may be stored outside the places of the residency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Abroad {
    /// No recipient may be outside.
    Never,
    /// After a separate consent to a purpose whose recipient is outside; the engine asks for it.
    SeparateConsent,
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
    /// Whether it is of a special category (GDPR art. 9): origin, opinions, belief, union, genes, biometrics, health,
    /// sex life.
    #[serde(default, skip_serializing_if = "is_false")]
    pub special: bool,
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
    /// The use, by fideslang data use or an extension of one.
    #[serde(rename = "use")]
    pub data_use: Id,
    /// Whether the app's basic functions work without it.
    pub necessity: Necessity,
    /// What makes it lawful, unless `legal_basis_in` says otherwise.
    pub legal_basis: LegalBasis,
    /// What makes it lawful where a law pack is in force, by the pack's id. Of several in force the strictest holds:
    /// consent, legitimate interest, contract, legal duty. `instruction` holds everywhere or nowhere.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub legal_basis_in: BTreeMap<Id, LegalBasis>,
    /// How consent is given; there exactly when one of the bases is consent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<ConsentTerms>,
    /// The law that demands it; there exactly when one of the bases is a legal duty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statute: Option<String>,
    /// The kinds of data used.
    pub categories: Vec<Id>,
    /// Who receives them.
    pub recipients: Vec<Id>,
    /// How long a record is kept.
    pub retention: Retention,
    /// What an objection does; without it, the purpose is restricted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objection: Option<Objection>,
    /// There if a program decides about the person with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automated: Option<AutomatedDecision>,
    /// What the loss of a system permission does.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_revocation: OnRevocation,
}

/// Whether the basic functions of the app work without a purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Necessity {
    /// The app's basic functions cannot work without it.
    Basic,
    /// They can: it serves an additional function, or none that the person asked for.
    Additional,
}

/// What an objection of the person does.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Objection {
    /// What it does.
    pub effect: ObjectionEffect,
    /// The compelling ground, in words for the person; there exactly when the objection is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ground: Option<Text>,
    /// The clause this comes from.
    pub source: Source,
}

/// What an objection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ObjectionEffect {
    /// Nothing is read or sent while it stands; nothing is destroyed.
    Restrict,
    /// It is a withdrawal: what is kept is destroyed.
    Withdraw,
    /// Nothing, on a compelling ground such as fraud or security, which is told.
    Refused,
}

/// A decision about the person that a program makes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AutomatedDecision {
    /// What it decides and from what, in one or two sentences.
    pub text: Text,
    /// Whether it has legal or similarly significant effects (GDPR art. 22; PIPL art. 24).
    pub significant: bool,
    /// Whether a person looks at it again on request.
    pub human_review: bool,
    /// The clause this comes from.
    pub source: Source,
}

/// What makes processing lawful (GDPR art. 6; PIPL art. 13).
// In rising order of strictness: of several that hold at once the greatest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LegalBasis {
    /// A statute demands it.
    LegalDuty,
    /// The person asked for a service that needs it.
    Contract,
    /// The controller's interest, weighed against the person's. It does not exist in China.
    LegitimateInterest,
    /// Business data about other people, processed for a customer: opened by the customer's administrator, who
    /// assures that those people were told and agreed. A known no of such a person closes it.
    Instruction,
    /// The person said yes to this purpose.
    Consent,
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
    /// The administrator of a customer, for business data: an assurance, not a consent of the people it is about.
    Administrator,
}

/// How long a record is kept. On the device it is destroyed then.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// The longest time on the device from recording, ISO 8601.
    pub duration: Duration,
    /// The event that ends it earlier, as the app reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Id>,
    /// What the policy promises about the recipients' copy. The library shows it and cannot enforce it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<RetentionElsewhere>,
    /// The clause this comes from, or `not stated`.
    pub source: Source,
}

/// How long the recipients keep their copy. Absent where the policy does not say.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RetentionElsewhere {
    /// The event from which the time counts; without it, the arrival.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Id>,
    /// The longest time, ISO 8601. It, `until` or both are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Duration>,
    /// The event that ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Id>,
    /// What is done then.
    pub action: RetentionAction,
    /// The clause this comes from.
    pub source: Source,
}

/// What is done with a copy whose time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RetentionAction {
    /// It is deleted.
    Delete,
    /// It is deleted, or made anonymous: the policy leaves the choice to the controller.
    DeleteOrAnonymise,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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
    /// An audience that the person does not choose: what is published.
    Public,
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
    /// What keeps the SDK from starting or collecting by itself: the names and values that the app's Android
    /// manifest and its `Info.plist` must hold. Empty where it does nothing by itself.
    pub native_defaults: NativeDefaults,
}

/// Switches of an SDK in the files of an app.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NativeDefaults {
    /// `meta-data` of the Android manifest.
    #[cfg_attr(feature = "schema", schemars(schema_with = "keyed::<NativeKey, bool>"))]
    pub android: BTreeMap<NativeKey, bool>,
    /// Keys of the `Info.plist`.
    #[cfg_attr(feature = "schema", schemars(schema_with = "keyed::<NativeKey, bool>"))]
    pub ios: BTreeMap<NativeKey, bool>,
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
    /// One JSON object on a line for each record, gzip.
    Ndjson,
}

/// Something forbidden, or in need of somebody else's yes, under conditions. All conditions must hold; an
/// unknown one counts as holding.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What the rule does where it speaks.
    pub effect: Effect,
    /// The kind of consent that it asks for; without it, the purpose's own. A prohibition asks for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ConsentKind>,
    /// Where it speaks.
    #[serde(default)]
    pub when: Condition,
    /// What follows when data turns out to be of a person whom the rule keeps out for their age.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discovered: Option<Discovered>,
    /// What the person reads.
    pub text: Text,
    /// The clause this comes from.
    pub source: Source,
}

/// What follows when a child is discovered later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Discovered {
    /// The data is destroyed, here and at the recipients.
    Purge,
    /// The same, and the account is closed.
    PurgeAndClose,
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Effect {
    /// Forbids it, whatever anyone says: no consent, no legal basis and no exception lifts it.
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
    /// For purposes of these uses only, each with its extensions: `marketing` stands for `marketing.advertising` too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uses: Vec<Id>,
    /// For purposes that hold data of one of these kinds or of a part of one: `user.biometric` stands for
    /// `user.biometric.voice` too. A kind that the policy does not declare is held by nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<Id>,
    /// For purposes that hand data to one of these recipients.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<Id>,
    /// For purposes that hand data to a recipient of one of these types.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipient_types: Vec<RecipientType>,
    /// For purposes on these legal bases only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub legal_bases: Vec<LegalBasis>,
}

/// Data that is never brought together: what is kept for some purposes, and data of some kinds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NeverCombine {
    /// The purposes whose data stays apart.
    pub purposes: Vec<Id>,
    /// The kinds of data, each with its parts, with which it is never brought together.
    pub categories: Vec<Id>,
    /// What the person reads.
    pub text: Text,
    /// The clause this comes from.
    pub source: Source,
}

/// Something that the policy claims to need nobody's leave for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// What the person reads where it is cited.
    pub text: Text,
    /// What kind of ground it is.
    pub ground: Ground,
    /// What it is claimed for.
    pub lifts: Vec<Lifted>,
    /// The law that allows it, or `not stated`.
    pub law: String,
    /// The clause this comes from.
    pub source: Source,
}

/// The ground of an exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Ground {
    /// A duty by law, a court's order included.
    StatutoryDuty,
    /// A contract that the person asked for.
    Contract,
    /// A health emergency, or life, health and property of somebody in danger.
    VitalInterest,
    /// News and scrutiny in the public interest.
    Journalism,
    /// What the person, or somebody lawfully, made public.
    MadePublic,
    /// What another law names.
    OtherLaw,
    /// National security and defence.
    NationalSecurity,
    /// Public safety, public health, major public interests.
    PublicSafety,
    /// Investigation, prosecution, trial, execution of judgments.
    CriminalJustice,
    /// The safe and stable running of the service.
    ServiceSafety,
    /// Research and statistics.
    Research,
    /// The controller's own rights, property and interests.
    OwnInterest,
    /// A sale or merger of the business.
    BusinessTransfer,
    /// Companies that work for the controller or with it.
    Partners,
    /// Data that points at nobody any more.
    Anonymous,
    /// Rights and interests of other people.
    OthersRights,
    /// A request made in bad faith or over and over.
    Abuse,
    /// An effort out of proportion.
    Disproportionate,
    /// Trade secrets.
    TradeSecret,
}

/// What an exception is claimed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Lifted {
    /// Collecting and using data without consent.
    Consent,
    /// Handing data to others without consent.
    Disclosure,
    /// Refusing what the person demands.
    Right,
}

/// What the person may demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Right {
    /// To see the data.
    Access,
    /// A report of what was collected, from where, for what and for whom.
    Report,
    /// A copy.
    Copy,
    /// The data in a form that another service can take in.
    Portability,
    /// To have it corrected.
    Correct,
    /// To have it deleted.
    Delete,
    /// To have its use stopped while something is clarified.
    Restrict,
    /// To object to a use.
    Object,
    /// To take a consent back.
    Withdraw,
    /// To be left out of direct marketing.
    RefuseMarketing,
    /// To keep data from being sold or shared.
    RefuseSale,
    /// To have a person look at a program's decision.
    HumanReview,
    /// To close the account.
    CloseAccount,
    /// To read the records of disclosures.
    DisclosureRecords,
    /// To be treated no worse for using a right.
    EqualTreatment,
    /// To complain, to the controller or to an authority.
    Complain,
}

/// How a right is used.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RightTerms {
    /// For people who live in the territories of these law packs; without it, for everyone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jurisdictions: Vec<Id>,
    /// How to use it: the way through the app, or whom to write to.
    pub way: Text,
    /// What the policy limits it to, in words for the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Text>,
    /// How far back it reaches, in months; without it, without limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub months_back: Option<u8>,
    /// Whether the person's identity is verified first.
    pub verification: bool,
    /// When the answer is due; absent where the policy names no time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Due>,
    /// The exceptions on which it may be refused, with the reason told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused_on: Vec<Id>,
    /// The clause this comes from.
    pub source: Source,
}

/// When an answer is due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Due {
    /// How many.
    pub count: u8,
    /// Of what.
    pub unit: DueUnit,
    /// From when.
    pub from: DueFrom,
}

/// The unit of a due time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DueUnit {
    /// Calendar days.
    Days,
    /// Days from Monday to Friday; public holidays are not known here, so an answer may be due later.
    WorkingDays,
    /// Calendar months: the same day, or the last of a shorter month.
    Months,
}

/// From when a due time counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DueFrom {
    /// The arrival of the request.
    Request,
    /// The day on which the person was verified.
    Verification,
}

/// What is recorded when data is handed over because somebody demands it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Disclosures {
    /// What stands in the record.
    pub recorded: Vec<DisclosureField>,
    /// The exceptions on which it happens.
    pub exceptions: Vec<Id>,
    /// Whether the person can read the records.
    pub readable: bool,
    /// The clause this comes from.
    pub source: Source,
}

/// One part of the record of a disclosure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DisclosureField {
    /// What was handed over.
    Content,
    /// When.
    Time,
    /// Why.
    Reason,
    /// To whom.
    Recipient,
}

/// A way in which the controller reaches the person.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// What it is called beside its switch.
    pub name: Text,
    /// What carries it.
    pub medium: Medium,
    /// The purpose that it serves: it is open only while that is.
    pub purpose: Id,
    /// How to be left out; absent where the policy offers no way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opt_out: Option<OptOut>,
    /// The clause this comes from.
    pub source: Source,
}

/// What carries a message to the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Medium {
    /// A notification on the device.
    Push,
    /// A message inside the app.
    InApp,
    /// An e-mail.
    Email,
    /// A text message.
    TextMessage,
    /// A call.
    Telephone,
}

/// How to be left out of a channel.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct OptOut {
    /// The way, in words for the person.
    pub way: Text,
    /// Whether the controller is asked to take the person off its list, too.
    pub asks_controller: bool,
}

/// A kind of message from the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum InboundNotice {
    /// A new version of the policy.
    PolicyChange,
    /// Data leaked, or may have. No opt-out suppresses it.
    Breach,
    /// Data was handed over because somebody demanded it.
    Disclosure,
    /// Another company answers for the data now.
    ChangeOfController,
    /// The answer to something that the person demanded.
    AnswerToRight,
}

/// How a message of the controller reaches the person.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct InboundNoticeTerms {
    /// What carries it.
    pub media: Vec<Medium>,
    /// What the person is told, in words for them.
    pub text: Text,
    /// The clause this comes from.
    pub source: Source,
}

/// A signal from outside the app. All of them are read only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub enum Signal {
    /// Global Privacy Control: set, it is an objection. Not set, it says nothing.
    #[serde(rename = "gpc")]
    Gpc,
    /// App Tracking Transparency (iOS): without it these purposes stay closed.
    #[serde(rename = "att")]
    Att,
    /// The strings of the IAB's Transparency and Consent Framework: a no in them is a no.
    #[serde(rename = "tcf")]
    Tcf,
    /// The strings of the IAB's Global Privacy Platform: a no in them is a no.
    #[serde(rename = "gpp")]
    Gpp,
    /// Google's Consent Mode, told to its SDKs: advertising storage.
    #[serde(rename = "consent-mode.ad-storage")]
    AdStorage,
    /// Google's Consent Mode: user data sent for advertising.
    #[serde(rename = "consent-mode.ad-user-data")]
    AdUserData,
    /// Google's Consent Mode: personalised advertising.
    #[serde(rename = "consent-mode.ad-personalization")]
    AdPersonalization,
    /// Google's Consent Mode: analytics storage.
    #[serde(rename = "consent-mode.analytics-storage")]
    AnalyticsStorage,
}

/// What a signal speaks about.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SignalUse {
    /// The purposes that it closes; for Consent Mode, those that must all be allowed for it to be granted.
    pub purposes: Vec<Id>,
    /// The clause this comes from, or `not stated`.
    pub source: Source,
}

/// A group of cookies in the app's web views.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Cookies {
    /// What it is called beside its switch.
    pub name: Text,
    /// The purpose that they serve: they are set only while that is allowed, and removed after.
    pub purpose: Id,
    /// Whether somebody else than the maker sets them.
    pub third_party: bool,
    /// The clause this comes from.
    pub source: Source,
}

/// The policy of a supplier whose product is built in.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// The supplier, who is named in the prompt beside the controller.
    pub name: Text,
    /// The id of its policy.
    pub policy: Id,
    /// The version of it that this app is built on.
    pub version: Version,
    /// The supplier's text that the person must see.
    pub must_show: Text,
    /// The purposes for which one answer is recorded under both policies; a no under either closes.
    pub purposes: Vec<Id>,
    /// The clause this comes from.
    pub source: Source,
}

/// What an app that builds this product in owes its own users.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Integrators {
    /// The text that its users must see.
    pub must_show: Text,
    /// The kind of consent that it must obtain from them.
    pub consent: ConsentKind,
    /// The clause this comes from.
    pub source: Source,
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
