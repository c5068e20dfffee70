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

use crate::output::print;
use catalogue::{Entry, Ours, entries};
use clap::{Args, Subcommand};
use iqa_models::{device_by_name, model_by_name};
use results::State;

/// Shows and repeats the papers' tables and figures
///
/// How to get their numbers; evaluates what the data at hand allow, and sets ours beside the published ones.
#[derive(Args)]
#[command(after_help = "Examples:\n  iqa reproduce list\n  iqa reproduce run bosse-4 --data data")]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
    /// Folder that reports are written to and read from.
    #[arg(long, global = true, default_value = "docs/reproducing")]
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
        #[arg(long, default_value = "flex")]
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
                say!("{:<20} {state:<17} {}{}", entry.id, entry.what, awaited(entry));
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

/// Models that an entry asks for and this build lacks.
fn awaited(entry: &Entry) -> String {
    let mut names: Vec<&str> = entry
        .rows
        .iter()
        .filter_map(|row| match &row.ours {
            Ours::Evaluation(evaluation) | Ours::Training(_, evaluation) => Some(evaluation.model.as_str()),
            Ours::Nothing(_) => None,
        })
        .filter(|name| model_by_name(name).is_err())
        .collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() { String::new() } else { format!(" (this build has no {})", names.join(", ")) }
}
