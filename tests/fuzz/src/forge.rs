//! Writes what a store would have written around given content, from `crates/journal/FORMAT.md`: checksums, codes,
//! commitments, seals, roots and signatures.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use menshen_journal::simulated::SimulatedDisk;
use menshen_journal::{Alias, KeyProvider};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::digest::{SHA256, digest};
use ring::hkdf::{HKDF_SHA256, Salt};
use ring::hmac;
use ring::signature::Ed25519KeyPair;

const FRAME: usize = 18;
const HEADER: usize = 128;
const SLOT: usize = 512;

type Domain = [u8; 24];

/// The secrets of a store.
pub struct Forge {
    store: [u8; 16],
    domains: HashMap<Domain, [u8; 32]>,
    slices: HashMap<u64, [u8; 32]>,
    payloads: HashMap<u64, [u8; 32]>,
    seeds: HashMap<Domain, Ed25519KeyPair>,
    bookkeeping: [u8; 32],
}

/// One frame of a file.
pub struct Frame<'a> {
    pub kind: u8,
    pub sequence: u64,
    pub body: &'a [u8],
}

/// A whole frame, or a byte that begins none.
pub enum Piece<'a> {
    Frame(Frame<'a>),
    Byte(u8),
}

/// Content cut into frames by their headers alone; a length beyond the end means up to the end.
pub fn pieces(mut content: &[u8]) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    while let Some((&first, rest)) = content.split_first() {
        match content.split_first_chunk::<FRAME>() {
            Some((header, behind)) if first == 0xD6 && b"RDEHCM".contains(&header[1]) => {
                let length = u32::from_le_bytes([header[10], header[11], header[12], header[13]]) as usize;
                let (body, behind) = behind.split_at(length.min(behind.len()));
                pieces.push(Piece::Frame(Frame { kind: header[1], sequence: number(&header[2..10]), body }));
                content = behind;
            }
            _ => {
                pieces.push(Piece::Byte(first));
                content = rest;
            }
        }
    }
    pieces
}

/// A frame as it is written.
pub fn framed(kind: u8, sequence: u64, body: &[u8]) -> Vec<u8> {
    let mut start = vec![0xD6, kind];
    start.extend(sequence.to_le_bytes());
    start.extend((body.len() as u32).to_le_bytes());
    let sum = crc32c::crc32c_append(crc32c::crc32c(&start), body);
    [&start[..], &sum.to_le_bytes(), body].concat()
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

fn hkdf(salt: &[u8], input: &[u8], info: &[&[u8]]) -> [u8; 32] {
    let mut key = [0; 32];
    Salt::new(HKDF_SHA256, salt).extract(input).expand(info, HKDF_SHA256).unwrap().fill(&mut key).unwrap();
    key
}

fn code(key: &[u8], said: &[&[u8]]) -> [u8; 16] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), &said.concat());
    tag.as_ref()[..16].try_into().unwrap()
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    digest(&SHA256, &parts.concat()).as_ref().try_into().unwrap()
}

fn nonce(counter: u64) -> Nonce {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&counter.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}

fn sealed(key: &[u8; 32], counter: u64, aad: &[&[u8]], plain: &[u8]) -> Vec<u8> {
    let mut bytes = plain.to_vec();
    let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).unwrap());
    key.seal_in_place_append_tag(nonce(counter), Aad::from(aad.concat()), &mut bytes).unwrap();
    bytes
}

fn unsealed(key: &[u8; 32], counter: u64, aad: &[u8], sealed: &[u8]) -> Vec<u8> {
    let mut bytes = sealed.to_vec();
    let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).unwrap());
    key.open_in_place(nonce(counter), Aad::from(aad), &mut bytes).unwrap().to_vec()
}

/// A run whose header was read.
struct Run {
    first: u64,
    salt: [u8; 32],
    payload: u64,
}

/// The tree of a ledger while its entries are forged.
#[derive(Default)]
struct Tree {
    leaves: Vec<[u8; 32]>,
}

impl Tree {
    fn root(leaves: &[[u8; 32]]) -> [u8; 32] {
        match leaves {
            [] => sha256(&[]),
            [leaf] => *leaf,
            _ => {
                let half = leaves.len().next_power_of_two() / 2;
                let (left, right) = leaves.split_at(half);
                sha256(&[&[1], &Self::root(left), &Self::root(right)])
            }
        }
    }
}

impl Forge {
    /// Takes the secrets from the files of a store and its platform's keys.
    pub fn of(disk: &SimulatedDisk, keys: &dyn KeyProvider) -> Self {
        let content = disk.contents("keys").unwrap();
        let copies = content.chunks(8192).flat_map(|chunk| chunk[..4096].chunks(SLOT));
        let slots: Vec<&[u8]> = copies.filter(|slot| slot[0] != 0).collect();
        let fields = |kind: u8| slots.iter().filter(move |slot| slot[0] == kind).map(|slot| &slot[9..508]);
        let store: [u8; 16] = fields(1).next().unwrap()[..16].try_into().unwrap();
        let short = |bytes: &[u8]| {
            let (length, rest) = bytes.split_at(2);
            let (text, rest) = rest.split_at(number(length) as usize);
            (text.to_vec(), rest.to_vec())
        };
        let names: HashMap<(u8, u64), Vec<u8>> =
            fields(4).map(|slot| ((slot[0], number(&slot[1..9])), short(&slot[9..]).0)).collect();
        let mut domains = HashMap::new();
        for slot in fields(2) {
            let domain: Domain = slot[..24].try_into().unwrap();
            let (alias, rest) = short(&slot[24..]);
            let aad = [b"menshen/0/domain-secret", &store[..], &alias].concat();
            let alias = Alias::parse(std::str::from_utf8(&alias).unwrap()).unwrap();
            let Ok(secret) = keys.unwrap(&alias, &short(&rest).0, &aad) else { continue };
            let name = |kind: u8, at: usize| {
                let name = names.get(&(kind, number(&domain[at..at + 8]))).cloned().unwrap_or_default();
                [&(name.len() as u16).to_le_bytes()[..], &name].concat()
            };
            let info: [&[u8]; 5] = [b"menshen/0/domain-key", &store, &domain, &name(1, 0), &name(2, 8)];
            domains.insert(domain, hkdf(&[], &secret, &info));
        }
        let slices = fields(3).map(|slot| (number(&slot[45..53]), slot[53..85].try_into().unwrap())).collect();
        let payloads = fields(6).map(|slot| (number(&slot[24..32]), slot[32..64].try_into().unwrap())).collect();
        let mut seeds = HashMap::new();
        for slot in fields(5) {
            let domain: Domain = slot[..24].try_into().unwrap();
            let Some(key) = domains.get(&domain) else { continue };
            let public = &slot[24..56];
            let seed_key = hkdf(&[], key, &[b"menshen/0/ledger-seed", public]);
            let seed = unsealed(&seed_key, 0, public, &short(&slot[56..]).0);
            seeds.insert(domain, Ed25519KeyPair::from_seed_unchecked(&seed).unwrap());
        }
        let mut own = [0; 24];
        own[16] = 1;
        let bookkeeping = hkdf(&[], &domains[&own], &[b"menshen/0/bookkeeping"]);
        Self { store, domains, slices, payloads, seeds, bookkeeping }
    }

    /// A segment: a header that is there, and frames whose bodies are what is behind the seal.
    pub fn segment(&self, header: &[u8], content: &[u8]) -> Vec<u8> {
        let header: &[u8; HEADER] = header.first_chunk().unwrap();
        let hash = sha256(&[header]);
        let domain: &Domain = header[36..60].try_into().unwrap();
        let mut slice = vec![header[10]];
        slice.extend(&header[60..88]);
        let secret = &self.slices[&number(&header[80..88])];
        let slice_key = hkdf(secret, &self.domains[domain], &[b"menshen/0/slice-key", &self.store, domain, &slice]);
        let (mut out, mut run, mut tree) = (header.to_vec(), None, Tree::default());
        for piece in pieces(content) {
            let Frame { kind, sequence, body } = match piece {
                Piece::Frame(frame) => frame,
                Piece::Byte(byte) => {
                    out.push(byte);
                    continue;
                }
            };
            let body = match (kind, &run) {
                (b'R', _) if body.len() == 72 => {
                    let salt: [u8; 32] = body[..32].try_into().unwrap();
                    run = Some(Run { first: sequence, salt, payload: number(&body[64..72]) });
                    let commitment = hkdf(&salt, &slice_key, &[b"menshen/0/run-commitment", &hash]);
                    [&salt[..], &commitment, &body[64..]].concat()
                }
                (b'D', Some(run)) => {
                    self.seal(&self.run_key(run, &slice_key, &hash), b"menshen/0/record", &hash, run, sequence, body)
                }
                (b'E', Some(run)) => {
                    let forged = self.entry(domain, &slice_key, &hash, run, &mut tree, sequence, body);
                    forged.unwrap_or_else(|| body.to_vec())
                }
                (b'H', Some(_)) if body.len() == 120 => self.head(domain, &tree, sequence, body),
                _ => body.to_vec(),
            };
            out.extend(framed(kind, sequence, &body));
        }
        out
    }

    fn run_key(&self, run: &Run, slice_key: &[u8; 32], hash: &[u8; 32]) -> [u8; 32] {
        hkdf(&run.salt, slice_key, &[b"menshen/0/run-key", hash])
    }

    fn seal(
        &self,
        key: &[u8; 32],
        name: &[u8; 16],
        hash: &[u8; 32],
        run: &Run,
        sequence: u64,
        plain: &[u8],
    ) -> Vec<u8> {
        let length = plain.len() as u64 + 16;
        let aad: [&[u8]; 4] = [name, hash, &sequence.to_le_bytes(), &length.to_le_bytes()];
        sealed(key, sequence.wrapping_sub(run.first), &aad, plain)
    }

    /// An entry from its statement and payload in clear; nothing where they cannot be told apart.
    #[expect(clippy::too_many_arguments, reason = "what an entry is bound to")]
    fn entry(
        &self,
        domain: &Domain,
        slice_key: &[u8; 32],
        hash: &[u8; 32],
        run: &Run,
        tree: &mut Tree,
        sequence: u64,
        body: &[u8],
    ) -> Option<Vec<u8>> {
        let length = number(body.get(32..36)?) as usize;
        let (statement, payload) = body.get(36..)?.split_at_checked(length)?;
        let mut statement = statement.to_vec();
        if let Some(text) = text_of(payload) {
            statement.get_mut(..32)?.copy_from_slice(&sha256(&[&payload[..32], text]));
        }
        let before = tree.leaves.last().copied().unwrap_or_default();
        let text = text_of(&statement).unwrap_or_default();
        let place: [&[u8]; 5] = [&[0], b"menshen/0/entry", &self.store, &domain[..8], &domain[16..]];
        let leaf = sha256(&[&place.concat(), &sequence.to_le_bytes(), &before, statement.get(..32)?, text]);
        tree.leaves.push(leaf);
        let key = self.run_key(run, slice_key, hash);
        let statement = self.seal(&key, b"menshen/0/ledger", hash, run, sequence, &statement);
        let payload = match self.payloads.get(&run.payload) {
            Some(secret) => {
                let key = hkdf(secret, &self.domains[domain], &[b"menshen/0/payload"]);
                let key = hkdf(&run.salt, &key, &[b"menshen/0/payload-run", hash]);
                self.seal(&key, b"menshen/0/erases", hash, run, sequence, payload)
            }
            None => payload.to_vec(),
        };
        Some([&leaf[..], &(statement.len() as u32).to_le_bytes(), &statement, &payload].concat())
    }

    /// A head over the entries so far, signed; the manifest that it names is the fuzzer's.
    fn head(&self, domain: &Domain, tree: &Tree, sequence: u64, body: &[u8]) -> Vec<u8> {
        let size = sequence.wrapping_add(1);
        let root = Tree::root(&tree.leaves);
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let text = format!(
            "menshen/{}/{:016x}/{}\n{size}\n{}\nmanifest {} {}\n",
            hex(&self.store),
            number(&domain[..8]),
            number(&domain[16..]),
            STANDARD.encode(root),
            number(&body[32..40]),
            hex(&body[40..56]),
        );
        let signature = self.seeds[domain].sign(text.as_bytes());
        [&root[..], &body[32..56], signature.as_ref()].concat()
    }

    /// `manifest.1` from frames whose bodies are entries.
    pub fn manifest(&self, content: &[u8]) -> Vec<u8> {
        let (mut out, mut before) = (Vec::new(), [0; 16]);
        for piece in pieces(content) {
            match piece {
                Piece::Byte(byte) => out.push(byte),
                Piece::Frame(Frame { kind, sequence, body }) => {
                    let place = [&1_u64.to_le_bytes()[..], &sequence.to_le_bytes(), &before].concat();
                    let own = code(&self.bookkeeping, &[b"menshen/0/manifest", &self.store, &place, body]);
                    out.extend(framed(kind, sequence, &[&before[..], &own, body].concat()));
                    before = own;
                }
            }
        }
        out
    }

    /// `keys` from the first copies of its slots, each with the checksum that it needs, and their second copies.
    pub fn keys(&self, content: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for chunk in content.chunks(4096) {
            let mut copies = vec![0; 4096];
            for (slot, written) in chunk.chunks(SLOT).zip(copies.chunks_mut(SLOT)) {
                written[..slot.len()].copy_from_slice(slot);
                if slot[0] != 0 {
                    let sum = crc32c::crc32c(&written[..508]);
                    written[508..].copy_from_slice(&sum.to_le_bytes());
                }
            }
            out.extend_from_slice(&copies);
            out.extend_from_slice(&copies);
        }
        out
    }

    /// `cursor` from the first 33 bytes of its slots, under the label of one segment.
    pub fn cursor(&self, content: &[u8], label: u64) -> Vec<u8> {
        let mut out = vec![0; 8192];
        for (number, fields) in content.chunks(33).take(64).enumerate() {
            let mut slot = [0; 64];
            slot[..fields.len()].copy_from_slice(fields);
            let own = code(&self.bookkeeping, &[b"menshen/0/cursor", &self.store, &label.to_le_bytes(), &slot[..33]]);
            slot[33..49].copy_from_slice(&own);
            let sum = crc32c::crc32c(&slot[..49]);
            slot[49..53].copy_from_slice(&sum.to_le_bytes());
            let at = if slot[1] % 2 == 0 { 0 } else { 4096 } + number * 64;
            out[at..at + 64].copy_from_slice(&slot);
        }
        out
    }
}

/// The text behind 32 bytes and its length.
fn text_of(plain: &[u8]) -> Option<&[u8]> {
    let length = number(plain.get(32..36)?) as usize;
    plain.get(36..)?.get(..length)
}

/// 32 bytes, a text and its length, padded to a multiple of 64 as a store writes them.
pub fn padded(front: &[u8; 32], text: &[u8]) -> Vec<u8> {
    let mut plain = [&front[..], &(text.len() as u32).to_le_bytes(), text].concat();
    plain.resize(plain.len().next_multiple_of(64), 0);
    plain
}
