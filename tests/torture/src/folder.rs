//! What a store leaves in its folder: files with the names of the format and no others, and what is sealed looks like
//! noise.

use std::path::Path;
use std::sync::Arc;

use menshen_journal::simulated::SimulatedClock;
use menshen_journal::{Effects, FileKeys, Folder, Journal, Options, Shredding, SystemRandomness};

use crate::kill::shared_memory;
use crate::planted;
use crate::programme::Prepared;
use crate::random::Random;
use crate::world::*;

/// Bits of entropy in a byte of what is sealed.
const LEAST_BITS: f64 = 7.9;

fn is_hexadecimal(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// The names of `FORMAT.md`.
fn is_known(name: &str) -> bool {
    if ["lock", "keys", "cursor", "reserve"].contains(&name) {
        return true;
    }
    if let Some(number) = name.strip_prefix("manifest.") {
        return number.parse::<u64>().is_ok_and(|parsed| parsed.to_string() == number);
    }
    if let Some(id) = name.strip_prefix("segments/") {
        return is_hexadecimal(id, 16);
    }
    let Some(denied) = name.strip_prefix("denied-") else { return false };
    let parts: Vec<&str> = denied.split('-').collect();
    parts.len() == 4 && parts.iter().zip([8, 16, 16, 16]).all(|(part, digits)| is_hexadecimal(part, digits))
}

fn names(folder: &Path, prefix: &str, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            assert_eq!(name, "segments", "a folder that the format does not have");
            names(&entry.path(), &format!("{name}/"), found);
        } else {
            found.push(name);
        }
    }
}

/// The bodies of the records in a segment.
fn sealed(content: &[u8], out: &mut Vec<u8>) {
    let mut at = 128;
    while content.len() >= at + 18 && content[at] == 0xD6 {
        let length = u32::from_le_bytes(content[at + 10..at + 14].try_into().unwrap()) as usize;
        if content[at + 1] == b'D' {
            out.extend(&content[at + 18..at + 18 + length]);
        }
        at += 18 + length;
    }
}

fn bits(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    bytes.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    let part = |count: u32| f64::from(count) / bytes.len() as f64;
    counts.into_iter().filter(|count| *count > 0).map(|count| -part(count) * part(count).log2()).sum()
}

/// P2.
pub(crate) fn contents(seed: u64) -> Result<Prepared, String> {
    Prepared::endless(move |case| {
        let mut random = Random::of(seed, case);
        let home = shared_memory();
        let mut world = World::new(case);
        world.clock = SimulatedClock::at(START_MS);
        let effects = Effects {
            disk: planted::disk(Arc::new(Folder::at(home.path().join("store")).unwrap())),
            keys: Arc::new(FileKeys::at(home.path().join("keys")).unwrap()),
            clock: Arc::new(world.clock.clone()),
            randomness: Arc::new(SystemRandomness::new()),
            anchor: None,
            marker_disks: Vec::new(),
        };
        let journal = Journal::open(effects, Options { segment_bytes: 16 * 1024, ..Options::default() }).unwrap();
        let account = essential(&journal).unwrap();
        let (kept, gone) = (domain(&journal, "kept").unwrap(), domain(&journal, "gone").unwrap());
        for _ in 0..60 {
            // As plain as can be: one letter.
            put(&world, &journal, kept, &vec![b'a'; 1_000 + random.below(1_000) as usize]).unwrap();
            put(&world, &journal, gone, b"a").unwrap();
        }
        enter(&journal, account, b"aaaa").unwrap();
        journal.mark_denied(&gone).unwrap();
        assert_eq!(journal.shred(&gone), Ok(Shredding::Done));
        journal.sync().unwrap();
        let (mut found, mut noise) = (Vec::new(), Vec::new());
        names(&home.path().join("store"), "", &mut found);
        for name in &found {
            assert!(is_known(name), "`{name}` is no file of the format");
            if name.starts_with("segments/") {
                sealed(&std::fs::read(home.path().join("store").join(name)).unwrap(), &mut noise);
            }
        }
        assert!(noise.len() > 60_000, "{} sealed bytes", noise.len());
        assert!(bits(&noise) > LEAST_BITS, "{:.2} bits in a byte of what is sealed", bits(&noise));
    })
}
