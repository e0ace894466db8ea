//! Random walks over two stores at once: the same steps, and after each of them the same answers and the same records.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Debug;

use menshen_journal::{DeviceClock, Domain, Error, KeyError, KeyState, Label, Lane, Shredding};
use proptest::prelude::*;

use crate::place::{Grain, Place};
use crate::store::{Appended, Found, Read, Record, RecordStore};

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const LIVES: [Option<u64>; 3] = [Some(2 * HOUR_MS), Some(48 * HOUR_MS), None];
const LANES: [Lane; 2] = [Lane::Outbox, Lane::Telemetry];
const ENDPOINTS: usize = 2;
const DOMAINS: usize = 3;

fn endpoint(at: usize) -> Label {
    Label::from_number(21 + at as u64)
}

/// Two purposes of one account, and the next epoch of the second.
fn domain(at: usize) -> Domain {
    let (purpose, epoch) = [(2, 1), (3, 1), (3, 2)][at];
    Domain { account: Label::from_number(1), purpose: Label::from_number(purpose), epoch }
}

/// Which records a step is about, as bits for their places.
#[derive(Clone, Copy, Debug)]
pub enum Pick {
    /// So many of the oldest that can be read.
    Oldest(usize),
    /// Of those that can be read.
    Readable(u64),
    /// Of all that there ever were.
    Any(u64),
}

#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// What a failing walk is shortened with.
    Rest,
    Append {
        domain: usize,
        lane: usize,
        life: usize,
        length: usize,
        synced: bool,
    },
    Acknowledge {
        endpoint: usize,
        pick: Pick,
    },
    Quarantine {
        endpoint: usize,
        pick: Pick,
    },
    ReadSome {
        endpoint: usize,
        lane: usize,
        max_records: usize,
        max_bytes: usize,
    },
    Retire {
        endpoints: usize,
    },
    Expire,
    Wait {
        minutes: u64,
    },
    /// The device starts anew, or its wall clock is set back: never both in one walk, as nobody can tell then how old
    /// a record is.
    Clock {
        minutes: u64,
    },
    Create {
        domain: usize,
    },
    Close {
        domain: usize,
    },
    Unlock {
        domain: usize,
    },
    Shred {
        domain: usize,
    },
    Keys(KeyState),
    AppendHeld,
    Sync,
    Reopen,
}

#[derive(Clone, Debug)]
pub struct Walk {
    pub restarts: bool,
    pub steps: Vec<Step>,
}

fn picks() -> impl Strategy<Value = Pick> {
    prop_oneof![
        (1..6_usize).prop_map(Pick::Oldest),
        any::<u64>().prop_map(Pick::Readable),
        (any::<u64>(), any::<u64>()).prop_map(|(a, b)| Pick::Any(a & b)),
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    let domains = 0..DOMAINS;
    let states = prop_oneof![
        5 => Just(KeyState::Ready),
        2 => Just(KeyState::NotYet),
        1 => Just(KeyState::Suspect),
        1 => Just(KeyState::Mismatch),
        1 => Just(KeyState::Lost),
    ];
    prop_oneof![
        1 => Just(Step::Rest),
        14 => (domains.clone(), 0..LANES.len(), 0..LIVES.len(), 0..200_usize, any::<bool>()).prop_map(
            |(domain, lane, life, length, synced)| Step::Append { domain, lane, life, length, synced }
        ),
        5 => (0..ENDPOINTS, picks()).prop_map(|(endpoint, pick)| Step::Acknowledge { endpoint, pick }),
        1 => (0..ENDPOINTS, picks()).prop_map(|(endpoint, pick)| Step::Quarantine { endpoint, pick }),
        2 => (0..ENDPOINTS, 0..LANES.len(), 1..6_usize, 0..600_usize).prop_map(
            |(endpoint, lane, max_records, max_bytes)| Step::ReadSome { endpoint, lane, max_records, max_bytes }
        ),
        2 => (0..=ENDPOINTS).prop_map(|endpoints| Step::Retire { endpoints }),
        2 => Just(Step::Expire),
        3 => (0..600_u64).prop_map(|minutes| Step::Wait { minutes }),
        1 => (0..600_u64).prop_map(|minutes| Step::Clock { minutes }),
        2 => domains.clone().prop_map(|domain| Step::Create { domain }),
        1 => domains.clone().prop_map(|domain| Step::Close { domain }),
        2 => domains.clone().prop_map(|domain| Step::Unlock { domain }),
        1 => domains.prop_map(|domain| Step::Shred { domain }),
        3 => states.prop_map(Step::Keys),
        1 => Just(Step::AppendHeld),
        1 => Just(Step::Sync),
        3 => Just(Step::Reopen),
    ]
}

/// Walks of so many steps.
pub fn walks(length: usize) -> impl Strategy<Value = Walk> {
    (any::<bool>(), prop::collection::vec(steps(), length)).prop_map(|(restarts, steps)| Walk { restarts, steps })
}

/// What a step answered. That something was kept is all that is compared of an append: how well is each store's own.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Nothing,
    Held,
    Kept,
    Waiting(u64),
    Gone(u64),
    Shredded(Shredding),
    Read(BTreeSet<u32>),
    Refused(Error),
    Locked(KeyError),
}

fn or_refused<T>(result: Result<T, Error>, answer: impl FnOnce(T) -> Answer) -> Answer {
    result.map_or_else(Answer::Refused, answer)
}

/// A record as it was read, without the store's own name for it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    domain: Domain,
    life: usize,
    number: u32,
    expires_ms: i64,
}

impl Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Domain { purpose, epoch, .. } = self.domain;
        write!(f, "{} (purpose {}, epoch {epoch}, until {})", self.number, purpose.number(), self.expires_ms)
    }
}

/// A body that says which one it is.
fn body(number: u32, life: usize, length: usize) -> Vec<u8> {
    let mut body = number.to_le_bytes().to_vec();
    body.push(life as u8);
    body.extend((0..length).map(|at| (number as usize + at) as u8));
    body
}

/// Everything that can be seen of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
struct View {
    /// By endpoint and lane, in the order in which they came.
    seen: BTreeMap<(usize, usize), Vec<Seen>>,
    open: [bool; DOMAINS],
    /// By endpoint and domain, of open domains.
    pending: BTreeMap<(usize, usize), u64>,
    held: u64,
    dropped: u64,
    count: [u64; DOMAINS],
    quarantined: u64,
}

impl View {
    fn numbers(&self, endpoint: usize) -> Vec<u32> {
        let of_endpoint = self.seen.iter().filter(|((of, _), _)| *of == endpoint);
        let mut numbers: Vec<u32> = of_endpoint.flat_map(|(_, seen)| seen.iter().map(|one| one.number)).collect();
        numbers.sort_unstable();
        numbers
    }

    /// Brings records among which a store may choose into one order. Those of one domain, lane and lifetime stay as
    /// they came, unless the wall clock was ever set back.
    fn ordered(mut self, was_set_back: bool) -> Self {
        for seen in self.seen.values_mut() {
            seen.sort_by_key(|one| (one.domain, one.life, if was_set_back { one.number } else { 0 }));
        }
        self
    }
}

/// A store on its walk.
struct Side<P: Place> {
    place: P,
    store: Option<P::Store>,
    ids: HashMap<u32, <P::Store as RecordStore>::Id>,
    restarts: bool,
}

impl<P: Place> Side<P> {
    fn begin(place: P, restarts: bool) -> Self {
        let mut store = place.open().expect("a store");
        (0..2).for_each(|at| store.create_domain(&domain(at)).expect("a key"));
        Self { place, store: Some(store), ids: HashMap::new(), restarts }
    }

    fn store(&mut self) -> &mut P::Store {
        self.store.as_mut().expect("an open store")
    }

    /// Takes a step, which is the walk's `number`th and about these records.
    fn take(&mut self, step: Step, number: u32, chosen: &[u32], open: [bool; DOMAINS]) -> Answer {
        let ids: Vec<_> = chosen.iter().filter_map(|number| self.ids.get(number).copied()).collect();
        let devices = self.place.devices().clone();
        match step {
            Step::Append { domain: at, lane, life, length, synced } => {
                let body = body(number, life, length);
                let record = Record { domain: domain(at), lane: LANES[lane], lives_ms: LIVES[life], body: &body };
                let store = self.store();
                let appended = if synced { store.append_synced(&record) } else { store.append(&record) };
                match appended {
                    Err(error) => Answer::Refused(error),
                    Ok(Appended::Held) => Answer::Held,
                    Ok(Appended::Buffered(_)) if synced => panic!("asked to sync, it is buffered"),
                    Ok(Appended::Buffered(id) | Appended::Synced(id)) => {
                        self.ids.insert(number, id);
                        Answer::Kept
                    }
                }
            }
            Step::Acknowledge { endpoint: at, .. } => {
                or_refused(self.store().acknowledge(endpoint(at), &ids), |()| Answer::Nothing)
            }
            Step::Quarantine { endpoint: at, .. } => {
                or_refused(self.store().quarantine(endpoint(at), &ids), |()| Answer::Nothing)
            }
            Step::ReadSome { endpoint, lane, max_records, max_bytes } => {
                self.read_some(endpoint, lane, max_records, max_bytes)
            }
            Step::Rest => Answer::Nothing,
            Step::Retire { endpoints } => {
                // What is removed together is still there for whom nobody named.
                let endpoints = if devices.grain == Grain::Segment && endpoints > 0 { ENDPOINTS } else { endpoints };
                // The journal learns that a record has ended by reading it, which it can only while it is open.
                let is_open = |of: &Domain| (0..DOMAINS).any(|at| open[at] && domain(at) == *of);
                let named = |of: &Domain, _| if is_open(of) { (0..endpoints).map(endpoint).collect() } else { vec![] };
                or_refused(self.store().retire(&named), |()| Answer::Nothing)
            }
            Step::Expire => match (self.store().expire(), devices.grain) {
                (Ok(gone), Grain::Record) => Answer::Gone(gone),
                (result, _) => or_refused(result, |_| Answer::Nothing),
            },
            Step::Wait { minutes } => {
                devices.clock.advance(minutes * MINUTE_MS);
                Answer::Nothing
            }
            Step::Clock { .. } if self.restarts => {
                self.store = None;
                devices.clock.reboot();
                self.reopen()
            }
            Step::Clock { minutes } => {
                devices.clock.set_wall(devices.clock.now().wall_ms.saturating_sub_unsigned(minutes * MINUTE_MS));
                Answer::Nothing
            }
            Step::Create { domain: at } => or_refused(self.store().create_domain(&domain(at)), |()| Answer::Nothing),
            Step::Close { domain: at } => {
                self.store().close_domain(&domain(at));
                Answer::Nothing
            }
            Step::Unlock { domain: at } => {
                self.store().unlock_domain(&domain(at)).map_or_else(Answer::Locked, |()| Answer::Nothing)
            }
            Step::Shred { domain: at } => or_refused(self.store().shred(&domain(at)), Answer::Shredded),
            Step::Keys(state) => {
                devices.keys.set_state(state);
                Answer::Nothing
            }
            Step::AppendHeld => or_refused(self.store().append_held(), Answer::Waiting),
            Step::Sync => or_refused(self.store().sync(), |()| Answer::Nothing),
            Step::Reopen => self.reopen(),
        }
    }

    fn reopen(&mut self) -> Answer {
        self.store = None;
        self.store = Some(self.place.open().expect("a store"));
        Answer::Nothing
    }

    fn read(
        &mut self,
        at: usize,
        lane: usize,
        (max_records, max_bytes): (usize, usize),
        skip: &HashSet<<P::Store as RecordStore>::Id>,
    ) -> Vec<(Seen, Found<<P::Store as RecordStore>::Id>)> {
        let domains: Vec<Domain> = (0..DOMAINS).map(domain).collect();
        let read = Read { endpoint: endpoint(at), lane: LANES[lane], domains: &domains, max_records, max_bytes, skip };
        let found = self.store().read(&read).expect("a batch");
        let seen = found.into_iter().map(|one| {
            let number = u32::from_le_bytes(one.body[..4].try_into().expect("four bytes"));
            let life = usize::from(one.body[4]);
            assert_eq!(one.body, body(number, life, one.body.len() - 5), "another body");
            (Seen { domain: one.domain, life, number, expires_ms: one.expires_ms }, one)
        });
        let seen: Vec<_> = seen.collect();
        self.ids.extend(seen.iter().map(|(seen, found)| (seen.number, found.id)));
        seen
    }

    /// Reads in small batches, each behind what was read before. Which records are in which is each store's own.
    fn read_some(&mut self, endpoint: usize, lane: usize, max_records: usize, max_bytes: usize) -> Answer {
        let (mut skip, mut numbers) = (HashSet::new(), BTreeSet::new());
        loop {
            let batch = self.read(endpoint, lane, (max_records, max_bytes), &skip);
            let bytes: usize = batch.iter().map(|(_, found)| found.body.len()).sum();
            assert!(batch.len() <= max_records, "{} records, {max_records} at most", batch.len());
            assert!(batch.len() == 1 || bytes <= max_bytes, "{bytes} bytes, {max_bytes} at most");
            if batch.is_empty() {
                return Answer::Read(numbers);
            }
            for (seen, found) in batch {
                assert!(skip.insert(found.id) && numbers.insert(seen.number), "record {} twice", seen.number);
            }
        }
    }

    fn view(&mut self) -> View {
        let mut seen = BTreeMap::new();
        for endpoint in 0..ENDPOINTS {
            for lane in 0..LANES.len() {
                let found = self.read(endpoint, lane, (usize::MAX, usize::MAX), &HashSet::new());
                seen.insert((endpoint, lane), found.into_iter().map(|(seen, _)| seen).collect());
            }
        }
        let store = self.store();
        let open: [bool; DOMAINS] = std::array::from_fn(|at| store.is_open(&domain(at)));
        let mut pending = BTreeMap::new();
        for of in 0..ENDPOINTS {
            for at in (0..DOMAINS).filter(|at| open[*at]) {
                pending.insert((of, at), store.pending(endpoint(of), &domain(at)));
            }
        }
        let health = store.health();
        let count = std::array::from_fn(|at| store.count(&domain(at)));
        let (held, dropped, quarantined) = (health.held, health.dropped, health.quarantined);
        View { seen, open, pending, held, dropped, count, quarantined }
    }
}

/// Chooses records for a step by what can be read before it.
fn choose(step: Step, view: &View, number: u32) -> Vec<u32> {
    let (Step::Acknowledge { endpoint, pick } | Step::Quarantine { endpoint, pick }) = step else { return Vec::new() };
    let readable = view.numbers(endpoint);
    let of_bits = |numbers: Vec<u32>, bits: u64| {
        numbers.into_iter().filter(|number| bits >> (number % 64) & 1 == 1).collect::<Vec<u32>>()
    };
    match pick {
        Pick::Oldest(count) => readable.into_iter().take(count).collect(),
        Pick::Readable(bits) => of_bits(readable, bits),
        Pick::Any(bits) => of_bits((0..number).collect(), bits),
    }
}

fn same<T: PartialEq + Debug>(what: &str, one: &T, other: &T) -> Result<(), String> {
    if one == other { Ok(()) } else { Err(format!("{what}: one says {one:?}, the other {other:?}")) }
}

/// Walks through both stores. The first may forget later than the second where its grain is a segment.
///
/// # Errors
/// The first step after which they differ, and in what.
pub fn compare<A: Place, B: Place>(walk: &Walk, one: A, other: B) -> Result<(), String> {
    let grain = one.devices().grain;
    let (mut one, mut other) = (Side::begin(one, walk.restarts), Side::begin(other, walk.restarts));
    let mut last = one.view();
    let mut was_set_back = false;
    for (number, step) in walk.steps.iter().enumerate() {
        let at = |difference: String| format!("after step {number}, {step:?}: {difference}");
        let number = number as u32;
        let chosen = choose(*step, &last, number);
        let answers = [one.take(*step, number, &chosen, last.open), other.take(*step, number, &chosen, last.open)];
        same("the answer", &answers[0], &answers[1]).map_err(at)?;
        was_set_back |= !walk.restarts && matches!(step, Step::Clock { .. });
        let (view, twin) = (one.view().ordered(was_set_back), other.view().ordered(was_set_back));
        for (of, seen) in &view.seen {
            same(&format!("the records of endpoint and lane {of:?}"), seen, &twin.seen[of]).map_err(at)?;
        }
        same("which domains are open", &view.open, &twin.open).map_err(at)?;
        same("what is pending", &view.pending, &twin.pending).map_err(at)?;
        same("what is held", &view.held, &twin.held).map_err(at)?;
        same("what was dropped", &view.dropped, &twin.dropped).map_err(at)?;
        if grain == Grain::Record {
            same("what is there", &view.count, &twin.count).map_err(at)?;
            same("what is quarantined", &view.quarantined, &twin.quarantined).map_err(at)?;
        } else {
            let is_there = view.count.iter().zip(twin.count).all(|(kept, at_least)| *kept >= at_least);
            let is_kept = view.quarantined >= twin.quarantined;
            same("whether all is there that has to be", &(is_there, is_kept), &(true, true)).map_err(at)?;
        }
        for (at_endpoint, at_domain) in view.pending.keys() {
            let seen = view.seen.iter().filter(|((of, _), _)| of == at_endpoint).flat_map(|(_, seen)| seen);
            let readable = seen.filter(|one| one.domain == domain(*at_domain)).count() as u64;
            same("pending and readable", &view.pending[&(*at_endpoint, *at_domain)], &readable).map_err(at)?;
        }
        last = view;
    }
    Ok(())
}
