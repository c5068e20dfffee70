//! Entries as Markdown.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::reproduce::RESULTS;
use crate::reproduce::catalogue::{Entry, Ours, Published, Summary, Training, papers};
use crate::reproduce::results::{Found, State};

/// Where a run of `iqa train` writes.
pub(crate) fn run_folder(training: &Training, results: &Path, seed: &str) -> PathBuf {
    results.join("runs").join(&training.run).join(format!("seed-{seed}"))
}

/// The command that trains.
pub(crate) fn train(training: &Training, data: &str, results: &Path, seed: &str) -> String {
    let Training { recipe, files, after, set, split, with, weights: _, .. } = training;
    let mut command = format!("iqa train {recipe}");
    for (option, file) in files {
        let _ = write!(command, " --{option} {data}/weights/{file}");
    }
    for (option, before) in after {
        let file = run_folder(before, results, seed).join(&before.weights);
        let _ = write!(command, " --{option} {}", file.display());
    }
    if with.is_empty() {
        let _ = write!(command, " --set {0} --root {data}/{0} --split {split}", set.name());
    }
    for set in std::iter::once(set).chain(with).filter(|_| !with.is_empty()) {
        let _ = write!(command, " --source 'set={0};root={data}/{0};split={split}'", set.name());
    }
    let _ = write!(command, " --seed {seed} --output {}", run_folder(training, results, seed).display());
    command
}

/// Runs in the order in which they are to be done: a run behind those that it goes on from.
pub(crate) fn in_order<'a>(training: &'a Training, found: &mut Vec<&'a Training>) {
    training.after.values().for_each(|before| in_order(before, found));
    if found.iter().all(|known| known.run != training.run) {
        found.push(training);
    }
}

/// The whole document.
pub(crate) fn document(results: &Path) -> Result<String, Box<dyn Error>> {
    let mut text = String::from(HEAD);
    for paper in papers()? {
        let _ = write!(text, "\n## {}\n\n| id | where | what | state |\n|---|---|---|---|\n", paper.title);
        for entry in &paper.entries {
            let state = State::of(entry, results)?.name();
            let place = entry.place.as_deref().unwrap_or("none");
            let _ = writeln!(text, "| [{0}](#{0}) | {place} | {1} | {state} |", entry.id, entry.what);
        }
        for entry in &paper.entries {
            text.push('\n');
            text += &self::entry(entry, results)?;
        }
    }
    Ok(text)
}

const HEAD: &str = "# Reproducing the papers

This page is written by `iqa reproduce markdown`; a test compares them. It has an entry for
each table and figure: what it needs, the commands, the published numbers and ours, or what the software lacks for it. What has
been run is marked so; nothing else has been. `iqa reproduce list` prints the entries, `iqa reproduce show ID` one of them, and

```sh
iqa reproduce run ID --data DATA
```

evaluates what the data and weights at hand allow, and says of the rest what it lacks. A run that was stopped goes on.

`DATA` holds a folder for each set, named as in [the list of sets](DATASETS.md): `DATA/live`, `DATA/tid2013` and so on;
files of weights lie in `DATA/weights`. No set and none of those files comes with this repository. Reports are written to,
and read from, `docs/reproducing`, or the folder that `--results` names; trained weights go to `runs` in it.

Published numbers are those of the papers as far as they are known here; where there is none, the paper has one that we
could not read, or none. Several tables of a paper share an entry's `where` when it is not known which of them holds it.
";

/// One entry.
pub(crate) fn entry(entry: &Entry, results: &Path) -> Result<String, Box<dyn Error>> {
    let mut text = format!("### {}\n\n", entry.id);
    let sentences = entry.place.iter().chain([&entry.what]).map(|text| format!("{}.", capitalised(text)));
    let _ = writeln!(text, "{}", sentences.collect::<Vec<_>>().join(" "));
    if let Some(note) = &entry.note {
        let _ = writeln!(text, "{note}");
    }
    let needs = needs(entry);
    if !needs.is_empty() {
        let _ = writeln!(text, "\nNeeds {}.", needs.into_iter().collect::<Vec<_>>().join(", "));
    }
    if entry.rows.iter().any(|row| !matches!(row.ours, Ours::Nothing(_))) {
        text += "\n```sh\n";
        let mut runs = Vec::new();
        for row in &entry.rows {
            if let Ours::Training(training, _) = &row.ours {
                in_order(training, &mut runs);
            }
        }
        for training in runs {
            if training.seeds > 1 {
                let command = train(training, "DATA", results, "$seed");
                let _ = writeln!(text, "for seed in $(seq {}); do\n  {command}\ndone", training.seeds);
            } else {
                let _ = writeln!(text, "{}", train(training, "DATA", results, "1"));
            }
        }
        let elsewhere = if results == Path::new(RESULTS) {
            String::new()
        } else {
            format!(" --results {}", results.display())
        };
        let _ = writeln!(text, "iqa reproduce run {} --data DATA{elsewhere}\n```", entry.id);
    }
    text += "\n| | published PLCC | SRCC | KRCC | our PLCC | SRCC | KRCC | |\n|---|---|---|---|---|---|---|---|\n";
    for row in &entry.rows {
        let Published { plcc, srcc, krcc } = row.published;
        let found = Found::of(entry, row, results)?;
        let ours = [found.plcc, found.srcc, found.krcc].map(|value| number(value, 4)).join(" | ");
        let published = [plcc, srcc, krcc].map(|value| number(value, 3)).join(" | ");
        let state = match &row.ours {
            Ours::Nothing(needs) => &format!("needs {needs}"),
            _ => found.state.name(),
        };
        let summary = match &row.ours {
            Ours::Training(training, _) if training.seeds > 1 => match training.summary {
                Summary::Mean => ", mean",
                Summary::Median => ", median",
            },
            _ => "",
        };
        let _ = writeln!(text, "| {}{summary} | {published} | {ours} | {state} |", row.label);
    }
    Ok(text)
}

/// Sets and files.
fn needs(entry: &Entry) -> BTreeSet<String> {
    let mut needs = BTreeSet::new();
    for row in &entry.rows {
        let evaluation = match &row.ours {
            Ours::Nothing(_) => continue,
            Ours::Evaluation(evaluation) => evaluation,
            Ours::Training(training, evaluation) => {
                let mut runs = Vec::new();
                in_order(training, &mut runs);
                for Training { set, with, files, .. } in runs {
                    needs.extend(std::iter::once(set).chain(with).map(|set| format!("`{}`", set.name())));
                    needs.extend(files.values().map(|file| format!("`weights/{file}`")));
                }
                evaluation
            }
        };
        needs.insert(format!("`{}`", evaluation.folder));
        needs.extend(evaluation.weights.as_ref().map(|file| format!("`weights/{file}`")));
    }
    needs
}

/// As many digits as there are, at least `digits`.
fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(String::new, |value| {
        let plain = format!("{value:.4}");
        let short = format!("{value:.digits$}");
        if digits < 4 && plain.ends_with('0') { short } else { plain }
    })
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
