//! `iqa completions` and `iqa man`: what a shell and `man` know of the program.

use std::error::Error;

use clap::Args;
use clap_complete::Shell;

/// Prints completions for a shell
#[derive(Args)]
#[command(after_help = "Examples:
  iqa completions bash > ~/.local/share/bash-completion/completions/iqa
  iqa completions zsh > ~/.zfunc/_iqa
  iqa completions fish > ~/.config/fish/completions/iqa.fish")]
pub(crate) struct Completions {
    /// The shell.
    shell: Shell,
}

/// Prints the manual page, for `man -l`
#[derive(Args)]
#[command(after_help = "Example:\n  iqa man > iqa.1 && man -l iqa.1")]
pub(crate) struct Man {
    /// That of a command in place of the program's: `score`, or `weights convert`.
    command: Vec<String>,
}

impl Completions {
    pub(crate) fn run(&self, mut program: clap::Command) {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut program, "iqa", &mut text);
        crate::output::print(format_args!("{}", String::from_utf8_lossy(&text)));
    }
}

impl Man {
    pub(crate) fn run(&self, mut program: clap::Command) -> Result<(), Box<dyn Error>> {
        program.build();
        let mut page = &program;
        for name in &self.command {
            page = page
                .find_subcommand(name)
                .ok_or_else(|| format!("no command `{}`", self.command.join(" ")))?;
        }
        let mut text = Vec::new();
        clap_mangen::Man::new(page.clone()).render(&mut text)?;
        crate::output::print(format_args!("{}", String::from_utf8_lossy(&text)));
        Ok(())
    }
}
