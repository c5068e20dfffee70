//! Sessions with all functions: in this process, of a cluster, and of the parts of a cluster.

use std::sync::Arc;

use ballista::extension::{SessionConfigExt, SessionContextExt};
use ballista_core::config::BALLISTA_SCHEDULER_MAX_PARTITIONS_PER_TASK;
use ballista_core::registry::BallistaFunctionRegistry;
use datafusion::error::Result;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::register;

/// How much of a table is taken at once.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Parts of a table that are scored side by side; of a cluster the parts that its executors are given one by one. A part
    /// has a row group of a Parquet file or more.
    pub partitions: usize,
    /// Rows that a part has in memory at a time, with the contents of their pictures.
    pub batch: usize,
}

/// A session that computes in this process. Parquet files may be named as tables: `FROM 'scores.parquet'`.
///
/// # Errors
/// As DataFusion, of the settings.
pub fn embedded(sizes: Sizes) -> Result<SessionContext> {
    let config = sized(SessionConfig::new().with_information_schema(true), sizes);
    let config = with_stores(config);
    let context = SessionContext::new_with_config_rt(config.clone(), runtime(&config)?).enable_url_table();
    register(&context);
    Ok(context)
}

/// A session of a cluster, whose scheduler is at `df://HOST:PORT`.
///
/// # Errors
/// As Ballista, of the URL; the scheduler itself is asked with the first query.
pub async fn cluster(url: &str, sizes: Sizes) -> Result<SessionContext> {
    // A task of a part each: what is done again where an executor is lost, and what one that joins takes.
    let config = sized(executor_config(), sizes).set_usize(BALLISTA_SCHEDULER_MAX_PARTITIONS_PER_TASK, 1);
    let context = SessionContext::remote_with_state(url, state(config)?).await?.enable_url_table();
    // Ballista takes the functions of the state away.
    register(&context);
    Ok(context)
}

fn sized(config: SessionConfig, sizes: Sizes) -> SessionConfig {
    config.with_target_partitions(sizes.partitions).with_batch_size(sizes.batch)
}

/// The settings that an executor and a scheduler begin with; those of a query come with it.
pub fn executor_config() -> SessionConfig {
    with_stores(SessionConfig::new_with_ballista())
}

/// A state with all functions, to be a scheduler's.
///
/// # Errors
/// As DataFusion, of the settings.
pub fn state(config: SessionConfig) -> Result<SessionState> {
    let runtime = runtime(&config)?;
    let state =
        SessionStateBuilder::new().with_config(config).with_runtime_env(runtime).with_default_features();
    let context = SessionContext::new_with_state(state.build());
    register(&context);
    Ok(context.state())
}

/// All functions, to be an executor's.
///
/// # Errors
/// As [`state`].
pub fn functions() -> Result<Arc<BallistaFunctionRegistry>> {
    Ok(Arc::new((&state(executor_config())?).into()))
}

/// Where files come from, by the settings: with the feature `s3` from S3 and HTTP too.
///
/// # Errors
/// As DataFusion, of the settings.
#[cfg(feature = "s3")]
pub fn runtime(config: &SessionConfig) -> Result<Arc<RuntimeEnv>> {
    ballista_core::object_store::runtime_env_with_s3_support(config)
}

/// Where files come from: with the feature `s3` from S3 and HTTP too.
///
/// # Errors
/// As DataFusion, of the settings.
#[cfg(not(feature = "s3"))]
pub fn runtime(_: &SessionConfig) -> Result<Arc<RuntimeEnv>> {
    datafusion::execution::runtime_env::RuntimeEnvBuilder::new().build_arc()
}

#[cfg(feature = "s3")]
fn with_stores(config: SessionConfig) -> SessionConfig {
    config.with_option_extension(ballista_core::object_store::S3Options::default())
}

#[cfg(not(feature = "s3"))]
fn with_stores(config: SessionConfig) -> SessionConfig {
    config
}
