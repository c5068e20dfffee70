//! `iqa models`: what there is to score with.

use std::error::Error;
use std::fmt::Write as _;

use clap::Args;
use iqa_models::nn::WeightSource;
use iqa_models::{Device, ModelInfo, ReferenceNeed, ScoreSpec, Scorer, model_by_name, models};
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
            say!("{}", Described::of(info).json());
        }
    } else if options.name.is_some() {
        say!("{}", Described::of(listed[0]).text());
    } else {
        say!("{}", table(&listed));
    }
    Ok(())
}

/// A model, and of one that needs no file the rest.
struct Described {
    info: &'static ModelInfo,
    /// What is known once it is open.
    open: Option<(ScoreSpec, (u32, u32))>,
}

impl Described {
    fn of(info: &'static ModelInfo) -> Self {
        let open = info.is_bundled().then(|| Scorer::new(info.name, &Device::flex()).ok()).flatten();
        Self { info, open: open.map(|scorer| (scorer.spec(), scorer.model().minimum_size())) }
    }

    fn reference(&self) -> &'static str {
        match self.info.reference {
            ReferenceNeed::FullReference => "full",
            ReferenceNeed::NoReference => "none",
        }
    }

    fn weights(&self) -> &'static str {
        match self.info.weights() {
            None => "a formula",
            Some(WeightSource::Bundled(..)) => "bundled",
            Some(WeightSource::Partly(..)) => "in part, on a backbone from the cache",
            Some(WeightSource::File(_)) => "give --weights",
        }
    }

    fn scale(&self) -> String {
        let Some((spec, _)) = self.open else { return "that of the weights".into() };
        let (low, high) = spec.range;
        format!("{low} to {high}, {}", spec.direction)
    }

    fn text(&self) -> String {
        let Self { info, open } = self;
        let mut text = format!("{}\n", info.name);
        let mut line = |what: &str, value: &str| {
            let _ = writeln!(text, "  {what:<10} {value}");
        };
        line("reference", self.reference());
        line("score", &self.scale());
        if let Some((_, (width, height))) = open {
            line("smallest", &format!("{width}x{height} pixels"));
        }
        line("weights", self.weights());
        if let Some(WeightSource::File(origin)) = info.weights() {
            line("", origin);
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

    fn json(&self) -> Value {
        let Self { info, open } = self;
        let end = |end: f64| if end.is_finite() { json!(end) } else { Value::Null };
        json!({
            "name": info.name,
            "reference": self.reference(),
            "direction": open.map(|(spec, _)| spec.direction.as_str()),
            "range": open.map(|(spec, _)| [end(spec.range.0), end(spec.range.1)]),
            "minimum_size": open.map(|(_, (width, height))| [width, height]),
            "weights": self.weights(),
            "bundled": info.is_bundled(),
            "paper": info.paper,
            "licence": info.licence(),
            "training_data": info.training_data().iter().map(|source| source.name).collect::<Vec<_>>(),
            "options": info.options.iter().map(|option| (option.name, option.help)).collect::<Vec<_>>(),
        })
    }
}

fn table(listed: &[&'static ModelInfo]) -> String {
    let mut text = format!("{:<26} {:<10} {:<40} {}", "model", "reference", "score", "weights");
    for info in listed {
        let described = Described::of(info);
        let _ = write!(
            text,
            "\n{:<26} {:<10} {:<40} {}",
            info.name,
            described.reference(),
            described.scale(),
            described.weights()
        );
    }
    text
}
