//! Results as tensors without a copy; their memory comes back when the last tensor is dropped, whoever drops it
//! ([`cpu::Buffer`]).
//!
//! `unsafe`, because Burn asks for it where memory is not from its own allocation.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::slice;

use burn::tensor::Bytes;
use burn_std::{AccessError, AccessPolicy, AllocationController, AllocationProperty};

use crate::cpu::Buffer;

struct Held(Buffer);

/// Values as the memory of a tensor.
pub(crate) fn bytes(values: Buffer) -> Bytes {
    let len = size_of_val(&*values);
    // SAFETY: the controller shows exactly the `len` bytes of the values, all of them initialised.
    unsafe { Bytes::from_controller(Box::new(Held(values)), len) }
}

impl AllocationController for Held {
    fn alloc_align(&self) -> usize {
        align_of::<f32>()
    }

    fn property(&self) -> AllocationProperty {
        AllocationProperty::Native
    }

    unsafe fn memory_mut(&mut self, _: AccessPolicy) -> Result<&mut [MaybeUninit<u8>], AccessError> {
        let values: &mut [f32] = &mut self.0;
        // SAFETY: the bytes of a slice that is borrowed as long as they are. The caller writes initialised ones alone, and
        // any such are an `f32`.
        Ok(unsafe { slice::from_raw_parts_mut(values.as_mut_ptr().cast(), size_of_val(values)) })
    }

    fn memory(&self, _: AccessPolicy) -> Result<&[MaybeUninit<u8>], AccessError> {
        let values: &[f32] = &self.0;
        // SAFETY: as in `memory_mut`, and nothing is written.
        Ok(unsafe { slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu;

    fn values(count: usize) -> Vec<f32> {
        (0..count).map(|value| value as f32).collect()
    }

    fn held(count: usize) -> Bytes {
        let size = cpu::Size { images: 1, height: count, width: 1, channels: 1 };
        bytes(cpu::channels_last(&values(count), size))
    }

    fn read(bytes: &Bytes) -> Vec<f32> {
        bytes.chunks_exact(4).map(|value| f32::from_ne_bytes(value.try_into().expect("four"))).collect()
    }

    #[test]
    fn values_are_read_and_written() {
        let mut bytes = held(5000);
        assert_eq!(bytes.len(), 20_000);
        assert_eq!(read(&bytes), values(5000));
        bytes[4..8].copy_from_slice(&9.5f32.to_ne_bytes());
        assert_eq!(read(&bytes)[..3], [0.0, 9.5, 2.0]);
        let copy = bytes.clone();
        bytes[..4].copy_from_slice(&7.0f32.to_ne_bytes());
        assert_eq!((read(&copy)[0], read(&bytes)[0]), (0.0, 7.0));
    }

    #[test]
    fn vectors_are_refused_and_growth_copies() {
        for count in [0, 3, 2000] {
            let bytes = held(count).try_into_vec::<f32>().expect_err("memory that is no vector's");
            let mut bytes = bytes.try_into_vec::<u8>().expect_err("another alignment");
            bytes.extend_from_byte_slice(&[0, 0, 128, 63]);
            assert_eq!(read(&bytes), [values(count), vec![1.0]].concat());
        }
    }
}
