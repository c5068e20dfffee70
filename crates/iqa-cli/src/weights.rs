//! Files of weights.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;

use crate::terminal::Terminal;
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand, ValueEnum};
use iqa_models::Device;
use iqa_models::backbones::BackboneError;
use iqa_models::backbones::pretrained::{PretrainedSource, TORCHVISION, pretrained_by_name};
use iqa_models::heads::wadiqam::{WadiqamConfig, WadiqamModel, WeightLayout};
use iqa_models::heads::{Stored as _, family_of};
use iqa_models::nn::{NamedTensors, Precision, QualityModel};
use serde_json::json;

/// Looks at files of weights, converts them, brings published ones
#[derive(Args)]
#[command(after_help = "Examples:
  iqa weights inspect RUN/best.safetensors
  iqa weights convert --model wadiqam_fr published.pth --output ours.safetensors
  iqa weights fetch vgg16.tv_in1k")]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Inspect(Inspect),
    Convert(Convert),
    Fetch(Fetch),
}

/// Says what a file of weights holds: its tensors, its metadata, its digest
#[derive(Args)]
struct Inspect {
    /// Safetensors, PyTorch's `.pth`, or deepIQA's HDF5.
    file: PathBuf,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// Writes weights as safetensors of this project: published ones of DIQaM and WaDIQaM, or ours in another precision
#[derive(Args)]
struct Convert {
    /// The file to read.
    file: PathBuf,
    /// The model that the file is of; not needed for a file of ours.
    #[arg(long, value_parser = ["wadiqam_fr", "wadiqam_nr", "diqam_fr", "diqam_nr"])]
    model: Option<String>,
    /// The file to write; one that is there is not replaced.
    #[arg(long)]
    output: PathBuf,
    /// How values are stored.
    #[arg(long, value_enum, default_value_t = Stored::F32)]
    precision: Stored,
}

#[derive(Clone, Copy, ValueEnum)]
enum Stored {
    /// 32-bit floats, exact.
    F32,
    /// 16-bit floats: half the size, about three decimal digits.
    F16,
}

/// Brings pretrained weights into the cache folder, and prints where they are
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
        Command::Inspect(options) => options.run().map(|()| true),
        Command::Convert(options) => options.run().map(|()| true),
        Command::Fetch(options) => Ok(options.run()),
    }
}

impl Inspect {
    fn run(&self) -> Result<(), Box<dyn Error>> {
        let weights = NamedTensors::read(&self.file)?;
        let tensors = weights.keys().map(|key| Ok((key, weights.get(key)?.shape.clone())));
        let tensors = tensors.collect::<Result<Vec<_>, Box<dyn Error>>>()?;
        let values: usize = tensors.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
        let digest = weights.digest()?;
        if self.json {
            let tensors: Vec<_> =
                tensors.iter().map(|(name, shape)| json!({ "name": name, "shape": shape })).collect();
            let metadata: BTreeMap<_, _> = weights.all_metadata().collect();
            say!(
                "{}",
                json!({ "digest": digest, "values": values, "metadata": metadata, "tensors": tensors })
            );
            return Ok(());
        }
        say!("{}: {} tensors, {values} values, digest {digest}", self.file.display(), tensors.len());
        if let Some(remark) = weights.remark() {
            say!("{remark}");
        }
        if let Some(layout) = WeightLayout::detect(&weights) {
            say!("layout of DIQaM and WaDIQaM: {layout:?}");
        }
        for (key, value) in weights.all_metadata() {
            say!("{key}: {value}");
        }
        for (name, shape) in tensors {
            say!("  {name} {shape:?}");
        }
        Ok(())
    }
}

impl Convert {
    fn run(&self) -> Result<(), Box<dyn Error>> {
        if self.output.exists() {
            return Err(format!("{}: is there already; name another file", self.output.display()).into());
        }
        let weights = NamedTensors::read(&self.file)?;
        if let Some(remark) = weights.remark() {
            remark!("{}: {remark}", self.file.display());
        }
        let precision = match self.precision {
            Stored::F32 => Precision::F32,
            Stored::F16 => Precision::F16,
        };
        let config = match self.model.as_deref() {
            Some("wadiqam_fr") => WadiqamConfig::wadiqam_fr(),
            Some("wadiqam_nr") => WadiqamConfig::wadiqam_nr(),
            Some("diqam_fr") => WadiqamConfig::diqam_fr(),
            Some(_) => WadiqamConfig::diqam_nr(),
            // Whatever the model: what is ours says so itself.
            None if family_of(&weights).is_some() => {
                return Ok(weights.write_safetensors(&self.output, precision)?);
            }
            None => {
                let file = self.file.display();
                return Err(format!("{file}: does not say which model it is of: expected --model").into());
            }
        };
        let model = WadiqamModel::from_tensors(weights, &config, &Device::flex())?;
        // From now on the file says which scale its scores have, and scoring will not.
        if let Some(remark) = model.remark() {
            remark!("warning: {}: {remark}", self.file.display());
        }
        Ok(model.network().save(&self.output, precision)?)
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
    remark!("{name}: {}", file.terms);
    source.locate_observed(file, &Terminal::new())
}
