//! The known answers of Project Wycheproof for every primitive of the store that ring provides: each case is one of them.

use ring::aead::{AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use ring::{hmac, signature};
use wycheproof::{TestResult, aead, eddsa, hkdf, mac};

use crate::planted;
use crate::programme::Prepared;

/// What is asked, and whether the answer is to be yes.
struct Known {
    name: String,
    expected: bool,
    ask: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Known {
    fn new(set: &str, id: usize, result: TestResult, ask: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { name: format!("{set} {id}"), expected: result != TestResult::Invalid, ask: Box::new(ask) }
    }
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// Both ways: the sealed bytes open to the plaintext, and the plaintext seals to them.
fn seals(name: aead::TestName, algorithm: &'static ring::aead::Algorithm, known: &mut Vec<Known>) {
    let set = aead::TestSet::load(name).unwrap();
    // The store has keys of 32 bytes, nonces of 12, tags of 16.
    let fitting = |group: &aead::TestGroup| (group.key_size, group.nonce_size, group.tag_size) == (256, 96, 128);
    for test in set.test_groups.into_iter().filter(fitting).flat_map(|group| group.tests) {
        known.push(Known::new("AEAD", test.tc_id, test.result, move || {
            let key = LessSafeKey::new(UnboundKey::new(algorithm, &test.key).unwrap());
            let nonce = || Nonce::try_assume_unique_for_key(&test.nonce).unwrap();
            let mut sealed = [&test.ct[..], &test.tag].concat();
            let opened =
                key.open_in_place(nonce(), Aad::from(&test.aad), &mut sealed).is_ok_and(|plain| plain == &test.pt[..]);
            let mut plain = test.pt.to_vec();
            key.seal_in_place_append_tag(nonce(), Aad::from(&test.aad), &mut plain).unwrap();
            opened && plain == [&test.ct[..], &test.tag].concat()
        }));
    }
}

fn derivations(known: &mut Vec<Known>) {
    let set = hkdf::TestSet::load(hkdf::TestName::HkdfSha256).unwrap();
    for test in set.test_groups.into_iter().flat_map(|group| group.tests) {
        known.push(Known::new("HKDF", test.tc_id, test.result, move || {
            let mut out = vec![0; test.size];
            let info = [&test.info[..]];
            let key = Salt::new(HKDF_SHA256, &test.salt).extract(&test.ikm);
            let made = key.expand(&info, Length(test.size)).and_then(|okm| okm.fill(&mut out));
            made.is_ok() && out == test.okm[..]
        }));
    }
}

fn codes(known: &mut Vec<Known>) {
    let set = mac::TestSet::load(mac::TestName::HmacSha256).unwrap();
    for group in set.test_groups {
        let length = group.tag_size / 8;
        for test in group.tests {
            known.push(Known::new("HMAC", test.tc_id, test.result, move || {
                let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &test.key), &test.msg);
                tag.as_ref()[..length] == test.tag[..]
            }));
        }
    }
}

fn signatures(known: &mut Vec<Known>) {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    for group in set.test_groups {
        for test in group.tests {
            let key = group.key.pk.to_vec();
            known.push(Known::new("Ed25519", test.tc_id, test.result, move || {
                signature::UnparsedPublicKey::new(&signature::ED25519, &key).verify(&test.msg, &test.sig).is_ok()
            }));
        }
    }
}

/// C1.
pub(crate) fn wycheproof(_seed: u64) -> Result<Prepared, String> {
    let mut known = Vec::new();
    seals(aead::TestName::ChaCha20Poly1305, &CHACHA20_POLY1305, &mut known);
    seals(aead::TestName::AesGcm, &AES_256_GCM, &mut known);
    derivations(&mut known);
    codes(&mut known);
    signatures(&mut known);
    Prepared::all(known.len() as u64, move |case| {
        let known = &known[case as usize];
        let answer = (known.ask)() || planted::is("tag-ignored");
        assert_eq!(answer, known.expected, "{}", known.name);
    })
}
