//! Files that a list names.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// Finds files by the names that a list gives them, which may be in another case than on disk.
pub(super) struct Names {
    root: PathBuf,
    /// What lies in the folders that were looked through, by names in lower case; `None` where several have one.
    folders: HashMap<PathBuf, HashMap<String, Option<OsString>>>,
}

impl Names {
    /// Of files under a folder; names that are absolute stay so.
    pub(super) fn under(root: &Path) -> Self {
        Self { root: root.into(), folders: HashMap::new() }
    }

    /// The file of that name, or else the only one whose name differs by case alone; or where it should have been.
    pub(super) fn find(&mut self, name: &str) -> Result<PathBuf, PathBuf> {
        let relative = plain(name);
        let expected = self.root.join(&relative);
        if expected.is_file() {
            return Ok(expected);
        }
        let mut found = if relative.has_root() { PathBuf::new() } else { self.root.clone() };
        for part in relative.components() {
            let exact = found.join(part);
            found = match part {
                Component::Normal(name) if !exact.exists() => {
                    match self.entries(&found).get(&name.to_string_lossy().to_lowercase()) {
                        Some(Some(name)) => found.join(name),
                        _ => return Err(expected),
                    }
                }
                _ => exact,
            };
        }
        if found.is_file() { Ok(found) } else { Err(expected) }
    }

    fn entries(&mut self, folder: &Path) -> &HashMap<String, Option<OsString>> {
        self.folders.entry(folder.into()).or_insert_with(|| {
            // The empty path is the working folder.
            let listed = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            let mut entries = HashMap::new();
            for entry in std::fs::read_dir(listed).into_iter().flatten().flatten() {
                let name = entry.file_name();
                match entries.entry(name.to_string_lossy().to_lowercase()) {
                    Entry::Vacant(place) => {
                        place.insert(Some(name));
                    }
                    Entry::Occupied(mut place) => {
                        place.insert(None);
                    }
                }
            }
            entries
        })
    }
}

/// A path without `.` and, where a name stands before it, without `..`: one spelling for each image.
pub(super) fn plain(path: &str) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in Path::new(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(plain.components().next_back(), Some(Component::Normal(_))) => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}
