//! A power cut under a real kernel: ext4 on a loop device is shut down without a flush of its log while a child writes,
//! then mounted again. What was synced, acknowledged, entered or withdrawn is there.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::kill::{SPAWNING, Said, listen, shared_memory, spawn};
use crate::programme::Prepared;
use crate::random::Random;

/// So many cuts follow one another on one file system.
const CUTS: u64 = 8;
const MEBIBYTES: &str = "24";

/// Waits, then shuts a mounted ext4 down: `EXT4_IOC_SHUTDOWN` with `EXT4_GOING_FLAGS_NOLOGFLUSH`, from the kernel's
/// `fs/ext4/ext4.h`. Python has `ioctl` without unsafe code here.
const CUT: &str = "import fcntl, os, struct, sys, time
folder = os.open(sys.argv[2], os.O_RDONLY)
time.sleep(int(sys.argv[1]) / 1e6)
print(time.monotonic_ns(), flush=True)
fcntl.ioctl(folder, 0x8004587D, struct.pack('I', 2))";

fn run(program: &str, words: &[&str]) -> bool {
    let _alone = SPAWNING.write().unwrap_or_else(PoisonError::into_inner);
    let command = Command::new(program).args(words).stdout(Stdio::null()).stderr(Stdio::null()).status();
    command.is_ok_and(|status| status.success())
}

/// Shuts a file system down after so many microseconds; when that was.
fn cut(delay: &str, folder: &Path) -> Option<u128> {
    let output = {
        let _alone = SPAWNING.write().unwrap_or_else(PoisonError::into_inner);
        Command::new("python3").args(["-c", CUT, delay, text(folder)]).output().ok()?
    };
    let at = String::from_utf8(output.stdout).ok()?.trim().parse().ok()?;
    output.status.success().then_some(at)
}

/// An ext4 in a file, mounted; gone with this.
struct Device {
    home: tempfile::TempDir,
    promises: Said,
    cuts: u64,
}

impl Device {
    fn new() -> Option<Self> {
        let this = Self { home: shared_memory(), promises: Said::default(), cuts: 0 };
        let made = run("truncate", &["-s", &format!("{MEBIBYTES}M"), text(&this.image())])
            && run("mkfs.ext4", &["-q", "-F", text(&this.image())])
            && std::fs::create_dir(this.folder()).is_ok()
            && this.mount();
        made.then_some(this)
    }

    fn image(&self) -> PathBuf {
        self.home.path().join("image")
    }

    fn folder(&self) -> PathBuf {
        self.home.path().join("mounted")
    }

    fn mount(&self) -> bool {
        run("mount", &["-o", "loop", text(&self.image()), text(&self.folder())])
    }

    /// A child writes until the power is cut; what it said.
    fn cut(&mut self, round: u64, after: Duration) {
        let mut child = spawn("writer", &self.folder(), round);
        let said = listen(&mut child);
        let delay = after.as_micros().to_string();
        let cut_at = cut(&delay, &self.folder());
        let _ = child.kill();
        child.wait().unwrap();
        let cut_at = cut_at.expect("the file system is shut down");
        for (at, line) in said.join().unwrap() {
            // Without power nobody says anything: here the child lives on, and a sync under way may still return.
            if at < cut_at || Said::is_attempt(&line) {
                self.promises.hear(round, &line);
            }
        }
        self.promises.lose_power();
        assert!(run("umount", &[text(&self.folder())]), "umount");
        assert!(self.mount(), "mount after the cut");
        self.cuts += 1;
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        run("umount", &["-l", text(&self.folder())]);
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// S15.
pub(crate) fn cuts(seed: u64) -> Result<Prepared, String> {
    let works = Device::new().is_some_and(|device| cut("0", &device.folder()).is_some());
    if !works {
        return Err(
            "no ext4 can be mounted and shut down here; that needs root, a loop device and mkfs.ext4".to_owned()
        );
    }
    let devices: Mutex<Vec<Device>> = Mutex::default();
    Prepared::endless(move |case| {
        let taken = devices.lock().unwrap().pop();
        let mut device = taken.unwrap_or_else(|| Device::new().expect("an ext4 mounted"));
        let mut random = Random::of(seed, case);
        let round = seed.wrapping_mul(1_000_003).wrapping_add(case);
        device.cut(round, Duration::from_micros(random.below(30_000)));
        device.promises.check(&device.folder());
        if device.cuts < CUTS {
            devices.lock().unwrap().push(device);
        }
    })
}
