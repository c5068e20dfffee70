//! The loss of a batch of several sources.

use std::collections::BTreeMap;

use burn::tensor::{Int, Tensor, TensorData};

use crate::TrainError;
use crate::losses::{self, QualityLoss, to_tensor};

/// `loss` of the images of the first source, whose scale the score keeps, and for each further source `(1 - PLCC) / 2`
/// of its own images: labels of different studies are never compared.
///
/// A further source with a single image, or with images of one label, says nothing.
///
/// # Errors
/// What `loss` gives.
pub(crate) fn by_source<E>(
    scores: &Tensor<1>,
    targets: &[f64],
    sources: &[usize],
    loss: impl Fn(Tensor<1>, &[f64]) -> Result<Tensor<1>, E>,
) -> Result<Tensor<1>, E> {
    if sources.iter().all(|&source| source == 0) {
        return loss(scores.clone(), targets);
    }
    let mut sum = Tensor::zeros([1], &scores.device());
    for (source, places) in places(sources) {
        let targets: Vec<f64> = places.iter().map(|&place| targets[place]).collect();
        let scores = of_places(scores, &places);
        if source == 0 {
            sum = sum + loss(scores, &targets)?;
        } else if let Some(correlation) = correlation(scores, &targets) {
            sum = sum + correlation;
        }
    }
    Ok(sum)
}

/// [`by_source`] of a recipe's loss for a batch as it was drawn: where the first source's images happen to be of one label, the
/// terms that compare them say nothing.
///
/// # Errors
/// As [`QualityLoss::loss`], but for labels that are all the same.
pub(crate) fn of_drawn(
    loss: &QualityLoss,
    scores: &Tensor<1>,
    targets: &[f64],
    sources: &[usize],
) -> Result<Tensor<1>, TrainError> {
    by_source(scores, targets, sources, |scores, targets| {
        let found = loss.loss(scores.clone(), targets);
        if let Err(TrainError::ConstantBatch { what: "targets", .. }) = found {
            let [each, _] = loss.parts();
            let targets = to_tensor(targets, &scores.device());
            // In the graph, also without such a term.
            return Ok(each.sum(&scores, &targets) + scores.sum() * 0.0);
        }
        found
    })
}

/// The mean over the sources of `loss` of their images; 0 for a source whose images are of one label, of which a loss that
/// compares them says nothing.
pub(crate) fn mean_by_source(
    scores: &Tensor<1>,
    targets: &[f64],
    sources: &[usize],
    loss: impl Fn(&Tensor<1>, &Tensor<1>) -> Tensor<1>,
) -> Tensor<1> {
    let places = places(sources);
    let count = places.len() as f64;
    let each = places.values().filter_map(|places| {
        let targets: Vec<f64> = places.iter().map(|&place| targets[place]).collect();
        differ(&targets).then(|| loss(&of_places(scores, places), &to_tensor(&targets, &scores.device())))
    });
    each.fold(Tensor::zeros([1], &scores.device()), |sum, term| sum + term / count)
}

/// `(1 - PLCC) / 2`; `None` for labels that are all the same, as that of a single image is: they correlate with nothing,
/// and the gradient has no value.
fn correlation(scores: Tensor<1>, targets: &[f64]) -> Option<Tensor<1>> {
    differ(targets).then(|| {
        let targets = to_tensor(targets, &scores.device());
        losses::plcc(scores, targets)
    })
}

fn differ(targets: &[f64]) -> bool {
    targets.iter().any(|target| *target != targets[0])
}

fn of_places(scores: &Tensor<1>, places: &[usize]) -> Tensor<1> {
    let index: Vec<i64> = places.iter().map(|&place| place as i64).collect();
    let index = TensorData::new(index, [places.len()]);
    scores.clone().select(0, Tensor::<1, Int>::from_data(index, &scores.device()))
}

/// The places of each source's images.
pub(crate) fn places(sources: &[usize]) -> BTreeMap<usize, Vec<usize>> {
    let mut places: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (place, &source) in sources.iter().enumerate() {
        places.entry(source).or_default().push(place);
    }
    places
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use burn::tensor::Device;

    use super::*;

    fn correlations(scores: &Tensor<1>, targets: &[f64], sources: &[usize]) -> Tensor<1> {
        mean_by_source(scores, targets, sources, |s, t| losses::plcc(s.clone(), t.clone()))
    }

    fn loss(scores: &[f32], targets: &[f64], sources: &[usize]) -> f64 {
        let scores = Tensor::from_floats(scores, &Device::flex());
        let squared = |scores: Tensor<1>, targets: &[f64]| -> Result<_, Infallible> {
            let targets = to_tensor(targets, &scores.device());
            Ok(losses::mse(scores, targets))
        };
        let Ok(loss) = by_source(&scores, targets, sources, squared);
        loss.into_scalar::<f64>()
    }

    #[test]
    fn further_sources_are_compared_within_themselves() {
        // Errors of 1 and 3; a falling line; a single image; two of one label.
        let scores = [1.0, 5.0, 4.0, 1.0, 2.0, 3.0, 9.0, 6.0, 7.0];
        let targets = [0.0, 30.0, 2.0, 20.0, 10.0, 0.0, 0.0, 4.0, 4.0];
        let sources = [0, 1, 0, 1, 1, 1, 2, 3, 3];
        // Pearson's correlation of 5, 1, 2, 3 with 30, 20, 10, 0: 25 / sqrt(8.75 * 500).
        let expected = (1.0 + 4.0) / 2.0 + (1.0 - 25.0 / (8.75f64 * 500.0).sqrt()) / 2.0;
        assert!((loss(&scores, &targets, &sources) - expected).abs() < 1e-5);
        assert_eq!(loss(&[1.0, 2.0], &[0.0, 2.0], &[0, 0]), 0.5);

        // The mean over four sources, two of which say nothing: PLCC 1 for the first.
        let scores = Tensor::from_floats(scores.as_slice(), &Device::flex());
        let found = correlations(&scores, &targets, &sources).into_scalar::<f64>();
        assert!((found - (expected - 2.5) / 4.0).abs() < 1e-5, "{found}");
    }

    #[test]
    fn equal_scores_have_a_gradient() {
        let device = Device::flex().autodiff();
        let scores = Tensor::from_floats([0.5f32, 0.5], &device).require_grad();
        let loss = correlations(&scores, &[0.0, 1.0], &[0, 0]);
        let gradients = loss.backward();
        let gradient = scores.grad(&gradients).expect("a gradient").into_data();
        assert!(gradient.iter::<f32>().all(f32::is_finite), "{gradient:?}");
    }
}
