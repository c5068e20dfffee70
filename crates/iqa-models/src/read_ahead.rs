//! Reading while the models work.

use std::sync::mpsc::sync_channel;

/// What was read and waits; one more is being read.
const READ_AHEAD: usize = 1;

/// Reads `count` things, in their order, on a thread of its own, and hands them over with their index.
///
/// # Errors
/// The first of `each`, which ends the work.
pub(crate) fn read_ahead<T: Send, E>(
    count: usize,
    mut read: impl FnMut(usize) -> T + Send,
    mut each: impl FnMut(usize, T) -> Result<(), E>,
) -> Result<(), E> {
    std::thread::scope(|scope| {
        // Dropped at the end of this closure, before the thread is waited for.
        let (sender, things) = sync_channel(READ_AHEAD);
        scope.spawn(move || {
            for index in 0..count {
                if sender.send(read(index)).is_err() {
                    return;
                }
            }
        });
        things.iter().enumerate().try_for_each(|(index, thing)| each(index, thing))
    })
}
