//! Evaluations that can be done with the data and weights at hand.

use std::error::Error;
use std::path::{Path, PathBuf};

use crate::terminal::Terminal;
use iqa_models::datasets::{DataSet, Strictness};
use iqa_models::evaluate::{ReportConfig, evaluate};
use iqa_models::{Device, Scorer};

use crate::reproduce::catalogue::{Entry, Evaluation, Images, Ours, Row};
use crate::reproduce::results::folders;
use crate::reproduce::text;

/// Evaluates what can be, and says of the rest what it lacks.
pub(crate) fn run(entry: &Entry, data: &Path, results: &Path, device: &Device) -> Result<(), Box<dyn Error>> {
    for row in &entry.rows {
        let evaluation = match &row.ours {
            Ours::Nothing(needs) => {
                say!("{}: needs {needs}", row.label);
                continue;
            }
            Ours::Evaluation(evaluation) | Ours::Training(_, evaluation) => evaluation,
        };
        if let Some(missing) = missing(evaluation, data) {
            say!("{}: {missing}", row.label);
            continue;
        }
        for (folder, seed) in folders(entry, row, results).iter().zip(1..) {
            let weights = weights(row, evaluation, data, results, seed);
            if let Some(weights) = weights.as_ref().filter(|path| !path.exists()) {
                say!("{}: {} is missing", row.label, weights.display());
                if let Ours::Training(training, _) = &row.ours {
                    let mut runs = Vec::new();
                    text::in_order(training, &mut runs);
                    for training in runs {
                        let data = data.display().to_string();
                        say!("  {}", text::train(training, &data, results, &seed.to_string()));
                    }
                }
                continue;
            }
            let set = open(evaluation, data, seed)?;
            let patches = evaluation.patches.map(|patches| (patches.to_string(), seed.to_string()));
            let patches =
                patches.as_ref().map(|(patches, seed)| [("patches", patches.as_str()), ("seed", seed)]);
            let options = patches.as_ref().map_or(&[][..], |patches| patches);
            let (weights, terminal) = (weights.as_deref(), Terminal::new());
            let model = Scorer::open_observed(&evaluation.model, weights, options, device, &terminal)?;
            let done = evaluate(model.model(), &set, folder, None, &ReportConfig::default(), &terminal)?;
            remark!(
                "{}: {} images scored in {:.1} s, {} found in {}",
                row.label,
                done.scored,
                done.seconds,
                done.found,
                folder.display()
            );
        }
    }
    Ok(())
}

/// What an evaluation needs and is not there.
fn missing(evaluation: &Evaluation, data: &Path) -> Option<String> {
    let folder = data.join(&evaluation.folder);
    (!folder.is_dir()).then(|| format!("{} is missing", folder.display()))
}

/// The file of weights; `None` for the bundled ones.
fn weights(row: &Row, evaluation: &Evaluation, data: &Path, results: &Path, seed: u64) -> Option<PathBuf> {
    match &row.ours {
        Ours::Training(training, _) => {
            Some(text::run_folder(training, results, &seed.to_string()).join(&training.weights))
        }
        _ => evaluation.weights.as_ref().map(|file| data.join("weights").join(file)),
    }
}

fn open(evaluation: &Evaluation, data: &Path, seed: u64) -> Result<DataSet, Box<dyn Error>> {
    let strictness = if evaluation.lenient { Strictness::Lenient } else { Strictness::Strict };
    let set = DataSet::open(evaluation.set, &data.join(&evaluation.folder), strictness)?;
    Ok(match &evaluation.images {
        Images::All => set,
        Images::References(ids) => {
            let listed = |id: &String| ids.contains(id);
            set.filtered(|sample| sample.reference_id.as_ref().is_some_and(listed))?
        }
        Images::Test(preset) => set.part(preset.first(&set, seed)?.test())?,
    })
}
