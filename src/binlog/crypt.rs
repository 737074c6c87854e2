//! Encrypted binlogs. MySQL encrypts a file as a whole, behind a header of its own, MariaDB each event,
//! behind the format description.

use std::io::{self, Read};

use aes::cipher::consts::U16;
use aes::cipher::generic_array::GenericArray;
use aes::cipher::{BlockCipher, BlockDecrypt, BlockEncrypt, KeyInit};
use aes::{Aes128, Aes192, Aes256};

use super::bytes::{Broken, Bytes};
use super::header::{HEADER, MAGIC};
use super::keys::Keys;

/// Bytes of a block.
const BLOCK: usize = 16;
/// Bytes before the first one that is encrypted, the magic among them (MySQL).
pub(super) const FILE_HEADER: usize = 512;
/// MariaDB's number of the key for logs.
const MARIADB_KEY: &str = "1";

/// Why a file or event is not decrypted, in words.
type Sealed<T> = Result<T, String>;

fn no_key(name: &str) -> String {
    format!("it is encrypted with the key {name:?}, which was not given")
}

fn wrong_key(name: &str) -> String {
    format!("it is encrypted, and not with the key {name:?} that was given")
}

/// A file that MySQL has encrypted, from behind its own magic on.
pub(super) struct File<R> {
    input: R,
    stream: Stream,
}

impl<R: Read> File<R> {
    /// Reads the header, and takes off the magic that is encrypted.
    ///
    /// # Errors
    /// Why it cannot be decrypted; what cannot be read is said in the same way.
    pub(super) fn open(mut input: R, keys: &Keys) -> Sealed<Self> {
        let mut header = [0; FILE_HEADER - MAGIC.len()];
        input.read_exact(&mut header).map_err(|e| format!("its header cannot be read: {e}"))?;
        let Header { key, mut password, iv } =
            Header::read(&header).map_err(|broken| format!("its header is none: {broken}"))?;
        let secret = keys.get(&key).ok_or_else(|| no_key(&key))?;
        let cipher = Aes256::new_from_slice(secret).map_err(|_| wrong_key(&key))?;
        decrypt(&cipher, Mode::Chained, iv, &mut password);
        let mut file = Self { input, stream: Stream::new(&password) };
        let mut magic = [0; MAGIC.len()];
        match file.read_exact(&mut magic) {
            Ok(()) if magic == *MAGIC => Ok(file),
            Ok(()) => Err(wrong_key(&key)),
            Err(e) => Err(format!("it cannot be read: {e}")),
        }
    }
}

impl<R: Read> Read for File<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.input.read(buffer)?;
        self.stream.apply(&mut buffer[..got]);
        Ok(got)
    }
}

/// What stands before an encrypted file.
struct Header {
    key: String,
    /// Of the file, encrypted itself.
    password: [u8; 32],
    iv: [u8; BLOCK],
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Self, Broken> {
        const VERSION: u8 = 1;
        let mut bytes = Bytes::new(bytes);
        if bytes.byte()? != VERSION {
            return Err("it is of a version that is not known".into());
        }
        let (mut key, mut password, mut iv) = (None, None, None);
        loop {
            match bytes.byte()? {
                0 => break,
                1 => {
                    let len = bytes.byte()?;
                    let name = std::str::from_utf8(bytes.take(len.into())?);
                    key = Some(name.map_err(|_| "a key's name is no text")?.to_owned());
                }
                2 => password = <[u8; 32]>::try_from(bytes.take(32)?).ok(),
                3 => iv = <[u8; BLOCK]>::try_from(bytes.take(BLOCK)?).ok(),
                _ => return Err("it has a part that is not known".into()),
            }
        }
        match (key, password, iv) {
            (Some(key), Some(password), Some(iv)) => Ok(Self { key, password, iv }),
            _ => Err("a part of it is missing".into()),
        }
    }
}

/// AES in counter mode: the counter is the last eight bytes of a block, from 0.
struct Stream {
    cipher: Aes256,
    begin: [u8; BLOCK / 2],
    counter: u64,
    mask: [u8; BLOCK],
    used: usize,
}

impl Stream {
    /// Key and first bytes come from the password.
    fn new(password: &[u8]) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA512, password);
        let (key, rest) = digest.as_ref().split_at(32);
        let mut begin = [0; BLOCK / 2];
        begin.copy_from_slice(&rest[..BLOCK / 2]);
        let cipher = Aes256::new(GenericArray::from_slice(key));
        Self { cipher, begin, counter: 0, mask: [0; BLOCK], used: BLOCK }
    }

    fn apply(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            if self.used == BLOCK {
                self.mask[..BLOCK / 2].copy_from_slice(&self.begin);
                self.mask[BLOCK / 2..].copy_from_slice(&self.counter.to_be_bytes());
                self.cipher.encrypt_block(GenericArray::from_mut_slice(&mut self.mask));
                self.counter = self.counter.wrapping_add(1);
                self.used = 0;
            }
            *byte ^= self.mask[self.used];
            self.used += 1;
        }
    }
}

/// How MariaDB has encrypted the events behind one.
pub(super) struct Events {
    cipher: Cipher,
    nonce: [u8; 12],
    /// Told by the first event that is opened: the file does not say it.
    mode: Option<Mode>,
}

enum Cipher {
    Of16(Aes128),
    Of24(Aes192),
    Of32(Aes256),
}

/// `file_key_management_encryption_algorithm`.
#[derive(Clone, Copy)]
enum Mode {
    Chained,
    Counted,
}

impl Events {
    /// Reads the event that says so.
    ///
    /// # Errors
    /// Why what follows cannot be decrypted.
    pub(super) fn read(body: &[u8], keys: &Keys) -> Sealed<Self> {
        const SCHEME: u8 = 1;
        let mut bytes = Bytes::new(body);
        let mut read = || {
            let (scheme, version) = (bytes.byte()?, bytes.u32()?);
            Ok::<_, Broken>((scheme, version, bytes.take(12)?))
        };
        let (scheme, version, own) = read().map_err(|broken| broken.0)?;
        if scheme != SCHEME {
            return Err(format!("it is encrypted by a scheme {scheme}, which is not known"));
        }
        let mut nonce = [0; 12];
        nonce.copy_from_slice(own);
        let key = keys.get(MARIADB_KEY).ok_or_else(|| match version {
            1 => no_key(MARIADB_KEY),
            _ => format!("{} (version {version})", no_key(MARIADB_KEY)),
        })?;
        let cipher = match key.len() {
            16 => Aes128::new_from_slice(key).map(Cipher::Of16),
            24 => Aes192::new_from_slice(key).map(Cipher::Of24),
            _ => Aes256::new_from_slice(key).map(Cipher::Of32),
        };
        Ok(Self { cipher: cipher.map_err(|_| wrong_key(MARIADB_KEY))?, nonce, mode: None })
    }

    /// Decrypts an event. The first one says where it ends, which another key would not bring out.
    ///
    /// # Errors
    /// When the key is not that of the file.
    pub(super) fn open(
        &mut self,
        offset: u64,
        head: &mut [u8; HEADER],
        body: &mut [u8],
    ) -> Sealed<()> {
        if let Some(mode) = self.mode {
            self.decrypt(mode, offset, head, body);
            return Ok(());
        }
        let end = (offset as u32).wrapping_add((HEADER + body.len()) as u32).to_le_bytes();
        for mode in [Mode::Chained, Mode::Counted] {
            let (mut opened, mut rest) = (*head, body.to_vec());
            self.decrypt(mode, offset, &mut opened, &mut rest);
            if opened[13..17] == end {
                *head = opened;
                body.copy_from_slice(&rest);
                self.mode = Some(mode);
                return Ok(());
            }
        }
        Err(wrong_key(MARIADB_KEY))
    }

    /// Of an encrypted event the length alone stands where it belongs: in the place of four bytes of the
    /// rest, which stand where the time belongs.
    fn decrypt(&self, mode: Mode, offset: u64, head: &mut [u8; HEADER], body: &mut [u8]) {
        const SIZE: std::ops::Range<usize> = 9..13;
        let mut iv = [0; BLOCK];
        iv[..12].copy_from_slice(&self.nonce);
        iv[12..].copy_from_slice(&(offset as u32).to_le_bytes());
        let size = <[u8; 4]>::try_from(&head[SIZE]).unwrap_or_default();
        head.copy_within(..4, SIZE.start);
        let mut bytes = [&head[4..], body].concat();
        match &self.cipher {
            Cipher::Of16(cipher) => decrypt(cipher, mode, iv, &mut bytes),
            Cipher::Of24(cipher) => decrypt(cipher, mode, iv, &mut bytes),
            Cipher::Of32(cipher) => decrypt(cipher, mode, iv, &mut bytes),
        }
        let (first, rest) = bytes.split_at(HEADER - 4);
        head[4..].copy_from_slice(first);
        head.copy_within(SIZE, 0);
        head[SIZE].copy_from_slice(&size);
        body.copy_from_slice(rest);
    }
}

/// Decrypts without padding. Chained (CBC), what is left behind the last whole block is masked with the IV's own.
fn decrypt<C>(cipher: &C, mode: Mode, iv: [u8; BLOCK], bytes: &mut [u8])
where
    C: BlockCipher<BlockSize = U16> + BlockEncrypt + BlockDecrypt,
{
    let mask = |block: [u8; BLOCK]| {
        let mut block = GenericArray::from(block);
        cipher.encrypt_block(&mut block);
        block
    };
    let (blocks, rest) = bytes.as_chunks_mut::<BLOCK>();
    let mut counter = u128::from_be_bytes(iv);
    let mut before = iv;
    for block in blocks {
        let own = *block;
        let other = match mode {
            Mode::Chained => {
                cipher.decrypt_block(GenericArray::from_mut_slice(block));
                std::mem::replace(&mut before, own)
            }
            Mode::Counted => mask(counter.to_be_bytes()).into(),
        };
        counter = counter.wrapping_add(1);
        block.iter_mut().zip(other).for_each(|(byte, own)| *byte ^= own);
    }
    let last = match mode {
        Mode::Chained => mask(iv),
        Mode::Counted => mask(counter.to_be_bytes()),
    };
    rest.iter_mut().zip(last).for_each(|(byte, own)| *byte ^= own);
}
