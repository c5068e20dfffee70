//! `iqa-sql`: image quality in SQL.

use std::error::Error;
use std::io::{BufRead, IsTerminal, Read, Write};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use datafusion::prelude::SessionContext;
use iqa_datafusion::session::{Sizes, cluster, embedded};
use iqa_datafusion::shell::{Format, run};

/// Image quality in SQL: in this process, or on a cluster
///
/// Reads statements, which end with semicolons, from standard input, or takes them by --command. Functions: iqa_score,
/// iqa_scores, iqa_error and iqa_identity of pictures; the aggregates srcc, plcc and krcc; the table iqa_pairs.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
struct Options {
    /// Statements to run, instead of those of standard input.
    #[arg(short, long)]
    command: Option<String>,
    /// Form of the tables.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// The scheduler of a cluster, df://HOST:PORT; without one the queries are computed in this process.
    #[arg(long)]
    scheduler: Option<String>,
    /// Threads that score side by side [default: as many as there are cores].
    #[arg(long, conflicts_with = "scheduler")]
    threads: Option<usize>,
    /// Parts that a table is divided into for a cluster's executors, which take them one by one; a part has a row group of a Parquet
    /// file at least [default: 64].
    #[arg(long, requires = "scheduler")]
    partitions: Option<usize>,
    /// Rows that a thread has in memory at a time, with the contents of their pictures.
    #[arg(long, default_value_t = 32)]
    batch: usize,
    /// Say on standard error how long the statements took.
    #[arg(long)]
    time: bool,
}

const EXAMPLES: &str = "Examples:
  iqa-sql -c \"SELECT path, iqa_score('wadiqam_nr', content) AS score FROM 'pictures.parquet'\"
  iqa-sql -c \"SELECT *, iqa_scores('psnr,vsi', distorted, reference) AS s FROM iqa_pairs('restored/', 'originals/')\"
  iqa-sql -c \"SELECT srcc(wadiqam_fr, mos), plcc(wadiqam_fr, mos) FROM 'scores.parquet' JOIN 'mos.csv' USING (path)\"";

fn main() -> ExitCode {
    let options = Options::parse();
    match start(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            note(format_args!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// A line on standard error, where that is still open.
fn note(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn start(options: &Options) -> Result<(), Box<dyn Error>> {
    let threads = match options.threads {
        Some(threads) => threads.max(1),
        None => std::thread::available_parallelism()?.get(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    runtime.block_on(async {
        let batch = options.batch.max(1);
        let context = match &options.scheduler {
            Some(url) => {
                cluster(url, Sizes { partitions: options.partitions.unwrap_or(64).max(1), batch }).await?
            }
            None => embedded(Sizes { partitions: threads, batch })?,
        };
        match &options.command {
            Some(statements) => timed(&context, statements, options).await,
            None if std::io::stdin().is_terminal() => talk(&context, options).await,
            None => {
                let mut statements = String::new();
                std::io::stdin().read_to_string(&mut statements)?;
                timed(&context, &statements, options).await
            }
        }
    })
}

async fn timed(context: &SessionContext, statements: &str, options: &Options) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    run(context, statements, options.format, &mut std::io::stdout().lock()).await?;
    if options.time {
        note(format_args!("{:.3} s", start.elapsed().as_secs_f64()));
    }
    Ok(())
}

/// Line by line; an error ends its statement alone.
async fn talk(context: &SessionContext, options: &Options) -> Result<(), Box<dyn Error>> {
    let mut statements = String::new();
    let mut prompt = "iqa> ";
    loop {
        write!(std::io::stderr(), "{prompt}")?;
        if std::io::stdin().lock().read_line(&mut statements)? == 0 {
            return Ok(());
        }
        prompt = "   > ";
        if statements.trim().is_empty() || statements.trim_end().ends_with(';') {
            if let Err(error) = timed(context, &statements, options).await {
                note(format_args!("error: {error}"));
            }
            statements.clear();
            prompt = "iqa> ";
        }
    }
}
