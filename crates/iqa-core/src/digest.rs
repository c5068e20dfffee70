//! Digests, by which results of one input are told from those of another.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::CoreError;

/// SHA-256 as 64 hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    hexadecimal(Sha256::new_with_prefix(bytes))
}

/// SHA-256 of a file's content, as 64 hexadecimal digits. The file is read a piece at a time.
///
/// # Errors
/// [`CoreError::Io`].
pub fn sha256_of_file(path: &Path) -> Result<String, CoreError> {
    let at = |source| CoreError::Io { path: path.into(), source };
    let mut file = File::open(path).map_err(at)?;
    let mut hasher = Sha256::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        match file.read(&mut piece).map_err(at)? {
            0 => return Ok(hexadecimal(hasher)),
            length => hasher.update(&piece[..length]),
        }
    }
}

/// Hexadecimal digits of a digest in a record of results: 64 bits.
const SHORT: usize = 16;

/// The first 16 hexadecimal digits of the SHA-256 of a file's content, by which a record of results names a picture.
///
/// # Errors
/// [`CoreError::Io`].
pub fn short_sha256_of_file(path: &Path) -> Result<String, CoreError> {
    let mut digest = sha256_of_file(path)?;
    digest.truncate(SHORT);
    Ok(digest)
}

fn hexadecimal(hasher: Sha256) -> String {
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_sha_256() {
        // FIPS 180-2, appendix B.1; `sha256(bytes(200_000)).hexdigest()` of Python's hashlib.
        assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("zeros");
        std::fs::write(&path, vec![0; 200_000]).expect("writes");
        assert_eq!(sha256_of_file(&path).expect("reads"), ZEROS);
        assert_eq!(sha256(&vec![0; 200_000]), ZEROS);
        assert_eq!(short_sha256_of_file(&path).expect("reads"), ZEROS[..16]);
        assert!(sha256_of_file(folder.path()).is_err());
    }

    const ZEROS: &str = "4cbbd9be0cba685835755f827758705db5a413c5494c34262cd25946a73e7582";
}
