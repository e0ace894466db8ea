//! The library's values as records that cross the bridge.

use menshen::{
    Answer, Denial, Error, IdentifierAnswer, Identity, LedgerVerdict, Maintained, Offer, Outcome, Particular, Prompt,
    PromptKind, Put, Recorded, Remedy, Step, TransportReply, UploadOutcome, UploadRequest, Value, Withdrawal,
};

use crate::error::BridgeError;
use crate::foreign::BridgePermissionState;
use crate::rights::BridgeExercised;

/// What a decision rests on.
#[derive(Clone, Debug, uniffi::Record)]
pub struct BridgeIdentity {
    /// The policy's id.
    pub policy_id: String,
    /// Its version.
    pub policy_version: String,
    /// The SHA-256 of its canonical bytes, in lower-case hexadecimal.
    pub policy_hash: String,
    /// The law packs in force for the person.
    pub law_packs: Vec<BridgePackIdentity>,
}

/// The identity of a law pack.
#[derive(Clone, Debug, uniffi::Record)]
pub struct BridgePackIdentity {
    /// The pack's id.
    pub id: String,
    /// The day of the pack, ISO 8601.
    pub as_of: String,
    /// Its SHA-256, in lower-case hexadecimal.
    pub hash: String,
}

impl From<&Identity> for BridgeIdentity {
    fn from(identity: &Identity) -> Self {
        let pack = |pack: &menshen::PackIdentity| BridgePackIdentity {
            id: pack.id.clone(),
            as_of: pack.as_of.clone(),
            hash: pack.hash.clone(),
        };
        Self {
            policy_id: identity.policy_id.clone(),
            policy_version: identity.policy_version.clone(),
            policy_hash: identity.policy_hash.clone(),
            law_packs: identity.law_packs.iter().map(pack).collect(),
        }
    }
}

/// Why something is not allowed now.
#[derive(Clone, Debug, uniffi::Record)]
pub struct BridgeDenial {
    /// A stable code in kebab-case.
    pub code: String,
    /// What was refused.
    pub subject: String,
    /// The rule that decided.
    pub rule: Option<String>,
    /// The clause of the policy, or the law's source.
    pub source: Option<String>,
    /// When it may change by itself, in milliseconds since 1970.
    pub until_ms: Option<i64>,
    /// What can be done, as a stable code.
    pub remedy: String,
    /// The policy and the law packs that decided.
    pub identity: BridgeIdentity,
    /// The same as a sentence for the person.
    pub text: String,
}

impl From<Denial> for BridgeDenial {
    fn from(denial: Denial) -> Self {
        let remedy: Remedy = denial.remedy;
        Self {
            code: denial.code.to_owned(),
            subject: denial.subject,
            rule: denial.rule,
            source: denial.source,
            until_ms: denial.until_ms,
            remedy: remedy.code().to_owned(),
            identity: denial.identity.as_ref().into(),
            text: denial.text,
        }
    }
}

/// One labelled line of a prompt.
#[derive(Clone, Debug, uniffi::Record)]
pub struct BridgeParticular {
    /// What it is about.
    pub label: String,
    /// What it says.
    pub text: String,
}

fn particulars(particulars: &[Particular]) -> Vec<BridgeParticular> {
    particulars.iter().map(|one| BridgeParticular { label: one.label.clone(), text: one.text.clone() }).collect()
}

/// A question to the person.
#[derive(Clone, Debug, uniffi::Record)]
pub struct BridgePrompt {
    /// What it asks for: `notice`, `purpose`, `separate-consent`, `changed-policy`, `revocation`, `right`.
    pub kind: String,
    /// The purpose asked for.
    pub purpose: Option<String>,
    /// The locale of the texts.
    pub locale: String,
    /// One line.
    pub title: String,
    /// Why.
    pub body: String,
    /// What is used, who receives it, how long, and what a no means.
    pub particulars: Vec<BridgeParticular>,
    /// The clause of the policy.
    pub source: String,
    /// The word on the button that says yes.
    pub yes: String,
    /// The word on the button that says no.
    pub no: String,
}

impl From<&Prompt> for BridgePrompt {
    fn from(prompt: &Prompt) -> Self {
        let kind = match prompt.kind {
            PromptKind::Notice => "notice",
            PromptKind::Purpose => "purpose",
            PromptKind::SeparateConsent => "separate-consent",
            PromptKind::ChangedPolicy => "changed-policy",
            PromptKind::Revocation(_) => "revocation",
            PromptKind::Right => "right",
            _ => "other",
        };
        Self {
            kind: kind.to_owned(),
            purpose: prompt.purpose.clone(),
            locale: prompt.locale.clone(),
            title: prompt.title.clone(),
            body: prompt.body.clone(),
            particulars: particulars(&prompt.particulars),
            source: prompt.source.clone(),
            yes: prompt.yes.text(&prompt.locale).to_owned(),
            no: prompt.no.text(&prompt.locale).to_owned(),
        }
    }
}

/// A switch offered after the notice; it is off.
#[derive(Clone, Debug, uniffi::Record)]
pub struct BridgeOffer {
    /// The purpose.
    pub purpose: String,
    /// Its name.
    pub name: String,
    /// Why.
    pub text: String,
    /// What is used, who receives it, how long.
    pub particulars: Vec<BridgeParticular>,
    /// The clause of the policy.
    pub source: String,
}

impl From<&Offer> for BridgeOffer {
    fn from(offer: &Offer) -> Self {
        Self {
            purpose: offer.purpose.clone(),
            name: offer.name.clone(),
            text: offer.text.clone(),
            particulars: particulars(&offer.particulars),
            source: offer.source.clone(),
        }
    }
}

/// What is to be done next.
#[derive(Clone, Debug, uniffi::Enum)]
pub enum BridgeStep {
    /// Show a question.
    Show {
        /// The question.
        prompt: BridgePrompt,
    },
    /// Show switches.
    Offer {
        /// The switches.
        offers: Vec<BridgeOffer>,
    },
    /// Ask for birth month and place.
    AskSubject,
    /// Show the answer back.
    ConfirmSubject {
        /// The birth month.
        born: String,
        /// The place.
        place: String,
    },
    /// Ask the system for a permission.
    AskSystem {
        /// Its id.
        permission: String,
        /// Why.
        text: String,
    },
    /// The feature is open; the flow's `begin` uses it.
    Allowed {
        /// The feature.
        feature: String,
    },
    /// It is not.
    Denied {
        /// Why.
        denial: BridgeDenial,
    },
    /// The flow is through.
    Finished {
        /// Purposes that ask again.
        asks_again: Vec<String>,
    },
    /// A right was used.
    Exercised {
        /// What came of it.
        exercised: BridgeExercised,
    },
}

impl TryFrom<&Step> for BridgeStep {
    type Error = BridgeError;

    fn try_from(step: &Step) -> Result<Self, BridgeError> {
        Ok(match step {
            Step::Show(prompt) => Self::Show { prompt: prompt.into() },
            Step::Offer(offers) => Self::Offer { offers: offers.iter().map(Into::into).collect() },
            Step::AskSubject => Self::AskSubject,
            Step::ConfirmSubject { born, place } => Self::ConfirmSubject { born: born.clone(), place: place.clone() },
            Step::AskSystem { permission, text } => {
                Self::AskSystem { permission: permission.id().to_owned(), text: text.clone() }
            }
            Step::Done(Outcome::Allowed(permit)) => Self::Allowed { feature: permit.feature().to_owned() },
            Step::Done(Outcome::Denied(denial)) => Self::Denied { denial: denial.clone().into() },
            Step::Done(Outcome::Exercised(exercised)) => Self::Exercised { exercised: exercised.into() },
            Step::Done(Outcome::Finished { asks_again }) => Self::Finished { asks_again: asks_again.clone() },
            // A step that no layer knows must not look like an end.
            _ => return Err(Error::Internal { what: "step" }.into()),
        })
    }
}

/// What the person or the system answered.
#[derive(Clone, Debug, uniffi::Enum)]
pub enum BridgeAnswer {
    /// Yes.
    Yes,
    /// No.
    No,
    /// The switches that are on.
    Switches {
        /// Purposes.
        on: Vec<String>,
    },
    /// Birth month and place.
    Subject {
        /// The birth month.
        born: String,
        /// The place.
        place: String,
    },
    /// What the system answered.
    System {
        /// The state of the permission.
        state: BridgePermissionState,
    },
}

impl From<BridgeAnswer> for Answer {
    fn from(answer: BridgeAnswer) -> Self {
        match answer {
            BridgeAnswer::Yes => Self::Yes,
            BridgeAnswer::No => Self::No,
            BridgeAnswer::Switches { on } => Self::Switches(on),
            BridgeAnswer::Subject { born, place } => Self::Subject { born, place },
            BridgeAnswer::System { state } => Self::System(state.into()),
        }
    }
}

/// The value of one field.
#[derive(Clone, Debug, uniffi::Enum)]
pub enum BridgeValue {
    /// Text.
    Text {
        /// The text.
        value: String,
    },
    /// A whole number.
    Integer {
        /// The number.
        value: i64,
    },
    /// A number.
    Number {
        /// The number.
        value: f64,
    },
    /// Yes or no.
    Boolean {
        /// The flag.
        value: bool,
    },
}

impl From<BridgeValue> for Value {
    fn from(value: BridgeValue) -> Self {
        match value {
            BridgeValue::Text { value } => Self::String(value),
            BridgeValue::Integer { value } => Self::Integer(value),
            BridgeValue::Number { value } => Self::Number(value),
            BridgeValue::Boolean { value } => Self::Boolean(value),
        }
    }
}

/// One field of an event.
#[derive(Clone, Debug, uniffi::Record)]
pub struct BridgeField {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: BridgeValue,
}

/// What became of something that was to be stored.
#[derive(Clone, Debug, uniffi::Enum)]
#[expect(clippy::large_enum_variant, reason = "it crosses at once and is kept nowhere")]
pub enum BridgeStored {
    /// In memory only.
    Held,
    /// Sealed.
    Buffered,
    /// Not allowed now.
    Denied {
        /// Why.
        denial: BridgeDenial,
    },
}

impl From<Recorded> for BridgeStored {
    fn from(recorded: Recorded) -> Self {
        match recorded {
            Recorded::Held => Self::Held,
            Recorded::Buffered => Self::Buffered,
            Recorded::Denied(denial) => Self::Denied { denial: denial.into() },
        }
    }
}

impl From<Put> for BridgeStored {
    fn from(put: Put) -> Self {
        match put {
            Put::Held => Self::Held,
            Put::Buffered => Self::Buffered,
            Put::Denied(denial) => Self::Denied { denial: denial.into() },
        }
    }
}

/// What became of a request for an identifier.
#[derive(Clone, Debug, uniffi::Enum)]
#[expect(clippy::large_enum_variant, reason = "it crosses at once and is kept nowhere")]
pub enum BridgeIdentifier {
    /// Handed out.
    Handed {
        /// Its form.
        form: String,
        /// Its value in that form.
        value: String,
    },
    /// Refused.
    Denied {
        /// Why.
        denial: BridgeDenial,
    },
}

impl From<IdentifierAnswer> for BridgeIdentifier {
    fn from(answer: IdentifierAnswer) -> Self {
        match answer {
            IdentifierAnswer::Handed(handed) => Self::Handed { form: handed.form.id().to_owned(), value: handed.value },
            IdentifierAnswer::Denied(denial) => Self::Denied { denial: denial.into() },
        }
    }
}

/// What a withdrawal did.
#[derive(Clone, Debug, uniffi::Enum)]
pub enum BridgeWithdrawal {
    /// It is durable.
    Done {
        /// Uploads that the host must stop.
        in_flight: Vec<i64>,
    },
    /// The gate is closed and marked; the entry is still to be written.
    Pending {
        /// What stood in the way.
        code: String,
    },
}

impl From<Withdrawal> for BridgeWithdrawal {
    fn from(withdrawal: Withdrawal) -> Self {
        match withdrawal {
            Withdrawal::Done { in_flight } => Self::Done { in_flight: in_flight.into_iter().map(signed).collect() },
            Withdrawal::Pending { code } => Self::Pending { code: code.to_owned() },
        }
    }
}

/// One purpose, for a settings screen.
#[derive(Clone, Debug, uniffi::Record)]
pub struct BridgePurpose {
    /// The purpose.
    pub purpose: String,
    /// Its name.
    pub name: String,
    /// Whether it is allowed now.
    pub allowed: bool,
    /// Why not.
    pub denial: Option<BridgeDenial>,
}

/// What maintenance did.
#[derive(Clone, Debug, uniffi::Record)]
pub struct BridgeMaintained {
    /// Purposes whose keys are gone now.
    pub shredded: Vec<String>,
    /// Purposes whose keys are not destroyed yet.
    pub waiting: Vec<String>,
    /// Segments removed because they expired.
    pub expired_segments: i64,
    /// Records in them.
    pub expired_records: i64,
}

impl From<Maintained> for BridgeMaintained {
    fn from(done: Maintained) -> Self {
        Self {
            shredded: done.shredded,
            waiting: done.waiting,
            expired_segments: signed(done.expired_segments),
            expired_records: signed(done.expired_records),
        }
    }
}

/// A name and a value.
#[derive(Clone, Debug, uniffi::Record)]
pub struct BridgeHeader {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

/// An upload for the host to make.
#[derive(Clone, uniffi::Record)]
pub struct BridgeUpload {
    /// Names it when its reply comes back.
    pub id: i64,
    /// Where to.
    pub url: String,
    /// The headers.
    pub headers: Vec<BridgeHeader>,
    /// The bytes.
    pub body: Vec<u8>,
}

impl From<UploadRequest> for BridgeUpload {
    fn from(upload: UploadRequest) -> Self {
        let headers = upload.headers.into_iter().map(|(name, value)| BridgeHeader { name, value }).collect();
        Self { id: signed(upload.id), url: upload.url, headers, body: upload.body }
    }
}

/// What the host's transport got back.
#[derive(Clone, uniffi::Enum)]
pub enum BridgeReply {
    /// An answer.
    Response {
        /// The HTTP status.
        status: i32,
        /// The headers.
        headers: Vec<BridgeHeader>,
        /// The body.
        body: Vec<u8>,
        /// Whether the framing shows that it is all of it.
        complete: bool,
    },
    /// No answer.
    Failed,
}

impl From<BridgeReply> for TransportReply {
    fn from(reply: BridgeReply) -> Self {
        match reply {
            BridgeReply::Response { status, headers, body, complete } => Self::Response {
                status: u16::try_from(status).unwrap_or(0),
                headers: headers.into_iter().map(|header| (header.name, header.value)).collect(),
                body,
                complete,
            },
            BridgeReply::Failed => Self::Failed { code: "host" },
        }
    }
}

/// What a reply meant.
#[derive(Clone, Debug, uniffi::Enum)]
pub enum BridgeUploadOutcome {
    /// The receiver has them.
    Acknowledged {
        /// How many.
        records: i64,
    },
    /// They are offered again.
    Later {
        /// What stood in the way.
        code: String,
        /// Not before this time, in milliseconds since 1970.
        not_before_ms: i64,
    },
    /// Refused for good.
    Quarantined {
        /// How many.
        records: i64,
        /// What the receiver answered.
        code: String,
    },
    /// A withdrawal cancelled it.
    Cancelled {
        /// Whether it arrived all the same.
        delivered: bool,
    },
}

impl TryFrom<UploadOutcome> for BridgeUploadOutcome {
    type Error = BridgeError;

    fn try_from(outcome: UploadOutcome) -> Result<Self, BridgeError> {
        let count = |records: usize| i64::try_from(records).unwrap_or(i64::MAX);
        Ok(match outcome {
            UploadOutcome::Acknowledged { records } => Self::Acknowledged { records: count(records) },
            UploadOutcome::Later { code, not_before_ms } => Self::Later { code: code.to_owned(), not_before_ms },
            UploadOutcome::Quarantined { records, code } => {
                Self::Quarantined { records: count(records), code: code.to_owned() }
            }
            UploadOutcome::Cancelled { delivered } => Self::Cancelled { delivered },
            _ => return Err(Error::Internal { what: "upload outcome" }.into()),
        })
    }
}

/// An item of the outbox for the app to send.
#[derive(Clone, uniffi::Record)]
pub struct BridgeDelivery {
    /// Names it when its result comes back.
    pub id: i64,
    /// The purpose.
    pub purpose: String,
    /// The recipient.
    pub recipient: String,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// When it ends, in milliseconds since 1970.
    pub expires_ms: i64,
}

/// What came of sending an item.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum BridgeDeliveryResult {
    /// It arrived.
    Delivered,
    /// Offer it again later.
    Later {
        /// In milliseconds.
        after_ms: i64,
    },
    /// Never.
    Refused,
}

/// The answers of a session at one moment.
#[derive(Clone, Debug, uniffi::Record)]
pub struct BridgeSnapshot {
    /// Grows with every new snapshot.
    pub generation: i64,
    /// When the answers end, in milliseconds since 1970.
    pub valid_until_ms: i64,
    /// The open features.
    pub features: Vec<String>,
    /// The allowed purposes.
    pub purposes: Vec<String>,
}

/// What a verification found.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum BridgeVerdict {
    /// The chain is whole.
    Sound {
        /// Its entries.
        entries: i64,
    },
    /// It is not.
    Broken {
        /// The first bad entry, counted from 0.
        sequence: i64,
    },
    /// It is no ledger.
    Unreadable,
}

impl From<LedgerVerdict> for BridgeVerdict {
    fn from(verdict: LedgerVerdict) -> Self {
        match verdict {
            LedgerVerdict::Sound { entries } => Self::Sound { entries: signed(entries) },
            LedgerVerdict::Broken { sequence, .. } => Self::Broken { sequence: signed(sequence) },
            LedgerVerdict::Unreadable => Self::Unreadable,
        }
    }
}

/// Numbers cross as signed ones, which Java callers can use; none of ours comes near the limit.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
