//! A folder of the real file system.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, OFlags, flock};

use crate::effects::{Disk, DiskError, DiskFile, DiskLock};
use crate::error::{FolderError, OpenError};

/// A link in the place of a file would have another file overwritten, whoever put it there.
const NO_LINK: i32 = OFlags::NOFOLLOW.bits().cast_signed();

/// A folder on disk, created with the right of its owner only.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The folder at a path; it is created if it is not there.
    ///
    /// # Errors
    /// The path is there and is no folder, the folder cannot be created, or it is in an app group.
    pub fn at(path: impl AsRef<Path>) -> Result<Self, FolderError> {
        let folder = path.as_ref();
        Self::open(folder).map_err(|cause| FolderError { folder: folder.to_owned(), cause })
    }

    fn open(path: &Path) -> Result<Self, OpenError> {
        if path.as_os_str().is_empty() {
            return Err(OpenError::NotAFolder);
        }
        if is_in_app_group(path) {
            return Err(OpenError::InAppGroup);
        }
        if !path.is_dir() {
            let created = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
            created.map_err(|error| match reason(&error) {
                DiskError::AlreadyExists => OpenError::NotAFolder,
                other => OpenError::from(other),
            })?;
        }
        Ok(Self { path: path.to_owned() })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Where iOS keeps the folders that several apps share: `…/Containers/Shared/AppGroup/…`.
fn is_in_app_group(path: &Path) -> bool {
    let real = fs::canonicalize(path);
    let names: Vec<_> = real.as_deref().unwrap_or(path).iter().collect();
    names.windows(3).any(|names| names == ["Containers", "Shared", "AppGroup"])
}

fn reason(error: &io::Error) -> DiskError {
    match error.kind() {
        io::ErrorKind::NotFound => DiskError::NotFound,
        io::ErrorKind::AlreadyExists => DiskError::AlreadyExists,
        io::ErrorKind::WouldBlock => DiskError::Busy,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => DiskError::ReadOnly,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => DiskError::Full,
        io::ErrorKind::NotADirectory => DiskError::NotAFolder,
        io::ErrorKind::IsADirectory => DiskError::NotAFile,
        _ => DiskError::Io,
    }
}

struct Held(#[expect(dead_code, reason = "the lock lasts as long as the file is open")] File);

impl DiskLock for Held {}

struct Opened(File);

impl DiskFile for Opened {
    fn length(&self) -> Result<u64, DiskError> {
        self.0.metadata().map(|metadata| metadata.len()).map_err(|error| reason(&error))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError> {
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.0.read_at(rest, offset + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(reason(&error)),
            }
        }
        Ok(done)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.0.write_all_at(bytes, offset).map_err(|error| reason(&error))
    }

    fn set_length(&self, length: u64) -> Result<(), DiskError> {
        self.0.set_len(length).map_err(|error| reason(&error))
    }

    fn sync(&self) -> Result<(), DiskError> {
        // On Apple's systems this is F_FULLFSYNC; elsewhere fdatasync, which writes a changed length, too.
        self.0.sync_data().map_err(|error| reason(&error))
    }
}

impl Disk for Folder {
    fn lock(&self) -> Result<Box<dyn DiskLock>, DiskError> {
        let mut file = OpenOptions::new();
        let file = file.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = file.custom_flags(NO_LINK).open(self.path.join("lock"));
        let file = file.map_err(|error| reason(&error))?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|error| reason(&error.into()))?;
        Ok(Box::new(Held(file)))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, DiskError> {
        let entries = match fs::read_dir(self.path.join(folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(reason(&error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            names.push(entry.map_err(|error| reason(&error))?.file_name().to_string_lossy().into_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn open(&self, name: &str) -> Result<Arc<dyn DiskFile>, DiskError> {
        let file = OpenOptions::new().read(true).write(true).custom_flags(NO_LINK).open(self.path.join(name));
        Ok(Arc::new(Opened(file.map_err(|error| reason(&error))?)))
    }

    fn create(&self, name: &str) -> Result<Arc<dyn DiskFile>, DiskError> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).mode(0o600).open(self.path.join(name));
        Ok(Arc::new(Opened(file.map_err(|error| reason(&error))?)))
    }

    fn create_folder(&self, name: &str) -> Result<(), DiskError> {
        match fs::DirBuilder::new().mode(0o700).create(self.path.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other.map_err(|error| reason(&error)),
        }
    }

    fn sync_folder(&self, name: &str) -> Result<(), DiskError> {
        let folder = if name.is_empty() { self.path.clone() } else { self.path.join(name) };
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| reason(&error))
    }

    fn remove(&self, name: &str) -> Result<(), DiskError> {
        fs::remove_file(self.path.join(name)).map_err(|error| reason(&error))
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        fs::rename(self.path.join(from), self.path.join(to)).map_err(|error| reason(&error))
    }
}
