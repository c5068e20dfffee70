//! Memory of images that nobody needs any more, for the next ones.
//!
//! Systems hand out fresh memory page by page and filled with zeros, which for the large images of the first layers
//! takes longer than their convolution.

use std::mem::take as taken;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::prelude::*;

/// Values kept at most: 128 MiB, in training 1 GiB, where each layer's image is needed until its gradient is there.
static KEEP: AtomicUsize = AtomicUsize::new(1 << 25);
const KEEP_IN_TRAINING: usize = 1 << 28;

/// Keeps as much memory as training hands back from step to step.
pub fn keep_for_training() {
    KEEP.fetch_max(KEEP_IN_TRAINING, Ordering::Relaxed);
}

/// Memory of fewer values is not kept: the allocator is quick with those.
const SMALL: usize = 1 << 10;

/// Smallest number of values that is worth several threads' setting to zero.
const LARGE: usize = 1 << 18;

/// Values of a cache line.
const LINE: usize = 64 / size_of::<f32>();

static FREE: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());

fn free() -> MutexGuard<'static, Vec<Vec<f32>>> {
    FREE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Values that start with a cache line; a vector of two stored across lines costs twice (measured: a tenth to a third of
/// a layer's time). Their memory goes to a later buffer when this one is dropped.
#[derive(Debug, Default)]
pub struct Buffer {
    memory: Vec<f32>,
    start: usize,
    len: usize,
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.memory[self.start..][..self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.memory[self.start..][..self.len]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        give(taken(&mut self.memory));
    }
}

/// `len` values that may be anything.
pub(super) fn take(len: usize) -> Buffer {
    let need = len + LINE - 1;
    let kept = {
        let mut free = free();
        // The tightest fit, so that a small image does not hold the memory of a large one.
        let fits =
            free.iter().enumerate().filter(|(_, memory)| (need..=2 * need).contains(&memory.capacity()));
        let place = fits.min_by_key(|(_, memory)| memory.capacity()).map(|(place, _)| place);
        place.map(|place| free.remove(place))
    };
    let memory = match kept {
        Some(mut memory) => {
            memory.resize(need, 0.0);
            memory
        }
        None if need < LARGE => vec![0.0; need],
        None => {
            const BLOCK: usize = 1024;
            let mut blocks = Vec::new();
            rayon::iter::repeat_n([0.0; BLOCK], need.div_ceil(BLOCK)).collect_into_vec(&mut blocks);
            blocks.into_flattened()
        }
    };
    // Less than a line: values lie at multiples of their size.
    let start = memory.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE - 1);
    Buffer { memory, start, len }
}

/// `len` zeros.
pub(super) fn zeros(len: usize) -> Buffer {
    let mut buffer = take(len);
    buffer.fill(0.0);
    buffer
}

/// Keeps memory for a later buffer; the oldest kept goes when there is too much.
fn give(memory: Vec<f32>) {
    if memory.capacity() < SMALL {
        return;
    }
    let mut dropped = Vec::new();
    let mut free = free();
    free.push(memory);
    let mut kept: usize = free.iter().map(Vec::capacity).sum();
    while kept > KEEP.load(Ordering::Relaxed) {
        let oldest = free.remove(0);
        kept -= oldest.capacity();
        dropped.push(oldest);
    }
    // Unmapping is slow: not while others wait.
    drop(free);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_have_their_length_and_start_with_a_line() {
        for len in [0, 1, 15, 16, 17, 1000, 5000, LARGE - 1, LARGE + 1] {
            let mut buffer = take(len);
            assert_eq!(buffer.len(), len);
            assert_eq!(buffer.as_ptr().align_offset(64), 0, "{len}");
            buffer.fill(1.0);
        }
    }
}
