//! A broker is reached by TLS with an amqps:// URL, and one that cannot prove who it is gets no password.

use crate::support::{
    Spool, amqp_tls, amqp_url, broker,
    cli::{Run, finish},
    manage, read,
};

fn capture(spool: &Spool, queue: &str, url: &str, authority: &str) -> Run {
    let args = ["capture", "--queue", queue, "--amqp-url", url, "--exit-when-idle", "2s"];
    let mut command = spool.command(args);
    command.env("SSL_CERT_FILE", authority);
    finish(command, None)
}

#[test]
fn a_queue_is_drained_by_tls_from_a_broker_that_is_trusted() {
    // A broker that was there already shows no certificate of ours.
    let Some((url, certificates)) = amqp_tls() else { return };
    let (queue, spool) = (broker("tls"), Spool::new());
    let stream = read("mariadb-edges.jsonl");
    queue.publish(stream.lines().map(str::as_bytes));
    let ca = certificates.file("ca.pem");
    let refused = |url: &str, authority: &str| {
        let run = capture(&spool, &queue.name, url, authority);
        run.code(1).says(&["no trust in RabbitMQ", "SSL_CERT_FILE"]);
    };
    refused(url, &certificates.file("other.pem"));
    refused(url, &certificates.file("none.pem"));
    refused(&url.replace("127.0.0.1", "localhost"), &ca);
    let plain = amqp_url().replace("amqp:", "amqps:");
    capture(&spool, &queue.name, &plain, &ca).code(1).says(&["no connection to RabbitMQ"]);
    capture(&spool, &queue.name, url, &ca).code(0);
    assert!(spool.stored() == stream.as_bytes(), "other bytes are stored than were published");
}

/// A capture that trusts only whom the URL names.
fn shown(spool: &Spool, queue: &str, url: &str) -> Run {
    capture(spool, queue, url, "/nowhere")
}

#[test]
fn a_client_logs_in_with_its_certificate() {
    let Some((url, certificates)) = amqp_tls() else { return };
    let (queue, spool) = (broker("certificate"), Spool::new());
    let stream = read("mariadb-edges.jsonl");
    queue.publish(stream.lines().map(str::as_bytes));
    for name in ["joe", "nobody"] {
        certificates.sign(name, "DNS:client", 2);
    }
    manage("PUT", "users/joe", r#"{"password_hash": "", "tags": ""}"#);
    manage("PUT", "permissions/%2F/joe", r#"{"configure": ".*", "write": ".*", "read": ".*"}"#);
    let ca = format!("?ssl-ca={}", certificates.file("ca.pem"));
    let files = |name: &str| {
        let [certificate, key] =
            ["pem", "key"].map(|end| certificates.file(&format!("{name}.{end}")));
        format!("{ca}&ssl-cert={certificate}&ssl-key={key}")
    };
    let alone = url.replace("guest:guest@", "");
    let try_with =
        |url: &str, parameters: &str| shown(&spool, &queue.name, &format!("{url}{parameters}"));
    // The broker is not trusted, the certificate not by it, its user not there; a file is missing.
    let other = format!("?ssl-ca={}", certificates.file("other.pem"));
    try_with(url, &other).code(1).says(&["no trust in RabbitMQ", "ssl-ca"]);
    try_with(&alone, &files("other")).code(1).says(&["refuses TLS", "ssl-cert"]);
    try_with(&alone, &files("nobody")).code(1).says(&["login by certificate", "add_user"]);
    try_with(&alone, &files("none")).code(2).says(&["none.pem"]);
    assert!(!spool.path().join("index.sqlite").exists() || spool.stored().is_empty());
    try_with(&alone, &files("joe")).code(0);
    assert!(spool.stored() == stream.as_bytes(), "other bytes are stored than were published");
    // A certificate beside a password, and none.
    try_with(url, &files("joe")).code(0);
    try_with(url, &ca).code(0);
}
