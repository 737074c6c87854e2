//! The segments are the truth: they hold the imported bytes, survive cuts and flipped bytes, and the index can be lost.

use crate::support::{Spool, cli::finish, read, recording, spool_frames, temp_dir, write};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A copy of a spool, to be damaged.
fn copy(spool: &Spool) -> Spool {
    let copied = Spool::new();
    let done = Command::new("cp").arg("-r").args([spool.path(), copied.path()]).status().unwrap();
    assert!(done.success());
    copied
}

/// A spool of several frames in one segment: the parts of `edges`, each imported by itself; and those files.
fn in_parts(parts: &[std::ops::Range<usize>]) -> (Spool, Vec<PathBuf>, tempfile::TempDir) {
    let (spool, dir, stream) = (Spool::new(), temp_dir(), read("mariadb-edges.jsonl"));
    let lines: Vec<&str> = stream.split_inclusive('\n').collect();
    let files: Vec<_> = parts
        .iter()
        .enumerate()
        .map(|(n, part)| write(&dir, &format!("{n}.jsonl"), lines[part.clone()].concat()))
        .collect();
    for file in &files {
        spool.run([Path::new("import"), file]).code(0);
    }
    (spool, files, dir)
}

#[test]
fn zstd_prints_the_imported_file() {
    for name in ["mariadb-sysbench", "mysql-types", "mariadb-damaged"] {
        assert!(
            Spool::recording(name).stored() == read(&format!("{name}.jsonl")).into_bytes(),
            "{name}"
        );
    }
}

#[test]
fn compressed_files_and_stdin_are_imported_as_their_text() {
    let (stream, dir) = (read("mariadb-edges.jsonl"), temp_dir());
    let plain = recording("mariadb-edges");
    let zst = write(&dir, "edges.jsonl.zst", zstd::encode_all(stream.as_bytes(), 3).unwrap());
    let gz = write(
        &dir,
        "edges.jsonl.gz",
        Command::new("gzip").arg("-c").arg(plain).output().unwrap().stdout,
    );
    for file in [zst, gz] {
        assert_eq!(Spool::of(&file).stored(), stream.as_bytes());
    }
    let spool = Spool::new();
    finish(spool.command(["import", "-"]), Some(stream.clone().into_bytes())).code(0);
    assert_eq!(spool.stored(), stream.as_bytes());
}

#[test]
fn importing_a_file_twice_changes_no_log() {
    let spool = Spool::recording("mariadb-edges");
    let once = spool.run(["log", "--json"]).ok();
    assert!(!once.is_empty());
    spool.run(["import", recording("mariadb-edges").to_str().unwrap()]).code(0);
    assert_eq!(spool.run(["log", "--json"]).ok(), once);
}

#[test]
fn a_deleted_index_is_rebuilt_to_the_same_log() {
    for name in ["mariadb-edges", "mariadb-restarts", "mysql-bootstrap", "mariadb-damaged"] {
        let spool = Spool::recording(name);
        let before = spool.run(["log", "--json"]).ok();
        assert!(!before.is_empty());
        for entry in fs::read_dir(spool.path()).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.file_name().unwrap().to_string_lossy().starts_with("index.sqlite") {
                fs::remove_file(entry).unwrap();
            }
        }
        spool.run(["spool", "reindex"]).code(0);
        assert_eq!(spool.run(["log", "--json"]).ok(), before, "{name}");
    }
}

/// Nothing of the stream is lost by it, but the files were not as they should be.
#[test]
fn a_damaged_index_is_built_anew_at_open_and_that_is_said() {
    let spool = Spool::recording("mariadb-edges");
    let before = spool.run(["log", "--json"]).ok();
    let index = spool.path().join("index.sqlite");
    let whole = fs::read(&index).unwrap();
    let export = ["export", "--format", "jsonl"];
    let render = ["render"];
    let log = ["log", "--json"];
    for command in [&log[..], &render, &export] {
        let mut damaged = whole.clone();
        // The first page of an SQLite file begins with its name.
        damaged[..16].fill(b'x');
        fs::write(&index, damaged).unwrap();
        spool.run(command).code(3).says(&["the index was built anew"]);
        let again = spool.run(command).code(0);
        assert!(!again.stderr.contains("built anew"), "{}", again.stderr);
    }
    assert_eq!(spool.run(["log", "--json"]).ok(), before);
}

#[test]
fn a_sound_spool_verifies() {
    let (spool, ..) = in_parts(&[0..20, 20..40, 40..59]);
    spool.run(["spool", "verify"]).code(0);
    assert!(!spool.run(["spool", "ls"]).ok().is_empty());
}

#[test]
fn a_cut_at_every_byte_of_the_last_frame_is_recovered_from() {
    let (spool, files, _dir) = in_parts(&[0..30, 30..56, 56..59]);
    let [segment] = &spool.segments()[..] else { panic!("one segment") };
    let bytes = fs::read(segment).unwrap();
    let frames = spool_frames(&bytes);
    let whole = spool.stored();
    let last = frames.last().unwrap().clone();
    assert!(frames.len() >= 3 && last.end == bytes.len());
    for cut in last.start..last.end {
        let torn = copy(&spool);
        fs::write(&torn.segments()[0], &bytes[..cut]).unwrap();
        // The next writer cuts after the last whole frame, and the import goes on from what is left.
        torn.run([Path::new("import"), files.last().unwrap()]).one_of(&[0, 3]);
        assert!(torn.stored() == whole, "cut at byte {cut} of {}..{}", last.start, last.end);
    }
}

#[test]
fn a_flipped_byte_in_any_frame_is_named_and_the_other_frames_are_read() {
    let parts = [0..12, 12..30, 30..45, 45..59];
    let (spool, files, _dir) = in_parts(&parts);
    let bytes = fs::read(&spool.segments()[0]).unwrap();
    let name = spool.segments()[0].file_name().unwrap().to_string_lossy().into_owned();
    let frames = spool_frames(&bytes);
    assert_eq!(frames.len(), parts.len());
    for (number, frame) in frames.iter().enumerate() {
        for place in [frame.start + 9, frame.start + (frame.end - frame.start) / 2, frame.end - 2] {
            let flipped = copy(&spool);
            let mut damaged = bytes.clone();
            damaged[place] ^= 0x10;
            fs::write(&flipped.segments()[0], damaged).unwrap();
            let found = flipped.run(["spool", "verify"]).one_of(&[1, 3]).text();
            assert!(found.contains(&name), "the segment is not named:\n{found}");
            flipped.run(["spool", "reindex"]).one_of(&[0, 3]);
            let log = flipped.run(["log", "--json"]).one_of(&[0, 3]).text();
            for (other, file) in files.iter().enumerate().filter(|(other, _)| *other != number) {
                let stream = fs::read_to_string(file).unwrap();
                for event in crate::support::stream::events(&stream)
                    .iter()
                    .filter(|event| event.json["commit"] == true)
                {
                    let position = event.text("position");
                    assert!(
                        log.contains(position),
                        "frame {number} damaged at {place}: {position} of frame {other} is not read"
                    );
                }
            }
        }
    }
}
