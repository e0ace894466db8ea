//! Identifiers in their smallest useful form: handed out per recipient, never raw, read at most once.

use std::collections::HashMap;
use std::net::IpAddr;

use menshen_journal::{Domain, Journal};
use menshen_policy::Policy;
use menshen_policy::document::{Identifier, IdentifierForm};
use ring::hmac;

use crate::core::Core;
use crate::denial::{Denial, Remedy};
use crate::entry::What;
use crate::error::Error;
use crate::prompt::hex;
use crate::sdk::Shared;
use crate::session::Session;

/// An identifier in the form that the policy declares for its recipient.
#[derive(Clone, PartialEq, Eq)]
pub struct MinimisedIdentifier {
    /// Its form.
    pub form: IdentifierForm,
    /// Its value in that form.
    pub value: String,
}

impl std::fmt::Debug for MinimisedIdentifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MinimisedIdentifier").field("form", &self.form).finish_non_exhaustive()
    }
}

/// What became of a request for an identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentifierAnswer {
    /// Handed out in its form.
    Handed(MinimisedIdentifier),
    /// Refused, and why. The platform was not read.
    Denied(Denial),
}

/// What was handed out while the gates stayed as they are, so that nothing is read twice.
#[derive(Default)]
pub(crate) struct IdentifierCache {
    handed: HashMap<(String, Identifier), MinimisedIdentifier>,
}

impl IdentifierCache {
    /// Forgets what the recipients of a purpose were handed.
    pub(crate) fn forget(&mut self, policy: &Policy, purpose: &str) {
        let recipients: Vec<&str> =
            policy.purpose(purpose).map(|p| p.recipients.iter().map(|r| r.as_str()).collect()).unwrap_or_default();
        self.handed.retain(|(recipient, _), _| !recipients.contains(&recipient.as_str()));
    }
}

/// The pseudonym under which records of a purpose go out to a recipient: of one account, one consent, one
/// recipient, so that it links nothing else.
pub(crate) fn pseudonym(journal: &Journal, domain: &Domain, recipient: &str) -> Result<String, Error> {
    let info = format!("menshen/pseudonym/{recipient}");
    let derived = journal.derive(domain, info.as_bytes())?;
    Ok(derived.get(..16).map(hex).unwrap_or_default())
}

/// A value under a key of the purpose: equal values stay equal within one consent.
pub(crate) fn keyed_hash(journal: &Journal, domain: &Domain, label: &str, value: &str) -> Result<String, Error> {
    let derived = journal.derive(domain, label.as_bytes())?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref());
    Ok(hmac::sign(&key, value.as_bytes()).as_ref().get(..16).map(hex).unwrap_or_default())
}

impl Session {
    /// Reads an identifier for a recipient and hands it out in the declared form. The raw value goes nowhere.
    ///
    /// # Errors
    /// The policy has no such recipient, or the store failed.
    pub fn identifier(&self, recipient: &str, identifier: Identifier) -> Result<IdentifierAnswer, Error> {
        enum Plan {
            Answer(IdentifierAnswer),
            Derive(IdentifierForm, Domain),
        }
        let plan = |core: &Core, shared: &Shared| {
            let now = shared.clock.now();
            if let Some(denial) = core.recipient_denial(recipient, &now)? {
                return Ok(Plan::Answer(IdentifierAnswer::Denied(denial)));
            }
            let Some(declared) = core.policy.recipient(recipient) else {
                return Err(core.unknown("recipient", recipient, |policy| policy.recipient(recipient).is_some()));
            };
            let build = core.denials(recipient, core.local(&declared.name));
            let deny = |code, source: &str| {
                let mut denial = build.build(code, Remedy::Nothing);
                denial.source = Some(source.to_owned());
                Ok(Plan::Answer(IdentifierAnswer::Denied(denial)))
            };
            let Some(used) = core.in_force(&now).identifier(recipient, identifier) else {
                return deny("identifier-undeclared", declared.source.as_str());
            };
            if used.form == IdentifierForm::Refused {
                return deny("identifier-refused", used.source.as_str());
            }
            if let Some(known) =
                core.identifiers.handed.get(&(recipient.to_owned(), identifier)).filter(|k| k.form == used.form)
            {
                return Ok(Plan::Answer(IdentifierAnswer::Handed(known.clone())));
            }
            let Some((_, purpose)) = core.policy.purposes_of_recipient(recipient).next() else {
                return deny("not-declared", declared.source.as_str());
            };
            let domain = core.domain(&shared.journal, purpose.as_str())?.ok_or(Error::KeyLost)?;
            Ok(Plan::Derive(used.form, domain))
        };
        let (form, domain) = match self.read(plan)? {
            Plan::Answer(answer) => return Ok(answer),
            Plan::Derive(form, domain) => (form, domain),
        };
        // Read without the lock: the reader is the host's code.
        let raw = match form {
            IdentifierForm::Pseudonym => Some(String::new()),
            _ => self.shared().platform.identifiers.read(identifier),
        };
        let label = label(recipient, identifier);
        self.work(|core, shared| {
            let journal = &shared.journal;
            // What was open before the read may be closed after it, or stricter; then the value is dropped here.
            match plan(core, shared)? {
                Plan::Derive(still, of) if still == form && of == domain => {}
                Plan::Derive(..) => return Err(Error::PermitEnded),
                Plan::Answer(answer) => return Ok(answer),
            }
            let value = match (form, raw) {
                (IdentifierForm::Pseudonym, _) => Some(keyed_hash(journal, &domain, &label, "pseudonym")?),
                (IdentifierForm::KeyedHash, Some(raw)) => Some(keyed_hash(journal, &domain, &label, &raw)?),
                (IdentifierForm::Truncated, Some(raw)) => truncated(&raw),
                _ => None,
            };
            let Some(value) = value else {
                let name = core.policy.recipient(recipient).map(|r| core.local(&r.name)).unwrap_or(recipient);
                return Ok(IdentifierAnswer::Denied(
                    core.denials(recipient, name).build("identifier-unavailable", Remedy::Nothing),
                ));
            };
            // Evidence first: what cannot be ledgered is not handed out.
            core.commit(shared, vec![What::IdentifierHanded { recipient: recipient.to_owned(), identifier, form }])?;
            let handed = MinimisedIdentifier { form, value };
            core.identifiers.handed.insert((recipient.to_owned(), identifier), handed.clone());
            Ok(IdentifierAnswer::Handed(handed))
        })
    }
}

/// What an identifier's value for a recipient is derived under. It is part of the format: another one changes every
/// value that is handed out.
fn label(recipient: &str, identifier: Identifier) -> String {
    format!("menshen/identifier/{recipient}/{}", identifier.id())
}

/// An address without its last part: IPv4 keeps 24 bits, IPv6 keeps 48 (rule I-12 of the notes behind this
/// library: the practice of analytics services that anonymise addresses before they store them).
fn truncated(raw: &str) -> Option<String> {
    Some(match raw.parse::<IpAddr>().ok()? {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}.0")
        }
        // Such an address holds a whole IPv4 address in its first part (6to4, RFC 3056).
        IpAddr::V6(address) if address.segments().first() == Some(&0x2002) => return None,
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            std::net::Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).to_string()
        }
    })
}

#[cfg(test)]
mod tests {
    use menshen_policy::document::Identifier;

    use super::{label, truncated};

    #[test]
    fn what_a_value_is_derived_under_is_written_as_the_policy_writes_it() {
        assert_eq!(label("meter", Identifier::AndroidId), "menshen/identifier/meter/android-id");
    }

    #[test]
    fn an_address_loses_its_last_part_and_what_is_no_address_is_not_handed_out() {
        assert_eq!(truncated("203.0.113.77").as_deref(), Some("203.0.113.0"));
        assert_eq!(truncated("2001:db8:1:2:3:4:5:6").as_deref(), Some("2001:db8:1::"));
        assert_eq!(truncated("not an address"), None);
        // 203.0.113.77, as it stands in an address of IPv6.
        assert_eq!(truncated("2002:cb00:714d:1::1"), None);
        assert_eq!(truncated("::ffff:203.0.113.77").as_deref(), Some("::"));
        assert_eq!(truncated("64:ff9b::203.0.113.77").as_deref(), Some("64:ff9b::"));
    }
}
