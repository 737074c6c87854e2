//! The recorded streams and the source's dumps, kept compressed in `fixtures/maxwell`.

use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
    sync::Mutex,
};
use tempfile::TempDir;

fn fixture(name: &str) -> Vec<u8> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/maxwell").join(format!("{name}.zst"));
    let packed =
        fs::File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    zstd::decode_all(packed).unwrap()
}

/// The text of a fixture, such as `mariadb-edges.jsonl` or `mysql-incident.before.sql`.
pub fn read(name: &str) -> String {
    String::from_utf8(fixture(name)).unwrap()
}

/// The path of an uncompressed copy of a recording's stream.
pub fn recording(name: &str) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.jsonl"));
    let bytes = fixture(&format!("{name}.jsonl"));
    if fs::metadata(&path).map_or(0, |known| known.len()) != bytes.len() as u64 {
        fs::write(&path, bytes).unwrap();
    }
    path
}

/// A folder removed at the end of the test.
pub fn temp_dir() -> TempDir {
    tempfile::Builder::new().prefix("binsync-test-").tempdir().unwrap()
}

/// A file in that folder.
pub fn write(dir: &TempDir, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

/// The zstd frames of a segment, each with the skippable frame before it; ends where a frame is cut.
pub fn spool_frames(segment: &[u8]) -> Vec<Range<usize>> {
    let mut frames = Vec::new();
    let (mut start, mut place) = (0, 0);
    while let Ok(length) = zstd::zstd_safe::find_frame_compressed_size(&segment[place..]) {
        // Magic numbers 0x184D2A50 to 0x184D2A5F, little-endian.
        let skippable =
            segment[place] & 0xF0 == 0x50 && segment[place + 1..].starts_with(&[0x2A, 0x4D, 0x18]);
        place += length;
        if !skippable {
            frames.push(start..place);
            start = place;
        }
        if place >= segment.len() {
            break;
        }
    }
    frames
}
