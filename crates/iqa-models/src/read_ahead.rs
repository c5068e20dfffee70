//! Reading while the models work.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// What may be read and wait for the models at once, in bytes of pixels by the headers of files; never less than two things.
const AHEAD: usize = 256 << 20;
/// Things to be read, in an order.
pub(crate) struct ReadAhead<Before, Read, Size> {
    /// How many there are.
    pub(crate) count: usize,
    /// What is to be done before each is read: by one thread at a time, in the order of the things.
    pub(crate) before: Before,
    /// Reads one: several at once, on as many threads of their own as the program computes on.
    pub(crate) read: Read,
    /// How much memory one will take, in bytes. What does not tell before it is read, which may be a pipe, is read in its turn,
    /// when no other is being begun.
    pub(crate) size: Size,
}

/// Where the threads are.
struct State<T> {
    /// Sizes of what is being read or waits, in order, and their sum.
    ahead: VecDeque<usize>,
    bytes: usize,
    ready: BTreeMap<usize, T>,
    /// Nobody waits any more, or a reader has panicked.
    over: bool,
}

struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

/// Ends the work when a thread is left, by a panic too: the others would wait for ever.
struct End<'a, T>(&'a Queue<T>);

impl<B: Send, T: Send, Before, Read, Size> ReadAhead<Before, Read, Size>
where
    Before: FnMut(usize) -> B + Send,
    Read: Fn(usize) -> T + Sync,
    Size: Fn(usize) -> Option<usize> + Sync,
{
    /// Reads all, and hands them over in their order.
    ///
    /// # Errors
    /// The first of `each`, which ends the work.
    pub(crate) fn each<E>(self, mut each: impl FnMut(usize, B, T) -> Result<(), E>) -> Result<(), E> {
        let Self { count, before, read, size } = self;
        let threads = rayon::current_num_threads().min(count);
        // The next thing, and what is done before it.
        let next = Mutex::new((0, before));
        let queue = Queue::new();
        thread::scope(|scope| {
            let _end = End(&queue);
            for _ in 0..threads {
                scope.spawn(|| {
                    let end = End(&queue);
                    let start = || {
                        // Held until the work before it is done, so that it is done in order.
                        let mut next = next.lock().unwrap_or_else(PoisonError::into_inner);
                        let index = next.0;
                        if index == count {
                            return None;
                        }
                        let told = size(index);
                        if !queue.has_room(told.unwrap_or(AHEAD), 2 * threads) {
                            return None;
                        }
                        next.0 += 1;
                        let done = (next.1)(index);
                        Some((index, done, told.is_none().then(|| read(index))))
                    };
                    while let Some((index, done, thing)) = start() {
                        queue.put(index, (done, thing.unwrap_or_else(|| read(index))));
                    }
                    std::mem::forget(end);
                });
            }
            (0..count)
                .map_while(|index| queue.give(index).map(|(done, thing)| (index, done, thing)))
                .try_for_each(|(index, done, thing)| each(index, done, thing))
        })
    }
}

impl<T> Queue<T> {
    fn new() -> Self {
        let state = State { ahead: VecDeque::new(), bytes: 0, ready: BTreeMap::new(), over: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the next thing may be read, of that size and beside no more than `most` others; false when the work is over.
    fn has_room(&self, bytes: usize, most: usize) -> bool {
        let mut state = self.state();
        while !state.over {
            let ahead = state.ahead.len();
            if ahead < 2 || ahead < most && state.bytes.saturating_add(bytes) <= AHEAD {
                state.ahead.push_back(bytes);
                state.bytes = state.bytes.saturating_add(bytes);
                return true;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        false
    }

    fn put(&self, index: usize, thing: T) {
        self.state().ready.insert(index, thing);
        self.changed.notify_all();
    }

    /// Waits for a thing; none when a reader has panicked.
    fn give(&self, index: usize) -> Option<T> {
        let mut state = self.state();
        loop {
            if let Some(thing) = state.ready.remove(&index) {
                // Those before it are given.
                let bytes = state.ahead.pop_front().unwrap_or_default();
                state.bytes = state.bytes.saturating_sub(bytes);
                self.changed.notify_all();
                return Some(thing);
            }
            if state.over {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<T> Drop for End<'_, T> {
    fn drop(&mut self) {
        self.0.state().over = true;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn things_come_in_order_and_so_does_what_is_before_them() {
        let mut done = Vec::new();
        let read = ReadAhead {
            count: 200,
            before: |index| {
                done.push(index);
                index
            },
            read: |index: usize| {
                thread::sleep(Duration::from_micros((index * 37 % 11) as u64 * 20));
                index * index
            },
            size: |index: usize| (!index.is_multiple_of(3)).then_some(index),
        };
        let mut found = Vec::new();
        read.each(|index, before, square| {
            assert_eq!(before, index);
            found.push(square);
            Ok::<(), ()>(())
        })
        .expect("no error");
        assert!(found.iter().copied().eq((0..200).map(|index| index * index)));
        assert!(done.iter().copied().eq(0..200));
    }

    #[test]
    fn large_things_do_not_pile_up_behind_small_ones_and_an_error_ends_the_reading() {
        let (read, given) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let large = ReadAhead {
            count: 1000,
            before: |_| (),
            read: |_| {
                let ahead = read.fetch_add(1, Ordering::SeqCst) + 1 - given.load(Ordering::SeqCst);
                assert!(ahead <= 3, "{ahead} at once");
            },
            // A small one first: nobody knows of the others by it.
            size: |index| Some(if index == 0 { 1 } else { AHEAD }),
        };
        let result = large.each(|index, (), ()| {
            thread::sleep(Duration::from_micros(100));
            given.store(index + 1, Ordering::SeqCst);
            if index == 50 { Err("enough") } else { Ok(()) }
        });
        assert_eq!(result, Err("enough"));
        assert!(read.into_inner() < 60);
    }

    #[test]
    fn what_does_not_tell_its_size_is_read_in_its_turn() {
        let order = Mutex::new(Vec::new());
        let pipes = ReadAhead {
            count: 60,
            before: |_| (),
            read: |index: usize| {
                if index.is_multiple_of(4) {
                    thread::sleep(Duration::from_micros((index * 37 % 11) as u64 * 50));
                    order.lock().expect("no panic").push(index);
                }
            },
            size: |index: usize| (!index.is_multiple_of(4)).then_some(1),
        };
        pipes.each(|_, (), ()| Ok::<(), ()>(())).expect("no error");
        let order = order.into_inner().expect("no panic");
        assert!(order.iter().copied().eq((0..60).step_by(4)), "{order:?}");
    }

    #[test]
    #[should_panic(expected = "a scoped thread panicked")]
    fn a_panic_of_a_reader_is_passed_on() {
        let read = ReadAhead {
            count: 10,
            before: |_| (),
            read: |index| assert!(index != 4, "the fifth"),
            size: |_| Some(1),
        };
        let _ = read.each(|_, (), ()| Ok::<(), ()>(()));
    }
}
