//! Sealing for stores that seal nothing themselves: ChaCha20-Poly1305 with a counter for the nonce, as the journal's
//! default is.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

/// One key. No sequence number is used twice under it.
pub struct Sealer {
    key: LessSafeKey,
}

impl Sealer {
    pub fn new(key: &[u8; 32]) -> Self {
        Self { key: LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).expect("a key of 32 bytes")) }
    }

    fn nonce(sequence: u64) -> Nonce {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&sequence.to_be_bytes());
        Nonce::assume_unique_for_key(nonce)
    }

    /// Replaces `sealed` by the sealed body.
    pub fn seal(&self, sequence: u64, body: &[u8], sealed: &mut Vec<u8>) {
        sealed.clear();
        sealed.extend_from_slice(body);
        let aad = Aad::from(sequence.to_le_bytes());
        self.key.seal_in_place_append_tag(Self::nonce(sequence), aad, sealed).expect("a short record");
    }

    pub fn open(&self, sequence: u64, sealed: &[u8]) -> Vec<u8> {
        let mut bytes = sealed.to_vec();
        let aad = Aad::from(sequence.to_le_bytes());
        let length = self.key.open_in_place(Self::nonce(sequence), aad, &mut bytes).expect("an untouched record").len();
        bytes.truncate(length);
        bytes
    }
}
