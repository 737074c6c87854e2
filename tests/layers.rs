//! The direction of dependencies, that no files use each other in a circle, and which file may name which crate.
//!
//! Reads `src/` as text: `crate::…` paths for the arrows, crate names for the edges.

mod circles;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The modules a module may name; whatever is not listed is forbidden.
const ARROWS: [(&str, &[&str]); 21] = [
    ("error", &[]),
    ("retry", &[]),
    ("event", &["error"]),
    ("filter", &["event", "error"]),
    ("route", &["filter", "event", "error"]),
    ("config", &["route", "filter", "event", "error"]),
    ("plan", &["event", "error"]),
    ("sql", &["plan", "event", "error"]),
    ("mysql", &["event", "error"]),
    ("source", &["mysql", "sql", "event", "retry", "error"]),
    ("archive", &["retry", "error"]),
    ("binlog", &["event", "error"]),
    ("spool", &["archive", "event", "error"]),
    ("dest", &["mysql", "sql", "plan", "route", "event", "error"]),
    ("capture", &["binlog", "source", "spool", "event", "error"]),
    ("select", &["spool", "filter", "event", "error"]),
    (
        "replay",
        &[
            "select", "source", "spool", "dest", "mysql", "sql", "plan", "route", "filter",
            "event", "retry", "error",
        ],
    ),
    (
        "compare",
        &[
            "replay", "source", "spool", "dest", "mysql", "sql", "plan", "route", "filter",
            "event", "error",
        ],
    ),
    ("read", &["select", "spool", "filter", "event", "error"]),
    ("doctor", &["replay", "source", "spool", "dest", "plan", "route", "filter", "event", "error"]),
    (
        "cli",
        &[
            "binlog", "select", "capture", "replay", "compare", "read", "doctor", "source",
            "spool", "dest", "mysql", "sql", "config", "route", "filter", "event", "error",
        ],
    ),
];

/// Of the spool's rooms, those that a room may not name: the ones behind it, and what is asked of
/// the whole.
const ROOMS: [(&str, &[&str]); 3] =
    [("spool/store", &["follow", "index"]), ("spool/follow", &["index"]), ("spool/index", &[])];
/// What any room may name of the spool besides rooms.
const SHARED: [&str; 4] = ["types", "store", "follow", "index"];

/// The only files that may name a crate (a folder stands for all in it).
const EDGES: [(&str, &[&str]); 25] = [
    ("aes", &["binlog/crypt", "event/cipher"]),
    ("cbc", &["event/cipher"]),
    ("async_rs", &["source/amqp"]),
    ("lapin", &["source/amqp"]),
    ("tokio", &["source/amqp"]),
    (
        "mysql",
        &[
            "mysql",
            "dest/mysql",
            "compare/side",
            "source/copy",
            "source/told",
            "source/mark",
            "source/settings",
        ],
    ),
    ("mysql_common", &["mysql", "dest/mysql"]),
    ("encoding_rs", &["binlog/charset"]),
    ("futures_rustls", &["source/amqp/tls"]),
    ("ring", &["archive", "binlog/crypt", "source/amqp/tls", "source/management", "mysql/tls"]),
    (
        "rustls",
        &["archive/bucket", "source/amqp/tls", "source/management", "mysql/tls", "mysql/tunnel"],
    ),
    ("ureq", &["archive/bucket", "source/management"]),
    ("url", &["cli/server"]),
    ("percent_encoding", &["archive/bucket", "cli/server", "source/management"]),
    ("rusqlite", &["spool/index", "dest/sqlite"]),
    ("zstd", &["spool/store/segment", "source/packing", "binlog/payload", "cli/demo"]),
    ("globset", &["filter"]),
    ("strsim", &["filter", "config/mistakes"]),
    ("toml", &["config"]),
    ("clap", &["cli", "main"]),
    ("clap_complete", &["cli/shell"]),
    ("clap_mangen", &["cli/shell"]),
    ("terminal_size", &["cli/stats"]),
    ("unicode_normalization", &["event/typed"]),
    ("indicatif", &["cli/output", "cli/signals"]),
];

fn sources() -> BTreeMap<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut found, mut folders) = (BTreeMap::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("src") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source file");
                let code: Vec<&str> =
                    text.lines().filter(|l| !l.trim_start().starts_with("//")).collect();
                let name = path.strip_prefix(&root).expect("inside src").with_extension("");
                found.insert(name, code.join("\n"));
            }
        }
    }
    assert!(found.len() > 20, "src/ was not found");
    found
}

/// True when `code` names the path `name::…`, not merely a longer name that ends so.
fn names(code: &str, name: &str) -> bool {
    code.match_indices(&format!("{name}::")).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    })
}

#[test]
fn no_module_names_one_that_comes_before_it_on_the_way_of_the_data() {
    let mut wrong = Vec::new();
    for (file, code) in sources() {
        let first = file.components().next().expect("a name").as_os_str();
        let module = first.to_string_lossy();
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == module) else {
            assert!(["lib", "main"].contains(&&*module), "{module} has no place in ARROWS");
            continue;
        };
        for (other, _) in ARROWS {
            let named = code.contains(&format!("crate::{other}"));
            if named && other != module && !allowed.contains(&other) {
                wrong.push(format!("{} names {other}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_room_of_the_spool_names_one_that_comes_after_it() {
    let mut wrong = Vec::new();
    for (file, code) in sources() {
        let room = ROOMS.iter().find(|(room, _)| file.starts_with(room));
        let Some((_, behind)) = room else { continue };
        let named = code.split("crate::spool::").skip(1).map(|path| {
            path.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
        });
        for name in named.filter(|name| behind.contains(name) || !SHARED.contains(name)) {
            wrong.push(format!("{} names {name}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn each_edge_crate_is_named_at_its_edge_only() {
    let mut wrong = Vec::new();
    for (file, code) in sources() {
        for (name, places) in EDGES {
            let home = places.iter().any(|p| file.to_string_lossy().starts_with(p));
            if !home && names(&code, name) {
                wrong.push(format!("{} names {name}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_core_touches_neither_files_nor_clocks_nor_the_terminal() {
    let banned = [
        "std::fs",
        "std::net",
        "std::env",
        "std::time",
        "std::io",
        "Timestamp::now",
        "Zoned::now",
        "println!",
    ];
    let core = ["event", "filter", "route", "plan", "sql", "error"];
    for (file, code) in sources() {
        let module =
            file.components().next().expect("a name").as_os_str().to_string_lossy().into_owned();
        if core.contains(&module.as_str()) {
            for word in banned {
                assert!(!code.contains(word), "{} uses {word}", file.display());
            }
        }
    }
}

#[test]
fn no_file_is_in_a_circle_with_another() {
    let found = circles::circles(&sources());
    assert!(found.is_empty(), "{found:#?}");
}

/// Flags of other programs, which a text may name.
const FOREIGN: [&str; 2] = ["--apply-to", "--long"];

#[test]
fn only_the_command_line_names_its_flags() {
    let mut wrong = Vec::new();
    for (file, code) in sources() {
        let name = file.to_string_lossy();
        if name.starts_with("cli") || name.contains("tests") {
            continue;
        }
        let code = code.split("#[cfg(test)]\nmod").next().unwrap_or_default();
        for (at, _) in code.match_indices("--") {
            let of_a_name = |c: char| c.is_alphanumeric() || c == '-';
            let is_flag = code[at + 2..].starts_with(|c: char| c.is_ascii_lowercase())
                && !code[..at].ends_with(of_a_name)
                && !FOREIGN.iter().any(|flag| code[at..].starts_with(flag));
            if is_flag {
                let flag: String = code[at..].chars().take_while(|c| of_a_name(*c)).collect();
                wrong.push(format!("{name}: {flag}"));
            }
        }
    }
    assert!(wrong.is_empty(), "errors name `Means`, which src/cli/words.rs words: {wrong:#?}");
}
