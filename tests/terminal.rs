//! What stands on a real terminal when all is over.

use crate::support::{Spool, cli::harden, temp_dir};
use std::{
    io::{Read as _, Write as _},
    process::{Command, Stdio},
};

/// The lines that a wide terminal shows at last: what was written over or erased is gone.
fn screen(sent: &str) -> Vec<String> {
    let mut lines: Vec<Vec<char>> = vec![Vec::new()];
    let (mut row, mut column, mut chars) = (0, 0, sent.chars());
    while let Some(c) = chars.next() {
        match c {
            '\r' => column = 0,
            '\n' => row += 1,
            '\x1b' => {
                let rest = chars.as_str();
                let end = rest.find(|c: char| c.is_ascii_alphabetic()).unwrap();
                let number = rest[..end].trim_start_matches(['[', '?']).parse().ok();
                match &rest[end..=end] {
                    "A" => row -= number.unwrap_or(1),
                    "B" => row += number.unwrap_or(1),
                    "K" if number == Some(2) => lines[row].clear(),
                    "K" => lines[row].truncate(column),
                    "J" => lines.truncate(row + 1),
                    _ => {}
                }
                chars = rest[end + 1..].chars();
            }
            c => {
                let length = lines[row].len().max(column + 1);
                lines[row].resize(length, ' ');
                lines[row][column] = c;
                column += 1;
            }
        }
        lines.resize(lines.len().max(row + 1), Vec::new());
    }
    lines.iter().map(|line| line.iter().collect::<String>().trim_end().to_owned()).collect()
}

#[test]
fn the_bar_is_gone_after_ctrl_c() {
    let (spool, dir) = (Spool::recording("mariadb-incident"), temp_dir());
    let line = format!(
        "stty cols 200; exec {} --spool {} apply --target sqlite:{} --max-rows-per-second 100",
        env!("CARGO_BIN_EXE_binsync"),
        spool.path().display(),
        dir.path().join("shop.db").display()
    );
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]);
    harden(&mut script);
    script.env("TERM", "xterm").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut script = script.spawn().unwrap();
    let (mut keys, mut shown) = (script.stdin.take().unwrap(), script.stdout.take().unwrap());
    let (mut sent, mut part) = (Vec::new(), [0; 4096]);
    let text = |sent: &[u8]| String::from_utf8_lossy(sent).into_owned();
    // Twice, so that it is drawn anew while it is interrupted.
    while text(&sent).matches(" left").count() < 2 {
        let read = shown.read(&mut part).unwrap();
        assert!(read > 0, "no bar was drawn: {:?}", text(&sent));
        sent.extend(&part[..read]);
    }
    keys.write_all(b"\x03").unwrap();
    shown.read_to_end(&mut sent).unwrap();
    let status = script.wait().unwrap();
    let left = screen(&text(&sent));
    assert_eq!(status.code(), Some(4), "{left:?}");
    assert!(left.iter().any(|line| line.contains("stopped by a signal")), "{left:?}");
    let bar = |line: &&String| line.contains(" left") || line.contains('%') || line.contains('█');
    assert_eq!(left.iter().find(bar), None, "{left:?}");
}
