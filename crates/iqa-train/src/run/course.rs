//! The loop: read-ahead, phases, marks, checkpoints, exact resume.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::time::Instant;

use iqa_core::{FolderClaim, Observer, Work};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::checkpoint::{self, Found, Parts, RunState, by_content, same_run};
use super::recipe::Recipe;
use crate::data::DataKey;
use crate::error::TrainError;

/// Batches prepared ahead of the networks.
const READ_AHEAD: usize = 4;
const CHECKPOINT: &str = "checkpoint.safetensors";
/// The program whose files a run's are, in the list of its folder.
const PROGRAM: &str = "train";

/// Whether a run in that folder has a checkpoint to go on from.
pub(crate) fn is_begun(folder: &Path) -> bool {
    folder.join(CHECKPOINT).exists()
}

/// A part of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Phase {
    /// What tells it from the others; nothing where it is the only one.
    pub(crate) name: &'static str,
    pub(crate) steps: usize,
    /// Steps between two marks; the last step of a phase has one too.
    pub(crate) every: usize,
}

impl Phase {
    fn marks(&self) -> usize {
        self.steps.div_ceil(self.every)
    }
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Of the whole run, from 0.
    pub(crate) index: usize,
    /// Which phase it is of.
    pub(crate) phase: usize,
    /// Of the phase, from 0.
    pub(crate) within: usize,
}

impl Step {
    /// The one behind so many marks; beyond the last phase where all is done.
    fn after(marks: usize, phases: &[Phase]) -> Self {
        let mut step = Self { index: 0, phase: 0, within: 0 };
        let mut left = marks;
        for phase in phases {
            if left < phase.marks() {
                step.within = left * phase.every;
                step.index += step.within;
                break;
            }
            left -= phase.marks();
            step.index += phase.steps;
            step.phase += 1;
        }
        step
    }
}

/// What the loop takes through its steps: networks and optimisers, with a mark after some steps, where the log gets a row
/// and the state a checkpoint.
pub(crate) trait Course: Sync {
    type Recipe: Recipe;
    /// What one step learns from, made ahead on a thread of its own.
    type Batch: Send;
    /// All that changes: networks, optimisers, sums since the last mark.
    type Learner;
    /// A row of the log. Its display is a line for people.
    type Row: Serialize + DeserializeOwned + Display;

    /// As checkpoints keep it.
    fn recipe(&self) -> &Self::Recipe;

    fn data(&self) -> &DataKey;

    fn phases(&self) -> Vec<Phase>;

    /// Up to which number of epochs that of an earlier run may grow, if so.
    fn longest(&self) -> Option<usize> {
        None
    }

    /// Names of the files that the run writes, besides its checkpoint.
    fn files(&self, folder: &Path) -> Vec<String>;

    /// The file of weights that an earlier mark than the last has written and that still counts, if so.
    fn kept(&self, _log: &[Self::Row]) -> Option<&'static str> {
        None
    }

    /// The batch of a step of the run: a pure function of it, so that a resumed run sees the same.
    fn batch(&self, index: usize) -> Result<Self::Batch, TrainError>;

    fn step(
        &self,
        learner: Self::Learner,
        batch: Self::Batch,
        step: Step,
    ) -> Result<Self::Learner, TrainError>;

    /// How it goes since the last mark, in a few words or none.
    fn state(&self, learner: &Self::Learner) -> String;

    /// Ends what the learner sums up, after the last `step` before a mark.
    fn mark(&self, learner: &mut Self::Learner, step: Step, seconds: f64) -> Result<Self::Row, TrainError>;

    /// Writes what follows from the log and the learner at its last row. Done again when a run goes on, which may have
    /// ended between a checkpoint and its files.
    fn publish(
        &self,
        learner: &Self::Learner,
        log: &[Self::Row],
        folder: &mut RunFolder,
    ) -> Result<(), TrainError>;

    fn store(&self, learner: &Self::Learner, parts: &mut Parts) -> Result<(), TrainError>;

    fn restore(&self, learner: Self::Learner, found: &Found<'_>) -> Result<Self::Learner, TrainError>;
}

/// The folder of a run, which is its own as long as this lives.
pub(crate) struct RunFolder {
    path: PathBuf,
    claim: FolderClaim,
}

impl RunFolder {
    fn claim(path: &Path, files: &[String]) -> Result<Self, TrainError> {
        let files: Vec<&str> = files.iter().map(String::as_str).chain([CHECKPOINT]).collect();
        Ok(Self { path: path.into(), claim: FolderClaim::new(path, PROGRAM, &files)? })
    }

    /// Leaves the folder as it was, where no run has written anything there yet.
    fn withdraw(self) {
        self.claim.withdraw();
    }

    /// One of the files that the run was said to write.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// One more.
    pub(crate) fn add(&mut self, name: &str) -> Result<PathBuf, TrainError> {
        self.claim.add(PROGRAM, name)?;
        Ok(self.file(name))
    }
}

/// Takes a course from where an earlier run in `folder` stopped to its end; returns what has learned, and the log.
///
/// `learner` is the one to start with; after a stop it gets the values of the checkpoint. A folder that cannot be written,
/// and data that give no first batch, are told before the first step. After an error before the first mark the folder is as it
/// was.
pub(crate) fn run<C: Course>(
    course: &C,
    learner: C::Learner,
    folder: &Path,
    observer: &dyn Observer,
) -> Result<(C::Learner, Vec<C::Row>), TrainError> {
    course.recipe().validate()?;
    let checkpoint_file = folder.join(CHECKPOINT);
    let first_batch = if is_begun(folder) { None } else { Some(course.batch(0)?) };
    let mut folder = RunFolder::claim(folder, &course.files(folder))?;
    let done = run_in(course, learner, first_batch, &mut folder, observer);
    if done.is_err() && !checkpoint_file.exists() {
        folder.withdraw();
    }
    done
}

/// [`run`] in a folder that is its own.
fn run_in<C: Course>(
    course: &C,
    mut learner: C::Learner,
    mut first_batch: Option<C::Batch>,
    folder: &mut RunFolder,
    observer: &dyn Observer,
) -> Result<(C::Learner, Vec<C::Row>), TrainError> {
    let checkpoint_file = folder.file(CHECKPOINT);
    let mut state = RunState {
        recipe: course.recipe().clone(),
        data: course.data().clone(),
        log: Vec::new(),
        kept: None,
    };
    if checkpoint_file.exists() {
        let bytes = checkpoint::bytes(&checkpoint_file)?;
        let found = Found::new(&checkpoint_file, &bytes)?;
        let before: RunState<C::Recipe, C::Row> = found.state()?;
        // Before its weights are tried.
        same_run(&found, &before, (course.recipe(), course.data()), course.longest())?;
        learner = course.restore(learner, &found)?;
        (state.log, state.kept) = (before.log, before.kept);
        if let Some(name) = course.kept(&state.log) {
            let path = folder.file(name);
            let digest = by_content(&path)?;
            // Checkpoints of before do not tell it.
            if *state.kept.get_or_insert_with(|| digest.clone()) != digest {
                return Err(TrainError::KeptWeights { path });
            }
        }
        course.publish(&learner, &state.log, folder)?;
    }

    let phases = course.phases();
    let steps: usize = phases.iter().map(|phase| phase.steps).sum();
    let mut step = Step::after(state.log.len(), &phases);
    let first = step.index;
    std::thread::scope(|scope| {
        // Distorting and decoding go on while the networks work.
        let (sender, batches) = sync_channel(READ_AHEAD);
        scope.spawn(move || {
            for index in first..steps {
                let batch = first_batch.take().filter(|_| index == 0).map_or_else(|| course.batch(index), Ok);
                if sender.send(batch).is_err() {
                    return; // The loop has ended with an error of its own.
                }
            }
        });
        while let Some(phase) = phases.get(step.phase) {
            let (units, done) = (Some(phase.steps as u64), step.within as u64);
            observer.begin(Work { name: phase.name, unit: "steps", units, done });
            let mut start = Instant::now();
            while step.within < phase.steps {
                // The thread sends a batch a step, or the error that ends the run.
                let batch = batches.recv().unwrap_or(Err(TrainError::Empty { set: "training" }))?;
                learner = course.step(learner, batch, step)?;
                observer.advance(1, format_args!("{}", course.state(&learner)));
                let done = step.within + 1;
                if done.is_multiple_of(phase.every) || done == phase.steps {
                    let row = course.mark(&mut learner, step, start.elapsed().as_secs_f64())?;
                    let line = row.to_string();
                    state.log.push(row);
                    state.kept = match (course.kept(&state.log), state.kept) {
                        // Not read again in every epoch that is no better.
                        (Some(_), Some(kept)) => Some(kept),
                        (Some(name), None) => Some(by_content(&folder.file(name))?),
                        (None, _) => None,
                    };
                    let mut parts = Parts::new(&checkpoint_file);
                    course.store(&learner, &mut parts)?;
                    parts.write(&state)?;
                    course.publish(&learner, &state.log, folder)?;
                    observer.line(format_args!("{line}"));
                    start = Instant::now();
                }
                step = Step { index: step.index + 1, within: done, ..step };
            }
            observer.end();
            step = Step { phase: step.phase + 1, within: 0, ..step };
        }
        Ok((learner, state.log))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_stands_behind_its_last_mark() {
        let phase = |steps, every| Phase { name: "", steps, every };
        // Marks after steps 2, 4, 5; 7, 8.
        let phases = [phase(5, 2), phase(3, 2)];
        let expected = [(0, 0, 0), (2, 0, 2), (4, 0, 4), (5, 1, 0), (7, 1, 2), (8, 2, 0), (8, 2, 0)];
        for (marks, (index, phase, within)) in expected.into_iter().enumerate() {
            assert_eq!(Step::after(marks, &phases), Step { index, phase, within }, "{marks} marks");
        }
    }
}
