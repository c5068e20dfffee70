//! A set on disk, in the layout of a published one.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use image::{ImageReader, RgbImage, imageops};
use iqa_core::{DecodeOptions, read_image};

use super::{Opinions, PublishedCrop, central_crop, check_crop, check_size};
use crate::dataset::ScoreScale;
use crate::distort::tid::{TARGET_PSNR, TidDistortion, TidLevel, psnr};
use crate::distort::{Distortion, Level};
use crate::{DataSetKind, DatasetError};

/// Levels of each type, in either set.
const LEVELS: u8 = 5;
/// The PSNR written for an image that equals its reference, in dB.
const LARGEST_PSNR: f64 = 100.0;

/// The set that a synthetic one is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SetStyle {
    /// KADID-10k: 25 types, 5 levels of fixed parameters; 23 types are labelled with the mean opinion score of their
    /// type and level.
    Kadid,
    /// TID2013: 24 types, 5 levels as in the published set. The score is the mean opinion where it is
    /// [given](SyntheticSet::opinions), else the image's PSNR.
    Tid,
    /// TID2013's types at five PSNRs. Nobody rated such images; the score is the PSNR that the level aims at.
    TidPsnr,
}

impl SetStyle {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Kadid, Self::Tid, Self::TidPsnr];

    /// Its name in `snake_case`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kadid => "kadid",
            Self::Tid => "tid",
            Self::TidPsnr => "tid_psnr",
        }
    }

    /// Types of distortion.
    pub fn types(self) -> usize {
        match self {
            Self::Kadid => Distortion::ALL.len(),
            Self::Tid | Self::TidPsnr => TidDistortion::ALL.len(),
        }
    }

    /// Path of a photograph's crop in the set; photographs are numbered from 1.
    pub fn reference_path(self, photograph: usize) -> String {
        match self {
            Self::Kadid => format!("images/I{photograph:02}.png"),
            Self::Tid | Self::TidPsnr => format!("reference_images/I{photograph:02}.png"),
        }
    }
}

impl FromStr for SetStyle {
    type Err = DatasetError;

    fn from_str(name: &str) -> Result<Self, DatasetError> {
        Self::ALL.into_iter().find(|style| style.name() == name).ok_or_else(|| DatasetError::UnknownName {
            what: "style of a set",
            name: name.into(),
            known: Self::ALL.map(Self::name).into(),
        })
    }
}

/// One distorted image of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SetItem {
    style: SetStyle,
    /// Number of the photograph in the set, from 1.
    pub photograph: usize,
    /// Number of the type as the published set counts, from 1.
    pub type_id: u8,
    /// Level, 1 (mildest, where levels are in order) to 5.
    pub level: u8,
}

impl SetItem {
    fn published_level(&self) -> Level {
        Level::published().nth(usize::from(self.level) - 1).unwrap_or(Level::WORST)
    }

    fn kadid(&self) -> Distortion {
        Distortion::ALL[usize::from(self.type_id) - 1]
    }

    fn tid(&self) -> TidDistortion {
        TidDistortion::ALL[usize::from(self.type_id) - 1]
    }

    fn target_psnr(&self) -> f64 {
        TARGET_PSNR[usize::from(self.level) - 1]
    }

    /// Name of the distortion, as the [readers](crate::readers) give it.
    pub fn type_name(&self) -> &'static str {
        match self.style {
            SetStyle::Kadid => self.kadid().name(),
            SetStyle::Tid | SetStyle::TidPsnr => self.tid().name(),
        }
    }

    /// Path in the set, in the published pattern.
    pub fn path(&self) -> String {
        let Self { photograph, type_id, level, .. } = self;
        match self.style {
            SetStyle::Kadid => format!("images/I{photograph:02}_{type_id:02}_{level:02}.png"),
            SetStyle::Tid | SetStyle::TidPsnr => {
                format!("distorted_images/I{photograph:02}_{type_id:02}_{level}.png")
            }
        }
    }

    /// The PSNR of this image in the set in `folder`, in dB, if it is there: whole (a PNG carries checksums) and of
    /// the size of its photograph's crop.
    pub fn finished(&self, folder: &Path, crop: &RgbImage) -> Option<f64> {
        let image = read_image(folder.join(self.path()), &DecodeOptions::default()).ok()?;
        (image.dimensions() == crop.dimensions()).then(|| psnr(&image, crop))
    }

    /// Distorts the photograph's crop; the PSNR comes with the image, in dB.
    ///
    /// # Errors
    /// Those of [`Distortion::apply`] and [`TidDistortion::apply`].
    pub fn make(&self, crop: &RgbImage, seed: u64) -> Result<(RgbImage, f64), DatasetError> {
        // Each image its own stream of random numbers, whatever is made before it or beside it.
        let place = (self.photograph as u64) << 16 | u64::from(self.type_id) << 8 | u64::from(self.level);
        let seed = mixed(mixed(seed).wrapping_add(place));
        let tid = |level| Ok::<_, DatasetError>(self.tid().apply(crop, level, seed)?.image);
        let image = match self.style {
            SetStyle::Kadid => self.kadid().apply(crop, self.published_level(), seed)?,
            SetStyle::Tid => tid(TidLevel::Published(self.published_level()))?,
            SetStyle::TidPsnr => tid(TidLevel::Psnr(self.target_psnr()))?,
        };
        let psnr = psnr(&image, crop);
        Ok((image, psnr))
    }
}

/// The number with the four decimals of the table of scores.
fn decimal(value: f32) -> f64 {
    (f64::from(value) * 1e4).round() / 1e4
}

/// The finaliser of SplitMix64: neighbours end far apart.
fn mixed(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A photograph of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Photograph {
    /// File name without extension.
    pub name: String,
    /// Number in the set, from 1, each once.
    pub number: usize,
    /// Column and row of the upper left corner of its crop; the middle of the photograph when `None`.
    pub corner: Option<(u32, u32)>,
}

impl Photograph {
    /// Photographs numbered in their order, from whose middle crops are taken.
    pub fn numbered(names: impl IntoIterator<Item = String>) -> Vec<Self> {
        names.into_iter().zip(1..).map(|(name, number)| Self { name, number, corner: None }).collect()
    }

    /// Photographs with the numbers and crops of a published set.
    ///
    /// # Errors
    /// [`DatasetError::NoCrop`] for a photograph that is not in the list.
    pub fn published(
        names: impl IntoIterator<Item = String>,
        crops: &[PublishedCrop],
    ) -> Result<Vec<Self>, DatasetError> {
        let place = |name: String| match crops.iter().find(|crop| crop.photograph == name) {
            Some(crop) => Ok(Self { name, number: crop.reference, corner: Some(crop.corner) }),
            None => Err(DatasetError::NoCrop { name }),
        };
        names.into_iter().map(place).collect()
    }
}

/// A set in the style of a published one: what images it has, where they lie, and its label files.
///
/// ```text
/// kadid  images/Irr.png, images/Irr_tt_ll.png; dmos.csv as KADID-10k has it
/// tid    reference_images/Irr.png, distorted_images/Irr_tt_l.png; no label file of TID2013's own, which a remade
///        set must not be taken for
/// both   labels.csv for DataSet::open_csv; images.csv, every image with its photograph and PSNR
/// ```
#[derive(Clone, Debug)]
pub struct SyntheticSet {
    /// What it is like.
    pub style: SetStyle,
    /// The photographs.
    pub photographs: Vec<Photograph>,
    /// Width and height of the crops; a portrait photograph gives a portrait crop, unless its place is given.
    pub size: (u32, u32),
    /// Seed of everything random.
    pub seed: u64,
    /// Mean opinions of the published images that a set in the style of [`SetStyle::Tid`] remakes. Images without
    /// one are left out of the labels.
    pub opinions: Option<Opinions>,
}

impl SyntheticSet {
    /// That each photograph is large enough, by the size that its file states: what can be known before the work. A
    /// file that states none is left to the reading.
    ///
    /// # Errors
    /// [`DatasetError::ReferenceTooSmall`].
    pub fn check_sizes(&self, files: &[PathBuf]) -> Result<(), DatasetError> {
        for (file, photograph) in files.iter().zip(&self.photographs) {
            let reader = ImageReader::open(file).and_then(ImageReader::with_guessed_format);
            if let Some(size) = reader.ok().and_then(|reader| reader.into_dimensions().ok()) {
                match photograph.corner {
                    Some(corner) => check_crop(&photograph.name, size, corner, self.size)?,
                    None => check_size(&photograph.name, size, self.size)?,
                }
            }
        }
        Ok(())
    }

    /// The part of a photograph from which its images are made.
    ///
    /// # Errors
    /// [`DatasetError::ReferenceTooSmall`].
    pub fn crop(&self, photograph: &Photograph, image: &RgbImage) -> Result<RgbImage, DatasetError> {
        if let Some((x, y)) = photograph.corner {
            check_crop(&photograph.name, image.dimensions(), (x, y), self.size)?;
            return Ok(imageops::crop_imm(image, x, y, self.size.0, self.size.1).to_image());
        }
        check_size(&photograph.name, image.dimensions(), self.size)?;
        Ok(central_crop(image, self.size))
    }

    /// What the scores of `labels.csv` mean, for [`DataSet::open_csv`](crate::DataSet::open_csv).
    ///
    /// KADID-10k's mean opinion scores, 1 to 5; TID2013's, 0 to 9, where opinions are given; else PSNRs in dB with the
    /// paper's 21 to 33 for a range, which are no opinion. Higher is better in each.
    pub fn scale(&self) -> ScoreScale {
        match (self.style, &self.opinions) {
            (SetStyle::Kadid, _) => DataSetKind::Kadid10k.scale(),
            (SetStyle::Tid, Some(_)) => DataSetKind::Tid2013.scale(),
            _ => ScoreScale::mos(TARGET_PSNR[4], TARGET_PSNR[0]),
        }
    }

    /// The score of an image of this PSNR and, for a mean opinion, its deviation: for KADID-10k that over the
    /// photographs of the set. `None` where there is no opinion.
    fn score(&self, item: SetItem, psnr: f64) -> Option<(f64, Option<f64>)> {
        match (self.style, &self.opinions) {
            (SetStyle::Kadid, _) => {
                let (distortion, level) = (item.kadid(), item.published_level());
                let spread = distortion.mos_spread(level).map(decimal);
                distortion.mean_mos(level).map(|mos| (decimal(mos), spread))
            }
            (SetStyle::Tid, Some(opinions)) => opinions.of(item.photograph, item.type_id, item.level),
            (SetStyle::Tid, None) => Some(((psnr.min(LARGEST_PSNR) * 1e4).round() / 1e4, None)),
            (SetStyle::TidPsnr, _) => Some((item.target_psnr(), None)),
        }
    }

    /// The images made of the photograph of this number: types in order, their levels in order.
    pub fn items(&self, photograph: usize) -> impl Iterator<Item = SetItem> + use<> {
        let style = self.style;
        (1..=style.types() as u8).flat_map(move |type_id| {
            (1..=LEVELS).map(move |level| SetItem { style, photograph, type_id, level })
        })
    }

    /// Every image.
    pub fn all_items(&self) -> impl Iterator<Item = SetItem> + '_ {
        self.photographs.iter().flat_map(|photograph| self.items(photograph.number))
    }

    /// Images in all, without the crops.
    pub fn len(&self) -> usize {
        self.photographs.len() * self.style.types() * usize::from(LEVELS)
    }

    /// Whether there is no photograph.
    pub fn is_empty(&self) -> bool {
        self.photographs.is_empty()
    }

    /// The label files by their names: `labels.csv` for any reader of lists, and for KADID-10k its own `dmos.csv`.
    ///
    /// # Panics
    /// Unless `psnrs` has one value (in dB) for each image, in the order of [`Self::all_items`].
    pub fn label_files(&self, psnrs: &[f64]) -> Vec<(&'static str, String)> {
        assert_eq!(psnrs.len(), self.len(), "a PSNR for each image");
        let mut list = String::from("distorted,reference,score,std,type,level\n");
        let mut dmos = String::from("dist_img,ref_img,dmos,var\n");
        let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        for (item, &psnr) in self.all_items().zip(psnrs) {
            let Some((score, std)) = self.score(item, psnr) else { continue };
            let (path, reference) = (item.path(), self.style.reference_path(item.photograph));
            let std = std.map_or_else(String::new, |std| std.to_string());
            list += &format!("{path},{reference},{score},{std},{},{}\n", item.type_name(), item.level);
            dmos += &format!("{},{},{score},{std}\n", name(&path), name(&reference));
        }
        match self.style {
            SetStyle::Kadid => vec![("labels.csv", list), ("dmos.csv", dmos)],
            SetStyle::Tid | SetStyle::TidPsnr => vec![("labels.csv", list)],
        }
    }

    /// `images.csv`: every image with its photograph and its PSNR (dB, `inf` for an unchanged image).
    ///
    /// # Panics
    /// Unless `psnrs` has one value for each image, in the order of [`Self::all_items`].
    pub fn image_list(&self, psnrs: &[f64]) -> String {
        assert_eq!(psnrs.len(), self.len(), "a PSNR for each image");
        let mut list = String::from("distorted,reference,photograph,type_id,type,level,psnr\n");
        let mut psnrs = psnrs.iter();
        for photograph in &self.photographs {
            let reference = self.style.reference_path(photograph.number);
            let photograph_name = quoted(&photograph.name);
            for (item, psnr) in self.items(photograph.number).zip(&mut psnrs) {
                let SetItem { type_id, level, .. } = item;
                let (path, kind) = (item.path(), item.type_name());
                list += &format!("{path},{reference},{photograph_name},{type_id},{kind},{level},{psnr:.4}\n");
            }
        }
        list
    }
}

/// A CSV field (RFC 4180).
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.into()
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;
    use crate::{DataSet, DataSetKind, Strictness};

    fn set(style: SetStyle) -> (SyntheticSet, Vec<RgbImage>) {
        let photograph = |seed: u32| {
            RgbImage::from_fn(40, 32, |x, y| Rgb([(x * 5 + seed) as u8, (y * 7) as u8, (x * y + seed) as u8]))
        };
        let photographs = Photograph::numbered(["a,b".into(), "c".into()]);
        let set = SyntheticSet { style, photographs, size: (32, 24), seed: 4, opinions: None };
        let crops =
            [1, 9].map(|seed| set.crop(&set.photographs[0], &photograph(seed)).expect("large enough"));
        (set, crops.into())
    }

    /// Empty files: the readers decode nothing.
    fn layout(set: &SyntheticSet, folder: &Path) {
        let references = (1..=set.photographs.len()).map(|photograph| set.style.reference_path(photograph));
        for path in set.all_items().map(|item| item.path()).chain(references) {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("makes it");
            std::fs::write(path, "").expect("writes");
        }
        for (name, text) in set.label_files(&vec![27.5; set.len()]) {
            std::fs::write(folder.join(name), text).expect("writes");
        }
    }

    #[test]
    fn a_kadid_set_is_read_as_a_list_and_as_kadid() {
        let folder = tempfile::tempdir().expect("a folder");
        let (set, _) = set(SetStyle::Kadid);
        layout(&set, folder.path());
        assert_eq!((set.len(), set.all_items().count()), (250, 250));
        let list = folder.path().join("labels.csv");
        let read =
            DataSet::open_csv(&list, folder.path(), "ours", set.scale(), Strictness::Strict).expect("reads");
        let own = DataSet::open(DataSetKind::Kadid10k, folder.path(), Strictness::Lenient).expect("reads");
        for data in [&read, &own] {
            // Two photographs, 23 types with scores.
            assert_eq!((data.samples().len(), data.reference_ids().len()), (230, 2));
            let first = &data.samples()[0];
            assert_eq!((first.raw, first.std, first.level), (4.6122, Some(0.1304), Some(1)));
            assert_eq!(first.type_name.as_deref(), Some("gaussian_blur"));
        }
    }

    #[test]
    fn a_tid_set_is_read_as_a_list() {
        for (style, scores) in [(SetStyle::Tid, (27.5, 27.5)), (SetStyle::TidPsnr, (33.0, 21.0))] {
            let folder = tempfile::tempdir().expect("a folder");
            let (set, _) = set(style);
            layout(&set, folder.path());
            let list = folder.path().join("labels.csv");
            let read = DataSet::open_csv(&list, folder.path(), "ours", set.scale(), Strictness::Strict)
                .expect("reads");
            assert_eq!((read.samples().len(), read.reference_ids().len()), (240, 2));
            assert_eq!((read.samples()[0].raw, read.samples()[4].raw), scores);
            let files = set.label_files(&vec![27.5; set.len()]);
            assert_eq!(files.len(), 1, "nothing that looks like human scores");
        }
    }

    #[test]
    fn a_remade_set_carries_the_opinions_of_its_references() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut set, _) = set(SetStyle::Tid);
        let crops = [("c", 7), ("a,b", 12)].map(|(photograph, reference)| PublishedCrop {
            photograph: photograph.into(),
            reference,
            corner: (3, 8),
        });
        let names = || set.photographs.iter().map(|photograph| photograph.name.clone());
        assert!(
            Photograph::published(names(), &crops[1..]).expect_err("one missing").to_string().contains("`c`")
        );
        set.photographs = Photograph::published(names(), &crops).expect("both there");
        let list = folder.path().join("opinions.csv");
        std::fs::write(&list, "reference,type,level,mos,std\nI07,10,2,5.5,0.1\nI09,10,2,1.5,0.1\n")
            .expect("writes");
        set.opinions = Some(Opinions::read(&list).expect("reads"));
        let files = set.label_files(&vec![27.5; set.len()]);
        let expected = "distorted_images/I07_10_2.png,reference_images/I07.png,5.5,0.1,jpeg,2";
        assert_eq!(files[0].1.lines().skip(1).collect::<Vec<_>>(), [expected]);
        assert_eq!(set.scale().range(), (0.0, 9.0));
        // A crop at its place, whatever the photograph's direction.
        let image = RgbImage::from_fn(40, 60, |x, y| Rgb([x as u8, y as u8, 0]));
        let crop = set.crop(&set.photographs[1], &image).expect("inside");
        assert_eq!((crop.dimensions(), crop.get_pixel(0, 0).0), ((32, 24), [3, 8, 0]));
        set.size = (38, 24);
        assert!(set.crop(&set.photographs[1], &image).is_err());
    }

    #[test]
    fn an_image_depends_on_its_place_and_the_seed() {
        let (set, crops) = set(SetStyle::Kadid);
        let noise = |photograph, seed| {
            let item = SetItem { style: set.style, photograph, type_id: 11, level: 3 };
            item.make(&crops[0], seed).expect("distorts").0
        };
        assert_eq!(noise(1, 4), noise(1, 4));
        assert_ne!(noise(1, 4), noise(2, 4));
        assert_ne!(noise(1, 4), noise(1, 5));
    }

    #[test]
    fn a_damaged_image_is_not_finished() {
        let folder = tempfile::tempdir().expect("a folder");
        let (set, crops) = set(SetStyle::Kadid);
        let item = set.items(1).nth(53).expect("exists");
        std::fs::create_dir(folder.path().join("images")).expect("makes it");
        let path = folder.path().join(item.path());
        assert_eq!(item.finished(folder.path(), &crops[0]), None);
        let (image, psnr) = item.make(&crops[0], 4).expect("distorts");
        image.save(&path).expect("saves");
        assert_eq!(item.finished(folder.path(), &crops[0]), Some(psnr));
        let mut bytes = std::fs::read(&path).expect("reads");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, &bytes).expect("writes");
        assert_eq!(item.finished(folder.path(), &crops[0]), None);
    }

    #[test]
    fn names_with_commas_stay_whole() {
        let (set, _) = set(SetStyle::Tid);
        let list = set.image_list(&vec![27.0; set.len()]);
        assert!(
            list.contains("I01_01_1.png,reference_images/I01.png,\"a,b\",1,white_noise,1,27.0000\n"),
            "{list}"
        );
    }
}
