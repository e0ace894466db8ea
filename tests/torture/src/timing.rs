//! How long a comparison of secrets takes: whether it tells where two of them differ, by Welch's t-test over many of both
//! kinds in random order, as dudect does it (Reparaz, Balasch, Verbauwhede 2017). It asks through the one comparison that a
//! proof of one leaf comes down to.

use std::time::Instant;

use menshen_journal::is_included;

use crate::programme::Prepared;
use crate::random::Random;

/// Comparisons of one experiment.
const COMPARISONS: usize = 50_000;
/// Beyond this, a difference is no chance.
const MOST: f64 = 4.5;
/// The load of a machine may look like a difference once; a comparison that tells something does so each time.
const EXPERIMENTS: usize = 6;

struct Class {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Class {
    fn of(times: &[u64]) -> Self {
        let count = times.len() as f64;
        let mean = times.iter().map(|time| *time as f64).sum::<f64>() / count;
        let squares = times.iter().map(|time| (*time as f64 - mean).powi(2)).sum::<f64>() / (count - 1.0);
        Self { count, mean, squares }
    }
}

fn welch(one: &Class, other: &Class) -> f64 {
    (one.mean - other.mean) / (one.squares / one.count + other.squares / other.count).sqrt().max(1e-9)
}

/// Differences in the first byte against differences in the last one.
fn experiment(random: &mut Random) -> f64 {
    let root: [u8; 32] = std::array::from_fn(|_| random.next() as u8);
    let others = [0, 31].map(|byte| {
        let mut other = root;
        other[byte] ^= 1 << random.below(8);
        other
    });
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..COMPARISONS {
        let class = random.below(2) as usize;
        let other = std::hint::black_box(others[class]);
        let start = Instant::now();
        let is_same = is_included(std::hint::black_box(&root), 1, 0, &other, &[]);
        times[class].push(start.elapsed().as_nanos() as u64);
        assert!(!is_same);
    }
    // What took longest was somebody else's doing.
    let mut all: Vec<u64> = times.concat();
    all.sort_unstable();
    let most = all[all.len() * 9 / 10];
    let [first, last] =
        times.map(|times| Class::of(&times.into_iter().filter(|time| *time <= most).collect::<Vec<_>>()));
    welch(&first, &last)
}

/// C8.
pub(crate) fn comparisons(seed: u64) -> Result<Prepared, String> {
    Prepared::endless(move |case| {
        let mut random = Random::of(seed, case);
        let mut told = Vec::new();
        while told.len() < EXPERIMENTS {
            let t = experiment(&mut random);
            if t.abs() <= MOST || told.first().is_some_and(|first: &f64| first.signum() != t.signum()) {
                return;
            }
            told.push(t);
        }
        panic!("the time of a comparison tells where two secrets differ: t = {told:.1?}");
    })
}
