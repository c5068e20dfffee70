//! The folder that a run writes into.

use std::fs::{File, TryLockError};
use std::path::Path;

use iqa_core::CoreError;

use crate::TrainError;

/// Held by the run, by the operating system: the lock ends with its process.
const LOCK: &str = ".lock";

/// A folder that belongs to one run as long as this lives.
#[derive(Debug)]
pub(crate) struct Claim {
    _lock: File,
}

impl Claim {
    /// Makes the folder where there is none, and keeps other runs out of it.
    ///
    /// # Errors
    /// [`TrainError::FolderInUse`]; [`TrainError::Core`] for a folder that cannot be made or written.
    pub(crate) fn new(folder: &Path) -> Result<Self, TrainError> {
        std::fs::create_dir_all(folder).map_err(|source| CoreError::Io { path: folder.into(), source })?;
        let path = folder.join(LOCK);
        let io = |source| CoreError::Io { path: path.clone(), source };
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _lock: file }),
            Err(TryLockError::WouldBlock) => Err(TrainError::FolderInUse { path: folder.into() }),
            // A file system without locks: nothing tells one run from another there.
            Err(TryLockError::Error(error)) if error.kind() == std::io::ErrorKind::Unsupported => {
                Ok(Self { _lock: file })
            }
            Err(TryLockError::Error(source)) => Err(io(source).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_owner_until_it_lets_go() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = parent.path().join("a").join("b");
        let first = Claim::new(&folder).expect("free");
        let error = Claim::new(&folder).expect_err("taken");
        assert!(matches!(&error, TrainError::FolderInUse { path } if *path == folder), "{error}");
        drop(first);
        Claim::new(&folder).expect("free again");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let parent = tempfile::tempdir().expect("a folder");
        let file = parent.path().join("file");
        std::fs::write(&file, "").expect("writes");
        let message = Claim::new(&file.join("run")).expect_err("under a file").to_string();
        assert!(message.starts_with(&file.join("run").display().to_string()), "{message}");
    }
}
