//! From full to reduced reference: how much of the reference's features must be known?
//!
//! A full-reference network compares with the features of the reference's patches. Here those features are sent as
//! their first `k` principal components and rebuilt before they are compared. `k = 0` sends nothing: every patch is
//! compared with the mean feature vector. All components give the full-reference score.
//!
//! Source: Bosse et al. 2018, section IV-I.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use iqa_core::PatchPosition;
use iqa_nn::{NamedTensor, NamedTensors, NnError, Precision};
use nalgebra::{DMatrix, DMatrixView, DVector, RowDVector};

use super::score::PreparedReference;
use crate::HeadError;

/// Names in a file.
const MEAN: &str = "mean";
const COMPONENTS: &str = "components";
const VARIANCES: &str = "variances";
/// Fewest patches of which a variance exists.
const LEAST_PATCHES: usize = 2;

/// Collects reference features for [`FeaturePca`]; memory grows with the length of a feature vector alone.
///
/// The paper takes 4000 patches of the training references: prepare these with
/// [`PatchSampler::Random`](super::PatchSampler::Random).
#[derive(Clone, Debug)]
pub struct PcaFit {
    patches: usize,
    mean: DVector<f64>,
    /// Sum of the outer products of the deviations from the mean.
    scatter: DMatrix<f64>,
}

impl PcaFit {
    /// Nothing yet; `features` is the length of a feature vector
    /// ([`WadiqamConfig::features`](super::WadiqamConfig::features)).
    pub fn new(features: usize) -> Self {
        Self { patches: 0, mean: DVector::zeros(features), scatter: DMatrix::zeros(features, features) }
    }

    /// Patches seen so far.
    pub fn patches(&self) -> usize {
        self.patches
    }

    /// Takes in the patches of a reference.
    ///
    /// # Errors
    /// [`HeadError::FeatureLength`] when its features are of another length.
    pub fn add(&mut self, reference: &PreparedReference) -> Result<(), HeadError> {
        self.add_features(reference.features())
    }

    /// Takes in feature vectors, `[patches, features]`.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn add_features(&mut self, features: Tensor<2>) -> Result<(), HeadError> {
        let rows = to_matrix(features, self.mean.len())?;
        if rows.nrows() == 0 {
            return Ok(());
        }
        // Chan, Golub and LeVeque's update: no cancellation, whatever the mean.
        let (before, added) = (self.patches as f64, rows.nrows() as f64);
        let mean = rows.row_mean().transpose();
        let deviations = centred(rows, &mean);
        let shift = &mean - &self.mean;
        self.scatter += deviations.transpose() * &deviations;
        self.scatter.ger(before * added / (before + added), &shift, &shift, 1.0);
        self.mean.axpy(added / (before + added), &shift, 1.0);
        self.patches += deviations.nrows();
        Ok(())
    }

    /// The principal components of what was taken in.
    ///
    /// # Errors
    /// [`HeadError::TooFewPatches`] below two patches.
    pub fn finish(self) -> Result<FeaturePca, HeadError> {
        if self.patches < LEAST_PATCHES {
            return Err(HeadError::TooFewPatches { found: self.patches, needed: LEAST_PATCHES });
        }
        let decomposition = (self.scatter / (self.patches - 1) as f64).symmetric_eigen();
        let mut order: Vec<usize> = (0..self.mean.len()).collect();
        let values = &decomposition.eigenvalues;
        order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
        let mut components = DMatrix::zeros(self.mean.len(), self.mean.len());
        for (to, &from) in order.iter().enumerate() {
            let column = decomposition.eigenvectors.column(from);
            // A component's sign means nothing; this one is the same on every machine.
            let sign = column[column.iamax()].signum();
            components.set_column(to, &(column * sign));
        }
        let variances = DVector::from_iterator(order.len(), order.iter().map(|&from| values[from].max(0.0)));
        // As they are stored, so that a file gives the very same scores.
        let single = |value: f64| f64::from(value as f32);
        Ok(FeaturePca {
            mean: self.mean.map(single),
            components: components.map(single),
            variances: variances.map(single),
        })
    }
}

/// The principal components of a network's reference features.
///
/// ```
/// # use burn::tensor::Device;
/// # use iqa_heads::wadiqam::{PcaFit, ScoreOptions, WadiqamConfig};
/// # let picture = |step: u32| image::RgbImage::from_fn(96, 64, |x, y| image::Rgb([(x * y / step * step) as u8; 3]));
/// # let (reference, distorted) = (picture(1), picture(40));
/// let device = Device::flex();
/// let model = WadiqamConfig::wadiqam_fr().tiny().init(&device);
/// let prepared = model.prepare(&reference, &ScoreOptions::default())?;
/// let mut fit = PcaFit::new(model.config().features());
/// fit.add(&prepared)?;
/// let pca = fit.finish()?;
///
/// // Eight numbers a patch go from the sender to the receiver.
/// let sent = pca.reduce(&prepared, 8)?;
/// let received = pca.rebuild(&sent, &device)?;
/// println!("{:.3}", model.score_prepared(&distorted, &received)?.score);
/// # Ok::<(), iqa_heads::HeadError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct FeaturePca {
    mean: DVector<f64>,
    /// One a column, of length 1, orthogonal, by falling variance.
    components: DMatrix<f64>,
    variances: DVector<f64>,
}

/// A reference as a few numbers for each patch: what a sender would transmit beside the image.
#[derive(Clone, Debug)]
pub struct ReducedReference {
    size: (u32, u32),
    positions: Vec<PatchPosition>,
    chunk: usize,
    /// `[patches, components]`.
    coefficients: DMatrix<f64>,
}

impl ReducedReference {
    /// Numbers for each patch.
    pub fn components(&self) -> usize {
        self.coefficients.ncols()
    }

    /// Patches.
    pub fn patches(&self) -> usize {
        self.coefficients.nrows()
    }
}

impl FeaturePca {
    /// Length of a feature vector, which is also the number of components.
    pub fn features(&self) -> usize {
        self.mean.len()
    }

    /// Variance along each component, falling.
    pub fn variances(&self) -> &[f64] {
        self.variances.as_slice()
    }

    /// Keeps the first `components` coefficients of each patch.
    ///
    /// # Errors
    /// [`HeadError::FeatureLength`] for a reference prepared by another network, [`HeadError::TooManyComponents`].
    pub fn reduce(
        &self,
        reference: &PreparedReference,
        components: usize,
    ) -> Result<ReducedReference, HeadError> {
        Ok(ReducedReference {
            size: reference.size,
            positions: reference.positions.clone(),
            chunk: reference.chunk,
            coefficients: self.coefficients(reference.features(), components)?,
        })
    }

    /// Features of a reference again, to score against with
    /// [`Wadiqam::score_prepared`](super::Wadiqam::score_prepared).
    ///
    /// # Errors
    /// [`HeadError::TooManyComponents`] for a reference reduced by a larger network.
    pub fn rebuild(
        &self,
        reduced: &ReducedReference,
        device: &Device,
    ) -> Result<PreparedReference, HeadError> {
        let features = self.rebuilt(&reduced.coefficients, device)?;
        Ok(PreparedReference {
            size: reduced.size,
            positions: reduced.positions.clone(),
            chunk: reduced.chunk,
            features,
        })
    }

    /// What is left of feature vectors when only their first `components` coefficients are known.
    ///
    /// # Shapes
    /// - `features` and the result: `[patches, features]`
    ///
    /// # Errors
    /// As [`Self::reduce`].
    pub fn approximate(&self, features: Tensor<2>, components: usize) -> Result<Tensor<2>, HeadError> {
        let device = features.device();
        self.rebuilt(&self.coefficients(features, components)?, &device)
    }

    fn coefficients(&self, features: Tensor<2>, components: usize) -> Result<DMatrix<f64>, HeadError> {
        let basis = self.basis(components)?;
        Ok(centred(to_matrix(features, self.features())?, &self.mean) * basis)
    }

    fn rebuilt(&self, coefficients: &DMatrix<f64>, device: &Device) -> Result<Tensor<2>, HeadError> {
        // One patch a column, so that the values of a patch follow each other.
        let mut columns = self.basis(coefficients.ncols())? * coefficients.transpose();
        columns.column_iter_mut().for_each(|mut column| column += &self.mean);
        let values: Vec<f32> = columns.iter().map(|&value| value as f32).collect();
        let data = TensorData::new(values, [coefficients.nrows(), self.features()]);
        Ok(Tensor::from_data(data, device))
    }

    fn basis(&self, components: usize) -> Result<DMatrixView<'_, f64>, HeadError> {
        if components > self.features() {
            return Err(HeadError::TooManyComponents { found: components, available: self.features() });
        }
        Ok(self.components.columns(0, components))
    }

    /// Writes the components as safetensors, atomically: `mean [features]`, `components [features, features]`, one a
    /// row, and `variances [features]`.
    ///
    /// # Errors
    /// [`HeadError::Nn`].
    pub fn save(&self, path: &Path) -> Result<(), HeadError> {
        let tensor = |shape: &[usize], values: &[f64]| NamedTensor {
            shape: shape.to_vec(),
            values: values.iter().map(|&value| value as f32).collect(),
        };
        let length = self.features();
        let tensors = [
            (MEAN.to_owned(), tensor(&[length], self.mean.as_slice())),
            (COMPONENTS.to_owned(), tensor(&[length, length], self.components.as_slice())),
            (VARIANCES.to_owned(), tensor(&[length], self.variances.as_slice())),
        ];
        NamedTensors::new(path, tensors).write_safetensors(path, Precision::F32)?;
        Ok(())
    }

    /// Reads what [`Self::save`] wrote.
    ///
    /// # Errors
    /// [`HeadError::Nn`]: a file that cannot be read; a tensor that is missing, unused, misshapen or not finite.
    pub fn load(path: &Path) -> Result<Self, HeadError> {
        let tensors = NamedTensors::read(path)?;
        let length = tensors.get(MEAN)?.values.len();
        let values = |key: &str, expected: &[usize]| -> Result<Vec<f64>, NnError> {
            let tensor = tensors.get(key)?;
            if tensor.shape != expected {
                return Err(NnError::TensorShape {
                    path: path.into(),
                    key: key.into(),
                    expected: expected.to_vec(),
                    found: tensor.shape.clone(),
                });
            }
            Ok(tensor.values.iter().map(|&value| f64::from(value)).collect())
        };
        let pca = Self {
            mean: DVector::from_vec(values(MEAN, &[length])?),
            components: DMatrix::from_vec(length, length, values(COMPONENTS, &[length, length])?),
            variances: DVector::from_vec(values(VARIANCES, &[length])?),
        };
        let unused: Vec<String> = tensors
            .keys()
            .filter(|key| ![MEAN, COMPONENTS, VARIANCES].contains(key))
            .map(Into::into)
            .collect();
        if unused.is_empty() {
            Ok(pca)
        } else {
            Err(NnError::UnusedTensors { path: path.into(), keys: unused }.into())
        }
    }
}

/// Feature vectors as the rows of a matrix in double precision.
fn to_matrix(features: Tensor<2>, expected: usize) -> Result<DMatrix<f64>, HeadError> {
    let [rows, found] = features.dims();
    if found != expected {
        return Err(HeadError::FeatureLength { found, expected });
    }
    Ok(DMatrix::from_row_iterator(rows, found, features.into_data().iter::<f64>()))
}

fn centred(mut rows: DMatrix<f64>, mean: &DVector<f64>) -> DMatrix<f64> {
    let mean: RowDVector<f64> = mean.transpose();
    rows.row_iter_mut().for_each(|mut row| row -= &mean);
    rows
}
