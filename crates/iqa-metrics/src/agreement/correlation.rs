use crate::MetricsError;
use crate::error::List;

/// Checks two lists for what every figure needs.
pub(super) fn check(predicted: &[f64], subjective: &[f64], needed: usize) -> Result<(), MetricsError> {
    if predicted.len() != subjective.len() {
        return Err(MetricsError::UnequalLength { predicted: predicted.len(), subjective: subjective.len() });
    }
    if predicted.len() < needed {
        return Err(MetricsError::TooShort { found: predicted.len(), needed });
    }
    for (list, values) in [(List::Predicted, predicted), (List::Subjective, subjective)] {
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            return Err(MetricsError::NotFinite { list, index });
        }
    }
    Ok(())
}

fn check_varied(predicted: &[f64], subjective: &[f64]) -> Result<(), MetricsError> {
    check(predicted, subjective, 2)?;
    for (list, values) in [(List::Predicted, predicted), (List::Subjective, subjective)] {
        if values.iter().all(|value| value == &values[0]) {
            return Err(MetricsError::Constant { list });
        }
    }
    Ok(())
}

/// Pearson's linear correlation coefficient, from -1 to 1.
///
/// # Errors
/// [`MetricsError::UnequalLength`], [`MetricsError::TooShort`] below 2 pairs, [`MetricsError::NotFinite`],
/// [`MetricsError::Constant`].
pub fn plcc(predicted: &[f64], subjective: &[f64]) -> Result<f64, MetricsError> {
    check_varied(predicted, subjective)?;
    let (a, b) = (standardised(predicted), standardised(subjective));
    Ok(a.iter().zip(&b).map(|(a, b)| a * b).sum::<f64>().clamp(-1.0, 1.0))
}

/// Deviations from the mean, scaled to unit length; scaled first, so that large values do not overflow.
fn standardised(values: &[f64]) -> Vec<f64> {
    let largest = values.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
    let mean = values.iter().map(|value| value / largest).sum::<f64>() / values.len() as f64;
    let deviations: Vec<f64> = values.iter().map(|value| value / largest - mean).collect();
    let norm = deviations.iter().map(|d| d * d).sum::<f64>().sqrt();
    deviations.into_iter().map(|d| d / norm).collect()
}

/// Spearman's rank correlation coefficient, from -1 to 1: Pearson's of the average ranks.
///
/// # Errors
/// As [`plcc`].
pub fn srcc(predicted: &[f64], subjective: &[f64]) -> Result<f64, MetricsError> {
    check_varied(predicted, subjective)?;
    plcc(&average_ranks(predicted), &average_ranks(subjective))
}

/// Ranks from 1; equal values share the mean of their ranks.
///
/// NaN sorts last.
pub fn average_ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    for ties in order.chunk_by(|&a, &b| values[a] == values[b]).scan(0, |before, ties| {
        let first = *before;
        *before += ties.len();
        Some((first, ties))
    }) {
        let (before, ties) = ties;
        let rank = before as f64 + (ties.len() + 1) as f64 / 2.0;
        for &index in ties {
            ranks[index] = rank;
        }
    }
    ranks
}

/// Kendall's rank correlation coefficient tau-b, from -1 to 1, in O(n log n).
///
/// Source: W. R. Knight, "A Computer Method for Calculating Kendall's Tau with Ungrouped Data", JASA 61, 1966.
///
/// # Errors
/// As [`plcc`].
pub fn krcc(predicted: &[f64], subjective: &[f64]) -> Result<f64, MetricsError> {
    check_varied(predicted, subjective)?;
    let mut pairs: Vec<(f64, f64)> = predicted.iter().copied().zip(subjective.iter().copied()).collect();
    // Adding zero makes -0 and 0 the same to the total order.
    pairs.iter_mut().for_each(|pair| *pair = (pair.0 + 0.0, pair.1 + 0.0));
    pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let count = |n: usize| n as u64 * (n as u64).saturating_sub(1) / 2;
    let ties_in_both: u64 = pairs.chunk_by(|a, b| a == b).map(|ties| count(ties.len())).sum();
    let ties_in_first: u64 = pairs.chunk_by(|a, b| a.0 == b.0).map(|ties| count(ties.len())).sum();
    let mut seconds: Vec<f64> = pairs.iter().map(|pair| pair.1).collect();
    let mut buffer = seconds.clone();
    let exchanges = merge_sort(&mut seconds, &mut buffer);
    let ties_in_second: u64 = seconds.chunk_by(|a, b| a == b).map(|ties| count(ties.len())).sum();
    let all = count(pairs.len());
    // Up to 2^63: exact in i128, rounded once at the end.
    let numerator = i128::from(all) - i128::from(ties_in_first) - i128::from(ties_in_second)
        + i128::from(ties_in_both)
        - 2 * i128::from(exchanges);
    let denominator = ((all - ties_in_first) as f64).sqrt() * ((all - ties_in_second) as f64).sqrt();
    Ok((numerator as f64 / denominator).clamp(-1.0, 1.0))
}

/// Sorts, and counts the pairs that stood in the wrong order.
fn merge_sort(values: &mut [f64], buffer: &mut [f64]) -> u64 {
    let middle = values.len() / 2;
    if middle == 0 {
        return 0;
    }
    let (left, right) = values.split_at_mut(middle);
    let mut exchanges = merge_sort(left, &mut buffer[..middle]) + merge_sort(right, &mut buffer[middle..]);
    let (mut i, mut j) = (0, 0);
    for slot in buffer.iter_mut() {
        if j == right.len() || (i < left.len() && left[i] <= right[j]) {
            *slot = left[i];
            i += 1;
        } else {
            *slot = right[j];
            j += 1;
            exchanges += (left.len() - i) as u64;
        }
    }
    values.copy_from_slice(buffer);
    exchanges
}

/// Root mean squared error, in the units of the scores.
///
/// # Errors
/// [`MetricsError::UnequalLength`], [`MetricsError::TooShort`] without pairs, [`MetricsError::NotFinite`].
pub fn rmse(predicted: &[f64], subjective: &[f64]) -> Result<f64, MetricsError> {
    check(predicted, subjective, 1)?;
    let squares: f64 = predicted.iter().zip(subjective).map(|(p, s)| (p - s).powi(2)).sum();
    Ok((squares / predicted.len() as f64).sqrt())
}

/// Mean absolute error, in the units of the scores.
///
/// # Errors
/// As [`rmse`].
pub fn mae(predicted: &[f64], subjective: &[f64]) -> Result<f64, MetricsError> {
    check(predicted, subjective, 1)?;
    let sum: f64 = predicted.iter().zip(subjective).map(|(p, s)| (p - s).abs()).sum();
    Ok(sum / predicted.len() as f64)
}

/// PLCC + SRCC: the main score of the NTIRE challenges, from -2 to 2.
///
/// # Errors
/// As [`plcc`].
pub fn main_score(predicted: &[f64], subjective: &[f64]) -> Result<f64, MetricsError> {
    Ok(plcc(predicted, subjective)? + srcc(predicted, subjective)?)
}
