//! The demo runs its commands as shown, and says that the rows are back only after a comparison.

use crate::support::{binsync, temp_dir};

#[test]
fn the_demo_finds_the_accident_and_takes_it_back() {
    let said = binsync(["demo"]).ok();
    for words in [
        "$ binsync import",
        "--reverse --xid 364253,364255",
        "0 orders",
        "902 orders",
        "The rows are back.",
    ] {
        assert!(said.contains(words), "{words} is missing:\n{said}");
    }
    assert!(said.lines().count() < 60, "{said}");
}

#[test]
fn the_demo_touches_no_spool_that_is_there() {
    let dir = temp_dir();
    std::fs::write(dir.path().join("x"), "").unwrap();
    let place = dir.path().to_str().unwrap();
    binsync(["demo", "--spool", place]).code(2).says(&[place, "--spool"]);
}
