//! A spool from somebody else, in other hands, or on a disk that takes no writes: nothing in it is followed, waited for or believed.

use crate::support::{Run, Spool, cli::finish, read, recording, spool_frames, temp_dir, write};
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
    process::Command,
};

const READERS: [&[&str]; 4] = [&["log"], &["stats"], &["spool", "ls"], &["spool", "verify"]];

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

fn open_to_all(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn no_link_in_a_spool_is_followed() {
    let (dir, stream) = (temp_dir(), recording("mariadb-edges"));
    for name in [
        "lock",
        "index.sqlite",
        "index.sqlite-wal",
        "index.sqlite-shm",
        "schema",
        "00000000000000000001.zst",
    ] {
        let spool = Spool::of(&stream);
        let victim = write(&dir, "victim", "dear");
        let path = spool.path().join(name);
        // A segment that is a link to a real one elsewhere is a link too.
        if name.ends_with(".zst") {
            fs::copy(&path, &victim).unwrap();
        }
        let (before, open) = (fs::read(&victim).unwrap(), mode(&victim));
        let _ = fs::remove_file(&path);
        symlink(&victim, &path).unwrap();
        for args in READERS {
            let run = spool.run(args);
            // What a reader has no need of it does not open.
            let needed = !["schema", "lock"].contains(&name);
            assert!(run.code != 0 || !needed, "{name} {args:?} took a link:\n{}", run.stderr);
            if run.code != 0 {
                run.one_of(&[1, 3]).says(&[name, "link"]);
            }
        }
        spool.run(["import", stream.to_str().unwrap()]);
        assert_eq!(fs::read(&victim).unwrap(), before, "{name}: what the link names was written");
        assert_eq!(mode(&victim), open, "{name}");
    }
    let spool = Spool::of(&stream);
    let victim = write(&dir, "hard", "dear");
    fs::remove_file(spool.path().join("lock")).unwrap();
    fs::hard_link(&victim, spool.path().join("lock")).unwrap();
    spool.run(["import", stream.to_str().unwrap()]).code(1).says(&["second name"]);
    assert_eq!(fs::read(&victim).unwrap(), b"dear");
}

#[test]
fn a_pipe_called_like_a_segment_is_refused_and_not_waited_for() {
    let spool = Spool::recording("mariadb-edges");
    let pipe = spool.path().join("00000000000000009999.zst");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for args in READERS {
        spool.run(args).code(1).says(&["00000000000000009999.zst", "regular file"]);
    }
    spool.run(["import", recording("mariadb-edges").to_str().unwrap()]).code(1);
}

#[test]
fn a_frame_that_claims_more_than_there_is_does_no_harm() {
    for claim in [1u64 << 50, u64::MAX, u64::MAX - 1] {
        let spool = Spool::recording("mariadb-edges");
        let segment = spool.segments().remove(0);
        let mut bytes = fs::read(&segment).unwrap();
        let first = spool_frames(&bytes).remove(0);
        // Raw length and record lengths agree, and the checksum is right.
        let header = spool_frames_header(claim, &bytes[..first.end]);
        bytes.extend(header);
        fs::write(&segment, &bytes).unwrap();
        for args in READERS {
            spool.run(args).code(if args[1..] == ["ls"] { 0 } else { 3 });
        }
    }
}

/// A header of this spool behind its first frame, that claims one record of so many bytes.
fn spool_frames_header(claim: u64, frame: &[u8]) -> Vec<u8> {
    let mut header = frame[..88].to_vec();
    let mut varint = Vec::new();
    let mut n = claim - 1;
    while n >= 0x80 {
        varint.push(n as u8 | 0x80);
        n >>= 7;
    }
    varint.push(n as u8);
    header.extend([1, varint.len() as u8]);
    header.extend(&varint);
    let size = (header.len() - 8) as u32;
    header[4..8].copy_from_slice(&size.to_le_bytes());
    header[40..48].copy_from_slice(&5000u64.to_le_bytes());
    header[56..60].copy_from_slice(&1u32.to_le_bytes());
    header[64..72].copy_from_slice(&0u64.to_le_bytes());
    header[72..80].copy_from_slice(&claim.to_le_bytes());
    header[20..24].fill(0);
    let crc = crc32fast::hash(&header);
    header[20..24].copy_from_slice(&crc.to_le_bytes());
    header
}

#[test]
fn a_name_of_any_length_is_listed() {
    let (dir, spool) = (temp_dir(), Spool::new());
    let name = "n".repeat(70_000);
    let rows: String = [(1, 0), (2, 3)]
        .map(|(xid, xoffset)| {
            format!(
                "{{\"database\":\"d\",\"table\":\"{name}\",\"type\":\"insert\",\"ts\":1795351926,\"xid\":{xid},\"xoffset\":{xoffset},\"position\":\"{name}.000001:{xid}\",\"data\":{{\"id\":1}}}}\n"
            )
        })
        .concat();
    let file = write(&dir, "long.jsonl", rows);
    spool.run(["import", file.to_str().unwrap()]).one_of(&[0, 3]);
    for args in [&["spool", "ls"][..], &["log"], &["stats"], &["spool", "ls", "--json"]] {
        let run = spool.run(args).one_of(&[0, 3]);
        assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    }
}

#[test]
fn a_spool_is_for_its_owner_alone_also_one_that_was_open() {
    let spool = Spool::recording("mariadb-edges");
    let all = || {
        let entries = fs::read_dir(spool.path()).unwrap().map(|entry| entry.unwrap().path());
        entries.chain([spool.path()]).collect::<Vec<_>>()
    };
    let closed = |when: &str| {
        for path in all() {
            let wanted = if path.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(mode(&path), wanted, "{when}: {}", path.display());
        }
    };
    assert!(all().len() >= 4, "{:?}", all());
    closed("made");
    for reopened in [&["log"][..], &["import", recording("mariadb-edges").to_str().unwrap()]] {
        for path in all() {
            open_to_all(&path, if path.is_dir() { 0o755 } else { 0o644 });
        }
        spool.run(reopened).code(0);
        closed("opened again");
    }
}

/// Runs the program as somebody who may not write the spool.
fn as_reader(spool: &Path, args: &[&str]) -> Run {
    let program = spool.parent().unwrap().join("binsync");
    if !program.exists() {
        fs::copy(env!("CARGO_BIN_EXE_binsync"), &program).unwrap();
        open_to_all(&program, 0o755);
    }
    let root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let mut command = match root {
        true => Command::new("setpriv"),
        false => Command::new(&program),
    };
    if root {
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program);
    }
    command.arg("--spool").arg(spool).args(args).env("TZ", "UTC").current_dir("/");
    finish(command, None)
}

#[test]
fn reading_needs_no_right_to_write() {
    let spool = Spool::recording("mariadb-incident");
    let logged = spool.run(["log", "--json"]).ok();
    let outer = spool.path().parent().unwrap().to_owned();
    let close = |mode: u32, files: u32| {
        open_to_all(&outer, 0o755);
        for entry in fs::read_dir(spool.path()).unwrap().map(|entry| entry.unwrap().path()) {
            open_to_all(&entry, files);
        }
        open_to_all(&spool.path(), mode);
    };
    let removed = |prefix: &str| {
        for entry in fs::read_dir(spool.path()).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.file_name().unwrap().to_string_lossy().starts_with(prefix) {
                fs::remove_file(entry).unwrap();
            }
        }
    };
    for gone in ["nothing", "lock", "index.sqlite"] {
        removed(gone);
        close(0o555, 0o444);
        let listing = |path: &Path| fs::read_dir(path).unwrap().count();
        let before = listing(&spool.path());
        assert_eq!(as_reader(&spool.path(), &["log", "--json"]).ok(), logged, "without {gone}");
        as_reader(&spool.path(), &["spool", "ls"]).code(0);
        as_reader(&spool.path(), &["history", "shop.customers", "id=33"]).code(0);
        assert_eq!(listing(&spool.path()), before, "something was written, without {gone}");
        open_to_all(&spool.path(), 0o755);
    }
    // A spool on such a disk whose end is cut is told from a whole one.
    let segment = spool.segments().remove(0);
    let bytes = fs::read(&segment).unwrap();
    fs::write(&segment, &bytes[..bytes.len() - 7]).unwrap();
    close(0o555, 0o444);
    as_reader(&spool.path(), &["log"]).code(3);
    open_to_all(&spool.path(), 0o755);
}

#[test]
fn a_cut_end_gives_less_and_says_so() {
    let spool = Spool::recording("mariadb-incident");
    let segment = spool.segments().remove(0);
    let bytes = fs::read(&segment).unwrap();
    let frames = spool_frames(&bytes);
    let whole = spool.run(["log", "--json"]).ok();
    let last = frames.last().unwrap().start;
    for cut in [last, last + 20, bytes.len() - 1] {
        for index_kept in [true, false] {
            fs::write(&segment, &bytes).unwrap();
            spool.run(["spool", "reindex"]).code(0);
            if !index_kept {
                fs::remove_file(spool.path().join("index.sqlite")).unwrap();
                if cut == last || frames.len() == 1 {
                    continue; // Nothing is left that could tell.
                }
            }
            fs::write(&segment, &bytes[..cut]).unwrap();
            if frames.len() == 1 {
                spool.run(["log"]).one_of(&[1, 2, 3]);
                continue;
            }
            for args in READERS {
                spool.run(args).code(if args[1..] == ["ls"] { 0 } else { 3 });
            }
            let log = spool.run(["log", "--json"]).code(3).text();
            assert!(log.lines().count() <= whole.lines().count() + 1 && log != whole);
        }
    }
    assert!(read("mariadb-incident.jsonl").len() > 1000);
}
