//! Huffman-coded coefficients. Source: ITU-T T.81, annexes C, F and G.

use crate::decode::Fault;

/// The order in which coefficients are stored: places in a block of rows.
pub(super) const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7,
    14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39,
    46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// Codes of at most so many bits are looked up at once.
const SHORT: u32 = 10;

/// What a code stands for.
#[derive(Clone, Copy, Default)]
struct Code {
    symbol: u8,
    /// Bits of the code; 0 where there is none.
    length: u8,
    /// Bits of the code and of the number that follows it, as many as the symbol's lower half says.
    both: u8,
}

impl Code {
    fn new(symbol: u8, length: u32) -> Self {
        Self { symbol, length: length as u8, both: length as u8 + (symbol & 15) }
    }
}

/// A Huffman code.
pub(super) struct Table {
    /// The code that the next [`SHORT`] bits begin with; none where it is longer.
    short: Box<[Code; 1 << SHORT]>,
    /// For each length: the first code, and where its symbols begin.
    first: [(u32, usize); 17],
    /// For each length: codes.
    counts: [u32; 17],
    symbols: Vec<u8>,
}

impl Table {
    /// Of the number of codes of each length from 1 to 16, and their symbols.
    pub(super) fn new(lengths: &[u8], symbols: &[u8]) -> Result<Self, Fault> {
        let damaged = Fault::Damaged("an impossible Huffman table");
        let mut table = Self {
            short: Box::new([Code::default(); 1 << SHORT]),
            first: [(0, 0); 17],
            counts: [0; 17],
            symbols: symbols.into(),
        };
        let (mut code, mut at) = (0, 0);
        for length in 1..=16 {
            let count = u32::from(lengths[length - 1]);
            table.first[length] = (code, at);
            table.counts[length] = count;
            for _ in 0..count {
                if length as u32 <= SHORT {
                    let spare = SHORT - length as u32;
                    let begin = (code as usize) << spare;
                    let entries = table.short.get_mut(begin..begin + (1 << spare)).ok_or(damaged)?;
                    entries.fill(Code::new(*symbols.get(at).ok_or(damaged)?, length as u32));
                }
                code += 1;
                at += 1;
            }
            if code > 1 << length {
                return Err(damaged);
            }
            code <<= 1;
        }
        if at == symbols.len() { Ok(table) } else { Err(damaged) }
    }

    /// The tables that Motion-JPEG frames leave out: T.81, annex K.3; luminance at 0, chrominance at 1.
    pub(super) fn standard(ac: bool, chrominance: bool) -> Option<Self> {
        let (lengths, symbols): (&[u8], &[u8]) = match (ac, chrominance) {
            (false, false) => (&[0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0], &DC_SYMBOLS),
            (false, true) => (&[0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0], &DC_SYMBOLS),
            (true, false) => (&[0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7d], &AC_LUMINANCE),
            (true, true) => (&[0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77], &AC_CHROMINANCE),
        };
        Self::new(lengths, symbols).ok()
    }
}

const DC_SYMBOLS: [u8; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
#[rustfmt::skip]
const AC_LUMINANCE: [u8; 162] = [
    0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07, 0x22, 0x71,
    0x14, 0x32, 0x81, 0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1, 0x15, 0x52, 0xd1, 0xf0, 0x24, 0x33, 0x62, 0x72,
    0x82, 0x09, 0x0a, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x34, 0x35, 0x36, 0x37,
    0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59,
    0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x83,
    0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3,
    0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3,
    0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe1, 0xe2,
    0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa,
];
#[rustfmt::skip]
const AC_CHROMINANCE: [u8; 162] = [
    0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71, 0x13, 0x22,
    0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xa1, 0xb1, 0xc1, 0x09, 0x23, 0x33, 0x52, 0xf0, 0x15, 0x62, 0x72, 0xd1,
    0x0a, 0x16, 0x24, 0x34, 0xe1, 0x25, 0xf1, 0x17, 0x18, 0x19, 0x1a, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x35, 0x36,
    0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58,
    0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a,
    0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a,
    0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba,
    0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda,
    0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa,
];

const BEYOND_BAND: Fault = Fault::Damaged("a run beyond its band");

/// The bits of a scan, the highest of each byte first.
#[derive(Clone, Copy)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    /// Bits not yet taken, at the top.
    buffer: u64,
    /// How many of them there are.
    held: u32,
    /// How many of them are no part of the file: beyond the end or a marker, zeros are put in.
    made_up: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, buffer: 0, held: 0, made_up: 0 }
    }

    /// Holds more than 48 bits afterwards.
    #[inline]
    fn fill(&mut self) {
        const ONES: u64 = u64::from_ne_bytes([1; 8]);
        if let Some(bytes) = self.bytes.first_chunk() {
            let next = u64::from_be_bytes(*bytes);
            // No byte of them is 0xff.
            if (!next).wrapping_sub(ONES) & next & (ONES << 7) == 0 {
                // What is more than whole bytes comes again, and is the same.
                self.buffer |= next >> self.held;
                let taken = (63 - self.held) / 8;
                self.bytes = &self.bytes[taken as usize..];
                self.held += 8 * taken;
                return;
            }
        }
        self.fill_slowly();
    }

    #[cold]
    fn fill_slowly(&mut self) {
        while self.held <= 56 {
            let byte = match self.bytes {
                [0xff, 0, rest @ ..] => {
                    self.bytes = rest;
                    0xff
                }
                [] | [0xff, ..] => {
                    self.made_up += 8;
                    0
                }
                &[byte, ref rest @ ..] => {
                    self.bytes = rest;
                    byte
                }
            };
            self.buffer |= u64::from(byte) << (56 - self.held);
            self.held += 8;
        }
    }

    /// Passes over bits that are held.
    #[inline]
    fn pass(&mut self, count: u32) {
        self.buffer <<= count;
        self.held -= count;
    }

    /// Takes up to 16 bits.
    #[inline]
    fn take(&mut self, count: u32) -> u32 {
        if self.held < 16 {
            self.fill();
        }
        let bits = top(self.buffer, count);
        self.pass(count);
        bits
    }

    /// Takes a symbol, and the number of as many bits as its lower half says, whose first bit tells its sign. Source:
    /// F.2.2.1.
    #[inline(always)]
    fn number(&mut self, table: &Table) -> Result<(u8, i32), Fault> {
        let code = self.code(table)?;
        let (number, size) = (self.buffer << code.length, u32::from(code.symbol & 15));
        self.pass(code.both.into());
        let is_negative = number >> 63 == 0;
        let least = if is_negative { 1 - (1 << size) } else { 0 };
        Ok((code.symbol, top(number, size) as i32 + least))
    }

    /// Takes a symbol.
    #[inline]
    fn symbol(&mut self, table: &Table) -> Result<u8, Fault> {
        let code = self.code(table)?;
        self.pass(code.length.into());
        Ok(code.symbol)
    }

    /// The next code, and room for it and its number.
    #[inline(always)]
    fn code(&mut self, table: &Table) -> Result<Code, Fault> {
        if self.held < 32 {
            self.fill();
        }
        let code = table.short[top(self.buffer, SHORT) as usize];
        if code.length > 0 { Ok(code) } else { self.long_code(table) }
    }

    #[cold]
    fn long_code(&self, table: &Table) -> Result<Code, Fault> {
        for length in SHORT + 1..=16 {
            let code = top(self.buffer, length);
            let (first, at) = table.first[length as usize];
            if code.wrapping_sub(first) < table.counts[length as usize] {
                return Ok(Code::new(table.symbols[at + (code - first) as usize], length));
            }
        }
        Err(Fault::Damaged("a code that no Huffman table holds"))
    }

    /// An error where bits were taken that the file does not have.
    #[inline]
    fn check(&self) -> Result<(), Fault> {
        if self.held < self.made_up { Err(Fault::Damaged("a scan that ends early")) } else { Ok(()) }
    }

    /// Whether all whole bytes were taken up to the next marker.
    fn is_at_marker(&self) -> bool {
        self.held - self.made_up < 8
            && match self.bytes {
                [] | [0xff] => true,
                [0xff, next, ..] => *next != 0,
                _ => false,
            }
    }

    /// Goes on behind the restart marker of this number.
    pub(super) fn restart(&mut self, number: usize) -> Result<(), Fault> {
        let at = self.bytes.iter().position(|&byte| byte != 0xff).unwrap_or(0);
        match self.bytes[at..] {
            [marker, ref rest @ ..] if self.is_at_marker() && usize::from(marker) == 0xd0 + number % 8 => {
                *self = Self::new(rest);
                Ok(())
            }
            _ => Err(Fault::Damaged("a restart marker that is not where it should be")),
        }
    }

    /// An error where there are more bytes, other than restart markers.
    pub(super) fn end(&self) -> Result<(), Fault> {
        let is_marker = |byte: &u8| matches!(byte, 0xd0..=0xd7 | 0xff);
        match self.is_at_marker() && self.bytes.iter().all(is_marker) {
            true => Ok(()),
            false => Err(Fault::Damaged("bytes behind the last block of a scan")),
        }
    }
}

/// The upper bits of a buffer; at most 32.
#[inline]
fn top(buffer: u64, count: u32) -> u32 {
    // Two shifts, as one of 64 is none.
    (buffer >> 1 >> (63 - count)) as u32
}

/// A block, in rows.
pub(super) type Block = [i16; 64];

/// What one block of a scan hands to the next, anew after a restart marker.
#[derive(Default)]
pub(super) struct State {
    /// The last mean of each component.
    pub(super) before: [i32; 4],
    /// Blocks without further coefficients that are still to come.
    pub(super) skip: u32,
}

/// A block of a sequential scan. Source: F.2.2.
#[inline(always)]
pub(super) fn sequential(
    bits: &mut Bits,
    block: &mut Block,
    (dc, ac): (&Table, &Table),
    before: &mut i32,
) -> Result<(), Fault> {
    first_dc(bits, block, dc, before, 0)?;
    let mut skip = 0;
    first_ac(bits, block, ac, (1, 63), 0, &mut skip)?;
    if skip == 0 { Ok(()) } else { Err(Fault::Damaged("an end of several blocks in a sequential scan")) }
}

/// The first bits of a block's mean. Source: G.1.2.1.
#[inline(always)]
pub(super) fn first_dc(
    bits: &mut Bits,
    block: &mut Block,
    table: &Table,
    before: &mut i32,
    low: u8,
) -> Result<(), Fault> {
    let (size, difference) = bits.number(table)?;
    if size > 15 {
        return Err(Fault::Damaged("a coefficient of more than 15 bits"));
    }
    *before = before.wrapping_add(difference);
    block[0] = (*before << low) as i16;
    bits.check()
}

/// One bit more of a block's mean.
pub(super) fn refine_dc(bits: &mut Bits, block: &mut Block, low: u8) -> Result<(), Fault> {
    block[0] |= (bits.take(1) << low) as i16;
    bits.check()
}

/// The first bits of a block's other coefficients. Source: G.1.2.2.
#[inline(always)]
pub(super) fn first_ac(
    bits: &mut Bits,
    block: &mut Block,
    table: &Table,
    (first, last): (usize, usize),
    low: u8,
    skip: &mut u32,
) -> Result<(), Fault> {
    if *skip > 0 {
        *skip -= 1;
        return Ok(());
    }
    let mut at = first;
    while at <= last {
        let (symbol, value) = bits.number(table)?;
        let run = usize::from(symbol >> 4);
        at += run;
        if symbol & 15 > 0 {
            if at > last {
                return Err(BEYOND_BAND);
            }
            block[usize::from(ZIGZAG[at & 63])] = (value << low) as i16;
        } else if run < 15 {
            *skip = (1 << run) - 1 + bits.take(run as u32);
            break;
        }
        at += 1;
    }
    bits.check()
}

/// One bit more of a block's other coefficients. Source: G.1.2.3.
pub(super) fn refine_ac(
    bits: &mut Bits,
    block: &mut Block,
    table: &Table,
    (first, last): (usize, usize),
    low: u8,
    skip: &mut u32,
) -> Result<(), Fault> {
    let one = 1i16 << low;
    let refine = |bits: &mut Bits, value: &mut i16| {
        if bits.take(1) == 1 {
            *value = value.wrapping_add(if *value > 0 { one } else { -one });
        }
    };
    let mut at = first;
    if *skip == 0 {
        while at <= last {
            let symbol = bits.symbol(table)?;
            let mut run = u32::from(symbol >> 4);
            let new = match symbol & 15 {
                0 if run < 15 => {
                    *skip = (1 << run) + bits.take(run);
                    break;
                }
                0 => 0,
                1 if bits.take(1) == 1 => one,
                1 => -one,
                _ => return Err(Fault::Damaged("a refinement of more than one bit")),
            };
            // The run counts coefficients that are still zero; those between are refined.
            loop {
                let Some(place) = ZIGZAG[..=last].get(at) else {
                    if new == 0 {
                        break;
                    }
                    return Err(BEYOND_BAND);
                };
                let value = &mut block[usize::from(*place)];
                at += 1;
                if *value != 0 {
                    refine(bits, value);
                } else if run > 0 {
                    run -= 1;
                } else {
                    *value = new;
                    break;
                }
            }
        }
    }
    if *skip > 0 {
        *skip -= 1;
        for &place in &ZIGZAG[at..=last] {
            let value = &mut block[usize::from(place)];
            if *value != 0 {
                refine(bits, value);
            }
        }
    }
    bits.check()
}
