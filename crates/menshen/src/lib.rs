//! menshen makes an app obey its privacy policy: nothing is read, asked, stored or sent unless the policy and
//! the person both allow it now, and the library can show why.
//!
//! Write the policy as one JSON document, open a [`Menshen`] on it, take a [`Session`], and go through it for
//! everything: [`Session::request`] before a feature, [`Session::record`] for events, [`Session::when_allowed`]
//! around third-party SDKs, [`Session::next_upload`] to send.
//!
//! The library does no networking and asks nothing by itself: prompts, system permissions and uploads are values
//! that the app performs and answers.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")
)]

/// The code of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

mod account;
mod batch;
mod consent;
mod copy;
mod copy_page;
mod core;
mod denial;
mod entry;
mod error;
mod evidence;
mod exchange;
mod exchange_state;
mod feature_use;
mod flow;
mod gate;
mod identifier;
mod in_force;
mod ndjson;
mod next;
mod otlp;
mod outbox;
mod platform;
mod prompt;
mod record;
mod restriction;
mod revocation;
mod rights;
mod sdk;
mod sealed;
mod session;
mod snapshot;
mod step;
mod texts;
#[cfg(feature = "reqwest")]
mod transport;
mod upload;

pub use consent::Maintained;
pub use denial::{Denial, Remedy};
pub use error::Error;
pub use evidence::{LedgerVerdict, ReceiptVerdict, verify_ledger, verify_receipt};
pub use exchange::{TransportReply, UploadRequest};
pub use feature_use::{FeatureUse, Permit};
pub use flow::Flow;
pub use identifier::{IdentifierAnswer, MinimisedIdentifier};
pub use menshen_journal as journal;
pub use menshen_journal::{
    Alias, Anchor, DeviceClock, FileKeys, Health, KeyError, KeyProvider, KeyState, MemoryKeys, Now, OpenError,
    OpenReport, Randomness, SystemClock, SystemRandomness,
};
pub use menshen_policy as policy;
pub use menshen_policy::document::{IdentifierForm, Right, SdkStart};
pub use menshen_policy::{Document, Errors, Identity, PackIdentity, Policy, PolicyError};
pub use outbox::{Delivery, DeliveryResult, MAX_ITEM_BYTES, Put};
pub use platform::{
    ChangeListener, Identifier, IdentifierReader, Permission, PermissionState, PermissionStatus, Platform,
};
pub use prompt::{Offer, Particular, Prompt, PromptKind};
pub use record::{Counts, Fields, MAX_EVENT_BYTES, Recorded, Value};
pub use rights::{Exercised, OfferedRight, RightRecord, RightRequest, RightState};
pub use sdk::{Menshen, Store};
pub use session::{PurposeState, Session, Withdrawal};
pub use snapshot::Snapshot;
pub use step::{Answer, Outcome, Screen, Step, Trigger};
pub use texts::{Label, Letter};
#[cfg(feature = "reqwest")]
pub use transport::{Transport, TransportError};
pub use upload::UploadOutcome;
