//! The markers of a JPEG file, and what they say of its picture. Source: ITU-T T.81, annex B.

use crate::decode::Fault;

pub(super) const START_OF_SCAN: u8 = 0xda;
pub(super) const HUFFMAN_TABLES: u8 = 0xc4;
pub(super) const QUANTISATION_TABLES: u8 = 0xdb;
pub(super) const RESTART_INTERVAL: u8 = 0xdd;
const END_OF_IMAGE: u8 = 0xd9;
/// For private use in arithmetic coding; has no length, as restart markers.
const TEMPORARY: u8 = 0x01;

/// A marker and what belongs to it.
pub(super) struct Segment<'a> {
    pub(super) marker: u8,
    /// Without the two bytes of its length.
    pub(super) body: &'a [u8],
    /// The entropy-coded bytes behind a scan's header, stuffed zeros and restart markers included.
    pub(super) scan: &'a [u8],
}

/// The segments up to the end-of-image marker; an error where the file ends before it. A marker inside a thumbnail
/// does not count, and what follows the last one (some cameras append data) does not matter.
pub(super) struct Segments<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Segments<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 2 }
    }

    fn read(&mut self) -> Result<Option<Segment<'a>>, Fault> {
        let rest = self.bytes.get(self.at..).unwrap_or(&[]);
        let fill = rest.iter().position(|&byte| byte != 0xff).ok_or(Fault::Truncated)?;
        let marker = rest[fill];
        if fill == 0 || marker == 0 {
            return Err(Fault::Damaged("bytes between its segments"));
        }
        self.at += fill + 1;
        match marker {
            END_OF_IMAGE => return Ok(None),
            TEMPORARY | 0xd0..=0xd7 => return Ok(Some(Segment { marker, body: &[], scan: &[] })),
            _ => {}
        }
        let length = self.bytes.get(self.at..self.at + 2).ok_or(Fault::Truncated)?;
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        let end = self.at + length;
        let body = self.bytes.get(self.at..end).ok_or(Fault::Truncated)?;
        let body = body.get(2..).ok_or(Fault::Damaged("a segment without a length"))?;
        self.at = end;
        let mut scan = &[][..];
        if marker == START_OF_SCAN {
            self.at = next_marker(self.bytes, end).ok_or(Fault::Truncated)?;
            scan = &self.bytes[end..self.at];
        }
        Ok(Some(Segment { marker, body, scan }))
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = Result<Segment<'a>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// Where the next marker is. A stuffed zero and the restart markers belong to the entropy-coded bytes; a marker may
/// have further 0xff before it.
fn next_marker(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr::memchr(0xff, bytes.get(at..)?)?;
        match bytes.get(at + 1)? {
            0 | 0xd0..=0xd7 => at += 2,
            0xff => at += 1,
            _ => return Some(at),
        }
    }
}

/// One of the components of a picture.
pub(super) struct Component {
    pub(super) id: u8,
    pub(super) horizontal: usize,
    pub(super) vertical: usize,
    pub(super) quantisation: usize,
}

/// What the numbers of a picture mean. As libjpeg takes them: the marks of JFIF before those of Adobe, those before the
/// names of the components.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    Grey,
    Rgb,
    YCbCr,
    Cmyk,
    Ycck,
}

/// The components of a scan, by their place in the frame, with their Huffman tables.
pub(super) struct Scan {
    pub(super) components: Vec<ScanComponent>,
    /// The first and the last of the coefficients in it, in zigzag order.
    pub(super) band: (usize, usize),
    /// The bit it refines, from 1, or 0 where it is the first for these coefficients.
    pub(super) refined: u8,
    /// The lowest bit in it.
    pub(super) low: u8,
}

pub(super) struct ScanComponent {
    pub(super) index: usize,
    pub(super) dc_table: usize,
    pub(super) ac_table: usize,
}

/// What a file says before its first scan, and how its scans are laid out.
pub(super) struct Header<'a> {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) progressive: bool,
    pub(super) components: Vec<Component>,
    pub(super) colour: Colour,
    /// Whether one scan has everything, from the top to the bottom.
    pub(super) in_order: bool,
    pub(super) exif: Option<&'a [u8]>,
    /// An embedded colour profile, put together.
    pub(super) profile: Vec<u8>,
}

/// The marks that tell the colours.
#[derive(Default)]
struct Marks {
    jfif: bool,
    adobe: Option<u8>,
}

impl<'a> Header<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Fault> {
        let mut marks = Marks::default();
        let mut header: Option<Self> = None;
        let (mut exif, mut profile) = (None, Vec::new());
        let mut scans = 0;
        for segment in Segments::new(bytes) {
            let segment = segment?;
            let body = segment.body;
            match segment.marker {
                0xe0 if scans == 0 && body.len() >= 14 && body.starts_with(b"JFIF\0") => marks.jfif = true,
                // libjpeg passes over one that is too short.
                0xee if scans == 0 && body.starts_with(b"Adobe") => {
                    marks.adobe = body.get(11).copied().or(marks.adobe);
                }
                // An empty one may stand before one that tells something.
                0xe1 if exif.is_none_or(<[u8]>::is_empty) => exif = body.strip_prefix(b"Exif\0\0").or(exif),
                0xe2 => profile.extend(
                    body.strip_prefix(b"ICC_PROFILE\0").and_then(|part| part.get(2..)).unwrap_or(&[]),
                ),
                0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                    if header.is_some() {
                        return Err(Fault::Unsupported("a JPEG of several frames"));
                    }
                    header = Some(frame(segment.marker, body)?);
                }
                START_OF_SCAN => {
                    let header = header.as_mut().ok_or(Fault::Damaged("a scan before the frame"))?;
                    if scans == 0 {
                        header.colour = colour(&header.components, &marks);
                        let count = body.first().map_or(0, |&count| usize::from(count));
                        header.in_order = !header.progressive && count == header.components.len();
                    }
                    scans += 1;
                }
                _ => {}
            }
        }
        let mut header = header.ok_or(Fault::Damaged("no frame"))?;
        if scans == 0 {
            return Err(Fault::Damaged("no scan"));
        }
        (header.exif, header.profile) = (exif, profile);
        Ok(header)
    }

    /// The largest sampling factors.
    pub(super) fn sampling(&self) -> (usize, usize) {
        let most = |factor: fn(&Component) -> usize| self.components.iter().map(factor).max().unwrap_or(1);
        (most(|component| component.horizontal), most(|component| component.vertical))
    }

    /// Reads a scan's header.
    pub(super) fn scan(&self, body: &[u8]) -> Result<Scan, Fault> {
        let damaged = Fault::Damaged("a malformed scan header");
        let (&count, rest) = body.split_first().ok_or(damaged)?;
        let count = usize::from(count);
        let (names, &[first, last, bits, ..]) = rest.split_at_checked(2 * count).ok_or(damaged)? else {
            return Err(damaged);
        };
        let mut components = Vec::new();
        for pair in names.chunks_exact(2) {
            let index =
                self.components.iter().position(|component| component.id == pair[0]).ok_or(damaged)?;
            let (dc_table, ac_table) = (usize::from(pair[1] >> 4), usize::from(pair[1] & 15));
            let twice = components.iter().any(|other: &ScanComponent| other.index == index);
            if twice || dc_table > 3 || ac_table > 3 {
                return Err(damaged);
            }
            components.push(ScanComponent { index, dc_table, ac_table });
        }
        let (refined, low) = (bits >> 4, bits & 15);
        if components.is_empty() {
            return Err(damaged);
        }
        if !self.progressive {
            return Ok(Scan { components, band: (0, 63), refined: 0, low: 0 });
        }
        // Source: T.81, G.1.1.1.
        let band = (usize::from(first), usize::from(last));
        let one_kind = if band.0 == 0 { band.1 == 0 } else { band.0 <= band.1 && components.len() == 1 };
        if !one_kind || band.1 > 63 || low > 13 || (refined != 0 && refined != low + 1) {
            return Err(damaged);
        }
        Ok(Scan { components, band, refined, low })
    }
}

/// Reads a frame's header.
fn frame<'a>(marker: u8, body: &[u8]) -> Result<Header<'a>, Fault> {
    let progressive = match marker {
        0xc0 | 0xc1 => false,
        0xc2 => true,
        0xc3 | 0xc7 | 0xcb | 0xcf => return Err(Fault::Unsupported("lossless JPEG")),
        0xc9 | 0xca => return Err(Fault::Unsupported("arithmetic coding of JPEG")),
        _ => return Err(Fault::Unsupported("hierarchical JPEG")),
    };
    let damaged = Fault::Damaged("a malformed frame header");
    let &[precision, y0, y1, x0, x1, count, ref rest @ ..] = body else { return Err(damaged) };
    if precision != 8 {
        return Err(Fault::Unsupported("a JPEG that has not 8 bits"));
    }
    let count = usize::from(count);
    if !matches!(count, 1 | 3 | 4) {
        return Err(Fault::Unsupported("a JPEG that has not 1, 3 or 4 components"));
    }
    let (width, height) = (u32::from(u16::from_be_bytes([x0, x1])), u32::from(u16::from_be_bytes([y0, y1])));
    if height == 0 && width > 0 {
        return Err(Fault::Unsupported("a JPEG whose height follows its first scan"));
    }
    let components: Vec<_> = rest
        .chunks_exact(3)
        .take(count)
        .map(|part| Component {
            id: part[0],
            horizontal: usize::from(part[1] >> 4),
            vertical: usize::from(part[1] & 15),
            quantisation: usize::from(part[2]),
        })
        .collect();
    let in_range = |component: &Component| {
        (1..=4).contains(&component.horizontal)
            && (1..=4).contains(&component.vertical)
            && component.quantisation <= 3
    };
    if components.len() != count || !components.iter().all(in_range) {
        return Err(damaged);
    }
    let colour = Colour::Grey;
    let header = Header {
        width,
        height,
        progressive,
        components,
        colour,
        in_order: false,
        exif: None,
        profile: Vec::new(),
    };
    let (horizontal, vertical) = header.sampling();
    let whole = |component: &Component| {
        horizontal.is_multiple_of(component.horizontal) && vertical.is_multiple_of(component.vertical)
    };
    if !header.components.iter().all(whole) {
        return Err(Fault::Unsupported("a JPEG whose sampling factors are no multiples of one another"));
    }
    Ok(header)
}

fn colour(components: &[Component], marks: &Marks) -> Colour {
    match components {
        [_] => Colour::Grey,
        [_, _, _] if marks.jfif => Colour::YCbCr,
        [_, _, _] => match marks.adobe {
            Some(0) => Colour::Rgb,
            None if components.iter().map(|component| component.id).eq(*b"RGB") => Colour::Rgb,
            _ => Colour::YCbCr,
        },
        _ if matches!(marks.adobe, None | Some(0)) => Colour::Cmyk,
        _ => Colour::Ycck,
    }
}
