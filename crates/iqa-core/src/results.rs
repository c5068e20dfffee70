//! Results in a file that grows as they come, and that a run which was stopped goes on with.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::{CoreError, lock};

/// Longest record, in bytes: what goes on beyond it is no file of results.
const LONGEST: u64 = 1 << 20;

/// Where the records of a file end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordForm {
    /// At each line break, as JSON lines do.
    Lines,
    /// At a line break outside quotes, as CSV does (RFC 4180).
    Csv,
    /// The first at its line break, the others as those of CSV.
    CsvAfterLine,
}

impl RecordForm {
    /// Whether record `index`, from 0, ends at a line break after so many quotes.
    fn ends(self, index: usize, quotes: usize) -> bool {
        match self {
            Self::Lines => true,
            Self::CsvAfterLine if index == 0 => true,
            Self::Csv | Self::CsvAfterLine => quotes.is_multiple_of(2),
        }
    }
}

/// Hands over each record of a file that was written to its end, without the line break, with the number of its first
/// line, from 1. Gives the bytes of these records together, and what follows them: the part of a record that a run
/// was writing when it ended.
///
/// # Errors
/// [`CoreError::Io`]; [`CoreError::NotResults`] for a record of more than a MiB; what `each` gives.
pub fn read_records<E: From<CoreError>>(
    path: &Path,
    form: RecordForm,
    each: impl FnMut(usize, &[u8]) -> Result<(), E>,
) -> Result<(u64, Vec<u8>), E> {
    let file = File::open(path).map_err(|source| CoreError::Io { path: path.into(), source })?;
    records_of(&file, path, form, each)
}

fn records_of<E: From<CoreError>>(
    file: &File,
    path: &Path,
    form: RecordForm,
    mut each: impl FnMut(usize, &[u8]) -> Result<(), E>,
) -> Result<(u64, Vec<u8>), E> {
    let mut reader = BufReader::new(file);
    let (mut whole, mut index, mut line) = (0, 0, 1);
    loop {
        let mut record = Vec::new();
        let (mut lines, mut quotes) = (0, 0);
        loop {
            let before = record.len();
            let left = (LONGEST + 1).saturating_sub(before as u64);
            let read = (&mut reader).take(left).read_until(b'\n', &mut record);
            read.map_err(|source| CoreError::Io { path: path.into(), source })?;
            if record.len() as u64 > LONGEST {
                let (expected, found) = ("a record of at most a MiB", "a longer one");
                return Err(CoreError::not_results(path, line, expected, found).into());
            }
            if record.last() != Some(&b'\n') || record.len() == before {
                return Ok((whole, record));
            }
            lines += 1;
            quotes += record[before..].iter().filter(|&&byte| byte == b'"').count();
            if form.ends(index, quotes) {
                break;
            }
        }
        whole += record.len() as u64;
        record.pop();
        each(line, &record)?;
        index += 1;
        line += lines;
    }
}

/// A file of results that grows by a record at a time, and that one run at a time may write.
///
/// The operating system holds the lock, on the file itself and before it is read: it ends with the process, however
/// that ends. A record that was being written when an earlier run ended is cut off, and no other byte of an earlier run
/// is changed.
#[derive(Debug)]
pub struct ResultsFile {
    path: PathBuf,
    /// Locked.
    file: File,
    /// Bytes of whole records.
    whole: u64,
}

impl ResultsFile {
    /// Opens a file to go on with, or starts one with the records of `start` (each with its line break).
    ///
    /// `each` is given every record that is there, those of `start` too, and the number of its first line, from 1; it
    /// refuses one that this run could not have written. `begins` says whether bytes can be the beginning of a first
    /// record of this run: asked when there is no whole one.
    ///
    /// # Errors
    /// [`CoreError::InUse`] while another run has the file; [`CoreError::NotResults`] for what does not begin as a
    /// file of this run; [`CoreError::Io`]; what `each` gives. The file is then as it was.
    pub fn open<E: From<CoreError>>(
        path: &Path,
        form: RecordForm,
        start: &[u8],
        begins: impl FnOnce(&[u8]) -> bool,
        each: impl FnMut(usize, &[u8]) -> Result<(), E>,
    ) -> Result<Self, E> {
        let at = |source| CoreError::Io { path: path.into(), source };
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = file.map_err(at)?;
        lock(&file, path)?;
        let mut beginning = Vec::new();
        (&mut file).take(start.len() as u64).read_to_end(&mut beginning).map_err(at)?;
        if beginning.len() < start.len() && start.starts_with(&beginning) {
            let mut results = Self { path: path.into(), file, whole: 0 };
            results.cut()?;
            results.append(start)?;
            return Ok(results);
        }
        file.rewind().map_err(at)?;
        let (whole, rest) = records_of(&file, path, form, each)?;
        if whole == 0 && !rest.is_empty() && !begins(&rest) {
            let expected = "results of this program, or an empty file";
            return Err(CoreError::not_results(path, 1, expected, &String::from_utf8_lossy(&rest)).into());
        }
        let mut results = Self { path: path.into(), file, whole };
        results.cut()?;
        Ok(results)
    }

    /// Writes a record, which ends with a line break, at once.
    ///
    /// # Errors
    /// [`CoreError::Io`]; the file then ends with the record before, as far as it can be cut there.
    pub fn append(&mut self, record: &[u8]) -> Result<(), CoreError> {
        debug_assert!(record.ends_with(b"\n"), "a record without its line break");
        if let Err(source) = self.file.write_all(record) {
            let _ = self.cut();
            return Err(CoreError::Io { path: self.path.clone(), source });
        }
        self.whole += record.len() as u64;
        Ok(())
    }

    /// Waits until the records are on the disk.
    ///
    /// # Errors
    /// [`CoreError::Io`].
    pub fn sync(&self) -> Result<(), CoreError> {
        self.file.sync_all().map_err(|source| CoreError::Io { path: self.path.clone(), source })
    }

    /// Cuts off what follows the whole records.
    fn cut(&mut self) -> Result<(), CoreError> {
        let cut = self.file.set_len(self.whole).and_then(|()| self.file.seek(SeekFrom::Start(self.whole)));
        cut.map(drop).map_err(|source| CoreError::Io { path: self.path.clone(), source })
    }
}
