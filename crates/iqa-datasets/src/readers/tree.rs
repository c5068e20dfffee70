use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::DatasetError;

/// Folders within folders that are searched.
const MAX_DEPTH: usize = 4;

/// The files under a folder, found whatever the case of their names: the published lists and the published
/// files do not agree on it.
pub(super) struct Tree {
    root: PathBuf,
    /// By lower-cased path from the root, with `/` between the parts.
    by_path: HashMap<String, PathBuf>,
    /// By lower-cased file name; the first in the order of their paths, where several have it.
    by_name: HashMap<String, PathBuf>,
}

impl Tree {
    pub(super) fn scan(root: &Path) -> Result<Self, DatasetError> {
        let mut tree = Self { root: root.into(), by_path: HashMap::new(), by_name: HashMap::new() };
        tree.add(root, "", 0)?;
        Ok(tree)
    }

    fn add(&mut self, folder: &Path, prefix: &str, depth: usize) -> Result<(), DatasetError> {
        let io = |source| DatasetError::Io { path: folder.into(), source };
        let mut entries = std::fs::read_dir(folder)
            .map_err(io)?
            .map(|entry| entry.map_err(io))
            .collect::<Result<Vec<_>, DatasetError>>()?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        let mut folders = Vec::new();
        for entry in entries {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().to_lowercase();
            let mut kind = entry.file_type().map_err(io)?;
            if kind.is_symlink() {
                // A link to nowhere is as good as no file.
                let Ok(target) = std::fs::metadata(&path) else { continue };
                kind = target.file_type();
            }
            if kind.is_dir() {
                folders.push((path, format!("{prefix}{name}/")));
            } else {
                self.by_path.entry(format!("{prefix}{name}")).or_insert_with(|| path.clone());
                self.by_name.entry(name).or_insert(path);
            }
        }
        if depth < MAX_DEPTH {
            for (path, prefix) in folders {
                self.add(&path, &prefix, depth + 1)?;
            }
        }
        Ok(())
    }

    /// The file at a path from the root, or where it should have been.
    pub(super) fn at(&self, relative: &str) -> Result<PathBuf, PathBuf> {
        self.by_path.get(&relative.to_lowercase()).cloned().ok_or_else(|| self.root.join(relative))
    }

    /// The file at a path from the root, or else of that name in any folder.
    pub(super) fn anywhere(&self, relative: &str) -> Result<PathBuf, PathBuf> {
        self.at(relative).or_else(|expected| {
            let name = relative.rsplit('/').next().unwrap_or(relative).to_lowercase();
            self.by_name.get(&name).cloned().ok_or(expected)
        })
    }

    /// Lower-cased names of all files and their paths, sorted by name.
    pub(super) fn names(&self) -> Vec<(&str, &Path)> {
        let mut names: Vec<_> =
            self.by_name.iter().map(|(name, path)| (name.as_str(), path.as_path())).collect();
        names.sort_unstable();
        names
    }

    /// The label file of a set.
    pub(super) fn labels(&self, relative: &str, expected: &'static str) -> Result<PathBuf, DatasetError> {
        self.at(relative).map_err(|_| self.no_labels(expected))
    }

    /// That the label file of a set is not there.
    pub(super) fn no_labels(&self, expected: &'static str) -> DatasetError {
        DatasetError::NoLabels { folder: self.root.clone(), expected }
    }
}
