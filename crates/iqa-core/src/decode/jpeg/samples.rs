//! From coefficients to samples, to pixels: as libjpeg's defaults, to the bit.

use pulp::{Simd, WithSimd};

use super::entropy::Block;
use super::header::Colour;

/// Fractional bits of the transform's constants.
const FRACTION: u32 = 13;
/// Further bits kept between its two passes.
const BETWEEN: u32 = 2;

const fn fixed(value: f64) -> i32 {
    (value * (1 << FRACTION) as f64 + 0.5) as i32
}

/// The inverse transform of each column. Source: C. Loeffler, A. Ligtenberg, G. Moschytz, "Practical fast 1-D DCT
/// algorithms with 11 multiplications", ICASSP 1989, in the fixed point of libjpeg's slow integer transform.
#[inline(always)]
fn columns<const SHIFT: u32>(rows: &[[i32; 8]; 8], out: &mut [[i32; 8]; 8]) {
    // Columns are lanes of a vector: so written, that the compiler sees it.
    for at in 0..8 {
        let [v0, v1, v2, v3] = [rows[0][at], rows[1][at], rows[2][at], rows[3][at]];
        let [v4, v5, v6, v7] = [rows[4][at], rows[5][at], rows[6][at], rows[7][at]];
        let shared = v2.wrapping_add(v6).wrapping_mul(const { fixed(0.541196100) });
        let low = shared.wrapping_sub(v6.wrapping_mul(const { fixed(1.847759065) }));
        let high = shared.wrapping_add(v2.wrapping_mul(const { fixed(0.765366865) }));
        let (sum, difference) = (v0.wrapping_add(v4) << FRACTION, v0.wrapping_sub(v4) << FRACTION);
        let even = [
            sum.wrapping_add(high),
            difference.wrapping_add(low),
            difference.wrapping_sub(low),
            sum.wrapping_sub(high),
        ];
        let (outer, inner) = (v7.wrapping_add(v1), v5.wrapping_add(v3));
        let (left, right) = (v7.wrapping_add(v3), v5.wrapping_add(v1));
        let shared = left.wrapping_add(right).wrapping_mul(const { fixed(1.175875602) });
        let outer = outer.wrapping_mul(const { fixed(0.899976223) });
        let inner = inner.wrapping_mul(const { fixed(2.562915447) });
        let left = shared.wrapping_sub(left.wrapping_mul(const { fixed(1.961570560) }));
        let right = shared.wrapping_sub(right.wrapping_mul(const { fixed(0.390180644) }));
        let odd = [
            v1.wrapping_mul(const { fixed(1.501321110) }).wrapping_sub(outer).wrapping_add(right),
            v3.wrapping_mul(const { fixed(3.072711026) }).wrapping_sub(inner).wrapping_add(left),
            v5.wrapping_mul(const { fixed(2.053119869) }).wrapping_sub(inner).wrapping_add(right),
            v7.wrapping_mul(const { fixed(0.298631336) }).wrapping_sub(outer).wrapping_add(left),
        ];
        for row in 0..4 {
            out[row][at] = rounded::<SHIFT>(even[row].wrapping_add(odd[row]));
            out[7 - row][at] = rounded::<SHIFT>(even[row].wrapping_sub(odd[row]));
        }
    }
}

#[inline(always)]
fn rounded<const SHIFT: u32>(value: i32) -> i32 {
    value.wrapping_add(1 << (SHIFT - 1)) >> SHIFT
}

#[inline(always)]
fn transpose<T: Copy>(rows: &[[T; 8]; 8], out: &mut [[T; 8]; 8]) {
    for row in 0..8 {
        for column in 0..8 {
            out[column][row] = rows[row][column];
        }
    }
}

#[inline(always)]
fn byte(value: i32) -> u8 {
    value.saturating_add(128).clamp(0, 255) as u8
}

/// The furthest from zero that a coefficient may be. The squares of 64 samples of -128 to 127 sum up to at most the square
/// of 1024, and so do those of their transform; twice that for encoders that go beyond, and half a step for rounding.
fn furthest(table: &[u16; 64]) -> i32 {
    2 * 1024 + i32::from(table.iter().copied().max().unwrap_or(0)) / 2
}

/// Blocks beside one another, as the samples of eight rows. False where a block is of no samples of eight bits.
pub(super) struct BlockRow<'a> {
    pub(super) blocks: &'a [Block],
    pub(super) table: &'a [u16; 64],
    pub(super) out: &'a mut [u8],
}

impl WithSimd for BlockRow<'_> {
    type Output = bool;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> bool {
        let mut far = [0; 8];
        let stride = 8 * self.blocks.len();
        let (mut rows, mut between, mut samples) = ([[0i32; 8]; 8], [[0i32; 8]; 8], [[[0u8; 8]; 8]; 2]);
        for (number, block) in self.blocks.iter().enumerate() {
            if block[1..] == [0; 63] {
                // What the two passes make of it.
                let mean = i32::from(block[0]) * i32::from(self.table[0]);
                far[0] = far[0].max(mean.abs());
                samples[1] = [[byte(rounded::<{ BETWEEN + 3 }>(mean << BETWEEN)); 8]; 8];
            } else {
                let values = rows.as_flattened_mut().iter_mut().zip(block).zip(self.table);
                values.for_each(|((value, &part), &step)| *value = i32::from(part) * i32::from(step));
                for row in &rows {
                    far.iter_mut().zip(row).for_each(|(far, value)| *far = (*far).max(value.abs()));
                }
                columns::<{ FRACTION - BETWEEN }>(&rows, &mut between);
                transpose(&between, &mut rows);
                columns::<{ FRACTION + BETWEEN + 3 }>(&rows, &mut between);
                let [turned, upright] = &mut samples;
                let values = turned.as_flattened_mut().iter_mut().zip(between.as_flattened());
                values.for_each(|(sample, &value)| *sample = byte(value));
                transpose(turned, upright);
            }
            for (row, line) in samples[1].iter().enumerate() {
                self.out[row * stride + 8 * number..][..8].copy_from_slice(line);
            }
        }
        far.iter().all(|&far| far <= furthest(self.table))
    }
}

/// The samples of one component.
pub(super) struct Plane {
    /// Of all rows, or of the last: a row beyond them takes the place of the first.
    pub(super) samples: Vec<u8>,
    /// From one row to the next.
    pub(super) stride: usize,
    /// Those that belong to the picture.
    pub(super) width: usize,
    pub(super) height: usize,
    /// Pixels that one sample stands for.
    pub(super) across: usize,
    pub(super) down: usize,
}

impl Plane {
    fn line(&self, row: usize) -> &[u8] {
        &self.samples[row * self.stride % self.samples.len()..][..self.width]
    }

    /// The row of pixels `y` at full width. Where libjpeg does, between samples: a pixel is three parts of the sample
    /// that it lies in and one part of the next; `sums` is room for these of the rows.
    #[inline(always)]
    pub(super) fn upsample(&self, y: usize, sums: &mut Vec<u16>, out: &mut Vec<u8>) {
        let row = y / self.down;
        let line = self.line(row);
        let upper = y.is_multiple_of(2);
        // The nearest other row, within the picture.
        let other = if upper { row.saturating_sub(1) } else { (row + 1).min(self.height - 1) };
        out.clear();
        match (self.across, self.down) {
            (1, 1) => out.extend(line),
            (1, 2) => {
                let bias = if upper { 1 } else { 2 };
                let blend =
                    |(&near, &far): (&u8, &u8)| ((3 * u16::from(near) + u16::from(far) + bias) >> 2) as u8;
                out.extend(line.iter().zip(self.line(other)).map(blend));
            }
            (2, 1) if self.width > 2 => {
                sums.clear();
                sums.extend(line.iter().map(|&value| u16::from(value)));
                widen(sums, [1, 2], 2, out);
            }
            (2, 2) if self.width > 2 => {
                sums.clear();
                let sum = |(&near, &far): (&u8, &u8)| 3 * u16::from(near) + u16::from(far);
                sums.extend(line.iter().zip(self.line(other)).map(sum));
                widen(sums, [8, 7], 4, out);
            }
            (across, _) => line.iter().for_each(|&value| out.extend(std::iter::repeat_n(value, across))),
        }
    }
}

/// Two values for each of at least two: three parts of it and one of its neighbour on that side, at the ends of itself;
/// divided by `1 << shift`, rounded with the biases of the two sides.
#[inline(always)]
fn widen(values: &[u16], bias: [u16; 2], shift: u32, out: &mut Vec<u8>) {
    let side = |value: u16, neighbour: u16, bias: u16| ((3 * value + neighbour + bias) >> shift) as u8;
    let last = values.len() - 1;
    out.resize(2 * values.len(), 0);
    let pairs = out.as_chunks_mut::<2>().0;
    for (pair, near) in pairs[1..].iter_mut().zip(values.windows(3)) {
        *pair = [side(near[1], near[0], bias[0]), side(near[1], near[2], bias[1])];
    }
    pairs[0] = [side(values[0], values[0], bias[0]), side(values[0], values[1], bias[1])];
    pairs[last] = [side(values[last], values[last - 1], bias[0]), side(values[last], values[last], bias[1])];
}

/// Rows of pixels: in RGB, or of the components as they are.
pub(super) struct Paint<'a> {
    pub(super) planes: &'a [&'a Plane],
    pub(super) colour: Option<Colour>,
    pub(super) first: usize,
    pub(super) row_bytes: usize,
    pub(super) out: &'a mut [u8],
}

impl WithSimd for Paint<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (mut sums, mut rows) = (Vec::new(), vec![Vec::new(); self.planes.len()]);
        for (y, out) in self.out.chunks_exact_mut(self.row_bytes).enumerate() {
            for (plane, row) in self.planes.iter().zip(&mut rows) {
                plane.upsample(self.first + y, &mut sums, row);
            }
            if let Some(colour) = self.colour {
                to_rgb(colour, &mut rows);
                interleave(&rows[..3], out);
            } else {
                interleave(&rows, out);
            }
        }
    }
}

/// Turns rows of components into rows of red, green and blue, the first three of them. Sources: JFIF 1.02 for YCbCr;
/// CMYK as Adobe stores it, inverted.
#[inline(always)]
fn to_rgb(colour: Colour, rows: &mut Vec<Vec<u8>>) {
    if colour == Colour::Grey {
        rows.resize(3, Vec::new());
        let (grey, others) = rows.split_at_mut(1);
        others.iter_mut().for_each(|row| row.clone_from(&grey[0]));
    }
    let [red, green, blue, black @ ..] = &mut rows[..] else { return };
    if matches!(colour, Colour::YCbCr | Colour::Ycck) {
        for ((red, green), blue) in red.iter_mut().zip(green.iter_mut()).zip(blue.iter_mut()) {
            [*red, *green, *blue] = ycbcr(*red, *green, *blue);
        }
    }
    if let [black, ..] = black {
        for row in [red, green, blue] {
            for (value, &black) in row.iter_mut().zip(black.iter()) {
                let ink = if colour == Colour::Ycck { 255 - *value } else { *value };
                *value = ((u32::from(ink) * u32::from(black) + 127) / 255) as u8;
            }
        }
    }
}

/// Puts rows of samples together by pixel.
#[inline(always)]
fn interleave(rows: &[Vec<u8>], out: &mut [u8]) {
    if let [red, green, blue] = rows {
        // So written, that the compiler makes vectors of it.
        let count = (out.len() / 3).min(red.len()).min(green.len()).min(blue.len());
        let (red, green, blue) = (&red[..count], &green[..count], &blue[..count]);
        let out = &mut out[..3 * count];
        for at in 0..count {
            out[3 * at] = red[at];
            out[3 * at + 1] = green[at];
            out[3 * at + 2] = blue[at];
        }
        return;
    }
    for (channel, row) in rows.iter().enumerate() {
        let samples = out[channel..].iter_mut().step_by(rows.len());
        samples.zip(row).for_each(|(out, &sample)| *out = sample);
    }
}

/// In 16 bits of fraction.
#[inline(always)]
fn ycbcr(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    const fn fixed(value: f64) -> i32 {
        (value * 65536.0 + 0.5) as i32
    }
    let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
    const HALF: i32 = 1 << 15;
    let red = y + ((const { fixed(1.402) } * cr + HALF) >> 16);
    let green = y + ((HALF - const { fixed(0.34414) } * cb - const { fixed(0.71414) } * cr) >> 16);
    let blue = y + ((const { fixed(1.772) } * cb + HALF) >> 16);
    [red, green, blue].map(|value| value.clamp(0, 255) as u8)
}
