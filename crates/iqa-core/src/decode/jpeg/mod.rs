//! JPEG: common files by the fast decoder of the `image` crate, the others here.

mod entropy;
mod header;
mod samples;

use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageFormat, RgbImage};

use self::entropy::{Bits, Table, ZIGZAG};
use self::header::{
    HUFFMAN_TABLES, Header, QUANTISATION_TABLES, RESTART_INTERVAL, START_OF_SCAN, Scan, Segments,
};
use self::samples::Plane;
use super::profile::note_profile;
use super::{DecodeOptions, check_size, decode_common, failed};
use crate::CoreError;

/// Scans of a file, a guard against small files that take for ever; a progression to the last bit of four components
/// has some sixty.
const MOST_SCANS: usize = 500;

/// Why a file is not read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    Truncated,
    Damaged(&'static str),
    Unsupported(&'static str),
}

impl Fault {
    fn of(self, name: &Path) -> CoreError {
        match self {
            Self::Truncated => CoreError::Truncated { path: name.into() },
            Self::Damaged(reason) => failed(name, reason),
            Self::Unsupported(what) => CoreError::Unsupported { path: name.into(), what: what.into() },
        }
    }
}

/// Decodes a JPEG file, upright.
pub(super) fn decode(bytes: &[u8], name: &Path, options: &DecodeOptions) -> Result<DynamicImage, CoreError> {
    // Before any decoder: the fast one fills what is missing with grey and reports success.
    let header = Header::read(bytes).map_err(|fault| fault.of(name))?;
    check_size(header.width, header.height, name, options)?;
    if header.is_common() {
        return decode_common(bytes, ImageFormat::Jpeg, name, options);
    }
    let mut image = DynamicImage::from(decode_any(bytes, &header).map_err(|fault| fault.of(name))?);
    note_profile(&header.profile, name);
    image.apply_orientation(
        header.exif.and_then(Orientation::from_exif_chunk).unwrap_or(Orientation::NoTransforms),
    );
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
    let planes = decode_planes(bytes, &header)?;
    let mut samples = vec![0; width as usize * height as usize * channels];
    let (mut sums, mut line) = (Vec::new(), Vec::new());
    for (y, out) in samples.chunks_exact_mut(width as usize * channels).enumerate() {
        for (channel, plane) in planes.iter().enumerate() {
            plane.upsample(y, &mut sums, &mut line);
            for (pixel, &sample) in out.chunks_exact_mut(channels).zip(&line) {
                pixel[channel] = sample;
            }
        }
    }
    Ok(samples)
}

/// A component's coefficients, by block, and how to undo their quantisation.
struct Coefficients {
    values: Vec<i16>,
    /// Blocks in a row of the whole units of the interleaved picture.
    wide: usize,
    /// Samples that belong to the picture.
    width: usize,
    height: usize,
    /// The table in force at the component's first scan; none before.
    table: Option<[u16; 64]>,
}

/// What the segments between scans set.
struct Tables {
    quantisation: [Option<[u16; 64]>; 4],
    dc: [Option<Table>; 4],
    ac: [Option<Table>; 4],
    /// Units between restart markers; none where 0.
    restart: usize,
}

/// Decodes Huffman-coded pictures of 8 bits: every sampling and order of scans, sequential and progressive.
fn decode_any(bytes: &[u8], header: &Header) -> Result<RgbImage, Fault> {
    let planes = decode_planes(bytes, header)?;
    let mut image = RgbImage::new(header.width, header.height);
    let (mut sums, mut rows) = (Vec::new(), vec![Vec::new(); planes.len()]);
    for (y, out) in image.chunks_exact_mut(3 * header.width as usize).enumerate() {
        for (plane, row) in planes.iter().zip(&mut rows) {
            plane.upsample(y, &mut sums, row);
        }
        samples::to_rgb(header.colour, &rows, out);
    }
    Ok(image)
}

/// The components of a picture.
fn decode_planes(bytes: &[u8], header: &Header) -> Result<Vec<Plane>, Fault> {
    let (across, down) = header.sampling();
    let (width, height) = (header.width as usize, header.height as usize);
    let (units_wide, units_high) = (width.div_ceil(8 * across), height.div_ceil(8 * down));
    let mut coefficients: Vec<_> = header
        .components
        .iter()
        .map(|component| {
            let (wide, high) = (units_wide * component.horizontal, units_high * component.vertical);
            Coefficients {
                values: vec![0; wide * high * 64],
                wide,
                width: (width * component.horizontal).div_ceil(across),
                height: (height * component.vertical).div_ceil(down),
                table: None,
            }
        })
        .collect();
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
                tables.read_scan(segment.scan, &scan, header, &mut coefficients, (units_wide, units_high))?;
            }
            _ => {}
        }
    }
    let planes = coefficients.into_iter().zip(&header.components);
    planes
        .map(|(component, factors)| {
            component.into_plane(across / factors.horizontal, down / factors.vertical)
        })
        .collect()
}

impl Coefficients {
    fn into_plane(self, across: usize, down: usize) -> Result<Plane, Fault> {
        let table = self.table.ok_or(Fault::Damaged("a component without a scan"))?;
        let stride = 8 * self.wide;
        let mut samples = vec![0; self.values.len()];
        for (number, block) in self.values.as_chunks::<64>().0.iter().enumerate() {
            let (x, y) = (number % self.wide, number / self.wide);
            samples::block_samples(block, &table, &mut samples[8 * (y * stride + x)..], stride);
        }
        Ok(Plane { samples, stride, width: self.width, height: self.height, across, down })
    }

    fn block(&mut self, x: usize, y: usize) -> &mut [i16] {
        let at = 64 * (y * self.wide + x);
        &mut self.values[at..at + 64]
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

    /// Adds what a scan says to the coefficients. Source: T.81, A.2: a scan of one component has its blocks by row, a
    /// scan of several has whole units, with as many blocks of each as its sampling factors say.
    fn read_scan(
        &self,
        bytes: &[u8],
        scan: &Scan,
        header: &Header,
        coefficients: &mut [Coefficients],
        units: (usize, usize),
    ) -> Result<(), Fault> {
        for part in &scan.components {
            let component = &mut coefficients[part.index];
            if component.table.is_none() {
                let table = self.quantisation[header.components[part.index].quantisation];
                component.table = Some(table.ok_or(Fault::Damaged("a quantisation table that is missing"))?);
            } else if !header.progressive {
                return Err(Fault::Damaged("a component in two scans"));
            }
        }
        let (wide, high) = match &scan.components[..] {
            [part] => {
                let component = &coefficients[part.index];
                (component.width.div_ceil(8), component.height.div_ceil(8))
            }
            _ => units,
        };
        let mut bits = Bits::new(bytes);
        let mut before = [0i32; 4];
        let mut skip = 0;
        for (unit, (y, x)) in (0..high).flat_map(|y| (0..wide).map(move |x| (y, x))).enumerate() {
            if self.restart > 0 && unit > 0 && unit.is_multiple_of(self.restart) {
                bits.restart(unit / self.restart - 1)?;
                (before, skip) = ([0; 4], 0);
            }
            for (part, before) in scan.components.iter().zip(&mut before) {
                let factors = &header.components[part.index];
                let (across, down) = match scan.components.len() {
                    1 => (1, 1),
                    _ => (factors.horizontal, factors.vertical),
                };
                let missing = Fault::Damaged("a Huffman table that is missing");
                let dc = || self.dc[part.dc_table].as_ref().ok_or(missing);
                let ac = || self.ac[part.ac_table].as_ref().ok_or(missing);
                for inner in 0..across * down {
                    let (column, row) = (x * across + inner % across, y * down + inner / across);
                    let block = coefficients[part.index].block(column, row);
                    match (scan.band, scan.refined) {
                        _ if !header.progressive => {
                            entropy::sequential(&mut bits, block, (dc()?, ac()?), before)?;
                        }
                        ((0, _), 0) => entropy::first_dc(&mut bits, block, dc()?, before, scan.low)?,
                        ((0, _), _) => entropy::refine_dc(&mut bits, block, scan.low)?,
                        (band, 0) => entropy::first_ac(&mut bits, block, ac()?, band, scan.low, &mut skip)?,
                        (band, _) => entropy::refine_ac(&mut bits, block, ac()?, band, scan.low, &mut skip)?,
                    }
                }
            }
        }
        Ok(())
    }
}
