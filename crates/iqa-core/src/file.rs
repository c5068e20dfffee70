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

/// Symbolic links that are followed one after another, as many as Linux follows.
const MOST_LINKS: usize = 40;

/// Writes `bytes` to `path` through a temporary file in the same folder and a rename: after a crash the file
/// holds either the old content or the new, never a part. Behind a symbolic link what it leads to is written, there or not
/// ([`output_target`]); the link stays.
///
/// A process that is killed meanwhile leaves its temporary file, `.tmp-iqa-` and six characters. The first call of a
/// process for a folder removes those that no process is writing any more.
///
/// # Errors
/// [`CoreError::Io`] naming `path`, as [`output_target`] too.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), CoreError> {
    let at = |source| CoreError::Io { path: path.into(), source };
    let target = output_target(path)?;
    let folder = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    clean_once(folder);
    let mut file = temporary(folder).map_err(at)?;
    file.write_all(bytes).map_err(at)?;
    file.as_file().sync_all().map_err(at)?;
    file.persist(&target).map_err(|error| at(error.error))?;
    Ok(())
}

/// Where the content of an output file goes: what symbolic links lead to, whether or not that is there.
///
/// # Errors
/// [`CoreError::Io`] naming `path` for what is there and is no file (a folder, a device, a pipe), and for links without end.
pub fn output_target(path: &Path) -> Result<PathBuf, CoreError> {
    let no = |reason: &str| CoreError::Io { path: path.into(), source: std::io::Error::other(reason) };
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(no("not a file"));
    }
    let mut target = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        let Ok(next) = std::fs::read_link(&target) else { return Ok(target) };
        target = target.parent().unwrap_or(Path::new("")).join(next);
    }
    Err(no("too many symbolic links"))
}

/// What tells one file or folder from another: two paths that lead to one, over links of either kind, have equal ones.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(Inode);

#[cfg(unix)]
type Inode = (u64, u64);
#[cfg(not(unix))]
type Inode = PathBuf;

impl FileId {
    /// That of what a path leads to, which is not opened: it may be a pipe. `None` where there is nothing.
    pub fn of(path: &Path) -> Option<Self> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            path.metadata().ok().map(|found| Self((found.dev(), found.ino())))
        }
        #[cfg(not(unix))]
        {
            path.canonicalize().ok().map(Self)
        }
    }
}

/// Whether two paths lead to one file or folder, over links of either kind.
pub fn is_same_file(a: &Path, b: &Path) -> bool {
    a == b || matches!((FileId::of(a), FileId::of(b)), (Some(a), Some(b)) if a == b)
}

/// Makes a folder, and those above it, where there is none.
///
/// # Errors
/// [`CoreError::NotAFolder`] naming the file that lies there, or above; [`CoreError::Io`] naming the folder.
pub fn create_folder(path: &Path) -> Result<(), CoreError> {
    std::fs::create_dir_all(path).map_err(|source| match path.ancestors().find(|part| part.is_file()) {
        Some(file) => CoreError::NotAFolder { path: path.into(), file: file.into() },
        None => CoreError::Io { path: path.into(), source },
    })
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

    #[cfg(unix)]
    #[test]
    fn what_a_link_leads_to_is_written_and_nothing_but_a_file() {
        use std::os::unix::fs::symlink;

        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("deep")).expect("makes it");
        for (target, link) in
            [("deep/out.bin", "first"), ("first", "second"), ("none/out.bin", "lost"), ("b", "a"), ("a", "b")]
        {
            symlink(target, at(link)).expect("links");
        }
        for content in [b"one", b"two"] {
            write_atomically(&at("second"), content).expect("writes");
            assert_eq!(std::fs::read(at("deep/out.bin")).expect("reads"), content);
        }
        assert!(at("first").is_symlink() && at("second").is_symlink());
        assert_eq!(names(&at("deep")), ["out.bin"]);
        for (path, reason) in
            [("lost", "lost: "), ("a", "a: too many symbolic links"), ("deep", "deep: not a file")]
        {
            let message = write_atomically(&at(path), b"").expect_err("no place").to_string();
            assert!(message.contains(reason), "{message}");
        }
        let message = write_atomically("/dev/null".as_ref(), b"").expect_err("a device").to_string();
        assert_eq!(message, "/dev/null: not a file");
    }

    #[cfg(unix)]
    #[test]
    fn one_file_is_known_by_all_its_names() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("a"), "same").expect("writes");
        std::fs::write(at("other"), "same").expect("writes");
        std::fs::hard_link(at("a"), at("hard")).expect("links");
        std::os::unix::fs::symlink("a", at("soft")).expect("links");
        for name in ["a", "hard", "soft"] {
            assert!(is_same_file(&at("a"), &at(name)) && !is_same_file(&at("other"), &at(name)), "{name}");
        }
        assert!(!is_same_file(&at("none"), &at("nothing")) && FileId::of(&at("none")).is_none());
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
