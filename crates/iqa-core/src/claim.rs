//! The folders that runs write into: one run at a time, and over nothing that they have not made.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::{CoreError, RecordForm, ResultsFile, create_folder, read_records};

/// The list of what runs have made in a folder; locked while one writes there.
const LIST: &str = ".iqa-models";
const HEADER: &str = "# files that iqa-models made in this folder, and what made them\n";

/// A folder that belongs to one run as long as this lives, and the files in it that are ours.
///
/// A hidden file in the folder, `.iqa-models`, lists the files that runs have made there. A file that is not in the list
/// is refused before anything is written, and so is one that another program of ours made, or the same of another input.
/// The operating system holds the lock, on the list: it ends with the process, however that ends.
///
/// ```
/// use iqa_core::{CoreError, FolderClaim};
/// # let parent = tempfile::tempdir()?;
/// # let folder = parent.path();
/// std::fs::write(folder.join("notes.md"), "mine")?;
/// let foreign = FolderClaim::new(folder, "report", &["notes.md"]).unwrap_err();
/// assert!(matches!(foreign, CoreError::ForeignFile { .. }));
/// let claim = FolderClaim::new(folder, "report", &["report.md"])?;
/// std::fs::write(folder.join("report.md"), "ours")?;
/// drop(claim);
/// FolderClaim::new(folder, "report", &["report.md"])?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FolderClaim {
    folder: PathBuf,
    list: ResultsFile,
    made: Made,
    /// Folders that were made for it, the deepest first; `None` where runs had been in the folder before.
    new: Option<Vec<PathBuf>>,
}

/// What made each file: by its name as the list has it.
type Made = BTreeMap<String, String>;

impl FolderClaim {
    /// Makes the folder where there is none, keeps other runs out of it, and enters `files`, names in it, as made by
    /// `program`. A folder among them is one file: what is in it is not looked at, unless there is nothing in it.
    ///
    /// # Errors
    /// [`CoreError::ForeignFile`], [`CoreError::OtherMaker`] for one of the files that is there and was not made by the
    /// same; [`CoreError::FolderInUse`] while another run has the folder; [`CoreError::NotResults`] for a list that is none;
    /// [`CoreError::Io`]. The folder is then as it was.
    pub fn new(folder: &Path, program: &str, files: &[&str]) -> Result<Self, CoreError> {
        Self::adopting(folder, program, files, || false)
    }

    /// As [`Self::new`]; `ours` says, of a folder without a list, whether it holds what only an earlier version can have
    /// made: all of `files` are then taken for ours.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn adopting(
        folder: &Path,
        program: &str,
        files: &[&str],
        ours: impl FnOnce() -> bool,
    ) -> Result<Self, CoreError> {
        let files: Vec<(&OsStr, &str)> = files.iter().map(|name| (OsStr::new(name), program)).collect();
        Self::open(folder, &files, ours)
    }

    /// As [`Self::new`], with a maker for each file: a program, or a program, a space, and what tells one of its inputs
    /// from another.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn of_inputs(folder: &Path, files: &[(impl AsRef<OsStr>, String)]) -> Result<Self, CoreError> {
        let files: Vec<(&OsStr, &str)> =
            files.iter().map(|(name, maker)| (name.as_ref(), maker.as_str())).collect();
        Self::open(folder, &files, || false)
    }

    fn open(folder: &Path, files: &[(&OsStr, &str)], ours: impl FnOnce() -> bool) -> Result<Self, CoreError> {
        let path = folder.join(LIST);
        // First without a trace; then again, under the lock.
        let mut made = Made::new();
        let listed = path.exists();
        if listed {
            read_records(&path, RecordForm::Lines, |line, record| enter(&mut made, &path, line, record))?;
        }
        let ours = !listed && ours();
        // What another run made since is in its list: then the lock tells.
        if let (false, Err(foreign)) = (ours, check(folder, &made, files))
            && !path.exists()
        {
            return Err(foreign);
        }
        let new_folders =
            folder.ancestors().take_while(|part| !part.as_os_str().is_empty() && !part.exists());
        let new = (!listed).then(|| new_folders.map(Path::to_path_buf).collect());
        create_folder(folder)?;
        let mut made = Made::new();
        let list = ResultsFile::open(
            &path,
            RecordForm::Lines,
            HEADER.as_bytes(),
            |_| false,
            |line, record| enter(&mut made, &path, line, record),
        );
        let list = list.map_err(|error| match error {
            CoreError::InUse { .. } => CoreError::FolderInUse { path: folder.into() },
            other => other,
        })?;
        let mut claim = Self { folder: folder.into(), list, made, new };
        if !ours {
            check(folder, &claim.made, files)?;
        }
        claim.record(files)?;
        Ok(claim)
    }

    /// Enters one more file, as [`Self::new`] does.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn add(&mut self, program: &str, file: &str) -> Result<(), CoreError> {
        let files = [(OsStr::new(file), program)];
        check(&self.folder, &self.made, &files)?;
        self.record(&files)
    }

    /// Leaves the folder as it was before a first run in it: of one that has made nothing yet. Does nothing where there had been
    /// a run before.
    pub fn withdraw(self) {
        let Self { folder, list, new, .. } = self;
        let Some(folders) = new else { return };
        // Under its lock; as far as it can, since this follows an error that is told.
        let _ = std::fs::remove_file(folder.join(LIST));
        drop(list);
        for folder in folders {
            let _ = std::fs::remove_dir(folder);
        }
    }

    fn record(&mut self, files: &[(&OsStr, &str)]) -> Result<(), CoreError> {
        let mut new = false;
        for (name, maker) in files {
            let name = escaped(name);
            if self.made.get(&name).is_none_or(|found| found != maker) {
                self.list.append(format!("{name}\t{maker}\n").as_bytes())?;
                self.made.insert(name, (*maker).to_owned());
                new = true;
            }
        }
        // Before the files: after a power cut there is none without its entry.
        if new { self.list.sync() } else { Ok(()) }
    }
}

/// That each of the files is ours or not there.
fn check(folder: &Path, made: &Made, files: &[(&OsStr, &str)]) -> Result<(), CoreError> {
    for (name, maker) in files {
        let path = folder.join(name);
        // A link that leads nowhere is there too.
        let Ok(found) = std::fs::symlink_metadata(&path) else { continue };
        if found.is_dir() && std::fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_none()) {
            continue;
        }
        match made.get(&escaped(name)) {
            None => return Err(CoreError::ForeignFile { path }),
            Some(other) if other != maker => {
                let program = |maker: &str| maker.split(' ').next().unwrap_or_default().to_owned();
                let same = program(other) == program(maker);
                return Err(CoreError::OtherMaker { path, maker: program(other), same });
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Takes a record of the list.
fn enter(made: &mut Made, path: &Path, line: usize, record: &[u8]) -> Result<(), CoreError> {
    let text = String::from_utf8_lossy(record);
    if line == 1 && text == HEADER.trim_end() {
        return Ok(());
    }
    match text.split_once('\t') {
        Some((name, maker)) if line > 1 => {
            made.insert(name.to_owned(), maker.to_owned());
            Ok(())
        }
        _ => Err(CoreError::not_results(path, line, "a list of files that iqa-models made", &text)),
    }
}

/// A name by its bytes, in printable ASCII: whatever is not is `%` and two hexadecimal digits.
fn escaped(name: &OsStr) -> String {
    let escape = |&byte: &u8| match byte {
        b'%' => "%25".to_owned(),
        b' '..=b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    name.as_encoded_bytes().iter().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use iqa_testkit::names_in as names;

    use super::*;

    #[test]
    fn a_folder_has_one_owner_until_it_lets_go() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = parent.path().join("a").join("b");
        let first = FolderClaim::new(&folder, "one", &["x"]).expect("free");
        let error = FolderClaim::new(&folder, "one", &["x"]).expect_err("taken");
        assert!(matches!(&error, CoreError::FolderInUse { path } if *path == folder), "{error}");
        drop(first);
        FolderClaim::new(&folder, "one", &["x"]).expect("free again");
    }

    #[test]
    fn a_claim_that_is_withdrawn_leaves_the_folder_as_it_was() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = parent.path().join("a").join("b");
        FolderClaim::new(&folder, "one", &["x"]).expect("free").withdraw();
        assert!(names(parent.path()).is_empty());
        std::fs::create_dir_all(&folder).expect("makes it");
        std::fs::write(folder.join("notes"), "mine").expect("writes");
        FolderClaim::new(&folder, "one", &["x"]).expect("free").withdraw();
        assert_eq!(names(&folder), ["notes"]);
        // What an earlier run has made stays its own.
        drop(FolderClaim::new(&folder, "one", &["x"]).expect("free"));
        FolderClaim::new(&folder, "one", &["x"]).expect("free").withdraw();
        assert_eq!(names(&folder), [LIST, "notes"]);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let parent = tempfile::tempdir().expect("a folder");
        let file = parent.path().join("file");
        std::fs::write(&file, "").expect("writes");
        let message = FolderClaim::new(&file.join("run"), "one", &[]).expect_err("under a file").to_string();
        assert!(message.starts_with(&file.join("run").display().to_string()), "{message}");
    }

    #[test]
    fn a_foreign_file_is_named_and_nothing_is_left() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("report.md"), "notes").expect("writes");
        std::fs::create_dir_all(at("images/deep")).expect("makes it");
        for files in [&["new.md", "report.md"][..], &["images"]] {
            let error = FolderClaim::new(folder.path(), "one", files).expect_err("foreign");
            let expected = at(files[files.len() - 1]);
            assert!(matches!(&error, CoreError::ForeignFile { path } if *path == expected), "{error}");
        }
        assert_eq!(names(folder.path()), ["images", "report.md"]);
        // Other files of the folder are nobody's business; an empty folder is as good as none.
        std::fs::remove_dir(at("images/deep")).expect("removes");
        let mut claim = FolderClaim::new(folder.path(), "one", &["images", "other.md"]).expect("free names");
        assert!(matches!(claim.add("one", "report.md"), Err(CoreError::ForeignFile { .. })));
        claim.add("one", "more.md").expect("free");
        drop(claim);
        for name in ["images/x.png", "other.md", "more.md"] {
            std::fs::write(at(name), "ours").expect("writes");
        }
        FolderClaim::new(folder.path(), "one", &["images", "other.md", "more.md"]).expect("ours");
        let error = FolderClaim::new(folder.path(), "two", &["other.md"]).expect_err("of another program");
        assert!(
            error.to_string().contains("other.md: would be overwritten, and was made by `one`"),
            "{error}"
        );
        // What an earlier version left is taken as a whole; once there is a list, it alone counts.
        let error = FolderClaim::adopting(folder.path(), "one", &["report.md"], || true).expect_err("listed");
        assert!(matches!(error, CoreError::ForeignFile { .. }), "{error}");
        std::fs::remove_file(at(LIST)).expect("removes");
        FolderClaim::adopting(folder.path(), "one", &["report.md"], || true).expect("adopted");
        FolderClaim::new(folder.path(), "one", &["report.md"]).expect("ours now");
    }

    #[cfg(unix)]
    #[test]
    fn inputs_are_told_apart_whatever_the_names_are() {
        use std::os::unix::ffi::OsStrExt;

        let folder = tempfile::tempdir().expect("a folder");
        let names: [&[u8]; 4] = [b"a\tb\n.png", b"\xff.png", b"\xfe.png", b"100%25.png"];
        let files = |input: &str| -> Vec<(&OsStr, String)> {
            names.iter().map(|name| (OsStr::from_bytes(name), format!("draw {input}"))).collect()
        };
        for name in names {
            FolderClaim::of_inputs(folder.path(), &files("first")).expect("ours");
            std::fs::write(folder.path().join(OsStr::from_bytes(name)), "").expect("writes");
        }
        let error = FolderClaim::of_inputs(folder.path(), &files("second")).expect_err("another input");
        assert!(matches!(error, CoreError::OtherMaker { same: true, .. }), "{error}");
        for name in names {
            std::fs::remove_file(folder.path().join(OsStr::from_bytes(name))).expect("removes");
        }
        FolderClaim::of_inputs(folder.path(), &files("second")).expect("nothing is there");
    }

    #[test]
    fn a_list_cut_anywhere_or_of_another_program_overwrites_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let list = folder.path().join(LIST);
        FolderClaim::new(folder.path(), "one", &["a.md", "b.md"]).expect("free");
        std::fs::write(folder.path().join("b.md"), "ours").expect("writes");
        let whole = std::fs::read(&list).expect("reads");
        for length in 0..whole.len() {
            std::fs::write(&list, &whole[..length]).expect("writes");
            let error = FolderClaim::new(folder.path(), "one", &["a.md", "b.md"]).expect_err("not known");
            assert!(matches!(error, CoreError::ForeignFile { .. }), "cut at {length}: {error}");
        }
        std::fs::write(&list, "something else\n").expect("writes");
        let error = FolderClaim::new(folder.path(), "one", &["c.md"]).expect_err("no list").to_string();
        assert!(error.contains(".iqa-models, line 1: expected a list of files"), "{error}");
        assert_eq!(std::fs::read_to_string(&list).expect("reads"), "something else\n");
    }
}
