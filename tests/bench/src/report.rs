//! The table: figure, journal, each peer with the ratio, target, met or not.

use crate::measure::Times;
use crate::queue::{BARE, GLEAN, JOURNAL, REDB, SQLCIPHER, SQLITE};

/// The columns of peers.
pub const PEERS: [&str; 5] = [BARE, SQLITE, SQLCIPHER, REDB, GLEAN];

pub struct Row {
    pub figure: String,
    pub journal: String,
    /// By peer: what is in its cell.
    pub peers: Vec<(&'static str, String)>,
    pub target: &'static str,
    pub met: Option<bool>,
}

#[derive(Default)]
pub struct Report {
    rows: Vec<Row>,
    notes: Vec<String>,
}

impl Report {
    pub fn row(&mut self, row: Row) {
        eprintln!("  {}: {}", row.figure, row.journal);
        self.rows.push(row);
    }

    /// A row of times, with the ratios to every peer that ran.
    pub fn times(&mut self, figure: impl Into<String>, times: &Times, target: &'static str, met: Option<bool>) {
        self.times_of(figure, JOURNAL, times, target, met);
    }

    /// The same of another contender than the first.
    pub fn times_of(
        &mut self,
        figure: impl Into<String>,
        name: &'static str,
        times: &Times,
        target: &'static str,
        met: Option<bool>,
    ) {
        let cell = |peer: &&'static str| {
            Some((*peer, format!("{} ({})", micros(times.median(peer)?), ratio(times.ratio(name, peer)?))))
        };
        let peers = PEERS.iter().filter_map(cell).collect();
        let journal = micros(times.median(name).unwrap_or(f64::NAN));
        self.row(Row { figure: figure.into(), journal, peers, target, met });
    }

    /// A figure that only the journal has.
    pub fn own(&mut self, figure: impl Into<String>, value: String, target: &'static str, met: Option<bool>) {
        self.row(Row { figure: figure.into(), journal: value, peers: Vec::new(), target, met });
    }

    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    pub fn print(&self) {
        println!(
            "\nIn brackets: the journal's time divided by the peer's, the median over rounds in which both ran.\n"
        );
        println!("| figure | journal | {} | target | met |", PEERS.join(" | "));
        println!("|---|---|{}---|---|", "---|".repeat(PEERS.len()));
        for row in &self.rows {
            let cell = |peer: &&str| row.peers.iter().find(|(name, _)| name == peer).map_or("", |(_, cell)| cell);
            let peers: Vec<&str> = PEERS.iter().map(cell).collect();
            let met = row.met.map_or("", |met| if met { "yes" } else { "NO" });
            println!("| {} | {} | {} | {} | {met} |", row.figure, row.journal, peers.join(" | "), row.target);
        }
        println!();
        for note in &self.notes {
            println!("{note}");
        }
        let judged = self.rows.iter().filter_map(|row| row.met);
        println!(
            "\n{} targets met, {} missed",
            judged.clone().filter(|met| *met).count(),
            judged.filter(|met| !*met).count()
        );
    }
}

/// A time as people read it.
pub fn micros(micros: f64) -> String {
    match micros {
        _ if micros >= 1e6 => format!("{:.2} s", micros / 1e6),
        _ if micros >= 1e4 => format!("{:.1} ms", micros / 1e3),
        _ if micros >= 1e3 => format!("{:.2} ms", micros / 1e3),
        _ if micros >= 100.0 => format!("{micros:.0} µs"),
        _ => format!("{micros:.1} µs"),
    }
}

pub fn ratio(ratio: f64) -> String {
    if ratio < 0.1 { format!("{ratio:.3}") } else { format!("{ratio:.2}") }
}
