//! The header and the tags of the first picture. Sources: TIFF 6.0, section 2; the BigTIFF design of 2004.

use super::Fault;

pub(super) const WIDTH: u16 = 256;
pub(super) const HEIGHT: u16 = 257;
pub(super) const BITS_PER_SAMPLE: u16 = 258;
pub(super) const COMPRESSION: u16 = 259;
pub(super) const PHOTOMETRIC: u16 = 262;
pub(super) const FILL_ORDER: u16 = 266;
pub(super) const STRIP_OFFSETS: u16 = 273;
pub(super) const ORIENTATION: u16 = 274;
pub(super) const SAMPLES_PER_PIXEL: u16 = 277;
pub(super) const ROWS_PER_STRIP: u16 = 278;
pub(super) const STRIP_BYTE_COUNTS: u16 = 279;
pub(super) const PLANAR_CONFIGURATION: u16 = 284;
pub(super) const T4_OPTIONS: u16 = 292;
pub(super) const PREDICTOR: u16 = 317;
pub(super) const COLOR_MAP: u16 = 320;
pub(super) const TILE_WIDTH: u16 = 322;
pub(super) const TILE_LENGTH: u16 = 323;
pub(super) const TILE_OFFSETS: u16 = 324;
pub(super) const TILE_BYTE_COUNTS: u16 = 325;
pub(super) const INK_SET: u16 = 332;
pub(super) const EXTRA_SAMPLES: u16 = 338;
pub(super) const SAMPLE_FORMAT: u16 = 339;
pub(super) const JPEG_TABLES: u16 = 347;
pub(super) const YCBCR_COEFFICIENTS: u16 = 529;
pub(super) const YCBCR_SUBSAMPLING: u16 = 530;
pub(super) const REFERENCE_BLACK_WHITE: u16 = 532;
pub(super) const ICC_PROFILE: u16 = 34675;

/// The byte order of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    /// The number of `N` bytes at a place in an array of them.
    pub(super) fn element<const N: usize>(self, bytes: &[u8], index: usize) -> u64 {
        let mut whole = [0; 8];
        match self {
            Self::Little => {
                whole[..N].copy_from_slice(&bytes[index * N..][..N]);
                u64::from_le_bytes(whole)
            }
            Self::Big => {
                whole[8 - N..].copy_from_slice(&bytes[index * N..][..N]);
                u64::from_be_bytes(whole)
            }
        }
    }

    /// An unsigned number of up to 8 bytes.
    pub(super) fn number(self, bytes: &[u8]) -> u64 {
        let join = |number, &byte| number << 8 | u64::from(byte);
        match self {
            Self::Little => bytes.iter().rev().fold(0, join),
            Self::Big => bytes.iter().fold(0, join),
        }
    }
}

/// The tags of the first picture of a file, read where they lie.
pub(super) struct Directory<'a> {
    bytes: &'a [u8],
    order: Order,
    /// Bytes of an offset: 4, or 8 in BigTIFF.
    offset_size: usize,
    entries: &'a [u8],
}

impl<'a> Directory<'a> {
    /// Finds the first directory of a file.
    pub(super) fn first(bytes: &'a [u8]) -> Result<Self, Fault> {
        let order = if bytes.starts_with(b"II") { Order::Little } else { Order::Big };
        let number = |at: usize, size| slice(bytes, at as u64, size).map(|bytes| order.number(bytes));
        let (at, offset_size, count_size) = match number(2, 2)? {
            42 => (number(4, 4)?, 4, 2),
            43 if number(4, 2)? == 8 && number(6, 2)? == 0 => (number(8, 8)?, 8, 8),
            _ => return Err(Fault::Damaged("neither a TIFF nor a BigTIFF header".into())),
        };
        let count = order.number(slice(bytes, at, count_size)?);
        let entries = slice(bytes, at + count_size, count.saturating_mul(4 + 2 * offset_size as u64))?;
        Ok(Self { bytes, order, offset_size, entries })
    }

    /// The byte order.
    pub(super) fn order(&self) -> Order {
        self.order
    }

    /// The values of a tag, if it is there.
    pub(super) fn values(&self, tag: u16) -> Result<Option<Values<'a>>, Fault> {
        let entry = self
            .entries
            .chunks_exact(4 + 2 * self.offset_size)
            .find(|entry| self.order.number(&entry[..2]) == u64::from(tag));
        let Some(entry) = entry else { return Ok(None) };
        let kind = self.order.number(&entry[2..4]);
        let size: u64 = match kind {
            1 | 2 | 6 | 7 => 1,
            3 | 8 => 2,
            4 | 9 | 11 | 13 => 4,
            5 | 10 | 12 | 16 | 17 | 18 => 8,
            _ => return Err(Fault::Damaged(format!("tag {tag} has the unknown type {kind}"))),
        };
        let (count, value) = entry[4..].split_at(self.offset_size);
        let length = self.order.number(count).saturating_mul(size);
        let bytes = if length <= value.len() as u64 {
            &value[..length as usize]
        } else {
            slice(self.bytes, self.order.number(value), length)?
        };
        Ok(Some(Values { tag, kind, size: size as usize, order: self.order, bytes }))
    }

    /// The first value of a tag, if it is there.
    pub(super) fn number(&self, tag: u16) -> Result<Option<u64>, Fault> {
        self.values(tag)?.map(|values| values.number(0)).transpose()
    }

    /// The first value of a tag that must be there.
    pub(super) fn required(&self, tag: u16) -> Result<u32, Fault> {
        let value = self.number(tag)?.ok_or_else(|| Fault::Damaged(format!("tag {tag} is missing")))?;
        u32::try_from(value).map_err(|_| Fault::Damaged(format!("tag {tag} is {value}")))
    }
}

/// The values of one tag.
pub(super) struct Values<'a> {
    tag: u16,
    kind: u64,
    size: usize,
    order: Order,
    /// As they stand in the file.
    pub(super) bytes: &'a [u8],
}

impl Values<'_> {
    /// How many.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() / self.size
    }

    fn at(&self, index: usize) -> Result<&[u8], Fault> {
        self.bytes
            .chunks_exact(self.size)
            .nth(index)
            .ok_or_else(|| Fault::Damaged(format!("tag {} has {} values", self.tag, self.len())))
    }

    /// One of them, as a whole number.
    pub(super) fn number(&self, index: usize) -> Result<u64, Fault> {
        let number = self.order.number(self.at(index)?);
        match self.kind {
            1 | 3 | 4 | 7 | 13 | 16 | 18 => Ok(number),
            // Some writers take signed types for what is never negative.
            6 | 8 | 9 | 17 if number >> (8 * self.size - 1) == 0 => Ok(number),
            _ => Err(Fault::Damaged(format!("tag {} is no whole number", self.tag))),
        }
    }

    /// All of them, as whole numbers.
    pub(super) fn numbers(&self) -> Result<Vec<u64>, Fault> {
        (0..self.len()).map(|index| self.number(index)).collect()
    }

    /// The first `N` of them, as floats.
    pub(super) fn floats<const N: usize>(&self) -> Result<[f64; N], Fault> {
        let mut floats = [0.0; N];
        for (index, float) in floats.iter_mut().enumerate() {
            let bytes = self.at(index)?;
            *float = match self.kind {
                5 => self.order.number(&bytes[..4]) as f64 / self.order.number(&bytes[4..]) as f64,
                11 => f64::from(f32::from_bits(self.order.number(bytes) as u32)),
                12 => f64::from_bits(self.order.number(bytes)),
                _ => self.number(index)? as f64,
            };
        }
        Ok(floats)
    }
}

/// A part of the file.
pub(super) fn slice(bytes: &[u8], at: u64, length: u64) -> Result<&[u8], Fault> {
    let end = at.checked_add(length).ok_or(Fault::Truncated)?;
    let range = usize::try_from(at).ok().zip(usize::try_from(end).ok());
    range.and_then(|(at, end)| bytes.get(at..end)).ok_or(Fault::Truncated)
}
