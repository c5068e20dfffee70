//! Which pictures were scored: digests of their files.

use std::path::{Path, PathBuf};

use iqa_models::core::{sha256, short_sha256_of_file};

use crate::jobs::Job;

/// Hexadecimal digits of a digest in a record.
const DIGITS: usize = 16;

/// Digests of files' contents. Of one that is asked for again at once, as a reference is, it is not computed again.
#[derive(Default)]
pub(crate) struct Contents {
    /// The last image, and the last reference.
    last: [Option<(PathBuf, String)>; 2],
}

impl Contents {
    /// What there is to compare with later; `unknown` of a pipe, which is read once, for its picture, and of a file that cannot
    /// be read: the decoder says why.
    pub(crate) fn of(&mut self, path: &Path) -> String {
        self.kept(0, path)
    }

    /// That of a job's reference; `none` where there is none.
    pub(crate) fn of_reference(&mut self, job: &Job) -> String {
        job.reference.as_deref().map_or_else(|| "none".into(), |path| self.kept(1, path))
    }

    fn kept(&mut self, place: usize, path: &Path) -> String {
        match &self.last[place] {
            Some((last, digest)) if last == path => digest.clone(),
            _ => {
                let digest = path.is_file().then(|| short_sha256_of_file(path).ok()).flatten();
                let digest = digest.unwrap_or_else(|| "unknown".into());
                self.last[place] = Some((path.into(), digest.clone()));
                digest
            }
        }
    }
}

/// The beginning of a digest.
pub(crate) fn short(bytes: &[u8]) -> String {
    let mut digest = sha256(bytes);
    digest.truncate(DIGITS);
    digest
}

/// By its bytes: a name that is not UTF-8 has others than it is printed with.
pub(crate) fn digest_of_path(path: &Path) -> String {
    short(path.as_os_str().as_encoded_bytes())
}
