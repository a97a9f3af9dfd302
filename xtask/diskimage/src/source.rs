//! Bytes that can be read at any offset: a file, a part of another source, something in memory.

use crate::budget::Budget;
use crate::error::{Error, Result};
use sha2::{Digest as _, Sha256};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

/// A sequence of bytes; reading does not move anything, so threads share it.
pub trait Source: Send + Sync {
    /// Number of bytes. A compressed stream is unpacked to its end to know it.
    fn size(&self) -> Result<u64>;

    /// Fills `into` from `offset` on and returns the number of bytes read, which is less than asked
    /// for only at the end.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize>;

    /// Offset of `len` bytes at `offset` in the outermost file, if they lie there as they are.
    fn place(&self, _offset: u64, _len: u64) -> Option<u64> {
        None
    }
}

pub type Shared = Arc<dyn Source>;

impl dyn Source + '_ {
    /// All `len` bytes at `offset`. The caller must bound `len`.
    pub fn exactly(&self, layer: &'static str, offset: u64, len: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        let n = self.read_at(offset, &mut bytes)?;
        if n < len {
            return Err(Error::new(
                layer,
                offset,
                format!("{len} bytes wanted, the layer ends after {n}"),
            ));
        }
        Ok(bytes)
    }

    /// Up to `len` bytes at `offset`; fewer at the end. The caller must bound `len`.
    pub fn up_to(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        let n = self.read_at(offset, &mut bytes)?;
        bytes.truncate(n);
        Ok(bytes)
    }
}

/// A file of this machine.
pub struct LocalFile {
    file: std::fs::File,
    size: u64,
    /// False for one of many: an offset in it says nothing of where its bytes are.
    outermost: bool,
}

impl LocalFile {
    /// Opens a regular file. A pipe, a device, or a file of /proc has no size to rely on: to take it
    /// for empty would make all of them equal, so it is refused.
    pub fn open(path: &std::path::Path) -> std::io::Result<LocalFile> {
        let refused = |why: &str| std::io::Error::other(format!("{why}; copy it to a file first"));
        // opening a pipe would wait for its other end
        if !std::fs::metadata(path)?.is_file() {
            return Err(refused("not a regular file"));
        }
        let file = std::fs::File::open(path)?;
        let size = file.metadata()?.len();
        if size == 0 && file.read_at(&mut [0], 0)? > 0 {
            return Err(refused("a file that claims to be empty and is not"));
        }
        Ok(LocalFile { file, size, outermost: true })
    }

    /// Opens a file of a folder, as [`LocalFile::open`]. Its offsets are no [`Source::place`]: each file of
    /// the folder begins at 0.
    pub fn open_in_folder(path: &std::path::Path) -> std::io::Result<LocalFile> {
        Ok(LocalFile { outermost: false, ..LocalFile::open(path)? })
    }
}

impl Source for LocalFile {
    fn size(&self) -> Result<u64> {
        Ok(self.size)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize> {
        let mut done = 0;
        while done < into.len() {
            match self.file.read_at(&mut into[done..], offset.saturating_add(done as u64)) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::new("file", offset, error.to_string())),
            }
        }
        Ok(done)
    }

    fn place(&self, offset: u64, _len: u64) -> Option<u64> {
        self.outermost.then_some(offset)
    }
}

/// Bytes in memory.
pub struct Bytes(pub Vec<u8>);

impl Source for Bytes {
    fn size(&self) -> Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.0.len());
        let n = into.len().min(self.0.len() - from);
        into[..n].copy_from_slice(&self.0[from..from + n]);
        Ok(n)
    }
}

/// A part of another source.
pub struct Slice {
    whole: Shared,
    start: u64,
    len: u64,
}

impl Slice {
    /// `len` bytes from `start` on. If the whole is shorter, they end with it.
    pub fn new(whole: Shared, start: u64, len: u64) -> Slice {
        Slice { whole, start, len: len.min(u64::MAX - start) }
    }
}

impl Source for Slice {
    fn size(&self) -> Result<u64> {
        Ok(self.len)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize> {
        let left = self.len.saturating_sub(offset);
        let n = usize::try_from(left).unwrap_or(usize::MAX).min(into.len());
        self.whole.read_at(self.start.saturating_add(offset), &mut into[..n])
    }

    fn place(&self, offset: u64, len: u64) -> Option<u64> {
        self.whole.place(self.start.checked_add(offset)?, len)
    }
}

/// The content of a file that lies in extents of another source. Every byte read is paid for: an
/// image can name the same extent, or a hole, as often as it likes.
pub struct Extents {
    whole: Shared,
    layer: &'static str,
    budget: Arc<Budget>,
    /// Offset of the extent in the file, offset in the whole (`None`: a hole), length.
    extents: Vec<(u64, Option<u64>, u64)>,
    size: u64,
}

impl Extents {
    /// `extents`: offset in `whole` (`None`: a hole, which reads as zeros) and length in bytes.
    pub(crate) fn new(
        whole: Shared,
        layer: &'static str,
        budget: Arc<Budget>,
        extents: impl IntoIterator<Item = (Option<u64>, u64)>,
    ) -> Extents {
        let mut size = 0_u64;
        let mut placed = Vec::new();
        for (start, len) in extents {
            let len = len.min(u64::MAX - size);
            placed.push((size, start, len));
            size += len;
        }
        Extents { whole, layer, budget, extents: placed, size }
    }

    /// Index of the extent that holds a byte of the file.
    fn index(&self, offset: u64) -> usize {
        self.extents.partition_point(|(at, _, len)| at + len <= offset)
    }
}

impl Source for Extents {
    fn size(&self) -> Result<u64> {
        Ok(self.size)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize> {
        let mut done = 0;
        let mut index = self.index(offset);
        while let Some((at, start, len)) = self.extents.get(index)
            && done < into.len()
        {
            let skip = (offset + done as u64).saturating_sub(*at);
            let n = usize::try_from(len - skip).unwrap_or(usize::MAX).min(into.len() - done);
            let into = &mut into[done..done + n];
            self.budget.unpack(self.layer, start.unwrap_or(0).saturating_add(skip), n as u64)?;
            match start {
                None => into.fill(0),
                Some(start) => {
                    let read = self.whole.read_at(start.saturating_add(skip), into)?;
                    if read < n {
                        return Ok(done + read);
                    }
                }
            }
            done += n;
            index += 1;
        }
        Ok(done)
    }

    fn place(&self, offset: u64, len: u64) -> Option<u64> {
        let (at, start, part) = self.extents.get(self.index(offset))?;
        let skip = offset - at;
        if len > part - skip {
            return None;
        }
        self.whole.place((*start)?.checked_add(skip)?, len)
    }
}

/// SHA-256 of all bytes.
pub fn sha256(source: &dyn Source) -> Result<[u8; 32]> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    let mut at = 0;
    loop {
        let n = source.read_at(at, &mut buffer)?;
        if n == 0 {
            return Ok(hasher.finalize().into());
        }
        hasher.update(&buffer[..n]);
        at += n as u64;
    }
}

/// Length of a piece without the zeros at its end; `None`: it holds only zeros.
pub(crate) fn used(source: &dyn Source, start: u64, len: u64) -> Result<Option<u64>> {
    let mut buffer = vec![0; 1 << 18];
    let (mut at, mut used) = (0, None);
    while at < len {
        let wanted = usize::try_from(len - at).unwrap_or(usize::MAX).min(buffer.len());
        let n = source.read_at(start + at, &mut buffer[..wanted])?;
        if n == 0 {
            break;
        }
        if let Some(last) = buffer[..n].iter().rposition(|byte| *byte != 0) {
            used = Some(at + last as u64 + 1);
        }
        at += n as u64;
    }
    Ok(used)
}
