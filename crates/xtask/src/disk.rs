//! A disk of a few megabytes for the tests that fill one: mounted for one command, in a mount namespace of its own.

use crate::process;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Mounts the disk at `small` and a view of it that nobody can write at `read-only`, then runs the command. Nothing stays
/// mounted, because the namespace ends with the command.
const ENTER: &str = r#"
set -e
disk=$1; shift
mkdir -p "$disk/small" "$disk/read-only"
mount -t tmpfs -o size=4m menshen "$disk/small"
mount --bind "$disk/small" "$disk/read-only"
mount -o remount,bind,ro "$disk/read-only"
exec env MENSHEN_DISK="$disk" "$@"
"#;

/// How this machine mounts a small disk, if it may.
pub(crate) struct SmallDisk {
    folder: PathBuf,
    unshare: &'static [&'static str],
}

impl SmallDisk {
    /// Tries it out: as root, then as somebody who is root in a namespace of their own.
    pub(crate) fn at(folder: PathBuf) -> Option<Self> {
        let ways: [&[&str]; 2] = [
            &["--mount", "--propagation", "private"],
            &["--user", "--map-root-user", "--mount", "--propagation", "private"],
        ];
        ways.into_iter().map(|unshare| Self { folder: folder.clone(), unshare }).find(|disk| {
            let mut trial = disk.enter(&Command::new("true"));
            process::attempt(&mut trial, Duration::from_secs(30)).is_ok_and(|(success, _)| success)
        })
    }

    /// The same command, run where the disk is mounted if there is one.
    pub(crate) fn mounted(disk: Option<&Self>, command: Command) -> Command {
        match disk {
            Some(disk) => disk.enter(&command),
            None => command,
        }
    }

    fn enter(&self, command: &Command) -> Command {
        let mut entered = Command::new("unshare");
        entered.args(self.unshare).args(["sh", "-c", ENTER, "disk"]).arg(&self.folder);
        entered.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => entered.env(name, value),
                None => entered.env_remove(name),
            };
        }
        entered.current_dir(command.get_current_dir().unwrap_or(Path::new(".")));
        entered
    }
}
