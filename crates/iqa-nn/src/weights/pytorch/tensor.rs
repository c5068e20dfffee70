//! Tensors as PyTorch's pickles describe them: a view of a storage whose bytes lie elsewhere.

use half::{bf16, f16};

use super::PytorchFailure;

/// Type of the elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::weights) enum Element {
    F64,
    F32,
    F16,
    Bf16,
    I64,
    I32,
    I16,
    I8,
    U64,
    U32,
    U16,
    U8,
    Bool,
}

impl Element {
    /// That of a storage's class or of a `torch.dtype`; `None` for complex, quantised and other kinds.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        Some(match name.rsplit('.').next()? {
            "DoubleStorage" | "float64" | "double" => Self::F64,
            "FloatStorage" | "float32" | "float" => Self::F32,
            "HalfStorage" | "float16" | "half" => Self::F16,
            "BFloat16Storage" | "bfloat16" => Self::Bf16,
            "LongStorage" | "int64" | "long" => Self::I64,
            "IntStorage" | "int32" | "int" => Self::I32,
            "ShortStorage" | "int16" | "short" => Self::I16,
            "CharStorage" | "int8" => Self::I8,
            "uint64" => Self::U64,
            "uint32" => Self::U32,
            "uint16" => Self::U16,
            "ByteStorage" | "uint8" => Self::U8,
            "BoolStorage" | "bool" => Self::Bool,
            _ => return None,
        })
    }

    /// Bytes of one.
    pub(super) fn size(self) -> usize {
        match self {
            Self::F64 | Self::I64 | Self::U64 => 8,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F16 | Self::Bf16 | Self::I16 | Self::U16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }

    fn decode(self, bytes: &[u8]) -> Vec<f32> {
        fn each<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f32) -> Vec<f32> {
            bytes.as_chunks::<N>().0.iter().map(|bytes| value(*bytes)).collect()
        }
        match self {
            Self::F64 => each(bytes, |b| f64::from_le_bytes(b) as f32),
            Self::F32 => each(bytes, f32::from_le_bytes),
            Self::F16 => each(bytes, |b| f16::from_le_bytes(b).to_f32()),
            Self::Bf16 => each(bytes, |b| bf16::from_le_bytes(b).to_f32()),
            Self::I64 => each(bytes, |b| i64::from_le_bytes(b) as f32),
            Self::I32 => each(bytes, |b| i32::from_le_bytes(b) as f32),
            Self::I16 => each(bytes, |b| i16::from_le_bytes(b).into()),
            Self::I8 => each(bytes, |b| i8::from_le_bytes(b).into()),
            Self::U64 => each(bytes, |b| u64::from_le_bytes(b) as f32),
            Self::U32 => each(bytes, |b| u32::from_le_bytes(b) as f32),
            Self::U16 => each(bytes, |b| u16::from_le_bytes(b).into()),
            Self::U8 => each(bytes, |[b]| b.into()),
            Self::Bool => each(bytes, |[b]| if b == 0 { 0.0 } else { 1.0 }),
        }
    }
}

/// A piece of memory that tensors are views of.
#[derive(Clone, Debug)]
pub(in crate::weights) struct Storage {
    /// Its name in the file.
    pub(super) key: String,
    /// `torch.FloatStorage` and the like.
    pub(super) class: String,
    pub(super) elements: usize,
    /// Elements before those that a tensor's offset counts from.
    pub(super) view_offset: usize,
}

impl Storage {
    /// Its bytes; `None` where there would be too many for a number.
    pub(super) fn bytes(&self) -> Option<usize> {
        let width = Element::of_name(&self.class).map_or_else(
            || match self.class.rsplit('.').next() {
                Some("ComplexDoubleStorage") => 16,
                Some("ComplexFloatStorage") => 8,
                Some("QInt32Storage") => 4,
                _ => 1,
            },
            Element::size,
        );
        self.elements.checked_mul(width)
    }
}

/// A tensor whose values are still in the file.
#[derive(Clone, Debug)]
pub(in crate::weights) struct Tensor {
    pub(super) storage: Storage,
    pub(super) element: Element,
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) stride: Vec<usize>,
    /// PyTorch's lazy negation: the values are the negatives of what is stored.
    pub(super) negated: bool,
}

impl Tensor {
    /// How many values there are, `None` where there are too many to count.
    pub(super) fn count(&self) -> Option<usize> {
        self.shape.iter().try_fold(1usize, |product, &extent| product.checked_mul(extent))
    }

    /// First byte in the storage, and the number of bytes from there to the end of the last value.
    pub(super) fn window(&self, name: &str) -> Result<(usize, usize), PytorchFailure> {
        let failed = |what| PytorchFailure::Tensor { name: name.into(), what };
        if self.shape.len() != self.stride.len() {
            return Err(failed("has strides for another number of axes"));
        }
        let count = self.count().ok_or(failed("has more values than can be counted"))?;
        let last = self.shape.iter().zip(&self.stride).try_fold(0usize, |last, (&extent, &stride)| {
            last.checked_add(extent.saturating_sub(1).checked_mul(stride)?)
        });
        let elements = if count == 0 { Some(0) } else { last.and_then(|last| last.checked_add(1)) };
        let bytes = |elements: usize| elements.checked_mul(self.element.size());
        let window =
            (|| Some((bytes(self.offset.checked_add(self.storage.view_offset)?)?, bytes(elements?)?)))();
        let end = window.and_then(|(start, length)| start.checked_add(length));
        match (window, end.zip(self.storage.bytes())) {
            (Some(window), Some((end, bytes))) if end <= bytes => Ok(window),
            _ => Err(failed("reaches behind the end of its storage")),
        }
    }

    /// The values in row-major order, from the bytes of [`Self::window`].
    pub(super) fn values(&self, window: &[u8]) -> Vec<f32> {
        let mut stored = self.element.decode(window);
        if self.negated {
            stored.iter_mut().for_each(|value| *value = -*value);
        }
        if stored.is_empty() {
            return stored;
        }
        let mut contiguous = 1;
        let in_order = self.shape.iter().zip(&self.stride).rev().all(|(&extent, &stride)| {
            let here = extent == 1 || stride == contiguous;
            contiguous *= extent;
            here
        });
        if in_order {
            return stored;
        }
        let mut values = Vec::with_capacity(self.count().unwrap_or(0));
        let mut index = vec![0; self.shape.len()];
        let mut at = 0;
        loop {
            values.push(stored[at]);
            // The next place: the last axis that is not at its end.
            let Some(axis) = (0..index.len()).rev().find(|&axis| index[axis] + 1 < self.shape[axis]) else {
                return values;
            };
            for (place, stride) in index.iter_mut().zip(&self.stride).skip(axis + 1) {
                at -= *place * stride;
                *place = 0;
            }
            index[axis] += 1;
            at += self.stride[axis];
        }
    }
}
