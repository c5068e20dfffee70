//! WebP.

use std::path::Path;

use image::{DynamicImage, ImageFormat};

use super::{DecodeOptions, decode_common};
use crate::CoreError;

/// Decodes a WebP file, upright.
pub(super) fn decode(bytes: &[u8], name: &Path, options: &DecodeOptions) -> Result<DynamicImage, CoreError> {
    let Some(bytes) = whole(bytes) else {
        return Err(CoreError::Truncated { path: name.into() });
    };
    decode_common(bytes, ImageFormat::WebP, name, options)
}

/// The file without what follows its container, if every chunk ends within: the decoder makes room for what a chunk
/// claims to hold.
pub(super) fn whole(bytes: &[u8]) -> Option<&[u8]> {
    container(bytes).filter(|bytes| chunks_fit(&bytes[12..]))
}

/// The file without what follows its container, or none where it is longer than the file. Source: RFC 9649, section 2.4.
fn container(bytes: &[u8]) -> Option<&[u8]> {
    let size = u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?);
    bytes.get(..usize::try_from(size).ok()?.checked_add(8)?).filter(|bytes| bytes.len() >= 12)
}

/// Whether every chunk ends within the bytes, those in a frame of an animation too.
fn chunks_fit(mut bytes: &[u8]) -> bool {
    const FRAME_HEADER: usize = 16;
    while let [name @ .., a, b, c, d] = &bytes[..bytes.len().min(8)]
        && name.len() == 4
    {
        let size = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
        let Some(body) = bytes[8..].get(..size) else { return false };
        if name == b"ANMF" && !body.get(FRAME_HEADER..).is_some_and(chunks_fit) {
            return false;
        }
        // A chunk of odd length has a byte more, which the last one may lack.
        bytes = bytes.get(8 + size + size % 2..).unwrap_or(&[]);
    }
    true
}
