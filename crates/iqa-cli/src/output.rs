//! What programs write to standard output and standard error, which may be closed or full.
//!
//! `println!` ends a program with a panic there, in the middle of work whose results go to files. Here the work goes on:
//! a reader that has gone, as `head` does, wants no more, and is no error; a full disk is told at the end, with the exit
//! status.

use std::error::Error;
use std::fmt::Arguments;
use std::io::{self, Cursor, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Mutex, OnceLock, PoisonError};

use iqa_models::core::write_atomically;
use iqa_models::image::{ImageFormat, RgbImage};

/// The first failure to write, other than a reader that has gone.
static FAILURE: Mutex<Option<io::Error>> = Mutex::new(None);

/// As `println!`, without its panic: see [`print()`].
macro_rules! say {
    ($($text:tt)*) => { $crate::output::print(format_args!("{}\n", format_args!($($text)*))) };
}

/// As `eprintln!`, without its panic: for errors. What `--quiet` leaves out is for `remark!`.
macro_rules! note {
    ($($text:tt)*) => { $crate::output::note(format_args!($($text)*)) };
}

/// A line on standard error that is no error: a warning, a count, how far the work is. Not with `--quiet`.
macro_rules! remark {
    ($($text:tt)*) => { $crate::output::remark(format_args!($($text)*)) };
}

/// Whether the program may have been started with its standard output closed (`>&-`); told on Linux alone.
///
/// The Rust runtime opens `/dev/null` in place of a closed descriptor, for reading and writing, before `main`. A shell's
/// `> /dev/null` is for writing alone, but Python's `subprocess.DEVNULL`, libuv and `daemon` of the C library open it as the
/// runtime does, and mean it: nothing that a program can ask after its start tells these apart. So this is enough for a
/// warning, and not for an error.
pub(crate) fn may_be_closed() -> bool {
    /// `O_ACCMODE` and `O_RDWR`, the same on all of Linux.
    const ACCESS: u32 = 0o3;
    const BOTH: u32 = 0o2;
    if !std::fs::read_link("/proc/self/fd/1").is_ok_and(|path| path == std::path::Path::new("/dev/null")) {
        return false;
    }
    let info = std::fs::read_to_string("/proc/self/fdinfo/1").unwrap_or_default();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
    flags.is_some_and(|flags| flags & ACCESS == BOTH)
}

/// Writes to standard output. What goes wrong is told by [`finish`].
pub(crate) fn print(text: Arguments<'_>) {
    let mut out = io::stdout().lock();
    printed(out.write_fmt(text).and_then(|()| out.flush()));
}

/// Keeps for [`finish`] what went wrong when something was written to standard output.
pub(crate) fn printed(written: io::Result<()>) {
    if let Err(error) = written
        && error.kind() != ErrorKind::BrokenPipe
    {
        FAILURE.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }
}

/// Writes a line to standard error. One that cannot be written, to a closed pipe or a full disk, is lost.
pub(crate) fn note(text: Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// As [`note()`], unless nothing but errors is asked for.
pub(crate) fn remark(text: Arguments<'_>) {
    if verbosity() > Verbosity::Quiet {
        note(text);
    }
}

/// Writes a picture as PNG, whole or not at all.
pub(crate) fn write_png(path: &Path, picture: &RgbImage) -> Result<(), Box<dyn Error>> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png)?;
    Ok(write_atomically(path, &bytes.into_inner())?)
}

/// How much is said on standard error besides errors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verbosity {
    /// Nothing: no progress, no summary, no warning.
    Quiet,
    #[default]
    Usual,
    /// Devices, digests of weights, times.
    Verbose,
}

static VERBOSITY: OnceLock<Verbosity> = OnceLock::new();

/// Sets it, once, at the start.
pub(crate) fn set_verbosity(verbosity: Verbosity) {
    let _ = VERBOSITY.set(verbosity);
}

pub(crate) fn verbosity() -> Verbosity {
    VERBOSITY.get().copied().unwrap_or_default()
}

/// Writes a line to standard error for those who want to know more.
pub(crate) fn detail(text: Arguments<'_>) {
    if verbosity() == Verbosity::Verbose {
        note(text);
    }
}

/// The exit status of the program, after its errors have been told. A reader of standard output that has gone wants no
/// more, and is no error.
pub(crate) fn finish(done: Result<bool, Box<dyn Error>>) -> ExitCode {
    let done = match done {
        Err(error) if error.is::<ReaderGone>() => Ok(true),
        done => done,
    };
    let failure = FAILURE.lock().unwrap_or_else(PoisonError::into_inner).take();
    let done = done.and_then(|complete| match failure {
        None => Ok(complete),
        Some(error) => Err(format!("standard output: {error}").into()),
    });
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            note!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// The reader of standard output has gone: there is nothing left to do.
#[derive(Debug)]
pub(crate) struct ReaderGone;

impl std::fmt::Display for ReaderGone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("standard output is closed")
    }
}

impl Error for ReaderGone {}
