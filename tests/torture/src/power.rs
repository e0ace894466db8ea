//! Power losses on a disk in memory. A workload's writes are recorded once; from the disk before each operation many
//! images follow, by what a power loss may leave of what was not synced.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use menshen_journal::simulated::{Fault, PowerLoss, SimulatedDisk};
use menshen_journal::{
    Anchor, AnchorError, DiskError, Domain, Journal, KeyProvider, Label, MemoryKeys, NewEntry, Shredding, Verdict,
};

use crate::observed_keys::{Call, ObservedKeys};
use crate::planted;
use crate::programme::Prepared;
use crate::random::Random;
use crate::workload::{Kept, Promises, check, recover, work, world_of};
use crate::world::*;

/// What stood where at which operation of the disk.
type Times<T> = Mutex<BTreeMap<u64, T>>;

/// An anchor that remembers how it was at each operation of the disk.
struct RememberingAnchor {
    disk: SimulatedDisk,
    times: Times<Vec<u8>>,
}

impl Anchor for RememberingAnchor {
    fn read(&self) -> Result<Option<Vec<u8>>, AnchorError> {
        Ok(self.times.lock().unwrap().last_key_value().map(|(_, value)| value.clone()))
    }

    fn write(&self, value: &[u8]) -> Result<(), AnchorError> {
        self.times.lock().unwrap().insert(self.disk.operations(), value.to_vec());
        Ok(())
    }
}

fn at<T: Clone>(times: &Times<T>, operation: u64) -> Option<T> {
    times.lock().unwrap().range(..=operation).next_back().map(|(_, value)| value.clone())
}

/// A workload's disk before each operation, and what was promised by then.
struct Trace {
    world: World,
    disks: Vec<SimulatedDisk>,
    /// The key store as it was then.
    keys: Arc<Times<MemoryKeys>>,
    anchor: Arc<RememberingAnchor>,
    promises: BTreeMap<u64, Promises>,
}

impl Trace {
    fn of(seed: u64) -> Self {
        let mut world = world_of(seed);
        let disk = world.disk.clone();
        let anchor = Arc::new(RememberingAnchor { disk: disk.clone(), times: Mutex::default() });
        world.anchor = anchor.clone();
        let keys: Arc<Times<MemoryKeys>> = Arc::default();
        let (remembered, disk_now, keys_now) = (Arc::clone(&keys), disk.clone(), world.keys.clone());
        let provider = ObservedKeys::telling(planted::keys(world.keys.clone()), move |call| {
            if matches!(call, Call::Create | Call::Destroy) {
                remembered.lock().unwrap().insert(disk_now.operations(), keys_now.snapshot());
            }
        });
        disk.record();
        let mut promises = Promises::default();
        let mut times = BTreeMap::from([(0, promises.clone())]);
        let open = || world.open_with(Arc::new(disk.clone()), Arc::clone(&provider));
        let mut before = promises.clone();
        let mut began = 0;
        work(&world, &open, &mut promises, seed, &mut |now| {
            // While a step runs, what it attempts may be there and what it promises is not promised yet.
            times.insert(began, before.attempting(now));
            times.insert(disk.operations(), now.clone());
            (before, began) = (now.clone(), disk.operations());
        });
        let disks = disk.recorded();
        Self { world, disks, keys, anchor, promises: times }
    }

    /// The device before an operation, and what was promised by then.
    fn world_at(&self, operation: u64, seed: u64) -> (World, Promises) {
        let world = World {
            disk: self.disks[operation as usize].fork(),
            keys: at(&self.keys, operation).map_or_else(MemoryKeys::new, |keys| keys.snapshot()),
            anchor: anchor_of(at(&self.anchor.times, operation)),
            randomness: menshen_journal::simulated::SeededRandomness::new(seed),
            ..self.world.clone()
        };
        let promises = self.promises.range(..=operation).next_back().map(|(_, promises)| promises.clone());
        (world, promises.unwrap_or_default())
    }
}

/// The traces in use, made when a case needs them.
struct Traces {
    seed: u64,
    made: Mutex<BTreeMap<u64, Arc<Trace>>>,
}

impl Traces {
    fn new(seed: u64) -> Self {
        Self { seed, made: Mutex::default() }
    }

    fn get(&self, workload: u64) -> Arc<Trace> {
        let mut made = self.made.lock().unwrap();
        if !made.contains_key(&workload) && made.len() > 4 {
            made.pop_first();
        }
        Arc::clone(
            made.entry(workload).or_insert_with(|| Arc::new(Trace::of(self.seed.wrapping_mul(1_000) + workload))),
        )
    }
}

fn loss(random: &mut Random) -> PowerLoss {
    match random.below(16) {
        0 => PowerLoss::LosesAll,
        1 => PowerLoss::KeepsAll,
        _ => PowerLoss::Torn(random.next()),
    }
}

/// S2.
pub(crate) fn losses(seed: u64) -> Result<Prepared, String> {
    let traces = Traces::new(seed);
    Prepared::endless(move |case| {
        let trace = traces.get(case / 10_000);
        let mut random = Random::of(seed, case);
        let operation = case % trace.disks.len() as u64;
        let (world, promises) = trace.world_at(operation, case);
        world.disk.lose_power(loss(&mut random));
        check(&world, &promises, Kept::Synced, random.one_in(8));
    })
}

/// S3.
pub(crate) fn double(seed: u64) -> Result<Prepared, String> {
    let traces = Traces::new(seed.wrapping_add(7_777));
    Prepared::endless(move |case| {
        let trace = traces.get(case / 4_000);
        let mut random = Random::of(seed, case);
        let operation = case % trace.disks.len() as u64;
        let (world, mut promises) = trace.world_at(operation, case);
        if random.one_in(4) {
            // Only the process ends; what it left is in the system's memory alone.
            world.disk.kill();
        } else {
            world.disk.lose_power(loss(&mut random));
            promises.lose_power();
        }
        // Every eighth crashes a third time.
        for _ in 0..if random.one_in(8) { 2 } else { 1 } {
            world.disk.set_fault(Some(Fault::HalfThenNothing(random.below(60))));
            recover(&world, &mut promises, random.next());
            world.disk.lose_power(loss(&mut random));
            promises.lose_power();
        }
        check(&world, &promises, Kept::Synced, random.one_in(8));
    })
}

/// S6.
pub(crate) fn lying_syncs(seed: u64) -> Result<Prepared, String> {
    Prepared::endless(move |case| {
        let mut random = Random::of(seed, case);
        let workload = seed.wrapping_mul(1_000) + case / 50;
        // Which operations are syncs.
        let dry = world_of(workload);
        dry.disk.record();
        work(&dry, &|| dry.open(), &mut Promises::default(), workload, &mut |_| {});
        let disks = dry.disk.recorded();
        let syncs = |disk: &SimulatedDisk| disk.totals().1;
        let syncs: Vec<u64> =
            (1..disks.len()).filter(|at| syncs(&disks[*at]) > syncs(&disks[at - 1])).map(|at| at as u64 - 1).collect();

        let world = world_of(workload);
        let (drops, at) = (random.one_in(2), *random.pick(&syncs));
        world.disk.set_failed_sync_drops(drops);
        world.disk.set_fault(Some(Fault::Once(at, DiskError::Io)));
        let mut promises = Promises::default();
        promises.failed_sync_drops = drops;
        work(&world, &|| world.open(), &mut promises, workload, &mut |_| {});
        world.disk.lose_power(if random.one_in(2) { PowerLoss::LosesAll } else { loss(&mut random) });
        check(&world, &promises, Kept::Synced, true);
    })
}

/// The purposes of a store that is about to lose one of them.
struct Granted {
    world: World,
    account: Label,
    kept: Domain,
    withdrawn: Domain,
}

fn granted(seed: u64) -> Granted {
    let world = World::new(seed);
    let journal = world.open().unwrap();
    let account = essential(&journal).unwrap();
    let kept = domain(&journal, "kept").unwrap();
    let withdrawn = domain(&journal, "withdrawn").unwrap();
    enter(&journal, account, b"granted").unwrap();
    for number in 0..3_u8 {
        put(&world, &journal, kept, &[number]).unwrap();
        put(&world, &journal, withdrawn, &[100 + number]).unwrap();
    }
    let one = endpoint(&journal).unwrap();
    let batch = read(&journal, one, &[withdrawn]).unwrap();
    journal.acknowledge(one, &[batch.records[0].id]).unwrap();
    journal.sync().unwrap();
    drop(journal);
    Granted { world, account, kept, withdrawn }
}

/// The acts of a withdrawal; what of them returned well.
fn withdraw(journal: &Journal, granted: &Granted) -> (bool, bool, bool) {
    journal.close_domain(&granted.withdrawn);
    let marked = journal.mark_denied(&granted.withdrawn).is_ok();
    let entry = NewEntry { statement: b"statement", payload: b"withdrawn" };
    let entered = journal.ledger_append_denial(granted.account, &[entry, entry]).is_ok();
    let shredded = journal.shred(&granted.withdrawn) == Ok(Shredding::Done);
    (marked, entered, shredded)
}

/// L4.
pub(crate) fn withdrawals(seed: u64) -> Result<Prepared, String> {
    let granted = granted(seed);
    let operations = {
        let world = granted.world.fork(0);
        world.disk.set_fault(None);
        let journal = world.open().unwrap();
        assert_eq!(withdraw(&journal, &granted), (true, true, true));
        world.disk.operations()
    };
    Prepared::endless(move |case| {
        let mut random = Random::of(seed, case);
        let world = granted.world.fork(case);
        let before = world.keys.snapshot();
        let old_files = world.with_copied_files();
        let alias = {
            let journal = old_files.open().unwrap();
            journal.alias(&granted.withdrawn).unwrap()
        };
        let at = case % (operations + 1);
        let fault = match random.below(4) {
            0 => Fault::From(at, DiskError::Io),
            1 => Fault::Once(at, DiskError::Full),
            2 => Fault::From(at, DiskError::Full),
            _ => Fault::HalfThenNothing(at),
        };
        world.disk.set_fault(Some(fault));
        let (marked, entered, shredded) =
            world.open().map_or((false, false, false), |journal| withdraw(&journal, &granted));
        let loss = loss(&mut random);
        world.disk.lose_power(loss);
        world.outside.lose_power(loss);

        let journal = world.open().unwrap();
        let one = endpoint(&journal).unwrap();
        let denied = journal.denied().unwrap().contains(&granted.withdrawn);
        assert!(!marked || denied, "a marker is lost");
        if shredded {
            let batch = read(&journal, one, &[granted.withdrawn]).unwrap();
            assert!(batch.records.is_empty(), "a withdrawn record was read");
        }
        let contents = journal.ledger_read(granted.account).unwrap();
        assert_eq!(contents.verdict, Verdict::Sound);
        assert!(contents.entries.len() >= if entered { 4 } else { 2 }, "an entry is lost");
        // What did not come to its end does now.
        assert_eq!(journal.shred(&granted.withdrawn), Ok(Shredding::Done));
        assert!(read(&journal, one, &[granted.withdrawn]).unwrap().records.is_empty());
        assert_eq!(bodies(&read(&journal, one, &[granted.kept]).unwrap()), [[0], [1], [2]]);
        assert_eq!(world.keys.exists(&alias), Ok(false), "the key store still has the key");
        drop(journal);
        // A copy of the key made before opens nothing: the secrets of the slices are gone, too.
        let thief = World { keys: before, ..world.clone() };
        for name in thief.disk.names().into_iter().filter(|name| name.starts_with("manifest")) {
            // It says that the files are gone; without it they say themselves what they are.
            thief.disk.delete(&name);
        }
        for name in old_files.disk.names().into_iter().filter(|name| name.starts_with("segments/")) {
            thief.disk.put(&name, &old_files.disk.contents(&name).unwrap());
        }
        let journal = thief.open().unwrap();
        let found = read(&journal, one, &[granted.withdrawn]).map_or(0, |batch| batch.records.len());
        assert_eq!(found, 0, "old files open again");
    })
}
