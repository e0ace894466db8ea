//! The Swift tests: with the machine's own Swift, or with Debian's in a root folder of its own.

use crate::disk::SmallDisk;
use crate::failure::{During, Failure, Result};
use crate::process::{self, Watched};
use crate::workspace::{self, Workspace};
use crate::{files, tools};
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The Debian release that carries Swift.
const SUITE: &str = "trixie";
/// Raised when what goes into the root changes.
const ROOT_VERSION: &str = "1";
const PACKAGES: &str = "ca-certificates,swiftlang,libc6-dev,libstdc++-14-dev,git";
/// Of the package's 2.6 GB: the parts that a test run doesn't open.
const LEFT_OUT: [&str; 8] = [
    "/usr/share/doc/*",
    "/usr/share/man/*",
    "/usr/share/locale/*",
    "/usr/libexec/swift/lib/swift/embedded/*",
    "/usr/libexec/swift/lib/swift_static/linux/*",
    "/usr/libexec/swift/bin/clangd",
    "/usr/libexec/swift/bin/sourcekit-lsp",
    "/usr/libexec/swift/bin/lldb*",
];
const ADVICE: &str = "install Swift 6.0 or newer (`swift` on the search path); \
    on Debian as root this command installs one by itself";

/// A shell in a mount namespace of its own, so that nothing stays mounted: the root's /proc (Swift's libraries look
/// themselves up there), /sys (a read-only place for a test), the checkout at its own path, then the command inside.
const ENTER: &str = r#"
set -e
root=$1 checkout=$2; shift 2
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mkdir -p "$root$checkout"
mount --rbind "$checkout" "$root$checkout"
exec chroot "$root" env -u TMPDIR HOME=/var/tmp LC_ALL=C.UTF-8 \
    PATH=/usr/libexec/swift/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    sh -c 'cd "$0/bindings/swift" && exec "$@"' "$checkout" "$@"
"#;

/// A Swift that is there.
pub(crate) enum Swift {
    Own,
    Root(PathBuf),
}

impl Swift {
    /// Finds the machine's own Swift, or on Debian sets up the root once.
    pub(crate) fn ensure() -> Result<Self> {
        if process::find("swift").is_some() {
            return Ok(Self::Own);
        }
        let root = workspace::cache()?.join(format!("swift-{SUITE}-{ROOT_VERSION}"));
        if !root.is_dir() {
            set_up(&root)?;
        }
        Ok(Self::Root(root))
    }

    /// Runs `swift test` with more arguments, linked to the library given, with a small disk mounted if there is one.
    pub(crate) fn test(
        &self,
        workspace: &Workspace,
        library: &Path,
        more: &[&str],
        disk: Option<&SmallDisk>,
    ) -> Result<Watched> {
        // Inside the root only the checkout can be seen, and the target folder may lie elsewhere.
        let native = workspace.swift().join(".build/native");
        files::copy(library, &native.join(format!("{DLL_PREFIX}menshen_ffi{DLL_SUFFIX}")))?;
        let search = if cfg!(target_os = "macos") { "DYLD_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" };
        let mut command = self.enter(workspace);
        command
            .arg("env")
            .arg(format!("{search}={}", native.display()))
            .arg(format!("MENSHEN_VECTORS={}", workspace.vectors().display()))
            .args(["swift", "test"])
            .args(more)
            .arg("-Xlinker")
            .arg(format!("-L{}", native.display()));
        process::watch(&mut SmallDisk::mounted(disk, command))
    }

    /// A command that runs the words appended to it in bindings/swift.
    fn enter(&self, workspace: &Workspace) -> Command {
        match self {
            Self::Own => {
                let mut command = Command::new("env");
                command.current_dir(workspace.swift());
                command
            }
            Self::Root(root) => {
                let mut command = Command::new("unshare");
                command.args(["--mount", "--propagation", "private", "sh", "-c", ENTER, "swift"]);
                command.args([root, &workspace.root]);
                command
            }
        }
    }
}

fn set_up(root: &Path) -> Result<()> {
    if !tools::can_use_apt() {
        return Err(Failure::new(ADVICE));
    }
    eprintln!("setting up Swift from Debian {SUITE}: 450 MB to download, 2 GB on disk, two to four minutes");
    tools::apt_install(&["mmdebstrap", "debian-archive-keyring"], ADVICE)?;
    let unfinished = root.with_extension("new");
    if unfinished.exists() {
        // An interrupted set-up; nothing is mounted in it, because mounts live in their own namespace.
        fs::remove_dir_all(&unfinished).during(unfinished.display())?;
    }
    if let Some(folder) = root.parent() {
        fs::create_dir_all(folder).during(folder.display())?;
    }
    let mut bootstrap = Command::new("mmdebstrap");
    bootstrap
        .args(["--mode=root", "--variant=apt"])
        .arg(format!("--include={PACKAGES}"))
        .args(["--aptopt=APT::Install-Recommends \"false\"", "--dpkgopt=force-unsafe-io"])
        .args(LEFT_OUT.map(|path| format!("--dpkgopt=path-exclude={path}")))
        .args(proxies().iter().map(|line| format!("--aptopt={line}")))
        .args([SUITE.as_ref(), unfinished.as_os_str()])
        .arg(mirror()?);
    process::run(&mut bootstrap)?;
    fs::rename(&unfinished, root).during(root.display())
}

/// The machine's own Debian mirror.
fn mirror() -> Result<String> {
    let release = files::read(Path::new("/etc/os-release"))?;
    let suite = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME=")).unwrap_or("stable");
    let folder = Path::new("/etc/apt/sources.list.d");
    for path in files::under(folder, &["sources"])? {
        if let Some(mirror) = mirror_in_stanzas(&files::read(&path)?, suite) {
            return Ok(mirror);
        }
    }
    let mut lists = vec![PathBuf::from("/etc/apt/sources.list")];
    lists.extend(files::under(folder, &["list"])?);
    for path in lists.iter().filter(|path| path.is_file()) {
        if let Some(mirror) = mirror_in_lines(&files::read(path)?, suite) {
            return Ok(mirror);
        }
    }
    Err(Failure::new(format!("no Debian mirror for `{suite}` in /etc/apt/sources.list or /etc/apt/sources.list.d")))
}

/// From the stanza form: the first URI of the first stanza that serves this very suite.
fn mirror_in_stanzas(text: &str, suite: &str) -> Option<String> {
    text.split("\n\n").find_map(|stanza| {
        let field = |name: &str| stanza.lines().find_map(|line| line.strip_prefix(name)).map(str::split_whitespace);
        let serves = field("Suites:")?.any(|word| word == suite || word == "stable");
        field("URIs:")?.next().filter(|_| serves).map(str::to_owned)
    })
}

/// From the one-line form, `deb [options] URI suite components`.
fn mirror_in_lines(text: &str, suite: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let line = line.trim().strip_prefix("deb ")?.trim_start();
        let line = match line.strip_prefix('[') {
            Some(options) => options.split_once(']')?.1,
            None => line,
        };
        let mut words = line.split_whitespace();
        let uri = words.next()?;
        words.next().filter(|word| *word == suite).map(|_| uri.to_owned())
    })
}

/// The proxy settings of the machine's apt, as lines of an apt configuration.
fn proxies() -> Vec<String> {
    let mut dump = Command::new("apt-config");
    dump.args(["dump", "--no-empty", "--format", "%f \"%v\";%n"]);
    dump.args(["Acquire::http::Proxy", "Acquire::https::Proxy"]);
    let lines = process::capture(&mut dump).unwrap_or_default();
    lines.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_the_one_that_serves_the_machines_own_suite() {
        let stanzas = "Types: deb\nURIs: http://other.test/apt\nSuites: tool\n\n\
            Types: deb\n# a remark\nURIs: http://mirror.test/debian\nSuites: bookworm bookworm-updates\n\n\
            Types: deb\nURIs: http://mirror.test/security\nSuites: bookworm-security\n";
        let found = mirror_in_stanzas(stanzas, "bookworm");
        assert_eq!(found.as_deref(), Some("http://mirror.test/debian"));
        assert_eq!(mirror_in_stanzas(stanzas, "trixie"), None);
    }

    #[test]
    fn the_mirror_is_read_from_the_one_line_form_too() {
        let lines = "# deb http://old.test/debian bookworm main\n\
            deb [signed-by=/k.gpg] http://other.test/apt tool main\n\
            deb [arch=amd64 trusted=yes] http://mirror.test/debian bookworm main\n";
        let found = mirror_in_lines(lines, "bookworm");
        assert_eq!(found.as_deref(), Some("http://mirror.test/debian"));
        assert_eq!(mirror_in_lines(lines, "trixie"), None);
    }
}
