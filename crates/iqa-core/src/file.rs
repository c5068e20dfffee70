//! Writing files so that a reader never meets half of one.

use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tempfile::NamedTempFile;

use crate::CoreError;

/// How the name of a temporary file begins; random characters follow.
const TEMPORARY: &str = ".tmp-iqa-";

/// Writes `bytes` to `path` through a temporary file in the same folder and a rename: after a crash the file
/// holds either the old content or the new, never a part.
///
/// A process that is killed meanwhile leaves its temporary file, `.tmp-iqa-` and six characters. The first call of a
/// process for a folder removes those that no process is writing any more.
///
/// # Errors
/// [`CoreError::Io`] naming `path`.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), CoreError> {
    let at = |source| CoreError::Io { path: path.into(), source };
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    clean_once(folder);
    let mut file = temporary(folder).map_err(at)?;
    file.write_all(bytes).map_err(at)?;
    file.as_file().sync_all().map_err(at)?;
    file.persist(path).map_err(|error| at(error.error))?;
    Ok(())
}

/// Makes a folder, and those above it, where there is none.
///
/// # Errors
/// [`CoreError::Io`] naming the folder.
pub fn create_folder(path: &Path) -> Result<(), CoreError> {
    std::fs::create_dir_all(path).map_err(|source| CoreError::Io { path: path.into(), source })
}

/// A temporary file that its process holds locked: one that nobody holds is what a killed process left.
fn temporary(folder: &Path) -> std::io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY);
    #[cfg(unix)]
    {
        // A temporary file is private by default; the final one gets the ordinary mode, less the umask.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    loop {
        let file = builder.tempfile_in(folder)?;
        // Another process may have taken it for a left one before it was locked. On a file system without locks
        // nothing is taken for one.
        let taken = matches!(file.as_file().try_lock(), Err(TryLockError::WouldBlock));
        if !taken && file.path().exists() {
            return Ok(file);
        }
    }
}

/// Removes what killed processes left in a folder, once in a process.
fn clean_once(folder: &Path) {
    static CLEANED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    if CLEANED.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.into()) {
        clean(folder);
    }
}

/// Removes what killed processes of the first version left in a folder: `.tmp` and six letters or digits. Many programs
/// name their temporary files so: only for a folder that is known to hold nothing but what that version made.
pub fn remove_unnamed_temporaries(folder: &Path) {
    remove_unheld(folder, |name| {
        let rest = name.strip_prefix(b".tmp");
        rest.is_some_and(|rest| rest.len() == 6 && rest.iter().all(u8::is_ascii_alphanumeric))
    });
}

fn clean(folder: &Path) {
    remove_unheld(folder, |name| name.starts_with(TEMPORARY.as_bytes()));
}

/// As far as it can: what cannot be removed does no harm but for its size.
fn remove_unheld(folder: &Path, ours: impl Fn(&[u8]) -> bool) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let ours = ours(entry.file_name().as_encoded_bytes());
        if !ours || !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        let file = File::options().read(true).write(true).open(entry.path());
        if file.as_ref().is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Takes a file for this run alone, until it is closed.
///
/// # Errors
/// [`CoreError::InUse`] while another run has it, [`CoreError::Io`].
pub fn lock(file: &File, path: &Path) -> Result<(), CoreError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(CoreError::InUse { path: path.into() }),
        // A file system without locks: nothing tells one run from another there.
        Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => Ok(()),
        Err(TryLockError::Error(source)) => Err(CoreError::Io { path: path.into(), source }),
    }
}

#[cfg(test)]
mod tests {
    use iqa_testkit::names_in as names;

    use super::*;

    #[test]
    fn replaces_a_file_and_leaves_no_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out.bin");
        write_atomically(&path, b"one").expect("writes");
        write_atomically(&path, b"two").expect("overwrites");
        assert_eq!(std::fs::read(&path).expect("reads"), b"two");
        assert_eq!(names(folder.path()), ["out.bin"]);
    }

    #[test]
    fn a_missing_folder_is_an_error_that_names_the_file() {
        let message = write_atomically(Path::new("no/such/folder/x.bin"), b"")
            .expect_err("cannot write there")
            .to_string();
        assert!(message.contains("no/such/folder/x.bin"), "{message}");
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        for name in [".tmp-iqa-abcdef", ".tmp-abcdef", "tmp-iqa-abcdef", "kept.txt"] {
            std::fs::write(at(name), b"part of a file").expect("writes");
        }
        std::fs::create_dir(at(".tmp-iqa-folder")).expect("makes it");
        // One that a living process holds; a lock belongs to the open file, not to the process.
        let held = temporary(folder.path()).expect("makes it");
        let name = held.path().file_name().expect("a name").to_string_lossy().into_owned();
        write_atomically(&at("out.bin"), b"whole").expect("writes");
        let mut expected = [".tmp-abcdef", ".tmp-iqa-folder", &name, "kept.txt", "out.bin", "tmp-iqa-abcdef"];
        expected.sort_unstable();
        assert_eq!(names(folder.path()), expected);
    }

    #[test]
    fn temporary_files_without_our_name_are_removed_on_demand_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let all = [".tmp-Abc12", ".tmpAbc12", ".tmpAbc123", ".tmpAbc1234", "tmpAbc123"];
        for name in all {
            std::fs::write(folder.path().join(name), b"part of a file").expect("writes");
        }
        write_atomically(&folder.path().join("out.bin"), b"whole").expect("writes");
        assert_eq!(names(folder.path()).len(), all.len() + 1);
        remove_unnamed_temporaries(folder.path());
        assert_eq!(names(folder.path()), [".tmp-Abc12", ".tmpAbc12", ".tmpAbc1234", "out.bin", "tmpAbc123"]);
    }

    #[test]
    fn writers_and_cleaners_at_once_lose_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let folder = folder.path();
                scope.spawn(move || {
                    for round in 0..50 {
                        clean(folder);
                        let path = folder.join(format!("{thread}.{round}"));
                        write_atomically(&path, path.as_os_str().as_encoded_bytes()).expect("writes");
                    }
                });
            }
        });
        assert_eq!(names(folder.path()).len(), 200);
    }
}
