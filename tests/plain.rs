//! Maxwell's default output carries no position, offset, server, thread, schema or key, and no DDL: into tables made
//! beforehand it still replays to the same rows, and the tool says once what is missing.

use crate::support::{
    Kind, Spool, assert_rows_equal, dump::schema_only, fresh, read, temp_dir, write,
};

const CUT: [&str; 7] = [
    "position",
    "xoffset",
    "server_id",
    "thread_id",
    "schema_id",
    "primary_key",
    "primary_key_columns",
];

/// A message without some of its outermost members; every other byte stays as it was.
fn without_members(line: &str) -> String {
    let bytes = line.as_bytes();
    let (mut depth, mut in_text, mut escaped, mut start) = (0, false, false, 1);
    let mut members = Vec::new();
    for (place, byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    members.push(&line[start..place]);
                }
            }
            b',' if depth == 1 => {
                members.push(&line[start..place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    members.retain(|member| !CUT.iter().any(|name| member.starts_with(&format!("\"{name}\":"))));
    format!("{{{}}}\n", members.join(","))
}

/// The recording as Maxwell would have sent it with its default settings.
fn plain(name: &str) -> String {
    let stream = read(&format!("{name}.jsonl"));
    let rows = stream.lines().filter(|line| line.starts_with("{\"database\""));
    rows.map(without_members).collect()
}

fn plain_spool(name: &str) -> (Spool, String) {
    let dir = temp_dir();
    let file = write(&dir, "plain.jsonl", plain(name));
    let spool = Spool::new();
    let said = spool.run(["import", file.to_str().unwrap()]).code(0).stderr;
    (spool, said)
}

fn default_output_into_tables_made_beforehand(name: &str) {
    let end = read(&format!("{name}.end.sql"));
    let server = fresh(Kind::of(name));
    server.load(&schema_only(&end));
    let (spool, imported) = plain_spool(name);
    let applied = spool.apply(&server.url(), [] as [&str; 0]).code(0).stderr;
    assert_rows_equal(&server.dump(), &end, name);
    let said = format!("{imported}{applied}");
    assert!(said.contains("position"), "what the missing positions cost is not said:\n{said}");
}

macro_rules! replay {
    ($($claim:ident: $name:literal,)*) => { $(#[test] fn $claim() { default_output_into_tables_made_beforehand($name) })* };
}

replay! {
    default_output_of_types_on_mariadb: "mariadb-types",
    default_output_of_types_on_mysql: "mysql-types",
    default_output_of_the_shop_on_mariadb: "mariadb-incident",
    default_output_of_the_shop_on_mysql: "mysql-incident",
    default_output_of_sysbench: "mariadb-sysbench",
}

#[test]
fn rendering_a_table_of_unknown_definition_stops_and_names_schema_add() {
    let end = read("mariadb-types.end.sql");
    let (spool, _) = plain_spool("mariadb-types");
    let run = spool.run(["render"]).one_of(&[1, 4]).says(&["schema add --from"]);
    assert!(!run.text().contains("INSERT"), "rows were rendered by guess");

    let server = fresh(Kind::MariaDb);
    server.load(&schema_only(&end));
    spool.run(["schema", "add", "--from", &server.url()]).code(0);
    server.feed(spool.render([] as [&str; 0]));
    assert_rows_equal(&server.dump(), &end, "rendered after schema add");
}

#[test]
fn members_are_cut_without_touching_the_rest() {
    let line = r#"{"database":"d","position":"b:1","xoffset":0,"primary_key":["a,]\"}"],"data":{"position":1.10,"x":[1,{"server_id":2}]}}"#;
    assert_eq!(
        without_members(line),
        "{\"database\":\"d\",\"data\":{\"position\":1.10,\"x\":[1,{\"server_id\":2}]}}\n"
    );
}
