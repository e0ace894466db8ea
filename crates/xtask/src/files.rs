//! Small file work: listing by ending, writing only what changed.

use crate::failure::{During, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Every file under a folder with one of these endings, sorted; none if the folder is missing.
pub(crate) fn under(folder: &Path, endings: &[&str]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        if !folder.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&folder).during(folder.display())? {
            let path = entry.during(folder.display())?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| endings.iter().any(|known| e == *known)) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

pub(crate) fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).during(path.display())
}

/// Writes only when the content differs, so that no build starts over for an equal file.
pub(crate) fn write(path: &Path, content: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|present| present == content) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).during(folder.display())?;
    }
    fs::write(path, content).during(path.display())
}

/// Copies only when the content differs.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    write(to, &fs::read(from).during(from.display())?)
}
