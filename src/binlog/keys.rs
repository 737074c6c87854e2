//! The keys that servers encrypt their binlogs with, read from the servers' own files: MySQL's
//! `component_keyring_file` (JSON) and MariaDB's `file_key_management` (a number and a key a line).

use std::collections::HashMap;

use crate::error::{Error, Result};

/// Keys by what the servers name them. They are in no error, log or file.
#[derive(Default)]
pub struct Keys(HashMap<String, Vec<u8>>);

/// What MySQL's file holds.
#[derive(serde::Deserialize)]
struct Keyring {
    elements: Vec<Element>,
}

#[derive(serde::Deserialize)]
struct Element {
    data_id: String,
    data: String,
}

impl Keys {
    /// Reads a file's content; `None` where it is none of the servers'.
    ///
    /// # Errors
    /// When it is one that cannot be read (usage); nothing of it is shown.
    pub fn read(content: &[u8]) -> Result<Option<Self>> {
        if content.starts_with(b"Salted__") {
            return Err(Error::usage("the file of keys is encrypted itself").help(
                "decrypt it, as the server does with file_key_management_filekey: openssl enc -d \
                 -aes-256-cbc -md sha1 -in FILE",
            ));
        }
        let Ok(text) = std::str::from_utf8(content) else { return Ok(None) };
        if text.trim_start().starts_with('{') {
            let Ok(Keyring { elements }) = serde_json::from_str(text) else { return Ok(None) };
            let keys = elements.into_iter().filter_map(|one| Some((one.data_id, hex(&one.data)?)));
            return Ok(Some(Self(keys.collect())));
        }
        let lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
        let keys = lines.map(|line| {
            let (number, key) = line.split_once(';')?;
            let number: u32 = number.trim().parse().ok()?;
            let key = hex(key.trim()).filter(|key| matches!(key.len(), 16 | 24 | 32))?;
            Some((number.to_string(), key))
        });
        let keys: Option<HashMap<_, _>> = keys.collect();
        Ok(keys.filter(|keys| !keys.is_empty()).map(Self))
    }

    /// The key of that name.
    pub(super) fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(Vec::as_slice)
    }
}

/// Bytes that are written as two digits each.
fn hex(text: &str) -> Option<Vec<u8>> {
    let (digits, rest) = text.as_bytes().as_chunks::<2>();
    let byte = |two: &[u8; 2]| {
        let digit = |d: u8| char::from(d).to_digit(16);
        Some((digit(two[0])? << 4 | digit(two[1])?) as u8)
    };
    digits.iter().map(byte).collect::<Option<Vec<_>>>().filter(|_| rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_files_of_keys_are_told_from_others() {
        let read = |text: &str| Keys::read(text.as_bytes()).expect("no error");
        let lines = read(
            "# keys\n\n1;770A8A65DA156D24EE2A093277530142\n 2 ; 00112233445566778899aabbccddeeff\n",
        );
        assert_eq!(lines.as_ref().and_then(|k| k.get("1")).map(<[u8]>::len), Some(16));
        assert_eq!(lines.as_ref().and_then(|k| k.get("2")).map(|k| k[15]), Some(0xff));
        let json = r#"{"version":"1.0","elements":[{"user":"","data_id":"a_1","data_type":"AES","data":"00FF","extension":[]}]}"#;
        assert_eq!(read(json).as_ref().and_then(|k| k.get("a_1")), Some(&[0, 255][..]));
        for other in
            ["", "hunter2", "1;00", "x;770A8A65DA156D24EE2A093277530142", "{}", "0123456789abcdef"]
        {
            assert!(read(other).is_none(), "{other}");
        }
        let said = Keys::read(b"Salted__\xff\xfe").err().expect("refused").to_string();
        assert!(said.contains("openssl"), "{said}");
    }
}
