//! Attacks on the structure: files cut, spliced, swapped, forged with good checksums, replaced by older ones. Nothing of
//! a withdrawn purpose is readable, nothing is acknowledged that was not, no ledger claims to be what it is not.

use std::collections::BTreeSet;

use menshen_journal::simulated::SimulatedDisk;
use menshen_journal::{Domain, Label, NewEntry, OpenError, Shredding, Verdict};

use crate::programme::Prepared;
use crate::random::Random;
use crate::world::*;

const FRAME: usize = 18;
const HEADER: usize = 128;

/// A store with a past: its files at several ages, the last of them now.
struct History {
    world: World,
    ages: Vec<SimulatedDisk>,
    account: Label,
    kept: Domain,
    withdrawn: Domain,
    entries: usize,
    /// Bodies of the kept purpose, and those of them that nobody acknowledged.
    bodies: Vec<Vec<u8>>,
    open: Vec<Vec<u8>>,
}

fn history(seed: u64) -> History {
    let world = World::new(seed);
    let mut ages = Vec::new();
    let journal = world.open().unwrap();
    let account = essential(&journal).unwrap();
    let (kept, withdrawn) = (domain(&journal, "kept").unwrap(), domain(&journal, "withdrawn").unwrap());
    let one = endpoint(&journal).unwrap();
    enter(&journal, account, b"granted").unwrap();
    let mut all = Vec::new();
    let mut append = |journal: &menshen_journal::Journal, count: u8, is_withdrawn: bool| {
        for _ in 0..count {
            let body = vec![1 + all.len() as u8; 50];
            put(&world, journal, kept, &body).unwrap();
            all.push(body);
            if !is_withdrawn {
                put(&world, journal, withdrawn, &[200; 40]).unwrap();
            }
        }
        journal.sync().unwrap();
    };
    append(&journal, 3, false);
    ages.push(world.disk.snapshot());
    let first = read(&journal, one, &[kept]).unwrap().records[0].id;
    journal.acknowledge(one, &[first]).unwrap();
    append(&journal, 2, false);
    ages.push(world.disk.snapshot());
    drop(journal);
    let journal = world.open().unwrap();
    enter(&journal, account, b"more").unwrap();
    append(&journal, 2, false);
    ages.push(world.disk.snapshot());
    journal.mark_denied(&withdrawn).unwrap();
    let entry = NewEntry { statement: b"statement", payload: b"withdrawn" };
    journal.ledger_append_denial(account, &[entry]).unwrap();
    assert_eq!(journal.shred(&withdrawn), Ok(Shredding::Done));
    ages.push(world.disk.snapshot());
    append(&journal, 2, true);
    let second = read(&journal, one, &[kept]).unwrap().records[0].id;
    journal.acknowledge(one, &[second]).unwrap();
    drop(journal);
    ages.push(world.disk.snapshot());
    let open = all[2..].to_vec();
    History { world, ages, account, kept, withdrawn, entries: 5, bodies: all, open }
}

/// The whole frames of a file: where each begins and how long it is.
fn frames(bytes: &[u8], from: usize) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at = from;
    while at + FRAME <= bytes.len() {
        let length = u32::from_le_bytes(bytes[at + 10..at + 14].try_into().unwrap()) as usize;
        let end = at.saturating_add(FRAME).saturating_add(length);
        if bytes[at] == 0xD6 && end <= bytes.len() && sum_of(&bytes[at..end]) == bytes[at + 14..at + 18] {
            found.push((at, end - at));
            at = end;
        } else {
            at += 1;
        }
    }
    found
}

fn sum_of(frame: &[u8]) -> [u8; 4] {
    crc32c::crc32c_append(crc32c::crc32c(&frame[..14]), &frame[FRAME..]).to_le_bytes()
}

fn start_of(name: &str) -> usize {
    if name.starts_with("segments/") { HEADER } else { 0 }
}

impl History {
    /// A device with the same keys and anchor, and files to attack.
    fn victim(&self) -> World {
        World { anchor: anchor_of(self.world.anchor.read().unwrap()), ..self.world.with_copied_files() }
    }

    fn files(&self) -> Vec<String> {
        self.world.disk.names().into_iter().filter(|name| !["lock", "reserve"].contains(&name.as_str())).collect()
    }

    /// What holds whatever was done to the files; `whole` where no record may be missing.
    fn check(&self, world: &World, whole: bool) {
        let journal = match world.open() {
            Ok(journal) => journal,
            Err(OpenError::NotAStore | OpenError::Io { .. }) if !whole => return,
            Err(error) => panic!("open: {error:?}"),
        };
        let one = Label::from_number(77);
        let batch = read(&journal, one, &[self.withdrawn]);
        let gone = batch.map_or(0, |batch| batch.records.len());
        assert_eq!(gone, 0, "a withdrawn purpose is readable");
        assert!(journal.unlock_domain(&self.withdrawn).is_err(), "a withdrawn grant opens");
        let known = endpoint(&journal).unwrap();
        for endpoint in [one, known] {
            let Ok(batch) = read(&journal, endpoint, &[self.kept]) else {
                assert!(!whole, "the kept purpose is not readable");
                continue;
            };
            let mut found = BTreeSet::new();
            for body in bodies(&batch) {
                assert!(self.bodies.contains(&body), "an invented record");
                assert!(found.insert(body), "a record is there twice");
            }
            let lost = self.open.iter().filter(|body| !found.contains(*body)).count();
            assert!(!whole || lost == 0, "{lost} records were never acknowledged and are hidden");
        }
        if let Ok(contents) = journal.ledger_read(self.account) {
            let is_all = contents.entries.len() == self.entries;
            assert!(is_all || contents.verdict != Verdict::Sound, "a ledger rolled back claims to be whole");
        }
    }
}

/// S8.
pub(crate) fn attacks(seed: u64) -> Result<Prepared, String> {
    let (history, other) = (history(seed), history(seed + 1));
    Prepared::endless(move |case| {
        let mut random = Random::of(seed, case);
        let world = history.victim();
        let files = history.files();
        let name = random.pick(&files).clone();
        let contents = world.disk.contents(&name).unwrap();
        let of_frames = frames(&contents, start_of(&name));
        let whole = match random.below(6) {
            0 => {
                world.disk.put(&name, &contents[..random.below(contents.len() as u64) as usize]);
                false
            }
            1 => {
                // Older files in the place of any of them; what came later may be missing or not.
                let mut touched = false;
                for name in &files {
                    if random.one_in(2) {
                        let age = random.pick(&history.ages);
                        match age.contents(name) {
                            Some(older) => world.disk.put(name, &older),
                            None if random.one_in(2) => world.disk.delete(name),
                            None => continue,
                        }
                        touched |= name == "keys" || name.starts_with("segments/");
                    }
                }
                // Files that were removed come back.
                for age in &history.ages {
                    for name in age.names().into_iter().filter(|name| !files.contains(name) && name != "lock") {
                        if random.one_in(3) {
                            world.disk.put(&name, &age.contents(&name).unwrap());
                        }
                    }
                }
                !touched
            }
            2 => {
                // All of them of one age: a backup of before the withdrawal.
                let world_files = random.pick(&history.ages).snapshot();
                history.check(&world.on(world_files), false);
                return;
            }
            3 if of_frames.len() > 1 => {
                splice(&mut random, &history, &other, &world, &name, &contents, &of_frames);
                false
            }
            4 => {
                // One file in the place of another, of this store or of another one.
                let from = if random.one_in(2) { &history } else { &other };
                let files = from.files();
                let swapped = from.world.disk.contents(random.pick::<String>(&files)).unwrap();
                world.disk.put(&name, &swapped);
                false
            }
            _ => forge(&mut random, &world, &name, contents, &of_frames),
        };
        history.check(&world, whole);
    })
}

/// Frames in another order, twice, left out, or from elsewhere.
fn splice(
    random: &mut Random,
    history: &History,
    other: &History,
    world: &World,
    name: &str,
    contents: &[u8],
    of_frames: &[(usize, usize)],
) {
    let mut parts: Vec<Vec<u8>> = of_frames.iter().map(|(at, length)| contents[*at..at + length].to_vec()).collect();
    let at = random.below(parts.len() as u64) as usize;
    match random.below(4) {
        0 => {
            let to = random.below(parts.len() as u64) as usize;
            parts.swap(at, to);
        }
        1 => parts.insert(at, parts[random.below(parts.len() as u64) as usize].clone()),
        2 => _ = parts.remove(at),
        _ => {
            let from = if random.one_in(2) { history } else { other };
            let age = random.pick(&from.ages);
            let names: Vec<String> = age.names().into_iter().filter(|name| name.starts_with("segments/")).collect();
            let foreign = age.contents(random.pick::<String>(&names)).unwrap();
            let (start, length) = *random.pick(&frames(&foreign, HEADER));
            parts.insert(at, foreign[start..start + length].to_vec());
        }
    }
    let mut spliced = contents[..start_of(name)].to_vec();
    spliced.extend(parts.concat());
    world.disk.put(name, &spliced);
}

/// A byte changed under a checksum made anew; whether no record may be missing for it.
fn forge(random: &mut Random, world: &World, name: &str, mut contents: Vec<u8>, of_frames: &[(usize, usize)]) -> bool {
    if name == "cursor" {
        let slots: Vec<usize> = (0..contents.len() / 64).filter(|slot| contents[slot * 64] == 1).collect();
        let at = *random.pick(&slots) * 64;
        contents[at + 1 + random.below(48) as usize] ^= 1 << random.below(8);
        let sum = crc32c::crc32c(&contents[at..at + 49]).to_le_bytes();
        contents[at + 49..at + 53].copy_from_slice(&sum);
        world.disk.put(name, &contents);
        return true;
    }
    if of_frames.is_empty() {
        return true;
    }
    let (at, length) = *random.pick(of_frames);
    let places: Vec<usize> = (2..length).filter(|place| !(10..18).contains(place)).collect();
    contents[at + random.pick(&places)] ^= 1 << random.below(8);
    let sum = sum_of(&contents[at..at + length]);
    contents[at + 14..at + 18].copy_from_slice(&sum);
    world.disk.put(name, &contents);
    !name.starts_with("segments/")
}

/// C5.
pub(crate) fn fields(seed: u64) -> Result<Prepared, String> {
    let history = history(seed);
    // Each authenticated byte of each frame of each segment, and of each header.
    let mut places: Vec<(String, usize, usize, usize)> = Vec::new();
    for name in history.files().into_iter().filter(|name| name.starts_with("segments/")) {
        let contents = history.world.disk.contents(&name).unwrap();
        // What the header's decoding passes over, a free byte and the padding, says nothing.
        places.extend((0..HEADER - 40).filter(|byte| *byte != 11).map(|byte| (name.clone(), 0, 0, byte)));
        for (at, length) in frames(&contents, HEADER) {
            let bytes = (2..length).filter(|byte| !(10..18).contains(byte));
            places.extend(bytes.map(|byte| (name.clone(), at, length, byte)));
        }
    }
    Prepared::all(places.len() as u64 * 2, move |case| {
        let (name, at, length, byte) = &places[case as usize / 2];
        let world = history.victim();
        if case % 2 == 1 {
            // Without the manifest's copy the file's own header counts.
            for name in world.disk.names().into_iter().filter(|name| name.starts_with("manifest")) {
                world.disk.delete(&name);
            }
        }
        let mut contents = world.disk.contents(name).unwrap();
        let is_run = *at > 0 && contents[at + 1] == 0x52;
        let mut change = |at: usize| {
            contents[at + byte] ^= 1;
            if *length == 0 {
                let sum = crc32c::crc32c(&contents[..HEADER - 4]).to_le_bytes();
                contents[HEADER - 4..HEADER].copy_from_slice(&sum);
            } else {
                let sum = sum_of(&contents[at..at + length]);
                contents[at + 14..at + 18].copy_from_slice(&sum);
            }
        };
        change(*at);
        if is_run {
            // Both copies of a run's header are one.
            let twin = if frames_begin(&history, name, at + length) { at + length } else { at - length };
            change(twin);
        }
        let is_record = *at > 0 && contents[at + 1] == 0x44;
        world.disk.put(name, &contents);
        history.check(&world, false);
        let journal = world.open().unwrap();
        let Ok(batch) = read(&journal, Label::from_number(77), &[history.kept]) else { return };
        let of_file = history.world.disk.contents(name).map(|contents| frames(&contents, HEADER)).unwrap();
        let records = of_file.iter().filter(|(at, _)| history_kind(&history, name, *at) == 0x44).count();
        let missing = history.bodies.len() - batch.records.len();
        if is_record {
            assert!(missing >= 1, "{name}: a changed record is read");
        } else if records > 0 && *length == 0 {
            // The manifest's copy stands in for a header that cannot be read; without it there is none.
            let may_stand_in = case % 2 == 0 && missing == 0;
            assert!(may_stand_in || missing == records, "{name}: records are read under a changed header, byte {byte}");
        } else if records > 0 && is_run && *byte >= FRAME && *byte < FRAME + 64 {
            assert!(missing >= 1, "{name}: records are read under a changed run, byte {byte}");
        }
    })
}

fn history_kind(history: &History, name: &str, at: usize) -> u8 {
    history.world.disk.contents(name).unwrap()[at + 1]
}

fn frames_begin(history: &History, name: &str, at: usize) -> bool {
    let contents = history.world.disk.contents(name).unwrap();
    // The second copy of a run's header stands behind the first: an even number of them are before the first.
    let before = frames(&contents, HEADER).into_iter().filter(|(start, _)| *start < at && contents[start + 1] == 0x52);
    before.count() % 2 == 1 && contents.get(at + 1) == Some(&0x52)
}
