//! What programs write to standard output and standard error, which may be closed or full.
//!
//! `println!` ends a program with a panic there, in the middle of work whose results go to files. Here the work goes on:
//! a reader that has gone, as `head` does, wants no more, and is no error; a full disk is told at the end, with the exit
//! status.

use std::error::Error;
use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

/// The first failure to write, other than a reader that has gone.
static FAILURE: Mutex<Option<io::Error>> = Mutex::new(None);

/// As `println!`, without its panic: see [`output`](crate::output).
#[macro_export]
macro_rules! say {
    ($($text:tt)*) => { $crate::output::print(format_args!("{}\n", format_args!($($text)*))) };
}

/// As `eprintln!`, without its panic.
#[macro_export]
macro_rules! note {
    ($($text:tt)*) => { $crate::output::note(format_args!($($text)*)) };
}

/// Whether the program may have been started with its standard output closed (`>&-`); told on Linux alone.
///
/// The Rust runtime opens `/dev/null` in place of a closed descriptor, for reading and writing, before `main`. A shell's
/// `> /dev/null` is for writing alone, but Python's `subprocess.DEVNULL`, libuv and `daemon` of the C library open it as the
/// runtime does, and mean it: nothing that a program can ask after its start tells these apart. So this is enough for a
/// warning, and not for an error.
pub fn may_be_closed() -> bool {
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
pub fn print(text: Arguments<'_>) {
    let mut out = io::stdout().lock();
    if let Err(error) = out.write_fmt(text).and_then(|()| out.flush())
        && error.kind() != ErrorKind::BrokenPipe
    {
        FAILURE.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }
}

/// Writes a line to standard error. One that cannot be written, to a closed pipe or a full disk, is lost.
pub fn note(text: Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// The exit status of a program, after its errors have been told: that of `result`, or `failed` for an error or for
/// output that was lost.
pub fn finish(result: Result<ExitCode, Box<dyn Error>>, failed: u8) -> ExitCode {
    let result =
        result.and_then(|code| match FAILURE.lock().unwrap_or_else(PoisonError::into_inner).take() {
            None => Ok(code),
            Some(error) => Err(format!("standard output: {error}").into()),
        });
    result.unwrap_or_else(|error| {
        note!("error: {error}");
        ExitCode::from(failed)
    })
}
