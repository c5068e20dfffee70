//! Running the examples as a user would.

use std::path::PathBuf;
use std::process::{Command, Output};

/// A built example; Cargo builds a package's examples together with its tests.
pub(crate) fn example(name: &str) -> Command {
    let mut path = std::env::current_exe().expect("this test's own path");
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    let mut command = Command::new(path.join("examples").join(name));
    command.current_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".."));
    command
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
