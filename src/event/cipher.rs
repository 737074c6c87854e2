//! Messages that the producer encrypted (`encrypt=data` or `all`), read with its key.
//!
//! It writes AES in CBC mode with PKCS#5 padding; the key is the text of its `secret_key`, the IV
//! comes with each message, and nothing authenticates it: that a key is another one shows by the
//! padding, or by what comes out, which must be the JSON that the producer would have written.

use aes::cipher::generic_array::GenericArray;
use aes::cipher::{BlockDecryptMut, BlockEncrypt, KeyInit, KeyIvInit, block_padding::Pkcs7};
use aes::{Aes128, Aes192, Aes256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::value::RawValue;

use super::maxwell::{self, Sealed};
use crate::error::{Error, Result};

/// The producer's `secret_key`. It is in no error, log or file: [`Key::mark`] stands for it.
pub struct Key(Vec<u8>);

impl Key {
    /// The key of that text.
    ///
    /// # Errors
    /// When it has no length of AES (usage); the text is not shown.
    pub fn new(text: &str) -> Result<Self> {
        match text.len() {
            16 | 24 | 32 => Ok(Self(text.as_bytes().to_vec())),
            other => Err(Error::usage(format!(
                "the key has {other} bytes, and the producer takes one of 16, 24 or 32"
            ))
            .help("give the text of Maxwell's secret_key, alone on the first line of its file")),
        }
    }

    /// What tells the key from another and does not tell the key: a block of text under it.
    pub fn mark(&self) -> String {
        let mut block = *b"binsync key mark";
        let to = GenericArray::from_mut_slice(&mut block);
        // A key has one of these lengths.
        match self.0.len() {
            16 => Aes128::new(GenericArray::from_slice(&self.0)).encrypt_block(to),
            24 => Aes192::new(GenericArray::from_slice(&self.0)).encrypt_block(to),
            _ => Aes256::new(GenericArray::from_slice(&self.0)).encrypt_block(to),
        }
        block.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The message as the producer writes it without encryption; `None` when it is not encrypted,
    /// or the key makes no message of it.
    pub fn open(&self, message: &[u8]) -> Option<Vec<u8>> {
        let plain = match maxwell::sealed(message)? {
            Sealed::Whole(encrypted) => self.text(encrypted)?,
            Sealed::Data { before, encrypted, after } => {
                let text = self.text(encrypted)?;
                let Images { data, old } = serde_json::from_str(&text).ok()?;
                let old = old.map(|old| format!(r#","old":{old}"#)).unwrap_or_default();
                format!(r#"{before}"data":{data}{old}{after}"#)
            }
        };
        // The producer encrypts no statement; what a stranger has put there would stand in the index.
        let event = maxwell::parse(plain.as_bytes()).ok()?;
        (!event.meta.op.is_ddl()).then(|| plain.into_bytes())
    }

    fn text(&self, encrypted: &str) -> Option<String> {
        let Encrypted { iv, bytes } = serde_json::from_str(encrypted).ok()?;
        let (iv, mut bytes) = (BASE64.decode(iv).ok()?, BASE64.decode(bytes).ok()?);
        let len = match self.0.len() {
            16 => decrypt::<Aes128>(&self.0, &iv, &mut bytes),
            24 => decrypt::<Aes192>(&self.0, &iv, &mut bytes),
            _ => decrypt::<Aes256>(&self.0, &iv, &mut bytes),
        }?;
        bytes.truncate(len);
        String::from_utf8(bytes).ok()
    }
}

/// Decrypts in place and gives the length of the text.
fn decrypt<C>(key: &[u8], iv: &[u8], bytes: &mut [u8]) -> Option<usize>
where
    C: BlockDecryptMut + aes::cipher::BlockCipher + KeyInit,
{
    let cipher = cbc::Decryptor::<C>::new_from_slices(key, iv).ok()?;
    cipher.decrypt_padded_mut::<Pkcs7>(bytes).ok().map(<[u8]>::len)
}

/// What stands in the place of `data` and `old`, or of the whole message.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Encrypted {
    iv: String,
    bytes: String,
}

/// What is encrypted of a message whose coordinates are plain.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Images<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
    #[serde(borrow)]
    old: Option<&'a RawValue>,
}

#[cfg(test)]
mod tests {
    use super::*;

    // Of the producer's own documentation there is no key; these were made by `openssl enc -aes-128-cbc`
    // with the key "0123456789abcdef" and the IV 000102…0f.
    const IV: &str = "AAECAwQFBgcICQoLDA0ODw==";
    const DATA: &str = "2+Z7Z2BaUGoeMKEA/qQCOrJsvK6Xw6o4yHeYyvS5JhgYlwyK6gncz6JM0IESbMaB";
    const ALL: &str = "MU8oouts2XiYKfLZCpuMnS3ydkHzgNDXRCo99wUcmr1XY8vpd+X1X1kmbu/9w2krQpSgLcCkTOTeSSMeWytffnN+AlTwmDEtWnTh2R92XHdKH0UUcc1nLyQY5byrOoC1";

    fn data() -> String {
        format!(
            r#"{{"database":"d","table":"t","type":"update","ts":1,"xid":9,"commit":true,"encrypted":{{"iv":"{IV}","bytes":"{DATA}"}}}}"#
        )
    }

    fn all() -> String {
        format!(r#"{{"encrypted":{{"bytes":"{ALL}","iv":"{IV}"}}}}"#)
    }

    fn key(text: &str) -> Key {
        Key::new(text).expect("a key")
    }

    #[test]
    fn what_openssl_encrypted_is_read() {
        let key = key("0123456789abcdef");
        let opened = |message: &str| {
            key.open(message.as_bytes()).map(|b| String::from_utf8(b).expect("text"))
        };
        assert_eq!(
            opened(&data()).as_deref(),
            Some(
                r#"{"database":"d","table":"t","type":"update","ts":1,"xid":9,"commit":true,"data":{"id":1,"s":"ü"},"old":{"s":null}}"#
            )
        );
        assert_eq!(
            opened(&all()).as_deref(),
            Some(
                r#"{"database":"d","table":"t","type":"insert","ts":1,"xid":9,"commit":true,"data":{"id":1}}"#
            )
        );
    }

    #[test]
    fn another_key_makes_no_message_of_it() {
        for text in
            ["0123456789abcdeF", "0123456789abcdef01234567", "0123456789abcdef0123456789abcdef"]
        {
            for message in [data(), all()] {
                assert_eq!(key(text).open(message.as_bytes()), None);
            }
            assert_ne!(key(text).mark(), key("0123456789abcdef").mark());
        }
        // One in 256 has a padding that is right all the same.
        for n in 0..2_000 {
            for message in [data(), all()] {
                assert_eq!(key(&format!("{n:016}")).open(message.as_bytes()), None);
            }
        }
    }

    #[test]
    fn what_is_not_as_the_producer_writes_it_is_left_as_it_is() {
        let key = key("0123456789abcdef");
        for message in [
            r#"{"database":"d","table":"t","type":"insert","ts":1,"data":{"encrypted":{}}}"#.to_owned(),
            data().replace("commit", "data"),
            data().replace(IV, "AAEC"),
            data().replace(DATA, ""),
            data().replace(DATA, "AAAA"),
            data().replace(DATA, ALL),
            all().replace(ALL, DATA),
            all().replace(ALL, "ymmLnnoqtbUqMJ4MMFRI+bS3HZJE3n2aZ9BANM7YsF1Cd+kEhLAB3EjOwwlSIuUN+2JLaxlNxDDrVJg5iQhxCqyLJ1xUSudS7VIdGPPZS4Y="),
        ] {
            assert_eq!(key.open(message.as_bytes()), None, "{message}");
        }
    }

    #[test]
    fn a_key_of_another_length_is_refused_and_not_shown() {
        for text in ["", "hunter2", "0123456789abcdef "] {
            let said = Key::new(text).err().expect("refused").to_string();
            assert!(said.contains(&format!("{} bytes", text.len())), "{said}");
            assert!(text.is_empty() || !said.contains(text), "{said}");
        }
    }
}
