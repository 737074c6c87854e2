//! The harness itself: a suite whose ruler is wrong shows nothing.

use crate::{
    conversion::without_coordinates,
    generator::{DELETED, HOT_KEYS, HOT_ROWS, KEYLESS, UNIFORM_KEYS, Workload, generate},
    support::{
        Kind, MariaDb, MySql, Proxy, assert_rows_equal, assert_same_dump, broker,
        dump::is_one_of,
        fresh, read,
        reference::Reference,
        rows_only,
        servers::KINDS,
        stream::{events, transactions},
        workload,
    },
};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

#[test]
fn a_dump_fed_to_the_stock_client_dumps_as_itself() {
    for name in [
        "mariadb-types",
        "mariadb-transactions",
        "mariadb-incident",
        "mysql-transactions",
        "mysql-incident",
    ] {
        let server = fresh(Kind::of(name));
        let end = read(&format!("{name}.end.sql"));
        // MariaDB's dumps give generated columns a value; only a session that is not strict takes them.
        server.load(&end);
        assert_same_dump(&server.dump(), &end, name);
    }
}

#[test]
fn the_reference_applier_reaches_the_end_of_edges() {
    for kind in KINDS {
        let name = format!("{}-edges", kind.name());
        let server = fresh(kind);
        let mut reference = Reference::new(&server);
        for transaction in transactions(&read(&format!("{name}.jsonl"))) {
            reference.apply(&transaction);
        }
        let end = read(&format!("{name}.end.sql"));
        assert_same_dump(&server.dump(), &end, &name);
        assert!(is_one_of(&server.dump(), &[end]));
    }
}

#[test]
fn a_fresh_server_is_empty_and_keeps_its_default_settings() {
    for kind in [MariaDb, MySql] {
        let server = fresh(kind);
        assert!(server.databases().is_empty());
        assert_eq!(server.query("SELECT @@binlog_format, @@log_bin"), "ROW\t1\n");
    }
}

#[test]
fn a_queue_gives_back_what_was_published() {
    let queue = broker("harness");
    queue.publish([b"one".as_slice(), b"\xff\n\0two"]);
    assert_eq!(queue.ready(), 2);
    assert_eq!(queue.peek(), Some((b"one".to_vec(), false)));
    assert_eq!(queue.ready(), 2);
    assert_eq!(queue.peek(), Some((b"one".to_vec(), true)));
}

#[test]
fn transactions_hold_every_row_of_a_recording_once() {
    let stream = read("mysql-transactions.jsonl");
    let all = transactions(&stream);
    assert_eq!(all.iter().map(|one| one.events.len()).sum::<usize>(), events(&stream).len());
    assert!(all.len() > 30);
}

#[test]
fn the_benchmarks_streams_are_what_their_sql_does() {
    let server = fresh(MariaDb);
    for workload in [
        Workload { rows: 3000, transactions: 300, ..HOT_KEYS },
        Workload { rows: 300, transactions: 300, ..UNIFORM_KEYS },
        Workload { transactions: 100, ..HOT_ROWS },
        Workload { rows: 300, transactions: 200, ..KEYLESS },
        Workload { rows: 300, ..DELETED },
    ] {
        let (mut stream, mut sql) = (Vec::new(), Vec::new());
        let end = generate(&mut stream, &mut sql, workload).unwrap();
        server.empty();
        server.feed(sql);
        let source = server.dump();
        assert_eq!(rows_only(&source).len(), end.iter().map(Vec::len).sum::<usize>());
        server.empty();
        let mut reference = Reference::new(&server);
        for transaction in transactions(&String::from_utf8(stream).unwrap()) {
            reference.apply(&transaction);
        }
        assert_rows_equal(&server.dump(), &source, "the generated stream");
    }
}

#[test]
fn a_consumer_takes_every_message_that_was_published() {
    let queue = broker("harness");
    queue.publish_many(std::iter::repeat_n(b"x".as_slice(), 5000));
    queue.consume(5000, 2000, 1000);
    assert_eq!(queue.ready(), 0);
}

#[test]
fn a_seed_makes_the_same_work_again_and_its_transactions_cross() {
    for kind in KINDS {
        let [first, again] = [(); 2].map(|()| workload::stream(kind, 7, workload::Settings::USUAL));
        for (line, same) in first.lines.lines().zip(again.lines.lines()) {
            assert_eq!(without_coordinates(line), without_coordinates(same));
        }
        assert_same_dump(&again.end, &first.end, "the same seed");
        let all = events(&first.lines);
        let commits = all.iter().filter(|event| event.json["commit"] == true);
        let xids: Vec<_> = commits.map(|event| event.json["xid"].as_u64()).collect();
        assert!(!xids.is_sorted(), "no transaction began before one that it committed after");
    }
}

/// A server that answers each byte with itself.
fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut answers = client.try_clone().unwrap();
            thread::spawn(move || std::io::copy(&mut client, &mut answers));
        }
    });
    port
}

#[test]
fn the_proxy_adds_its_delay_once_to_what_is_sent_in_one_go() {
    let proxy = Proxy::start(echo());
    proxy.delay(Duration::from_millis(60), Duration::from_millis(40));
    let mut client = TcpStream::connect(("127.0.0.1", proxy.port)).unwrap();
    client.set_nodelay(true).unwrap();
    let start = Instant::now();
    for number in 0..100 {
        client.write_all(&[number]).unwrap();
        thread::sleep(Duration::from_micros(100));
    }
    let mut answer = [0; 100];
    client.read_exact(&mut answer).unwrap();
    let taken = start.elapsed();
    assert_eq!(answer.to_vec(), (0..100).collect::<Vec<u8>>());
    assert!(taken >= Duration::from_millis(100), "{taken:?}");
    // One after the other, the hundred would take ten seconds.
    assert!(taken < Duration::from_secs(5), "{taken:?}");
}

#[test]
fn a_cut_drops_the_connections_of_the_moment_and_what_is_on_the_way() {
    let proxy = Proxy::start(echo());
    let connect = || TcpStream::connect(("127.0.0.1", proxy.port)).unwrap();
    let mut clients = [connect(), connect()];
    for client in &mut clients {
        client.write_all(b"x").unwrap();
        client.read_exact(&mut [0]).unwrap();
    }
    proxy.delay(Duration::ZERO, Duration::from_secs(60));
    clients[0].write_all(b"y").unwrap();
    assert_eq!(proxy.cut(), 2);
    for client in &mut clients {
        let mut rest = Vec::new();
        let ended = client.read_to_end(&mut rest);
        assert!(rest.is_empty() && ended.map_or(true, |length| length == 0));
    }
    proxy.delay(Duration::ZERO, Duration::ZERO);
    let mut after = connect();
    after.write_all(b"z").unwrap();
    let mut answer = [0];
    after.read_exact(&mut answer).unwrap();
    assert_eq!((answer, proxy.cut()), (*b"z", 1));
}
