//! From the bytes of a row to its samples.

use half::f16;

use super::codec::{Compression, Rows};
use super::directory::{self, Directory, Order};
use super::{Fault, pixels};
use crate::decode::FLOATS;

/// Samples of a pixel that are read; more is no picture.
const MOST_SAMPLES: usize = 64;

/// What a sample is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Unsigned,
    Float,
}

/// What was done to the samples of a row before they were compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Predictor {
    None,
    /// Each is the difference from the one to its left.
    Difference,
    /// The same, byte by byte, with the bytes of all floats sorted by weight.
    Float,
}

/// How the samples of a picture lie in its rows.
pub(super) struct Layout {
    /// Samples of a pixel.
    pub(super) samples: usize,
    pub(super) bits: usize,
    pub(super) format: Format,
    /// Whether each strip or tile holds one sample of its pixels.
    is_planar: bool,
    /// Pixels that share their chroma, across and down.
    block: (usize, usize),
    predictor: Predictor,
    order: Order,
}

impl Layout {
    /// As the tags say.
    pub(super) fn of(tags: &Directory<'_>, compression: &Compression<'_>) -> Result<Self, Fault> {
        let unsupported = |what: String| Err(Fault::Unsupported(format!("TIFF with {what}")));
        let samples = tags.number(directory::SAMPLES_PER_PIXEL)?.unwrap_or(1) as usize;
        if samples == 0 || samples > MOST_SAMPLES {
            return unsupported(format!("{samples} samples a pixel"));
        }
        // One value may stand for all.
        let alike = |tag, default| -> Result<Option<u64>, Fault> {
            let values = tags.values(tag)?.map(|values| values.numbers()).transpose()?.unwrap_or_default();
            let first = *values.first().unwrap_or(&default);
            let mut values = values.iter().take(samples);
            Ok(values.all(|&value| value == first).then_some(first))
        };
        let Some(bits) = alike(directory::BITS_PER_SAMPLE, 1)? else {
            return unsupported("samples of unlike numbers of bits".into());
        };
        let format = match alike(directory::SAMPLE_FORMAT, 1)? {
            // 4 is "undefined", which a reader takes for unsigned.
            Some(1 | 4) => Format::Unsigned,
            Some(2) => return unsupported("signed integers".into()),
            Some(3) => Format::Float,
            Some(5 | 6) => return unsupported("complex numbers".into()),
            Some(other) => return unsupported(format!("samples of the unknown format {other}")),
            None => return unsupported("samples of unlike formats".into()),
        };
        let bits = bits as usize;
        if !matches!(
            (format, bits),
            (Format::Unsigned, 1..=16 | 24 | 32 | 64) | (Format::Float, 16 | 32 | 64)
        ) {
            return unsupported(format!(
                "{} of {bits} bits",
                if format == Format::Float { "floats" } else { "integers" }
            ));
        }
        match compression {
            Compression::Fax(_) if bits != 1 => {
                return unsupported(format!("CCITT compression of {bits} bits"));
            }
            Compression::Jpeg(_) | Compression::WebP if (format, bits) != (Format::Unsigned, 8) => {
                return unsupported(format!("JPEG or WebP compression of {bits} bits"));
            }
            _ => {}
        }
        let is_planar = match tags.number(directory::PLANAR_CONFIGURATION)?.unwrap_or(1) {
            1 => false,
            // One sample is the same either way.
            2 => samples > 1,
            other => return unsupported(format!("the unknown planar configuration {other}")),
        };
        if !is_planar && samples > 1 && matches!(compression, Compression::Fax(_)) {
            return unsupported("CCITT compression of several samples".into());
        }
        if is_planar && matches!(compression, Compression::WebP) {
            return unsupported("WebP compression of separate planes".into());
        }
        let block = match tags.number(directory::PHOTOMETRIC)? {
            // A JPEG has its own sampling.
            Some(pixels::YCBCR) if !matches!(compression, Compression::Jpeg(_) | Compression::WebP) => {
                let values = tags.values(directory::YCBCR_SUBSAMPLING)?;
                let values = values.map_or(Ok(vec![2, 2]), |values| values.numbers())?;
                let [across @ (1 | 2 | 4), down @ (1 | 2 | 4)] = values[..] else {
                    return unsupported(format!("chroma subsampled by {values:?}"));
                };
                (across as usize, down as usize)
            }
            _ => (1, 1),
        };
        let predictor = match tags.number(directory::PREDICTOR)?.unwrap_or(1) {
            // It belongs to the compression: a reader of another looks past it.
            2 | 3 if matches!(compression, Compression::None | Compression::Fax(_)) => Predictor::None,
            2 | 3 if matches!(compression, Compression::Jpeg(_) | Compression::WebP) => Predictor::None,
            1 => Predictor::None,
            2 if compression.takes_predictor() && matches!(bits, 8 | 16 | 24 | 32 | 64) => {
                Predictor::Difference
            }
            3 if compression.takes_predictor() && format == Format::Float => Predictor::Float,
            other => return unsupported(format!("predictor {other} here")),
        };
        if block != (1, 1) {
            if is_planar {
                return unsupported("subsampled chroma in separate planes".into());
            }
            if predictor != Predictor::None {
                return unsupported("subsampled chroma and a predictor".into());
            }
            if samples != 3 || (format, bits) != (Format::Unsigned, 8) {
                return unsupported(format!("subsampled chroma in {samples} samples of {bits} bits"));
            }
        }
        Ok(Self { samples, bits, format, is_planar, block, predictor, order: tags.order() })
    }

    /// How many strips or tiles lie behind one another for the samples of the same pixels.
    pub(super) fn planes(&self) -> usize {
        if self.is_planar { self.samples } else { 1 }
    }

    /// Samples of a pixel in one strip or tile.
    pub(super) fn chunk_samples(&self) -> usize {
        if self.is_planar { 1 } else { self.samples }
    }

    /// Whether the rows are three bytes a pixel.
    pub(super) fn is_three_bytes(&self) -> bool {
        (self.format, self.bits, self.samples) == (Format::Unsigned, 8, 3)
            && !self.is_planar
            && self.block == (1, 1)
    }

    /// Rows that can only be read together.
    pub(super) fn band(&self) -> u32 {
        self.block.1 as u32
    }
}

/// The samples of a few rows that are wanted: the colours and the alpha.
pub(super) struct Samples<'a> {
    layout: &'a Layout,
    picks: &'a [usize],
    /// The planes that hold the picks.
    planes: Vec<usize>,
    /// Bytes of a row, or of a row of blocks.
    row_bytes: usize,
    bytes: Vec<u8>,
    sorted: Vec<u8>,
    values: Vec<u16>,
    /// Values of a row.
    stride: usize,
}

impl<'a> Samples<'a> {
    /// For strips or tiles of a width; `picks` are the places of the samples that are wanted.
    pub(super) fn new(layout: &'a Layout, picks: &'a [usize], width: u32) -> Self {
        let width = width as usize;
        let row_bytes = match layout.block {
            (1, 1) => (width * layout.chunk_samples() * layout.bits).div_ceil(8),
            (across, down) => width.div_ceil(across) * (across * down + 2),
        };
        let planes = if layout.is_planar { picks.to_vec() } else { vec![0] };
        let (bytes, sorted, values) = Default::default();
        Self { layout, picks, planes, row_bytes, bytes, sorted, values, stride: 0 }
    }

    /// Bytes of so many rows of a strip or tile.
    pub(super) fn bytes(&self, rows: u32) -> usize {
        self.row_bytes.saturating_mul(rows.div_ceil(self.layout.band()) as usize)
    }

    /// The planes to read.
    pub(super) fn planes(&self) -> &[usize] {
        &self.planes
    }

    /// The values of the picks, of one row of those that were read: raw where they have up to 16 bits, else of 16.
    pub(super) fn row(&self, row: usize) -> &[u16] {
        &self.values[row * self.stride..(row + 1) * self.stride]
    }

    /// Reads the next row of a strip or tile whose rows are RGB with 8 bits a channel, and no more.
    pub(super) fn read_plain(&mut self, rows: &mut Rows<'_>, rgb: &mut [u8]) -> Result<(), Fault> {
        rows.next(&mut self.bytes, self.row_bytes)?;
        self.undo_predictor();
        rgb.copy_from_slice(&self.bytes[..rgb.len()]);
        Ok(())
    }

    /// Reads the next rows of strips or tiles that lie behind one another, up to a column.
    pub(super) fn read(&mut self, planes: &mut [Rows<'_>], columns: usize) -> Result<(), Fault> {
        self.stride = columns * self.picks.len();
        self.values.resize(self.stride * self.layout.block.1, 0);
        for (plane, rows) in planes.iter_mut().enumerate() {
            rows.next(&mut self.bytes, self.row_bytes)?;
            match self.layout.block {
                (1, 1) => {
                    self.undo_predictor();
                    self.unpack(plane)?;
                }
                block => self.unpack_blocks(block),
            }
        }
        Ok(())
    }

    fn undo_predictor(&mut self) {
        let (samples, order) = (self.layout.chunk_samples(), self.layout.order);
        match (self.layout.predictor, self.layout.bits / 8) {
            (Predictor::None, _) => {}
            (Predictor::Difference, 1) => add_up::<1>(&mut self.bytes, samples, order),
            (Predictor::Difference, 2) => add_up::<2>(&mut self.bytes, samples, order),
            (Predictor::Difference, 3) => add_up::<3>(&mut self.bytes, samples, order),
            (Predictor::Difference, 4) => add_up::<4>(&mut self.bytes, samples, order),
            (Predictor::Difference, _) => add_up::<8>(&mut self.bytes, samples, order),
            (Predictor::Float, size) => {
                add_up::<1>(&mut self.bytes, samples, order);
                let count = self.bytes.len() / size;
                self.sorted.clear();
                for at in 0..count {
                    let weights = (0..size).map(|weight| self.bytes[weight * count + at]);
                    match order {
                        Order::Big => self.sorted.extend(weights),
                        Order::Little => self.sorted.extend(weights.rev()),
                    }
                }
                std::mem::swap(&mut self.bytes, &mut self.sorted);
            }
        }
    }

    /// The picks of a row, from the bytes of all its samples or of one pick's.
    fn unpack(&mut self, plane: usize) -> Result<(), Fault> {
        let Layout { order, bits, format, is_planar, .. } = *self.layout;
        let (bytes, values) = (&self.bytes[..], &mut self.values[..]);
        let wanted = if is_planar {
            Wanted { every: 1, picks: &[0], first: plane, channels: self.picks.len() }
        } else {
            Wanted { every: self.layout.samples, picks: self.picks, first: 0, channels: self.picks.len() }
        };
        match (format, bits) {
            (Format::Float, 16) => {
                wanted.put(values, |at| unit(f16::from_bits(order.element::<2>(bytes, at) as u16).to_f64()))
            }
            (Format::Float, 32) => {
                wanted.put(values, |at| unit(f32::from_bits(order.element::<4>(bytes, at) as u32).into()))
            }
            (Format::Float, _) => {
                wanted.put(values, |at| unit(f64::from_bits(order.element::<8>(bytes, at))))
            }
            (_, 8) => wanted.put(values, |at| Ok(bytes[at].into())),
            (_, 16) => wanted.put(values, |at| Ok(order.element::<2>(bytes, at) as u16)),
            (_, 24 | 32 | 64) => wanted.put(values, |at| {
                // The lower half of 64 bits is far below a step of 16.
                let (value, most) = match bits {
                    24 => (order.element::<3>(bytes, at), (1 << 24) - 1),
                    32 => (order.element::<4>(bytes, at), (1 << 32) - 1),
                    _ => (order.element::<8>(bytes, at) >> 32, (1 << 32) - 1),
                };
                Ok(((value * 65535 + most / 2) / most) as u16)
            }),
            // The others follow one another bit by bit, the highest first.
            _ => wanted.put(values, |at| {
                let (first, end) = (at * bits, (at + 1) * bits);
                let window = Order::Big.number(&bytes[first / 8..end.div_ceil(8)]);
                Ok(((window >> (end.div_ceil(8) * 8 - end)) & ((1 << bits) - 1)) as u16)
            }),
        }
    }

    /// Blocks of pixels that share their chroma: the luma row by row, then the chroma. Source: TIFF 6.0, section 21.
    fn unpack_blocks(&mut self, (across, down): (usize, usize)) {
        let luma = across * down;
        for (row, values) in self.values.chunks_exact_mut(self.stride).enumerate() {
            let blocks =
                self.bytes.chunks_exact(luma + 2).flat_map(|block| std::iter::repeat_n(block, across));
            for (at, (block, pixel)) in blocks.zip(values.chunks_exact_mut(3)).enumerate() {
                let parts = [block[row * across + at % across], block[luma], block[luma + 1]];
                pixel.copy_from_slice(&parts.map(u16::from));
            }
        }
    }
}

/// Which samples of a row go where.
struct Wanted<'a> {
    /// Samples of a pixel in the row, and which of them are wanted.
    every: usize,
    picks: &'a [usize],
    /// Values of a pixel, and where the first pick goes.
    channels: usize,
    first: usize,
}

impl Wanted<'_> {
    fn put(&self, values: &mut [u16], sample: impl Fn(usize) -> Result<u16, Fault>) -> Result<(), Fault> {
        for (at, pixel) in values.chunks_exact_mut(self.channels).enumerate() {
            for (pick, value) in self.picks.iter().zip(&mut pixel[self.first..]) {
                *value = sample(at * self.every + pick)?;
            }
        }
        Ok(())
    }
}

/// Undoes differences between neighbours, of numbers of `N` bytes.
fn add_up<const N: usize>(row: &mut [u8], samples: usize, order: Order) {
    for at in samples..row.len() / N {
        let sum = order.element::<N>(row, at - samples).wrapping_add(order.element::<N>(row, at));
        match order {
            Order::Little => row[at * N..][..N].copy_from_slice(&sum.to_le_bytes()[..N]),
            Order::Big => row[at * N..][..N].copy_from_slice(&sum.to_be_bytes()[8 - N..]),
        }
    }
}

/// A float of `[0, 1]` in 16 bits.
fn unit(value: f64) -> Result<u16, Fault> {
    if !value.is_finite() {
        return Err(Fault::NotFinite);
    }
    if !FLOATS.contains(&value) {
        return Err(Fault::Range(value));
    }
    Ok((value.clamp(0.0, 1.0) * 65535.0).round() as u16)
}
