//! TLS to both kinds of server: the modes are those of the stock clients, and whoever is not let in is told the way.

mod rogue;

use crate::support::{
    Kind, Run, Server, Spool, assert_same_dump, certificates::Certificates, fresh, read,
    servers::KINDS,
};
use std::time::Duration;

const NOTHING: [&str; 0] = [];

/// A server with a certificate for 127.0.0.1.
fn with_tls(kind: Kind, made: &Certificates) -> Server {
    let options = made.options();
    Server::start_with(kind, &options.each_ref().map(String::as_str))
}

/// The stock client by way of TLS, for a server that takes nothing else.
fn say(server: &Server, statements: &str) -> String {
    let done = server.client("mariadb").args(["--ssl", "-N", "-B", "-e", statements]).output();
    let done = done.expect("the client starts");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

fn accepted(server: &Server) -> u64 {
    let status = say(server, "SHOW GLOBAL STATUS LIKE 'Ssl_accepts'");
    status.split_whitespace().last().unwrap().parse().unwrap()
}

#[test]
fn rows_arrive_by_tls_in_every_mode() {
    for kind in KINDS {
        let made = Certificates::new();
        let server = with_tls(kind, &made);
        say(&server, "SET GLOBAL require_secure_transport=ON");
        let ca = made.file("ca.pem");
        let name = format!("{}-edges", kind.name());
        let spool = Spool::recording(&name);
        let modes: [&[&str]; 5] = [
            &[],
            &["--ssl-mode", "required"],
            &["--ssl-ca", &ca],
            &["--ssl-mode", "verify-ca", "--ssl-ca", &ca],
            &["--ssl-mode", "verify-identity", "--ssl-ca", &ca],
        ];
        for (n, mode) in modes.iter().enumerate() {
            let before = accepted(&server);
            let args = [mode, &["--lanes", "2", "--window", "100"][..]].concat();
            spool.apply(&server.url(), args).code(0);
            assert!(accepted(&server) > before + 2, "{mode:?} was not by TLS");
            if n + 1 < modes.len() {
                empty(&server);
            }
        }
        // The stock dump needs plain connections.
        say(&server, "SET GLOBAL require_secure_transport=OFF");
        assert_same_dump(&server.dump(), &read(&format!("{name}.end.sql")), "by TLS");
    }
}

fn empty(server: &Server) {
    for database in say(server, "SHOW DATABASES").lines() {
        if !["information_schema", "performance_schema", "mysql", "sys"].contains(&database) {
            say(server, &format!("SET foreign_key_checks=0; DROP DATABASE `{database}`"));
        }
    }
}

#[test]
fn a_definition_and_a_base_are_read_by_tls() {
    for kind in KINDS {
        let made = Certificates::new();
        let server = with_tls(kind, &made);
        say(&server, "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY)");
        say(&server, "SET GLOBAL require_secure_transport=ON");
        let ca = made.file("ca.pem");
        let url = format!("{}/?ssl-mode=verify-identity&ssl-ca={ca}", server.url());
        let spool = Spool::recording("mariadb-incident");
        spool.run(["schema", "add", "--from", &url]).code(0).says(&["1 table"]);
        let plain = format!("{}/?ssl-mode=disabled", server.url());
        let refused = spool.run(["schema", "add", "--from", &plain]);
        refused.code(1).says(&["--ssl-mode required"]);
        let based = |url: &str, file: &str| {
            let file = format!("sqlite:{}", spool.path().with_file_name(file).display());
            spool.apply(&file, ["--until", "2026-11-22T12:49:30Z", "--base", url])
        };
        based(&plain, "a.db").code(1).says(&["base", "--ssl-mode required"]);
        let before = accepted(&server);
        // The recording is another server's, which is found out by asking this one.
        based(&url, "b.db").one_of(&[3, 4]);
        assert!(accepted(&server) > before, "the base was not asked by TLS");
    }
}

#[test]
fn a_user_who_has_to_show_a_certificate() {
    for kind in KINDS {
        let made = Certificates::new();
        let server = with_tls(kind, &made);
        say(
            &server,
            "CREATE USER s@'%' IDENTIFIED BY 't' REQUIRE SSL; GRANT ALL ON *.* TO s@'%';
            CREATE USER x@'%' IDENTIFIED BY 't' REQUIRE X509; GRANT ALL ON *.* TO x@'%'",
        );
        made.sign("client", "DNS:client", 2);
        let (pem, key, ca) =
            (made.file("client.pem"), made.file("client.key"), made.file("ca.pem"));
        let shown = ["--ssl-mode", "required", "--ssl-cert", &pem, "--ssl-key", &key];
        let spool = Spool::recording("mariadb-types");
        let run = |user: &str, args: &[&str]| {
            spool.apply(
                &server.url().replace("t:t@", &format!("{user}:t@")),
                [args, &["--dry-run"]].concat(),
            )
        };
        let plain = ["--ssl-mode", "disabled", "--get-server-public-key"];
        run("s", &plain).code(1).says(&["REQUIRE SSL", "--ssl-mode required"]);
        run("s", &[]).code(0);
        run("x", &["--ssl-ca", &ca]).code(1).says(&["REQUIRE X509", "--ssl-cert", "--ssl-key"]);
        run("x", &shown).code(0);
        run("x", &[&shown[2..4]].concat()).code(2).says(&["--ssl-key"]);
        // One that the server's authority has not signed.
        let (other, key) = (made.file("other.pem"), made.file("other.key"));
        let strange = ["--ssl-mode", "required", "--ssl-cert", &other, "--ssl-key", &key];
        run("x", &strange).code(1).says(&["certificate", "--ssl-cert"]);
    }
}

#[test]
fn a_server_that_is_not_the_one_meant() {
    for kind in KINDS {
        let made = Certificates::new();
        let server = with_tls(kind, &made);
        let (ca, other) = (made.file("ca.pem"), made.file("other.pem"));
        let spool = Spool::recording("mariadb-types");
        let run = |mode: &str, ca: &str| -> Run {
            spool.apply(&server.url(), ["--dry-run", "--ssl-mode", mode, "--ssl-ca", ca])
        };
        run("verify-ca", &other).code(1).says(&["not signed", "--ssl-ca"]);
        run("verify-identity", &ca).code(0);
        made.sign("server", "DNS:db.example", 2);
        server.crash(Duration::ZERO);
        run("verify-identity", &ca).code(1).says(&["not made out", "db.example", "verify-ca"]);
        run("verify-ca", &ca).code(0);
        made.sign("server", "IP:127.0.0.1", -1);
        server.crash(Duration::ZERO);
        run("verify-identity", &ca).code(1).says(&["expired"]);
        run("verify-ca", &ca).code(1).says(&["expired"]);
        spool.apply(&server.url(), ["--dry-run", "--ssl-mode", "required"]).code(0);
    }
}

/// The stock clients take it where it is itself named as the authority.
#[test]
fn a_certificate_that_signs_itself() {
    let made = Certificates::new();
    made.sign_itself("IP:127.0.0.1", 2);
    let server = with_tls(Kind::MariaDb, &made);
    let (own, ca) = (made.file("server.pem"), made.file("ca.pem"));
    let spool = Spool::recording("mariadb-types");
    let run = |mode: &str, ca: &str| -> Run {
        spool.apply(&server.url(), ["--dry-run", "--ssl-mode", mode, "--ssl-ca", ca])
    };
    run("verify-ca", &own).code(0);
    run("verify-identity", &own).code(0);
    run("verify-ca", &ca).code(1).says(&["certificate", "--ssl-ca"]);
    made.sign_itself("DNS:db.example", 2);
    server.crash(Duration::ZERO);
    run("verify-ca", &own).code(0);
    run("verify-identity", &own).code(1).says(&["not made out", "db.example"]);
}

#[test]
fn a_server_without_tls() {
    let server = Server::start_with(Kind::MySql, &["--tls-version="]);
    let spool = Spool::recording("mariadb-types");
    for server in [&server, &*fresh(Kind::MariaDb)] {
        let required = spool.apply(&server.url(), ["--dry-run", "--ssl-mode", "required"]);
        required.code(1).says(&["offers no TLS", "--ssl-mode disabled"]);
    }
    // The password is sent to nobody who only asks for it.
    spool.apply(&server.url(), NOTHING).code(1).says(&["--ssl-mode", "--get-server-public-key"]);
    spool.apply(&server.url(), ["--dry-run", "--get-server-public-key"]).code(0);
}
