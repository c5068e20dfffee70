//! Memory of images that nobody needs any more, for the next ones.
//!
//! Systems hand out fresh memory page by page and filled with zeros, which for the large images of the first layers
//! takes longer than their convolution.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::prelude::*;

/// Values kept at most: 128 MiB.
const KEEP: usize = 1 << 25;

/// Buffers of fewer values are not kept: the allocator is quick with those.
const SMALL: usize = 1 << 10;

/// Smallest number of values that is worth several threads' setting to zero.
const LARGE: usize = 1 << 18;

static FREE: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());

fn free() -> MutexGuard<'static, Vec<Vec<f32>>> {
    FREE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `len` values that may be anything.
pub(super) fn take(len: usize) -> Vec<f32> {
    let kept = {
        let mut free = free();
        // The tightest fit, so that a small image does not hold the memory of a large one.
        let fits = free.iter().enumerate().filter(|(_, buffer)| (len..=2 * len).contains(&buffer.capacity()));
        let place = fits.min_by_key(|(_, buffer)| buffer.capacity()).map(|(place, _)| place);
        place.map(|place| free.remove(place))
    };
    match kept {
        Some(mut buffer) => {
            buffer.resize(len, 0.0);
            buffer
        }
        None if len < LARGE => vec![0.0; len],
        None => {
            const BLOCK: usize = 1024;
            let mut blocks = Vec::new();
            rayon::iter::repeat_n([0.0; BLOCK], len.div_ceil(BLOCK)).collect_into_vec(&mut blocks);
            let mut buffer = blocks.into_flattened();
            buffer.truncate(len);
            buffer
        }
    }
}

/// Keeps the memory of an image for the result of a later call; the oldest kept goes when there is too much.
pub fn give(buffer: Vec<f32>) {
    if buffer.capacity() < SMALL {
        return;
    }
    let mut dropped = Vec::new();
    let mut free = free();
    free.push(buffer);
    let mut kept: usize = free.iter().map(Vec::capacity).sum();
    while kept > KEEP {
        let oldest = free.remove(0);
        kept -= oldest.capacity();
        dropped.push(oldest);
    }
    // Unmapping is slow: not while others wait.
    drop(free);
}
