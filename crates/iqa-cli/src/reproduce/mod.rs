//! The papers' tables and figures: what gives them here, their numbers, and ours.

mod catalogue;
mod file;
mod gsn_ablation;
mod reduced_reference;
mod results;
mod run;
mod text;

use std::error::Error;
use std::path::PathBuf;

use crate::options::Known;
use crate::output::print;
use catalogue::{Entry, entries};
use clap::{Args, Subcommand};
use iqa_models::device_by_name;
use results::State;

/// Where reports are.
const RESULTS: &str = "docs/reproducing";

/// Shows and repeats the papers' tables and figures
///
/// How to get their numbers; evaluates what the data at hand allow, and sets ours beside the published ones.
#[derive(Args)]
#[command(after_help = "Examples:\n  iqa reproduce list\n  iqa reproduce run bosse-4 --data data")]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
    /// Folder that reports are written to and read from.
    #[arg(long, global = true, default_value = RESULTS)]
    results: PathBuf,
}

#[derive(Subcommand)]
enum Command {
    /// Lists the entries with their state.
    List,
    /// Shows an entry: data, commands, published numbers and ours.
    Show {
        /// As `list` prints it.
        id: String,
    },
    /// Evaluates what the data and weights at hand allow.
    Run {
        /// As `list` prints it.
        id: String,
        /// Folder with a folder for each set, and `weights`.
        #[arg(long)]
        data: PathBuf,
        /// Where to compute.
        #[arg(long, default_value = "flex", value_parser = Known::DEVICES, hide_possible_values = true)]
        device: String,
    },
    /// Prints docs/REPRODUCING.md.
    Markdown,
    GsnAblation(gsn_ablation::Options),
    ReducedReference(reduced_reference::Options),
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let results = &options.results;
    match &options.command {
        Command::List => {
            for entry in entries()? {
                let state = State::of(entry, results)?.name();
                say!("{:<20} {state:<17} {}", entry.id, entry.what);
            }
        }
        Command::Show { id } => print(format_args!("{}", text::entry(find(id)?, results)?)),
        Command::Run { id, data, device } => {
            let entry = find(id)?;
            run::run(entry, data, results, &device_by_name(device)?)?;
            print(format_args!("\n{}", text::entry(entry, results)?));
        }
        Command::GsnAblation(options) => gsn_ablation::run(options)?,
        Command::ReducedReference(options) => reduced_reference::run(options)?,
        Command::Markdown => print(format_args!("{}", text::document(results)?)),
    }
    Ok(())
}

fn find(id: &str) -> Result<&'static Entry, Box<dyn Error>> {
    if let Some(entry) = entries()?.find(|entry| entry.id == id) {
        return Ok(entry);
    }
    let known: Vec<&str> = entries()?.map(|entry| entry.id.as_str()).collect();
    Err(format!("unknown entry `{id}`: expected one of {}", known.join(", ")).into())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::error::ErrorKind;
    use clap::{ArgMatches, CommandFactory, FromArgMatches};
    use iqa_models::datasets::split::SplitPreset;
    use iqa_models::model_by_name;

    use super::catalogue::{Ours, entries};
    use super::text;
    use crate::Cli;
    use crate::train;

    fn parsed(command: &str) -> Result<ArgMatches, clap::Error> {
        // As a shell takes quotes off.
        Cli::command()
            .try_get_matches_from(command.replace("$seed", "1").replace('\'', "").split_whitespace())
    }

    /// The commands of `iqa reproduce show`, and those that its prose names.
    #[test]
    fn every_command_is_one_that_the_program_takes() {
        let mut trainings = 0;
        for entry in entries().expect("reads") {
            let shown = text::entry(entry, Path::new("none")).expect("shows");
            let commands: Vec<&str> =
                shown.lines().map(str::trim).filter(|line| line.starts_with("iqa ")).collect();
            for command in &commands {
                let matches = parsed(command).unwrap_or_else(|error| panic!("{command}\n{error}"));
                let Some(matches) = matches.subcommand_matches("train") else { continue };
                let options = train::Options::from_arg_matches(matches).expect("options");
                options.of_its_recipe(matches).unwrap_or_else(|error| panic!("{command}\n{error}"));
                trainings += 1;
            }
            for command in shown.split('`').filter(|part| part.starts_with("iqa ") && !part.contains('\n')) {
                if let Err(error) = parsed(command) {
                    let in_part = [
                        ErrorKind::MissingRequiredArgument,
                        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
                    ];
                    assert!(in_part.contains(&error.kind()), "{}: {command}\n{error}", entry.id);
                }
            }
        }
        assert!(trainings > 20, "{trainings}");
    }

    #[test]
    fn every_model_and_split_is_there() {
        for row in entries().expect("reads").flat_map(|entry| &entry.rows) {
            let (Ours::Evaluation(evaluation) | Ours::Training(_, evaluation)) = &row.ours else { continue };
            assert!(model_by_name(&evaluation.model).is_ok(), "{}", evaluation.model);
            if let Ours::Training(training, _) = &row.ours {
                let shares = training.split.split(',').filter(|share| share.parse::<f64>().is_ok()).count();
                assert!(training.split.parse::<SplitPreset>().is_ok() || shares == 3, "{}", training.split);
            }
        }
    }
}
