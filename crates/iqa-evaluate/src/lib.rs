//! How well a model agrees with people on a data set.
//!
//! [`score_set`] runs a model over a set and writes each score as it comes, so that a run that was stopped goes on
//! where it was. [`report`] turns scores into the figures of the papers, [`write_scatter`] into a picture. [`evaluate`] does
//! all of it into a folder, [`evaluate_all`] with several models on several sets.
//!
//! ```
//! use image::RgbImage;
//! use iqa_core::{Direction, ReferenceNeed, ScoreSpec, Silent};
//! use iqa_datasets::{DataSet, ScoreKind, ScoreScale, Strictness};
//! use iqa_nn::{CheckedModel, Identity, ModelError, QualityModel, Scored};
//! use iqa_evaluate::{ReportConfig, report, score_set};
//!
//! /// Takes dark pictures for bad ones.
//! #[derive(Debug)]
//! struct Darkness;
//!
//! impl QualityModel for Darkness {
//!     fn name(&self) -> &str {
//!         "darkness"
//!     }
//!     fn spec(&self) -> ScoreSpec {
//!         ScoreSpec::new(Direction::LowerIsBetter, 0.0, 255.0, ReferenceNeed::NoReference)
//!     }
//!     fn identity(&self) -> Identity {
//!         Identity::formula()
//!     }
//!     fn score(&self, distorted: &RgbImage, _: Option<&RgbImage>) -> Result<Scored, ModelError> {
//!         Ok((255.0 - f64::from(distorted.get_pixel(0, 0)[0])).into())
//!     }
//! }
//!
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path();
//! # let mut list = "distorted,score\n".to_owned();
//! # for (index, mos) in [1, 2, 3, 5, 4].into_iter().enumerate() {
//! #     RgbImage::from_pixel(8, 8, image::Rgb([40 * index as u8; 3])).save(folder.join(format!("{index}.png")))?;
//! #     list += &format!("{index}.png,{mos}\n");
//! # }
//! # std::fs::write(folder.join("list.csv"), list)?;
//! let scale = ScoreScale::new(ScoreKind::Mos, Direction::HigherIsBetter, 1.0, 5.0)?;
//! let set = DataSet::open_csv(&folder.join("list.csv"), folder, "five", scale, Strictness::Strict)?;
//! let model = CheckedModel::new(Box::new(Darkness));
//! let scores = score_set(&model, &set, &folder.join("scores.csv"), &Silent)?;
//! let report = report(&set, &scores, None, &ReportConfig::default())?;
//! // Of ten pairs of pictures, one is in the wrong order.
//! assert!((report.whole.figures.expect("defined").krcc - 0.8).abs() < 1e-12);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod comparison;
mod config;
mod dots;
mod error;
mod figures;
mod folder;
mod foreign;
pub mod html;
mod report;
mod run;
mod scatter;
mod scores;
mod table;
mod text;
mod versions;

pub use comparison::{Comparison, Difference, Significance};
pub use config::ReportConfig;
pub use dots::write_dots;
pub use error::EvaluateError;
pub use figures::{FIGURES, Figure, Figures, Fitted, Part};
pub use folder::{Evaluation, evaluate};
pub use report::{Intervals, Report, SplitSummary, Summary, report};
pub use run::score_set;
pub use scatter::write_scatter;
pub use scores::{ScoreKey, Scores};
pub use table::{NamedModel, Table, TableCell, TableRow, TableSet, evaluate_all};
pub use versions::Versions;
