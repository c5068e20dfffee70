//! The one error type of this crate.

use datafusion::error::DataFusionError;
use iqa_models::ModelError;
use iqa_models::core::CoreError;
use iqa_models::metrics::MetricsError;
use thiserror::Error;

/// What can go wrong with a query, beside what DataFusion says. A bad picture is none of it: its row says why.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SqlError {
    /// A function is called with other arguments than it takes.
    #[error("{function}: {what}")]
    Arguments {
        /// The function.
        function: &'static str,
        /// What was expected and found.
        what: String,
    },
    /// A model cannot be opened here.
    #[error("model `{label}`: {source}")]
    Model {
        /// The model, as the query names it.
        label: String,
        /// Why.
        #[source]
        source: ModelError,
    },
    /// A query was planned where the models have other weights than here.
    #[error("models `{list}`: the query is of weights `{asked}`, and this machine has `{here}`")]
    OtherIdentity {
        /// The models, as the query names them.
        list: String,
        /// Their identity where the query was planned.
        asked: String,
        /// Their identity here.
        here: String,
    },
    /// A folder of pictures cannot be read.
    #[error(transparent)]
    Folder(#[from] CoreError),
    /// A correlation of scores that has no value.
    #[error("{function}: {source}")]
    Correlation {
        /// The function.
        function: &'static str,
        /// Why.
        #[source]
        source: MetricsError,
    },
    /// Threads to score on could not be started.
    #[error("no thread to score on: {0}")]
    Threads(String),
}

impl From<SqlError> for DataFusionError {
    fn from(error: SqlError) -> Self {
        Self::External(Box::new(error))
    }
}

/// [`SqlError::Arguments`].
pub(crate) fn arguments(function: &'static str, what: impl Into<String>) -> SqlError {
    SqlError::Arguments { function, what: what.into() }
}
