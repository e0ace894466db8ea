//! The Kotlin tests on the JVM: a JDK, Maven, the host library through JNA.

use crate::disk::SmallDisk;
use crate::failure::{During, Failure, Result};
use crate::process::{self, Watched};
use crate::tools;
use crate::workspace::Workspace;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

const OLDEST_JAVA: u32 = 17;
const ADVICE: &str = "install a JDK 17 or newer and Maven 3.8 or newer (`java` and `mvn` on the search path)";

/// A JDK and Maven that are there.
pub(crate) struct Maven(());

impl Maven {
    /// Finds the two, installing them from Debian where that is possible.
    pub(crate) fn ensure() -> Result<Self> {
        if !is_present() {
            tools::apt_install(&["default-jdk-headless", "maven"], ADVICE)?;
        }
        if is_present() { Ok(Self(())) } else { Err(Failure::new(ADVICE)) }
    }

    /// Runs Maven's test phase, of one test class if one is named, with a small disk mounted if there is one.
    pub(crate) fn test(
        &self,
        workspace: &Workspace,
        library: &Path,
        class: Option<&str>,
        disk: Option<&SmallDisk>,
    ) -> Result<Watched> {
        let pom = workspace.android().join("pom.xml");
        let downloaded = downloaded_stamp(&pom)?;
        let mut maven = Command::new("mvn");
        maven
            .current_dir(workspace.android())
            .args(["--batch-mode", "--no-transfer-progress"])
            // The compile daemon would outlive this run.
            .args(["-Dkotlin.compiler.daemon=false", "-Dstyle.color=never"])
            .arg(format!("-Dnative.dir={}", folder_of(library)?.display()));
        if let Some(class) = class {
            maven.arg(format!("-Dtest={class}"));
        }
        if downloaded.as_ref().is_some_and(|stamp| stamp.is_file()) {
            maven.arg("--offline");
        } else {
            eprintln!("first run with this pom.xml: Maven downloads about 100 MB, one or two minutes");
        }
        maven.arg("test");
        let watched = process::watch(&mut SmallDisk::mounted(disk, maven))?;
        if let (true, Some(stamp)) = (watched.success, downloaded) {
            fs::write(&stamp, "").during(stamp.display())?;
        }
        Ok(watched)
    }
}

fn is_present() -> bool {
    let Some(java) = process::find("java") else {
        return false;
    };
    let version = process::attempt(Command::new(java).arg("-version"), Duration::from_secs(30));
    process::find("mvn").is_some()
        && version.is_ok_and(|(_, text)| java_version(&text).is_some_and(|v| v >= OLDEST_JAVA))
}

/// The feature release in what `java -version` prints: 17 in `openjdk version "17.0.15" 2025-04-15`.
fn java_version(text: &str) -> Option<u32> {
    let quoted = text.split('"').nth(1)?;
    quoted.split(['.', '-']).next()?.parse().ok()
}

/// A mark in Maven's repository that everything this pom.xml names has been downloaded once. It lies there, so
/// that it goes with the repository.
fn downloaded_stamp(pom: &Path) -> Result<Option<std::path::PathBuf>> {
    let Some(home) = env::var_os("HOME") else {
        return Ok(None);
    };
    let repository = Path::new(&home).join(".m2/repository");
    let pom = fs::read(pom).during(pom.display())?;
    // FNV-1a: enough to tell one version of a file from the next.
    let hash = pom
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    Ok(Some(repository.join(format!(".menshen-{hash:016x}"))))
}

fn folder_of(library: &Path) -> Result<&Path> {
    library.parent().ok_or_else(|| Failure::new(format!("`{}` has no folder", library.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_java_release_is_read_from_what_java_prints() {
        assert_eq!(java_version("openjdk version \"17.0.15\" 2025-04-15"), Some(17));
        assert_eq!(java_version("openjdk version \"24-ea\" 2025-03-18"), Some(24));
        assert!(java_version("java version \"1.8.0_452\"") < Some(OLDEST_JAVA));
        assert_eq!(java_version("command not found"), None);
    }
}
