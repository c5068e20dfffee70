//! TIFF and BigTIFF: the first picture of a file. Sources: TIFF 6.0; where it is silent, what libtiff does.

use std::borrow::Cow;
use std::io;
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, RgbImage};

use self::codec::{Compression, Extent, Rows};
use self::directory::{Directory, Values};
use self::pixels::Painter;
use self::samples::{Layout, Samples};
use super::profile::note_profile;
use super::{AlphaPolicy, DecodeOptions, check_size, failed};
use crate::CoreError;

mod codec;
mod directory;
mod fax;
mod pixels;
mod samples;

/// Pixels that a tile may have beyond those of the picture.
const SPARE_PIXELS: u64 = 1 << 24;

/// Why a file is not read; without the file's name.
enum Fault {
    Unsupported(String),
    Damaged(String),
    Truncated,
    NotFinite,
    Range(f64),
    Alpha,
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            _ => Self::Damaged(error.to_string()),
        }
    }
}

impl From<super::Fault> for Fault {
    fn from(fault: super::Fault) -> Self {
        match fault {
            super::Fault::Truncated => Self::Truncated,
            super::Fault::Damaged(reason) => Self::Damaged(reason.into()),
            super::Fault::Unsupported(what) => Self::Unsupported(format!("TIFF with {what}")),
        }
    }
}

impl Fault {
    fn of(self, name: &Path) -> CoreError {
        let path = name.into();
        match self {
            Self::Unsupported(what) => CoreError::Unsupported { path, what },
            Self::Damaged(reason) => failed(name, reason),
            Self::Truncated => CoreError::Truncated { path },
            Self::NotFinite => CoreError::NonFinite { path },
            Self::Range(value) => CoreError::FloatRange { path, value },
            Self::Alpha => CoreError::AlphaRefused { path },
        }
    }
}

/// Decodes a TIFF file, upright.
pub(super) fn decode(bytes: &[u8], name: &Path, options: &DecodeOptions) -> Result<DynamicImage, CoreError> {
    let fault = |fault: Fault| fault.of(name);
    let tags = Directory::first(bytes).map_err(fault)?;
    let width = tags.required(directory::WIDTH).map_err(fault)?;
    let height = tags.required(directory::HEIGHT).map_err(fault)?;
    check_size(width, height, name, options)?;
    let orientation = tags.number(directory::ORIENTATION).map_err(fault)?;
    let mut image =
        DynamicImage::ImageRgb8(picture(bytes, &tags, (width, height), options.alpha).map_err(fault)?);
    // A profile that cannot be read changes nothing.
    if let Ok(Some(profile)) = tags.values(directory::ICC_PROFILE) {
        note_profile(profile.bytes, name);
    }
    if let Some(orientation) = orientation.and_then(|value| Orientation::from_exif(value.try_into().ok()?)) {
        image.apply_orientation(orientation);
    }
    Ok(image)
}

/// The picture as it is stored.
fn picture(
    bytes: &[u8],
    tags: &Directory<'_>,
    (width, height): (u32, u32),
    alpha: AlphaPolicy,
) -> Result<RgbImage, Fault> {
    let compression = Compression::of(tags)?;
    let layout = Layout::of(tags, &compression)?;
    let painter = Painter::of(tags, &layout, &compression, alpha)?;
    let chunks = Chunks::of(tags, (width, height), layout.planes())?;
    if chunks.height % layout.band() != 0 && chunks.height < height {
        return Err(Fault::Unsupported("TIFF with strips that divide its blocks of chroma".into()));
    }
    let reversed = match tags.number(directory::FILL_ORDER)? {
        None | Some(1) => false,
        Some(2) => compression.takes_fill_order(),
        Some(order) => return Err(Fault::Damaged(format!("the fill order is {order}"))),
    };
    let row_width = width as usize;
    let mut samples = Samples::new(&layout, painter.picks(), chunks.width);
    let mut rgb = Vec::new();
    rgb.try_reserve_exact(row_width.saturating_mul(height as usize).saturating_mul(3))
        .map_err(|error| Fault::Damaged(error.to_string()))?;
    for down in 0..chunks.down {
        let top = down * chunks.height;
        let rows = chunks.height.min(height - top);
        for across in 0..chunks.across {
            let left = (across * chunks.width) as usize;
            let columns = (chunks.width as usize).min(row_width - left);
            let extent = Extent {
                width: chunks.width,
                rows,
                height: chunks.height,
                samples: layout.chunk_samples(),
                bytes: samples.bytes(rows),
            };
            let mut planes = Vec::with_capacity(samples.planes().len());
            for &plane in samples.planes() {
                let data = chunks.data(bytes, plane, (across, down), &compression, &extent)?;
                let data = match reversed {
                    true => data.iter().map(|byte| byte.reverse_bits()).collect(),
                    false => Cow::Borrowed(data),
                };
                planes.push(Rows::new(&compression, data, &extent)?);
            }
            for band in (0..rows).step_by(layout.band() as usize) {
                let band_rows = layout.band().min(rows - band);
                let start = (top + band) as usize * row_width * 3;
                // No memory is touched before the file has given bytes for it.
                let end = start + band_rows as usize * row_width * 3;
                rgb.resize(rgb.len().max(end), 0);
                let mut out =
                    rgb[start..end].chunks_mut(row_width * 3).map(|row| &mut row[left * 3..][..columns * 3]);
                match (&mut planes[..], painter.is_plain) {
                    ([rows], true) => out.try_for_each(|row| samples.read_plain(rows, row))?,
                    (planes, _) => {
                        samples.read(planes, columns)?;
                        out.enumerate().for_each(|(row, out)| painter.paint(samples.row(row), out));
                    }
                }
            }
        }
    }
    RgbImage::from_raw(width, height, rgb).ok_or(Fault::Truncated)
}

/// Where the strips or tiles are.
struct Chunks<'a> {
    width: u32,
    height: u32,
    across: u32,
    down: u32,
    offsets: Values<'a>,
    /// May be missing where nothing is compressed.
    lengths: Option<Values<'a>>,
}

impl<'a> Chunks<'a> {
    fn of(tags: &Directory<'a>, (width, height): (u32, u32), planes: usize) -> Result<Self, Fault> {
        let is_tiled = tags.values(directory::TILE_WIDTH)?.is_some();
        let (offsets, lengths, chunk_width, chunk_height) = if is_tiled {
            let size = (tags.required(directory::TILE_WIDTH)?, tags.required(directory::TILE_LENGTH)?);
            (directory::TILE_OFFSETS, directory::TILE_BYTE_COUNTS, size.0, size.1)
        } else {
            // Missing, or all ones: one strip.
            let rows =
                tags.number(directory::ROWS_PER_STRIP)?.unwrap_or(u64::from(height)).min(height.into());
            (directory::STRIP_OFFSETS, directory::STRIP_BYTE_COUNTS, width, rows as u32)
        };
        if chunk_width == 0 || chunk_height == 0 {
            return Err(Fault::Damaged("its strips or tiles have no pixels".into()));
        }
        let pixels = |width, height| u64::from(width) * u64::from(height);
        if pixels(chunk_width, chunk_height) > pixels(width, height) + SPARE_PIXELS {
            return Err(Fault::Unsupported(format!(
                "TIFF of {width}x{height} in tiles of {chunk_width}x{chunk_height}"
            )));
        }
        let offsets =
            tags.values(offsets)?.ok_or_else(|| Fault::Damaged(format!("tag {offsets} is missing")))?;
        let (across, down) = (width.div_ceil(chunk_width), height.div_ceil(chunk_height));
        let count = pixels(across, down).saturating_mul(planes as u64);
        if (offsets.len() as u64) < count {
            return Err(Fault::Damaged(format!("{} strips or tiles of {count}", offsets.len())));
        }
        let lengths = tags.values(lengths)?;
        Ok(Self { width: chunk_width, height: chunk_height, across, down, offsets, lengths })
    }

    /// The bytes of one strip or tile.
    fn data<'b>(
        &self,
        bytes: &'b [u8],
        plane: usize,
        (across, down): (u32, u32),
        compression: &Compression<'_>,
        extent: &Extent,
    ) -> Result<&'b [u8], Fault> {
        let chunk = (plane * self.down as usize + down as usize) * self.across as usize + across as usize;
        let length = match (&self.lengths, compression) {
            // Some writers leave it out or put it wrong; there is no need of it.
            (_, Compression::None) => extent.bytes as u64,
            (Some(lengths), _) => lengths.number(chunk)?,
            (None, _) => return Err(Fault::Damaged("the lengths of its strips or tiles are missing".into())),
        };
        directory::slice(bytes, self.offsets.number(chunk)?, length)
    }
}
