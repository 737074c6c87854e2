//! What a file holds, by its length and a hash.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read as _, Seek as _};

use ring::digest::{Context as Digest, SHA256};

use crate::error::{Context, Result};

/// What a file holds, as far as is needed to know it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Its length.
    pub bytes: u64,
    /// SHA-256, 64 hex digits.
    pub sha256: String,
}

impl Content {
    /// Reads a file from its begin to its end.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of(mut file: &File) -> Result<Self> {
        let (mut hasher, mut piece) = (Hasher::default(), vec![0; 1 << 20]);
        file.rewind().context("a segment")?;
        loop {
            match file.read(&mut piece).context("a segment")? {
                0 => return Ok(hasher.end()),
                n => hasher.add(&piece[..n]),
            }
        }
    }
}

/// Content that comes piece by piece.
pub struct Hasher(Digest, u64);

impl Default for Hasher {
    fn default() -> Self {
        Self(Digest::new(&SHA256), 0)
    }
}

impl Hasher {
    /// The next piece.
    pub fn add(&mut self, piece: &[u8]) {
        self.0.update(piece);
        self.1 += piece.len() as u64;
    }

    /// What all of them come to.
    pub fn end(self) -> Content {
        Content { bytes: self.1, sha256: hex(self.0.finish().as_ref()) }
    }
}

/// In hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
