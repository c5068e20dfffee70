//! JPEG.

use std::path::Path;

use image::{DynamicImage, ImageFormat};

use super::{DecodeOptions, decode_common};
use crate::CoreError;

/// Decodes a JPEG file, upright.
pub(super) fn decode(bytes: &[u8], name: &Path, options: &DecodeOptions) -> Result<DynamicImage, CoreError> {
    // The decoder fills what is missing with grey and reports success.
    if !is_whole(bytes) {
        return Err(CoreError::Truncated { path: name.into() });
    }
    decode_common(bytes, ImageFormat::Jpeg, name, options)
}

/// Whether a JPEG file reaches its end-of-image marker. One inside a thumbnail does not count, and what follows the
/// marker (some cameras append data) does not matter. Source: ITU-T T.81, annex B.
fn is_whole(bytes: &[u8]) -> bool {
    const END_OF_IMAGE: u8 = 0xd9;
    let mut at = 2;
    loop {
        // Entropy-coded data run up to a marker; a stuffed zero and the restart markers belong to them.
        while !matches!(bytes.get(at..at + 2), Some([0xff, marker]) if !matches!(marker, 0 | 0xd0..=0xd7 | 0xff))
        {
            at += 1;
            if at >= bytes.len() {
                return false;
            }
        }
        if bytes[at + 1] == END_OF_IMAGE {
            return true;
        }
        let Some(&[high, low]) = bytes.get(at + 2..at + 4) else { return false };
        at += 2 + usize::from(u16::from_be_bytes([high, low]));
        if bytes.get(at).is_none() {
            return false;
        }
    }
}
