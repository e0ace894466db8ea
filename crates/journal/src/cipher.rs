//! All cryptography of the store, by ring, and by hpke where a server's key seals: one module to read, one to replace.
//!
//! Keys stay at one place of the heap and are overwritten when dropped, ring's own too, which do not do it by themselves.
//! What ring leaves on the stack goes with [`scrub_stack`].

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use ring::aead::{AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::digest::{Context, SHA256};
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use ring::hmac;
use ring::signature::{Ed25519KeyPair, KeyPair};
use zeroize::Zeroizing;

use crate::effects::Randomness;

/// Length of an authentication tag.
pub(crate) const TAG: usize = 16;

/// 32 secret bytes at one place of the heap: wiped when dropped, and moving them leaves no copy behind.
#[derive(Clone)]
pub(crate) struct Secret(Box<Zeroizing<[u8; 32]>>);

impl Secret {
    /// One that `fill` writes.
    pub(crate) fn filled<E>(fill: impl FnOnce(&mut [u8]) -> Result<(), E>) -> Result<Self, E> {
        let mut secret = Self(Box::new(Zeroizing::new([0; 32])));
        fill(secret.0.as_mut_slice()).map(|()| secret)
    }

    /// A copy of 32 bytes.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 32] = bytes.try_into().ok()?;
        Self::filled(|to| {
            to.copy_from_slice(bytes);
            Ok::<_, std::convert::Infallible>(())
        })
        .ok()
    }
}

impl std::ops::Deref for Secret {
    type Target = [u8; 32];

    fn deref(&self) -> &[u8; 32] {
        &self.0
    }
}

/// How much of the stack is scrubbed: more than a call of this library takes.
const SCRUBBED: usize = 96 * 1024;

/// Writes zeros over the stack that earlier calls of this thread used: ring leaves copies of keys there.
#[inline(never)]
pub(crate) fn scrub_stack() {
    let mut zeros = [0_u8; SCRUBBED];
    std::hint::black_box(&mut zeros);
}

/// Scrubs the stack when it goes out of scope, after what was declared later.
pub(crate) struct Scrubbed;

impl Drop for Scrubbed {
    fn drop(&mut self) {
        scrub_stack();
    }
}

struct Length32;

impl KeyType for Length32 {
    fn len(&self) -> usize {
        32
    }
}

/// HKDF-SHA-256 to 32 bytes. The parts of `info` are of fixed length or separated by their use.
pub(crate) fn derive(salt: &[u8], secret: &[u8], info: &[&[u8]]) -> Option<Secret> {
    Secret::filled(|out| Salt::new(HKDF_SHA256, salt).extract(secret).expand(info, Length32)?.fill(out)).ok()
}

pub(crate) fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    for (to, from) in out.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    out
}

pub(crate) fn keyed_hash(key: &[u8; 32], bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), bytes);
    for (to, from) in out.iter_mut().zip(tag.as_ref()) {
        *to = *from;
    }
    out
}

/// Compares in constant time, through a keyed hash as ring offers no bare comparison.
pub(crate) fn same(one: &[u8], other: &[u8]) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, one);
    hmac::verify(&key, other, hmac::sign(&key, one).as_ref()).is_ok()
}

/// Length of an authentication code of the store's bookkeeping.
pub(crate) const CODE: usize = 16;

/// A key for the bookkeeping: HMAC-SHA-256, cut to 16 bytes.
#[derive(Clone)]
pub(crate) struct CodeKey(Box<hmac::Key>);

impl Drop for CodeKey {
    fn drop(&mut self) {
        *self.0 = hmac::Key::new(hmac::HMAC_SHA256, &[0; 32]);
        std::hint::black_box(&mut self.0);
    }
}

impl CodeKey {
    pub(crate) fn new(key: &Secret) -> Self {
        Self(Box::new(hmac::Key::new(hmac::HMAC_SHA256, &**key)))
    }

    /// The code of these parts, which are of fixed length but for the last.
    pub(crate) fn code(&self, parts: &[&[u8]]) -> [u8; CODE] {
        let mut context = hmac::Context::with_key(&self.0);
        parts.iter().for_each(|part| context.update(part));
        let mut out = [0; CODE];
        for (to, from) in out.iter_mut().zip(context.sign().as_ref()) {
            *to = *from;
        }
        out
    }

    pub(crate) fn fits(&self, parts: &[&[u8]], code: &[u8; CODE]) -> bool {
        same(&self.code(parts), code)
    }
}

/// How records are sealed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// ChaCha20-Poly1305: in constant time on every processor.
    #[default]
    ChaCha20Poly1305,
    /// AES-256-GCM: faster where the processor has instructions for it.
    Aes256Gcm,
}

impl Algorithm {
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::ChaCha20Poly1305 => 1,
            Self::Aes256Gcm => 2,
        }
    }

    pub(crate) fn from_number(byte: u8) -> Option<Self> {
        [Self::ChaCha20Poly1305, Self::Aes256Gcm].into_iter().find(|algorithm| algorithm.number() == byte)
    }
}

/// A key that seals. The caller never uses a nonce twice.
pub(crate) struct SealingKey(Box<LessSafeKey>);

impl Drop for SealingKey {
    fn drop(&mut self) {
        if let Ok(key) = UnboundKey::new(self.0.algorithm(), &[0; 32]) {
            *self.0 = LessSafeKey::new(key);
        }
        std::hint::black_box(&mut self.0);
    }
}

impl SealingKey {
    pub(crate) fn new(algorithm: Algorithm, key: &Secret) -> Option<Self> {
        let key = Self::expand(algorithm, key);
        // At once, as what is moved next may carry what stands there to the heap.
        scrub_stack();
        key
    }

    #[inline(never)]
    fn expand(algorithm: Algorithm, key: &Secret) -> Option<Self> {
        let algorithm = match algorithm {
            Algorithm::ChaCha20Poly1305 => &CHACHA20_POLY1305,
            Algorithm::Aes256Gcm => &AES_256_GCM,
        };
        Some(Self(Box::new(LessSafeKey::new(UnboundKey::new(algorithm, &**key).ok()?))))
    }

    fn nonce(counter: u64) -> Nonce {
        let [a, b, c, d, e, f, g, h] = counter.to_be_bytes();
        Nonce::assume_unique_for_key([0, 0, 0, 0, a, b, c, d, e, f, g, h])
    }

    /// Seals in place and returns the tag.
    pub(crate) fn seal(&self, counter: u64, aad: &[u8], bytes: &mut [u8]) -> Option<[u8; TAG]> {
        let tag = self.0.seal_in_place_separate_tag(Self::nonce(counter), Aad::from(aad), bytes).ok()?;
        tag.as_ref().try_into().ok()
    }

    /// Opens a copy of sealed bytes with their tag at the end.
    pub(crate) fn open(&self, counter: u64, aad: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let mut bytes = Zeroizing::new(sealed.to_vec());
        let length = self.0.open_in_place(Self::nonce(counter), Aad::from(aad), &mut bytes).ok()?.len();
        bytes.truncate(length);
        Some(bytes)
    }
}

/// A key that signs the heads of a ledger: Ed25519.
pub(crate) struct SigningKey(Box<Ed25519KeyPair>);

impl Drop for SigningKey {
    fn drop(&mut self) {
        if let Ok(pair) = Ed25519KeyPair::from_seed_unchecked(&[0; 32]) {
            *self.0 = pair;
        }
        std::hint::black_box(&mut self.0);
    }
}

impl SigningKey {
    pub(crate) fn from_seed(seed: &[u8]) -> Option<Self> {
        Ed25519KeyPair::from_seed_unchecked(seed).ok().map(|pair| Self(Box::new(pair)))
    }

    pub(crate) fn public_key(&self) -> Option<[u8; 32]> {
        self.0.public_key().as_ref().try_into().ok()
    }

    pub(crate) fn sign(&self, bytes: &[u8]) -> Option<[u8; 64]> {
        self.0.sign(bytes).as_ref().try_into().ok()
    }
}

/// The store's randomness, as hpke takes it. It cannot answer an error, so it remembers one.
struct Drawn<'a> {
    randomness: &'a dyn Randomness,
    failed: bool,
}

impl rand_core::TryRng for Drawn<'_> {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.failed |= self.randomness.fill(bytes).is_err();
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Drawn<'_> {}

/// Seals to a server's X25519 key: the encapsulated key, and the ciphertext with its tag. Nobody here can open it. RFC 9180
/// in base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305. `None` where the key is none or there is no randomness.
pub(crate) fn seal_to(
    key: &[u8; 32],
    info: &[u8],
    aad: &[u8],
    plain: &[u8],
    randomness: &dyn Randomness,
) -> Option<([u8; 32], Vec<u8>)> {
    let key = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(key).ok()?;
    let mut drawn = Drawn { randomness, failed: false };
    let (encapsulated, sealed) = hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &key,
        info,
        plain,
        aad,
        &mut drawn,
    )
    .ok()?;
    (!drawn.failed).then_some((encapsulated.to_bytes().into(), sealed))
}

/// Opens what [`seal_to`] sealed, with the server's secret key.
pub(crate) fn open_with(
    secret: &[u8; 32],
    encapsulated: &[u8; 32],
    info: &[u8],
    aad: &[u8],
    sealed: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let secret = <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(secret).ok()?;
    let encapsulated = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(encapsulated).ok()?;
    let opened = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &secret,
        &encapsulated,
        info,
        sealed,
        aad,
    );
    opened.ok().map(Zeroizing::new)
}
