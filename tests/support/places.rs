//! The places where a vector puts its store, and what else is there: other files, another process, a disk that fills up.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use menshen::{FileKeys, Menshen, Policy, Store};

/// The store's folder where it is none of the vector's own.
pub(crate) fn folder(root: &Path, kind: &str) -> Result<PathBuf, String> {
    let file = || {
        fs::write(root.join("file"), b"not a folder").unwrap();
        root.join("file")
    };
    Ok(match kind {
        "missing" => root.join("nowhere/store"),
        "file" => file(),
        "beneath-a-file" => file().join("store"),
        // Longer than any file system takes.
        "failing" => root.join("x".repeat(300)),
        "garbage" => {
            let garbage = root.join("garbage");
            fs::create_dir_all(&garbage).unwrap();
            fs::write(garbage.join("manifest.1"), [0x5a; 4096]).unwrap();
            fs::write(garbage.join("holiday.jpg"), [0xff; 512]).unwrap();
            garbage
        }
        "app-group" => root.join("Containers/Shared/AppGroup/one/store"),
        // Nobody can make a folder there, root neither.
        "read-only" => PathBuf::from("/sys/menshen-store"),
        other => return Err(format!("unknown store {other}")),
    })
}

const HOLD: &str = "MENSHEN_HOLD";

/// Another process of this very program that has a vector's store open.
pub(crate) struct AnotherProcess(Child);

impl AnotherProcess {
    pub(crate) fn holding(root: &Path) -> Result<Self, String> {
        let child = Command::new(env::current_exe().unwrap())
            .args(["every_vector_gives_what_it_says", "--exact", "--nocapture"])
            .env(HOLD, root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut other = Self(child);
        let output = BufReader::new(other.0.stdout.take().unwrap());
        let holds = output.lines().map_while(Result::ok).any(|line| line.ends_with("the store is held"));
        if holds { Ok(other) } else { Err("the other process could not open the store".to_owned()) }
    }

    /// What the other process does: holds the store until its input ends. `false` in the process that runs the vectors.
    pub(crate) fn is_this(policy: &str) -> bool {
        let Some(root) = env::var_os(HOLD).map(PathBuf::from) else { return false };
        let store = Store::at(root.join("store")).unwrap();
        let keys = FileKeys::at(root.join("keys")).unwrap();
        let menshen = Menshen::open(Policy::read(policy.as_bytes()).unwrap(), store, keys).unwrap();
        println!("the store is held");
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        drop(menshen);
        true
    }
}

impl Drop for AnotherProcess {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

/// A folder of a vector's own on a disk of a few megabytes, which the environment names: `small` is the disk, `read-only`
/// the same disk as nobody can write it.
pub(crate) struct SmallDisk {
    disk: PathBuf,
    name: tempfile::TempDir,
}

impl SmallDisk {
    fn named() -> Option<PathBuf> {
        env::var_os("MENSHEN_DISK").map(PathBuf::from)
    }

    pub(crate) fn is_there() -> bool {
        Self::named().is_some()
    }

    pub(crate) fn take() -> Self {
        let disk = Self::named().unwrap();
        let name = tempfile::tempdir_in(disk.join("small")).unwrap();
        Self { disk, name }
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.name.path().join("store")
    }

    pub(crate) fn read_only_store(&self) -> PathBuf {
        self.disk.join("read-only").join(self.name.path().file_name().unwrap()).join("store")
    }

    fn filler(&self) -> PathBuf {
        self.name.path().join("filler")
    }

    /// Takes the last byte of the disk.
    pub(crate) fn fill(&self) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.filler()).unwrap();
        for size in [4096, 1] {
            let block = vec![0; size];
            while file.write_all(&block).is_ok() {}
        }
    }

    pub(crate) fn free(&self) {
        drop(File::create(self.filler()).unwrap());
    }
}
