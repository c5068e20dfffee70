//! What a long work tells while it goes on.

use std::fmt::Arguments;

/// A work of many units, as it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work<'a> {
    /// What tells it from others: a phase, the name of a file. May be empty.
    pub name: &'a str,
    /// Its units, in the plural: `steps`, `images`, `bytes`.
    pub unit: &'a str,
    /// How many it has, where that is known.
    pub units: Option<u64>,
    /// How many of them are done already.
    pub done: u64,
}

/// Who looks on while a library works: libraries write nothing to a terminal themselves.
///
/// Each method does nothing unless it is implemented. They may be called from several threads; of one observer, one work
/// goes on at a time.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use iqa_core::Observer;
///
/// #[derive(Default)]
/// struct Counter(AtomicU64);
///
/// impl Observer for Counter {
///     fn advance(&self, units: u64, _: std::fmt::Arguments<'_>) {
///         self.0.fetch_add(units, Ordering::Relaxed);
///     }
/// }
///
/// let counter = Counter::default();
/// counter.advance(2, format_args!("loss 0.25"));
/// assert_eq!(counter.0.into_inner(), 2);
/// ```
pub trait Observer: Sync {
    /// A work begins; one that was going on has ended, or begins again.
    fn begin(&self, work: Work<'_>) {
        let _ = work;
    }

    /// So many units more are done. `state` says in a few words how it goes, or nothing.
    fn advance(&self, units: u64, state: Arguments<'_>) {
        let _ = (units, state);
    }

    /// The work is done. One that fails ends without.
    fn end(&self) {}

    /// A line for the user.
    fn line(&self, text: Arguments<'_>) {
        let _ = text;
    }
}

/// Nobody looks on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {}
