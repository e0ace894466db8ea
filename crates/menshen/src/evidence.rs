//! Evidence: receipts for the person, the ledger as a document, and its verification without the store.

use menshen_journal::{Head, Label, LedgerEntry, LedgerName, ManifestState, Payload};
use menshen_policy::document::{LegalBasis, Text};
use menshen_policy::{Identity, PackIdentity, Policy};
use serde::{Deserialize, Serialize};

use crate::account::Status;
use crate::entry::{Entry, What};
use crate::error::Error;
use crate::prompt::hex;
use crate::session::Session;
use crate::texts;

/// One consent as a document of its own, in the fields of ISO/IEC TS 27560 as far as this version has them.
#[derive(Serialize)]
struct Receipt<'a> {
    schema_version: &'static str,
    record_id: String,
    policy: PolicyRef<'a>,
    law_packs: &'a [PackIdentity],
    controller: &'a str,
    controller_contact: &'a str,
    language: &'a str,
    purpose: &'a str,
    purpose_name: &'a str,
    legal_basis: LegalBasis,
    data_categories: Vec<String>,
    recipients: Vec<String>,
    retention_seconds: u64,
    withdrawal: &'static str,
    state: &'static str,
    given_at_ms: i64,
    text_sha256: &'a str,
    source: &'a str,
}

#[derive(Serialize)]
struct PolicyRef<'a> {
    id: &'a str,
    version: &'a str,
    sha256: &'a str,
}

/// An exported ledger: everything needed to verify it without the store.
#[derive(Serialize, Deserialize)]
struct Export {
    format: String,
    store: String,
    account: String,
    epoch: u64,
    public_key: String,
    entries: Vec<ExportedEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExportedEntry {
    sequence: u64,
    statement: String,
    /// What of the entry can be erased; absent where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payload: Option<ExportedPayload>,
    /// SHA-256 of the payload's salt and text.
    commitment: String,
    leaf: String,
    /// The head behind this entry, where one was signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    head: Option<ExportedHead>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExportedPayload {
    salt: String,
    text: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExportedHead {
    root: String,
    manifest_number: u64,
    manifest_code: String,
    signature: String,
}

impl ExportedEntry {
    fn of(entry: &LedgerEntry) -> Result<Self, Error> {
        let text = |bytes: &[u8]| {
            let text = std::str::from_utf8(bytes).map_err(|_| Error::Internal { what: "entry" });
            text.map(str::to_owned)
        };
        let payload = match &entry.payload {
            None => None,
            Some(payload) => Some(ExportedPayload { salt: hex(&payload.salt), text: text(&payload.bytes)? }),
        };
        Ok(Self {
            sequence: entry.sequence,
            statement: text(&entry.statement)?,
            payload,
            commitment: hex(&entry.commitment),
            leaf: hex(&entry.leaf),
            head: entry.head.as_ref().map(|head| ExportedHead {
                root: hex(&head.root),
                manifest_number: head.manifest.number,
                manifest_code: hex(&head.manifest.code),
                signature: hex(&head.signature),
            }),
        })
    }

    fn read(&self) -> Option<LedgerEntry> {
        let payload = match &self.payload {
            None => None,
            Some(payload) => {
                Some(Payload { salt: array(&payload.salt)?, bytes: payload.text.clone().into_bytes().into() })
            }
        };
        let head = match &self.head {
            None => None,
            Some(head) => Some(Head {
                size: self.sequence.checked_add(1)?,
                root: array(&head.root)?,
                manifest: ManifestState { number: head.manifest_number, code: array(&head.manifest_code)? },
                signature: array(&head.signature)?,
            }),
        };
        Some(LedgerEntry {
            sequence: self.sequence,
            statement: self.statement.clone().into_bytes().into(),
            payload,
            commitment: array(&self.commitment)?,
            leaf: array(&self.leaf)?,
            signed: head.is_some(),
            head,
        })
    }
}

fn array<const N: usize>(text: &str) -> Option<[u8; N]> {
    unhex(text)?.try_into().ok()
}

const FORMAT: &str = "menshen/ledger/0";
const RECEIPT: &str = "menshen/receipt/0";

/// What a verification found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LedgerVerdict {
    /// The chain is whole and its last head is signed.
    Sound {
        /// The entries.
        entries: u64,
    },
    /// It is not, from this entry on.
    Broken {
        /// The first bad entry, counted from 0.
        sequence: u64,
        /// What is wrong with it: `malformed`, or a word of [`menshen_journal::Broken`].
        why: &'static str,
    },
    /// It is no exported ledger.
    Unreadable,
}

/// The version of the policy with this hash, where the ledger has it.
fn kept_policy(entries: &[LedgerEntry], hash: &str) -> Option<Policy> {
    entries.iter().rev().find_map(|entry| match Entry::join(&entry.statement, &entry.payload.as_ref()?.bytes)?.what {
        What::PolicyAccepted { policy, document, .. } | What::PolicyArrived { policy, document, .. }
            if policy == hash =>
        {
            Policy::read_kept(document.as_bytes()).ok()
        }
        _ => None,
    })
}

/// The receipt of an entry that opened a purpose, under a context and in the words of a policy. What was shown to nobody is
/// told in `locale`. `None` if the entry opened nothing, or the policy has no such purpose.
fn receipt_of(
    entry: &LedgerEntry,
    parsed: &Entry,
    under: &Identity,
    policy: &Policy,
    locale: &str,
) -> Option<serde_json::Value> {
    let (id, terms, text, locale, state) = match &parsed.what {
        What::Granted { purpose, terms, shown, .. } => {
            (purpose, terms, shown.text.as_str(), shown.locale.as_str(), "consent-given")
        }
        What::Opened { purpose, terms, .. } => (purpose, terms, "", locale, "opened"),
        _ => return None,
    };
    let document = policy.document();
    let purpose = policy.purpose(id)?;
    let words = |text| local(text, locale);
    let named = |name: Option<&Text>, id: &String| name.map_or_else(|| id.clone(), |t| local(t, locale).to_owned());
    let category = |id: &String| named(document.categories.get(id.as_str()).map(|c| &c.name), id);
    let recipient = |id: &String| named(document.recipients.get(id.as_str()).map(|r| &r.name), id);
    let receipt = Receipt {
        schema_version: RECEIPT,
        record_id: hex(&entry.leaf),
        policy: PolicyRef { id: &under.policy_id, version: &under.policy_version, sha256: &under.policy_hash },
        law_packs: &under.law_packs,
        controller: words(&document.controller.name),
        controller_contact: words(&document.controller.contact),
        language: locale,
        purpose: id,
        purpose_name: words(&purpose.name),
        legal_basis: terms.basis,
        data_categories: terms.categories.iter().map(category).collect(),
        recipients: terms.recipients.iter().map(recipient).collect(),
        retention_seconds: terms.retention_seconds,
        withdrawal: texts::withdrawal(locale, terms.basis != LegalBasis::LegalDuty),
        state,
        given_at_ms: parsed.at,
        text_sha256: text,
        source: purpose.source.as_str(),
    };
    serde_json::to_value(&receipt).ok()
}

/// A text in a locale, else in the first that it has.
fn local<'a>(text: &'a Text, locale: &str) -> &'a str {
    text.get(locale).or_else(|| text.values().next()).map_or("", String::as_str)
}

impl Session {
    /// The consents and openings that hold now, each a receipt, as a JSON array.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn receipts(&self) -> Result<String, Error> {
        self.work(|core, shared| {
            core.load(shared)?;
            let contents = shared.journal.ledger_read(core.account)?;
            let mut receipts = Vec::new();
            for id in core.policy.document().purposes.keys() {
                let state = core.state.purposes.get(id.as_str());
                let Some(state) = state.filter(|s| matches!(s.status, Status::Given { .. } | Status::Opened)) else {
                    continue;
                };
                // The latest entry that opened this epoch.
                let found = contents.entries.iter().rev().find_map(|entry| {
                    let parsed = Entry::join(&entry.statement, &entry.payload.as_ref()?.bytes)?;
                    match &parsed.what {
                        What::Granted { purpose, epoch, .. } | What::Opened { purpose, epoch, .. }
                            if purpose == id.as_str() && *epoch == state.epoch =>
                        {
                            Some((entry, parsed))
                        }
                        _ => None,
                    }
                });
                // What is open was opened by an entry, and every entry names a context that came before it.
                let incomplete = Error::Internal { what: "receipt of what is open" };
                let Some((entry, parsed)) = found else { return Err(incomplete) };
                let context = match &parsed.what {
                    What::Granted { context, .. } | What::Opened { context, .. } => *context,
                    _ => return Err(incomplete),
                };
                // What was agreed to, under the version and in the words it was agreed to: a later one changes no receipt.
                let Some(under) = core.state.contexts.get(&context) else { return Err(incomplete) };
                let then = kept_policy(&contents.entries, &under.policy_hash);
                // What a statute demands may open before any version is accepted; then the governing one has the names.
                let policy = then.as_ref().filter(|then| then.purpose(id.as_str()).is_some()).unwrap_or(&core.policy);
                let receipt = receipt_of(entry, &parsed, under, policy, core.locale());
                receipts.push(receipt.ok_or(incomplete)?);
            }
            serde_json::to_string_pretty(&receipts).map_err(|_| Error::Internal { what: "receipts" })
        })
    }

    /// The whole ledger of this account as a JSON document that [`verify_ledger`] checks.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn export_ledger(&self) -> Result<String, Error> {
        self.work(|core, shared| {
            core.load(shared)?;
            let contents = shared.journal.ledger_read(core.account)?;
            let public_key = contents.public_key.map(|key| hex(&key)).unwrap_or_default();
            let entries = contents.entries.iter().map(ExportedEntry::of).collect::<Result<Vec<_>, Error>>()?;
            let export = Export {
                format: FORMAT.to_owned(),
                store: hex(&shared.journal.store_id()),
                account: format!("{:016x}", core.account.number()),
                epoch: contents.name.epoch,
                public_key,
                entries,
            };
            serde_json::to_string_pretty(&export).map_err(|_| Error::Internal { what: "export" })
        })
    }

    /// Verifies this account's ledger in the store.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn verify_own_ledger(&self) -> Result<LedgerVerdict, Error> {
        Ok(verify_ledger(&self.export_ledger()?))
    }
}

/// Verifies an exported ledger: every entry chained to the one before, the last head signed. It shows that
/// nothing was changed, dropped, inserted or reordered by somebody without the signing key; whether the key
/// is the device's own is for whoever knows that key to say.
#[must_use]
pub fn verify_ledger(export: &str) -> LedgerVerdict {
    match read_ledger(export) {
        Ok(entries) => LedgerVerdict::Sound { entries: u64::try_from(entries.len()).unwrap_or(u64::MAX) },
        Err(verdict) => verdict,
    }
}

/// The entries of an exported ledger that verifies.
fn read_ledger(export: &str) -> Result<Vec<LedgerEntry>, LedgerVerdict> {
    let Ok(export) = serde_json::from_str::<Export>(export) else { return Err(LedgerVerdict::Unreadable) };
    // Before its first entry a ledger has no key, and nothing that one could have signed.
    if export.format == FORMAT && export.entries.is_empty() && export.public_key.is_empty() {
        return Ok(Vec::new());
    }
    let parsed = (|| {
        let account = Label::from_number(u64::from_str_radix(&export.account, 16).ok()?);
        Some((array(&export.public_key)?, LedgerName { store: array(&export.store)?, account, epoch: export.epoch }))
    })();
    let Some((key, name)) = parsed else { return Err(LedgerVerdict::Unreadable) };
    if export.format != FORMAT {
        return Err(LedgerVerdict::Unreadable);
    }
    let mut entries = Vec::with_capacity(export.entries.len());
    for entry in &export.entries {
        let Some(read) = entry.read() else {
            return Err(LedgerVerdict::Broken { sequence: entry.sequence, why: "malformed" });
        };
        entries.push(read);
    }
    match menshen_journal::verify(&key, &name, &entries) {
        Ok(_) => Ok(entries),
        Err(broken) => Err(LedgerVerdict::Broken { sequence: broken.sequence, why: broken.why }),
    }
}

/// What the verification of a receipt found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiptVerdict {
    /// The ledger says the same.
    Sound {
        /// The entry that it was made from, counted from 0.
        sequence: u64,
        /// The entry that ended what it says was given, where one did.
        ended: Option<u64>,
    },
    /// The ledger has the entry, and it says something else.
    Different {
        /// That entry, counted from 0.
        sequence: u64,
    },
    /// The ledger has the entry, but what it said was erased, or the policy that it names is not in the ledger.
    Erased {
        /// That entry, counted from 0.
        sequence: u64,
    },
    /// The ledger has no such entry.
    Unknown,
    /// It is no receipt.
    Unreadable,
    /// The ledger itself is not sound.
    Ledger(LedgerVerdict),
}

/// Verifies one receipt, a JSON object, against an exported ledger: everything that it says is made anew from the entry
/// that it names.
#[must_use]
pub fn verify_receipt(receipt: &str, ledger: &str) -> ReceiptVerdict {
    let entries = match read_ledger(ledger) {
        Ok(entries) => entries,
        Err(verdict) => return ReceiptVerdict::Ledger(verdict),
    };
    let Ok(receipt) = serde_json::from_str::<serde_json::Value>(receipt) else { return ReceiptVerdict::Unreadable };
    let field = |key: &str| receipt.get(key).and_then(serde_json::Value::as_str);
    let (Some(RECEIPT), Some(id), Some(locale)) = (field("schema_version"), field("record_id"), field("language"))
    else {
        return ReceiptVerdict::Unreadable;
    };
    let Some(entry) = entries.iter().find(|entry| hex(&entry.leaf) == id) else { return ReceiptVerdict::Unknown };
    let sequence = entry.sequence;
    let parsed: Vec<(u64, Entry)> = entries
        .iter()
        .filter_map(|entry| Some((entry.sequence, Entry::join(&entry.statement, &entry.payload.as_ref()?.bytes)?)))
        .collect();
    let Some((_, said)) = parsed.iter().find(|(at, _)| *at == sequence) else {
        return ReceiptVerdict::Erased { sequence };
    };
    let (What::Granted { purpose, epoch, context, .. } | What::Opened { purpose, epoch, context, .. }) = &said.what
    else {
        return ReceiptVerdict::Different { sequence };
    };
    let under = parsed.iter().find_map(|(_, entry)| match &entry.what {
        What::Context { index, context: identity } if index == context => Some(identity),
        _ => None,
    });
    let policy = under.and_then(|under| kept_policy(&entries, &under.policy_hash));
    let anew = under.zip(policy).and_then(|(under, policy)| receipt_of(entry, said, under, &policy, locale));
    let Some(anew) = anew else { return ReceiptVerdict::Erased { sequence } };
    if anew != receipt {
        return ReceiptVerdict::Different { sequence };
    }
    let ends = |what: &What| match what {
        What::Refused { purpose: of, epoch: at, .. }
        | What::Withdrawn { purpose: of, epoch: at }
        | What::DeniedByMarker { purpose: of, epoch: at }
        | What::Ended { purpose: of, epoch: at, .. } => of == purpose && at == epoch,
        _ => false,
    };
    let ended = parsed.iter().find(|(at, entry)| *at > sequence && ends(&entry.what)).map(|(at, _)| *at);
    ReceiptVerdict::Sound { sequence, ended }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).filter(|_| !byte.is_ascii_uppercase());
    text.as_bytes()
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
            _ => None,
        })
        .collect()
}
