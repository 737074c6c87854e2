//! kill -9 of an apply to several servers at once: tables are split by a value onto them, and merged back.

use super::{Delays, Interruption, interrupted, rounds, wanted};
use crate::support::{
    Kind, Running, Server, Spool, assert_rows_equal,
    cli::command,
    dump::schema_only,
    fresh,
    maxwell::Producer,
    progress::Progress,
    read,
    running::was_killed,
    servers::{KINDS, source},
    temp_dir, write,
};
use std::{fs, path::Path, process::Command};

const SPLIT: &str = r#"
[sync.split]
from = ["old"]
[[sync.split.route]]
tables = ["sbtest.*"]
shard = { column = "id", modulo = 4 }
to = { 0 = "a:s0", 1 = "a:s1", 2 = "b:s2", 3 = "b:s3" }
"#;

/// The tables are there.
const SKIP: [&str; 2] = ["--ddl", "skip"];

const BACK: &str = r#"
[sync.back]
from = ["a", "b"]
[[sync.back.route]]
tables = ["s?.*"]
to = "old:sbtest.{table}"
merge = true
"#;

/// `apply SYNC` of a file in a folder.
pub fn sync(dir: &Path, name: &str, flags: &[&str]) -> Command {
    let file = dir.join(format!("{name}.toml"));
    let mut command = command(["apply", name, "--config"]);
    command.arg(file).args(flags).current_dir(dir);
    command
}

/// Runs it to its end, killed on the way, with the progress of these servers.
pub(super) fn killed(
    servers: &[&Server],
    run: impl Fn() -> Command,
    most: u32,
    delays: &mut Delays,
) -> u32 {
    let mut all: Vec<Progress<'_>> = servers.iter().map(|server| Progress::of(server)).collect();
    let progress = || {
        let each: Vec<_> = all.iter_mut().filter_map(Progress::read).collect();
        let standings: Vec<_> = each.iter().map(|(_, standing)| *standing).collect();
        Some((each.iter().map(|(epoch, _)| epoch).sum(), standings))
    };
    let mut interruption = Interruption { strike: &mut Running::kill, may_end: was_killed };
    interrupted(run, most, delays, progress, &mut interruption)
}

/// The tables of the book-keeping are there before the producer looks at the server.
fn warm(server: &Server) {
    server.sql("CREATE DATABASE warm; CREATE TABLE warm.w (id INT PRIMARY KEY)");
    let line = r#"{"database":"warm","table":"w","type":"insert","ts":1,"xid":1,"commit":true,"data":{"id":1}}"#;
    let spool = Spool::of(&write(&temp_dir(), "warm", line));
    spool.apply(&server.url(), ["--name", "warm"]).code(0);
}

#[test]
fn tables_are_split_onto_two_servers_and_merged_back() {
    let end = read("mariadb-sysbench.end.sql");
    let schema = schema_only(&end);
    let recorded = Spool::recording("mariadb-sysbench");
    let (dir, mut delays) = (temp_dir(), Delays::up_to(60));
    let dir = dir.path();
    rounds("kills of a split onto two servers and of the way back", wanted(2), |most| {
        let servers = KINDS.map(source);
        let [a, b] = [&*servers[0], &*servers[1]];
        for (server, shards) in [(a, ["s0", "s1"]), (b, ["s2", "s3"])] {
            shards
                .iter()
                .for_each(|name| server.load(&schema.replace("`sbtest`", &format!("`{name}`"))));
            warm(server);
        }
        let _ = fs::remove_dir_all(recorded.path().join("targets"));
        let file = format!(
            "[source.old]\nspool = {:?}\n[target]\na = \"{}\"\nb = \"{}\"\n{SPLIT}",
            recorded.path(),
            bare(a),
            bare(b)
        );
        fs::write(dir.join("split.toml"), file).unwrap();
        let producers = [Producer::new(a), Producer::new(b)];
        let split = || knowing(sync(dir, "split", &SKIP), &[("A", a), ("B", b)]);
        let counted = killed(&[a, b], split, most.div_ceil(2), &mut delays);
        for (server, shard) in [(a, 0), (a, 1), (b, 2), (b, 3)] {
            let others = format!("SELECT COUNT(*) FROM s{shard}.sbtest1 WHERE id%4<>{shard}");
            assert_eq!(server.query(&others), "0\n");
            assert_ne!(server.query(&format!("SELECT COUNT(*) FROM s{shard}.sbtest1")), "0\n");
        }
        let spools =
            producers.map(|producer| Spool::of(&write(&temp_dir(), "stream", producer.lines())));
        counted + merged_back(dir, &spools, &schema, &end, most.div_ceil(2), &mut delays)
    });
}

fn merged_back(
    dir: &Path,
    [a, b]: &[Spool; 2],
    schema: &str,
    end: &str,
    most: u32,
    delays: &mut Delays,
) -> u32 {
    let old = fresh(Kind::MariaDb);
    old.load(schema);
    let file = format!(
        "[source.a]\nspool = {:?}\n[source.b]\nspool = {:?}\n[target]\nold = \"{}\"\n{BACK}",
        a.path(),
        b.path(),
        bare(&old)
    );
    fs::write(dir.join("back.toml"), file).unwrap();
    let back = || knowing(sync(dir, "back", &SKIP), &[("OLD", &old)]);
    let counted = killed(&[&old], back, most, delays);
    assert_rows_equal(&old.dump(), end, "split, and merged back");
    counted
}

/// A server's URL without its password, and the password.
pub fn apart(server: &Server) -> (String, String) {
    let url = server.url();
    let (login, place) = url.rsplit_once('@').unwrap();
    let (user, password) = login.rsplit_once(':').unwrap();
    (format!("{user}@{place}"), password.to_owned())
}

fn bare(server: &Server) -> String {
    apart(server).0
}

/// With the passwords of these targets.
pub fn knowing(mut command: Command, servers: &[(&str, &Server)]) -> Command {
    for (name, server) in servers {
        command.env(format!("BINSYNC_TARGET_{name}_PASSWORD"), apart(server).1);
    }
    command
}
