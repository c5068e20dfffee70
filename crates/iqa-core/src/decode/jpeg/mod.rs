//! JPEG, as libjpeg-turbo reads it; what libjpeg warns of as corrupt is refused.

mod entropy;
mod header;
mod samples;

use std::path::Path;

use image::{DynamicImage, RgbImage};
use pulp::Arch;

use self::entropy::{Bits, Block, State, Table, ZIGZAG};
use self::header::{
    Colour, Component, HUFFMAN_TABLES, Header, QUANTISATION_TABLES, RESTART_INTERVAL, START_OF_SCAN, Scan,
    ScanComponent, Segments,
};
use self::samples::{BlockRow, Paint, Plane};
use super::profile::note_profile;
use super::{DecodeOptions, Fault, check_size, exif};
use crate::CoreError;

/// Scans of a file, a guard against small files that take for ever; a progression to the last bit of four components
/// has some sixty.
const MOST_SCANS: usize = 500;

/// Decodes a JPEG file, upright.
pub(super) fn decode(bytes: &[u8], name: &Path, options: &DecodeOptions) -> Result<DynamicImage, CoreError> {
    let header = Header::read(bytes).map_err(|fault| fault.of(name))?;
    check_size(header.width, header.height, name, options)?;
    let pixels = decode_scans(bytes, &header, Some(header.colour)).map_err(|fault| fault.of(name))?;
    let image = RgbImage::from_raw(header.width, header.height, pixels);
    let mut image = DynamicImage::from(image.ok_or_else(|| CoreError::Truncated { path: name.into() })?);
    note_profile(&header.profile, name);
    if let Some(orientation) = header.exif.and_then(exif::orientation) {
        image.apply_orientation(orientation);
    }
    Ok(image)
}

/// Decodes a JPEG inside another file, which says what its samples mean: at full resolution, by pixel, no colours
/// converted. `fits` tells whether its width, height and samples of a pixel are as they should be.
pub(super) fn decode_samples(bytes: &[u8], fits: impl Fn(u32, u32, usize) -> bool) -> Result<Vec<u8>, Fault> {
    let header = Header::read(bytes)?;
    let (width, height, channels) = (header.width, header.height, header.components.len());
    if !fits(width, height, channels) {
        return Err(Fault::Damaged("a JPEG of another size than what it is a part of"));
    }
    decode_scans(bytes, &header, None)
}

/// A component on its way from scans to samples.
struct Canvas {
    /// By block, until they are samples: of all blocks where scans add to one another, else of a row of units.
    coefficients: Vec<i16>,
    /// Blocks in a row of the whole units of the interleaved picture.
    wide: usize,
    /// The quantisation table in force at the first scan; none before.
    table: Option<[u16; 64]>,
    /// The lowest bit that scans have given of each coefficient; none before.
    low: [Option<u8>; 64],
    plane: Plane,
}

/// What the segments between scans set.
struct Tables {
    quantisation: [Option<[u16; 64]>; 4],
    dc: [Option<Table>; 4],
    ac: [Option<Table>; 4],
    /// Units between restart markers; none where 0.
    restart: usize,
}

/// Decodes Huffman-coded pictures of 8 bits: every sampling and order of scans, sequential and progressive. By pixel, in
/// RGB or as the components are.
fn decode_scans(bytes: &[u8], header: &Header, colour: Option<Colour>) -> Result<Vec<u8>, Fault> {
    let (across, down) = header.sampling();
    let units = ((header.width as usize).div_ceil(8 * across), (header.height as usize).div_ceil(8 * down));
    let mut canvases: Vec<_> =
        header.components.iter().map(|component| Canvas::new(header, component, units)).collect();
    let mut painting = Painting::new(header, colour);
    let mut tables = Tables::new(header.progressive);
    let mut scans = 0;
    for segment in Segments::new(bytes) {
        let segment = segment?;
        match segment.marker {
            QUANTISATION_TABLES => tables.read_quantisation(segment.body)?,
            HUFFMAN_TABLES => tables.read_huffman(segment.body)?,
            RESTART_INTERVAL => {
                let &[high, low] = segment.body else {
                    return Err(Fault::Damaged("a malformed restart interval"));
                };
                tables.restart = usize::from(u16::from_be_bytes([high, low]));
            }
            START_OF_SCAN => {
                scans += 1;
                if scans > MOST_SCANS {
                    return Err(Fault::Unsupported("a JPEG of more than 500 scans"));
                }
                let scan = header.scan(segment.body)?;
                tables.read_scan(segment.scan, &scan, header, &mut canvases, units, &mut painting)?;
            }
            _ => {}
        }
    }
    if canvases.iter().any(|canvas| canvas.low.iter().any(|&low| low != Some(0))) {
        return Err(Fault::Damaged("scans that are missing"));
    }
    if header.progressive {
        canvases.iter_mut().try_for_each(|canvas| canvas.draw(0, usize::MAX))?;
    }
    painting.paint(&canvases, header.height as usize);
    Ok(painting.pixels)
}

impl Canvas {
    fn new(header: &Header, component: &Component, units: (usize, usize)) -> Self {
        let (across, down) = header.sampling();
        let (wide, high) = (units.0 * component.horizontal, units.1 * component.vertical);
        let held = if header.progressive { high } else { component.vertical };
        // A picture that is painted as it is read needs the last two rows of units.
        let kept = if header.in_order { high.min(2 * component.vertical) } else { high };
        let plane = Plane {
            samples: vec![0; 64 * wide * kept],
            stride: 8 * wide,
            width: (header.width as usize * component.horizontal).div_ceil(across),
            height: (header.height as usize * component.vertical).div_ceil(down),
            across: across / component.horizontal,
            down: down / component.vertical,
        };
        Self { coefficients: vec![0; 64 * wide * held], wide, table: None, low: [None; 64], plane }
    }

    /// Notes what a scan gives. Source: G.1.1.1.
    fn begin(&mut self, scan: &Scan, table: Option<[u16; 64]>) -> Result<(), Fault> {
        if self.table.is_none() {
            self.table = Some(table.ok_or(Fault::Damaged("a quantisation table that is missing"))?);
        }
        if scan.band.0 > 0 && self.low[0].is_none() {
            return Err(Fault::Damaged("a scan before that of the means"));
        }
        for low in &mut self.low[scan.band.0..=scan.band.1] {
            if low.unwrap_or(0) != scan.refined || low.is_some() && scan.refined == 0 {
                return Err(Fault::Damaged("a scan that does not follow from those before it"));
            }
            *low = Some(scan.low);
        }
        Ok(())
    }

    /// Turns the first rows of the blocks held into samples, from a row of blocks of the plane on.
    fn draw(&mut self, first: usize, rows: usize) -> Result<(), Fault> {
        let Some(table) = &self.table else { return Ok(()) };
        let size = 64 * self.wide;
        let first = first * size % self.plane.samples.len();
        let out = self.plane.samples[first..].chunks_exact_mut(size).take(rows);
        let arch = Arch::new();
        for (coefficients, out) in self.coefficients.chunks_exact_mut(size).zip(out) {
            let blocks = coefficients.as_chunks().0;
            if !arch.dispatch(BlockRow { blocks, table, out }) {
                return Err(Fault::Damaged("a block beyond the range of its samples"));
            }
            coefficients.fill(0);
        }
        Ok(())
    }
}

/// The pixels of a picture, from the top.
struct Painting {
    pixels: Vec<u8>,
    /// Rows painted.
    rows: usize,
    row_bytes: usize,
    height: usize,
    colour: Option<Colour>,
}

impl Painting {
    fn new(header: &Header, colour: Option<Colour>) -> Self {
        let channels = if colour.is_some() { 3 } else { header.components.len() };
        let (row_bytes, height) = (header.width as usize * channels, header.height as usize);
        // No memory is touched before the file has given bytes for it.
        Self { pixels: Vec::with_capacity(row_bytes * height), rows: 0, row_bytes, height, colour }
    }

    /// Paints all rows above the row `end`.
    fn paint(&mut self, canvases: &[Canvas], end: usize) {
        let (first, end) = (self.rows, end.min(self.height));
        let planes: Vec<_> = canvases.iter().map(|canvas| &canvas.plane).collect();
        self.pixels.resize(end * self.row_bytes, 0);
        let out = &mut self.pixels[first * self.row_bytes..end * self.row_bytes];
        let row_bytes = self.row_bytes;
        Arch::new().dispatch(Paint { planes: &planes, colour: self.colour, first, row_bytes, out });
        self.rows = end;
    }
}

impl Tables {
    fn new(progressive: bool) -> Self {
        let standard = |ac, chrominance| if progressive { None } else { Table::standard(ac, chrominance) };
        Self {
            quantisation: [None; 4],
            dc: [standard(false, false), standard(false, true), None, None],
            ac: [standard(true, false), standard(true, true), None, None],
            restart: 0,
        }
    }

    fn read_quantisation(&mut self, mut body: &[u8]) -> Result<(), Fault> {
        let damaged = Fault::Damaged("a malformed quantisation table");
        while let [place, rest @ ..] = body {
            let width = match place >> 4 {
                0 => 1,
                1 => 2,
                _ => return Err(damaged),
            };
            let (values, rest) = rest.split_at_checked(64 * width).ok_or(damaged)?;
            let slot = self.quantisation.get_mut(usize::from(place & 15)).ok_or(damaged)?;
            let table = slot.insert([0; 64]);
            for (value, place) in values.chunks_exact(width).zip(ZIGZAG) {
                table[usize::from(place)] = value.iter().fold(0, |value, &byte| value << 8 | u16::from(byte));
            }
            body = rest;
        }
        Ok(())
    }

    fn read_huffman(&mut self, mut body: &[u8]) -> Result<(), Fault> {
        let damaged = Fault::Damaged("a malformed Huffman table");
        while let [place, rest @ ..] = body {
            let (lengths, rest) = rest.split_at_checked(16).ok_or(damaged)?;
            let count = lengths.iter().map(|&count| usize::from(count)).sum();
            let (symbols, rest) = rest.split_at_checked(count).ok_or(damaged)?;
            let class = match place >> 4 {
                0 => &mut self.dc,
                1 => &mut self.ac,
                _ => return Err(damaged),
            };
            *class.get_mut(usize::from(place & 15)).ok_or(damaged)? = Some(Table::new(lengths, symbols)?);
            body = rest;
        }
        Ok(())
    }

    /// Adds what a scan says.
    fn read_scan(
        &self,
        bytes: &[u8],
        scan: &Scan,
        header: &Header,
        canvases: &mut [Canvas],
        units: (usize, usize),
        painting: &mut Painting,
    ) -> Result<(), Fault> {
        for part in &scan.components {
            let table = self.quantisation[header.components[part.index].quantisation];
            canvases[part.index].begin(scan, table)?;
        }
        let dc = || chosen(&self.dc, scan, |part| part.dc_table);
        let ac = || chosen(&self.ac, scan, |part| part.ac_table);
        let walk =
            Walk { scan, header, canvases, units, restart: self.restart, painting, bits: Bits::new(bytes) };
        let (band, low) = (scan.band, scan.low);
        match (band, scan.refined) {
            _ if !header.progressive => {
                let (dc, ac) = (dc()?, ac()?);
                walk.blocks(|bits, block, part, state| {
                    entropy::sequential(bits, block, (dc[part], ac[part]), &mut state.before[part])
                })
            }
            ((0, _), 0) => {
                let dc = dc()?;
                walk.blocks(|bits, block, part, state| {
                    entropy::first_dc(bits, block, dc[part], &mut state.before[part], low)
                })
            }
            ((0, _), _) => walk.blocks(|bits, block, _, _| entropy::refine_dc(bits, block, low)),
            (_, 0) => {
                let ac = ac()?;
                walk.blocks(|bits, block, part, state| {
                    entropy::first_ac(bits, block, ac[part], band, low, &mut state.skip)
                })
            }
            _ => {
                let ac = ac()?;
                walk.blocks(|bits, block, part, state| {
                    entropy::refine_ac(bits, block, ac[part], band, low, &mut state.skip)
                })
            }
        }
    }
}

/// The Huffman tables of one class that the components of a scan name.
fn chosen<'a>(
    class: &'a [Option<Table>; 4],
    scan: &Scan,
    place: fn(&ScanComponent) -> usize,
) -> Result<Vec<&'a Table>, Fault> {
    let tables = scan.components.iter().map(|part| class[place(part)].as_ref());
    tables.collect::<Option<_>>().ok_or(Fault::Damaged("a Huffman table that is missing"))
}

/// The blocks of a scan.
struct Walk<'a> {
    scan: &'a Scan,
    header: &'a Header<'a>,
    canvases: &'a mut [Canvas],
    units: (usize, usize),
    /// Units between restart markers; none where 0.
    restart: usize,
    painting: &'a mut Painting,
    bits: Bits<'a>,
}

impl Walk<'_> {
    /// Reads each block, of one of the scan's components. Source: T.81, A.2: a scan of one component has its blocks by
    /// row, a scan of several has whole units, with as many blocks of each as its sampling factors say.
    fn blocks(
        self,
        read: impl Fn(&mut Bits, &mut Block, usize, &mut State) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let Self { scan, header, canvases, units, restart, painting, mut bits } = self;
        let alone = scan.components.len() == 1;
        let (wide, high) = match &scan.components[..] {
            [part] => {
                let plane = &canvases[part.index].plane;
                (plane.width.div_ceil(8), plane.height.div_ceil(8))
            }
            _ => units,
        };
        let parts: Vec<_> = scan
            .components
            .iter()
            .map(|part| {
                let factors = &header.components[part.index];
                (part.index, if alone { (1, 1) } else { (factors.horizontal, factors.vertical) })
            })
            .collect();
        // Pixels of a sample's height, by which a unit has eight rows of samples.
        let tall = if alone { 1 } else { header.sampling().1 };
        let mut state = State::default();
        let (mut left, mut restarts) = (restart, 0);
        for y in 0..high {
            for x in 0..wide {
                if restart > 0 {
                    if left == 0 {
                        bits.restart(restarts)?;
                        (state, left, restarts) = (State::default(), restart, restarts + 1);
                    }
                    left -= 1;
                }
                for (part, &(index, (across, down))) in parts.iter().enumerate() {
                    let canvas = &mut canvases[index];
                    let top = if header.progressive { y * down } else { 0 };
                    for row in top..top + down {
                        let first = row * canvas.wide + x * across;
                        let row = &mut canvas.coefficients[64 * first..64 * (first + across)];
                        for block in row.as_chunks_mut().0 {
                            read(&mut bits, block, part, &mut state)?;
                        }
                    }
                }
            }
            if !header.progressive {
                for &(index, (_, down)) in &parts {
                    canvases[index].draw(y * down, down)?;
                }
                if header.in_order {
                    // The last row of chroma needs the one below.
                    let ready = (8 * (y + 1) - usize::from(y + 1 < high)) * tall;
                    painting.paint(canvases, ready);
                }
            }
        }
        bits.end()
    }
}
