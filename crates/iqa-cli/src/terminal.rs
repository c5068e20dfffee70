//! Progress on standard error, above which lines go.

use std::fmt::Arguments;
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};
use iqa_models::core::{Observer, Work};

use crate::output::{Verbosity, remark, verbosity};

/// Shows a bar where standard error is a terminal, and lines anywhere.
pub(crate) struct Terminal {
    /// Hidden while no work goes on.
    bar: Mutex<ProgressBar>,
}

impl Terminal {
    /// Without a bar until a work begins.
    pub(crate) fn new() -> Self {
        Self { bar: Mutex::new(ProgressBar::hidden()) }
    }

    /// A work begins of so many units, `images`, say, of which none is done.
    pub(crate) fn start(&self, units: usize, unit: &str) {
        self.begin(Work { name: "", unit, units: Some(units as u64), done: 0 });
    }

    /// One unit more is done.
    pub(crate) fn step(&self) {
        self.advance(1, format_args!(""));
    }

    /// Runs what writes to standard output or standard error, with the bar out of its way.
    pub(crate) fn suspend<R>(&self, write: impl FnOnce() -> R) -> R {
        self.bar().suspend(write)
    }

    fn bar(&self) -> ProgressBar {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Default for Terminal {
    fn default() -> Self {
        Self::new()
    }
}

impl Observer for Terminal {
    fn begin(&self, work: Work<'_>) {
        let Work { name, unit, units, done } = work;
        let name_place = if name.is_empty() { "" } else { "{prefix} " };
        let template = match unit {
            "bytes" => {
                format!("{name_place}{{bar:30}} {{bytes}}/{{total_bytes}}, {{bytes_per_sec}}, {{eta}} left")
            }
            _ => format!("{name_place}{{bar:30}} {{pos}}/{{len}} {unit}, {{eta}} left{{msg}}"),
        };
        let bar = match units {
            _ if verbosity() == Verbosity::Quiet => ProgressBar::hidden(),
            Some(units) => ProgressBar::new(units),
            None => ProgressBar::no_length(),
        };
        let bar = bar.with_position(done).with_prefix(name.to_owned());
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        bar.reset_eta();
        let before = std::mem::replace(&mut *self.bar.lock().unwrap_or_else(PoisonError::into_inner), bar);
        if !before.is_finished() {
            before.finish_and_clear();
        }
    }

    fn advance(&self, units: u64, state: Arguments<'_>) {
        let bar = self.bar();
        bar.inc(units);
        let state = state.to_string();
        if !state.is_empty() {
            bar.set_message(format!(", {state}"));
        }
    }

    /// A bar that says how the work went stays.
    fn end(&self) {
        let bar = self.bar();
        if bar.message().is_empty() { bar.finish_and_clear() } else { bar.finish() }
    }

    /// Above the bar where there is one; a bar that is not shown would swallow the line.
    fn line(&self, text: Arguments<'_>) {
        self.suspend(|| remark(text));
    }
}
