//! `iqa models`: what there is to score with.

use std::error::Error;
use std::fmt::Write as _;

use clap::Args;
use iqa_models::nn::{Accuracy, WeightSource};
use iqa_models::{Device, ModelInfo, ReferenceNeed, Scorer, model_by_name, models};
use serde_json::{Value, json};

/// Lists the models, or says all about one
#[derive(Args)]
#[command(after_help = "Examples:\n  iqa models\n  iqa models wadiqam_fr\n  iqa models --json")]
pub(crate) struct Options {
    /// One of them.
    name: Option<String>,
    /// As JSON, one object a model.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let listed: Vec<&ModelInfo> = match &options.name {
        Some(name) => vec![model_by_name(name)?],
        None => models().collect(),
    };
    if options.json {
        for info in listed {
            say!("{}", json(info));
        }
    } else if options.name.is_some() {
        say!("{}", text(listed[0]));
    } else {
        say!("{}", table(&listed));
    }
    Ok(())
}

fn reference(info: &ModelInfo) -> &'static str {
    match info.reference {
        ReferenceNeed::FullReference => "full",
        ReferenceNeed::NoReference => "none",
    }
}

fn weights(info: &ModelInfo) -> &'static str {
    match info.weights() {
        None => "a formula",
        Some(WeightSource::Bundled(..)) => "bundled",
        Some(WeightSource::Partly(..)) => "in part, on a backbone from the cache",
        Some(WeightSource::File(_)) => "give --weights",
    }
}

fn scale(info: &ModelInfo) -> String {
    let Some((direction, (low, high))) = info.scale else { return "that of the weights".into() };
    format!("{low} to {high}, {}", direction.as_str().replace('_', " "))
}

/// Its width and height, for a model that needs no file.
fn smallest(info: &ModelInfo) -> Option<(u32, u32)> {
    let scorer = info.is_bundled().then(|| Scorer::new(info.name, &Device::flex()).ok()).flatten();
    scorer.map(|scorer| scorer.model().minimum_size())
}

fn text(info: &ModelInfo) -> String {
    let mut text = format!("{}\n", info.name);
    let mut line = |what: &str, value: &str| {
        let _ = writeln!(text, "  {what:<10} {value}");
    };
    line("reference", reference(info));
    line("score", &scale(info));
    if let Some((width, height)) = smallest(info) {
        line("smallest", &format!("{width}x{height} pixels"));
    }
    line("weights", weights(info));
    if let Some(WeightSource::File(origin)) = info.weights() {
        line("", origin);
    }
    for Accuracy { set, srcc, plcc } in info.accuracy {
        line("agreement", &format!("{set}: SRCC {srcc:.3}, PLCC {plcc:.3}"));
    }
    line("paper", info.paper);
    line("licence", info.licence().unwrap_or("that of the weights"));
    for source in info.training_data() {
        line("learned", &format!("{}: {}", source.name, source.terms));
    }
    for option in info.options {
        line("option", &format!("{}: {}", option.name, option.help));
    }
    text.trim_end().into()
}

fn json(info: &ModelInfo) -> Value {
    json!({
        "name": info.name,
        "reference": reference(info),
        "direction": info.scale.map(|(direction, _)| direction.as_str()),
        "range": info.scale.map(|(_, (low, high))| [low, high]),
        "minimum_size": smallest(info).map(|(width, height)| [width, height]),
        "weights": weights(info),
        "bundled": info.is_bundled(),
        "accuracy": info
            .accuracy
            .iter()
            .map(|Accuracy { set, srcc, plcc }| json!({ "set": set, "srcc": srcc, "plcc": plcc }))
            .collect::<Vec<_>>(),
        "paper": info.paper,
        "licence": info.licence(),
        "training_data": info.training_data().iter().map(|source| source.name).collect::<Vec<_>>(),
        "options": info.options.iter().map(|option| (option.name, option.help)).collect::<Vec<_>>(),
    })
}

/// A row a model, with the columns as wide as what is in them.
fn table(listed: &[&ModelInfo]) -> String {
    let header = ["model", "reference", "score", "weights", "SRCC", "licence", "paper"].map(Into::into);
    let rows = listed.iter().map(|info| {
        let accuracy = info.accuracy.iter().map(|Accuracy { set, srcc, .. }| format!("{set} {srcc:.3}"));
        let weights = match info.weights() {
            Some(WeightSource::Partly(..)) => "from the cache",
            _ => weights(info),
        };
        let licence = match info.weights() {
            _ if info.is_for_research() => "for research",
            Some(WeightSource::Partly(..)) => "see `models NAME`",
            _ => info.licence().unwrap_or("that of the weights"),
        };
        [
            info.name.into(),
            reference(info).into(),
            scale(info),
            weights.into(),
            accuracy.collect::<Vec<_>>().join(", "),
            licence.split(',').next().unwrap_or(licence).into(),
            info.paper.into(),
        ]
    });
    let rows: Vec<[String; 7]> = std::iter::once(header).chain(rows).collect();
    let mut widths = [0; 7];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; 7]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}
