//! The program `iqa`: how good does an image look to a person?
//!
//! Each command is a module of its name, whose `run` says whether all of the work could be done.

#[macro_use]
mod output;
mod evaluate;
mod evaluation;
mod hallucinate;
mod options;
mod reproduce;
mod score;
mod sets;
mod synthesize;
mod train;
mod weights;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use output::finish;

/// How good does an image look to a person?
///
/// Exit status: 0 when all was done, 1 when a part could not be (an image that cannot be read, say; the rest was done), 2
/// when nothing or not the whole was. Results go to standard output, progress and errors to standard error.
#[derive(Parser)]
#[command(name = "iqa", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Score(score::Options),
    Evaluate(evaluate::Options),
    Train(Box<train::Options>),
    Synthesize(synthesize::Options),
    Reproduce(reproduce::Options),
    Hallucinate(hallucinate::Options),
    Weights(weights::Options),
}

fn main() -> ExitCode {
    let matches = Cli::command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let done = match &cli.command {
        Command::Score(options) => score::run(options),
        Command::Evaluate(options) => evaluate::run(options),
        Command::Train(options) => {
            let matches = matches.subcommand_matches("train").unwrap_or(&matches);
            train::run(options, matches).map(|()| true)
        }
        Command::Synthesize(options) => synthesize::run(options).map(|()| true),
        Command::Reproduce(options) => reproduce::run(options).map(|()| true),
        Command::Hallucinate(options) => hallucinate::run(options),
        Command::Weights(options) => weights::run(options),
    };
    if let Some(path) = iqa_models::core::ignored_profile() {
        note!(
            "warning: {}: its colour profile is not that of sRGB and was ignored (no further files are named)",
            path.display()
        );
    }
    finish(done)
}
