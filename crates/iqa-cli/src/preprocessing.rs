//! What is done to images before they are scored, as options.

use std::error::Error;

use clap::{Args, ValueEnum};
use iqa_models::image::imageops::FilterType;
use iqa_models::{Preprocessing, Scorers};

use crate::opening::NamedModel;

/// What is done to the images first.
#[derive(Args)]
pub(crate) struct PreprocessingOptions {
    /// Resize a reference of another size than its image by this filter; without, such a pair is an error. For models with a
    /// reference.
    #[arg(long, value_enum)]
    resize_reference: Option<Filter>,
    /// Cut so many pixels off each side of both images, as comparisons of super-resolution do.
    #[arg(long, default_value_t = 0)]
    crop_border: u32,
    /// Score luma alone: Y of MATLAB's rgb2ycbcr, rounded, in all three channels.
    #[arg(long)]
    luma: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Filter {
    Nearest,
    Bilinear,
    /// Catmull-Rom's, as Pillow's: a = -0.5.
    Bicubic,
    Lanczos3,
}

impl PreprocessingOptions {
    /// Models that score what was preprocessed, and their labels, in the same order.
    pub(crate) fn scorers(&self, models: Vec<NamedModel>) -> Result<(Vec<String>, Scorers), Box<dyn Error>> {
        if self.resize_reference.is_some() && !models.iter().any(NamedModel::takes_reference) {
            let label = &models[0].label;
            return Err(
                format!("--resize-reference is for models with a reference: `{label}` takes none").into()
            );
        }
        let (labels, scorers) = models.into_iter().map(|model| (model.label, model.scorer)).unzip();
        Ok((labels, Scorers::new(scorers).with_preprocessing(self.preprocessing())))
    }

    fn preprocessing(&self) -> Preprocessing {
        let filter = |filter| match filter {
            Filter::Nearest => FilterType::Nearest,
            Filter::Bilinear => FilterType::Triangle,
            Filter::Bicubic => FilterType::CatmullRom,
            Filter::Lanczos3 => FilterType::Lanczos3,
        };
        let Self { crop_border, luma, .. } = *self;
        Preprocessing { resize_reference: self.resize_reference.map(filter), crop_border, luma }
    }
}
