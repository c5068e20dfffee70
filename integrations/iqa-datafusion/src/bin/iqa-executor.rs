//! `iqa-executor`: one that scores, of a cluster.

use std::error::Error;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use ballista_core::config::TaskSchedulingPolicy;
use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use clap::Parser;
use iqa_datafusion::session::{executor_config, functions, runtime};

/// Scores for a cluster: asks its scheduler for parts of queries
///
/// Models open with the weights of this program and of this machine's cache. On SIGTERM it ends what it has begun, and takes no
/// more.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// The scheduler, HOST:PORT.
    #[arg(long, default_value = "127.0.0.1:50050")]
    scheduler: String,
    /// Seconds to wait for the scheduler.
    #[arg(long, default_value_t = 60)]
    wait: u16,
    /// Address to listen on; 0.0.0.0 for other machines.
    #[arg(long, default_value = "127.0.0.1")]
    bind: IpAddr,
    /// Port where results are fetched, by other executors and by iqa-sql.
    #[arg(long, default_value_t = 50051)]
    port: u16,
    /// Name or address that the others find this machine by [default: the one that the scheduler sees].
    #[arg(long)]
    host: Option<String>,
    /// Pictures that are scored side by side, each on a thread [default: as many as there are cores].
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    threads: usize,
    /// Folder of results until they are fetched [default: one that is removed at the end].
    #[arg(long)]
    work: Option<PathBuf>,
    /// Messages of this level and above on standard error: error, warn, info, debug; or as RUST_LOG has it.
    #[arg(long, default_value = "warn")]
    log: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    env_logger::Builder::new().parse_filters(&options.log).init();
    let (scheduler_host, scheduler_port) =
        options.scheduler.rsplit_once(':').ok_or("--scheduler: expected HOST:PORT")?;
    let temporary = tempfile::Builder::new().prefix("iqa-executor-").tempdir()?;
    let work = options.work.unwrap_or_else(|| temporary.path().into());
    let config = ExecutorProcessConfig {
        bind_host: options.bind.to_string(),
        external_host: options.host,
        port: options.port,
        scheduler_host: scheduler_host.into(),
        scheduler_port: scheduler_port.parse()?,
        scheduler_connect_timeout_seconds: options.wait,
        vcores: options.threads,
        task_scheduling_policy: TaskSchedulingPolicy::PullStaged,
        work_dir: Some(work.to_str().ok_or("--work: expected a name in UTF-8")?.into()),
        override_function_registry: Some(functions()?),
        override_config_producer: Some(Arc::new(executor_config)),
        override_runtime_producer: Some(Arc::new(runtime)),
        ..ExecutorProcessConfig::default()
    };
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    Ok(tokio.block_on(start_executor_process(Arc::new(config)))?)
}
