//! Files of weights.

use std::error::Error;
use std::path::PathBuf;

use crate::terminal::Terminal;
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use iqa_models::backbones::BackboneError;
use iqa_models::backbones::pretrained::{PretrainedSource, TORCHVISION, pretrained_by_name};

/// Looks at files of weights, and brings published ones.
#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Fetch(Fetch),
}

/// Brings pretrained weights into the cache folder, and prints where they are.
///
/// What is there already is verified. A download that was stopped goes on where it was. Without the feature `download`,
/// and with IQA_MODELS_OFFLINE=1, it says which file to put where.
#[derive(Args)]
struct Fetch {
    /// The weights.
    #[arg(required = true, value_parser = PossibleValuesParser::new(TORCHVISION.iter().map(|file| file.name)))]
    names: Vec<String>,
    /// The folder to keep them in [default: IQA_MODELS_CACHE, or iqa-models in the platform's folder for caches].
    #[arg(long)]
    cache: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> Result<bool, Box<dyn Error>> {
    match &options.command {
        Command::Fetch(options) => Ok(options.run()),
    }
}

impl Fetch {
    /// Whether all are there.
    fn run(&self) -> bool {
        let mut source = PretrainedSource::from_env();
        if self.cache.is_some() {
            source.cache.clone_from(&self.cache);
        }
        let mut complete = true;
        for name in &self.names {
            match fetch(name, &source) {
                Ok(path) => say!("{}", path.display()),
                Err(error) => {
                    complete = false;
                    note!("error: {error}");
                }
            }
        }
        complete
    }
}

fn fetch(name: &str, source: &PretrainedSource) -> Result<PathBuf, BackboneError> {
    let file = pretrained_by_name(name)?;
    note!("{name}: {}", file.terms);
    source.locate_observed(file, &Terminal::new())
}
