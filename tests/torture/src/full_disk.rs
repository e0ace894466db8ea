//! A file system that is really full: tmpfs of every size from 64 KiB to 1 MiB in steps of a page. A withdrawal works in
//! each, and what was promised is there.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, PoisonError};

use menshen_journal::{
    Append, Error, Expiry, Folder, Journal, Label, Lane, MemoryKeys, NewEntry, OpenError, Shredding, Verdict,
};

use crate::kill::SPAWNING;
use crate::planted;
use crate::programme::Prepared;
use crate::world::*;

/// From here on a grant finds room.
const SMALLEST_KIB: u64 = 232;

/// A tmpfs, gone with this.
struct Small {
    folder: tempfile::TempDir,
}

impl Small {
    fn mount(kib: u64) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let options = format!("size={kib}k,nr_inodes=4096");
        let mounted = run("mount", &["-t", "tmpfs", "-o", &options, "tmpfs"], folder.path());
        if mounted { Ok(Self { folder }) } else { Err("a tmpfs cannot be mounted here; that needs root".to_owned()) }
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        run("umount", &["-l"], self.folder.path());
    }
}

fn run(program: &str, words: &[&str], folder: &Path) -> bool {
    let _alone = SPAWNING.write().unwrap_or_else(PoisonError::into_inner);
    let command = Command::new(program).args(words).arg(folder).stderr(Stdio::null()).status();
    command.is_ok_and(|status| status.success())
}

/// Appends until nothing fits, in ever smaller records, so that no gap is left; how many went in.
fn fill(journal: &Journal, domain: menshen_journal::Domain) -> u64 {
    let mut count = 0;
    for size in [60_000, 8_000, 1_000, 100, 1] {
        loop {
            let body = vec![7; size];
            match journal.append(&Append { domain, lane: Lane::Telemetry, expiry: Expiry::never(), body: &body }) {
                Ok(_) => count += 1,
                Err(Error::Full) => break,
                Err(error) => panic!("{error:?}"),
            }
        }
    }
    count
}

/// S5.
pub(crate) fn sizes(seed: u64) -> Result<Prepared, String> {
    drop(Small::mount(64)?);
    Prepared::all(241, move |case| {
        let kib = 64 + case * 4;
        let small = Small::mount(kib).unwrap();
        let _open = SPAWNING.read().unwrap_or_else(PoisonError::into_inner);
        let mut world = World::new(seed + case);
        world.options.cap_bytes = u64::MAX / 2;
        let keys = MemoryKeys::new();
        let open = || {
            let folder = Arc::new(Folder::at(small.folder.path())?);
            world.open_with(folder, planted::keys(keys.clone()))
        };
        let journal = open().unwrap_or_else(|error| panic!("{kib} KiB: {error:?}"));
        let granted = (|| {
            let account = essential(&journal)?;
            let (kept, withdrawn) = (domain(&journal, "kept")?, domain(&journal, "withdrawn")?);
            enter(&journal, account, b"granted")?;
            put(&world, &journal, kept, b"kept")?;
            put(&world, &journal, withdrawn, b"withdrawn")?;
            journal.sync()?;
            Ok::<(Label, _, _), Error>((account, kept, withdrawn))
        })();
        if granted == Err(Error::Full) && kib < SMALLEST_KIB {
            // Too small for a grant, and it says so; a denial is marked all the same.
            let domain =
                menshen_journal::Domain { account: Label::ESSENTIAL, purpose: Label::from_number(7), epoch: 1 };
            journal.mark_denied(&domain).unwrap_or_else(|error| panic!("{kib} KiB: the marker: {error:?}"));
            return;
        }
        let (account, kept, withdrawn) = granted.unwrap_or_else(|error| panic!("{kib} KiB: a grant: {error:?}"));
        let count = fill(&journal, withdrawn);
        match journal.sync() {
            Ok(()) | Err(Error::Full) => {}
            Err(error) => panic!("{kib} KiB: {error:?}"),
        }
        if case % 2 == 1 {
            // Another process withdraws.
            drop(journal);
            withdraw(
                &open().unwrap_or_else(|error| panic!("{kib} KiB: opened again: {error:?}")),
                account,
                withdrawn,
                kib,
            );
        } else {
            withdraw(&journal, account, withdrawn, kib);
            drop(journal);
        }
        let journal = open().unwrap_or_else(|error: OpenError| panic!("{kib} KiB: afterwards: {error:?}"));
        let contents = journal.ledger_read(account).unwrap();
        assert_eq!((contents.entries.len(), contents.verdict), (3, Verdict::Sound), "{kib} KiB");
        let one = endpoint(&journal).unwrap_or_else(|error| panic!("{kib} KiB: a label: {error:?}"));
        assert_eq!(bodies(&read(&journal, one, &[kept]).unwrap()), [b"kept"], "{kib} KiB");
        assert_eq!(read(&journal, one, &[withdrawn]).unwrap().records.len(), 0, "{kib} KiB");
        if count > 2 {
            // What went gave its room back.
            put(&world, &journal, kept, &[1; 500]).unwrap_or_else(|error| panic!("{kib} KiB: a record: {error:?}"));
            journal.sync().unwrap_or_else(|error| panic!("{kib} KiB: a sync: {error:?}"));
        }
    })
}

fn withdraw(journal: &Journal, account: Label, withdrawn: menshen_journal::Domain, kib: u64) {
    journal.mark_denied(&withdrawn).unwrap_or_else(|error| panic!("{kib} KiB: the marker: {error:?}"));
    // More than the slack of the ledger's last page.
    let entry = NewEntry { statement: b"statement", payload: &[1; 6_000] };
    let entered = journal.ledger_append_denial(account, &[entry]);
    entered.unwrap_or_else(|error| panic!("{kib} KiB: the entry: {error:?}"));
    assert_eq!(journal.shred(&withdrawn), Ok(Shredding::Done), "{kib} KiB");
}
