//! Wrong files, each with the place, the key and the advice that is told; and right ones.

use std::path::Path;

use super::*;
use crate::route::shard::By;

/// What every wrong file begins with, on lines 1 to 8.
const HEAD: &str = r#"[source.old]
spool = "spool/old"
mysql = "mysql://u@old"
[target]
new0 = "mysql://u@new0"
new1 = "mysql://u@new1"
[sync.split]
from = ["old"]
"#;

fn url(key: &str, url: &str) -> Result<Place> {
    let Some((_, rest)) = url.split_once("://") else {
        return Err(Error::usage(format!("{key}: is no database URL")).help("write it right"));
    };
    let (user, host) = rest.split_once('@').unwrap_or(("", rest));
    Ok(Place { identity: host.to_owned(), holds_password: user.contains(':') })
}

fn parse(text: &str) -> Result<Config> {
    Config::parse(Path::new("b.toml"), text, &url)
}

/// The mistakes in a text, without the line that counts them.
fn mistakes(text: &str) -> Vec<String> {
    let error = match parse(text) {
        Ok(_) => return Vec::new(),
        Err(error) => error.to_string(),
    };
    let mut lines = error.lines();
    let counted = lines.next().unwrap_or_default().to_owned();
    let told: Vec<String> = lines.map(|line| line.trim().replace("b.toml:", "")).collect();
    assert!(counted.starts_with(&format!("b.toml: {} mistake", told.len())), "{error}");
    told
}

/// A route, which begins on line 9.
fn route(keys: &str) -> String {
    format!("{HEAD}[[sync.split.route]]\n{keys}\n")
}

/// A sharded route; the shard is on line 11, its places on line 12.
fn shard(shard: &str, to: &str) -> String {
    route(&format!("tables = [\"crm.*\"]\nshard = {{ column = \"id\", {shard} }}\nto = {{ {to} }}"))
}

/// A text, and what has to be told of it: each with the place it begins with and a word.
type Wrong = (String, &'static [(&'static str, &'static str)]);

fn wrong_keys_and_types() -> Vec<Wrong> {
    let of = |text: &str| text.to_owned();
    vec![
        (
            of("[source.old]\nspol = \"x\"\n"),
            &[
                ("1:9: source.old.spool: is missing", ""),
                ("2:1: source.old.spol: there is no such key", "did you mean \"spool\"?"),
            ],
        ),
        (of("[sources.old]\nspool = \"x\"\n"), &[("1:2: sources: there is no", "\"source\"?")]),
        (of("frobnicate = 1\n"), &[("1:1: frobnicate:", "there is source, target, sync")]),
        (of("[source.old]\nspool = 5\n"), &[("2:9: source.old.spool: is a number", "a text")]),
        (of("source = 5\n"), &[("1:10: source: is a number", "a table")]),
        (of("[source]\nold = \"x\"\n"), &[("2:7: source.old: is a text", "a table")]),
        (of("[source.Old]\nspool = \"x\"\n"), &[("1:9: source.Old:", "small letters")]),
        (of("[source.old]\nspool = \"x\"\nspool = \"y\"\n"), &[("3:1: ", "duplicate")]),
        (of("[source.old]\nspool = \"x\n"), &[("2:", "")]),
        (of("[source.old\n"), &[("1:", "")]),
        (
            of("[source.a]\nspool = \"x\"\n[source.b]\nspool = \"x\"\n"),
            &[("4:1: source.b.spool: is the spool of source.a", "")],
        ),
        (
            of("[source.a]\nspool = \"x\"\nmysql = \"sqlite://x\"\n"),
            &[("3:9: source.a.mysql: is a file", "")],
        ),
        (
            of("[target]\na = \"mysql://u:secret@a\"\n"),
            &[("2:5: target.a: a password", "BINSYNC_TARGET_A_PASSWORD")],
        ),
        (
            of("[source.a]\nspool = \"x\"\nmysql = \"mysql://u:secret@a\"\n"),
            &[("3:9: source.a.mysql: a password", "BINSYNC_SOURCE_A_MYSQL_PASSWORD")],
        ),
        (
            of("[target]\na = \"host\"\n"),
            &[("2:5: target.a: is no database URL", "write it right")],
        ),
        (
            of("[target]\na = \"mysql://u@x\"\nb = \"mysql://v@x\"\n"),
            &[("3:1: target.b: is target.a, too", "")],
        ),
    ]
}

fn wrong_syncs() -> Vec<Wrong> {
    let to_new0 = "\n[[sync.split.route]]\ntables = [\"*.*\"]\nto = \"new0\"\n";
    let of = |from: &str| HEAD.replace("from = [\"old\"]", from) + to_new0;
    vec![
        (HEAD.to_owned(), &[("7:7: sync.split.route: is missing", "")]),
        (of(""), &[("7:7: sync.split.from: is missing", "")]),
        (of("from = [\"odl\"]"), &[("8:9: sync.split.from: no source is called", "\"old\"?")]),
        (
            of("from = [\"mysql://u:secret@h\"]"),
            &[("8:9: sync.split.from: a source is named", "not by its URL")],
        ),
        (
            str::to_owned(
                "[source.a]\nspool = \"x\"\n[target]\nt = \"sqlite://f\"\n[sync.s]\nfrom = [\"a\"]\ncopy = true\n\
                 [[sync.s.route]]\ntables = [\"d.*\"]\nto = \"t\"\nmerge = true\n",
            ),
            &[
                ("5:7: sync.s.copy: goes to servers", "target.t is a file"),
                ("5:7: sync.s.copy: is read from", "source.a.mysql"),
                ("5:7: sync.s.copy: writes over", "d.* are merged"),
            ],
        ),
        (
            str::to_owned(
                "[source.a]\nspool = \"x\"\nmysql = \"mysql://u@a\"\n[source.b]\nspool = \"y\"\n\
                 mysql = \"mysql://u@b\"\n[target]\nt = \"mysql://u@t\"\n[sync.s]\nfrom = [\"a\", \"b\"]\n\
                 copy = true\n[[sync.s.route]]\ntables = [\"d.*\"]\nto = \"t\"\n",
            ),
            &[("9:7: sync.s.copy: copies several sources", "{source}")],
        ),
        (
            of("from = [\"old\"]\ncopy = 1"),
            &[("9:8: sync.split.copy: is a number", "true or false")],
        ),
        (of("from = []"), &[("8:8: sync.split.from: names no source", "")]),
        (of("from = [\"old\", \"old\"]"), &[("8:16: sync.split.from: \"old\" is there twice", "")]),
        (of("from = \"old\""), &[("8:8: sync.split.from: is a text", "a list")]),
        (
            of("from = [\"old\"]\nundo = \"x\""),
            &[("9:1: sync.split.undo: there is no", "from, route")],
        ),
        (
            HEAD.replace("@new0", "@old") + to_new0,
            &[("7:7: sync.split: a source and a target are one server", "old")],
        ),
        (
            "[source.new0]\nspool = \"n\"\nmysql = \"mysql://u@new0\"\n[sync.back]\n\
             from = [\"new0\"]\n[[sync.back.route]]\ntables = [\"a.*\"]\nto = \"old\"\n"
                .to_owned()
                + &HEAD.replace("[target]\n", "[target]\nold = \"mysql://u@old\"\n")
                + to_new0,
            &[("16:7: sync.split: a loop", "for ever")],
        ),
    ]
}

fn wrong_routes() -> Vec<Wrong> {
    let of = |keys: &str| route(keys);
    let two = |first: &str, second: &str| route(first) + "[[sync.split.route]]\n" + second + "\n";
    vec![
        (of("to = \"new0\""), &[("9:1: sync.split.route.tables: is missing", "")]),
        (of("tables = [\"crm.*\"]"), &[("9:1: sync.split.route.to: is missing", "")]),
        (
            of("tables = [\"!crm.*\"]\nto = \"new0\""),
            &[("10:10: sync.split.route.tables: takes no", "")],
        ),
        (of("tables = [\"orders\"]\nto = \"new0\""), &[("10:11: ", "DATABASE.TABLE")]),
        (of("tables = [\"crm.[\"]\nto = \"new0\""), &[("10:10: sync.split.route.tables:", "glob")]),
        (
            of("tables = [\"crm.*\"]\nto = \"new2:x\""),
            &[("11:6: sync.split.route.to: no target", "\"new0\"?")],
        ),
        (
            of("tables = [\"crm.*\"]\nto = \"new0:x.{tabel}\""),
            &[("11:6: sync.split.route.to: {tabel}", "{table}")],
        ),
        (
            of("tables = [\"crm.*\"]\nto = \"new0:\""),
            &[("11:6: sync.split.route.to: is written", "TARGET:")],
        ),
        (
            of("tables = [\"crm.*\"]\nto = \"new0\"\nmerge = \"yes\""),
            &[("12:9: sync.split.route.merge:", "true or false")],
        ),
        (
            of("tables = [\"a.x\", \"b.x\"]\nto = \"new0:c\""),
            &[("9:1: sync.split.route: a.x and b.x both go to new0:c.x", "merge = true")],
        ),
        (
            two("tables = [\"crm.*\"]\nto = \"new0\"", "tables = [\"crm.orders\"]\nto = \"new1\""),
            &[("12:1: sync.split.route: is never reached", "route 1")],
        ),
        (
            two("tables = [\"a.x\"]\nto = \"new0:c\"", "tables = [\"b.x\"]\nto = \"new0:c\""),
            &[("12:1: sync.split.route: a.x and b.x", "new0:c.x")],
        ),
        (
            of("tables = [\"crm.*\"]\nto = \"new0\"\ncolumns = { dorp = [\"a\"] }"),
            &[("12:13: sync.split.route.columns.dorp:", "\"drop\"?")],
        ),
        (
            of(
                "tables = [\"crm.*\"]\nto = \"new0\"\ncolumns = { drop = [\"a\"], rename = { A = \"b\" } }",
            ),
            &[("12:1: sync.split.route.columns: \"a\" is dropped", "")],
        ),
        (
            of(
                "tables = [\"crm.*\"]\nto = \"new0\"\ncolumns = { rename = { a = \"b\" }, set = { B = 1 } }",
            ),
            &[("12:1: sync.split.route.columns: two columns", "\"B\"")],
        ),
        (
            of("tables = [\"crm.*\"]\nto = \"new0\"\ncolumns = { null = { a = 1.5 } }"),
            &[("12:26: sync.split.route.columns.null.a:", "whole number")],
        ),
    ]
}

fn wrong_shards() -> Vec<Wrong> {
    let two = "0 = \"new0:a\", 1 = \"new1:b\"";
    let named = "a = \"new0:a\", b = \"new1:b\"";
    vec![
        (
            route("tables = [\"crm.*\"]\nshard = { modulo = 1 }\nto = { 0 = \"new0:a\" }"),
            &[("11:1: sync.split.route.shard.column: is missing", "")],
        ),
        (shard("all = [0]", two), &[("11:1: sync.split.route.shard: has none of", "modulo")]),
        (
            shard("modulo = 2, values = {}", two),
            &[("11:1: sync.split.route.shard: has several", "")],
        ),
        (shard("modulo = 0", two), &[("11:35: sync.split.route.shard.modulo: has to be", "")]),
        (
            shard("modulo = 3", two),
            &[("11:26: sync.split.route.shard.modulo: \"2\" has no place", "")],
        ),
        (shard("modulo = 1", two), &[("11:26: sync.split.route.shard.modulo: no value", "\"1\"")]),
        (
            shard("modulo = 2", "0 = \"new0:a\", 1 = \"new0:a\""),
            &[("12:26: sync.split.route.to.1: is the place of \"0\"", "")],
        ),
        (
            shard("modulo = 2, null = \"thorw\"", two),
            &[("11:45: sync.split.route.shard.null: is one of", "stop")],
        ),
        (
            shard("modulo = 2, without = 2", two),
            &[("11:48: sync.split.route.shard.without:", "places")],
        ),
        (
            shard("ranges = { a = \"..10\", b = \"20..\" }", named),
            &[("11:26: sync.split.route.shard.ranges: a gap from 10 to 20", "")],
        ),
        (
            shard("ranges = { a = \"..10\", b = \"5..\" }", named),
            &[("11:26: sync.split.route.shard.ranges: \"a\" and \"b\"", "both")],
        ),
        (
            shard("ranges = { a = \"10..5\", b = \"5..\" }", named),
            &[("11:41: sync.split.route.shard.ranges.a: is written", "FROM..TO")],
        ),
        (
            shard("values = { a = [\"x\"], b = [\"x\"] }", named),
            &[("11:53: sync.split.route.shard.values.b: x goes to \"a\"", "")],
        ),
        (
            shard("values = { a = [\"x\"] }", named),
            &[("11:26: sync.split.route.shard.values: no value goes", "\"b\"")],
        ),
        (
            shard("values = { all = [1] }", "all = \"new0:a\""),
            &[("11:1: sync.split.route.shard: \"all\" is no name", "")],
        ),
        (
            route("tables = [\"crm.*\"]\nto = { 0 = \"new0:a\" }"),
            &[("11:1: sync.split.route.to: several places need", "shard")],
        ),
        (
            route("tables = [\"crm.*\"]\nshard = { column = \"id\", modulo = 1 }\nto = \"new0\""),
            &[("12:6: sync.split.route.to: has a place", "shards")],
        ),
    ]
}

#[test]
fn wrong_files_are_told_with_line_column_key_and_advice() {
    let all = [wrong_keys_and_types(), wrong_syncs(), wrong_routes(), wrong_shards()].concat();
    assert!(all.len() >= 50, "{}", all.len());
    let mut failed = Vec::new();
    for (text, wanted) in all {
        let told = mistakes(&text);
        let fits = told.len() == wanted.len()
            && told.iter().zip(wanted).all(|(told, (begin, word))| {
                told.starts_with(begin) && told.contains(word) && !told.contains("secret")
            });
        if !fits {
            failed.push(format!("{text}\nis told\n{told:#?}\nand has to be\n{wanted:#?}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[test]
fn all_mistakes_are_told_at_once() {
    let text = shard("modulo = 3, null = \"x\"", "0 = \"new0:a\", 1 = \"new9:b\"") + "spol = 1\n";
    let told = mistakes(&text.replace("new0 = \"mysql://u@new0\"", "new0 = \"x\""));
    let begins = ["5:8: ", "11:26: ", "11:45: ", "12:26: ", "13:1: "];
    assert_eq!(told.len(), begins.len(), "{told:#?}");
    assert!(told.iter().zip(begins).all(|(told, begin)| told.starts_with(begin)), "{told:#?}");
}

#[test]
fn a_right_file_is_what_it_says() {
    let text = include_str!("../cli/config/example.toml");
    let config = parse(text).expect("the example is right");
    let sync = config.sync("split").expect("a sync");
    assert_eq!(sync.targets(), ["new0", "new1"]);
    assert_eq!(config.source("old").expect("a source").spool, Path::new("spool/old"));
    let variable = &config.target("new1").expect("a target").address.variable;
    assert_eq!(variable, "BINSYNC_TARGET_NEW1_PASSWORD");
    let [log, rest] = &sync.routes[..] else { panic!("two routes") };
    assert_eq!(log.columns.null, [("city".to_owned(), "0")]);
    assert_eq!(log.columns.set, [("origin".to_owned(), "\"{source}\"")]);
    assert!(log.shard.is_none() && log.places.len() == 1 && rest.places.len() == 2);
    let shard = rest.shard.as_ref().expect("a shard");
    assert!(matches!(shard.by, By::Modulo) && shard.all == ["0"]);
    let error = config.sync("spilt").expect_err("no such sync").to_string();
    assert!(error.contains("did you mean \"split\"?"), "{error}");
}

#[test]
fn the_places_of_a_modulo_are_in_the_order_of_their_numbers() {
    let to: Vec<String> = (0..12).map(|n| format!("{n} = \"new0:d{n}\"")).collect();
    let text = shard("modulo = 12", &to.join(", "));
    let config = parse(&text).expect("a right file");
    let places = &config.syncs[0].routes[0].places;
    let names: Vec<String> = places
        .iter()
        .map(|to| to.name.of(&crate::event::TableName::new("crm", "t"), "").database)
        .collect();
    assert_eq!(names[2], "d2");
    assert_eq!(names[11], "d11");
}
