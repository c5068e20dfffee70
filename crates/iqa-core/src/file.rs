//! Writing files so that a reader never meets half of one.

use std::io::Write;
use std::path::Path;

use crate::CoreError;

/// Writes `bytes` to `path` through a temporary file in the same folder and a rename: after a crash the file
/// holds either the old content or the new, never a part.
///
/// # Errors
/// [`CoreError::Io`] naming `path`.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), CoreError> {
    let at = |source| CoreError::Io { path: path.into(), source };
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".tmp-");
    #[cfg(unix)]
    {
        // A temporary file is private by default; the final one gets the ordinary mode, less the umask.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder).map_err(at)?;
    file.write_all(bytes).map_err(at)?;
    file.as_file().sync_all().map_err(at)?;
    file.persist(path).map_err(|error| at(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_a_file_and_leaves_no_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out.bin");
        write_atomically(&path, b"one").expect("writes");
        write_atomically(&path, b"two").expect("overwrites");
        assert_eq!(std::fs::read(&path).expect("reads"), b"two");
        assert_eq!(std::fs::read_dir(folder.path()).expect("lists").count(), 1);
    }

    #[test]
    fn a_missing_folder_is_an_error_that_names_the_file() {
        let message = write_atomically(Path::new("no/such/folder/x.bin"), b"")
            .expect_err("cannot write there")
            .to_string();
        assert!(message.contains("no/such/folder/x.bin"), "{message}");
    }
}
