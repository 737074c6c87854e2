//! Files beside the segments that count as much as they do: a row of frames of the same form.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::files;
use super::format::{Header, at, header_len};
use super::frame::Frame;
use super::place::Place;
use super::segment::{Decoder, MAX_HEADER};
use crate::error::{Context, Error, Result};

/// The frames of such a file, one after the other.
pub(crate) struct Framed {
    path: PathBuf,
    file: File,
    offset: u64,
    decoder: Decoder,
}

impl Framed {
    /// Opens a file in a folder; `None`: it is not there.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(crate) fn open(folder: &Path, file: &str) -> Result<Option<Self>> {
        files::check_folder(folder)?;
        let path = folder.join(file);
        if matches!(path.symlink_metadata(), Err(e) if e.kind() == ErrorKind::NotFound) {
            return Ok(None);
        }
        let (file, decoder) = (files::read(&path)?, Decoder::new()?);
        Ok(Some(Self { path, file, offset: 0, decoder }))
    }

    /// The next frame; `None` at the end of the file.
    ///
    /// # Errors
    /// When the file cannot be read, or is damaged.
    pub(crate) fn next(&mut self) -> Result<Option<(Header, Frame)>> {
        let end = self.file.metadata().context(self.path.display())?.len();
        if self.offset == end {
            return Ok(None);
        }
        let fixed = self.read(self.offset, at::PARTS as u64, end)?;
        let len = header_len(&fixed).map_err(|e| self.damaged(&e.to_string()))?;
        let len = len.min(MAX_HEADER) as u64;
        let header = Header::decode(&self.read(self.offset, len, end)?);
        let header = header.map_err(|e| self.damaged(&e.to_string()))?;
        let body = self.read(self.offset + len, header.compressed, end)?;
        let place = Place { segment: header.first, offset: self.offset, len };
        let frame = self.decoder.decode(&header, &body, place);
        let frame = frame.map_err(|e| self.damaged(&e.message().plain()))?;
        self.offset += len + header.compressed;
        Ok(Some((header, frame)))
    }

    fn read(&self, offset: u64, len: u64, end: u64) -> Result<Vec<u8>> {
        if len > end.saturating_sub(offset) {
            return Err(self.damaged("it ends too early"));
        }
        let mut bytes = vec![0; len as usize];
        self.file.read_exact_at(&mut bytes, offset).context(self.path.display())?;
        Ok(bytes)
    }

    /// The error of a file that is not as it was written.
    pub(crate) fn damaged(&self, what: &str) -> Error {
        Error::failed(format!("{} is damaged: {what}", self.path.display()))
    }
}
