//! From the bytes of a strip or tile to its rows. Source: TIFF 6.0, sections 8 to 11, 14 and 22, and its technical notes.

use std::borrow::Cow;
use std::io::{BufRead, Cursor, Read};

use flate2::bufread::ZlibDecoder;
use image::codecs::webp::WebPDecoder;
use image::{ColorType, ImageDecoder};
use ruzstd::decoding::StreamingDecoder;
use weezl::{BitOrder, LzwStatus};

use super::directory::{self, Directory};
use super::{Fault, fax};
use crate::decode::{jpeg, webp};

/// A window of Zstandard that every decoder should support, in bytes: RFC 8878.
const LARGEST_WINDOW: u64 = 8 << 20;

/// How the strips or tiles of a picture are compressed.
pub(super) enum Compression<'a> {
    None,
    Fax(fax::Coding),
    Lzw,
    /// Tables that the strips share, if any.
    Jpeg(Option<&'a [u8]>),
    Deflate,
    PackBits,
    Zstandard,
    WebP,
}

impl<'a> Compression<'a> {
    /// As the tags say.
    pub(super) fn of(tags: &Directory<'a>) -> Result<Self, Fault> {
        let code = tags.number(directory::COMPRESSION)?.unwrap_or(1);
        let name = match code {
            1 => return Ok(Self::None),
            2 => return Ok(Self::Fax(fax::Coding::Huffman)),
            3 => {
                let mixed = tags.number(directory::T4_OPTIONS)?.unwrap_or(0) & 1 == 1;
                return Ok(Self::Fax(fax::Coding::Group3 { mixed }));
            }
            4 => return Ok(Self::Fax(fax::Coding::Group4)),
            5 => return Ok(Self::Lzw),
            7 => return Ok(Self::Jpeg(tags.values(directory::JPEG_TABLES)?.map(|tables| tables.bytes))),
            8 | 32946 => return Ok(Self::Deflate),
            32773 => return Ok(Self::PackBits),
            50000 => return Ok(Self::Zstandard),
            50001 => return Ok(Self::WebP),
            6 => "old-style JPEG",
            9 | 10 | 34661 => "JBIG",
            32766 => "NeXT",
            32771 => "word-aligned CCITT",
            32809 => "ThunderScan",
            32908 | 32909 => "Pixar",
            33003 | 33005 | 34712 => "JPEG 2000",
            34676 | 34677 => "SGI LogLuv",
            34887 => "LERC",
            34892 => "lossy DNG",
            34925 => "LZMA",
            50002 | 52546 => "JPEG XL",
            _ => "unknown",
        };
        Err(Fault::Unsupported(format!("TIFF with {name} compression (code {code})")))
    }

    /// Whether its codes are those of bytes, not of samples: what a predictor can stand before.
    pub(super) fn takes_predictor(&self) -> bool {
        matches!(self, Self::Lzw | Self::Deflate | Self::Zstandard)
    }

    /// Whether bytes are read from their lowest bit where the picture's fill order says so.
    pub(super) fn takes_fill_order(&self) -> bool {
        !matches!(self, Self::Jpeg(_))
    }
}

/// What a strip or tile holds.
pub(super) struct Extent {
    pub(super) width: u32,
    /// Rows of the picture; a tile may hold more.
    pub(super) rows: u32,
    /// The most rows that it may hold.
    pub(super) height: u32,
    pub(super) samples: usize,
    /// Bytes of the rows of the picture, when not compressed.
    pub(super) bytes: usize,
}

/// The rows of one strip or tile, from the first.
pub(super) enum Rows<'a> {
    Bytes(Box<dyn Read + 'a>),
    Fax(Box<fax::Decoder<Box<dyn BufRead + 'a>>>),
}

impl<'a> Rows<'a> {
    /// Of the bytes of a strip or tile.
    pub(super) fn new(
        compression: &Compression<'_>,
        data: Cow<'a, [u8]>,
        extent: &Extent,
    ) -> Result<Self, Fault> {
        let cursor = Cursor::new(data);
        let reader: Box<dyn Read + 'a> = match *compression {
            Compression::None => Box::new(cursor),
            Compression::Lzw => Box::new(Lzw::new(cursor)?),
            Compression::Deflate => Box::new(ZlibDecoder::new(cursor)),
            Compression::PackBits => Box::new(PackBits { data: cursor, literals: 0, repeats: 0, byte: 0 }),
            Compression::Zstandard => {
                // A window is never far above what it is a window of.
                let most = (2 * extent.bytes as u64).max(LARGEST_WINDOW);
                let decoder = StreamingDecoder::new_with_max_window_size(cursor, most);
                Box::new(decoder.map_err(|error| damaged(&error))?)
            }
            Compression::Jpeg(tables) => Box::new(Cursor::new(jpeg(cursor.get_ref(), tables, extent)?)),
            Compression::WebP => Box::new(Cursor::new(webp(cursor.get_ref(), extent)?)),
            Compression::Fax(coding) => {
                // The last code is looked up with the bits that follow it.
                let data: Box<dyn BufRead + 'a> = Box::new(cursor.chain(&[0; 2][..]));
                return Ok(Self::Fax(Box::new(fax::Decoder::new(data, coding, extent.width)?)));
            }
        };
        Ok(Self::Bytes(reader))
    }

    /// The next row, of so many bytes.
    pub(super) fn next(&mut self, row: &mut Vec<u8>, length: usize) -> Result<(), Fault> {
        row.clear();
        match self {
            Self::Fax(decoder) => decoder.line(row),
            // No more memory than there are bytes.
            Self::Bytes(reader) => match reader.take(length as u64).read_to_end(row)? == length {
                true => Ok(()),
                false => Err(Fault::Truncated),
            },
        }
    }
}

fn damaged(error: &dyn std::error::Error) -> Fault {
    Fault::Damaged(error.to_string())
}

/// Lempel-Ziv-Welch.
struct Lzw<'a> {
    data: Cursor<Cow<'a, [u8]>>,
    decoder: weezl::decode::Decoder,
}

impl<'a> Lzw<'a> {
    fn new(data: Cursor<Cow<'a, [u8]>>) -> Result<Self, Fault> {
        // The first code clears the table, 256 in 9 bits from the highest; before TIFF 5.0 it was from the lowest.
        if matches!(data.get_ref()[..], [0, second, ..] if second & 1 == 1) {
            return Err(Fault::Unsupported("TIFF with old-style LZW compression".into()));
        }
        let configuration = weezl::decode::Configuration::with_tiff_size_switch(BitOrder::Msb, 8);
        Ok(Self { data, decoder: configuration.with_yield_on_full_buffer(true).build() })
    }
}

impl Read for Lzw<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mut is_idle = false;
        loop {
            let at = self.data.position() as usize;
            let result = self.decoder.decode_bytes(&self.data.get_ref()[at..], buffer);
            self.data.set_position((at + result.consumed_in) as u64);
            let is_over = matches!(result.status.map_err(std::io::Error::other)?, LzwStatus::Done);
            // A code longer than the buffer is noted first and given out by the next call.
            if result.consumed_out > 0 || is_over || buffer.is_empty() || is_idle {
                return Ok(result.consumed_out);
            }
            is_idle = result.consumed_in == 0;
        }
    }
}

/// Runs of bytes.
struct PackBits<'a> {
    data: Cursor<Cow<'a, [u8]>>,
    literals: usize,
    repeats: usize,
    byte: u8,
}

impl Read for PackBits<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            let rest = &mut buffer[filled..];
            if self.literals > 0 {
                let length = self.literals.min(rest.len());
                self.data.read_exact(&mut rest[..length])?;
                self.literals -= length;
                filled += length;
            } else if self.repeats > 0 {
                let length = self.repeats.min(rest.len());
                rest[..length].fill(self.byte);
                self.repeats -= length;
                filled += length;
            } else {
                let mut byte = [0];
                if self.data.read(&mut byte)? == 0 {
                    break;
                }
                match usize::from(byte[0]) {
                    count @ 0..=127 => self.literals = count + 1,
                    // Says nothing.
                    128 => {}
                    count => {
                        self.data.read_exact(&mut byte)?;
                        (self.repeats, self.byte) = (257 - count, byte[0]);
                    }
                }
            }
        }
        Ok(filled)
    }
}

/// The samples of a JPEG, whose tables may lie apart.
fn jpeg(data: &[u8], tables: Option<&[u8]>, extent: &Extent) -> Result<Vec<u8>, Fault> {
    // Two JPEG streams, each between its own marks of start and end, become one.
    let whole = match tables {
        Some([0xff, 0xd8, tables @ .., 0xff, 0xd9]) if data.starts_with(&[0xff, 0xd8]) => {
            Cow::Owned([&[0xff, 0xd8], tables, &data[2..]].concat())
        }
        _ => Cow::Borrowed(data),
    };
    let samples = jpeg::decode_samples(&whole, |width, height, samples| {
        width == extent.width && (extent.rows..=extent.height).contains(&height) && samples == extent.samples
    });
    Ok(samples?)
}

fn webp(data: &[u8], extent: &Extent) -> Result<Vec<u8>, Fault> {
    let data = webp::whole(data)?;
    let decoder = WebPDecoder::new(Cursor::new(data)).map_err(|error| damaged(&error))?;
    let (width, height) = decoder.dimensions();
    if width != extent.width || !(extent.rows..=extent.height).contains(&height) {
        return Err(Fault::Damaged("a WebP of another size than its strip or tile".into()));
    }
    let has_alpha = decoder.color_type() == ColorType::Rgba8;
    let mut pixels = vec![0; decoder.total_bytes() as usize];
    decoder.read_image(&mut pixels).map_err(|error| damaged(&error))?;
    match (has_alpha, extent.samples) {
        (true, 4) | (false, 3) => Ok(pixels),
        // What is opaque is stored without its alpha.
        (false, 4) => {
            Ok(pixels.chunks_exact(3).flat_map(|pixel| [pixel[0], pixel[1], pixel[2], 255]).collect())
        }
        _ => Err(Fault::Damaged("a WebP of other channels than its strip or tile".into())),
    }
}
