//! Where the images come from: photographs that are distorted on the fly, rated sets on disk, or several of them.

mod sides;

use std::collections::HashMap;
use std::error::Error;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::options::{mib, photographs, photographs_by_name, repeated, size};
use crate::sets::SetOptions;
use clap::{Args, CommandFactory, Parser};
use iqa_models::core::FileId;
use iqa_models::datasets::DataSet;
use iqa_models::datasets::augment::PairAugment;
use iqa_models::datasets::distort::Distortion;
use iqa_models::datasets::synthetic::{
    KADID_SIZE, Reference, SyntheticConfig, SyntheticGrid, SyntheticTrain,
};
use iqa_models::train::{
    Mixture, SetTraining, SetValidation, Shuffled, TrainingPairs, ValidationMixture, ValidationPairs,
    check_pictures,
};
pub(crate) use sides::Sides;
use sides::{check_links, split};

/// What to train on.
#[derive(Args)]
pub(crate) struct SourceOptions {
    #[command(flatten)]
    one: OneSource,
    /// One of several sources, given again for each: options of this section without their dashes, separated by
    /// semicolons, and the share of the batch as `weight`: `set=csv;list=L;root=R;range=0,1;split=0.9,0.1,0;weight=2`.
    /// The score is on the scale of the first; a line to the labels of each other is learned beside it.
    #[arg(long, conflicts_with_all = [
        "photographs", "validation", "test", "distortions", "leave_out", "size", "grid", "set", "root", "list", "name", "range",
        "better", "lenient", "split", "leaky_image_split", "cache",
    ])]
    source: Vec<String>,
}

/// A source among several.
#[derive(Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct WeightedSource {
    #[command(flatten)]
    one: OneSource,
    #[arg(long, default_value_t = 1.0)]
    weight: f64,
}

impl WeightedSource {
    /// The options without their dashes, separated by semicolons.
    fn parse_keys(text: &str) -> Result<Self, String> {
        let options: Vec<&str> = text.split(';').map(str::trim).filter(|option| !option.is_empty()).collect();
        let command = Self::command();
        let known: Vec<&str> = command.get_arguments().filter_map(clap::Arg::get_long).collect();
        let key = |option: &&str| option.split('=').next().unwrap_or_default().to_owned();
        if let Some(key) = options.iter().map(key).find(|key| !known.contains(&key.as_str())) {
            let known = known.join(", ");
            return Err(format!(
                "unknown key `{key}`: expected some of {known}, with a semicolon after each"
            ));
        }
        Self::try_parse_from(options.iter().map(|option| format!("--{option}"))).map_err(|error| {
            // Behind it is how the program is called.
            let error = error.to_string();
            let reason = error.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
            reason.lines().map(str::trim).collect::<Vec<_>>().join(" ")
        })
    }
}

#[derive(Args)]
struct OneSource {
    /// Folder of pristine photographs to distort on the fly, each at least 512x384 (or 384x512).
    #[arg(long, conflicts_with = "set")]
    photographs: Option<PathBuf>,
    /// Photographs, or references of a set, to select the weights by, separated by commas: names without extension, of a
    /// `csv` set references as its list has them.
    #[arg(long, value_delimiter = ',')]
    validation: Vec<String>,
    /// Photographs, or references of a set, to report on, separated by commas: names as of `--validation`.
    #[arg(long, value_delimiter = ',')]
    test: Vec<String>,
    /// Distortions to train on (default: the 23 with scores, but those of `--leave-out`).
    #[arg(long, value_delimiter = ',', requires = "photographs", conflicts_with = "set")]
    distortions: Vec<Distortion>,
    /// Distortions to leave out of training and validation, and to report on apart.
    #[arg(long, value_delimiter = ',', requires = "photographs", conflicts_with = "set")]
    leave_out: Vec<Distortion>,
    /// Width and height of what is cut from a photograph, in pixels: `96x96`, `96,96` or two values.
    #[arg(long, num_args = 1..=2, default_values_t = [format!("{}x{}", KADID_SIZE.0, KADID_SIZE.1)], conflicts_with = "set")]
    size: Vec<String>,
    /// Train on the centre of each photograph at the five published levels, the same in every epoch, instead of random
    /// crops, scales and levels.
    #[arg(long, requires = "photographs", conflicts_with = "set")]
    grid: bool,
    #[command(flatten)]
    rated: SetOptions,
    /// How the set is split where `--validation` and `--test` name no references: a paper's preset such as
    /// `bosse_tid2013`, shares such as `0.6,0.2,0.2` (by reference), or a CSV file with the columns `part` and `reference`
    /// (or `image`).
    #[arg(long, default_value = "0.6,0.2,0.2", conflicts_with_all = ["photographs", "validation", "test"])]
    split: String,
    /// Split a set by image although it has references: LEAKY, every photograph is on all sides.
    #[arg(long, requires = "set", conflicts_with_all = ["photographs", "validation", "test"])]
    leaky_image_split: bool,
    /// Decoded images kept in memory, in MiB (default: 2048 of photographs; 256 of a set, and as many of references).
    #[arg(long)]
    cache: Option<usize>,
}

/// The images of a run.
pub(crate) struct Sources {
    parts: Vec<(Source, f64)>,
}

/// Images of one study.
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
        cache: usize,
        seed: u64,
    },
}

impl Sources {
    pub(crate) fn open(options: &SourceOptions, seed: u64) -> Result<Self, Box<dyn Error>> {
        if options.source.is_empty() {
            return Ok(Self { parts: vec![(Source::open(&options.one, seed)?, 1.0)] });
        }
        let open = |text: &String| -> Result<(Source, f64), Box<dyn Error>> {
            let named = |error: &dyn Display| format!("--source {text}: {error}");
            let parsed = WeightedSource::parse_keys(text).map_err(|error| named(&error))?;
            Ok((Source::open(&parsed.one, seed).map_err(|error| named(&error))?, parsed.weight))
        };
        let sources = Self { parts: options.source.iter().map(open).collect::<Result<_, _>>()? };
        sources.check_sides()?;
        Ok(sources)
    }

    /// That no picture, no reference and no photograph is kept out of training in one source and trained on in another: a split
    /// within each does not see the others.
    fn check_sides(&self) -> Result<(), Box<dyn Error>> {
        // The sources that keep a file out, by their places.
        let mut kept_out: HashMap<FileId, Vec<usize>> = HashMap::new();
        for (place, source) in self.each().enumerate() {
            // A file that is gone is no other's.
            for file in source.kept_out().into_iter().filter_map(FileId::of) {
                let keepers = kept_out.entry(file).or_default();
                if keepers.last() != Some(&place) {
                    keepers.push(place);
                }
            }
        }
        for (place, source) in self.each().enumerate() {
            for path in source.trained() {
                let keepers = FileId::of(path).and_then(|file| kept_out.get(&file)).into_iter().flatten();
                if let Some(keeper) = keepers.copied().find(|&keeper| keeper != place) {
                    let (file, trainer) = (path.display(), source.name());
                    return Err(format!(
                        "{file}: kept out of training in the source {} and trained on in {trainer} (sources {} and {}): \
                         give both the same split",
                        self.parts[keeper].0.name(),
                        keeper + 1,
                        place + 1
                    )
                    .into());
                }
            }
        }
        Ok(())
    }

    /// Each study's images.
    pub(crate) fn each(&self) -> impl Iterator<Item = &Source> {
        self.parts.iter().map(|(source, _)| source)
    }

    /// That the pictures to report on can be read and scored: told before a run of hours, and not after it. Photographs are
    /// decoded by now, and cut to the size of those that are trained on.
    pub(crate) fn check_tests(&self, reference: bool, minimum: (u32, u32)) -> Result<(), Box<dyn Error>> {
        for source in self.each() {
            if let Source::Set { set, split, .. } = source {
                check_pictures(&SetValidation::new(set, &split.test), reference, minimum)?;
            }
        }
        Ok(())
    }

    /// What is in it, for the start of a run's output.
    pub(crate) fn describe(&self) -> String {
        self.each().map(Source::describe).collect::<Vec<_>>().join("\n")
    }

    /// The training set; `augment` is for images that are the same in every epoch: photographs are flipped, scaled and
    /// cropped in any case.
    pub(crate) fn training(
        &self,
        augment: PairAugment,
    ) -> Result<Box<dyn TrainingPairs + '_>, Box<dyn Error>> {
        if let [(source, _)] = &self.parts[..] {
            return source.training(augment);
        }
        let parts = self.parts.iter().map(|(source, weight)| Ok((source.training(augment)?, *weight)));
        Ok(Box::new(Mixture::new(parts.collect::<Result<_, Box<dyn Error>>>()?)?))
    }

    /// The validation set, by which weights are selected; empty where none is kept out for it.
    pub(crate) fn validation(&self) -> Result<Box<dyn ValidationPairs + '_>, Box<dyn Error>> {
        if let [(source, _)] = &self.parts[..] {
            return source.validation();
        }
        let parts: Vec<_> = self.each().map(Source::validation).collect::<Result<_, _>>()?;
        Ok(Box::new(ValidationMixture::new(parts)))
    }

    /// What may be shown of a run as it goes, which selects nothing: the validation part, or of a single set without one its
    /// test part.
    pub(crate) fn shown(&self) -> Result<Box<dyn ValidationPairs + '_>, Box<dyn Error>> {
        let validation = self.validation()?;
        match &self.parts[..] {
            [(Source::Set { set, split, .. }, _)] if validation.samples() == 0 => {
                Ok(Box::new(SetValidation::new(set, &split.test)))
            }
            _ => Ok(validation),
        }
    }

    /// The images of all test parts together.
    pub(crate) fn watched(&self) -> Result<Box<dyn ValidationPairs + '_>, Box<dyn Error>> {
        let tests = self.tests()?.into_iter().map(|(_, pairs)| pairs);
        Ok(Box::new(ValidationMixture::new(tests.collect())))
    }

    /// The images kept out, by what is new about them.
    pub(crate) fn tests(&self) -> Result<Vec<NamedPairs<'_>>, Box<dyn Error>> {
        Ok(self.each().map(Source::tests).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }
}

impl Source {
    fn open(options: &OneSource, seed: u64) -> Result<Self, Box<dyn Error>> {
        if let Some(set) = options.rated.open()? {
            let split = split(&set, options, seed)?;
            return Ok(Self::Set { set, split, cache: mib(options.cache.unwrap_or(256)), seed });
        }
        let Some(folder) = &options.photographs else {
            return Err("give --photographs, --set with --root, or --source for each of several".into());
        };
        if let Some(option) = options.rated.given().next() {
            return Err(format!("{option} is for --set, not for --photographs").into());
        }
        if options.validation.is_empty() || options.test.is_empty() {
            return Err(
                "--photographs needs --validation and --test, names of photographs to keep out".into()
            );
        }
        for (option, kinds) in [("distortions", &options.distortions), ("leave-out", &options.leave_out)] {
            if let Some(kind) = repeated(kinds) {
                return Err(format!("--{option} names {kind} twice").into());
            }
        }
        // Two values are one with a comma.
        let text = options.size.join(",");
        let size = size(&text).map_err(|error| format!("--size {text}: {error}"))?;
        let references = photographs(folder, options.cache)?;
        let validation = photographs_by_name(&references, &options.validation)?;
        let test = photographs_by_name(&references, &options.test)?;
        if let Some(&both) = validation.iter().find(|index| test.contains(index)) {
            let name = &references[both].name;
            return Err(format!("the photograph {name} is both in --validation and in --test").into());
        }
        let kept_out = |index: &usize| validation.contains(index) || test.contains(index);
        let training: Vec<usize> = (0..references.len()).filter(|index| !kept_out(index)).collect();
        if training.is_empty() {
            return Err(format!("{}: no photograph is left to train on", folder.display()).into());
        }
        check_links(&references, [&validation, &test, &training])?;
        let mut trained = options.distortions.clone();
        if trained.is_empty() {
            trained.extend(Distortion::labelled());
        }
        trained.retain(|kind| !options.leave_out.contains(kind));
        let left_out = options.leave_out.clone();
        let grid = options.grid;
        Ok(Self::Photographs { references, training, validation, test, trained, left_out, size, grid, seed })
    }

    /// What an error calls it.
    fn name(&self) -> String {
        match self {
            Self::Photographs { references, .. } => {
                let folder = references.first().and_then(|reference| reference.path.parent());
                folder.unwrap_or(Path::new("photographs")).display().to_string()
            }
            Self::Set { set, .. } => set.name().to_owned(),
        }
    }

    /// The files that it keeps out of training; of a leaky split references are on all sides.
    fn kept_out(&self) -> Vec<&Path> {
        match self {
            Self::Photographs { validation, test, .. } => self.files([validation, test], true),
            Self::Set { split, .. } => self.files([&split.validation, &split.test], !split.leaky),
        }
    }

    /// The files that it trains on.
    fn trained(&self) -> Vec<&Path> {
        match self {
            Self::Photographs { training, .. } => self.files([training], true),
            Self::Set { split, .. } => self.files([&split.train], true),
        }
    }

    /// The files of some parts: photographs, or pictures of a set, with their references or without.
    fn files<const N: usize>(&self, parts: [&Vec<usize>; N], references: bool) -> Vec<&Path> {
        let indices = parts.into_iter().flatten().copied();
        match self {
            Self::Photographs { references, .. } => {
                indices.map(|index| references[index].path.as_path()).collect()
            }
            Self::Set { set, .. } => {
                let samples = indices.map(|index| &set.samples()[index]);
                let files = samples.flat_map(|sample| {
                    [Some(&sample.distorted), sample.reference.as_ref().filter(|_| references)]
                });
                files.flatten().map(PathBuf::as_path).collect()
            }
        }
    }

    fn describe(&self) -> String {
        let (unit, [training, validation, test]) = match self {
            Self::Photographs { training, validation, test, .. } => {
                ("photographs", [training.len(), validation.len(), test.len()])
            }
            Self::Set { split, .. } => {
                ("images", [split.train.len(), split.validation.len(), split.test.len()])
            }
        };
        let name = if let Self::Set { set, .. } = self { format!("{}: ", set.name()) } else { String::new() };
        format!("{name}{training} {unit} to train on, {validation} to validate, {test} to test")
    }

    fn training(&self, augment: PairAugment) -> Result<Box<dyn TrainingPairs + '_>, Box<dyn Error>> {
        Ok(match self {
            Self::Photographs { training, trained, grid: true, seed, .. } => {
                Box::new(Shuffled::over(self.grid(training, trained)?, augment, *seed))
            }
            Self::Photographs { references, training, trained, size, seed, .. } => {
                let config = synthetic(trained, *size);
                Box::new(SyntheticTrain::new(Arc::clone(references), training, config, *seed)?)
            }
            Self::Set { set, split, cache, seed } => {
                let images = SetValidation::new(set, &split.train).with_cache(*cache);
                Box::new(SetTraining::over(images, augment, *seed))
            }
        })
    }

    fn validation(&self) -> Result<Box<dyn ValidationPairs + '_>, Box<dyn Error>> {
        Ok(match self {
            Self::Photographs { validation, trained, .. } => Box::new(self.grid(validation, trained)?),
            Self::Set { set, split, .. } => Box::new(SetValidation::new(set, &split.validation)),
        })
    }

    fn tests(&self) -> Result<Vec<NamedPairs<'_>>, Box<dyn Error>> {
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
