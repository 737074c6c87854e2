//! The producer's key, which holds for the whole process: every reader of a spool decrypts with it,
//! and none has to be handed it.

use std::sync::OnceLock;

use crate::event::cipher::Key;

static KEY: OnceLock<Key> = OnceLock::new();

/// Sets the key by which messages are decrypted from now on; the first one stays.
pub fn decrypt_with(key: Key) {
    // A command line that runs others (`demo`) sets it again.
    let _ = KEY.set(key);
}

/// The key, where one was given.
pub(crate) fn key() -> Option<&'static Key> {
    KEY.get()
}
