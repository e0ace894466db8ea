//! Limits of a key: after so many seals that do not open its domain is locked, and after so much that it sealed another
//! takes its place.

use menshen_journal::{Domain, Error, Health, Journal};

use crate::programme::Prepared;
use crate::random::Random;
use crate::world::*;

const FRAME: usize = 18;
const HEADER: usize = 128;
/// How many seals of a domain may fail to open.
const FORGERIES: u64 = 1 << 16;
/// How much one key of a slice seals.
const KEY_RECORDS: u64 = 1 << 20;

/// A frame of a record with a good checksum around noise.
fn forged(sequence: u64, noise: u64) -> Vec<u8> {
    let body: Vec<u8> = [noise.to_le_bytes(), (!noise).to_le_bytes()].concat();
    let mut frame = vec![0xD6, 0x44];
    frame.extend(sequence.to_le_bytes());
    frame.extend((body.len() as u32).to_le_bytes());
    let sum = crc32c::crc32c_append(crc32c::crc32c(&frame), &body);
    frame.extend(sum.to_le_bytes());
    frame.extend(body);
    frame
}

fn segments(world: &World) -> Vec<String> {
    world.disk.names().into_iter().filter(|name| name.starts_with("segments/")).collect()
}

/// Appends forged records to the last segment.
fn forge(world: &World, random: &mut Random, first: u64, count: u64) {
    let name = segments(world).pop().unwrap();
    let mut contents = world.disk.contents(&name).unwrap();
    let mut end = HEADER;
    while contents.get(end) == Some(&0xD6) {
        end += FRAME + u32::from_le_bytes(contents[end + 10..end + 14].try_into().unwrap()) as usize;
    }
    contents.truncate(end);
    for sequence in first..first + count {
        contents.extend(forged(sequence, random.next()));
    }
    world.disk.put(&name, &contents);
}

/// A store with two domains, three records in the first, and as many forged ones behind them.
fn attacked(world: &World, random: &mut Random, count: u64) -> (Journal, Domain, Domain) {
    let journal = world.open().unwrap();
    let (other, victim) = (domain(&journal, "other").unwrap(), domain(&journal, "victim").unwrap());
    put(world, &journal, other, b"of another").unwrap();
    for number in 0..3 {
        put(world, &journal, victim, &[number; 20]).unwrap();
    }
    journal.sync().unwrap();
    drop(journal);
    forge(world, random, 3, count);
    (world.open().unwrap(), other, victim)
}

/// C9: a domain is locked after 2^16 forgeries, not before, and no other with it.
fn forgeries(random: &mut Random, world: &World) {
    let beyond = *random.pick(&[0, 1, 5_000]);
    let is_below = random.one_in(3);
    let count = if is_below { FORGERIES - 1 } else { FORGERIES + beyond };
    let (journal, other, victim) = attacked(world, random, count);
    let one = endpoint(&journal).unwrap();
    // The good ones stand first: they are read, and the limit is reached behind them.
    let batch = read(&journal, one, &[victim]).unwrap();
    assert_eq!(batch.records.len(), 3);
    let Health { forged, .. } = journal.health();
    assert_eq!(forged, count.min(FORGERIES), "forgeries are counted");
    let again = read(&journal, one, &[victim]).unwrap();
    let appended = put(world, &journal, victim, b"more");
    if is_below {
        assert_eq!((again.records.len(), again.locked), (3, 0), "locked too early");
        appended.unwrap();
    } else {
        assert_eq!((again.records.len(), again.locked), (0, 1), "a key goes on after its limit");
        assert_eq!(appended, Err(Error::TooManyForgeries));
        assert!(journal.unlock_domain(&victim).is_err(), "a locked domain is unlocked");
        assert_eq!(journal.derive(&victim, b"any"), Err(Error::TooManyForgeries));
    }
    assert_eq!(read(&journal, one, &[other]).unwrap().records.len(), 1, "another domain is locked, too");
    drop(journal);
    // Nothing was destroyed: who opens the store anew reads what is good.
    let journal = world.open().unwrap();
    assert_eq!(read(&journal, one, &[victim]).unwrap().records.len(), if is_below { 4 } else { 3 });
}

/// The generation of the slice's key in each segment's header.
fn generations(world: &World) -> Vec<u32> {
    let header = |name: &String| world.disk.contents(name).unwrap()[..HEADER].to_vec();
    segments(world).iter().map(|name| u32::from_le_bytes(header(name)[76..80].try_into().unwrap())).collect()
}

/// C9: a slice's key seals 2^20 records and no more; a frame that says how many there were stands in for them.
fn records(random: &mut Random, world: &mut World) {
    world.options.segment_bytes = 1024;
    let is_below = random.one_in(3);
    let journal = world.open().unwrap();
    let victim = domain(&journal, "victim").unwrap();
    put(world, &journal, victim, &[1; 700]).unwrap();
    drop(journal);
    forge(world, random, KEY_RECORDS - if is_below { 2 } else { 1 }, 1);
    let journal = world.open().unwrap();
    put(world, &journal, victim, &[2; 700]).unwrap();
    let expected = if is_below { vec![0, 0] } else { vec![0, 1] };
    assert_eq!(generations(world), expected, "a key seals {KEY_RECORDS} records");
}

/// C9: a slice's key seals 64 MiB and no more.
fn bytes(random: &mut Random, world: &mut World) {
    (world.options.segment_bytes, world.options.cap_bytes) = (16 << 20, 1 << 30);
    let journal = world.open().unwrap();
    let victim = domain(&journal, "victim").unwrap();
    let body = vec![7; (1 << 20) - random.below(4096) as usize];
    for _ in 0..100 {
        put(world, &journal, victim, &body).unwrap();
    }
    assert!(generations(world).starts_with(&[0, 0, 0, 0, 1, 1]), "four segments of 16 MiB and a bit for each key");
}

/// C9.
pub(crate) fn keys(seed: u64) -> Result<Prepared, String> {
    Prepared::endless(move |case| {
        let mut random = Random::of(seed, case);
        let mut world = World::new(seed ^ case << 3);
        match case % 16 {
            0 => bytes(&mut random, &mut world),
            1..8 => records(&mut random, &mut world),
            _ => forgeries(&mut random, &world),
        }
    })
}
