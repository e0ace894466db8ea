//! What the journal costs apart from time: instructions of an append, and bytes in an app.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use menshen_journal::{DeviceClock, Effects, Expiry, Folder, Journal, Now};

use crate::Effort;
use crate::journal;
use crate::queue::{JOURNAL, RECORD, REDB, SQLCIPHER, SQLITE, body};
use crate::report::{Report, Row};

/// How much dearer than the recorded figure an append may be.
const TOLERANCE: f64 = 1.05;
const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions");

/// A clock that stands still: the system's is read in a way that valgrind does not know.
struct StillClock;

impl DeviceClock for StillClock {
    fn now(&self) -> Now {
        Now { wall_ms: 1_800_000_000_000, since_boot_ms: 1, boot: 1 }
    }
}

/// A child: appends so many records.
pub fn child_append(count: usize, folder: &Path) {
    let disk = Arc::new(Folder::at(folder.join("store")).expect("a folder for the store"));
    let effects = Effects { clock: Arc::new(StillClock), ..journal::effects(folder, disk) };
    let journal = Journal::open(effects, journal::options()).expect("a store");
    let domain = journal::domain(&journal, "statistics");
    let (body, expiry) = (body(RECORD, 7), Expiry::after(&StillClock.now(), 1 << 32));
    (0..count).for_each(|_| journal::append(&journal, domain, expiry, &body));
}

/// Counts instructions in callgrind: of one append, as the difference of two runs. Whether they are not far above the
/// recorded figure; `bless` records a new one.
pub fn instructions(folder: &Path, report: &mut Report, bless: bool) -> bool {
    let figure = "instructions of a buffered append, 512 B";
    let (Some(few), Some(many)) = (collected(1000, folder), collected(11_000, folder)) else {
        report.own(figure, "NOT RUN: no valgrind".to_owned(), "≤ 1.05× the recorded", None);
        return true;
    };
    let each = (many - few) as f64 / 10_000.0;
    if bless {
        std::fs::write(RECORDED, format!("{each:.0}\n")).expect("the record");
    }
    let recorded: Option<f64> = std::fs::read_to_string(RECORDED).ok().and_then(|text| text.trim().parse().ok());
    let met = recorded.is_some_and(|recorded| each <= recorded * TOLERANCE);
    let against = recorded.map_or("none".to_owned(), |recorded| format!("{recorded:.0}"));
    report.own(figure, format!("{each:.0}, recorded: {against}"), "≤ 1.05× the recorded", Some(met));
    met
}

fn collected(count: usize, folder: &Path) -> Option<u64> {
    let store = folder.join(format!("instructions-{count}"));
    std::fs::create_dir_all(&store).ok()?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().ok()?)
        .args(["--child-append", &count.to_string()])
        .arg(&store)
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = text.lines().find_map(|line| line.split_once("Collected : "))?;
    line.1.trim().parse().ok()
}

/// Builds the same small library with each store in it, and without any.
pub fn size(effort: &Effort, report: &mut Report) {
    let Some(bare) = built("") else {
        report.own("stripped bytes added to a library", "NOT RUN: it did not build".to_owned(), "≤ 150 KB", None);
        return;
    };
    let added = |feature: &str| built(feature).map(|with| with.saturating_sub(bare));
    let Some(own) = added("journal") else { return };
    let mut peers = Vec::new();
    if effort.full {
        for (name, feature) in [(SQLITE, "sqlite"), (SQLCIPHER, "sqlcipher"), (REDB, "redb")] {
            peers.extend(added(feature).map(|bytes| (name, format!("{bytes} B ({:.2})", own as f64 / bytes as f64))));
        }
    } else {
        report.note("size of the peers: only with --full, as it builds OpenSSL");
    }
    report.row(Row {
        figure: format!("stripped bytes that the {JOURNAL} adds to a library that seals, signs and writes a file"),
        journal: format!("{own} B"),
        peers,
        target: "≤ 150 KB",
        met: Some(own <= 150 * 1024),
    });
}

fn built(feature: &str) -> Option<u64> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(folder)
        .args(["build", "--quiet", "--profile", "size", "--package", "menshen-bench-added", "--features", feature])
        .arg("--target-dir")
        .arg(folder.join("target"))
        .status()
        .ok()?;
    let file = format!("{}menshen_bench_added{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    status.success().then(|| std::fs::metadata(folder.join("target/size").join(file)).ok())?.map(|file| file.len())
}
