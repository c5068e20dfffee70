//! Where the entries of a zip archive lie, as its directory says.
//!
//! PyTorch writes the directory, then always the two records of the 64-bit format, and the old end record without
//! the marks that say so. A directory is therefore taken only where its size and its number of entries agree.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};

use flate2::Crc;
use flate2::read::DeflateDecoder;

use super::PytorchFailure;

/// Bytes of the end record without its comment.
const END: usize = 22;
/// Bytes of the locator of the 64-bit end record.
const LOCATOR: usize = 20;
/// Bytes of the 64-bit end record.
const END64: usize = 56;
/// Bytes of a directory entry, and of the header before an entry's data, without names.
const ENTRY: usize = 46;
const LOCAL: usize = 30;
/// Bytes of a directory; one of weights has some 100 for each tensor.
const MAX_DIRECTORY: u64 = 1 << 26;

/// An entry of the directory.
#[derive(Clone, Copy, Debug)]
struct Entry {
    header: u64,
    stored: u64,
    size: u64,
    crc: u32,
    method: u16,
    encrypted: bool,
}

/// An archive of which entries can be read.
pub(super) struct Archive<R> {
    file: R,
    length: u64,
    entries: BTreeMap<String, Entry>,
}

fn damaged(what: &'static str) -> PytorchFailure {
    PytorchFailure::Zip(what)
}

/// Little-endian numbers at a place in bytes; `None` behind their end.
fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// What an end record says about the directory, and where the directory ends.
struct Directory {
    count: u64,
    size: u64,
    offset: u64,
    end: u64,
}

impl<R: Read + Seek> Archive<R> {
    pub(super) fn open(mut file: R) -> Result<Self, PytorchFailure> {
        let length = file.seek(SeekFrom::End(0))?;
        let tail_length = length.min((END + LOCATOR + END64) as u64 + u64::from(u16::MAX));
        let tail_start = length - tail_length;
        let mut archive = Self { file, length, entries: BTreeMap::new() };
        let tail = archive.exact(tail_start, tail_length)?;
        let mut failure = damaged("there is no end record: the file is truncated");
        // A comment may hold the mark of an end record: the last one that leads to a directory counts.
        let ends = (0..tail.len().saturating_sub(END - 1)).rev();
        for at in ends.filter(|&at| tail[at..].starts_with(b"PK\x05\x06")) {
            match archive.directory(&tail, at, tail_start) {
                Ok(entries) => {
                    archive.entries = entries;
                    return Ok(archive);
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    fn exact(&mut self, at: u64, length: u64) -> Result<Vec<u8>, PytorchFailure> {
        if at.checked_add(length).is_none_or(|end| end > self.length) {
            return Err(damaged("an entry reaches behind the end of the file"));
        }
        self.file.seek(SeekFrom::Start(at))?;
        let mut bytes = Vec::new();
        self.file.by_ref().take(length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 == length { Ok(bytes) } else { Err(damaged("the file is truncated")) }
    }

    /// The entries, by the end record at `at` of the file's tail.
    fn directory(
        &mut self,
        tail: &[u8],
        at: usize,
        tail_start: u64,
    ) -> Result<BTreeMap<String, Entry>, PytorchFailure> {
        let end = tail_start + at as u64;
        let comment = u16_at(tail, at + 20).map(usize::from);
        if comment.is_none_or(|length| at + END + length > tail.len()) {
            return Err(damaged("its comment is truncated"));
        }
        let directory = match self.end64(tail, at, tail_start)? {
            Some(directory) => directory,
            None => (|| {
                Some(Directory {
                    count: u64::from(u16_at(tail, at + 10)?),
                    size: u64::from(u32_at(tail, at + 12)?),
                    offset: u64::from(u32_at(tail, at + 16)?),
                    end,
                })
            })()
            .ok_or(damaged("the end record is truncated"))?,
        };
        if directory.count == 0 {
            return Err(damaged("the directory is empty"));
        }
        let mut failure = damaged("the directory is not where the end record says");
        // Bytes before the archive shift all places by as many.
        let abutting = directory.end.checked_sub(directory.size);
        for start in [Some(directory.offset), abutting].into_iter().flatten() {
            let Some(shift) = start.checked_sub(directory.offset) else { continue };
            if directory.size > MAX_DIRECTORY || start.saturating_add(directory.size) > directory.end {
                continue;
            }
            let bytes = self.exact(start, directory.size)?;
            match entries(&bytes, directory.count, shift) {
                Ok(entries) => return Ok(entries),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// The 64-bit end record, if there is one before the end record at `at`.
    fn end64(
        &mut self,
        tail: &[u8],
        at: usize,
        tail_start: u64,
    ) -> Result<Option<Directory>, PytorchFailure> {
        let Some(locator) = at.checked_sub(LOCATOR) else { return Ok(None) };
        if !tail[locator..].starts_with(b"PK\x06\x07") {
            return Ok(None);
        }
        let stated = u64_at(tail, locator + 8);
        let abutting = (tail_start + locator as u64).checked_sub(END64 as u64);
        for start in [stated, abutting].into_iter().flatten() {
            let Ok(record) = self.exact(start, END64 as u64) else { continue };
            if !record.starts_with(b"PK\x06\x06") {
                continue;
            }
            let fields = (u64_at(&record, 32), u64_at(&record, 40), u64_at(&record, 48));
            if let (Some(count), Some(size), Some(offset)) = fields {
                return Ok(Some(Directory { count, size, offset, end: start }));
            }
        }
        Err(damaged("the 64-bit end record is missing"))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// At most `length` bytes of an entry, from `start` on; checked against the sum in the directory where they are
    /// the whole entry. A sum of 0 was not computed.
    pub(super) fn read(&mut self, name: &str, start: u64, length: u64) -> Result<Vec<u8>, PytorchFailure> {
        let failed = |what| PytorchFailure::Entry { name: name.into(), what };
        let entry = *self.entries.get(name).ok_or_else(|| failed("is not in the archive"))?;
        if entry.encrypted {
            return Err(failed("is encrypted"));
        }
        let header = self.exact(entry.header, LOCAL as u64)?;
        let lengths = u16_at(&header, 26).zip(u16_at(&header, 28));
        let Some((name_length, extra)) = lengths.filter(|_| header.starts_with(b"PK\x03\x04")) else {
            return Err(failed("has no header"));
        };
        let data = entry.header + LOCAL as u64 + u64::from(name_length) + u64::from(extra);
        if data.checked_add(entry.stored).is_none_or(|end| end > self.length) {
            return Err(failed("reaches behind the end of the file"));
        }
        let start = start.min(entry.size);
        let length = length.min(entry.size - start);
        let bytes = match entry.method {
            0 if entry.stored != entry.size => return Err(failed("has two sizes")),
            0 => self.exact(data + start, length)?,
            8 => {
                self.file.seek(SeekFrom::Start(data))?;
                let mut inflated = DeflateDecoder::new(self.file.by_ref().take(entry.stored));
                std::io::copy(&mut inflated.by_ref().take(start), &mut std::io::sink())?;
                let mut bytes = Vec::new();
                inflated.take(length).read_to_end(&mut bytes)?;
                bytes
            }
            _ => return Err(failed("is compressed in another way than deflate")),
        };
        if bytes.len() as u64 != length {
            return Err(failed("is shorter than the directory says"));
        }
        if length == entry.size && entry.crc != 0 {
            let mut crc = Crc::new();
            crc.update(&bytes);
            if crc.sum() != entry.crc {
                return Err(failed("is damaged: its checksum is another one"));
            }
        }
        Ok(bytes)
    }

    /// A whole entry of at most `limit` bytes.
    pub(super) fn read_whole(&mut self, name: &str, limit: u64) -> Result<Vec<u8>, PytorchFailure> {
        if self.entries.get(name).is_some_and(|entry| entry.size > limit) {
            return Err(PytorchFailure::Entry { name: name.into(), what: "is larger than any of its kind" });
        }
        self.read(name, 0, limit)
    }
}

/// The entries of a directory, which must be `count` and fill all its bytes.
fn entries(bytes: &[u8], count: u64, shift: u64) -> Result<BTreeMap<String, Entry>, PytorchFailure> {
    let mut entries = BTreeMap::new();
    let mut rest = bytes;
    for _ in 0..count {
        let (name, entry, length) = entry(rest, shift).ok_or(damaged("the directory is damaged"))?;
        rest = &rest[length..];
        if entries.insert(name, entry).is_some() {
            return Err(damaged("two entries have one name"));
        }
    }
    if rest.is_empty() { Ok(entries) } else { Err(damaged("the directory has another size than stated")) }
}

/// The entry at the start of `bytes`, and its length in the directory.
fn entry(bytes: &[u8], shift: u64) -> Option<(String, Entry, usize)> {
    if !bytes.starts_with(b"PK\x01\x02") {
        return None;
    }
    let name_length = usize::from(u16_at(bytes, 28)?);
    let extra_length = usize::from(u16_at(bytes, 30)?);
    let length = ENTRY + name_length + extra_length + usize::from(u16_at(bytes, 32)?);
    bytes.get(..length)?;
    let name = String::from_utf8_lossy(&bytes[ENTRY..ENTRY + name_length]).into_owned();
    let mut fields = [24, 20, 42].map(|at| u32_at(bytes, at).map(u64::from));
    // Numbers that do not fit 32 bits stand in an extra field, in this order.
    let mut extra = &bytes[ENTRY + name_length..ENTRY + name_length + extra_length];
    while let Some((kind, size)) = u16_at(extra, 0).zip(u16_at(extra, 2)) {
        let content = extra.get(4..4 + usize::from(size))?;
        if kind == 1 {
            let mut at = 0;
            for field in fields.iter_mut().filter(|field| **field == Some(u64::from(u32::MAX))) {
                *field = Some(u64_at(content, at)?);
                at += 8;
            }
        }
        extra = &extra[4 + usize::from(size)..];
    }
    let [size, stored, header] = fields;
    let entry = Entry {
        header: header?.checked_add(shift)?,
        stored: stored?,
        size: size?,
        crc: u32_at(bytes, 16)?,
        method: u16_at(bytes, 10)?,
        encrypted: u16_at(bytes, 8)? & 1 != 0,
    };
    Some((name, entry, length))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// How an archive is written.
    #[derive(Clone, Default)]
    struct Form {
        /// The records of the 64-bit format, as PyTorch always writes them.
        end64: bool,
        /// Numbers that say to look in those records.
        marks: bool,
        comment: Vec<u8>,
        before: Vec<u8>,
    }

    /// An archive of stored entries, laid out as PyTorch lays them out: names, and contents.
    fn archive(entries: &[(String, Vec<u8>)], form: &Form) -> Vec<u8> {
        let (mut file, mut directory) = (form.before.clone(), Vec::new());
        let shift = form.before.len();
        for (name, content) in entries {
            let mut crc = Crc::new();
            crc.update(content);
            let offset = (file.len() - shift) as u32;
            let sizes =
                [crc.sum(), content.len() as u32, content.len() as u32].map(u32::to_le_bytes).concat();
            let name_length = (name.len() as u16).to_le_bytes();
            file.extend(
                [b"PK\x03\x04".as_slice(), &[0; 10], &sizes, &name_length, &[0; 2], name.as_bytes(), content]
                    .concat(),
            );
            let (sizes, extra) = if form.marks {
                let real = [content.len() as u64, content.len() as u64, u64::from(offset)]
                    .map(u64::to_le_bytes)
                    .concat();
                let marked = [crc.sum(), u32::MAX, u32::MAX].map(u32::to_le_bytes).concat();
                (marked, [&[1, 0, 24, 0], real.as_slice()].concat())
            } else {
                (sizes, Vec::new())
            };
            let offset = if form.marks { u32::MAX } else { offset }.to_le_bytes();
            let extra_length = (extra.len() as u16).to_le_bytes();
            let parts = [
                b"PK\x01\x02".as_slice(),
                &[0; 12],
                &sizes,
                &name_length,
                &extra_length,
                &[0; 10],
                &offset,
                name.as_bytes(),
                &extra,
            ];
            directory.extend(parts.concat());
        }
        let start = (file.len() - shift) as u64;
        let (size, count) = (directory.len() as u64, entries.len() as u64);
        file.extend(directory);
        if form.end64 {
            let end64 = file.len() - shift;
            file.extend([b"PK\x06\x06".as_slice(), &44u64.to_le_bytes(), &[0; 12]].concat());
            file.extend([count, count, size, start].map(u64::to_le_bytes).concat());
            file.extend(
                [b"PK\x06\x07".as_slice(), &[0; 4], &(end64 as u64).to_le_bytes(), &1u32.to_le_bytes()]
                    .concat(),
            );
        }
        let narrow = |value: u64| if form.marks { [0xff; 4] } else { (value as u32).to_le_bytes() };
        let count = (count as u16).to_le_bytes();
        let comment = (form.comment.len() as u16).to_le_bytes();
        file.extend(
            [b"PK\x05\x06".as_slice(), &[0; 4], &count, &count, &narrow(size), &narrow(start), &comment]
                .concat(),
        );
        file.extend(&form.comment);
        file
    }

    fn entries(stem: &str) -> Vec<(String, Vec<u8>)> {
        [("data.pkl", 5usize), ("byteorder", 6), ("data/0", 64), ("data/1", 0), ("version", 2)]
            .map(|(name, size)| {
                (format!("{stem}{name}"), (0..size).map(|i| (7 * i + name.len()) as u8).collect())
            })
            .to_vec()
    }

    /// PyTorch's, those of plain zip programs, those of more than 4 GB, with comments, and behind other bytes.
    fn forms() -> Vec<Form> {
        let torch = Form { end64: true, ..Form::default() };
        let fake_end = [b"PK\x05\x06".as_slice(), &[0; 30]].concat();
        vec![
            torch.clone(),
            Form::default(),
            Form { marks: true, ..torch.clone() },
            Form { comment: b"weights of a run".to_vec(), ..torch.clone() },
            Form { comment: fake_end, ..torch.clone() },
            Form { comment: vec![b'P'; 65535], ..Form::default() },
            Form { before: b"#!/bin/sh\nPK\x01\x02".to_vec(), ..torch },
            Form { before: vec![0; 76], ..Form::default() },
        ]
    }

    #[test]
    fn stems_of_every_length_in_every_form_are_read() {
        for form in forms() {
            for length in 0..=64 {
                let stem = if length == 0 { String::new() } else { "x".repeat(length) + "/" };
                let entries = entries(&stem);
                let mut read = Archive::open(Cursor::new(archive(&entries, &form)))
                    .unwrap_or_else(|error| panic!("stem of {length} bytes: {error}"));
                let mut names: Vec<_> = entries.iter().map(|(name, _)| name.as_str()).collect();
                names.sort_unstable();
                assert_eq!(read.names().collect::<Vec<_>>(), names);
                for (name, content) in &entries {
                    assert_eq!(&read.read_whole(name, 1000).expect("an entry"), content, "{name}");
                }
                let inner = &entries[2];
                assert_eq!(read.read(&inner.0, 10, 4).expect("a piece"), inner.1[10..14]);
            }
        }
    }

    #[test]
    fn damaged_archives_are_errors() {
        for form in forms() {
            let bytes = archive(&entries("stem/"), &form);
            let whole = |bytes: Vec<u8>| -> Result<(), PytorchFailure> {
                let mut archive = Archive::open(Cursor::new(bytes))?;
                let names: Vec<_> = archive.names().map(str::to_owned).collect();
                names.iter().try_for_each(|name| archive.read_whole(name, 1000).map(drop))
            };
            let content = bytes.windows(4).position(|window| window == [20, 27, 34, 41]).expect("data/0");
            let mut flipped = bytes.clone();
            flipped[content] ^= 1;
            assert!(whole(flipped).is_err(), "another checksum");
            for length in (0..bytes.len()).step_by(1 + bytes.len() / 200) {
                assert!(whole(bytes[..length].to_vec()).is_err(), "cut to {length} of {} bytes", bytes.len());
            }
            for at in (0..bytes.len()).step_by(1 + bytes.len() / 300) {
                for value in [0, 0x7f, 0xff] {
                    let mut damaged = bytes.clone();
                    damaged[at] = value;
                    // Some bytes mean nothing; none may end the process.
                    let _ = whole(damaged);
                }
            }
        }
    }
}
