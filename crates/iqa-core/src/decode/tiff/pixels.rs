//! From samples to colours. Source: TIFF 6.0, sections 4 to 6, 16, 18 and 20 to 23.

use super::codec::Compression;
use super::directory::{self, Directory};
use super::samples::{Format, Layout};
use super::{AlphaPolicy, Fault};
use crate::decode::over;

/// The photometric interpretation of luma and chroma.
pub(super) const YCBCR: u64 = 6;
/// Coefficients of red, green and blue in luma: ITU-R BT.601.
const LUMA: [f64; 3] = [0.299, 0.587, 0.114];
/// Codes of black and white of luma and both chromas.
const BLACK_WHITE: [f64; 6] = [0.0, 255.0, 128.0, 255.0, 128.0, 255.0];

/// What the samples of a pixel mean.
pub(super) enum Colours {
    WhiteIsZero,
    BlackIsZero,
    Rgb,
    Palette(Vec<[u16; 3]>),
    Cmyk,
    YCbCr(YCbCr),
}

impl Colours {
    /// As the tags say.
    pub(super) fn of(
        tags: &Directory<'_>,
        layout: &Layout,
        compression: &Compression<'_>,
    ) -> Result<Self, Fault> {
        let name = match tags.number(directory::PHOTOMETRIC)? {
            Some(0) => return Ok(Self::WhiteIsZero),
            Some(1) => return Ok(Self::BlackIsZero),
            Some(2) => return Ok(Self::Rgb),
            Some(3) => return palette(tags, layout).map(Self::Palette),
            Some(5) => {
                return match tags.number(directory::INK_SET)?.unwrap_or(1) {
                    1 => Ok(Self::Cmyk),
                    other => Err(Fault::Unsupported(format!("TIFF with the ink set {other}"))),
                };
            }
            // What a WebP holds is RGB.
            Some(YCBCR) if matches!(compression, Compression::WebP) => return Ok(Self::Rgb),
            Some(YCBCR) if (layout.format, layout.bits) == (Format::Unsigned, 8) => {
                return YCbCr::of(tags, compression).map(Self::YCbCr);
            }
            Some(YCBCR) => "YCbCr of other than 8 bits".into(),
            Some(4) => "a transparency mask".into(),
            Some(8..=10) => "CIELab colours".into(),
            Some(32803 | 34892) => "the raw data of a camera".into(),
            Some(32844 | 32845) => "SGI LogLuv colours".into(),
            Some(other) => format!("the unknown photometric interpretation {other}"),
            None => "no photometric interpretation".into(),
        };
        Err(Fault::Unsupported(format!("TIFF with {name}")))
    }

    /// Samples of a pixel.
    fn channels(&self) -> usize {
        match self {
            Self::WhiteIsZero | Self::BlackIsZero | Self::Palette(_) => 1,
            Self::Rgb | Self::YCbCr(_) => 3,
            Self::Cmyk => 4,
        }
    }
}

fn palette(tags: &Directory<'_>, layout: &Layout) -> Result<Vec<[u16; 3]>, Fault> {
    if layout.format != Format::Unsigned || layout.bits > 16 {
        return Err(Fault::Unsupported("TIFF with a palette for floats or more than 16 bits".into()));
    }
    let map =
        tags.values(directory::COLOR_MAP)?.map(|values| values.numbers()).transpose()?.unwrap_or_default();
    let count = 1 << layout.bits;
    if map.len() != 3 * count {
        return Err(Fault::Damaged(format!("a palette of {} values for {} bits", map.len(), layout.bits)));
    }
    // Bytes are put into the upper half of 16 bits or into both; some writers put them into the lower.
    let shift = if map.iter().any(|&value| value > 255) { 8 } else { 0 };
    let colour = |at: usize| {
        [0, 1, 2].map(|channel: usize| ((map[channel * count + at] >> shift) & 255u64) as u16 * 257)
    };
    Ok((0..count).map(colour).collect())
}

/// How luma and chroma become RGB.
pub(super) struct YCbCr {
    luma: [f64; 3],
    black_white: [f64; 6],
}

impl YCbCr {
    fn of(tags: &Directory<'_>, compression: &Compression<'_>) -> Result<Self, Fault> {
        if matches!(compression, Compression::Jpeg(_)) {
            // A JPEG's are fixed: JFIF 1.02.
            return Ok(Self { luma: LUMA, black_white: BLACK_WHITE });
        }
        let luma = tags.values(directory::YCBCR_COEFFICIENTS)?.map_or(Ok(LUMA), |values| values.floats())?;
        let black_white = tags
            .values(directory::REFERENCE_BLACK_WHITE)?
            .map_or(Ok(BLACK_WHITE), |values| values.floats())?;
        let spans = [0, 2, 4].map(|at| black_white[at + 1] - black_white[at]);
        if !(luma[1] > 0.0 && luma.iter().chain(&spans).all(|value| value.is_finite()))
            || spans.contains(&0.0)
        {
            return Err(Fault::Damaged("its coefficients of luma or its codes of black and white".into()));
        }
        Ok(Self { luma, black_white })
    }

    fn rgb(&self, pixel: &[u16]) -> [u16; 3] {
        let scaled = |at: usize, most| {
            let (black, white) = (self.black_white[2 * at], self.black_white[2 * at + 1]);
            (f64::from(pixel[at]) - black) * most / (white - black)
        };
        let [red_part, green_part, blue_part] = self.luma;
        let luma = scaled(0, 255.0);
        let blue = luma + scaled(1, 127.0) * (2.0 - 2.0 * blue_part);
        let red = luma + scaled(2, 127.0) * (2.0 - 2.0 * red_part);
        let green = (luma - blue_part * blue - red_part * red) / green_part;
        [red, green, blue].map(|value| value.round().clamp(0.0, 255.0) as u16 * 257)
    }
}

/// How the colours of a pixel and its alpha go together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Alpha {
    /// The colours were multiplied by it.
    Associated,
    Unassociated,
}

/// Makes RGB with 8 bits a channel.
pub(super) struct Painter {
    colours: Colours,
    /// Its place is behind those of the colours.
    alpha: Option<(Alpha, [u8; 3])>,
    picks: Vec<usize>,
    /// The 16-bit values of samples of fewer bits.
    scale: Option<Vec<u16>>,
    /// Whether rows are RGB with 8 bits a channel as they are.
    pub(super) is_plain: bool,
}

impl Painter {
    /// Of a picture's tags.
    pub(super) fn of(
        tags: &Directory<'_>,
        layout: &Layout,
        compression: &Compression<'_>,
        policy: AlphaPolicy,
    ) -> Result<Self, Fault> {
        let colours = Colours::of(tags, layout, compression)?;
        let channels = colours.channels();
        let mut picks: Vec<_> = (0..channels).collect();
        let alpha = match alpha(tags, &colours, layout.samples)? {
            None => None,
            Some((alpha, place)) => {
                picks.push(place);
                match policy {
                    AlphaPolicy::Refuse => return Err(Fault::Alpha),
                    AlphaPolicy::Composite(background) => Some((alpha, background)),
                }
            }
        };
        let scale = (layout.format == Format::Unsigned && layout.bits < 16).then(|| {
            let most = (1 << layout.bits) - 1;
            (0..=most).map(|value: u32| ((value * 65535 + most / 2) / most) as u16).collect()
        });
        let is_plain = matches!(colours, Colours::Rgb) && layout.is_three_bytes();
        Ok(Self { colours, alpha, picks, scale, is_plain })
    }

    /// The places of the samples that are wanted.
    pub(super) fn picks(&self) -> &[usize] {
        &self.picks
    }

    /// Turns the wanted samples of a row to RGB.
    pub(super) fn paint(&self, samples: &[u16], rgb: &mut [u8]) {
        let channels = self.colours.channels();
        let full = |sample: u16| self.scale.as_ref().map_or(sample, |scale| scale[usize::from(sample)]);
        for (out, pixel) in rgb.chunks_exact_mut(3).zip(samples.chunks_exact(self.picks.len())) {
            let colour = match &self.colours {
                Colours::WhiteIsZero => [65535 - full(pixel[0]); 3],
                Colours::BlackIsZero => [full(pixel[0]); 3],
                Colours::Rgb => [full(pixel[0]), full(pixel[1]), full(pixel[2])],
                Colours::Palette(palette) => palette[usize::from(pixel[0])],
                Colours::YCbCr(ycbcr) => ycbcr.rgb(pixel),
                Colours::Cmyk => {
                    let light = |at: usize| u32::from(65535 - full(pixel[at]));
                    [0, 1, 2].map(|ink| ((light(ink) * light(3) + 32767) / 65535) as u16)
                }
            };
            let Some((alpha, background)) = self.alpha else {
                // Half of 257, which takes a byte to 16 bits, is never met.
                out.copy_from_slice(&colour.map(|value| ((u32::from(value) + 128) / 257) as u8));
                continue;
            };
            let opacity = full(pixel[channels]);
            for (channel, byte) in out.iter_mut().enumerate() {
                let share = u64::from(match alpha {
                    Alpha::Associated => 65535,
                    Alpha::Unassociated => opacity,
                });
                *byte = over(u64::from(colour[channel]) * share, opacity, background[channel]);
            }
        }
    }
}

/// What the samples behind the colours are: the first alpha among them and its place.
fn alpha(tags: &Directory<'_>, colours: &Colours, samples: usize) -> Result<Option<(Alpha, usize)>, Fault> {
    let channels = colours.channels();
    let Some(extra) = samples.checked_sub(channels) else {
        return Err(Fault::Damaged(format!("{samples} samples a pixel for {channels} of colour")));
    };
    let kinds = tags.values(directory::EXTRA_SAMPLES)?.map_or(Ok(Vec::new()), |values| values.numbers())?;
    if kinds.len() > extra {
        return Err(Fault::Damaged(format!("{} extra samples of {extra}", kinds.len())));
    }
    let is_grey = matches!(colours, Colours::WhiteIsZero | Colours::BlackIsZero);
    match kinds.iter().position(|kind| matches!(kind, 1 | 2)) {
        Some(at) if kinds[at] == 2 => Ok(Some((Alpha::Unassociated, channels + at))),
        Some(at) if matches!(colours, Colours::BlackIsZero | Colours::Rgb) => {
            Ok(Some((Alpha::Associated, channels + at)))
        }
        Some(_) => Err(Fault::Unsupported("TIFF with associated alpha over other than grey or RGB".into())),
        // Without the tag, a fourth sample is what other readers take it for.
        None if kinds.is_empty() && extra == 1 && matches!(colours, Colours::Rgb) => {
            Ok(Some((Alpha::Unassociated, channels)))
        }
        None if kinds.is_empty() && extra > 0 || is_grey && extra > 1 => {
            Err(Fault::Unsupported(format!("TIFF with {extra} samples a pixel that no tag explains")))
        }
        None => Ok(None),
    }
}
