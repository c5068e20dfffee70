//! Brings pretrained weights into the cache folder, and prints where they are.
//!
//! ```text
//! cargo run --release -p iqa-examples --features download --example fetch_weights -- vgg16.tv_in1k resnet50.tv_in1k
//! ```

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use clap::builder::PossibleValuesParser;
use iqa_examples::output::finish;
use iqa_examples::{Terminal, note, say};
use iqa_models::backbones::BackboneError;
use iqa_models::backbones::pretrained::{PretrainedSource, TORCHVISION, pretrained_by_name};

/// Brings pretrained weights into the cache folder, and prints where they are.
///
/// What is there already is verified. A download that was stopped goes on where it was. Without the feature `download`,
/// and with IQA_MODELS_OFFLINE=1, it says which file to put where.
#[derive(Parser)]
struct Options {
    /// The weights.
    #[arg(required = true, value_parser = PossibleValuesParser::new(TORCHVISION.iter().map(|file| file.name)))]
    names: Vec<String>,
    /// The folder to keep them in [default: IQA_MODELS_CACHE, or iqa-models in the platform's folder for caches].
    #[arg(long)]
    cache: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let mut source = PretrainedSource::from_env();
    if options.cache.is_some() {
        source.cache = options.cache;
    }
    let mut complete = true;
    for name in &options.names {
        match fetch(name, &source) {
            Ok(path) => say!("{}", path.display()),
            Err(error) => {
                complete = false;
                note!("error: {error}");
            }
        }
    }
    finish(Ok(if complete { ExitCode::SUCCESS } else { ExitCode::from(1) }), 1)
}

fn fetch(name: &str, source: &PretrainedSource) -> Result<PathBuf, BackboneError> {
    let file = pretrained_by_name(name)?;
    note!("{name}: {}", file.terms);
    source.locate_observed(file, &Terminal::new())
}
