//! A run that diverges is stopped before its numbers reach a file.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use iqa_nn::ScoreError;

use crate::error::TrainError;

/// Looks at the numbers of a step.
pub(crate) struct Check {
    /// The step, from 0.
    pub(crate) step: usize,
    /// The learning rate that the schedule starts from.
    pub(crate) learning_rate: f64,
}

impl Check {
    pub(crate) fn finite(&self, what: &'static str, value: f64) -> Result<(), TrainError> {
        if value.is_finite() { Ok(()) } else { Err(self.diverged(what, value)) }
    }

    /// Weights that are not finite may give a loss that is: a ReLU on the CPU takes NaN for 0.
    pub(crate) fn weights(&self, model: &impl Module) -> Result<(), TrainError> {
        struct NonFinite(Option<f64>);
        impl ModuleVisitor for NonFinite {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                if self.0.is_none() {
                    self.0 = param.val().into_data().iter::<f64>().find(|value| !value.is_finite());
                }
            }
        }
        let mut found = NonFinite(None);
        model.visit(&mut found);
        found.0.map_or(Ok(()), |value| Err(self.diverged("a weight", value)))
    }

    /// What losses and scorers that refuse such scores themselves say of them, with the step.
    pub(crate) fn scores<T>(&self, result: Result<T, TrainError>) -> Result<T, TrainError> {
        result.map_err(|error| match error {
            TrainError::NonFinitePrediction { value, .. }
            | TrainError::Score(ScoreError::NonFiniteScore { value }) => self.diverged("a score", value),
            other => other,
        })
    }

    fn diverged(&self, what: &'static str, value: f64) -> TrainError {
        let Self { step, learning_rate } = *self;
        TrainError::NonFiniteLoss { step, what, value, learning_rate }
    }
}
