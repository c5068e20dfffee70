//! `iqa-scheduler`: the scheduler of a cluster.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use ballista_core::config::TaskSchedulingPolicy;
use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::config::SchedulerConfig;
use ballista_scheduler::scheduler_process::start_server;
use clap::Parser;
use iqa_datafusion::session::{executor_config, state};

/// The scheduler of a cluster: takes queries of iqa-sql, divides them, and gives the parts to executors that ask
///
/// Nothing is encrypted, and nobody is asked who they are: for a network of your own. GET /healthz and /readyz on the same port say
/// whether it runs, and whether an executor is there.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Address to listen on; 0.0.0.0:50050 for other machines.
    #[arg(long, default_value = "127.0.0.1:50050")]
    bind: SocketAddr,
    /// Seconds after which an executor that is not heard of is lost, and its parts are given to others. Executors ask every 5
    /// seconds at least.
    #[arg(long, default_value_t = 20)]
    executor_timeout: u64,
    /// Messages of this level and above on standard error: error, warn, info, debug; or as RUST_LOG has it.
    #[arg(long, default_value = "warn")]
    log: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    env_logger::Builder::new().parse_filters(&options.log).init();
    let config = SchedulerConfig {
        bind_host: options.bind.ip().to_string(),
        bind_port: options.bind.port(),
        scheduling_policy: TaskSchedulingPolicy::PullStaged,
        executor_timeout_seconds: options.executor_timeout,
        expire_dead_executor_interval_seconds: options.executor_timeout.div_ceil(4),
        no_executors_grace_period_seconds: options.executor_timeout.max(60),
        override_config_producer: Some(Arc::new(executor_config)),
        override_session_builder: Some(Arc::new(state)),
        ..SchedulerConfig::default()
    };
    // Plans are trees, and are walked by recursion.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().thread_stack_size(32 << 20).enable_all().build()?;
    runtime.block_on(async {
        let cluster = BallistaCluster::new_from_config(&config).await?;
        Ok(start_server(cluster, options.bind, Arc::new(config)).await?)
    })
}
