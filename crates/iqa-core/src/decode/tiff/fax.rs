//! Bilevel pictures as facsimile machines send them. Sources: ITU-T T.4 and T.6; TIFF 6.0, sections 10 and 11.

use std::io::{BufRead, Bytes};

use fax::maps::{Mode, black, mode, white};
use fax::{BitReader, ByteReader};

use super::Fault;

/// Zeros before the one of an end of line; no code begins with as many.
const END_OF_LINE_ZEROS: u8 = 11;

/// How lines are coded.
#[derive(Clone, Copy, Debug)]
pub(super) enum Coding {
    /// Each by itself, from a byte's start, without ends of line.
    Huffman,
    /// Group 3: after an end of line; where `mixed`, a bit says whether by itself or by the line before.
    Group3 { mixed: bool },
    /// Group 4: each by the line before.
    Group4,
}

/// Decodes line by line.
pub(super) struct Decoder<R: BufRead> {
    bits: ByteReader<Bytes<R>>,
    coding: Coding,
    width: u32,
    /// Where the colour changes on the line before, from white at its start; always rising, and below the width.
    reference: Vec<u32>,
    changes: Vec<u32>,
}

impl<R: BufRead> Decoder<R> {
    /// Starts at the first line of a strip or tile.
    pub(super) fn new(data: R, coding: Coding, width: u32) -> Result<Self, Fault> {
        Ok(Self {
            bits: ByteReader::new(data.bytes())?,
            coding,
            width,
            reference: Vec::new(),
            changes: Vec::new(),
        })
    }

    /// The next line, one bit a pixel; white is zero.
    pub(super) fn line(&mut self, row: &mut Vec<u8>) -> Result<(), Fault> {
        std::mem::swap(&mut self.reference, &mut self.changes);
        self.changes.clear();
        match self.coding {
            Coding::Huffman => {
                self.line_by_itself()?;
                self.bits.consume(self.bits.bits_to_byte_boundary())?;
            }
            Coding::Group3 { mixed } => {
                let found = self.skip_end_of_line()?;
                if self.bits.peek(END_OF_LINE_ZEROS) == Some(0) {
                    // Two ends of line in a row: the end of the picture.
                    return Err(Fault::Truncated);
                }
                match (mixed, found) {
                    (false, _) => self.line_by_itself()?,
                    (true, true) => match self.bit()? {
                        1 => self.line_by_itself()?,
                        _ => self.line_by_reference()?,
                    },
                    (true, false) => return Err(damaged()),
                }
            }
            Coding::Group4 => self.line_by_reference()?,
        }
        row.clear();
        row.resize(self.width.div_ceil(8) as usize, 0);
        for run in self.changes.chunks(2) {
            for at in run[0]..*run.get(1).unwrap_or(&self.width) {
                row[at as usize / 8] |= 0x80 >> (at % 8);
            }
        }
        Ok(())
    }

    fn bit(&mut self) -> Result<u16, Fault> {
        let bit = self.bits.peek(1).ok_or(Fault::Truncated)?;
        self.bits.consume(1)?;
        Ok(bit)
    }

    /// Whether there was one.
    fn skip_end_of_line(&mut self) -> Result<bool, Fault> {
        let found = self.bits.peek(END_OF_LINE_ZEROS) == Some(0);
        while found && self.bit()? == 0 {}
        Ok(found)
    }

    fn run(&mut self, is_black: bool) -> Result<u32, Fault> {
        let mut sum = 0;
        loop {
            let code = if is_black { black::decode(&mut self.bits) } else { white::decode(&mut self.bits) };
            let length = u32::from(code.ok_or_else(damaged)?);
            sum += length;
            if sum > self.width {
                return Err(damaged());
            }
            if length < 64 {
                return Ok(sum);
            }
        }
    }

    /// Notes a change of colour; two at one place are none.
    fn change(&mut self, at: u32) {
        if self.changes.last() == Some(&at) {
            self.changes.pop();
        } else if at < self.width {
            self.changes.push(at);
        }
    }

    fn line_by_itself(&mut self) -> Result<(), Fault> {
        let (mut at, mut is_black) = (0, false);
        while at < self.width {
            at += self.run(is_black)?;
            if at > self.width {
                return Err(damaged());
            }
            self.change(at);
            is_black = !is_black;
        }
        Ok(())
    }

    fn line_by_reference(&mut self) -> Result<(), Fault> {
        // `a0` of T.4: just left of the line at first. `next` is the first change of the line before that is right of it.
        let (mut at, mut is_black, mut next) = (-1, false, 0);
        let width = i64::from(self.width);
        while at < width {
            while next > 0 && i64::from(self.reference[next - 1]) > at {
                next -= 1;
            }
            while self.reference.get(next).is_some_and(|&change| i64::from(change) <= at) {
                next += 1;
            }
            // `b1`: the first of them that leaves the colour at hand; changes to black have even places.
            let first = next + usize::from((next % 2 == 1) != is_black);
            let change = |place| self.reference.get(place).map_or(width, |&change| i64::from(change));
            match mode::decode(&mut self.bits).ok_or_else(damaged)? {
                Mode::Pass => at = change(first + 1),
                Mode::Vertical(shift) => {
                    let to = change(first) + i64::from(shift);
                    if to <= at || to > width {
                        return Err(damaged());
                    }
                    self.change(to as u32);
                    is_black = !is_black;
                    at = to;
                }
                Mode::Horizontal => {
                    let middle = at.max(0) + i64::from(self.run(is_black)?);
                    let to = middle + i64::from(self.run(!is_black)?);
                    if to > width {
                        return Err(damaged());
                    }
                    self.change(middle as u32);
                    self.change(to as u32);
                    at = to;
                }
                Mode::Extension => {
                    return Err(Fault::Unsupported("TIFF with uncompressed CCITT lines".into()));
                }
                Mode::EOF => return Err(Fault::Truncated),
            }
        }
        Ok(())
    }
}

fn damaged() -> Fault {
    Fault::Damaged("the CCITT data are damaged".into())
}
