//! The program `iqa`: how good does an image look to a person?
//!
//! Each command is a module of its name, whose `run` says whether all of the work could be done.

#[macro_use]
mod output;
mod compare;
mod config;
mod evaluate;
mod hallucinate;
mod jobs;
mod models;
mod opening;
mod options;
mod preprocessing;
mod report;
mod reproduce;
mod score;
mod sets;
mod shell;
mod synthesize;
mod terminal;
mod train;
mod weights;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use iqa_models::available_devices;
use iqa_models::nn::keep_freed_memory;
use output::{Verbosity, finish};

/// Most threads that may be asked for.
const MAX_THREADS: usize = 1024;

/// How good does an image look to a person?
#[derive(Parser)]
#[command(name = "iqa", version, max_term_width = 120, after_help = STATUS)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten, next_help_heading = "Everywhere")]
    global: Global,
}

/// Below the options, so that these take a line each and the help fits a screen.
const STATUS: &str = "\
Results go to standard output; progress, summaries, warnings and errors to standard error. Exit status: 0 when all was done, 1 when a
part could not be (an image that cannot be read, say), 2 when the command failed.";

/// What every command understands.
#[derive(Args)]
struct Global {
    /// Threads that compute [default: one a core].
    #[arg(long, global = true, value_parser = options::within(1..=MAX_THREADS))]
    threads: Option<usize>,
    /// Defaults for `model`, `model_without_reference`, `device`, `threads` and `cache`, in TOML [default: IQA_CONFIG, or iqa.toml
    /// here, or iqa-models/iqa.toml in the folder for settings].
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    /// No progress, no summary, no warning: results and errors alone.
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Also say what was used: models, digests of weights, times.
    #[arg(long, short, global = true)]
    verbose: bool,
}

#[derive(Subcommand)]
enum Command {
    Score(Box<score::Options>),
    Compare(compare::Options),
    Report(report::Options),
    Evaluate(evaluate::Options),
    Models(models::Options),
    Train(Box<train::Options>),
    Synthesize(synthesize::Options),
    Reproduce(reproduce::Options),
    Hallucinate(hallucinate::Options),
    Weights(weights::Options),
    /// Lists the devices of this build
    Devices,
    Completions(shell::Completions),
    Man(shell::Man),
}

fn main() -> ExitCode {
    keep_freed_memory();
    let program = match config::apply(Cli::command()) {
        Ok(program) => program,
        Err(error) => return finish(Err(error)),
    };
    let matches = match program.clone().try_get_matches() {
        Ok(matches) => matches,
        // Help, or the version.
        Err(text) if !text.use_stderr() => {
            output::printed(text.print().and_then(|()| std::io::stdout().flush()));
            return finish(Ok(true));
        }
        Err(error) => error.exit(),
    };
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    output::set_verbosity(match &cli.global {
        Global { quiet: true, .. } => Verbosity::Quiet,
        Global { verbose: true, .. } => Verbosity::Verbose,
        _ => Verbosity::Usual,
    });
    if let Some(threads) = cli.global.threads {
        // Fails where there is a pool already: nothing has asked for one yet.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    }
    let done = match &cli.command {
        Command::Score(options) => score::run(options),
        Command::Compare(options) => compare::run(options),
        Command::Report(options) => report::run(options),
        Command::Evaluate(options) => evaluate::run(options),
        Command::Models(options) => models::run(options).map(|()| true),
        Command::Train(options) => {
            let matches = matches.subcommand_matches("train").unwrap_or(&matches);
            train::run(options, matches).map(|()| true)
        }
        Command::Synthesize(options) => synthesize::run(options).map(|()| true),
        Command::Reproduce(options) => reproduce::run(options).map(|()| true),
        Command::Hallucinate(options) => hallucinate::run(options),
        Command::Weights(options) => weights::run(options),
        Command::Devices => {
            say!("{}", available_devices().join("\n"));
            Ok(true)
        }
        Command::Completions(options) => {
            options.run(program);
            Ok(true)
        }
        Command::Man(options) => options.run(program).map(|()| true),
    };
    if let Some(path) = iqa_models::core::ignored_profile() {
        remark!(
            "warning: {}: its colour profile is not that of sRGB and was ignored (no further files are named)",
            path.display()
        );
    }
    finish(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_says_what_it_does() {
        for command in Cli::command().get_subcommands() {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for inner in command.get_subcommands() {
                assert!(inner.get_about().is_some(), "{} {}", command.get_name(), inner.get_name());
            }
        }
    }
}
