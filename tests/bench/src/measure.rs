//! Measuring: bursts of every contender in turn, medians, and ratios of the bursts that ran side by side.

use std::time::{Duration, Instant};

/// One contender: its name, and a burst that says how long its operations took.
pub struct Contender<'a> {
    pub name: &'static str,
    pub burst: Box<dyn FnMut() -> Duration + 'a>,
}

impl<'a> Contender<'a> {
    /// A burst of which everything is measured.
    pub fn new(name: &'static str, mut burst: impl FnMut() + 'a) -> Self {
        Self::timed(name, move || {
            let began = Instant::now();
            burst();
            began.elapsed()
        })
    }

    /// A burst that measures a part of itself.
    pub fn timed(name: &'static str, burst: impl FnMut() -> Duration + 'a) -> Self {
        Self { name, burst: Box::new(burst) }
    }
}

/// The times of one operation, in microseconds, of each contender and round.
pub struct Times {
    pub names: Vec<&'static str>,
    rounds: Vec<Vec<f64>>,
}

/// Runs `rounds` rounds. In each every contender runs one burst of `operations`, the first one in turn.
pub fn interleave(rounds: usize, operations: usize, mut contenders: Vec<Contender<'_>>) -> Times {
    let count = contenders.len();
    let mut times = vec![Vec::with_capacity(rounds); count];
    // One burst of each to warm up.
    for contender in &mut contenders {
        (contender.burst)();
    }
    for round in 0..rounds {
        for turn in 0..count {
            let at = (round + turn) % count;
            times[at].push((contenders[at].burst)().as_secs_f64() * 1e6 / operations as f64);
        }
    }
    Times { names: contenders.iter().map(|contender| contender.name).collect(), rounds: times }
}

impl Times {
    /// The median of a contender's bursts, in microseconds an operation.
    pub fn median(&self, name: &str) -> Option<f64> {
        Some(median(self.of(name)?.clone()))
    }

    /// How many times as long one took as the other: the median of the rounds' ratios.
    pub fn ratio(&self, name: &str, other: &str) -> Option<f64> {
        let (one, other) = (self.of(name)?, self.of(other)?);
        Some(median(one.iter().zip(other).map(|(one, other)| one / other).collect()))
    }

    fn of(&self, name: &str) -> Option<&Vec<f64>> {
        let at = self.names.iter().position(|known| *known == name)?;
        Some(&self.rounds[at])
    }
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Bytes that this process gave to write calls so far, by the kernel's count; `None` where it keeps none.
pub fn written_bytes() -> Option<u64> {
    let counts = std::fs::read_to_string("/proc/self/io").ok()?;
    counts.lines().find_map(|line| line.strip_prefix("wchar: "))?.parse().ok()
}

/// What this thread has used of a processor so far.
pub fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Memory of this process in KiB: `VmRSS` now, `VmHWM` at its peak.
pub fn memory_kib(what: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':'))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}
