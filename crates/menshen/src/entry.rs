//! What the evidence log says: one entry for everything that was asked, answered, opened, ended and handed out.

use std::collections::{BTreeMap, BTreeSet};

use menshen_journal::AnchoredHead;
use menshen_policy::document::{
    ConsentKind, FieldForm, Giver, Identifier, IdentifierForm, LegalBasis, Permission, Right,
};
use menshen_policy::{Identity, Terms};
use serde::{Deserialize, Serialize};

/// One entry of the ledger: when, and what.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// The wall clock, in milliseconds since 1970.
    pub(crate) at: i64,
    /// Milliseconds since the device started, sleep included.
    pub(crate) up: u64,
    /// Which start of the device that was.
    pub(crate) boot: u32,
    /// What happened.
    #[serde(flatten)]
    pub(crate) what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "snake_case")]
pub(crate) enum What {
    /// The key of the ledger before was lost; its last head that the anchor had.
    BegunAnew {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last: Option<LastHead>,
    },
    /// The first account takes over what the guest answered and recorded: this ledger is its own from here on.
    TakenOver { account: String },
    /// The notice was agreed.
    NoticeAgreed { policy: String, shown: Shown },
    /// The notice was declined.
    NoticeDeclined { policy: String, shown: Shown },
    /// The age and place became known. The birth month is not kept.
    SubjectKnown { place: String, from: u8, below: Option<(u8, String)>, source: SubjectKnownBy },
    /// A yes to one purpose.
    Granted {
        purpose: String,
        epoch: u64,
        alias: String,
        kind: ConsentKind,
        by: Giver,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<i64>,
        terms: TermsRecord,
        context: u32,
        shown: Shown,
    },
    /// A purpose on another basis than consent opened with the notice.
    Opened { purpose: String, epoch: u64, alias: String, basis: LegalBasis, terms: TermsRecord, context: u32 },
    /// A no to one purpose.
    Refused { purpose: String, epoch: u64, shown: Shown },
    /// A yes taken back.
    Withdrawn { purpose: String, epoch: u64 },
    /// A purpose is used no more while an objection or a restriction stands. Nothing of it is destroyed.
    Restricted { purpose: String, by: RestrictedBy, request: String },
    /// The person took that back.
    RestrictionLifted { purpose: String, shown: Shown },
    /// A denial that only a marker file witnesses. It shreds nothing.
    DeniedByMarker { purpose: String, epoch: u64 },
    /// A purpose that the accepted policy has no more.
    Ended { purpose: String, epoch: u64, policy: String },
    /// The key of a denied or ended epoch is gone.
    Shredded { purpose: String, epoch: u64 },
    /// A system permission is about to be asked for.
    PermissionAsked { permission: Permission, feature: String },
    /// What the system answered.
    PermissionAnswered { permission: Permission, granted: bool },
    /// A system permission that was there is gone. It starts no wait before asking again.
    PermissionLost { permission: Permission },
    /// Whose act that was.
    PermissionLossExplained {
        permission: Permission,
        by_person: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        shown: Option<Shown>,
    },
    /// It is back.
    PermissionRegained { permission: Permission },
    /// The policy and the law packs under which what follows is decided.
    Context { index: u32, context: Identity },
    /// What content sealed under a number carries.
    Shape { index: u32, shape: Shape },
    /// A newer version of the policy is there.
    PolicyArrived { policy: String, version: String, effective_from: String, document: String },
    /// The person agreed to a version. The document is kept, because a later app ships only the later one.
    PolicyAccepted { policy: String, version: String, document: String, shown: Shown },
    /// The person did not agree to a version; the accepted one still governs.
    PolicyDeclined { policy: String, version: String, shown: Shown },
    /// Records of an epoch go to an endpoint, at this address and under this pseudonym, from here on.
    SendingStarted { purpose: String, epoch: u64, endpoint: String, url: String, pseudonym: String },
    /// The recipient is to erase what went out under a pseudonym.
    EraseRequested { id: String, purpose: String, endpoint: String, url: String, pseudonym: String },
    /// The recipient confirmed.
    EraseAcknowledged { id: String },
    /// The person uses a right. What it closes on the device stands in entries of its own.
    RightRequested {
        id: String,
        right: Right,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        purpose: Option<String>,
        /// The person's own words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// The last day on which an answer is in time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due: Option<String>,
        policy: String,
        /// What is to be sent, each by itself: two of them together would tell that both are of one person.
        parts: Vec<RightPart>,
        /// The ground on which the policy itself refuses it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refused: Option<String>,
    },
    /// The controller confirmed that it has one part.
    RightAcknowledged { part: String },
    /// An identifier was handed out in a form.
    IdentifierHanded { recipient: String, identifier: Identifier, form: IdentifierForm },
    /// A third-party SDK was started.
    SdkStarted { recipient: String },
    /// A third-party SDK was told to stop.
    SdkStopped { recipient: String },
    /// A use of a feature began.
    FeatureStarted { feature: String },
    /// It ended, after so many reads of protected data.
    FeatureEnded { feature: String, reads: u64 },
    /// A batch that was with the transport when its purpose was withdrawn.
    InFlightAtWithdrawal { purpose: String, upload: u64, delivered: bool },
}

impl What {
    /// Whether it says no, or ends what a yes opened.
    pub(crate) fn is_denial(&self) -> bool {
        matches!(
            self,
            Self::Refused { .. }
                | Self::Withdrawn { .. }
                | Self::Restricted { .. }
                | Self::DeniedByMarker { .. }
                | Self::NoticeDeclined { .. }
        )
    }
}

/// What of an entry stays when its account is erased: when, and of which type.
const STATEMENT: [&str; 4] = ["at", "up", "boot", "type"];

impl Entry {
    /// The statement, which stays, and the payload, which can be erased.
    pub(crate) fn split(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        let Ok(serde_json::Value::Object(all)) = serde_json::to_value(self) else { return None };
        let (statement, payload): (serde_json::Map<_, _>, serde_json::Map<_, _>) =
            all.into_iter().partition(|(key, _)| STATEMENT.contains(&key.as_str()));
        Some((serde_json::to_vec(&statement).ok()?, serde_json::to_vec(&payload).ok()?))
    }

    /// Puts the two halves together again.
    pub(crate) fn join(statement: &[u8], payload: &[u8]) -> Option<Self> {
        let mut all: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(statement).ok()?;
        let payload: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(payload).ok()?;
        all.extend(payload.into_iter().filter(|(key, _)| !STATEMENT.contains(&key.as_str())));
        serde_json::from_value(serde_json::Value::Object(all)).ok()
    }
}

/// What is left of a ledger whose key is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LastHead {
    pub(crate) epoch: u64,
    pub(crate) size: u64,
    /// In lower-case hexadecimal.
    pub(crate) root: String,
}

impl From<AnchoredHead> for LastHead {
    fn from(head: AnchoredHead) -> Self {
        let root = head.root.iter().map(|byte| format!("{byte:02x}")).collect();
        Self { epoch: head.epoch, size: head.size, root }
    }
}

/// What stood on the screen when the person answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shown {
    /// Its locale.
    pub(crate) locale: String,
    /// The SHA-256 of its texts, in lower-case hexadecimal.
    pub(crate) text: String,
}

/// What restricted a purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RestrictedBy {
    /// An objection. Upheld, or unanswered when its answer is due, it is a withdrawal.
    Objection,
    /// The wish that the use stops while something is clarified.
    Restriction,
}

/// One message of a request to the controller: whom it is about, by one name alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RightPart {
    pub(crate) id: String,
    #[serde(flatten)]
    pub(crate) about: About,
}

/// By which name the controller knows the person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "kebab-case")]
pub(crate) enum About {
    /// The app's own id of the account.
    Account { account: String },
    /// A pseudonym under which records of a purpose went to this address.
    Records { purpose: String, endpoint: String, url: String, pseudonym: String },
    /// By none: nothing went out, and nobody is signed in.
    Nobody,
}

/// How age and place became known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SubjectKnownBy {
    /// The person answered the neutral question.
    Asked,
    /// The app supplied it.
    Supplied,
}

/// What a sealed record or outbox item carries, and the rules under which it was sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shape {
    pub(crate) context: u32,
    pub(crate) purpose: String,
    #[serde(flatten)]
    pub(crate) content: Content,
}

/// The kinds of sealed content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "content")]
pub(crate) enum Content {
    /// Records of an event, with at most these fields.
    Event { event: String, fields: BTreeMap<String, Carried> },
    /// An item whose bytes are the app's own, so that it may hold every category of its purpose.
    Item { categories: BTreeSet<String> },
}

/// What one field holds, and in which form it was sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Carried {
    pub(crate) category: String,
    pub(crate) form: FieldForm,
}

/// The terms that were agreed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TermsRecord {
    pub(crate) basis: LegalBasis,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<ConsentKind>,
    pub(crate) categories: Vec<String>,
    pub(crate) recipients: Vec<String>,
    pub(crate) retention_seconds: u64,
}

impl From<&Terms> for TermsRecord {
    fn from(terms: &Terms) -> Self {
        Self {
            basis: terms.legal_basis,
            kind: terms.kind,
            categories: terms.categories.iter().cloned().collect(),
            recipients: terms.recipients.iter().cloned().collect(),
            retention_seconds: terms.retention_seconds,
        }
    }
}

impl TermsRecord {
    pub(crate) fn terms(&self) -> Terms {
        Terms {
            legal_basis: self.basis,
            kind: self.kind,
            categories: self.categories.iter().cloned().collect(),
            recipients: self.recipients.iter().cloned().collect(),
            retention_seconds: self.retention_seconds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_reads_back_as_it_was_written() {
        let what = What::Refused {
            purpose: "usage-statistics".into(),
            epoch: 0,
            shown: Shown { locale: "en".into(), text: "00".into() },
        };
        let entry = Entry { at: 1, up: 2, boot: 3, what };
        let (statement, payload) = entry.split().unwrap();
        let back = Entry::join(&statement, &payload).unwrap();
        assert_eq!(back.what, entry.what);
        assert_eq!((back.at, back.up, back.boot), (1, 2, 3));
        assert_eq!(String::from_utf8(statement).unwrap(), r#"{"at":1,"boot":3,"type":"refused","up":2}"#);
        assert!(String::from_utf8(payload).unwrap().contains("usage-statistics"));
    }
}
