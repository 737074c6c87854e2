//! A broker is reached by TLS with an amqps:// URL, and one that cannot prove who it is gets no password.

use crate::support::{
    Spool, amqp_tls, amqp_url, broker,
    cli::{Run, finish},
    read,
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
