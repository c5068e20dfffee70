//! Image quality in SQL, on [DataFusion](https://datafusion.apache.org) and, spread over machines, on
//! [Ballista](https://datafusion.apache.org/ballista).
//!
//! [`register`] adds to a session of yours:
//!
//! | function | gives |
//! |---|---|
//! | `iqa_score(model, distorted [, reference])` | the score, a double; NULL of a bad picture |
//! | `iqa_error(model, distorted [, reference])` | why there is no score, NULL where there is one |
//! | `iqa_identity(model [, distorted [, reference]])` | what the scores depend on besides the pictures: weights, number type, device |
//! | `iqa_scores(models, distorted [, reference])` | a struct: a double a model, `error` and `identity`; each picture is decoded once |
//! | `iqa_read(path)` | the content of a file, NULL where it cannot be read |
//! | `srcc(score, mos)`, `plcc`, `krcc` | aggregates: agreement with opinions, as `iqa evaluate` has it |
//! | `iqa_pairs('distorted/' [, 'references/'])` | a table of the columns `distorted` and `reference` |
//!
//! A model is a constant text, `NAME` or `NAME=FILE` with the weights of a file; several stand with commas. Pictures are columns of
//! contents (binary), or of paths or URLs (text). A model is opened once a process. A query that asks for several of these
//! functions of one picture in one SELECT scores it once. Where a query is planned the identity of its models becomes part of it: a machine
//! with other weights refuses, and rows of different weights are never mixed.
//!
//! ```
//! # tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
//! use datafusion::prelude::SessionContext;
//! let context = SessionContext::new();
//! iqa_datafusion::register(&context);
//! let table = context.sql("SELECT iqa_error('psnr', 'none.png', 'none.png') AS why").await?.collect().await?;
//! assert_eq!(table[0].num_rows(), 1);
//! # Ok::<(), datafusion::error::DataFusionError>(()) }).expect("a table");
//! ```
//!
//! [`session`] has sessions as the programs `iqa-sql`, `iqa-scheduler` and `iqa-executor` use them.

mod aggregates;
mod content;
mod error;
mod field;
mod functions;
mod models;
mod pairs;
mod pictures;
mod remote;
mod score;
pub mod session;
pub mod shell;
mod threads;

use std::sync::Arc;

use datafusion::prelude::SessionContext;

pub use error::SqlError;

/// Adds all functions to a session.
pub fn register(context: &SessionContext) {
    for function in functions::picture_functions() {
        context.register_udf(function);
    }
    context.register_udf(content::read_function());
    context.register_udf(field::field_function());
    for function in aggregates::aggregate_functions() {
        context.register_udaf(function);
    }
    context.register_udtf(pairs::NAME, Arc::new(pairs::PairsFunction));
}
