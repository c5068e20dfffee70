//! A scheduler and executors as processes on the loopback interface.

mod common;

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Pictures, attempt, doubles, query, same, session, texts};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::SessionContext;
use iqa_datafusion::session::{Sizes, cluster};
use tempfile::TempDir;

/// Processes that end with their test.
struct Cluster {
    logs: TempDir,
    scheduler: String,
    children: Vec<Child>,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("binds").local_addr().expect("an address").port()
}

impl Cluster {
    /// A scheduler that misses an executor after eight seconds, and executors of a thread each.
    fn new(executors: usize) -> Self {
        let scheduler = format!("127.0.0.1:{}", free_port());
        let mut cluster =
            Self { logs: tempfile::tempdir().expect("a folder"), scheduler, children: Vec::new() };
        let arguments = ["--bind", &cluster.scheduler.clone(), "--executor-timeout", "8", "--log", "info"];
        cluster.start(env!("CARGO_BIN_EXE_iqa-scheduler"), &arguments);
        let start = Instant::now();
        while TcpStream::connect(&cluster.scheduler).is_err() {
            assert!(start.elapsed() < Duration::from_secs(60), "the scheduler listens");
            std::thread::sleep(Duration::from_millis(20));
        }
        for _ in 0..executors {
            cluster.join();
        }
        cluster
    }

    fn start(&mut self, program: &str, arguments: &[&str]) {
        let log = File::create(self.log(self.children.len())).expect("a file");
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("starts");
        self.children.push(child);
    }

    /// One executor more; its number.
    fn join(&mut self) -> usize {
        let (port, scheduler) = (free_port().to_string(), self.scheduler.clone());
        // One that is killed removes nothing.
        let work = self.logs.path().join(&port).display().to_string();
        let arguments = [
            "--scheduler",
            &*scheduler,
            "--port",
            &*port,
            "--threads",
            "1",
            "--work",
            &*work,
            "--log",
            "info",
        ];
        self.start(env!("CARGO_BIN_EXE_iqa-executor"), &arguments);
        self.children.len() - 1
    }

    fn log(&self, process: usize) -> PathBuf {
        self.logs.path().join(format!("{process}.log"))
    }

    /// Tasks that an executor has been given.
    fn tasks(&self, executor: usize) -> usize {
        std::fs::read_to_string(self.log(executor)).expect("reads").matches("Received task").count()
    }

    /// Without mercy: SIGKILL.
    fn kill(&mut self, executor: usize) {
        self.children[executor].kill().expect("kills");
        self.children[executor].wait().expect("has ended");
    }

    /// As a cluster's manager does: SIGTERM.
    #[cfg(unix)]
    fn ask_to_end(&self, executor: usize) {
        let id = self.children[executor].id().to_string();
        let status = Command::new("kill").args(["-TERM", &id]).status().expect("`kill` is there");
        assert!(status.success());
    }

    async fn session(&self, partitions: usize) -> SessionContext {
        cluster(&format!("df://{}", self.scheduler), Sizes { partitions, batch: 4 }).await.expect("a session")
    }

    /// Waits until something is so.
    async fn until(&self, what: &str, so: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !so(self) {
            assert!(start.elapsed() < Duration::from_secs(60), "{what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

const SCORED: &str = "SELECT path, iqa_score('MODEL', distorted, reference) AS score,
    iqa_error('MODEL', distorted, reference) AS why, iqa_identity('MODEL', distorted, reference) AS identity
    FROM 'TABLE' ORDER BY path";

fn scored(model: &str, table: &str) -> String {
    SCORED.replace("MODEL", model).replace("TABLE", table)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_gives_the_table_of_one_process() {
    let pictures = Pictures::new(40, 48);
    std::fs::write(pictures.file("dist/0005.jpg"), "no picture").expect("writes");
    let table = pictures.contents(4).await;
    let cluster = Cluster::new(2);
    let context = cluster.session(8).await;
    for statement in [
        scored("wadiqam_fr", &table),
        format!("SELECT srcc(a, b) AS s, plcc(a, b) AS p FROM (SELECT iqa_score('psnr', distorted, reference) AS a,
            iqa_score('ssim', distorted, reference) AS b FROM '{table}')"),
        // Files by their paths, and the table function.
        format!(
            "SELECT distorted, iqa_scores('psnr,vsi', distorted, reference) AS s FROM iqa_pairs('{}', '{}') ORDER BY distorted",
            pictures.path("dist"), pictures.path("ref")
        ),
    ] {
        let one = query(&session(2, 8), &statement).await;
        let many = query(&context, &statement).await;
        // As text, whose numbers have all their digits: a cluster's texts are of another Arrow type.
        let printed = |table| pretty_format_batches(&[table]).expect("prints").to_string();
        assert_eq!(printed(one), printed(many), "{statement}");
    }
    assert!(cluster.tasks(1) > 0 && cluster.tasks(2) > 0);
    // A query that cannot be done is told, and the cluster goes on.
    let statement = format!("SELECT iqa_score('wadiqam_nr=none.safetensors', distorted) FROM '{table}'");
    let error = attempt(&context, &statement);
    let error = error.await.expect_err("no weights").to_string();
    assert!(error.contains("none.safetensors"), "{error}");
    let again = query(&context, &format!("SELECT count(*) AS n FROM '{table}'")).await;
    assert_eq!(again.num_rows(), 1);
}

/// The scores of 96 pairs by two executors, the first of which is made to end in the middle while a third joins: nothing is lost, and
/// nothing double.
async fn one_ends_in_the_middle(end: impl FnOnce(&mut Cluster, usize)) -> Cluster {
    let pictures = Pictures::new(96, 160);
    let table = pictures.contents(4).await;
    let mut cluster = Cluster::new(2);
    let context = cluster.session(24).await;
    let statement = scored("wadiqam_fr", &table);
    let running = tokio::spawn(async move { query(&context, &statement).await });
    cluster.until("both work", |cluster| (1..3).all(|executor| cluster.tasks(executor) >= 3)).await;
    end(&mut cluster, 1);
    let joined = cluster.join();
    cluster.until("the new one works", |cluster| cluster.tasks(joined) > 0).await;
    assert!(!running.is_finished(), "ended in the middle");
    let found: RecordBatch = running.await.expect("ends");
    let paths = texts(&found, "path");
    let expected: Vec<_> =
        (0..96).map(|index| Some(pictures.path(&format!("dist/{index:04}.jpg")))).collect();
    assert_eq!(paths, expected);
    let expected: Vec<Option<f64>> =
        pictures.scores(&["wadiqam_fr"]).iter().map(|scores| scores[0]).collect();
    assert!(same(&doubles(&found, "score"), &expected));
    cluster
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_executor_that_is_killed_loses_and_doubles_nothing_and_one_that_joins_takes_work() {
    one_ends_in_the_middle(Cluster::kill).await;
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_executor_that_is_asked_to_end_loses_nothing_either_and_ends_well() {
    let mut cluster = one_ends_in_the_middle(|cluster, executor| cluster.ask_to_end(executor)).await;
    let status = cluster.children[1].wait().expect("ends");
    assert!(status.success(), "{status}");
}
