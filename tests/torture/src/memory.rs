//! The memory of a process: a child lives a store's life and stops where keys and bodies should be gone; its parent reads
//! all that it may write to, and looks for them.
//!
//! The child makes its bodies and its randomness from a seed, so that nobody has to send them; what protects them the
//! parent derives from the files, as `FORMAT.md` says it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use menshen_journal::simulated::SeededRandomness;
use menshen_journal::{
    Algorithm, Domain, Effects, FileKeys, Folder, Journal, NewEntry, Options, Shredding, SystemClock,
};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use zeroize::Zeroizing;

use crate::kill::SPAWNING;
use crate::programme::Prepared;
use crate::random::Random;
use crate::world::*;

/// So many bytes in a row are a copy.
const WINDOW: usize = 16;
/// Of a body: letters that nothing else in a process makes.
const BODY: usize = 96;

/// Where the child stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    /// Everything was used a moment ago and is open.
    Used,
    /// One purpose was closed.
    Closed,
    /// It was shredded.
    Shredded,
    /// The store was dropped.
    Dropped,
}

const POINTS: [Point; 4] = [Point::Used, Point::Closed, Point::Shredded, Point::Dropped];

/// What somebody would like to find, by its name.
type Needles = BTreeMap<String, Vec<u8>>;

fn body(seed: u64, number: u64) -> Zeroizing<Vec<u8>> {
    let mut random = Random::of(seed, number);
    let mut body = Zeroizing::new(Vec::with_capacity(BODY));
    body.extend((0..BODY).map(|_| b'!' + (random.next() % 90) as u8));
    body
}

const VICTIM: u64 = 1;
const KEPT: u64 = 2;
const PAYLOAD: u64 = 3;
const STATE: u64 = 4;

/// Says where it is and waits for a word.
fn stop() {
    let mut word = [0];
    let _ = std::io::stdout().write_all(b".").and_then(|()| std::io::stdout().flush());
    let _ = File::open("/dev/stdin").and_then(|mut stdin| stdin.read(&mut word));
}

/// The child.
pub(crate) fn child(folder: &Path, seed: u64) {
    let effects = Effects {
        disk: Arc::new(Folder::at(folder.join("store")).unwrap()),
        keys: Arc::new(FileKeys::at(folder.join("keys")).unwrap()),
        clock: Arc::new(SystemClock::new()),
        randomness: Arc::new(SeededRandomness::new(seed)),
        anchor: None,
        marker_disks: Vec::new(),
    };
    let algorithm = if seed.is_multiple_of(2) { Algorithm::ChaCha20Poly1305 } else { Algorithm::Aes256Gcm };
    let open = || Journal::open(effects.clone(), Options { algorithm, ..Options::default() }).unwrap();
    let world = World::new(seed);
    world.clock.set_wall(menshen_journal::DeviceClock::now(&SystemClock::new()).wall_ms);
    let prepare = |journal: &Journal| {
        let (victim, kept) = (domain(journal, "victim").unwrap(), domain(journal, "kept").unwrap());
        let account = essential(journal).unwrap();
        (victim, kept, account)
    };
    {
        // A life before this one, so that keys are read from files, too.
        let journal = open();
        let (victim, kept, account) = prepare(&journal);
        write(&world, &journal, seed, (victim, kept), account);
    }
    let journal = open();
    let (victim, kept, account) = prepare(&journal);
    journal.fill_spares(1).unwrap();
    write(&world, &journal, seed, (victim, kept), account);
    stop();
    journal.close_domain(&victim);
    stop();
    assert_eq!(journal.shred(&victim), Ok(Shredding::Done));
    stop();
    drop(journal);
    stop();
}

fn write(
    world: &World,
    journal: &Journal,
    seed: u64,
    (victim, kept): (Domain, Domain),
    account: menshen_journal::Label,
) {
    let one = endpoint(journal).unwrap();
    for (domain, number) in [(victim, VICTIM), (kept, KEPT)] {
        for _ in 0..5 {
            put(world, journal, domain, &body(seed, number)).unwrap();
        }
    }
    let payload = body(seed, PAYLOAD);
    journal.ledger_append(account, &[NewEntry { statement: b"statement", payload: &payload }]).unwrap();
    journal.ledger_checkpoint(account, &body(seed, STATE)).unwrap();
    drop(payload);
    journal.sync().unwrap();
    let batch = read(journal, one, &[victim, kept]).unwrap();
    assert!(batch.records.len() >= 10);
    let whole = journal.ledger_read(account).unwrap();
    assert!(whole.entries.last().unwrap().payload.is_some());
    assert!(journal.ledger_tail(account).unwrap().checkpoint.is_some());
}

struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        32
    }
}

fn derive(salt: &[u8], secret: &[u8], info: &[&[u8]]) -> Vec<u8> {
    let mut out = vec![0; 32];
    Salt::new(HKDF_SHA256, salt).extract(secret).expand(info, Length).unwrap().fill(&mut out).unwrap();
    out
}

/// Fields of a slot, taken from its front.
fn take<'a>(rest: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, behind) = rest.split_at(count);
    *rest = behind;
    taken
}

fn short<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let length = u16::from_le_bytes(take(rest, 2).try_into().unwrap());
    take(rest, usize::from(length))
}

/// Every secret of the store, as its files and its platform's keys give them.
fn secrets(folder: &Path) -> Needles {
    let keys = fs::read(folder.join("store/keys")).unwrap();
    let slots: Vec<&[u8]> = keys.chunks(8192).flat_map(|chunk| chunk[..4096].chunks(512)).collect();
    let of_kind = |kind: u8| slots.iter().filter(move |slot| slot[0] == kind).map(|slot| &slot[9..508]);
    let store: Vec<u8> = of_kind(1).next().unwrap()[..16].to_vec();
    let mut names: BTreeMap<(u8, Vec<u8>), Vec<u8>> = BTreeMap::new();
    for mut slot in of_kind(4) {
        let (kind, label) = (take(&mut slot, 1)[0], take(&mut slot, 8).to_vec());
        names.insert((kind, label), short(&mut slot).to_vec());
    }
    let name_of = |kind, label: &[u8]| names.get(&(kind, label.to_vec())).cloned().unwrap_or_default();
    let mut needles = Needles::new();
    let mut domain_keys: BTreeMap<Vec<u8>, (String, Vec<u8>)> = BTreeMap::new();
    for mut slot in of_kind(2) {
        let domain = take(&mut slot, 24).to_vec();
        let (alias, wrapped) = (short(&mut slot), short(&mut slot));
        let (account, purpose) = (name_of(1, &domain[..8]), name_of(2, &domain[8..16]));
        let is_store = domain[..8] == [0; 8];
        let name = String::from_utf8(if is_store { b"store".to_vec() } else { purpose.clone() }).unwrap();
        let name = if name.is_empty() { "essential".to_owned() } else { name };
        let platform = fs::read(folder.join("keys").join(std::str::from_utf8(alias).unwrap())).unwrap();
        let mut secret = wrapped[12..].to_vec();
        let aad = [&b"menshen/0/domain-secret"[..], &store, alias].concat();
        let nonce = Nonce::try_assume_unique_for_key(&wrapped[..12]).unwrap();
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &platform).unwrap());
        let secret = key.open_in_place(nonce, Aad::from(aad), &mut secret).unwrap().to_vec();
        let short = |bytes: &[u8]| [&(bytes.len() as u16).to_le_bytes()[..], bytes].concat();
        let info = [&b"menshen/0/domain-key"[..], &store, &domain, &short(&account), &short(&purpose)].concat();
        let domain_key = derive(&[], &secret, &[&info]);
        needles.insert(format!("{name}: platform key"), platform);
        needles.insert(format!("{name}: domain secret"), secret);
        needles.insert(format!("{name}: domain key"), domain_key.clone());
        domain_keys.insert(domain, (name, domain_key));
    }
    let mut payload_keys = BTreeMap::new();
    for mut slot in of_kind(6) {
        let (name, key) = &domain_keys[take(&mut slot, 24)];
        let (label, secret) = (take(&mut slot, 8), take(&mut slot, 32));
        needles.insert(format!("{name}: payload secret"), secret.to_vec());
        let key = derive(secret, key, &[b"menshen/0/payload"]);
        needles.insert(format!("{name}: payload key"), key.clone());
        payload_keys.insert(label.to_vec(), key);
    }
    for mut slot in of_kind(5) {
        let (name, key) = &domain_keys[take(&mut slot, 24)];
        let public = take(&mut slot, 32);
        let seed_key = derive(&[], key, &[b"menshen/0/ledger-seed", public]);
        let mut sealed = short(&mut slot).to_vec();
        let key = LessSafeKey::new(UnboundKey::new(&ring::aead::CHACHA20_POLY1305, &seed_key).unwrap());
        let nonce = Nonce::assume_unique_for_key([0; 12]);
        let seed = key.open_in_place(nonce, Aad::from(public), &mut sealed).unwrap().to_vec();
        needles.insert(format!("{name}: seed key"), seed_key);
        needles.insert(format!("{name}: signing seed"), seed);
    }
    for mut slot in of_kind(3) {
        let (domain, slice) = (take(&mut slot, 24), take(&mut slot, 29));
        let (name, key) = &domain_keys[domain];
        let secret = take(&mut slot, 32);
        let key = derive(secret, key, &[b"menshen/0/slice-key", &store, domain, slice]);
        needles.insert(format!("{name}: slice secret"), secret.to_vec());
        needles.insert(format!("{name}: slice key {:x?}", &slice[21..]), key.clone());
        run_keys(folder, &slice[21..], name, &key, &payload_keys, &mut needles);
    }
    needles
}

/// The keys of all runs in the segments of a slice.
fn run_keys(
    folder: &Path,
    label: &[u8],
    name: &str,
    slice_key: &[u8],
    payload_keys: &BTreeMap<Vec<u8>, Vec<u8>>,
    needles: &mut Needles,
) {
    for entry in fs::read_dir(folder.join("store/segments")).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        if bytes.len() < 128 || &bytes[80..88] != label {
            continue;
        }
        let hash = ring::digest::digest(&ring::digest::SHA256, &bytes[..128]);
        let mut at = 128;
        while bytes.get(at) == Some(&0xD6) {
            let length = u32::from_le_bytes(bytes[at + 10..at + 14].try_into().unwrap()) as usize;
            if bytes[at + 1] == 0x52 {
                let body = &bytes[at + 18..at + 18 + length];
                let (salt, payload) = (&body[..32], &body[64..72]);
                let key = derive(salt, slice_key, &[b"menshen/0/run-key", hash.as_ref()]);
                needles.insert(format!("{name}: run key {:x?}", &salt[..4]), key);
                if let Some(payload_key) = payload_keys.get(payload) {
                    let key = derive(salt, payload_key, &[b"menshen/0/payload-run", hash.as_ref()]);
                    needles.insert(format!("{name}: payload run key {:x?}", &salt[..4]), key);
                    let key = derive(salt, payload_key, &[b"menshen/0/checkpoint-run", hash.as_ref()]);
                    needles.insert(format!("{name}: checkpoint run key {:x?}", &salt[..4]), key);
                }
            }
            at += 18 + length;
        }
    }
}

fn with_bodies(seed: u64, mut needles: Needles) -> Needles {
    for (name, number) in
        [("victim", VICTIM), ("kept", KEPT), ("essential: payload", PAYLOAD), ("essential: state", STATE)]
    {
        needles.insert(format!("{name}: body"), body(seed, number).to_vec());
    }
    needles
}

/// How often each needle stands in what a process may write to. A part of 16 bytes is enough.
fn found(process: u32, needles: &Needles) -> BTreeMap<String, u64> {
    // By their first 8 bytes, so that each place is looked up once.
    let mut parts: BTreeMap<[u8; 8], Vec<(&str, &[u8])>> = BTreeMap::new();
    for (name, needle) in needles {
        for part in needle.chunks_exact(WINDOW) {
            parts.entry(part[..8].try_into().unwrap()).or_default().push((name, part));
        }
    }
    let first: [bool; 256] = std::array::from_fn(|byte| parts.keys().any(|part| usize::from(part[0]) == byte));
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let memory = File::open(format!("/proc/{process}/mem")).unwrap();
    let mut found: BTreeMap<String, u64> = needles.keys().map(|name| (name.clone(), 0)).collect();
    let mut seen = 0;
    for line in maps.lines() {
        let mut fields = line.split(' ');
        let (range, rights) = (fields.next().unwrap(), fields.next().unwrap());
        let Some((start, end)) = range.split_once('-').filter(|_| rights.starts_with("rw")) else { continue };
        let [start, end] = [start, end].map(|number| u64::from_str_radix(number, 16).unwrap());
        let mut bytes = vec![0; (end - start) as usize];
        let Ok(count) = memory.read_at(&mut bytes, start) else { continue };
        seen += count;
        for at in 0..count.saturating_sub(WINDOW) {
            if !first[usize::from(bytes[at])] {
                continue;
            }
            let Some(parts) = parts.get(&bytes[at..at + 8]) else { continue };
            for (name, _) in parts.iter().filter(|(_, part)| bytes[at..at + WINDOW] == **part) {
                *found.get_mut(*name).unwrap() += 1;
            }
        }
    }
    assert!(seen > 100_000, "the memory of a process was not read");
    found
}

fn spawn(program: &Path, folder: &Path, seed: u64) -> Child {
    let _alone = SPAWNING.write().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut command = Command::new(program);
    command.args(["child", "memory"]).arg(folder).arg(seed.to_string());
    command.stdout(Stdio::piped()).stdin(Stdio::piped()).spawn().unwrap()
}

/// Lets a child live and says what was found at each point.
fn life(program: &Path, seed: u64) -> Vec<(Point, BTreeMap<String, u64>)> {
    let folder = tempfile::tempdir().unwrap();
    let mut child = spawn(program, folder.path(), seed);
    let (mut stdout, mut stdin) = (child.stdout.take().unwrap(), child.stdin.take().unwrap());
    let (mut counts, mut needles) = (Vec::new(), Needles::new());
    for point in POINTS {
        stdout.read_exact(&mut [0]).unwrap_or_else(|_| panic!("the child did not come to {point:?}"));
        if point == Point::Used {
            needles = with_bodies(seed, secrets(folder.path()));
        }
        if point == Point::Shredded {
            files_hold_nothing(folder.path(), &needles);
        }
        counts.push((point, found(child.id(), &needles)));
        stdin.write_all(b".").unwrap();
    }
    drop(stdin);
    child.wait().unwrap();
    counts
}

/// No file of a store holds a secret of what was shredded.
fn files_hold_nothing(folder: &Path, needles: &Needles) {
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = fs::read(&path).unwrap();
            for (name, needle) in needles.iter().filter(|(name, _)| name.starts_with("victim")) {
                let holds = bytes.windows(WINDOW).any(|window| window == &needle[..WINDOW]);
                assert!(!holds, "{name} in {}", path.display());
            }
        }
    }
}

/// The keys that a store in use has to have somewhere.
fn is_in_use(name: &str) -> bool {
    name.ends_with(": domain key") || name.ends_with(": slice secret")
}

/// P3 and L8.
pub(crate) fn lives(seed: u64) -> Result<Prepared, String> {
    let program = std::env::current_exe().unwrap();
    if !Path::new("/proc/self/mem").exists() {
        return Err("the memory of a process cannot be read here".to_owned());
    }
    Prepared::endless(move |case| {
        let counts = life(&program, seed.wrapping_mul(1_000_003).wrapping_add(case));
        for (point, found) in counts {
            if std::env::var_os("MENSHEN_SHOW").is_some() {
                let there: Vec<_> = found.iter().filter(|(_, count)| **count > 0).collect();
                eprintln!("case {case} {point:?}: {there:?}");
            }
            for (name, count) in found {
                match point {
                    Point::Used => assert!(!is_in_use(&name) || count > 0, "the search does not find {name}"),
                    Point::Closed | Point::Shredded => {
                        // What may be read again without the key store is in `keys` as it is.
                        let stays = point == Point::Closed && name.ends_with("slice secret");
                        assert!(stays || !name.starts_with("victim") || count == 0, "{point:?}: {count} × {name}");
                    }
                    Point::Dropped => assert_eq!(count, 0, "{point:?}: {name}"),
                }
            }
        }
    })
}
