//! Where the images come from: photographs that are distorted on the fly, or a rated set on disk.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use iqa_models::datasets::augment::PairAugment;
use iqa_models::datasets::distort::Distortion;
use iqa_models::datasets::split::{LeakyImageSplit, Parts, Split, SplitPreset};
use iqa_models::datasets::synthetic::{
    KADID_SIZE, Reference, SyntheticConfig, SyntheticGrid, SyntheticTrain, load_references,
};
use iqa_models::datasets::{DataSet, DataSetKind, Strictness};
use iqa_models::train::{SetTraining, SetValidation, Shuffled, TrainingPairs, ValidationPairs};

/// What to train on.
#[derive(Args)]
pub(crate) struct SourceOptions {
    /// Folder of pristine photographs to distort on the fly, each at least 512x384 (or 384x512).
    #[arg(long, required_unless_present = "set", conflicts_with = "set")]
    photographs: Option<PathBuf>,
    /// Photographs to select the weights by: names without extension, separated by commas.
    #[arg(long, value_delimiter = ',', requires = "photographs", required_unless_present = "set")]
    validation: Vec<String>,
    /// Photographs to report on: names without extension, separated by commas.
    #[arg(long, value_delimiter = ',', requires = "photographs", required_unless_present = "set")]
    test: Vec<String>,
    /// Distortions to train on (default: the 23 with scores, but those of `--leave-out`).
    #[arg(long, value_delimiter = ',', requires = "photographs")]
    distortions: Vec<Distortion>,
    /// Distortions to leave out of training and validation, and to report on apart.
    #[arg(long, value_delimiter = ',', requires = "photographs")]
    leave_out: Vec<Distortion>,
    /// Width and height of what is cut from a photograph, in pixels.
    #[arg(long, value_delimiter = ',', num_args = 2, default_values_t = [KADID_SIZE.0, KADID_SIZE.1])]
    size: Vec<u32>,
    /// Train on the centre of each photograph at the five published levels, the same in every epoch, instead of random
    /// crops, scales and levels.
    #[arg(long, requires = "photographs")]
    grid: bool,
    /// A rated set on disk instead of photographs: live, csiq, tid2008, tid2013, kadid10k, pipal or live_challenge.
    #[arg(long, requires = "root")]
    set: Option<DataSetKind>,
    /// The folder of the set.
    #[arg(long)]
    root: Option<PathBuf>,
    /// How the set is split: a paper's preset such as `bosse_tid2013`, or shares such as `0.6,0.2,0.2`; by reference.
    #[arg(long, default_value = "0.6,0.2,0.2")]
    split: String,
    /// Split a set by image although it has references: LEAKY, every photograph is on all sides.
    #[arg(long, requires = "set")]
    leaky_image_split: bool,
    /// Take a set of which images are missing.
    #[arg(long)]
    lenient: bool,
}

/// The images of a run.
pub(crate) enum Source {
    Photographs {
        references: Arc<Vec<Reference>>,
        training: Vec<usize>,
        validation: Vec<usize>,
        test: Vec<usize>,
        trained: Vec<Distortion>,
        left_out: Vec<Distortion>,
        size: (u32, u32),
        grid: bool,
        seed: u64,
    },
    Set {
        set: DataSet,
        split: Sides,
        seed: u64,
    },
}

/// Indices of a set's samples for training, validation and testing.
pub(crate) struct Sides {
    pub(crate) train: Vec<usize>,
    pub(crate) validation: Vec<usize>,
    pub(crate) test: Vec<usize>,
}

impl From<Split> for Sides {
    fn from(split: Split) -> Self {
        let [train, validation, test] =
            [split.train(), split.validation(), split.test()].map(<[usize]>::to_vec);
        Self { train, validation, test }
    }
}

impl From<LeakyImageSplit> for Sides {
    fn from(split: LeakyImageSplit) -> Self {
        let [train, validation, test] =
            [split.train(), split.validation(), split.test()].map(<[usize]>::to_vec);
        Self { train, validation, test }
    }
}

impl Source {
    pub(crate) fn open(options: &SourceOptions, seed: u64) -> Result<Self, Box<dyn Error>> {
        if let (Some(kind), Some(root)) = (options.set, &options.root) {
            let strictness = if options.lenient { Strictness::Lenient } else { Strictness::Strict };
            let set = DataSet::open(kind, root, strictness)?;
            let split = split(&set, options, seed)?;
            return Ok(Self::Set { set, split, seed });
        }
        let Some(folder) = &options.photographs else {
            return Err("give --photographs, or --set with --root".into());
        };
        let references = Arc::new(load_references(folder)?);
        let validation = indices(&references, &options.validation)?;
        let test = indices(&references, &options.test)?;
        let kept_out = |index: &usize| validation.contains(index) || test.contains(index);
        let training = (0..references.len()).filter(|index| !kept_out(index)).collect();
        let mut trained = options.distortions.clone();
        if trained.is_empty() {
            trained.extend(Distortion::labelled());
        }
        trained.retain(|kind| !options.leave_out.contains(kind));
        let left_out = options.leave_out.clone();
        let size = (options.size[0], options.size[1]);
        let grid = options.grid;
        Ok(Self::Photographs { references, training, validation, test, trained, left_out, size, grid, seed })
    }

    /// What is in it, for the start of a run's output.
    pub(crate) fn describe(&self) -> String {
        let (unit, [training, validation, test]) = match self {
            Self::Photographs { training, validation, test, .. } => {
                ("photographs", [training.len(), validation.len(), test.len()])
            }
            Self::Set { split, .. } => {
                ("images", [split.train.len(), split.validation.len(), split.test.len()])
            }
        };
        format!("{training} {unit} to train on, {validation} to validate, {test} to test")
    }

    /// The training set; `augment` is for images that are the same in every epoch: photographs are flipped, scaled and
    /// cropped in any case.
    pub(crate) fn training(
        &self,
        augment: PairAugment,
    ) -> Result<Box<dyn TrainingPairs + '_>, Box<dyn Error>> {
        Ok(match self {
            Self::Photographs { training, trained, grid: true, seed, .. } => {
                Box::new(Shuffled::over(self.grid(training, trained)?, augment, *seed))
            }
            Self::Photographs { references, training, trained, size, seed, .. } => {
                let config = synthetic(trained, *size);
                Box::new(SyntheticTrain::new(Arc::clone(references), training, config, *seed)?)
            }
            Self::Set { set, split, seed } => Box::new(SetTraining::new(set, &split.train, augment, *seed)),
        })
    }

    /// The validation set.
    pub(crate) fn validation(&self) -> Result<Box<dyn ValidationPairs + '_>, Box<dyn Error>> {
        Ok(match self {
            Self::Photographs { validation, trained, .. } => Box::new(self.grid(validation, trained)?),
            Self::Set { set, split, .. } => {
                if split.validation.is_empty() {
                    iqa_examples::note!(
                        "the split has no validation part: weights are selected on the test part"
                    );
                    Box::new(SetValidation::new(set, &split.test))
                } else {
                    Box::new(SetValidation::new(set, &split.validation))
                }
            }
        })
    }

    /// The images kept out, by what is new about them.
    pub(crate) fn tests(&self) -> Result<Vec<NamedPairs<'_>>, Box<dyn Error>> {
        Ok(match self {
            Self::Photographs { test, trained, left_out, .. } => {
                let mut tests: Vec<NamedPairs<'_>> =
                    vec![("unseen references", Box::new(self.grid(test, trained)?))];
                if !left_out.is_empty() {
                    tests.push(("left-out types", Box::new(self.grid(test, left_out)?)));
                }
                tests
            }
            Self::Set { set, split, .. } => {
                vec![("test part", Box::new(SetValidation::new(set, &split.test)))]
            }
        })
    }

    /// Each of those photographs, its centre, by each distortion at each level.
    fn grid(
        &self,
        photographs: &[usize],
        distortions: &[Distortion],
    ) -> Result<SyntheticGrid, Box<dyn Error>> {
        let Self::Photographs { references, size, seed, .. } = self else {
            return Err("a rated set has no photographs".into());
        };
        let config = synthetic(distortions, *size);
        Ok(SyntheticGrid::new(Arc::clone(references), photographs, config, *seed)?)
    }
}

/// Pairs and what they show.
pub(crate) type NamedPairs<'a> = (&'static str, Box<dyn ValidationPairs + 'a>);

pub(crate) fn synthetic(distortions: &[Distortion], size: (u32, u32)) -> SyntheticConfig {
    SyntheticConfig { distortions: distortions.to_vec(), size, ..SyntheticConfig::default() }
}

fn split(set: &DataSet, options: &SourceOptions, seed: u64) -> Result<Sides, Box<dyn Error>> {
    let text = options.split.as_str();
    if let Ok(preset) = text.parse::<SplitPreset>() {
        if options.leaky_image_split {
            return Err(
                format!("--split {text} splits by reference: give shares with --leaky-image-split").into()
            );
        }
        let split = preset.splits(set, seed)?.into_iter().next().ok_or("a preset without splits")?;
        return Ok(split.into());
    }
    let shares: Vec<f64> = text
        .split(',')
        .map(str::parse)
        .collect::<Result<_, _>>()
        .map_err(|_| format!("--split {text}: expected a preset or three shares"))?;
    let shares: [f64; 3] = shares.try_into().map_err(|_| format!("--split {text}: expected three shares"))?;
    if options.leaky_image_split {
        iqa_examples::note!(
            "LEAKY split by image: the model sees every photograph of the test part in training"
        );
        return Ok(LeakyImageSplit::random(set, Parts::Ratios(shares), seed)?.into());
    }
    Ok(Split::random(set, Parts::Ratios(shares), seed)?.into())
}

fn indices(references: &[Reference], names: &[String]) -> Result<Vec<usize>, Box<dyn Error>> {
    names
        .iter()
        .map(|name| {
            references
                .iter()
                .position(|reference| &reference.name == name)
                .ok_or_else(|| format!("no photograph is called `{name}`").into())
        })
        .collect()
}
