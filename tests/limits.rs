//! A full disk, a spool without permission, a spool in use: said by name, and nothing is lost.

use crate::support::{
    Queue, Run, Spool, amqp_url, broker,
    cli::{finish, harden},
    recording, temp_dir, write,
};
use std::{
    fs,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// A stream of 40 MB that does not compress, as valid inserts.
fn incompressible() -> Vec<u8> {
    let mut seed = 42_u64;
    let mut letters = move || {
        let mut text = String::with_capacity(2000);
        while text.len() < 2000 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            text.extend(
                [58, 52, 46, 40].map(|shift| char::from(b'0' + (seed >> shift & 63) as u8)),
            );
        }
        text.replace('\\', "/")
    };
    let line = |id: u32| {
        format!(
            "{{\"database\":\"d\",\"table\":\"t\",\"type\":\"insert\",\"ts\":1795351926,\"xid\":{id},\"commit\":true,\"position\":\"bin.000001:{}\",\"data\":{{\"id\":{id},\"v\":\"{}\"}}}}\n",
            id * 100,
            letters()
        )
    };
    (1..=20_000).map(line).collect::<String>().into_bytes()
}

/// A mount namespace whose /mnt is a small file system; `$1` is the tool, the rest its last arguments.
fn on_a_small_disk(script: &str, args: &[&str]) -> Run {
    let mut command = Command::new("unshare");
    let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    command.arg(if root { "-m" } else { "-Urm" });
    let script = format!("mount -t tmpfs -o size=20m none /mnt || exit 99\n{script}");
    command.args(["sh", "-c", &script, "sh", env!("CARGO_BIN_EXE_binsync")]).args(args);
    harden(&mut command);
    finish(command, None)
}

#[test]
fn a_full_disk_stops_an_import_and_a_rerun_finishes_it() {
    let dir = temp_dir();
    let file = write(&dir, "big.jsonl", incompressible());
    let script = r#"
        "$1" --spool /mnt/s import "$2"; echo "first $?"
        mount -o remount,size=200m /mnt
        "$1" --spool /mnt/s import "$2"; echo "second $?"
        zstd -dcq /mnt/s/*.zst | cmp - "$2" && echo same"#;
    let run = on_a_small_disk(script, &[file.to_str().unwrap()]);
    let text = run.text();
    assert!(text.contains("first 1") || text.contains("first 4"), "{text}\n{}", run.stderr);
    assert!(text.contains("second 0") && text.contains("same"), "{text}\n{}", run.stderr);
    let run = run.says(&["/mnt/s"]);
    assert!(
        run.stderr.to_lowercase().contains("space") || run.stderr.contains("full"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_full_disk_pauses_a_capture_which_resumes_by_itself() {
    // They mostly wait.
    std::thread::scope(|scope| {
        scope.spawn(|| paused_by_a_full_disk(1));
        scope.spawn(|| paused_by_a_full_disk(4));
    });
}

fn paused_by_a_full_disk(count: usize) {
    let queues: Vec<Queue> = (0..count).map(|_| broker("full")).collect();
    let (dir, stream) = (temp_dir(), incompressible());
    let lines = || stream.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    for (place, queue) in queues.iter().enumerate() {
        queue.publish(lines().skip(place).step_by(count));
    }
    let file = write(&dir, "big.jsonl", &stream);
    let script = r#"
        url=$3 file=$2; binsync=$1; shift 3
        "$binsync" --spool /mnt/s capture "$@" --amqp-url "$url" --exit-when-idle 15s &
        sleep 8; mount -o remount,size=400m /mnt
        wait $!; echo "capture $?"
        zstd -dcq /mnt/s/*.zst | cmp - "$file" && echo same"#;
    let mut args = vec![file.to_str().unwrap(), amqp_url()];
    queues.iter().for_each(|queue| args.extend(["--queue", &queue.name]));
    let run = on_a_small_disk(script, &args).says(&["room"]);
    assert!(run.text().contains("capture 0\nsame"), "{}\n{}", run.text(), run.stderr);
    assert!(queues.iter().all(|queue| queue.ready() == 0));
}

#[test]
fn a_spool_without_permission() {
    let dir = temp_dir();
    let place = dir.path().join("locked");
    fs::create_dir(&place).unwrap();
    Command::new("chmod").arg("0500").arg(&place).status().unwrap();
    // Root writes anywhere unless that capability is taken away.
    let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    let mut command = Command::new(if root { "setpriv" } else { "env" });
    if root {
        command.args(["--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]);
    }
    command
        .arg(env!("CARGO_BIN_EXE_binsync"))
        .arg("--spool")
        .arg(place.join("spool"))
        .arg("import");
    command.arg(recording("mariadb-edges"));
    harden(&mut command);
    finish(command, None).code(1).says(&["locked", "permission"]);
}

#[test]
fn two_captures_on_one_spool() {
    let (queue, spool) = (broker("lock"), Spool::new());
    let mut first = spool.capture_command(&queue, []).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !spool.path().is_dir() || fs::read_dir(spool.path()).unwrap().next().is_none() {
        assert!(Instant::now() < deadline, "the first capture made no spool");
        sleep(Duration::from_millis(20));
    }
    sleep(Duration::from_millis(300));
    let second = spool.capture(&queue, ["--exit-when-idle", "1s"]);
    first.kill().unwrap();
    first.wait().unwrap();
    second.code(1).says(&[&first.id().to_string()]);
    // A lock of a dead process holds nobody up.
    spool.capture(&queue, ["--exit-when-idle", "1s"]).code(0);
}
