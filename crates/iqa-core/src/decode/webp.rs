//! WebP.

use std::path::Path;

use image::{DynamicImage, ImageFormat};

use super::{DecodeOptions, Fault, decode_common};
use crate::CoreError;

/// Decodes a WebP file, upright.
pub(super) fn decode(bytes: &[u8], name: &Path, options: &DecodeOptions) -> Result<DynamicImage, CoreError> {
    let bytes = whole(bytes).map_err(|fault| fault.of(name))?;
    decode_common(bytes, ImageFormat::WebP, name, options)
}

/// The file without what follows its container, if all its chunks are sound: the decoder makes room for what a chunk
/// claims to hold. Source: RFC 9649, section 2.4.
pub(super) fn whole(bytes: &[u8]) -> Result<&[u8], Fault> {
    let size = bytes.get(4..8).map_or(0, |size| little(size) as usize);
    let bytes = bytes.get(..size.saturating_add(8)).filter(|bytes| bytes.len() >= 12);
    let bytes = bytes.ok_or(Fault::Truncated)?;
    check_chunks(&bytes[12..], None)?;
    Ok(bytes)
}

/// Checks that every chunk ends within the bytes, those in a frame of an animation too, and that a picture is as large as
/// the canvas or the frame that it is for, where there is one. Source: RFC 9649, section 2.7.
fn check_chunks(mut bytes: &[u8], mut room: Option<[u32; 2]>) -> Result<(), Fault> {
    const FRAME_HEADER: usize = 16;
    while let Some((header, rest)) = bytes.split_first_chunk::<8>() {
        let (name, size) = header.split_at(4);
        let size = little(size) as usize;
        let body = rest.get(..size).ok_or(Fault::Truncated)?;
        match name {
            b"VP8X" => room = body.get(4..10).map(less_one),
            b"ANMF" => {
                let (header, frame) = body.split_at_checked(FRAME_HEADER).ok_or(Fault::Truncated)?;
                check_chunks(frame, Some(less_one(&header[6..12])))?;
            }
            b"VP8 " | b"VP8L" if room.is_some_and(|room| picture_size(body) != Some(room)) => {
                return Err(Fault::Damaged("a picture of another size than what it is a part of"));
            }
            _ => {}
        }
        // A chunk of odd length has a byte more, which the last one may lack.
        bytes = rest.get(size + size % 2..).unwrap_or(&[]);
    }
    Ok(())
}

/// Width and height, of 24 bits each, stored as one less.
fn less_one(bytes: &[u8]) -> [u32; 2] {
    [&bytes[..3], &bytes[3..6]].map(|side| little(side) + 1)
}

/// Width and height of what a chunk holds: RFC 6386, section 9.1; RFC 9649, section 3.4.
fn picture_size(body: &[u8]) -> Option<[u32; 2]> {
    let side = |bits: u32| bits & 0x3fff;
    match body {
        [0x2f, bits @ ..] => bits.get(..4).map(little).map(|bits| [side(bits) + 1, side(bits >> 14) + 1]),
        [_, _, _, 0x9d, 0x01, 0x2a, bits @ ..] => {
            bits.get(..4).map(little).map(|bits| [side(bits), side(bits >> 16)])
        }
        _ => None,
    }
}

/// A number of up to four bytes.
fn little(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte))
}
