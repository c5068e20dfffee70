//! How a picture is to be turned: EXIF.

use flate2::Crc;
use image::metadata::Orientation;

/// The orientation of the first directory of EXIF data, of either whole type; none where they are damaged. They may begin
/// with the mark that they have in JPEG, whatever the format. Source: EXIF 2.32, 4.6.2 and tag 274.
pub(super) fn orientation(exif: &[u8]) -> Option<Orientation> {
    const TAG: u32 = 274;
    const SHORT: u32 = 3;
    const LONG: u32 = 4;
    const ENTRY: usize = 12;
    let tiff = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
    let big = match tiff.get(..4)? {
        b"II*\0" => false,
        b"MM\0*" => true,
        _ => return None,
    };
    let number = |bytes: &[u8]| {
        let join = |number: u32, byte: &u8| number << 8 | u32::from(*byte);
        if big { bytes.iter().fold(0, join) } else { bytes.iter().rev().fold(0, join) }
    };
    let directory = tiff.get(number(tiff.get(4..8)?) as usize..)?;
    let (count, entries) = directory.split_at_checked(2)?;
    let value = entries.chunks_exact(ENTRY).take(number(count) as usize).find_map(|entry| {
        let (tag, kind, count) = (number(&entry[..2]), number(&entry[2..4]), number(&entry[4..8]));
        match (tag, kind, count) {
            (TAG, SHORT, 1) => Some(number(&entry[8..10])),
            (TAG, LONG, 1) => Some(number(&entry[8..])),
            _ => None,
        }
    })?;
    Orientation::from_exif(u8::try_from(value).ok()?)
}

/// The EXIF data of a whole PNG file, which may stand behind the pixels, where its decoder does not come to. As the
/// decoder, it passes over a chunk with a wrong checksum. Source: PNG, third edition, 5.3 and 5.6.
pub(super) fn of_png(png: &[u8]) -> Option<&[u8]> {
    const SIGNATURE: usize = 8;
    let mut bytes = png.get(SIGNATURE..)?;
    loop {
        let (&length, named) = bytes.split_first_chunk::<4>()?;
        let length = u32::from_be_bytes(length) as usize;
        let (named, rest) = named.split_at_checked(length.checked_add(4)?)?;
        let (&checksum, rest) = rest.split_first_chunk::<4>()?;
        let (name, body) = named.split_at(4);
        match name {
            b"IEND" => return None,
            b"eXIf" => {
                let mut crc = Crc::new();
                crc.update(named);
                if crc.sum() == u32::from_be_bytes(checksum) {
                    return Some(body);
                }
            }
            _ => {}
        }
        bytes = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// EXIF data of one directory: tag, type, count and the four bytes of the value.
    fn exif(big: bool, entries: &[(u16, u16, u32, [u8; 4])]) -> Vec<u8> {
        let short = |value: u16| if big { value.to_be_bytes() } else { value.to_le_bytes() };
        let long = |value: u32| if big { value.to_be_bytes() } else { value.to_le_bytes() };
        let mut bytes = if big { b"MM".to_vec() } else { b"II".to_vec() };
        bytes.extend(short(42));
        bytes.extend(long(8));
        bytes.extend(short(entries.len() as u16));
        for &(tag, kind, count, value) in entries {
            bytes.extend(short(tag));
            bytes.extend(short(kind));
            bytes.extend(long(count));
            bytes.extend(value);
        }
        bytes.extend(long(0));
        bytes
    }

    /// The value of a type in either byte order: EXIF 2.32, 4.6.2, where short values stand to the left.
    fn value(big: bool, kind: u16, value: u8) -> [u8; 4] {
        match (big, kind) {
            (false, _) => [value, 0, 0, 0],
            (true, 3) => [0, value, 0, 0],
            (true, _) => [0, 0, 0, value],
        }
    }

    #[test]
    fn both_types_both_byte_orders_and_the_mark_of_jpeg_are_read() {
        let turns = [
            Orientation::NoTransforms,
            Orientation::FlipHorizontal,
            Orientation::Rotate180,
            Orientation::FlipVertical,
            Orientation::Rotate90FlipH,
            Orientation::Rotate90,
            Orientation::Rotate270FlipH,
            Orientation::Rotate270,
        ];
        for (turn, number) in turns.into_iter().zip(1..) {
            for (big, kind) in [(false, 3), (false, 4), (true, 3), (true, 4)] {
                let entry = (274, kind, 1, value(big, kind, number));
                for entries in [&[entry][..], &[(256, 3, 1, [7; 4]), (271, 2, 90, [0xff; 4]), entry]] {
                    let bytes = exif(big, entries);
                    assert_eq!(orientation(&bytes), Some(turn), "{number}, type {kind}, big: {big}");
                    let marked = [b"Exif\0\0", &bytes[..]].concat();
                    assert_eq!(orientation(&marked), Some(turn), "{number}, type {kind}, big: {big}");
                }
            }
        }
    }

    #[test]
    fn damaged_data_turn_nothing() {
        for big in [false, true] {
            let six = value(big, 3, 6);
            for entry in [
                (274, 3, 1, value(big, 3, 0)),
                (274, 3, 1, value(big, 3, 9)),
                (274, 4, 1, [6, 1, 1, 6]),
                (274, 4, 1, [0xff; 4]),
                (274, 3, 2, six),
                (274, 3, 0, six),
                (274, 1, 1, six),
                (273, 3, 1, six),
            ] {
                assert_eq!(orientation(&exif(big, &[entry])), None, "{entry:?}, big: {big}");
            }
            let whole = exif(big, &[(256, 3, 1, six), (274, 3, 1, six)]);
            for part in 0..=whole.len() {
                // Behind the entries is where the next directory begins, which is not looked at.
                let expected = (part >= whole.len() - 4).then_some(Orientation::Rotate90);
                assert_eq!(orientation(&whole[..part]), expected, "{part} bytes, big: {big}");
            }
            for at in 0..whole.len() {
                for byte in [0, 1, 0x7f, 0xff] {
                    let mut damaged = whole.clone();
                    damaged[at] = byte;
                    let _ = orientation(&damaged);
                }
            }
            // An entry behind those that are counted.
            let mut fewer = whole.clone();
            fewer[8..10].copy_from_slice(if big { &[0, 1] } else { &[1, 0] });
            assert_eq!(orientation(&fewer), None);
            // A directory that begins behind the data.
            let mut far = whole;
            far[4..8].fill(0xff);
            assert_eq!(orientation(&far), None);
        }
    }

    #[test]
    fn chunks_of_a_png_are_walked_to_the_end_and_no_further() {
        let chunk = |name: &[u8], body: &[u8]| {
            let mut crc = Crc::new();
            crc.update(name);
            crc.update(body);
            [&(body.len() as u32).to_be_bytes()[..], name, body, &crc.sum().to_be_bytes()].concat()
        };
        let file = |chunks: &[Vec<u8>]| [&b"\x89PNG\r\n\x1a\n"[..], &chunks.concat()].concat();
        let (pixels, end) = (chunk(b"IDAT", &[7; 50]), chunk(b"IEND", b""));
        let (first, second) = (chunk(b"eXIf", b"first"), chunk(b"eXIf", b"second"));
        let whole = file(&[pixels.clone(), first.clone(), end.clone()]);
        assert_eq!(of_png(&whole), Some(&b"first"[..]));
        for part in 0..whole.len() - end.len() {
            assert_eq!(of_png(&whole[..part]), None, "{part} bytes");
        }
        assert_eq!(of_png(&file(&[pixels.clone(), end.clone(), first.clone()])), None);
        let mut damaged = first;
        damaged[9] ^= 1;
        assert_eq!(of_png(&file(&[pixels.clone(), damaged.clone(), end.clone()])), None);
        assert_eq!(of_png(&file(&[pixels.clone(), damaged, second, end])), Some(&b"second"[..]));
        let mut long = pixels;
        long[..4].fill(0xff);
        assert_eq!(of_png(&file(&[long])), None);
    }
}
