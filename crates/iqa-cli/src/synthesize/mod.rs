//! Makes a set of distorted photographs on disk, in the style of KADID-10k or TID2013.

mod sheets;

use std::error::Error;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::options::size;
use crate::output::write_png;
use crate::terminal::Terminal;
use clap::{Args, ValueEnum};
use iqa_models::core::{
    CoreError, DecodeOptions, FolderClaim, Observer, create_folder, read_image, remove_unnamed_temporaries,
    sha256_of_file, write_atomically,
};
use iqa_models::datasets::synthetic::{
    Opinions, Photograph, PublishedCrop, SetStyle, SyntheticSet, reference_files,
};
use rayon::prelude::*;
use serde_json::json;

/// Makes a set of distorted photographs, in the style of KADID-10k or TID2013
///
/// A run that was stopped goes on when started again with the same options: images that are there and whole are kept.
/// The same options give the same set on any number of threads.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  iqa synthesize --photographs FOLDER --output SET --set kadid\n  iqa synthesize --photographs FOLDER --contact-sheets SHEETS --set tid"
)]
pub(crate) struct Options {
    /// Folder of pristine photographs.
    #[arg(long)]
    photographs: PathBuf,
    /// Folder of the set.
    #[arg(long, required_unless_present = "contact_sheets")]
    output: Option<PathBuf>,
    /// The style: `kadid` (25 types; 23 with the mean opinion score of their type and level), `tid` (24 types at
    /// TID2013's levels; the score is the image's PSNR unless opinions are given) or `tid-psnr` (the same types at 33,
    /// 30, 27, 24, 21 dB; the score is that PSNR).
    #[arg(long, value_enum, default_value_t = Set::Kadid)]
    set: Set,
    /// Width and height of the images, cut from the middle unless their places are given; a portrait photograph then
    /// gives a portrait image.
    #[arg(long, default_value = "512x384", value_parser = crop)]
    crop: (u32, u32),
    /// CSV list of places, with the columns photograph, reference, x, y: references of a published set, which
    /// photograph (file name without extension) each was cut from, and where. The set then counts as the published one.
    /// `docs/tid2013_crops.csv` is one.
    #[arg(long)]
    crops: Option<PathBuf>,
    /// CSV list of mean opinions, with the columns reference, type, level, mos and, if there, std: the scores of a `tid`
    /// set. Only images that are in it are labelled.
    #[arg(long, requires = "crops")]
    opinions: Option<PathBuf>,
    /// Seed of everything random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Draw contact sheets into this folder instead: for each type the middle of the first photograph and its five
    /// levels.
    #[arg(long, conflicts_with = "output")]
    contact_sheets: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Set {
    Kadid,
    Tid,
    TidPsnr,
}

impl Set {
    fn style(self) -> SetStyle {
        match self {
            Self::Kadid => SetStyle::Kadid,
            Self::Tid => SetStyle::Tid,
            Self::TidPsnr => SetStyle::TidPsnr,
        }
    }
}

fn crop(text: &str) -> Result<(u32, u32), String> {
    match size(text)? {
        (0, _) | (_, 0) => Err("expected a width and a height above 0, as in 512x384".into()),
        found => Ok(found),
    }
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let files = reference_files(&options.photographs)?;
    let style = options.set.style();
    if options.opinions.is_some() && style != SetStyle::Tid {
        return Err("opinions are of the published images: expected --set tid with --opinions".into());
    }
    let names = files.iter().map(|path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned());
    let set = SyntheticSet {
        style,
        photographs: match &options.crops {
            Some(list) => Photograph::published(names, &PublishedCrop::read(list)?)?,
            None => Photograph::numbered(names),
        },
        size: options.crop,
        seed: options.seed,
        opinions: options.opinions.as_deref().map(Opinions::read).transpose()?,
    };
    if let Some(folder) = &options.contact_sheets {
        return sheets::draw(&set, &read_image(&files[0], &DecodeOptions::default())?, folder);
    }
    if let Some(folder) = &options.output {
        make(&set, &files, folder)?;
    }
    Ok(())
}

/// Makes what is missing of the set.
fn make(set: &SyntheticSet, files: &[PathBuf], folder: &Path) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    set.check_sizes(files)?;
    let _claim = claim(set, files, folder)?;
    for images in image_folders(set) {
        create_folder(&folder.join(images))?;
    }
    let terminal = Terminal::new();
    terminal.start(set.len(), "images");
    let made = AtomicUsize::new(0);
    let mut psnrs = Vec::with_capacity(set.len());
    for (file, photograph) in files.iter().zip(&set.photographs) {
        let crop = set.crop(photograph, &read_image(file, &DecodeOptions::default())?)?;
        write_png(&folder.join(set.style.reference_path(photograph.number)), &crop)?;
        let items: Vec<_> = set.items(photograph.number).collect();
        let of_photograph: Vec<f64> = items
            .par_iter()
            .map(|item| {
                let psnr = match item.finished(folder, &crop) {
                    Some(psnr) => psnr,
                    None => {
                        let (image, psnr) = item.make(&crop, set.seed).map_err(|error| error.to_string())?;
                        write_png(&folder.join(item.path()), &image).map_err(|error| error.to_string())?;
                        made.fetch_add(1, Ordering::Relaxed);
                        psnr
                    }
                };
                terminal.step();
                Ok(psnr)
            })
            .collect::<Result<_, String>>()?;
        psnrs.extend(of_photograph);
    }
    // The labels last: a set with labels is complete.
    write_atomically(&folder.join("images.csv"), set.image_list(&psnrs).as_bytes())?;
    for (name, text) in set.label_files(&psnrs) {
        write_atomically(&folder.join(name), text.as_bytes())?;
    }
    terminal.end();
    let (made, seconds) = (made.into_inner(), start.elapsed().as_secs_f64());
    remark!(
        "{} images of {} photographs ({made} made, {} kept) in {seconds:.1} s: {:.1} images per second",
        set.len(),
        files.len(),
        set.len() - made,
        set.len() as f64 / seconds,
    );
    Ok(())
}

/// The folders of a set's images, in its own.
fn image_folders(set: &SyntheticSet) -> Vec<String> {
    let paths = [set.style.reference_path(1)].into_iter().chain(set.items(1).take(1).map(|item| item.path()));
    let mut folders: Vec<String> =
        paths.filter_map(|path| path.split_once('/').map(|(folder, _)| folder.to_owned())).collect();
    folders.dedup();
    folders
}

/// Writes down what the folder is for, or makes sure that it is for this set. As long as what it returns is held, no other
/// run takes the folder.
fn claim(set: &SyntheticSet, files: &[PathBuf], folder: &Path) -> Result<FolderClaim, Box<dyn Error>> {
    let digests = files.iter().map(|file| sha256_of_file(file)).collect::<Result<Vec<_>, _>>()?;
    let path = folder.join("synthesis.json");
    let photographs: Vec<_> = set.photographs.iter().map(|photograph| &photograph.name).collect();
    let places: Vec<_> = set.photographs.iter().map(|photograph| photograph.corner).collect();
    let settings = json!({
        "set": set.style.name(),
        "crop": [set.size.0, set.size.1],
        "places": places,
        "seed": set.seed,
        "photographs": photographs,
        "digests": digests,
        "version": env!("CARGO_PKG_VERSION"),
    });
    // In this order: whoever begins a set of this version has a list before.
    let begun = is_begun(&path, &settings)?;
    let listed = folder.join(".iqa-models").exists();
    let image_folders = image_folders(set);
    let labels = set.label_files(&vec![0.0; set.len()]);
    let names = ["synthesis.json", "images.csv"].into_iter().chain(labels.iter().map(|(name, _)| *name));
    let names: Vec<&str> = names.chain(image_folders.iter().map(String::as_str)).collect();
    // The settings alone say whose a folder of an earlier version is.
    let claim = FolderClaim::adopting(folder, "synthesize", &names, || begun)?;
    if begun && !listed {
        for images in
            [folder.to_owned()].into_iter().chain(image_folders.iter().map(|name| folder.join(name)))
        {
            remove_unnamed_temporaries(&images);
        }
    }
    // Once more: another run may have had the folder before the claim.
    if !is_begun(&path, &settings)? {
        write_atomically(&path, format!("{settings:#}\n").as_bytes())?;
    }
    Ok(claim)
}

/// Whether a set was begun, which must then be this one.
fn is_begun(path: &Path, settings: &serde_json::Value) -> Result<bool, Box<dyn Error>> {
    let bytes = match std::fs::read(path) {
        // The latter where the folder cannot be made: it is named then.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(false);
        }
        read => read.map_err(|source| CoreError::Io { path: path.into(), source })?,
    };
    let found: serde_json::Value = serde_json::from_slice(&bytes)
        .map_err(|error| format!("{}: expected the settings of a set: {error}", path.display()))?;
    for name in ["set", "crop", "places", "seed", "photographs", "digests", "version"] {
        if found[name] != settings[name] {
            return Err(
                format!("{}: another set was begun in this folder ({name} differs)", path.display()).into()
            );
        }
    }
    Ok(true)
}
