//! Folders laid out like the published sets, with their traps.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use iqa_datasets::{DataSet, DataSetKind, DatasetError, Strictness};
use tempfile::TempDir;

pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("temporary folder"))
    }

    /// A complete set.
    pub(crate) fn of(kind: DataSetKind) -> Self {
        let folder = Self::new();
        match kind {
            DataSetKind::Live | DataSetKind::LiveOriginal => folder.live(),
            DataSetKind::Csiq => folder.csiq(),
            DataSetKind::Tid2008 => folder.tid(17, 4),
            DataSetKind::Tid2013 => folder.tid(24, 5),
            DataSetKind::Kadid10k => folder.kadid10k(),
            DataSetKind::Pipal => folder.pipal(),
            DataSetKind::LiveChallenge => folder.live_challenge(),
            DataSetKind::Koniq10k => folder.koniq10k(),
        }
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        fs::create_dir_all(path.parent().expect("in the folder")).expect("folder");
        fs::write(&path, bytes).expect("written");
        path
    }

    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.join(name)).expect("removed");
    }

    pub(crate) fn rename(&self, from: &str, to: &str) {
        fs::rename(self.join(from), self.join(to)).expect("renamed");
    }

    /// Replaces the one occurrence of a text in a file.
    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.join(name)).expect("read");
        assert_eq!(text.matches(from).count(), 1, "`{from}` in {name}");
        self.write(name, text.replace(from, to));
    }

    pub(crate) fn open(&self, kind: DataSetKind, strictness: Strictness) -> Result<DataSet, DatasetError> {
        DataSet::open(kind, self.path(), strictness)
    }

    pub(crate) fn strict(&self, kind: DataSetKind) -> DataSet {
        self.open(kind, Strictness::Strict).expect("a complete set")
    }

    /// The message of the error when strictly opened; that names the folder's file is left to the caller.
    pub(crate) fn error(&self, kind: DataSetKind) -> String {
        self.open(kind, Strictness::Strict).expect_err("not a complete set").to_string()
    }

    fn empty(&self, folder: &str, names: impl IntoIterator<Item = String>) {
        fs::create_dir_all(self.join(folder)).expect("folder");
        for name in names {
            fs::File::create(self.join(folder).join(name)).expect("empty file");
        }
    }

    fn fixture(&self, from: &str, to: &str) {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(from);
        self.write(to, fs::read(source).expect("fixture"));
    }

    fn live(&self) {
        for file in ["dmos.mat", "dmos_realigned.mat", "refnames_all.mat"] {
            self.fixture(&format!("live/{file}"), file);
        }
        let groups = [("jp2k", 227), ("jpeg", 233), ("wn", 174), ("gblur", 174), ("fastfading", 174)];
        for (group, images) in groups {
            self.empty(group, (1..=images).map(|i| format!("img{i}.bmp")));
        }
        self.empty("refimgs", (0..29).map(|i| format!("reference{i:02}.bmp")));
    }

    fn csiq(&self) {
        self.fixture("csiq/csiq.DMOS.xlsx", "csiq.DMOS.xlsx");
        for (reference, token, level) in csiq_images() {
            // Folders in the case of the archive, names with the mixed case of their tokens.
            self.empty(
                &format!("dst_imgs/{}", token.to_lowercase()),
                [format!("{reference}.{token}.{level}.png")],
            );
        }
        self.empty("src_imgs", csiq_references().map(|reference| format!("{reference}.png")));
    }

    /// `mos_with_names.txt` has capital letters throughout; the disk has them here and there.
    fn tid(&self, types: u32, levels: u32) {
        let (mut names, mut scores, mut stds) = (String::new(), String::new(), String::new());
        let mut images = Vec::new();
        let mut entry = 0;
        for (reference, kind) in (1..=25).flat_map(|reference| (1..=types).map(move |kind| (reference, kind)))
        {
            for level in 1..=levels {
                entry += 1;
                // Three images of TID2008 have a score of exactly 0.
                let zero = types == 17 && [2, 9, 16].contains(&reference) && (kind, level) == (11, 4);
                let score = if zero { 0.0 } else { f64::from(entry) / 1000.0 };
                writeln!(names, "{score:.5} I{reference:02}_{kind:02}_{level}.bmp\r").expect("text");
                writeln!(scores, "{score:.5}").expect("text");
                writeln!(stds, "{:.5}", f64::from(entry) / 10_000.0).expect("text");
                // TID2013: 75 capital letters, 50 capital extensions. TID2008: 432 small letters.
                let (capital, extension) = if types == 24 {
                    let odd = [11, 13].contains(&kind) && level == 1;
                    (odd || (kind, level) == (1, 1), if odd { "BMP" } else { "bmp" })
                } else {
                    (entry > 432, "bmp")
                };
                let first = if capital { 'I' } else { 'i' };
                images.push(format!("{first}{reference:02}_{kind:02}_{level}.{extension}"));
            }
        }
        self.write("mos_with_names.txt", names);
        self.write("mos.txt", scores);
        self.write("mos_std.txt", stds);
        self.empty("distorted_images", images);
        self.empty("reference_images", (1..=24).map(|i| format!("I{i:02}.BMP")).chain(["i25.bmp".into()]));
    }

    fn kadid10k(&self) {
        let mut labels = "dist_img,ref_img,dmos,var\n".to_owned();
        let mut images: Vec<String> = (1..=81).map(|i| format!("I{i:02}.png")).collect();
        for reference in 1..=81 {
            for (kind, level) in (1..=25).flat_map(|kind| (1..=5).map(move |level| (kind, level))) {
                let image = format!("I{reference:02}_{kind:02}_{level:02}.png");
                let score = 5.0 - 0.7 * f64::from(level);
                writeln!(labels, "{image},I{reference:02}.png,{score:.2},0.{kind:02}").expect("text");
                images.push(image);
            }
        }
        self.write("dmos.csv", labels);
        self.empty("images", images);
    }

    /// 200 of the numbers 1 to 248, in four folders.
    fn pipal(&self) {
        for (index, number) in pipal_references().into_iter().enumerate() {
            let (mut labels, mut images) = (String::new(), Vec::new());
            for (class, size) in [12, 16, 10, 24, 13, 14, 27].into_iter().enumerate() {
                for version in 0..size {
                    let image = format!("A{number:04}_{class:02}_{version:02}.bmp");
                    writeln!(labels, "{image},{:.4}", 1000 + number + version).expect("text");
                    images.push(image);
                }
            }
            self.write(&format!("Train_Label/A{number:04}.txt"), labels);
            self.empty(&format!("Distortion_{}", index / 50 + 1), images);
            self.empty("Train_Ref", [format!("A{number:04}.bmp")]);
        }
    }

    fn live_challenge(&self) {
        for file in ["AllImages_release.mat", "AllMOS_release.mat", "AllStdDev_release.mat"] {
            self.fixture(&format!("live_challenge/{file}"), &format!("Data/{file}"));
        }
        self.empty("Images/trainingImages", (1..=7).map(|i| format!("t{i}.bmp")));
        let extension = |i| if i < 538 { "bmp" } else { "JPG" };
        self.empty("Images", (3..=1164).map(|i| format!("{i}.{}", extension(i))));
    }

    /// Both lists, with the columns of the published ones. Of the column `MOS` in the second, the scores are others.
    fn koniq10k(&self) {
        let mut scores = "image_name,c1,c2,c3,c4,c5,c_total,MOS,SD,MOS_zscore\n".to_owned();
        let mut sets = "image_name,c1,c2,c3,c4,c5,c_total,MOS,SD,set\n".to_owned();
        for (name, score, part) in koniq10k_images() {
            let z = 20.0 * (score - 1.0);
            writeln!(scores, "{name},0,0,25,73,7,105,{score:.6},0.5273,{z:.4}").expect("text");
            writeln!(sets, "{name},0,0,0.2381,0.6952,0.0667,105,{z:.4},0.5273,{part}").expect("text");
        }
        self.write("koniq10k_scores_and_distributions.csv", scores);
        self.write("koniq10k_distributions_sets.csv", sets);
        self.empty("1024x768", koniq10k_images().into_iter().map(|(name, ..)| name));
    }
}

/// Names, scores and parts of KonIQ-10k in the order of its lists, which is that of text: 10, 100, 101, 11.
pub(crate) fn koniq10k_images() -> Vec<(String, f64, &'static str)> {
    let mut names: Vec<String> = (10..10_083).map(|number| format!("{}.jpg", 7 * number)).collect();
    names.sort_unstable();
    let part = |index: usize| match index {
        0..7058 => "training",
        7058..8058 => "validation",
        _ => "test",
    };
    // A step that has no factor in common with the number of images takes each place of the parts once.
    let image = |(index, name)| (name, 1.0 + index as f64 / 2518.0, part(index * 10 % 10_073));
    names.into_iter().enumerate().map(image).collect()
}

/// 200 numbers with 48 gaps: 0, 4, 5, 11 and others are not there.
pub(crate) fn pipal_references() -> Vec<u32> {
    let held_out = |i: u32| [4, 5, 11].contains(&i) || (i > 24 && i % 5 == 2);
    (1..=248).filter(|&i| !held_out(i)).collect()
}

pub(crate) fn csiq_references() -> impl Iterator<Item = String> {
    ["1600", "elk", "geckos", "lady_liberty", "swarm"]
        .map(str::to_owned)
        .into_iter()
        .chain((0..25).map(|i| format!("photo_{i:02}")))
}

/// Reference, token and level of each image, in the order of the fixture.
pub(crate) fn csiq_images() -> Vec<(String, &'static str, u32)> {
    let mut images = Vec::new();
    for reference in csiq_references() {
        for token in ["AWGN", "BLUR", "contrast", "fnoise", "JPEG", "jpeg2000"] {
            let few = ["elk", "geckos", "lady_liberty", "swarm"].contains(&reference.as_str());
            let levels = match token {
                "contrast" if few => 3,
                "contrast" => 4,
                _ => 5,
            };
            images.extend((1..=levels).map(|level| (reference.clone(), token, level)));
        }
    }
    images
}
