//! Every bit of every file of a small store, flipped one at a time.

use menshen_journal::{Label, Verdict};

use crate::programme::Prepared;
use crate::world::*;

/// Beyond what is used, so much of a file's zeros is flipped, too.
const ZEROS: usize = 512;

struct Small {
    world: World,
    account: Label,
    all: Vec<Vec<u8>>,
    entries: usize,
}

/// Two openings, two purposes, a ledger, an acknowledged and a retired segment.
fn small(seed: u64) -> Small {
    let world = World::new(seed);
    let mut all = Vec::new();
    let mut account = Label::ESSENTIAL;
    for round in 0..2_u8 {
        let journal = world.open().unwrap();
        journal.unlock().unwrap();
        account = essential(&journal).unwrap();
        enter(&journal, account, &[round; 20]).unwrap();
        let analytics = domain(&journal, "analytics").unwrap();
        for number in 0..4_u8 {
            let body = vec![1 + round * 16 + number; 30 + usize::from(number) * 40];
            put(&world, &journal, analytics, &body).unwrap();
            all.push(body);
        }
        let one = endpoint(&journal).unwrap();
        if round == 0 {
            let crashes = domain(&journal, "crashes").unwrap();
            let id = put(&world, &journal, crashes, b"crash").unwrap();
            journal.acknowledge(one, &[id]).unwrap();
            journal.retire_delivered(&|domain, _| if *domain == crashes { vec![one] } else { vec![] }).unwrap();
            let first = read(&journal, one, &[analytics]).unwrap().records[0].id;
            journal.acknowledge(one, &[first]).unwrap();
            all.remove(0);
            journal.ledger_checkpoint(account, b"a state").unwrap();
        }
        journal.sync().unwrap();
    }
    Small { world, account, all, entries: 4 }
}

/// S7.
pub(crate) fn flips(seed: u64) -> Result<Prepared, String> {
    let small = small(seed);
    // Each file with its content and the number of its first bit.
    let mut files: Vec<(String, Vec<u8>, u64)> = Vec::new();
    let mut total = 0;
    for name in small.world.disk.names().into_iter().filter(|name| !["lock", "reserve"].contains(&name.as_str())) {
        let contents = small.world.disk.contents(&name).unwrap();
        let used = contents.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let bytes = if name.starts_with("segments/") { (used + ZEROS).min(contents.len()) } else { contents.len() };
        files.push((name, contents, total));
        total += bytes as u64 * 8;
    }
    Prepared::all(total, move |case| {
        // A prime stride meets each bit once, and every file soon.
        let place = case * 1_000_003 % total;
        let (name, contents, first) = files.iter().rev().find(|(_, _, first)| *first <= place).unwrap();
        let bit = (place - first) as usize;
        let mut flipped = contents.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let world = World { anchor: anchor_of(small.world.anchor.read().unwrap()), ..small.world.with_copied_files() };
        world.disk.put(name, &flipped);
        let at = format!("{name} bit {bit}");
        let journal = world.open().unwrap_or_else(|error| panic!("{at}: {error:?}"));
        let analytics = domain_of(&journal, "analytics").unwrap();
        let one = endpoint(&journal).unwrap();
        let batch = read(&journal, one, &[analytics]).unwrap_or_else(|error| panic!("{at}: {error:?}"));
        let found = bodies(&batch);
        let known = |body: &Vec<u8>| small.all.contains(body) || *body == vec![1; 30];
        assert!(found.iter().all(known), "{at}: wrong data");
        let left = small.all.iter().filter(|body| found.contains(body)).count();
        assert!(left + 1 >= small.all.len(), "{at}: {left} of {} left", small.all.len());
        let report = journal.report();
        let told = report.damaged_records + report.torn_bytes + batch.damaged + batch.wrong_key + batch.locked > 0;
        assert!(left == small.all.len() || told, "{at}: lost in silence");
        let contents = journal.ledger_read(small.account).unwrap_or_else(|error| panic!("{at}: {error:?}"));
        let payloads = contents.entries.iter().filter(|entry| entry.payload.is_some()).count();
        let whole = contents.entries.len() == small.entries && payloads == small.entries;
        assert!(whole || contents.verdict != Verdict::Sound, "{at}: the ledger claims to be whole");
        let tail = journal.ledger_tail(small.account).unwrap_or_else(|error| panic!("{at}: {error:?}"));
        let size = tail.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.size) as usize + tail.entries.len();
        assert!(size == small.entries || tail.verdict != Verdict::Sound, "{at}: the tail claims to be whole");
    })
}
