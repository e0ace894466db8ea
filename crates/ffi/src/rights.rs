//! The rights of the person as records that cross the bridge.

use menshen::{Error, Exercised, OfferedRight, RightRecord, RightRequest};

use crate::answers::signed;
use crate::error::BridgeError;

/// What the person demands. The layers have a type with no place for what a right does not take.
#[derive(Clone, uniffi::Record)]
pub struct BridgeRightRequest {
    /// The id of the right.
    pub right: String,
    /// The purpose it is about.
    pub purpose: Option<String>,
    /// The person's own words.
    pub text: Option<String>,
}

impl TryFrom<BridgeRightRequest> for RightRequest {
    type Error = BridgeError;

    fn try_from(request: BridgeRightRequest) -> Result<Self, BridgeError> {
        Ok(match (request.right.as_str(), request.purpose, request.text) {
            ("access", None, None) => Self::Access,
            ("report", None, None) => Self::Report,
            ("copy", None, None) => Self::Copy,
            ("portability", None, None) => Self::Portability,
            ("correct", None, Some(text)) => Self::Correct { text },
            ("delete", None, None) => Self::Delete,
            ("restrict", Some(purpose), None) => Self::Restrict { purpose },
            ("object", Some(purpose), None) => Self::Object { purpose },
            ("withdraw", None, None) => Self::WithdrawAll,
            ("refuse-marketing", None, None) => Self::RefuseMarketing,
            ("refuse-sale", None, None) => Self::RefuseSale,
            ("human-review", Some(purpose), Some(text)) => Self::HumanReview { purpose, text },
            ("close-account", None, None) => Self::CloseAccount,
            ("disclosure-records", None, None) => Self::DisclosureRecords,
            ("complain", None, Some(text)) => Self::Complain { text },
            _ => return Err(Error::Internal { what: "right" }.into()),
        })
    }
}

/// What came of using a right.
#[derive(Clone, Debug, uniffi::Enum)]
pub enum BridgeExercised {
    /// It is in the ledger.
    Done {
        /// The request.
        request: String,
        /// Uploads that the host must stop.
        in_flight: Vec<i64>,
    },
    /// The policy refuses it on a ground.
    Refused {
        /// The request.
        request: String,
        /// The ground.
        ground: String,
        /// The clause of the policy.
        source: String,
    },
    /// Closed, but not written yet.
    Pending {
        /// What stood in the way.
        code: String,
    },
}

impl From<&Exercised> for BridgeExercised {
    fn from(exercised: &Exercised) -> Self {
        match exercised {
            Exercised::Done { request, in_flight } => {
                Self::Done { request: request.clone(), in_flight: in_flight.iter().copied().map(signed).collect() }
            }
            Exercised::Refused { request, ground, source } => {
                Self::Refused { request: request.clone(), ground: ground.clone(), source: source.clone() }
            }
            Exercised::Pending { code } => Self::Pending { code: (*code).to_owned() },
        }
    }
}

/// A ready text for the controller.
#[derive(Clone, Debug, uniffi::Record)]
pub struct BridgeLetter {
    /// How to reach the controller.
    pub to: String,
    /// The text.
    pub body: String,
}

/// A right that the person used.
#[derive(Clone, uniffi::Record)]
pub struct BridgeRightRecord {
    /// The request.
    pub id: String,
    /// The id of the right.
    pub right: String,
    /// The purpose it is about.
    pub purpose: Option<String>,
    /// When, in milliseconds since 1970.
    pub made_ms: i64,
    /// The last day for an answer, ISO 8601.
    pub due: Option<String>,
    /// Whether that day is over without an answer.
    pub is_overdue: bool,
    /// How it stands: `waiting`, `acknowledged`, `refused`.
    pub state: String,
    /// The same as a sentence.
    pub text: String,
    /// A text for the controller, until it confirms.
    pub letter: Option<BridgeLetter>,
}

impl From<RightRecord> for BridgeRightRecord {
    fn from(record: RightRecord) -> Self {
        Self {
            id: record.id,
            right: record.right.id().to_owned(),
            purpose: record.purpose,
            made_ms: record.made_ms,
            due: record.due,
            is_overdue: record.is_overdue,
            state: record.state.code().to_owned(),
            text: record.text,
            letter: record.letter.map(|letter| BridgeLetter { to: letter.to, body: letter.body }),
        }
    }
}

/// A right that the person has.
#[derive(Clone, Debug, uniffi::Record)]
pub struct BridgeOfferedRight {
    /// The id of the right.
    pub right: String,
    /// The way that the policy describes.
    pub way: Option<String>,
    /// What the policy limits it to.
    pub limits: Option<String>,
    /// The last day for an answer to a request of today.
    pub due: Option<String>,
    /// The clause of the policy.
    pub source: Option<String>,
}

impl From<OfferedRight> for BridgeOfferedRight {
    fn from(offered: OfferedRight) -> Self {
        let OfferedRight { right, way, limits, due, source } = offered;
        Self { right: right.id().to_owned(), way, limits, due, source }
    }
}
