//! From coefficients to samples, to pixels: as libjpeg's defaults, to the bit.

use super::header::Colour;

/// Fractional bits of the transform's constants.
const FRACTION: u32 = 13;
/// Further bits kept between its two passes.
const BETWEEN: u32 = 2;

const fn fixed(value: f64) -> i32 {
    (value * (1 << FRACTION) as f64 + 0.5) as i32
}

/// The inverse transform of eight values. Source: C. Loeffler, A. Ligtenberg, G. Moschytz, "Practical fast 1-D DCT
/// algorithms with 11 multiplications", ICASSP 1989, in the fixed point of libjpeg's slow integer transform.
#[inline]
fn transform(values: [i32; 8], shift: u32) -> [i32; 8] {
    let [v0, v1, v2, v3, v4, v5, v6, v7] = values;
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
    let round = |value: i32| value.wrapping_add(1 << (shift - 1)) >> shift;
    std::array::from_fn(|at| match at {
        0..4 => round(even[at].wrapping_add(odd[at])),
        _ => round(even[7 - at].wrapping_sub(odd[7 - at])),
    })
}

/// The transform of each column.
#[inline]
fn columns(rows: [[i32; 8]; 8], shift: u32) -> [[i32; 8]; 8] {
    let mut out = [[0; 8]; 8];
    for column in 0..8 {
        let values = transform(rows.map(|row| row[column]), shift);
        out.iter_mut().zip(values).for_each(|(row, value)| row[column] = value);
    }
    out
}

#[inline]
fn transposed(rows: [[i32; 8]; 8]) -> [[i32; 8]; 8] {
    std::array::from_fn(|row| rows.map(|line| line[row]))
}

/// The samples of a block, into the rows of a plane.
pub(super) fn block_samples(coefficients: &[i16; 64], table: &[u16; 64], out: &mut [u8], stride: usize) {
    let mut rows = [[0i32; 8]; 8];
    for ((value, &coefficient), &step) in rows.as_flattened_mut().iter_mut().zip(coefficients).zip(table) {
        *value = i32::from(coefficient) * i32::from(step);
    }
    let rows = if coefficients[1..] == [0; 63] {
        // What the two passes make of it.
        [[((rows[0][0] << BETWEEN) + (1 << (BETWEEN + 2))) >> (BETWEEN + 3); 8]; 8]
    } else {
        transposed(columns(transposed(columns(rows, FRACTION - BETWEEN)), FRACTION + BETWEEN + 3))
    };
    for (row, line) in rows.iter().enumerate() {
        for (out, value) in out[row * stride..][..8].iter_mut().zip(line) {
            *out = value.saturating_add(128).clamp(0, 255) as u8;
        }
    }
}

/// The samples of one component.
pub(super) struct Plane {
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
        &self.samples[row * self.stride..][..self.width]
    }

    /// The row of pixels `y` at full width. Where libjpeg does, between samples: a pixel is three parts of the sample
    /// that it lies in and one part of the next; `sums` is room for these of the rows.
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

/// Turns rows of components into RGB. Sources: JFIF 1.02 for YCbCr; CMYK as Adobe stores it, inverted.
pub(super) fn to_rgb(colour: Colour, rows: &[Vec<u8>], out: &mut [u8]) {
    let pixels = out.as_chunks_mut::<3>().0.iter_mut();
    match (colour, rows) {
        (Colour::Grey, [grey]) => pixels.zip(grey).for_each(|(out, &grey)| *out = [grey; 3]),
        (Colour::Rgb, [red, green, blue]) => {
            for (((out, &red), &green), &blue) in pixels.zip(red).zip(green).zip(blue) {
                *out = [red, green, blue];
            }
        }
        (Colour::YCbCr, [y, cb, cr]) => {
            for (((out, &y), &cb), &cr) in pixels.zip(y).zip(cb).zip(cr) {
                *out = ycbcr(y, cb, cr);
            }
        }
        (Colour::Cmyk | Colour::Ycck, [c, m, y, k]) => {
            for ((((out, &c), &m), &y), &k) in pixels.zip(c).zip(m).zip(y).zip(k) {
                let inks = match colour {
                    Colour::Ycck => ycbcr(c, m, y).map(|value| 255 - value),
                    _ => [c, m, y],
                };
                *out = inks.map(|ink| ((u32::from(ink) * u32::from(k) + 127) / 255) as u8);
            }
        }
        // The header has as many components as its colours.
        _ => {}
    }
}

/// In 16 bits of fraction.
#[inline]
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
