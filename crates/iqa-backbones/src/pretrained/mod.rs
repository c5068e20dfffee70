//! Pretrained weights: which files there are, and where a program finds them.
//!
//! [`PretrainedSource::locate`] looks where the caller says (a file, or a folder that holds the file under its
//! published name); or else in the cache folder; or else, in a build with the feature `download` and not offline,
//! it brings the file into the cache folder. When none of these has it, the error says which file to put where:
//! a network that was to be pretrained never starts from random weights.
//!
//! PyTorch keeps the same files, under the same names, in `~/.cache/torch/hub/checkpoints`: that folder serves as
//! [`PretrainedSource::path`].

use std::env;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use etcetera::BaseStrategy;
use iqa_core::{CoreError, Observer, Silent};
use sha2::{Digest, Sha256};

use crate::{Architecture, BackboneError, MissingReason};

#[cfg(feature = "http")]
mod download;

/// Environment variable: the cache folder, instead of `iqa-models` in the platform's.
pub const CACHE_VARIABLE: &str = "IQA_MODELS_CACHE";
/// Environment variable: no downloads, unless it is empty or `0`.
pub const OFFLINE_VARIABLE: &str = "IQA_MODELS_OFFLINE";

/// How long the network may be silent.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes read or received at a time.
const CHUNK: usize = 1 << 16;

/// A published file of pretrained weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PretrainedFile {
    /// Architecture and origin, as timm writes them.
    pub name: &'static str,
    /// The file's name where it is published, in the cache and in a folder.
    pub file_name: &'static str,
    /// Where it is published.
    pub url: &'static str,
    /// The first hex digits of the file's SHA-256, lower case; torchvision publishes eight.
    pub sha256: &'static str,
    /// Licence, and what the weights were trained on.
    pub terms: &'static str,
}

/// Code and files are torchvision's; the images behind the weights have terms of their own.
const TORCHVISION_TERMS: &str =
    "torchvision (BSD 3-Clause); trained on ImageNet-1k, whose images are for research";

/// Torchvision's weights of its networks in [`Architecture::ALL`], trained on ImageNet-1k (`IMAGENET1K_V1` there).
pub static TORCHVISION: [PretrainedFile; 6] = [
    PretrainedFile {
        name: "vgg16.tv_in1k",
        file_name: "vgg16-397923af.pth",
        url: "https://download.pytorch.org/models/vgg16-397923af.pth",
        sha256: "397923af",
        terms: TORCHVISION_TERMS,
    },
    PretrainedFile {
        name: "vgg19.tv_in1k",
        file_name: "vgg19-dcbb9e9d.pth",
        url: "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
        sha256: "dcbb9e9d",
        terms: TORCHVISION_TERMS,
    },
    PretrainedFile {
        name: "resnet18.tv_in1k",
        file_name: "resnet18-f37072fd.pth",
        url: "https://download.pytorch.org/models/resnet18-f37072fd.pth",
        sha256: "f37072fd",
        terms: TORCHVISION_TERMS,
    },
    PretrainedFile {
        name: "resnet50.tv_in1k",
        file_name: "resnet50-0676ba61.pth",
        url: "https://download.pytorch.org/models/resnet50-0676ba61.pth",
        sha256: "0676ba61",
        terms: TORCHVISION_TERMS,
    },
    PretrainedFile {
        name: "inception_v3.tv_in1k",
        file_name: "inception_v3_google-0cc3c7bd.pth",
        url: "https://download.pytorch.org/models/inception_v3_google-0cc3c7bd.pth",
        sha256: "0cc3c7bd",
        terms: TORCHVISION_TERMS,
    },
    PretrainedFile {
        name: "alexnet.tv_in1k",
        file_name: "alexnet-owt-7be5be79.pth",
        url: "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        sha256: "7be5be79",
        terms: TORCHVISION_TERMS,
    },
];

impl PretrainedFile {
    /// Torchvision's weights of a network.
    ///
    /// # Errors
    /// [`BackboneError::UnknownPretrained`] for EfficientNet-Lite0, which torchvision does not have.
    pub fn torchvision(architecture: Architecture) -> Result<&'static Self, BackboneError> {
        pretrained_by_name(&format!("{architecture}.tv_in1k"))
    }
}

/// The entry of [`TORCHVISION`] with that name.
///
/// # Errors
/// [`BackboneError::UnknownPretrained`], which lists the names there are.
pub fn pretrained_by_name(name: &str) -> Result<&'static PretrainedFile, BackboneError> {
    TORCHVISION.iter().find(|file| file.name == name).ok_or_else(|| BackboneError::UnknownPretrained {
        name: name.to_owned(),
        known: TORCHVISION.iter().map(|file| file.name).collect(),
    })
}

/// Where weights may come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PretrainedSource {
    /// A weights file of any name, taken as it is, or a folder that holds the file under its published name.
    /// Nothing else is looked at then.
    pub path: Option<PathBuf>,
    /// The folder that keeps files between runs; created by the first download.
    pub cache: Option<PathBuf>,
    /// Never use the network, though the build could.
    pub offline: bool,
    /// How long a download waits for a connection, an answer or more bytes before it tries again.
    pub timeout: Duration,
}

/// What [`set_default_cache`] was given.
static DEFAULT_CACHE: OnceLock<PathBuf> = OnceLock::new();

/// Sets, once a process, the folder that [`PretrainedSource::from_env`] takes where [`CACHE_VARIABLE`] names none.
pub fn set_default_cache(folder: impl Into<PathBuf>) {
    let _ = DEFAULT_CACHE.set(folder.into());
}

impl PretrainedSource {
    /// The cache folder and the network, as the environment has them: [`CACHE_VARIABLE`], or `iqa-models` in the
    /// platform's folder for caches; [`OFFLINE_VARIABLE`].
    pub fn from_env() -> Self {
        let set = |variable| env::var_os(variable).filter(|value| !value.is_empty());
        let platform = || etcetera::base_strategy::choose_native_strategy().ok();
        Self {
            path: None,
            cache: set(CACHE_VARIABLE)
                .map(PathBuf::from)
                .or_else(|| DEFAULT_CACHE.get().cloned())
                .or_else(|| platform().map(|folders| folders.cache_dir().join("iqa-models"))),
            offline: set(OFFLINE_VARIABLE).is_some_and(|value| value != "0"),
            timeout: TIMEOUT,
        }
    }

    /// A file or folder of the caller's, and nothing else.
    pub fn from_path(path: impl Into<PathBuf>) -> Self {
        Self { path: Some(path.into()), cache: None, offline: true, timeout: TIMEOUT }
    }

    /// The weights file, which is downloaded first where that is allowed and needed.
    ///
    /// A file under its published name has the published digest; one that the caller named is taken as it is.
    ///
    /// # Errors
    /// [`BackboneError::PretrainedMissing`] says which file to put where, [`BackboneError::PretrainedDigest`] which
    /// one is damaged. A download adds [`BackboneError::Unreachable`], [`BackboneError::HttpStatus`],
    /// [`BackboneError::Interrupted`], [`BackboneError::DownloadDigest`]. [`BackboneError::NoCacheFolder`]; [`CoreError::Io`], a full disk among others.
    pub fn locate(&self, file: &PretrainedFile) -> Result<PathBuf, BackboneError> {
        self.locate_observed(file, &Silent)
    }

    /// As [`Self::locate`], with somebody who looks on at a download.
    ///
    /// # Errors
    /// As [`Self::locate`].
    pub fn locate_observed(
        &self,
        file: &PretrainedFile,
        observer: &dyn Observer,
    ) -> Result<PathBuf, BackboneError> {
        let (path, refusal) = match (&self.path, &self.cache) {
            (Some(path), _) => {
                let at = |source| CoreError::Io { path: path.clone(), source };
                if !std::fs::metadata(path).map_err(at)?.is_dir() {
                    return Ok(path.clone());
                }
                (path.join(file.file_name), Some(MissingReason::NotInFolder))
            }
            (None, Some(cache)) => (cache.join(file.file_name), self.refusal(file)),
            (None, None) => return Err(BackboneError::NoCacheFolder { variable: CACHE_VARIABLE }),
        };
        if exists(&path)? {
            verify(&path, file)?;
            return Ok(path);
        }
        if let Some(reason) = refusal {
            return Err(BackboneError::PretrainedMissing { name: file.name, url: file.url, path, reason });
        }
        #[cfg(feature = "http")]
        download::download(file, &path, self.timeout, observer)?;
        #[cfg(not(feature = "http"))]
        let _ = observer;
        Ok(path)
    }

    /// Why a file that is not at hand is not downloaded, if so.
    fn refusal(&self, file: &PretrainedFile) -> Option<MissingReason> {
        let compiled =
            cfg!(feature = "download") || (cfg!(feature = "http") && file.url.starts_with("http:"));
        if !compiled {
            return Some(MissingReason::NotCompiled);
        }
        self.offline.then_some(MissingReason::Offline)
    }
}

fn exists(path: &Path) -> Result<bool, CoreError> {
    path.try_exists().map_err(|source| CoreError::Io { path: path.into(), source })
}

/// That the file at `path` has the published digest.
fn verify(path: &Path, file: &PretrainedFile) -> Result<(), BackboneError> {
    let hash_all = || -> io::Result<Sha256> {
        let mut hash = Sha256::new();
        hash_rest(&mut File::open(path)?, &mut hash)?;
        Ok(hash)
    };
    let found = hex(hash_all().map_err(|source| CoreError::Io { path: path.into(), source })?);
    if found.starts_with(file.sha256) {
        return Ok(());
    }
    Err(BackboneError::PretrainedDigest { path: path.into(), url: file.url, expected: file.sha256, found })
}

/// Hashes what is left of a file; returns how many bytes that was.
fn hash_rest(file: &mut File, hash: &mut Sha256) -> io::Result<u64> {
    let mut chunk = vec![0; CHUNK];
    let mut length = 0;
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok(length),
            Ok(count) => {
                hash.update(&chunk[..count]);
                length += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-256 of "abc": FIPS 180-2, appendix B.1.
    const ABC: PretrainedFile = PretrainedFile {
        name: "abc",
        file_name: "abc-ba7816bf.pth",
        url: "https://example.com/abc-ba7816bf.pth",
        sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        terms: "",
    };

    fn cache(folder: &Path) -> PretrainedSource {
        PretrainedSource { path: None, cache: Some(folder.into()), offline: true, timeout: TIMEOUT }
    }

    fn folder_with(name: &str, content: &[u8]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(name), content).expect("writes");
        folder
    }

    #[test]
    fn the_table_agrees_with_itself() {
        for (architecture, file) in Architecture::ALL.into_iter().zip(&TORCHVISION) {
            assert_eq!(file.name, format!("{architecture}.tv_in1k"));
            assert_eq!(PretrainedFile::torchvision(architecture).expect("is there"), file);
            assert!(file.url.ends_with(&format!("/{}", file.file_name)), "{}", file.name);
            assert!(file.file_name.ends_with(&format!("-{}.pth", file.sha256)), "{}", file.name);
            assert!(file.file_name.starts_with(architecture.as_str()), "{}", file.name);
            assert_eq!(pretrained_by_name(file.name).expect("is there"), file);
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let message = pretrained_by_name("vgg16").expect_err("no such name").to_string();
        assert!(message.contains("`vgg16`") && message.contains("vgg16.tv_in1k"), "{message}");
    }

    #[test]
    fn a_named_file_is_taken_as_it_is_and_one_found_by_name_is_verified() {
        let own = folder_with("own.safetensors", b"anything");
        let path = own.path().join("own.safetensors");
        assert_eq!(PretrainedSource::from_path(&path).locate(&ABC).expect("a file"), path);

        let good = folder_with(ABC.file_name, b"abc");
        let path = good.path().join(ABC.file_name);
        assert_eq!(PretrainedSource::from_path(good.path()).locate(&ABC).expect("in the folder"), path);
        assert_eq!(cache(good.path()).locate(&ABC).expect("in the cache"), path);
    }

    #[test]
    fn a_damaged_file_is_refused_with_both_digests_and_left_alone() {
        let damaged = folder_with(ABC.file_name, b"abd");
        for source in [cache(damaged.path()), PretrainedSource::from_path(damaged.path())] {
            let message = source.locate(&ABC).expect_err("damaged").to_string();
            // SHA-256 of "abd", by Python's hashlib.
            let found = "a52d159f262b2c6ddb724a61840befc36eb30c88877a4030b65cbe86298449c9";
            for part in [found, ABC.sha256, ABC.file_name, ABC.url] {
                assert!(message.contains(part), "{part}: {message}");
            }
        }
        assert_eq!(std::fs::read(damaged.path().join(ABC.file_name)).expect("still there"), b"abd");
    }

    #[test]
    fn without_weights_the_error_says_which_file_to_put_where() {
        let empty = tempfile::tempdir().expect("a folder");
        let wanted = empty.path().join(ABC.file_name);
        for (source, why) in [
            (PretrainedSource::from_path(empty.path()), "that folder"),
            (cache(empty.path()), if cfg!(feature = "download") { OFFLINE_VARIABLE } else { "`download`" }),
        ] {
            let message = source.locate(&ABC).expect_err("nothing there").to_string();
            for part in [ABC.name, ABC.url, &wanted.display().to_string(), why] {
                assert!(message.contains(part), "{part}: {message}");
            }
        }
        assert_eq!(std::fs::read_dir(empty.path()).expect("lists").count(), 0);
    }

    #[test]
    fn a_path_that_does_not_exist_is_named() {
        let message =
            PretrainedSource::from_path("no/such.pth").locate(&ABC).expect_err("missing").to_string();
        assert!(message.contains("no/such.pth"), "{message}");
        let nowhere = PretrainedSource { cache: None, ..cache(Path::new("")) };
        let message = nowhere.locate(&ABC).expect_err("no folder").to_string();
        assert!(message.contains(CACHE_VARIABLE), "{message}");
    }
}
