//! Names and values were written by strangers: what is shown of them is what is there.

use crate::support::{Spool, temp_dir, write};

/// An escape that colours, and a mark that turns the text behind it around.
const NAME: &str = "t\\u001b[31m\\u202e";

fn spool() -> Spool {
    let lines = [
        format!(
            r#"{{"type":"table-create","database":"d","table":"{NAME}","ts":1000,"position":"bin\u202e.000001:50","sql":"CREATE TABLE `{NAME}` (a INT) -- \u202e","def":{{"database":"d","table":"{NAME}","charset":"utf8mb4","primary-key":["{NAME}"],"columns":[{{"type":"int\u001b[31m\u202e","name":"{NAME}","signed":true}},{{"type":"varchar","name":"v","charset":"utf8mb4"}}]}}}}"#
        ),
        format!(
            r#"{{"database":"d","table":"{NAME}","type":"insert","ts":2,"xid":1,"commit":true,"position":"bin\u202e.000001:100","primary_key_columns":["{NAME}"],"data":{{"{NAME}":1,"v":"gpj.\u202eexe\u2028\u200b\u001b[31m"}}}}"#
        ),
        format!(
            r#"{{"database":"d","table":"{NAME}","type":"update","ts":3,"xid":2,"commit":true,"position":"bin\u202e.000001:200","primary_key_columns":["{NAME}"],"data":{{"{NAME}":1,"v":"\u202eb"}},"old":{{"v":"gpj.\u202eexe"}}}}"#
        ),
    ];
    let dir = temp_dir();
    let spool = Spool::new();
    let file = write(&dir, "strange.jsonl", lines.join("\n"));
    spool.run(["import", file.to_str().unwrap()]).code(0);
    spool
}

/// Nothing that a terminal obeys, and nothing that a reader does not see.
#[track_caller]
fn is_plain(text: &str) {
    let odd = |c: char| c != '\n' && c.is_control() || "\u{202e}\u{2028}\u{200b}".contains(c);
    assert!(!text.contains(odd), "{text:?}");
}

#[test]
fn what_is_printed_of_them_hides_nothing() {
    let spool = spool();
    let table = "d.t\u{1b}[31m\u{202e}";
    let key = "t\u{1b}[31m\u{202e}=1";
    let asked: [&[&str]; 9] = [
        &["schema", "show"],
        &["log"],
        &["stats"],
        &["search", "exe"],
        &["search", "CREATE"],
        &["history", table, key],
        &["spool", "ls"],
        &["log", "--table", &format!("d.`{}`", &table[2..])],
        &["log", "--since", "1970-01-01T01:00Z"],
    ];
    for args in asked {
        let run = spool.run(args).one_of(&[0, 3]);
        is_plain(&run.text());
        is_plain(&run.stderr);
    }
    for (args, shown) in [
        (&["schema", "show"][..], "int\\x1B[31m\\u{202e}"),
        (&["log"], "d.t\\x1B[31m\\u{202e} +1"),
        (&["search", "exe"], "gpj.\\u{202e}exe"),
        (&["stats"], "\\u{202e}"),
    ] {
        let text = spool.run(args).code(0).text();
        assert!(text.contains(shown), "{args:?} does not show {shown}: {text}");
    }
    let versions = spool.run(["history", table, key]).code(0).text();
    // The producer's own tokens.
    assert!(versions.contains("\\u202e"), "{versions}");
    // Errors name them, too.
    let none = spool.run(["log", "--table", "t\u{202e}"]).code(2);
    is_plain(&none.stderr);
    let dir = temp_dir();
    let url = format!("sqlite:{}", dir.path().join("a\u{202e}.db").display());
    let run = spool.apply(&url, ["--dry-run"]).code(0);
    is_plain(&run.text());
    is_plain(&run.stderr);
}

#[test]
fn a_spreadsheet_takes_no_text_for_a_formula_where_asked() {
    let row = r#"{"database":"d","table":"t","type":"insert","ts":5,"xid":1,"commit":true,"data":{"a":"=HYPERLINK(1)","b":-5}}"#;
    let dir = temp_dir();
    let spool = Spool::of(&write(&dir, "one.jsonl", row));
    let csv = ["export", "--format", "csv", "--flatten"];
    assert!(spool.run(csv).code(0).text().contains(",=HYPERLINK(1),-5,"));
    let safe = spool.run([&csv[..], &["--csv-safe"]].concat()).code(0).text();
    assert!(safe.contains(",'=HYPERLINK(1),-5,"), "{safe}");
    spool.run(["export", "--format", "jsonl", "--csv-safe"]).code(2).says(&["--format csv"]);
}
