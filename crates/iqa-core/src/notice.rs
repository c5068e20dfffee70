//! What a long work says while it goes on.

use std::fmt::Arguments;
use std::io::Write;

/// Writes a line to standard error. One that cannot be written, to a closed pipe or a full disk, is lost, where
/// `eprintln!` would end the work with a panic.
pub fn notice(text: Arguments<'_>) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
