//! Tensors whose memory comes back: when the last of them is dropped, whoever drops it, their values go to
//! [`cpu::recycle`], for the results to come. From Burn's own memory they would go to the system, which hands out
//! fresh pages so slowly that for the first layers it takes longer than the convolution.
//!
//! The only `unsafe` of the workspace: Burn asks for it where memory is not of the native allocator's kind.
#![allow(unsafe_code)]

use std::mem::{MaybeUninit, take};
use std::ptr::NonNull;
use std::slice;

use burn::tensor::Bytes;
use burn_std::{AccessError, AccessPolicy, AllocationController, AllocationProperty};

use crate::cpu;

struct Recycled(Vec<f32>);

/// Values as the memory of a tensor.
pub(crate) fn bytes(values: Vec<f32>) -> Bytes {
    let len = size_of_val(values.as_slice());
    // SAFETY: the first `len` bytes of the allocation are the values of the vector, all of them initialised.
    unsafe { Bytes::from_controller(Box::new(Recycled(values)), len) }
}

impl Recycled {
    /// Bytes of the whole allocation, those without a value too.
    fn size(&self) -> usize {
        self.0.capacity() * size_of::<f32>()
    }
}

impl AllocationController for Recycled {
    fn alloc_align(&self) -> usize {
        align_of::<f32>()
    }

    fn property(&self) -> AllocationProperty {
        AllocationProperty::Native
    }

    unsafe fn memory_mut(&mut self, _: AccessPolicy) -> Result<&mut [MaybeUninit<u8>], AccessError> {
        // SAFETY: the vector owns `size` bytes from its pointer on and is borrowed as long as they are; bytes that may be
        // uninitialised ask for nothing of what they hold. The caller writes initialised ones, and any are an `f32`.
        Ok(unsafe { slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), self.size()) })
    }

    fn memory(&self, _: AccessPolicy) -> Result<&[MaybeUninit<u8>], AccessError> {
        // SAFETY: as in `memory_mut`, and nothing is written.
        Ok(unsafe { slice::from_raw_parts(self.0.as_ptr().cast(), self.size()) })
    }

    fn capacity(&self) -> usize {
        self.size()
    }

    /// The vector's allocation is of the global allocator, for as many `f32` as `capacity` says.
    fn try_detach(&mut self) -> Option<NonNull<u8>> {
        let mut values = std::mem::ManuallyDrop::new(take(&mut self.0));
        NonNull::new(values.as_mut_ptr().cast())
    }
}

impl Drop for Recycled {
    fn drop(&mut self) {
        cpu::recycle(take(&mut self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(count: usize, capacity: usize) -> Vec<f32> {
        let mut values = Vec::with_capacity(capacity);
        values.extend((0..count).map(|value| value as f32));
        values
    }

    fn read(bytes: &Bytes) -> Vec<f32> {
        bytes.chunks_exact(4).map(|value| f32::from_ne_bytes(value.try_into().expect("four"))).collect()
    }

    #[test]
    fn values_are_read_and_written() {
        let mut bytes = bytes(values(5000, 7000));
        assert_eq!(bytes.len(), 20_000);
        assert_eq!(read(&bytes), values(5000, 5000));
        bytes[4..8].copy_from_slice(&9.5f32.to_ne_bytes());
        assert_eq!(read(&bytes)[..3], [0.0, 9.5, 2.0]);
        let copy = bytes.clone();
        bytes[..4].copy_from_slice(&7.0f32.to_ne_bytes());
        assert_eq!((read(&copy)[0], read(&bytes)[0]), (0.0, 7.0));
    }

    #[test]
    fn a_vector_comes_out_as_it_went_in() {
        for (count, capacity) in [(0, 0), (0, 4), (3, 3), (5000, 7000)] {
            let given = values(count, capacity);
            let place = given.as_ptr();
            let back = bytes(given).try_into_vec::<f32>().expect("the same layout");
            assert_eq!(back, values(count, count));
            assert_eq!(back.as_ptr(), place, "copied");
        }
    }

    #[test]
    fn other_types_are_refused_and_growth_copies() {
        let bytes = bytes(values(2000, 2000)).try_into_vec::<u8>().expect_err("another alignment");
        let mut bytes = bytes.try_into_vec::<f64>().expect_err("another alignment");
        bytes.extend_from_byte_slice(&[0, 0, 128, 63]);
        assert_eq!(read(&bytes), [values(2000, 2000), vec![1.0]].concat());
    }
}
