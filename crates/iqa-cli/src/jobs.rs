//! What is to be scored: images with their references.

use std::collections::HashSet;
use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf, is_separator};

use clap::Args;
use iqa_models::core::{CoreError, ImageFolder, is_same_file};
use iqa_models::datasets::{ListedPair, read_pairs};
use iqa_models::{ImageInput, Pair};

use crate::opening::{ModelOptions, NamedModel, check_references, need_of};

/// Where the references of images are, or a list of both. The images are an argument `distorted` of the command.
#[derive(Args)]
pub(crate) struct PairOptions {
    /// The pristine original of all the images; or a folder of originals, each of the path of its image below the folder that
    /// was named, or the only one of that path but for the extension.
    #[arg(long)]
    pub(crate) reference: Option<PathBuf>,
    /// A list of images and references: a CSV file with the columns `distorted` and `reference`, paths from the list's folder. A
    /// model that takes no reference looks at none of them.
    #[arg(long, conflicts_with_all = ["distorted", "reference", "recursive"])]
    pub(crate) pairs: Option<PathBuf>,
    /// Descend into the folders of a folder.
    #[arg(long)]
    recursive: bool,
}

/// An image to score, with its reference where it has one.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) distorted: PathBuf,
    pub(crate) reference: Option<PathBuf>,
}

impl Job {
    pub(crate) fn pair(&self) -> Pair<'_> {
        Pair { distorted: (&self.distorted).into(), reference: self.reference.as_ref().map(ImageInput::from) }
    }
}

/// Jobs, and why there is none for something that was asked for.
pub(crate) struct Jobs {
    pub(crate) list: Vec<Job>,
    pub(crate) failures: Vec<String>,
}

impl Jobs {
    /// Those that options name, and the models to score them by; `map` asks for one that scores patches.
    pub(crate) fn open(
        images: &[OsString],
        pairs: &PairOptions,
        models: &ModelOptions,
        map: bool,
    ) -> Result<(Self, Vec<NamedModel>), Box<dyn Error>> {
        let PairOptions { reference, recursive, .. } = pairs;
        models.check_seed()?;
        let mut jobs = match &pairs.pairs {
            Some(list) => Self::listed(list)?,
            None => Self::named(images, reference.as_deref(), *recursive)?,
        };
        let has_references = jobs.list.iter().any(|job| job.reference.is_some()) || reference.is_some();
        // A model of weights may leave the references of a list alone, not the one that is named for it.
        let leaves_alone = pairs.pairs.is_some() && has_references;
        let need = if leaves_alone { None } else { Some(need_of(has_references)) };
        let models = models.open(need, map)?;
        match &pairs.pairs {
            None => check_references(&models, reference.is_some())?,
            // Each row of a list says for itself. One of references may be for several models.
            Some(list) if has_references && !models.iter().any(NamedModel::takes_reference) => {
                remark!(
                    "{}: its references are not looked at: `{}` takes none",
                    list.display(),
                    models[0].label
                );
                jobs.list.iter_mut().for_each(|job| job.reference = None);
            }
            Some(_) => {}
        }
        warn_of_own_references(
            jobs.list.iter().filter_map(|job| Some((&*job.distorted, job.reference.as_deref()?))),
        );
        Ok((jobs, models))
    }

    /// Of a list of pairs.
    fn listed(list: &Path) -> Result<Self, Box<dyn Error>> {
        let job = |ListedPair { distorted, reference, .. }| Job { distorted, reference };
        Ok(Self { list: read_pairs(list)?.into_iter().map(job).collect(), failures: Vec::new() })
    }

    /// Of the images that arguments name. The reference may be one for all of them, or a folder with one for each.
    fn named(
        arguments: &[OsString],
        reference: Option<&Path>,
        recursive: bool,
    ) -> Result<Self, Box<dyn Error>> {
        let folder = reference.filter(|path| path.is_dir());
        let folder = folder.map(|path| open_folder(path, recursive)).transpose()?;
        let mut jobs = Self { list: Vec::new(), failures: Vec::new() };
        let mut used = HashSet::new();
        let places: Vec<PathBuf> = arguments.iter().flat_map(|argument| jobs.places(argument)).collect();
        for place in &places {
            for Found { file, below } in jobs.expand(place, recursive) {
                let reference = match &folder {
                    None => reference.map(Path::to_path_buf),
                    Some(folder) => {
                        let Some(found) = folder.find(&below) else {
                            jobs.fail(
                                &file,
                                "the folder of references has no picture of this name, or several",
                            );
                            continue;
                        };
                        used.insert(found.clone());
                        Some(found)
                    }
                };
                jobs.list.push(Job { distorted: file, reference });
            }
        }
        // Of single files nobody asks for all.
        let whole = places.iter().any(|place| place.is_dir());
        for unused in
            folder.iter().filter(|_| whole).flat_map(ImageFolder::files).filter(|file| !used.contains(file))
        {
            jobs.fail(&unused, "a reference of which there is no image to score");
        }
        Ok(jobs)
    }

    fn fail(&mut self, path: &Path, reason: &str) {
        self.failed(format!("{}: {reason}", path.display()));
    }

    fn failed(&mut self, failure: String) {
        note!("error: {failure}");
        self.failures.push(failure);
    }

    /// The files and folders that an argument names: itself, or what it is a pattern of, as a shell has it.
    fn places(&mut self, argument: &OsString) -> Vec<PathBuf> {
        let path = Path::new(argument);
        // What is no text is no pattern.
        let pattern = argument.to_str().filter(|text| !path.exists() && text.contains(['*', '?', '[']));
        let Some(pattern) = pattern else { return vec![path.into()] };
        // By the crate's own option a name that is no text is a panic.
        let parts = parts_of(pattern);
        let wanted = |found: &PathBuf| leads_to(&parts, &parts_of(&found.to_string_lossy()));
        let found: Vec<PathBuf> =
            glob::glob(pattern).map(|paths| paths.flatten().filter(wanted).collect()).unwrap_or_default();
        if found.is_empty() {
            self.fail(path, "no image there");
        }
        found
    }

    /// The files of a place: those of a folder, or itself.
    fn expand(&mut self, place: &Path, recursive: bool) -> Vec<Found> {
        if !place.is_dir() {
            // A missing file stays in the list: scoring it says what is wrong with it.
            return vec![Found { file: place.into(), below: place.file_name().unwrap_or_default().into() }];
        }
        let folder = match open_folder(place, recursive) {
            Ok(folder) => folder,
            Err(error) => {
                self.failed(error.to_string());
                return Vec::new();
            }
        };
        let below = |file: &Path| file.strip_prefix(place).unwrap_or(file).to_path_buf();
        let found: Vec<Found> = folder.files().map(|file| Found { below: below(&file), file }).collect();
        if found.is_empty() {
            self.fail(place, "no image there");
        }
        found
    }
}

/// The names of a path or pattern; `.` is none.
fn parts_of(text: &str) -> Vec<&str> {
    text.split(is_separator).filter(|part| !part.is_empty() && *part != ".").collect()
}

/// Whether the parts of a pattern lead to those names as they do in a shell: a name that begins with a dot is only found by a part
/// that does, and the folder above by its own name alone.
fn leads_to(parts: &[&str], names: &[&str]) -> bool {
    let meant = |part: &str, name: &str| {
        let hidden = name.starts_with('.');
        part == name
            || (!hidden || part.starts_with('.') && name != "..")
                && glob::Pattern::new(part).is_ok_and(|part| part.matches(name))
    };
    match (parts, names) {
        ([], names) => names.is_empty(),
        (["**", rest @ ..], names) => {
            leads_to(rest, names)
                || matches!(names, [name, below @ ..] if !name.starts_with('.') && leads_to(parts, below))
        }
        ([part, rest @ ..], [name, below @ ..]) => meant(part, name) && leads_to(rest, below),
        _ => false,
    }
}

/// Opens a folder of pictures, and says so where it has some of formats that are not read: they are passed over, and nothing
/// else tells.
pub(crate) fn open_folder(path: &Path, recursive: bool) -> Result<ImageFolder, CoreError> {
    let folder = ImageFolder::open(path, recursive)?;
    if let [first, others @ ..] = folder.unread() {
        let first = first.strip_prefix(path).unwrap_or(first).display();
        let folder = path.display();
        if others.is_empty() {
            remark!("{folder}: a picture of a format that is not read was passed over, {first}");
        } else {
            let count = others.len() + 1;
            remark!(
                "{folder}: {count} pictures of formats that are not read were passed over, {first} the first"
            );
        }
    }
    Ok(folder)
}

/// Says so where images are to be held against themselves: the best score there is says nothing of them.
pub(crate) fn warn_of_own_references<'a>(pairs: impl Iterator<Item = (&'a Path, &'a Path)>) {
    let own: Vec<&Path> = pairs.filter(|(a, b)| is_same_file(a, b)).map(|(image, _)| image).collect();
    match own[..] {
        [] => {}
        [image] => remark!("warning: {}: the image is its own reference", image.display()),
        [first, ..] => {
            remark!("warning: {} images are their own references, {} the first", own.len(), first.display());
        }
    }
}

/// A file to score.
struct Found {
    file: PathBuf,
    /// Its path below the folder that was named; its name, if it was named itself.
    below: PathBuf,
}
