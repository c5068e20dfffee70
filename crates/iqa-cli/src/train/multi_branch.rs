//! `--recipe multibranch`, and the ablations of its paper.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::terminal::Terminal;
use clap::{ArgMatches, Args, ValueEnum};
use iqa_models::Device;
use iqa_models::backbones::pretrained::{PretrainedFile, PretrainedSource};
use iqa_models::backbones::{Architecture, Backbone};
use iqa_models::core::FolderClaim;
use iqa_models::datasets::augment::PairAugment;
use iqa_models::heads::Stored;
use iqa_models::heads::multi_branch::{Branches, MultiBranch, MultiBranchConfig, bundled_network};
use iqa_models::metrics::agreement::{krcc, srcc};
use iqa_models::nn::Precision;
use iqa_models::train::multi_branch::{FrozenCache, MultiBranchRecipe, evaluate, train};

use crate::train::report::report;
use crate::train::source::Sources;
use crate::train::{Common, Preset, is_given, select, shipped};

/// Options that the branches `frozen_*`, whose network and run are what they are, do not look at.
const NOT_FOR_FROZEN: [&str; 4] = ["preset", "backbone", "narrow", "no-flips"];

/// Of the recipe `multibranch`.
#[derive(Args)]
pub(crate) struct MultiBranchOptions {
    /// The network of every branch (default: the preset's).
    #[arg(long, value_enum)]
    backbone: Option<Network>,
    /// The branches that take part.
    #[arg(long, value_enum, default_value_t = Part::All)]
    branches: Part,
    /// Weights of the frozen branch. With the branches `frozen_*` those of EfficientNet-Lite0 (default: the bundled ones). With `--preset small` those of an earlier run of this recipe, of which the learned
    /// difference branch is taken (default: random). Otherwise ImageNet weights: a torchvision file (`.pth` or safetensors),
    /// or a folder that holds it under its published name (default: the cache folder, see "Pretrained backbones" in the
    /// README).
    #[arg(long)]
    frp: Option<PathBuf>,
    /// Keep what the frozen branch says of each picture in this file, for this run and others; not with `--table`.
    #[arg(long, value_name = "FILE", conflicts_with = "table")]
    features: Option<PathBuf>,
    /// Divides the channels of the branches that learn: 1, 2, 4, 8 or 16 (default: the preset's).
    #[arg(long)]
    narrow: Option<usize>,
    /// Do not flip the images that are the same in every epoch.
    #[arg(long)]
    no_flips: bool,
    /// Run all rows of a table of the paper, each with every seed of `--seeds`, and report on all.
    #[arg(long, value_enum)]
    table: Option<Table>,
    /// Seeds of the weights in a table.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 3], requires = "table")]
    seeds: Vec<u64>,
}

#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Network {
    Vgg16,
    Vgg19,
    #[value(name = "resnet18")]
    ResNet18,
    #[value(name = "resnet50")]
    ResNet50,
    InceptionV3,
}

impl From<Network> for Architecture {
    fn from(network: Network) -> Self {
        match network {
            Network::Vgg16 => Self::Vgg16,
            Network::Vgg19 => Self::Vgg19,
            Network::ResNet18 => Self::ResNet18,
            Network::ResNet50 => Self::ResNet50,
            Network::InceptionV3 => Self::InceptionV3,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Part {
    Frp,
    FrpFrnp,
    All,
    /// The frozen features of the bundled small network, of pairs; only a perceptron learns
    FrozenAll,
    /// The same of images without a reference
    FrozenNr,
}

impl From<Part> for Branches {
    fn from(part: Part) -> Self {
        match part {
            Part::Frp => Self::Frp,
            Part::FrpFrnp => Self::FrpFrnp,
            Part::All => Self::All,
            Part::FrozenAll => Self::FrozenAll,
            Part::FrozenNr => Self::FrozenNr,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum Table {
    /// Table 2: FRP, FRP+FRNP, all three.
    Branches,
    /// Table 3: VGG16, ResNet50, Inception-v3.
    Backbones,
}

/// A row of a table.
struct Row {
    name: String,
    config: MultiBranchConfig,
}

impl MultiBranchOptions {
    /// That no option is given which other branches alone look at.
    pub(crate) fn of_its_branches(&self, matches: &ArgMatches) -> Result<(), Box<dyn Error>> {
        match NOT_FOR_FROZEN.into_iter().find(|option| is_given(matches, &option.replace('-', "_"))) {
            Some(option) if Branches::from(self.branches).has_frozen_nr() => {
                Err(format!("--{option} is not for the branches frozen_all and frozen_nr").into())
            }
            _ => Ok(()),
        }
    }

    /// The model of a preset, but for what the recipes change in it.
    fn config(&self, common: &Common) -> MultiBranchConfig {
        let branches = Branches::from(self.branches);
        if branches.has_frozen_nr() {
            return MultiBranchConfig::lite(branches);
        }
        let preset = match common.preset {
            Preset::Small => MultiBranchConfig::small(),
            Preset::Fast | Preset::Paper => MultiBranchConfig::vgg16(),
        };
        let architecture = self.backbone.map_or(preset.architecture, Architecture::from);
        MultiBranchConfig { architecture, branches, ..preset }
    }

    fn recipe(&self, config: MultiBranchConfig, common: &Common, seed: u64) -> MultiBranchRecipe {
        let mut recipe = match common.preset {
            _ if config.branches.has_frozen_nr() => MultiBranchRecipe::lite(config),
            Preset::Fast => MultiBranchRecipe::fast(config),
            Preset::Small => MultiBranchRecipe::small(config),
            Preset::Paper => MultiBranchRecipe::paper(config),
        };
        let epochs = common.epochs.unwrap_or(recipe.epochs);
        recipe = recipe.with_epochs(epochs);
        recipe.seed = seed;
        recipe.steps_per_epoch = common.steps.or(recipe.steps_per_epoch);
        select(&mut recipe.images, common.images);
        select(&mut recipe.learning_rate, common.learning_rate);
        select(&mut recipe.model.width_divisor, self.narrow);
        recipe
    }

    fn frozen(
        &self,
        config: &MultiBranchConfig,
        seed: u64,
        device: &Device,
    ) -> Result<Backbone, Box<dyn Error>> {
        // Nobody publishes ImageNet weights of a network that was made narrower.
        if config.frp_width_divisor > 1 {
            let Some(path) = &self.frp else {
                device.seed(seed);
                return Ok(config.frp().init(device));
            };
            let earlier = MultiBranch::load(path, config, device)?;
            let frnp = earlier.frnp().cloned();
            return frnp.ok_or_else(|| format!("{}: has no branch that learned", path.display()).into());
        }
        if config.architecture == Architecture::EfficientNetLite0 {
            return Ok(match &self.frp {
                Some(path) => Backbone::load(path, &config.frp(), device)?,
                None => bundled_network(device)?,
            });
        }
        let source = match &self.frp {
            Some(path) => PretrainedSource::from_path(path),
            None => PretrainedSource::from_env(),
        };
        let path =
            source.locate_observed(PretrainedFile::torchvision(config.architecture)?, &Terminal::new())?;
        Ok(Backbone::load(path, &config.frp(), device)?)
    }

    pub(crate) fn frozen_file(&self) -> &Option<PathBuf> {
        &self.frp
    }

    fn augment(&self) -> PairAugment {
        let flip = !self.no_flips && !Branches::from(self.branches).has_frozen_nr();
        PairAugment { horizontal_flip: flip, vertical_flip: flip, crop: None }
    }

    pub(crate) fn run(
        &self,
        common: &Common,
        source: &Sources,
        output: &Path,
        device: &Device,
    ) -> Result<String, Box<dyn Error>> {
        if common.start_from.is_some() {
            return Err("--start-from is not for the recipe multibranch".into());
        }
        if let Some(table) = self.table {
            return self.run_table(table, common, source, output, device);
        }
        let recipe = self.recipe(self.config(common), common, common.seed);
        source.check_tests(recipe.model.branches.has_frp(), recipe.model.minimum_size()?)?;
        let frp = self.frozen(&recipe.model, common.seed, device)?;
        let (training, validation) = (source.training(self.augment())?, source.validation()?);
        let terminal = Terminal::new();
        let cache = match &self.features {
            Some(path) => FrozenCache::open(path, &frp, recipe.model.frozen_features()?)?,
            None => FrozenCache::new(),
        };
        let outcome = train(&recipe, frp, &*training, &*validation, &cache, output, device, &terminal)?;
        let shipped = shipped(&outcome);
        MultiBranch::load(&outcome.best, &recipe.model, device)?.save(&shipped, Precision::F16)?;
        let model = MultiBranch::load(&shipped, &recipe.model, device)?.fuse();
        report(source, model.score_spec(), &|distorted, reference| Ok(model.score(distorted, reference)?))
    }

    fn rows(&self, table: Table, common: &Common) -> Vec<Row> {
        match table {
            Table::Branches => Branches::ALL
                .into_iter()
                .zip(["FRP", "FRP+FRNP", "FRP+FRNP+NR"])
                .map(|(branches, name)| Row {
                    name: name.into(),
                    config: MultiBranchConfig { branches, ..self.config(common) },
                })
                .collect(),
            Table::Backbones => [Architecture::Vgg16, Architecture::ResNet50, Architecture::InceptionV3]
                .map(|architecture| Row {
                    name: architecture.to_string(),
                    config: MultiBranchConfig { architecture, ..self.config(common) },
                })
                .into(),
        }
    }

    /// Every row with every seed, each in a folder of its own; what is finished is not run again.
    fn run_table(
        &self,
        table: Table,
        common: &Common,
        source: &Sources,
        output: &Path,
        device: &Device,
    ) -> Result<String, Box<dyn Error>> {
        if matches!(table, Table::Backbones) && self.backbone.is_some() {
            return Err("--backbone is not for --table backbones, which has its own".into());
        }
        for Row { config, .. } in self.rows(table, common) {
            source.check_tests(config.branches.has_frp(), config.minimum_size()?)?;
        }
        let claim = FolderClaim::new(output, "train", &["report.md"])?;
        let done = self.run_rows(table, common, source, output, device);
        if done.is_err() {
            claim.withdraw();
        }
        done
    }

    /// [`Self::run_table`] in a folder that is its own.
    fn run_rows(
        &self,
        table: Table,
        common: &Common,
        source: &Sources,
        output: &Path,
        device: &Device,
    ) -> Result<String, Box<dyn Error>> {
        let (training, validation) = (source.training(self.augment())?, source.validation()?);
        let tests = source.tests()?;
        let mut text =
            String::from("| model | images kept out | seed | SRCC | KRCC |\n|---|---|---|---|---|\n");
        let mut cache = FrozenCache::new();
        let mut known: Option<Architecture> = None;
        for Row { name, config } in self.rows(table, common) {
            // What is kept belongs to one frozen branch.
            if known.replace(config.architecture).is_some_and(|known| known != config.architecture) {
                cache = FrozenCache::new();
            }
            let frp = self.frozen(&config, common.seed, device)?;
            let mut found = vec![Vec::new(); tests.len()];
            for &seed in &self.seeds {
                let recipe = self.recipe(config.clone(), common, seed);
                let folder = output.join(format!("{}_seed{seed}", name.replace('+', "_").to_lowercase()));
                remark!("{name}, seed {seed}: {}", folder.display());
                let (frp, terminal) = (frp.clone(), Terminal::new());
                let outcome =
                    train(&recipe, frp, &*training, &*validation, &cache, &folder, device, &terminal)?;
                let model = MultiBranch::load(&outcome.best, &config, device)?;
                for ((kind, pairs), found) in tests.iter().zip(&mut found) {
                    let (predicted, subjective) = evaluate(&model, &**pairs, &cache)?;
                    // NaN where it is undefined: of one image, or of scores that are all the same.
                    let agreement = [srcc(&predicted, &subjective), krcc(&predicted, &subjective)];
                    let agreement = agreement.map(|figure| figure.unwrap_or(f64::NAN));
                    let _ = writeln!(
                        text,
                        "| {name} | {kind} | {seed} | {:.4} | {:.4} |",
                        agreement[0], agreement[1]
                    );
                    found.push(agreement);
                }
            }
            for ((kind, _), found) in tests.iter().zip(&found) {
                let [srcc, krcc] = [0, 1].map(|which| {
                    found.iter().map(|agreement| agreement[which]).sum::<f64>() / found.len() as f64
                });
                let _ = writeln!(text, "| **{name}** | {kind} | mean | **{srcc:.4}** | **{krcc:.4}** |");
            }
        }
        Ok(text)
    }
}
