//! Where things are: the checkout, cargo's target folder, this tool's cache.

use crate::failure::{During, Failure, Result};
use crate::process;
use std::env;
use std::path::{Path, PathBuf};

pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
}

impl Workspace {
    pub(crate) fn find() -> Result<Self> {
        let metadata =
            process::capture(process::cargo().args(["metadata", "--no-deps", "--offline", "--format-version=1"]))?;
        let metadata: serde_json::Value = serde_json::from_str(&metadata).during("cargo metadata")?;
        let folder = |key: &str| {
            metadata
                .get(key)
                .and_then(serde_json::Value::as_str)
                .map(PathBuf::from)
                .ok_or_else(|| Failure::new(format!("cargo metadata has no `{key}`")))
        };
        Ok(Self { root: folder("workspace_root")?, target: folder("target_directory")? })
    }

    pub(crate) fn android(&self) -> PathBuf {
        self.root.join("bindings/android")
    }

    pub(crate) fn swift(&self) -> PathBuf {
        self.root.join("bindings/swift")
    }

    pub(crate) fn vectors(&self) -> PathBuf {
        self.root.join("tests/vectors")
    }
}

/// The folder for downloaded tools, shared by every checkout of this user.
pub(crate) fn cache() -> Result<PathBuf> {
    let base = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cache")))
        .ok_or_else(|| Failure::new("neither HOME nor XDG_CACHE_HOME is set"))?;
    Ok(base.join("menshen"))
}

/// Whether this is the build server, where nothing may be left out.
pub(crate) fn is_ci() -> bool {
    env::var_os("CI").is_some_and(|value| value == "true" || value == "1")
}
