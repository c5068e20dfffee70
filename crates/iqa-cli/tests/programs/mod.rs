//! Running the program as a user would.

use std::path::PathBuf;
use std::process::{Command, Output};

/// The program with a command, from the top of the workspace.
pub(crate) fn iqa(command: &str) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_iqa"));
    program.arg(command).current_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../.."));
    program
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
