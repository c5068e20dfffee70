//! Downloads that are verified, that go on where they stopped, and that only ever show complete files.
//!
//! Bytes go to `NAME.part`, with the version that the server gave them in `NAME.part.etag`; a complete file of the
//! right digest is renamed to `NAME`. `NAME.lock` is held meanwhile, so that of two processes one downloads and the
//! other finds the file; it goes when the file is there.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use iqa_core::{CoreError, Observer, Work};
use sha2::{Digest, Sha256};
use ureq::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use ureq::{Agent, Body};

use super::{CHUNK, PretrainedFile, exists, hash_rest, hex, verify};
use crate::BackboneError;

/// Attempts in a row that brought nothing new, before a download gives up.
const ATTEMPTS: u32 = 4;
/// Pause before the second attempt; it doubles with each.
const PAUSE: Duration = Duration::from_millis(500);

/// Brings `file` to `path`, whose folder is created; `timeout` is how long the network may be silent.
pub(super) fn download(
    file: &PretrainedFile,
    path: &Path,
    timeout: Duration,
    observer: &dyn Observer,
) -> Result<(), BackboneError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(at(folder))?;
    }
    let lock_path = beside(path, ".lock");
    let lock = lock(&lock_path, observer).map_err(at(&lock_path))?;
    // Another process may have brought it while this one waited.
    let done = if exists(path)? { verify(path, file) } else { fetch(file, path, timeout, observer) };
    observer.end();
    if done.is_ok() {
        // Whoever still waits for the lock, or makes a new one, finds the file.
        let _ = std::fs::remove_file(&lock_path);
    }
    drop(lock);
    done
}

/// Waits for the lock; it goes with the file that is returned.
fn lock(path: &Path, observer: &dyn Observer) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            observer.line(format_args!("another process downloads the same file: waiting for it"));
            file.lock()?;
        }
        // A file system without locks: two downloads at once then spoil each other, which the digest tells.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
        Err(TryLockError::Error(error)) => return Err(error),
    }
    Ok(file)
}

fn fetch(
    file: &PretrainedFile,
    path: &Path,
    timeout: Duration,
    observer: &dyn Observer,
) -> Result<(), BackboneError> {
    let mut part = Part::open(path)?;
    match complete(&mut part, file, &agent(file.url, timeout), observer) {
        Ok(()) => part.finish(path)?,
        Err(error) => {
            if part.length == 0 {
                part.discard()?;
            }
            return Err(error);
        }
    }
    Ok(())
}

/// Fills `part` until it has the file's digest; empties it when the server has another file.
fn complete(
    part: &mut Part,
    file: &PretrainedFile,
    agent: &Agent,
    observer: &dyn Observer,
) -> Result<(), BackboneError> {
    if part.digest().starts_with(file.sha256) {
        return Ok(());
    }
    let mut afresh = false;
    let mut furthest = part.length;
    let mut fruitless = 0;
    loop {
        match attempt(agent, file, part, observer) {
            Ok(()) => {
                let found = part.digest();
                if found.starts_with(file.sha256) {
                    return Ok(());
                }
                // Pieces may be of two versions of the file; what came in one piece is what the server has.
                let again = part.pieced && !afresh;
                part.restart(None)?;
                if !again {
                    return Err(BackboneError::DownloadDigest {
                        url: file.url,
                        expected: file.sha256,
                        found,
                    });
                }
                (afresh, furthest, fruitless) = (true, 0, 0);
            }
            Err(error) if is_passing(&error) => {
                if part.length > furthest {
                    (furthest, fruitless) = (part.length, 0);
                }
                fruitless += 1;
                if fruitless == ATTEMPTS {
                    return Err(error);
                }
                sleep(PAUSE * (1 << (fruitless - 1)));
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether the same request may succeed a little later.
fn is_passing(error: &BackboneError) -> bool {
    match error {
        BackboneError::Unreachable { .. } | BackboneError::Interrupted { .. } => true,
        BackboneError::HttpStatus { status, .. } => matches!(status, 408 | 429 | 500..),
        _ => false,
    }
}

fn agent(url: &str, timeout: Duration) -> Agent {
    let config = Agent::config_builder()
        .https_only(url.starts_with("https:"))
        .http_status_as_error(false)
        .timeout_resolve(Some(timeout))
        .timeout_connect(Some(timeout))
        .timeout_recv_response(Some(timeout))
        .timeout_per_read(Some(timeout))
        .user_agent(concat!("iqa-models/", env!("CARGO_PKG_VERSION")));
    // A proxy of the environment cannot reach this machine's own addresses.
    let config = if url.starts_with("http://127.0.0.1:") { config.proxy(None) } else { config };
    config.build().new_agent()
}

/// One request, for what is missing from `part`; on success the server has sent all of it.
fn attempt(
    agent: &Agent,
    file: &PretrainedFile,
    part: &mut Part,
    observer: &dyn Observer,
) -> Result<(), BackboneError> {
    let url = file.url;
    let mut response = request(agent, url, part)?;
    let beyond = response.status() == StatusCode::RANGE_NOT_SATISFIABLE;
    let other = response.status() == StatusCode::PARTIAL_CONTENT && !part.goes_on_with(&response);
    if part.length > 0 && (beyond || other) {
        // What is at hand is longer than the file, or of another version.
        part.restart(None)?;
        response = request(agent, url, part)?;
    }
    match response.status() {
        // A server that ignores ranges sends everything; so does one whose file has changed.
        StatusCode::OK => part.restart(version(response.headers()))?,
        StatusCode::PARTIAL_CONTENT if part.length > 0 => part.pieced = true,
        status => return Err(BackboneError::HttpStatus { url, status: status.as_u16() }),
    }
    let total = response.body().content_length().map(|rest| part.length + rest);
    observer.begin(Work { name: file.file_name, unit: "bytes", units: total, done: part.length });
    let mut body = response.into_body().into_reader();
    let mut chunk = vec![0; CHUNK];
    loop {
        match body.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(count) => {
                part.append(&chunk[..count])?;
                observer.advance(count as u64, format_args!(""));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => {
                let (path, received) = (part.path.clone(), part.length);
                return Err(BackboneError::Interrupted { url, path, received, total, source });
            }
        }
    }
}

fn request(agent: &Agent, url: &'static str, part: &Part) -> Result<Response<Body>, BackboneError> {
    let mut request = agent.get(url);
    if part.length > 0 {
        request = request.header(header::RANGE, format!("bytes={}-", part.length));
        if let Some(etag) = &part.etag {
            request = request.header(header::IF_RANGE, etag);
        }
    }
    request.call().map_err(|source| BackboneError::Unreachable { url, source: source.into() })
}

/// The entity tag of an answer, when it is a strong one: the same tag means the same bytes (RFC 9110, 8.8.3).
fn version(headers: &HeaderMap) -> Option<String> {
    let etag = headers.get(header::ETAG)?.to_str().ok()?;
    etag.starts_with('"').then(|| etag.to_owned())
}

/// The bytes that have come so far.
struct Part {
    path: PathBuf,
    file: File,
    length: u64,
    hash: Sha256,
    /// Version of the file that the bytes are of, where the server told.
    etag: Option<String>,
    /// Whether more than one answer contributed.
    pieced: bool,
}

impl Part {
    fn open(target: &Path) -> Result<Self, CoreError> {
        let path = beside(target, ".part");
        let mut hash = Sha256::new();
        let (file, length) = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .and_then(|mut file| hash_rest(&mut file, &mut hash).map(|length| (file, length)))
            .map_err(at(&path))?;
        let etag = std::fs::read_to_string(beside(&path, ".etag"))
            .ok()
            .filter(|etag| HeaderValue::from_str(etag).is_ok());
        Ok(Self { path, file, length, hash, etag, pieced: false })
    }

    /// Empties it, for bytes of the version `etag`.
    fn restart(&mut self, etag: Option<String>) -> Result<(), CoreError> {
        self.file.set_len(0).and_then(|()| self.file.rewind()).map_err(at(&self.path))?;
        let tag = beside(&self.path, ".etag");
        match &etag {
            Some(etag) => std::fs::write(&tag, etag),
            None => remove(&tag),
        }
        .map_err(at(&tag))?;
        (self.length, self.hash, self.etag, self.pieced) = (0, Sha256::new(), etag, false);
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), CoreError> {
        self.file.write_all(bytes).map_err(at(&self.path))?;
        self.hash.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Whether an answer holds the bytes after those at hand, of the same version.
    fn goes_on_with(&self, response: &Response<Body>) -> bool {
        let range = response.headers().get(header::CONTENT_RANGE).and_then(|value| value.to_str().ok());
        let same = match (&self.etag, version(response.headers())) {
            (Some(mine), Some(theirs)) => *mine == theirs,
            _ => true,
        };
        let start = format!("bytes {}-", self.length);
        same && range.is_some_and(|range| range.starts_with(&start))
    }

    fn digest(&self) -> String {
        hex(self.hash.clone())
    }

    /// Gives the complete file its name.
    fn finish(self, path: &Path) -> Result<(), CoreError> {
        self.file.sync_all().map_err(at(&self.path))?;
        let Self { path: part, file, .. } = self;
        drop(file);
        std::fs::rename(&part, path).map_err(at(path))?;
        let tag = beside(&part, ".etag");
        remove(&tag).map_err(at(&tag))
    }

    fn discard(self) -> Result<(), CoreError> {
        drop(self.file);
        remove(&self.path).map_err(at(&self.path))
    }
}

/// Removes a file that need not exist.
fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// `path` with more at its end.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> CoreError {
    let path = path.to_owned();
    move |source| CoreError::Io { path, source }
}
