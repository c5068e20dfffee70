//! The scores of a batch, picture by picture: no more than one picture and its reference are decoded at a time.

use std::sync::Arc;

use iqa_models::image::RgbImage;
use iqa_models::nn::PreparedReference;
use iqa_models::{ModelError, ReferenceNeed, Scorer};

use crate::pictures::Pictures;

/// What came of a picture.
pub(crate) struct Scored {
    /// One a model; none where it could not score the picture.
    pub(crate) scores: Vec<Option<f64>>,
    /// Why some or all are missing.
    pub(crate) error: Option<String>,
}

/// Scores pictures by several models; each file is decoded once, a reference that follows itself too, and what models
/// prepare of it is prepared once.
pub(crate) fn score(
    models: &[(&str, Arc<Scorer>)],
    distorted: &mut Pictures,
    mut references: Option<Pictures>,
    rows: usize,
) -> Vec<Scored> {
    let mut reference: Option<Result<Reference, String>> = None;
    let score_row = |row: usize| {
        if let Some(references) = &mut references
            && (row == 0 || !references.is_again(row))
        {
            let read = references.read(row);
            let shared = references.is_again(row + 1);
            reference = Some(read.map(|image| Reference {
                image,
                prepared: shared.then(|| models.iter().map(|_| None).collect()),
            }));
        }
        match distorted.read(row) {
            Err(error) => Scored { scores: vec![None; models.len()], error: Some(error) },
            Ok(image) => score_one(models, &image, reference.as_mut()),
        }
    };
    (0..rows).map(score_row).collect()
}

/// A reference that the models are at.
struct Reference {
    image: RgbImage,
    /// What each model has prepared of it, where more than one picture is scored against it.
    prepared: Option<Vec<Option<PreparedReference>>>,
}

fn score_one(
    models: &[(&str, Arc<Scorer>)],
    image: &RgbImage,
    mut reference: Option<&mut Result<Reference, String>>,
) -> Scored {
    let mut errors = Vec::new();
    let mut scores = Vec::with_capacity(models.len());
    for (place, (label, scorer)) in models.iter().enumerate() {
        let score = match (scorer.spec().reference, reference.as_deref_mut()) {
            (ReferenceNeed::NoReference, _) => scorer.score_single(image).map_err(|error| error.to_string()),
            (_, None) => Err("no reference".into()),
            (_, Some(Err(error))) => Err(error.clone()),
            (_, Some(Ok(reference))) => {
                against(scorer, place, image, reference).map_err(|error| error.to_string())
            }
        };
        match score {
            Ok(score) => scores.push(Some(score.value)),
            Err(error) => {
                scores.push(None);
                errors.push(if models.len() > 1 { format!("{label}: {error}") } else { error });
            }
        }
    }
    Scored { scores, error: (!errors.is_empty()).then(|| errors.join("; ")) }
}

fn against(
    scorer: &Scorer,
    place: usize,
    image: &RgbImage,
    reference: &mut Reference,
) -> Result<iqa_models::Score, ModelError> {
    let Some(prepared) = &mut reference.prepared else { return scorer.score_pair(image, &reference.image) };
    let prepared = match &mut prepared[place] {
        Some(prepared) => prepared,
        none => none.insert(scorer.prepare(&reference.image)?),
    };
    scorer.score_prepared(image, prepared)
}
