//! Several queues, and spools made side by side: one stream in the source's order, each message once.

use crate::{
    other_spool::import,
    pruned,
    support::{
        Kind, Queue, Running, Spool, amqp_url, assert_rows_equal, assert_same_dump, broker,
        broker_of,
        cli::{Run, finish},
        fresh,
        proxy::Proxy,
        read, spool_frames, temp_dir,
    },
};
use std::{
    fs,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

/// The messages of a stream, dealt out by table.
fn dealt(stream: &str, parts: usize) -> Vec<Vec<&str>> {
    let mut dealt = vec![Vec::new(); parts];
    for line in stream.lines() {
        let message: serde_json::Value = serde_json::from_str(line).unwrap();
        let name = format!("{}.{}", message["database"], message["table"]);
        let hash = name.bytes().fold(7_usize, |hash, byte| hash * 31 % 65_521 + byte as usize);
        dealt[hash % parts].push(line);
    }
    dealt
}

/// Spools of the parts; those without a message are left out.
fn spools(stream: &str, parts: usize) -> Vec<Spool> {
    let dealt = dealt(stream, parts);
    let filled = dealt.iter().filter(|part| !part.is_empty());
    filled
        .map(|part| {
            let spool = Spool::new();
            let lines = part.join("\n") + "\n";
            finish(spool.command(["import", "-"]), Some(lines.into_bytes())).one_of(&[0, 3]);
            spool
        })
        .collect()
}

fn merge(into: &Spool, spools: &[Spool], flags: &[&str]) -> Run {
    let paths = spools.iter().map(|spool| spool.path().into_os_string());
    let flags = flags.iter().map(Into::into);
    into.run(std::iter::once("merge".into()).chain(paths).chain(flags))
}

#[test]
fn spools_made_side_by_side_are_merged_in_the_sources_order() {
    for name in ["mariadb-transactions", "mysql-incident", "mariadb-bootstrap", "mariadb-sysbench"]
    {
        let (stream, all) = (read(&format!("{name}.jsonl")), Spool::new());
        let parts = spools(&stream, 4);
        assert!(parts.len() > 1, "{name} is of one table");
        merge(&all, &parts, &[]).code(0);
        assert!(all.stored() == stream.as_bytes(), "{name}: another order");
        merge(&all, &parts, &[]).code(0).says(&["merged 0 messages"]);
    }
}

#[test]
fn what_is_merged_is_replayed_as_what_came_in_one_queue() {
    for name in ["mariadb-transactions", "mysql-edges"] {
        let (end, all, server) =
            (read(&format!("{name}.end.sql")), Spool::new(), fresh(Kind::of(name)));
        merge(&all, &spools(&read(&format!("{name}.jsonl")), 4), &[]).code(0);
        all.apply(&server.url(), NOTHING).code(0);
        assert_same_dump(&server.dump(), &end, name);
    }
    let name = "mariadb-restarts";
    let (end, all, server) =
        (read(&format!("{name}.end.sql")), Spool::new(), fresh(Kind::of(name)));
    merge(&all, &spools(&read(&format!("{name}.jsonl")), 4), &[]).code(0).says(&["re-sends"]);
    server.load("CREATE DATABASE restarts;\n");
    all.apply(&server.url(), NOTHING).code(0);
    assert_rows_equal(&server.dump(), &end, name);
}

#[test]
fn what_is_behind_the_last_message_of_a_spool_that_goes_on_waits() {
    let stream = read("mariadb-transactions.jsonl");
    let (all, mut parts) = (Spool::new(), spools(&stream, 2));
    let lines = stream.lines().count();
    merge(&all, &parts, &["--more-to-come"]).code(3).says(&["wait for a spool"]);
    let so_far = all.stored();
    assert!(stream.as_bytes().starts_with(&so_far) && so_far.len() < stream.len());
    merge(&all, &parts, &[]).code(0);
    assert!(all.stored() == stream.as_bytes(), "{lines} messages");
    let own = all.run(["merge", all.path().to_str().unwrap()]).code(2);
    own.says(&["merged into itself"]);
    let twice = parts.pop().unwrap();
    let path = twice.path().to_string_lossy().into_owned();
    all.run(["merge", &path, &path]).code(2).says(&["named twice"]);
}

/// A capture of all the queues.
fn capture_command(spool: &Spool, queues: &[Queue], flags: &[&str]) -> Command {
    let mut command = spool.command(["capture", "--amqp-url", amqp_url()]);
    for queue in queues {
        command.args(["--queue", &queue.name]);
    }
    command.args(flags);
    command
}

fn capture(spool: &Spool, queues: &[Queue], flags: &[&str]) -> Run {
    finish(capture_command(spool, queues, flags), None)
}

const IDLE: [&str; 2] = ["--exit-when-idle", "2s"];
const NOTHING: [&str; 0] = [];

fn publish(queues: &[Queue], stream: &str) {
    for (queue, part) in queues.iter().zip(dealt(stream, queues.len())) {
        queue.publish(part.into_iter().map(str::as_bytes));
    }
}

#[test]
fn four_queues_become_one_stream() {
    for (name, kind) in [("mariadb-transactions", "classic"), ("mysql-transactions", "quorum")] {
        let queues: Vec<Queue> = (0..4).map(|_| broker_of("four", kind)).collect();
        let (stream, spool) = (read(&format!("{name}.jsonl")), Spool::new());
        publish(&queues, &stream);
        capture(&spool, &queues, &IDLE).code(0);
        assert!(queues.iter().all(|queue| queue.ready() == 0));
        assert!(spool.stored() == stream.as_bytes(), "{name}: another order");
        spool.run(["spool", "verify"]).code(0);
        let server = fresh(Kind::of(name));
        spool.apply(&server.url(), NOTHING).code(0);
        assert_same_dump(&server.dump(), &read(&format!("{name}.end.sql")), name);
    }
}

#[test]
fn a_capture_that_is_to_end_ends_when_a_queue_cannot_be_reached() {
    let (queues, spool) = ([broker("here"), broker("unreached")], Spool::new());
    let port = amqp_url().rsplit_once(':').unwrap().1.split('/').next().unwrap().to_owned();
    let proxy = Proxy::start(port.parse().unwrap());
    let url = amqp_url().replace(&port, &proxy.port.to_string());
    let mut command = spool.command(["capture", "--amqp-url", &url, "--exit-when-idle", "1s"]);
    for queue in &queues {
        command.args(["--queue", &queue.name]);
    }
    let rows = [row("x", 10), row("y", 20)];
    queues.iter().zip(&rows).for_each(|(queue, row)| queue.publish([row.as_bytes()]));
    let mut running = Running::start(command);
    assert!(running.until(|| queues.iter().all(|queue| queue.ready() == 0)));
    drop(proxy);
    let (status, said) = running.end();
    assert_eq!(status.code(), Some(4), "{said}");
    assert!(said.contains("not known to be empty"), "{said}");
    capture(&spool, &queues, &IDLE).code(0);
    assert_eq!(spool.stored(), (rows.join("\n") + "\n").into_bytes());
}

fn row(table: &str, offset: u64) -> String {
    format!(
        r#"{{"database":"a","table":"{table}","type":"insert","ts":17000{offset},"xid":{offset},"commit":true,"position":"bin.000001:{offset}","server_id":1,"data":{{"id":{offset}}}}}"#
    )
}

fn mark(offset: u64) -> String {
    row("mark", offset).replace(r#""database":"a""#, r#""database":"binsync""#)
}

fn until_stored(spool: &Spool, lines: &[String]) {
    let wanted: String = lines.iter().map(|line| line.clone() + "\n").collect();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !spool.path().exists()
        || spool.segments().is_empty()
        || spool.stored() != wanted.as_bytes()
    {
        assert!(Instant::now() < deadline, "not stored: {wanted}");
        sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_silent_queue_is_passed_by_a_mark_and_by_nothing_else() {
    let (queues, spool) = ([broker("loud"), broker("silent")], Spool::new());
    let source = fresh(Kind::MariaDb);
    let url = source.url();
    let running = Running::start(capture_command(&spool, &queues, &["--mark", &url]));
    let [first, second, third, mark] = [row("x", 10), row("y", 20), row("x", 30), mark(40)];
    queues[0].publish([first.as_bytes(), third.as_bytes()]);
    sleep(Duration::from_secs(4));
    assert!(spool.segments().is_empty(), "the order was guessed");
    queues[0].publish([mark.as_bytes()]);
    queues[1].publish([second.as_bytes(), mark.as_bytes()]);
    until_stored(&spool, &[first, second, third, mark]);
    running.signal("-TERM");
    let (status, said) = running.end();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(source.query("SELECT id FROM binsync.mark").contains('1'), "no mark was written");
}

#[test]
fn what_comes_later_than_it_may_is_stored_and_told() {
    let (queues, spool) = ([broker("early"), broker("late")], Spool::new());
    let flags = ["--settle", "1s"];
    let running = Running::start(capture_command(&spool, &queues, &flags));
    let [late, early] = [row("y", 10), row("x", 20)];
    queues[0].publish([early.as_bytes()]);
    until_stored(&spool, std::slice::from_ref(&early));
    queues[1].publish([late.as_bytes()]);
    until_stored(&spool, &[early, late]);
    running.signal("-TERM");
    let (status, said) = running.end();
    assert_eq!(status.code(), Some(3), "{said}");
    let late = ["Late", &queues[1].name, "bin.000001:10"];
    let told = || {
        let listed = spool.run(["spool", "ls"]).code(0).text();
        assert!(late.iter().all(|word| listed.contains(word)), "{listed}");
        assert!(spool.run(["status"]).code(3).text().contains("1 gap (1 late)"));
    };
    told();
    spool.run(["spool", "reindex"]).code(0);
    told();
}

#[test]
fn messages_without_a_place_are_not_put_in_any_order() {
    let (queues, spool) = ([broker("plain"), broker("other")], Spool::new());
    let bare = row("x", 10).replace(r#","position":"bin.000001:10""#, "");
    queues[0].publish([bare.as_bytes()]);
    let run = capture(&spool, &queues, &IDLE).code(4);
    run.says(&["no binlog position", "output_binlog_position=true"]);
    let other = std::slice::from_ref(&queues[1]);
    capture(&spool, other, &IDLE).code(2).says(&["not merged yet", &queues[0].name]);
    // Alone, nothing is to be put in order.
    capture(&spool, std::slice::from_ref(&queues[0]), &IDLE).code(0);
    assert_eq!(spool.stored(), (bare + "\n").into_bytes());
}

/// Three messages of a queue that are stored, each in a frame of its own, and wait for the other.
fn with_an_inbox() -> (Spool, [Queue; 2]) {
    let (queues, spool) = ([broker("waits"), broker("other")], Spool::new());
    let first = (row("x", 10) + "\n").into_bytes();
    finish(spool.command(["import", "-"]), Some(first)).code(0);
    let mut running = Running::start(capture_command(&spool, &queues, &["--settle", "1h"]));
    for offset in [20, 30, 40] {
        sleep(Duration::from_millis(300));
        queues[0].publish([row("x", offset).as_bytes()]);
        assert!(running.until(|| queues[0].ready() == 0));
    }
    sleep(Duration::from_millis(300));
    running.signal("-TERM");
    let (status, said) = running.end();
    assert!(said.contains("3 of queue"), "{status}: {said}");
    (spool, queues)
}

#[test]
fn an_inbox_is_shown_verified_and_repaired() {
    let (spool, queues) = with_an_inbox();
    let name = &queues[0].name;
    let mut inboxes = fs::read_dir(spool.path().join("inbox")).unwrap().map(|e| e.unwrap().path());
    let inbox = inboxes.find(|dir| dir.join(FIRST).exists()).unwrap();
    let whole = fs::read(inbox.join(FIRST)).unwrap();
    let frames = spool_frames(&whole);
    assert_eq!(frames.len(), 3);
    let status: serde_json::Value =
        serde_json::from_str(&spool.run(["status", "--json"]).ok()).unwrap();
    let waiting = &status["spool"]["inboxes"][0];
    assert_eq!((&waiting["queue"], &waiting["messages"]), (&name.as_str().into(), &3.into()));
    assert!(spool.run(["status"]).ok().contains(&format!("inbox    {name}: 3 messages")));
    spool.run(["spool", "verify"]).code(0);
    spool.run(["spool", "repair", "--dry-run"]).code(0).says(&["nothing is damaged"]);
    for (damaged, lost) in [(2, "at the end of queue"), (1, "messages 2 to 2 of queue")] {
        let mut bytes = whole.clone();
        bytes[frames[damaged].end - 3] ^= 4;
        fs::write(inbox.join(FIRST), bytes).unwrap();
        let found = spool.run(["spool", "verify"]).code(3).text();
        assert!(found.contains("inbox/") && found.contains("checksum is wrong"), "{found}");
        spool.run(["spool", "repair", "--dry-run"]).code(3).says(&[lost, name]);
        spool.run(["spool", "repair"]).code(3).says(&[lost, name]);
        spool.run(["spool", "verify"]).code(0);
        spool.run(["spool", "repair"]).code(0).says(&["nothing is damaged"]);
    }
    // What is left of it is merged, and what is lost is told.
    capture(&spool, &queues[..1], &IDLE).code(3).says(&["messages 2 to 2 are lost"]);
    let left: String = [10, 20, 40].map(|offset| row("x", offset) + "\n").concat();
    assert_eq!(spool.stored(), left.into_bytes());
}

const FIRST: &str = "00000000000000000001.zst";

#[test]
fn how_far_is_merged_outlives_a_prune_and_what_was_pruned_is_not_called_lost() {
    let (stream, dir) = (read("mariadb-transactions.jsonl"), temp_dir());
    let (all, parts) = (Spool::new(), spools(&stream, 2));
    merge(&all, &parts, &[]).code(0);
    // No message of what stays was merged.
    for ten in 0..3 {
        import(&all, &dir, ten * 10 + 1..=ten * 10 + 10);
    }
    let prune = ["spool", "prune", "--keep-bytes", "0"];
    pruned::split(&all);
    all.run(prune).code(0);
    all.run(["spool", "reindex"]).code(0);
    merge(&all, &parts, &[]).code(0).says(&["merged 0 messages"]);
    // A part that was pruned before it was merged.
    let part = Spool::new();
    for ten in 0..4 {
        import(&part, &dir, ten * 10 + 1..=ten * 10 + 10);
    }
    pruned::split(&part);
    part.run(prune).code(0);
    let merged = Spool::new();
    let run = merge(&merged, std::slice::from_ref(&part), &[]).code(3);
    run.says(&["messages 1 to 20 were pruned before they were merged", "merged 20 messages"]);
    assert!(merge(&merged, &[part], &[]).code(0).stderr.contains("merged 0 messages"));
}
