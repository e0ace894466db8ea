//! Seals that did not open, counted for each domain: beyond a limit its keys are wiped, so that nobody tries tags until
//! one fits.

use zeroize::Zeroizing;

use crate::cipher::SealingKey;
use crate::journal::Inner;
use crate::names::Domain;
use crate::read::Unsealing;

/// The most seals of a domain that may fail to open while the store is open. One that is forged after as many tries has a
/// chance below 2^-70 under ChaCha20-Poly1305, records having at most 2^16 blocks: `v (L + 1) / 2^103` of
/// draft-irtf-cfrg-aead-limits; under AES-256-GCM it is less. What is merely damaged fails its checksum and is not counted.
const MAX_FORGERIES: u32 = 1 << 16;

/// How often a domain's keys may still fail to open something.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tries {
    left: u32,
    failed: u32,
}

impl Tries {
    /// Opens a seal, if there is a try left.
    pub(crate) fn open(
        &mut self,
        key: &SealingKey,
        counter: u64,
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Unsealing> {
        if self.left == 0 {
            return Err(Unsealing::Locked);
        }
        key.open(counter, aad, sealed).ok_or_else(|| {
            self.left -= 1;
            self.failed += 1;
            Unsealing::Damaged
        })
    }
}

impl Inner {
    /// The tries that a domain has left.
    pub(crate) fn tries(&self, domain: &Domain) -> Tries {
        let failed = self.forgeries.get(domain).copied().unwrap_or(0);
        Tries { left: MAX_FORGERIES.saturating_sub(failed), failed: 0 }
    }

    /// Counts what failed. At the limit the domain's keys go, for as long as the store is open.
    pub(crate) fn note_tries(&mut self, domain: &Domain, tries: Tries) {
        if tries.failed > 0 {
            let failed = self.forgeries.entry(*domain).or_default();
            *failed = failed.saturating_add(tries.failed);
            if self.is_forged(domain) {
                self.close(domain);
            }
        }
    }

    /// Whether too many seals of a domain did not open.
    pub(crate) fn is_forged(&self, domain: &Domain) -> bool {
        self.forgeries.get(domain).is_some_and(|failed| *failed >= MAX_FORGERIES)
    }
}
