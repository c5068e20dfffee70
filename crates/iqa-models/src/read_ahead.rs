//! Reading while the models work.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// What may wait for the models, in bytes; never less than one thing, while another is being read.
const WAITING: usize = 256 << 20;

/// Things to be read, in an order.
pub(crate) struct ReadAhead<Before, Read, Size> {
    /// How many there are.
    pub(crate) count: usize,
    /// What is to be done before each is read: by one thread at a time, in the order of the things.
    pub(crate) before: Before,
    /// Reads one: several at once, on as many threads of their own as the program computes on.
    pub(crate) read: Read,
    /// How much memory it holds, in bytes.
    pub(crate) size: Size,
}

/// Where the threads are.
struct State<T> {
    /// The next to be read.
    next: usize,
    /// What was handed over.
    given: usize,
    ready: BTreeMap<usize, T>,
    /// Of the largest so far, in bytes; 0 before the first.
    largest: usize,
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
    Size: Fn(&T) -> usize + Sync,
{
    /// Reads all, and hands them over in their order.
    ///
    /// # Errors
    /// The first of `each`, which ends the work.
    pub(crate) fn each<E>(self, mut each: impl FnMut(usize, B, T) -> Result<(), E>) -> Result<(), E> {
        let Self { count, before, read, size } = self;
        let threads = rayon::current_num_threads().min(count);
        let before = Mutex::new(before);
        let queue = Queue::new();
        thread::scope(|scope| {
            let _end = End(&queue);
            for _ in 0..threads {
                scope.spawn(|| {
                    let end = End(&queue);
                    let start = || {
                        // Held until the work before it is done, so that it is done in order.
                        let mut before = before.lock().unwrap_or_else(PoisonError::into_inner);
                        let index = queue.take(count, threads)?;
                        Some((index, before(index)))
                    };
                    while let Some((index, done)) = start() {
                        let thing = read(index);
                        let bytes = size(&thing);
                        queue.put(index, (done, thing), bytes);
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
        let state = State { next: 0, given: 0, ready: BTreeMap::new(), largest: 0, over: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next to be read, when there is room for it; none when all are taken.
    fn take(&self, count: usize, threads: usize) -> Option<usize> {
        let mut state = self.state();
        loop {
            if state.over || state.next == count {
                return None;
            }
            // Sizes are not known before the first is there.
            let fit = WAITING.checked_div(state.largest).unwrap_or(0);
            if state.next - state.given < fit.clamp(2, 2 * threads.max(1)) {
                state.next += 1;
                return Some(state.next - 1);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn put(&self, index: usize, thing: T, bytes: usize) {
        let mut state = self.state();
        state.largest = state.largest.max(bytes);
        state.ready.insert(index, thing);
        self.changed.notify_all();
    }

    /// Waits for a thing; none when a reader has panicked.
    fn give(&self, index: usize) -> Option<T> {
        let mut state = self.state();
        loop {
            if let Some(thing) = state.ready.remove(&index) {
                state.given = index + 1;
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
            size: |_: &usize| 1,
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
    fn large_things_do_not_pile_up_and_an_error_ends_the_reading() {
        let (read, given) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let large = ReadAhead {
            count: 1000,
            before: |_| (),
            read: |_| {
                let ahead = read.fetch_add(1, Ordering::SeqCst) + 1 - given.load(Ordering::SeqCst);
                assert!(ahead <= 3, "{ahead} at once");
            },
            size: |_: &()| WAITING,
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
    #[should_panic(expected = "a scoped thread panicked")]
    fn a_panic_of_a_reader_is_passed_on() {
        let read = ReadAhead {
            count: 10,
            before: |_| (),
            read: |index| assert!(index != 4, "the fifth"),
            size: |_: &()| 1,
        };
        let _ = read.each(|_, (), ()| Ok::<(), ()>(()));
    }
}
