//! Compression, and what errors on the way do to it (TID2013 types 9 to 13, 20 and 21).

use image::RgbImage;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::super::codec::{self, Markers};
use super::super::dct::{self, Block, SIDE};
use super::super::planes::{Planes, to_image, to_planes};
use super::noise::{added, normal};
use super::search::Dial;
use crate::DatasetError;

/// The luminance table of ITU-T T.81, annex K, row by row.
pub(super) const LUMINANCE: Block = [
    16.0, 11.0, 10.0, 16.0, 24.0, 40.0, 51.0, 61.0, //
    12.0, 12.0, 14.0, 19.0, 26.0, 58.0, 60.0, 55.0, //
    14.0, 13.0, 16.0, 24.0, 40.0, 57.0, 69.0, 56.0, //
    14.0, 17.0, 22.0, 29.0, 51.0, 87.0, 80.0, 62.0, //
    18.0, 22.0, 37.0, 56.0, 68.0, 109.0, 103.0, 77.0, //
    24.0, 35.0, 55.0, 64.0, 81.0, 104.0, 113.0, 92.0, //
    49.0, 64.0, 78.0, 87.0, 103.0, 121.0, 120.0, 101.0, //
    72.0, 92.0, 95.0, 98.0, 112.0, 100.0, 103.0, 99.0,
];
/// Its chrominance table.
pub(super) const CHROMINANCE: Block = [
    17.0, 18.0, 24.0, 47.0, 99.0, 99.0, 99.0, 99.0, //
    18.0, 21.0, 26.0, 66.0, 99.0, 99.0, 99.0, 99.0, //
    24.0, 26.0, 56.0, 99.0, 99.0, 99.0, 99.0, 99.0, //
    47.0, 66.0, 99.0, 99.0, 99.0, 99.0, 99.0, 99.0, //
    99.0, 99.0, 99.0, 99.0, 99.0, 99.0, 99.0, 99.0, //
    99.0, 99.0, 99.0, 99.0, 99.0, 99.0, 99.0, 99.0, //
    99.0, 99.0, 99.0, 99.0, 99.0, 99.0, 99.0, 99.0, //
    99.0, 99.0, 99.0, 99.0, 99.0, 99.0, 99.0, 99.0,
];
/// Steps of the coder of noisy images, in standard deviations of the noise.
///
/// Source: N. Ponomarenko, V. Lukin et al. find the least error to the noise-free image near 4 (TID2013's type 21 is
/// made at that point).
const NOISY_STEP: f32 = 4.0;
/// A step that no coefficient of an 8x8 block in `[0, 1]` reaches.
const LARGEST: f64 = 10.0;
/// Quality of the JPEG stream that errors hit.
const STREAM_QUALITY: u8 = 92;
/// Rows that start the JPEG stream's prediction anew.
const STRIP: u32 = SIDE as u32;
/// Compression ratio of the JPEG 2000 stream that errors hit.
const STREAM_RATIO: f32 = 8.0;
/// The grey of a strip that does not decode.
const LOST: u8 = 128;
/// Markers of a JPEG stream: start of scan, end of image. Of a JPEG 2000 stream: start of a packet, end of its
/// header, end of the codestream.
const SOS: [u8; 2] = [0xff, 0xda];
const EOI_BYTES: usize = 2;
const SOP: [u8; 2] = [0xff, 0x91];
const EPH: [u8; 2] = [0xff, 0x92];
const EOC: [u8; 2] = [0xff, 0xd9];
/// Probabilities of a bit error.
const ERROR_RATES: (f64, f64) = (1e-7, 0.3);

/// YCbCr of JFIF without its offsets: chroma around 0.
pub(super) fn to_ycc([r, g, b]: [f32; 3]) -> [f32; 3] {
    let y = 0.299 * r + 0.587 * g + 0.114 * b;
    [y, (b - y) / 1.772, (r - y) / 1.402]
}

/// The inverse of [`to_ycc`].
pub(super) fn from_ycc([y, cb, cr]: [f32; 3]) -> [f32; 3] {
    [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb]
}

/// What JPEG loses, before and after its lossless part: 8x8 DCT coefficients of Y, Cb and Cr, without subsampling,
/// are rounded to multiples of the tables (in units of 1/255).
fn quantised(planes: &Planes, tables: [&Block; 3]) -> RgbImage {
    let mut ycc = dct::mixed(planes, to_ycc);
    // JPEG's coefficients are those of values around 0.
    ycc[0].values.iter_mut().for_each(|value| *value -= 128.0 / 255.0);
    let ycc = std::array::from_fn(|channel| {
        dct::map_blocks(&ycc[channel], |coefficients| {
            for (value, step) in coefficients.iter_mut().zip(tables[channel]) {
                let step = step / 255.0;
                *value = (*value / step).round() * step;
            }
        })
    });
    to_image(&dct::mixed(&ycc, |[y, cb, cr]| from_ycc([y + 128.0 / 255.0, cb, cr])))
}

/// Type 10: by the factor on JPEG's tables.
///
/// The loss of JPEG without its lossless part, so that tables need be neither whole numbers nor below 256: files
/// would step over the milder targets and end above the lowest.
pub(super) fn jpeg(image: &RgbImage) -> Dial<'static> {
    let planes = to_planes(image);
    Dial::new((0.02, 400.0), 1.0, move |factor| {
        let [luminance, chrominance] =
            [&LUMINANCE, &CHROMINANCE].map(|table| table.map(|step| step * factor));
        quantised(&planes, [&luminance, &chrominance, &chrominance])
    })
}

/// Type 11: by the compression ratio. The PSNR goes in steps where only a few coding passes are left.
pub(super) fn jpeg2000(image: &RgbImage) -> Dial<'_> {
    Dial::fallible((1.5, 2e4), 40.0, move |ratio| codec::jpeg2000(image, ratio)).jagged()
}

/// Type 9: white noise and its removal, by the standard deviation of the noise.
pub(super) fn denoised(image: &RgbImage, rng: &mut ChaCha8Rng) -> Dial<'static> {
    let (planes, noise) = (to_planes(image), normal(image, rng));
    Dial::new((0.001, 3.0), 0.1, move |sigma| {
        to_image(&dct::denoise(&added(&planes, &noise, sigma), sigma, dct::FINE))
    })
}

/// Type 21: white noise, then a DCT coder whose one step suits the noise; by the standard deviation of the noise.
pub(super) fn noisy(image: &RgbImage, rng: &mut ChaCha8Rng) -> Dial<'static> {
    let (planes, noise) = (to_planes(image), normal(image, rng));
    Dial::new((0.001, 3.0), 0.1, move |sigma| {
        let table = [NOISY_STEP * sigma * 255.0; SIDE * SIDE];
        quantised(&added(&planes, &noise, sigma), [&table; 3])
    })
}

/// Type 20: what a DCT coder would drop comes back as noise of the same energy; by the coder's step.
///
/// In each block, the coefficients below the step are drawn anew, with the energy that they have together with those
/// of about the same frequency. Where all of them do not reach the target, on smooth images, the noise is stronger
/// than what it replaces; then by the factor.
pub(super) fn comfort(image: &RgbImage, rng: &mut ChaCha8Rng) -> [Dial<'static>; 2] {
    let ycc = dct::mixed(&to_planes(image), to_ycc);
    let noise = normal(image, rng);
    let replaced = move |step: f32, gain: f32| {
        let filled: Planes = std::array::from_fn(|channel| {
            // Blocks reach over the image: there may be more coefficients than draws.
            let mut draws = noise[channel].values.iter().cycle().map(|draw| gain * draw);
            dct::map_blocks(&ycc[channel], |coefficients| fill(coefficients, step, &mut draws))
        });
        to_image(&dct::mixed(&filled, from_ycc))
    };
    let stronger = replaced.clone();
    [
        Dial::new((0.002, LARGEST), 0.2, move |step| replaced(step, 1.0)),
        Dial::new((1.0, 100.0), 2.0, move |gain| stronger(LARGEST as f32, gain)),
    ]
}

fn fill(coefficients: &mut Block, step: f32, draws: &mut impl Iterator<Item = f32>) {
    let frequency = |index: usize| index / SIDE + index % SIDE;
    let mut energies = [(0.0, 0.0); 2 * SIDE - 1];
    for (index, value) in coefficients.iter().enumerate().skip(1) {
        if value.abs() < step {
            let (energy, count) = &mut energies[frequency(index)];
            *energy += value * value;
            *count += 1.0;
        }
    }
    for (index, value) in coefficients.iter_mut().enumerate().skip(1) {
        let draw = draws.next().unwrap_or_default();
        if value.abs() < step {
            let (energy, count) = energies[frequency(index)];
            *value = draw * (energy / count).sqrt();
        }
    }
}

/// Bytes that errors may hit, each bit with a rank: the errors of a rate are those of smaller rank, so that a higher
/// rate adds errors to those of a lower.
struct Errors {
    /// Rank, byte, and mask of the bit, by rank.
    bits: Vec<(f32, usize, u8)>,
}

impl Errors {
    fn new(bytes: impl Iterator<Item = usize>, rng: &mut ChaCha8Rng) -> Self {
        let mut bits: Vec<_> = bytes
            .flat_map(|byte| (0..8).map(move |bit| (byte, 1 << bit)))
            .map(|(byte, mask)| (rng.random(), byte, mask))
            .filter(|bit: &(f32, usize, u8)| f64::from(bit.0) <= ERROR_RATES.1)
            .collect();
        bits.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self { bits }
    }

    fn hit(&self, stream: &mut [u8], rate: f32) -> usize {
        let count = self.bits.partition_point(|bit| bit.0 < rate);
        self.bits[..count].iter().for_each(|&(_, byte, mask)| stream[byte] ^= mask);
        count
    }
}

/// Type 12: a JPEG stream whose prediction starts anew every eight rows, its entropy-coded bytes with bit errors; by
/// their rate. A strip that does not decode is grey.
pub(super) fn jpeg_errors(image: &RgbImage, rng: &mut ChaCha8Rng) -> Result<Dial<'static>, DatasetError> {
    let failed = |source: image::ImageError| DatasetError::Codec {
        codec: "JPEG",
        size: image.dimensions(),
        source: source.into(),
    };
    let mut strips = Vec::new();
    for top in (0..image.height()).step_by(STRIP as usize) {
        let rows = STRIP.min(image.height() - top);
        let strip = image::imageops::crop_imm(image, 0, top, image.width(), rows).to_image();
        let file = codec::jpeg_encode(&strip, STREAM_QUALITY).map_err(failed)?;
        let clean = codec::jpeg_decode_damaged(&file).map_err(failed)?;
        let scan = file.windows(2).position(|bytes| bytes == SOS).map_or(file.len(), |at| {
            // The header of the scan says its own length.
            at + 2 + usize::from(file[at + 2]) * 256 + usize::from(file[at + 3])
        });
        let errors = Errors::new(scan..file.len().saturating_sub(EOI_BYTES), rng);
        strips.push((file, clean, errors));
    }
    let (width, height) = image.dimensions();
    Ok(Dial::new(ERROR_RATES, 1e-4, move |rate| {
        let mut pixels = Vec::with_capacity(width as usize * height as usize * 3);
        for (file, clean, errors) in &strips {
            let mut damaged = file.clone();
            let decoded = match errors.hit(&mut damaged, rate) {
                0 => None,
                _ => codec::jpeg_decode_damaged(&damaged).ok(),
            };
            match decoded {
                Some(strip) if strip.dimensions() == clean.dimensions() => pixels.extend_from_slice(&strip),
                None if damaged == *file => pixels.extend_from_slice(clean),
                _ => pixels.extend(std::iter::repeat_n(LOST, clean.len())),
            }
        }
        RgbImage::from_raw(width, height, pixels).unwrap_or_else(|| RgbImage::new(width, height))
    }))
}

/// Type 13: a JPEG 2000 codestream with bit errors in the bodies of its packets (headers are taken to be protected,
/// as ISO/IEC 15444-11 does); by their rate.
pub(super) fn jpeg2000_errors(image: &RgbImage, rng: &mut ChaCha8Rng) -> Result<Dial<'static>, DatasetError> {
    let size = image.dimensions();
    let failed = move |source| DatasetError::Codec { codec: "JPEG 2000", size, source };
    let stream = codec::jpeg2000_encode(image, STREAM_RATIO, Markers::Packets).map_err(failed)?;
    let errors = Errors::new(packet_bodies(&stream).into_iter().flatten(), rng);
    Ok(Dial::fallible(ERROR_RATES, 1e-4, move |rate| {
        let mut damaged = stream.clone();
        errors.hit(&mut damaged, rate);
        codec::jpeg2000_decode(&damaged, size).map_err(failed)
    }))
}

/// From the end of each packet's header to the next packet. No packet holds these markers otherwise: the coder
/// never writes a byte above 0x8f after 0xff.
fn packet_bodies(stream: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut bodies = Vec::new();
    let mut start = None;
    for (at, bytes) in stream.windows(2).enumerate() {
        if bytes == EPH {
            start = Some(at + 2);
        } else if bytes == SOP || bytes == EOC {
            bodies.extend(start.take().filter(|&start| start < at).map(|start| start..at));
        }
    }
    bodies
}

#[cfg(test)]
mod tests {
    use image::Rgb;
    use rand::SeedableRng;

    use super::super::psnr;
    use super::*;

    fn texture(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            let wave =
                |f: f32, p: f32| ((x as f32 * f + p).sin() * (y as f32 * f - p).cos() * 90.0 + 128.0) as u8;
            Rgb([wave(0.1, 0.0), wave(0.3, 1.0), wave(0.07, 2.0)])
        })
    }

    #[test]
    fn the_loss_is_that_of_a_jpeg_file() {
        // libjpeg's scaling of the tables: `(table * factor + 50) / 100`, with `5000 / quality` below 50.
        let image = texture(96, 80);
        let planes = to_planes(&image);
        for quality in [10u8, 25, 40] {
            let factor = f32::from(5000 / u16::from(quality));
            let scaled =
                |table: &Block| table.map(|step| ((step * factor + 50.0) / 100.0).floor().clamp(1.0, 255.0));
            let (luminance, chrominance) = (scaled(&LUMINANCE), scaled(&CHROMINANCE));
            let ours = quantised(&planes, [&luminance, &chrominance, &chrominance]);
            let file = codec::jpeg(&image, quality).expect("encodes");
            let (ours_psnr, file_psnr) = (psnr(&ours, &image), psnr(&file, &image));
            assert!((ours_psnr - file_psnr).abs() < 0.1, "quality {quality}: {ours_psnr} {file_psnr}");
            // The file's encoder rounds Y, Cb and Cr first, so that a coefficient in the middle may go the other way.
            let apart = psnr(&ours, &file);
            assert!(apart > file_psnr + 6.0, "quality {quality}: {apart} dB apart, {file_psnr} dB lost");
        }
    }

    #[test]
    fn errors_hit_bodies_and_nothing_panics() {
        let image = texture(96, 80);
        for seed in 0..12 {
            let rng = &mut ChaCha8Rng::seed_from_u64(seed);
            for dial in [jpeg_errors(&image, rng), jpeg2000_errors(&image, rng)] {
                let dial = dial.expect("encodes");
                for target in [33.0, 10.0, 0.0] {
                    let tuned = dial.turn(&image, target).expect("decodes");
                    assert_eq!(tuned.image.dimensions(), (96, 80));
                }
            }
        }
        let stream = codec::jpeg2000_encode(&image, STREAM_RATIO, Markers::Packets).expect("encodes");
        let bodies: usize = packet_bodies(&stream).iter().map(std::ops::Range::len).sum();
        assert!(bodies > stream.len() / 2 && bodies < stream.len(), "{bodies} of {}", stream.len());
    }

    #[test]
    fn comfort_noise_has_the_energy_of_what_it_replaces() {
        let mut block: Block = std::array::from_fn(|i| if i == 0 { 4.0 } else { 0.1 });
        let draws: Vec<f32> = (0..64).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
        fill(&mut block, 0.2, &mut draws.iter().copied());
        assert_eq!(block[0], 4.0);
        assert!(block[1..].iter().all(|value| (value.abs() - 0.1).abs() < 1e-6));
        let mut strong: Block = std::array::from_fn(|i| if i == 5 { 0.3 } else { 0.1 });
        fill(&mut strong, 0.2, &mut draws.iter().copied());
        assert_eq!(strong[5], 0.3);
    }
}
