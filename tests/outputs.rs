//! Where a command writes: what is there stays, pipes and devices are written to, and a signal ends it with a word.

use crate::support::{Running, Spool, temp_dir};
use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink},
    path::Path,
    process::{Command, Stdio},
    thread,
};

const ORDERS: [&str; 4] = ["render", "--table", "shop.orders", "--type=insert"];

fn render(spool: &Spool, to: &Path, more: &[&str]) -> crate::support::Run {
    let to = ["-o", to.to_str().unwrap()];
    spool.run([&ORDERS[..], &to, more].concat())
}

fn is_whole(sql: &str) -> bool {
    sql.lines().last().is_some_and(|line| line.starts_with("-- binsync: complete: "))
}

#[test]
fn a_file_that_is_there_is_replaced_only_by_force() {
    let (spool, dir) = (Spool::recording("mariadb-incident"), temp_dir());
    let file = dir.path().join("undo.sql");
    render(&spool, &file, &[]).code(0);
    let sql = fs::read_to_string(&file).unwrap();
    assert!(is_whole(&sql));
    fs::write(&file, "mine").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let refused = render(&spool, &file, &[]).code(2);
    refused.says(&["undo.sql is there already", "--force"]);
    assert_eq!(fs::read(&file).unwrap(), b"mine");
    render(&spool, &file, &["--force"]).code(0);
    assert_eq!(fs::read_to_string(&file).unwrap(), sql);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    let dash = render(&spool, Path::new("-"), &[]).code(0).text();
    assert_eq!(dash, sql);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn links_and_folders_are_not_replaced_even_by_force() {
    let (spool, dir) = (Spool::recording("mariadb-incident"), temp_dir());
    let [file, link, dangling] = ["file", "link", "dangling"].map(|name| dir.path().join(name));
    fs::write(&file, "mine").unwrap();
    symlink(&file, &link).unwrap();
    symlink(dir.path().join("nowhere"), &dangling).unwrap();
    for more in [&[][..], &["--force"]] {
        for link in [&link, &dangling] {
            render(&spool, link, more).code(2).says(&["a link"]);
            assert!(fs::symlink_metadata(link).unwrap().is_symlink());
        }
        render(&spool, dir.path(), more).code(2).says(&["a folder", "--split"]);
    }
    assert_eq!(fs::read(&file).unwrap(), b"mine");
    let folder = dir.path().join("folder");
    fs::create_dir(&folder).unwrap();
    let linked = dir.path().join("linked");
    symlink(&folder, &linked).unwrap();
    for place in [&file, &link, &dangling, &linked] {
        let run = render(&spool, place, &["--split", "table"]).code(2);
        run.says(&["there already, and no folder"]);
    }
    assert!(fs::read_dir(&folder).unwrap().next().is_none());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 5, "something is left behind");
}

#[test]
fn pipes_and_devices_are_written_to() {
    let (spool, dir) = (Spool::recording("mariadb-incident"), temp_dir());
    let [pipe, null, out] = ["pipe", "null", "out"].map(|name| dir.path().join(name));
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = pipe.clone();
    let reader = thread::spawn(move || fs::read_to_string(reader).unwrap());
    render(&spool, &pipe, &[]).code(0);
    assert!(is_whole(&reader.join().unwrap()));
    // Whoever goes away has seen enough.
    let reader = pipe.clone();
    let reader = thread::spawn(move || File::open(reader).unwrap().read(&mut [0; 10]).unwrap());
    let all = ["render", "-o", pipe.to_str().unwrap()];
    spool.run(all).code(0);
    reader.join().unwrap();
    assert!(fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());
    symlink("/dev/null", &null).unwrap();
    render(&spool, &null, &[]).code(0);
    symlink("/proc/self/fd/1", &out).unwrap();
    assert!(is_whole(&render(&spool, &out, &[]).code(0).text()));
    assert!([null, out].iter().all(|link| fs::symlink_metadata(link).unwrap().is_symlink()));
}

/// Reads a little, sends the signal, then reads the rest: the status, stdout and stderr.
/// The same command, which hears a hangup also where this suite runs in a session that outlives its terminal.
fn hears_hangups(command: &Command) -> Command {
    let mut heard = Command::new("env");
    heard.arg("--default-signal=HUP").arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => heard.env(name, value),
            None => heard.env_remove(name),
        };
    }
    if let Some(dir) = command.get_current_dir() {
        heard.current_dir(dir);
    }
    heard
}

fn interrupted(command: Command, signal: &str) -> (i32, String, String) {
    let mut command = hears_hangups(&command);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut bytes = vec![0; 1000];
    out.read_exact(&mut bytes).unwrap();
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    thread::sleep(std::time::Duration::from_millis(300));
    out.read_to_end(&mut bytes).unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    let code = child.wait().unwrap().code().unwrap_or(-1);
    (code, String::from_utf8_lossy(&bytes).into_owned(), said)
}

#[test]
fn a_signal_stops_what_writes_and_it_says_so() {
    let spool = Spool::recording("mariadb-sysbench");
    for signal in ["-INT", "-TERM", "-HUP"] {
        let (code, sql, said) = interrupted(spool.command(["render"]), signal);
        assert_eq!(code, 4, "{said}");
        assert!(said.contains("stopped by a signal") && !is_whole(&sql), "{said}");
        let export = spool.command(["export", "--format", "jsonl"]);
        let (code, _, said) = interrupted(export, signal);
        assert_eq!(code, 4, "{said}");
        assert!(said.contains("stopped by a signal") && said.contains("--name"), "{said}");
    }
    let dir = temp_dir();
    let to = dir.path().join("out.sql");
    for more in [&[][..], &["--split", "transaction"]] {
        let args = [&["render", "-o", to.to_str().unwrap()], more].concat();
        let mut run = Running::start(spool.command(args));
        let began = || fs::read_dir(dir.path()).unwrap().next().is_some();
        assert!(run.until(began), "it ended before it was stopped");
        run.signal("-INT");
        let (status, said) = run.end();
        assert_eq!(status.code(), Some(4), "{said}");
        assert!(said.contains("not complete"), "{said}");
        assert!(fs::read_dir(dir.path()).unwrap().next().is_none(), "something is left behind");
    }
}

#[test]
fn a_hangup_ends_in_good_order_unless_it_is_to_be_outlived() {
    let (spool, dir) = (Spool::recording("mariadb-edges"), temp_dir());
    let file = dir.path().join("out.jsonl");
    let export = "exec \"$0\" --spool \"$1\" export --format jsonl --follow > \"$2\"";
    for (trap, ends) in [("", true), ("trap '' HUP; ", false)] {
        let mut sh = Command::new("sh");
        sh.arg("-c").arg(format!("{trap}{export}")).arg(env!("CARGO_BIN_EXE_binsync"));
        sh.arg(spool.path()).arg(&file);
        let mut run = Running::start(hears_hangups(&sh));
        let all = fs::metadata(crate::support::recording("mariadb-edges")).unwrap().len();
        assert!(run.until(|| fs::metadata(&file).is_ok_and(|f| f.len() >= all)));
        run.signal("-HUP");
        if !ends {
            let started = std::time::Instant::now();
            assert!(run.until(|| started.elapsed().as_millis() > 800), "the hangup ended it");
            run.signal("-TERM");
        }
        let (status, said) = run.end();
        assert_eq!(status.code(), Some(0), "{said}");
        fs::remove_file(&file).unwrap();
    }
}

/// Runs a command on a terminal of that kind; what it shows.
fn on_terminal(spool: &Spool, term: &str, args: &str) -> String {
    let line =
        format!("{} --spool {} {args}", env!("CARGO_BIN_EXE_binsync"), spool.path().display());
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).env("TERM", term).env_remove("NO_COLOR");
    let done = script.stdin(Stdio::null()).output().expect("script");
    String::from_utf8_lossy(&done.stdout).into_owned()
}

#[test]
fn a_dumb_terminal_gets_text_and_nothing_else() {
    let spool = Spool::recording("mariadb-incident");
    let shown = |term| on_terminal(&spool, term, "search c33@example.com");
    assert!(shown("xterm").contains("\x1b[1;31mc33@example.com"));
    let plain = shown("dumb");
    assert!(plain.contains("c33@example.com") && !plain.contains('\x1b'), "{plain:?}");
}

#[test]
fn an_error_is_told_on_a_clean_screen() {
    let spool = Spool::recording("mariadb-incident");
    let shown = on_terminal(&spool, "xterm", "log --xid 5");
    let (before, _) = shown.split_once("binsync: no transaction with xid 5").expect(&shown);
    assert!(before.ends_with('\n') || before.ends_with("\x1b[2K"), "{shown:?}");
}

#[test]
fn tables_apart_are_counted_as_the_transactions_they_are_of() {
    let (spool, dir) = (Spool::recording("mariadb-incident"), temp_dir());
    let to = dir.path().join("out");
    let undo = ["render", "--reverse", "--xid", "364253,364255", "-o", to.to_str().unwrap()];
    let run = spool.run([&undo[..], &["--split", "table"]].concat()).code(0);
    run.says(&["1,301 row events in 2 transactions"]);
    let whole = spool.run(&undo[..4]).code(0);
    assert!(
        whole.text().ends_with("complete: 1301 row events in 2 transactions, 0 DDL statements\n")
    );
    whole.says(&["1,301 row events in 2 transactions"]);
}

#[test]
fn conflicts_go_where_a_file_can_be() {
    let (spool, dir) = (Spool::recording("mariadb-incident"), temp_dir());
    let url = format!("sqlite:{}", dir.path().join("shop.db").display());
    spool.apply(&url, [""; 0]).code(0);
    let again = ["--name", "again", "--on-conflict", "skip", "--conflicts"];
    let nowhere = dir.path().join("nowhere/journal");
    for place in [dir.path(), &nowhere] {
        let place = place.to_str().unwrap();
        spool.apply(&url, [&again[..], &[place]].concat()).code(2).says(&["--conflicts", place]);
    }
    spool.apply(&url, [&again[..], &["/dev/null", "--type", "insert"]].concat()).code(3);
}

#[test]
fn a_place_that_is_no_spool_is_called_what_it_is() {
    let dir = temp_dir();
    let file = dir.path().join("file");
    File::create(&file).unwrap().write_all(b"x").unwrap();
    let empty = dir.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let none = dir.path().join("none.jsonl");
    fs::write(&none, "").unwrap();
    let log =
        |place: &Path| crate::support::binsync(["--spool", place.to_str().unwrap(), "log"]).code(2);
    log(&file).says(&["a spool is a folder"]);
    log(&empty).says(&["no spool here"]);
    log(&dir.path().join("nowhere")).says(&["no spool here"]);
    let begun = Spool::new();
    begun.run(["import", none.to_str().unwrap()]).code(0);
    log(&begun.path()).says(&["stored nothing yet"]);
}
