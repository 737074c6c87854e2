//! What a queue may do to messages before they are taken, from a real broker's management.

use super::{check, doctor, findings};
use crate::support::{Queue, Spool, amqp_tls, broker_of, cli::finish, manage, management};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn url(login: &str) -> Option<String> {
    // A broker that was there already has no management of ours.
    Some(format!("http://{login}@127.0.0.1:{}", management()?[0]))
}

/// What is found of a queue, the spool being empty.
fn look(url: &str, queue: &str) -> Value {
    doctor(&Spool::new(), &["--management-url", url, "--queue", queue])
}

/// Names of the problems, then of the notes.
fn named(found: &Value) -> (Vec<String>, Vec<String>) {
    let all = findings(found, "broker");
    let of = |state: &str| all.iter().filter(|(_, s)| s == state).map(|(n, _)| n.clone()).collect();
    (of("problem"), of("note"))
}

/// A queue made by the management; gone when the value ends.
struct Made(String);

impl Made {
    fn new(name: &str, settings: &Value) -> Made {
        let name = format!("{name}-{}", std::process::id());
        manage("PUT", &format!("queues/%2F/{name}"), &settings.to_string());
        Made(name)
    }

    fn policy(&self, definition: &Value) {
        let pattern = format!("^{}$", self.0);
        let body = json!({"pattern": pattern, "definition": definition, "apply-to": "queues"});
        manage("PUT", &format!("policies/%2F/{}", self.0), &body.to_string());
    }

    fn bind(&self, exchange: &str) {
        manage(
            "POST",
            &format!("bindings/%2F/e/{exchange}/q/{}", self.0),
            r##"{"routing_key":"#"}"##,
        );
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            manage("DELETE", &format!("queues/%2F/{}", self.0), "");
        }
    }
}

fn quorum(more: &[(&str, Value)]) -> Value {
    let mut arguments = json!({"x-queue-type": "quorum", "x-single-active-consumer": true});
    for (name, value) in more {
        arguments[*name] = value.clone();
    }
    json!({"durable": true, "arguments": arguments})
}

#[test]
fn a_queue_that_keeps_its_messages_has_no_finding() {
    let Some(url) = url("guest:guest") else { return };
    let queue = Made::new("kept", &quorum(&[("x-delivery-limit", json!(1_000_000))]));
    queue.bind("amq.topic");
    let found = look(&url, &queue.0);
    assert_eq!(named(&found), (vec![], vec![]), "{found:#}");
    assert_eq!(check(&found, "broker", "timeout")["state"], "not checked");
    for name in [
        "management",
        "queue",
        "kind",
        "durable",
        "delivery-limit",
        "ttl",
        "max-length",
        "exchange",
    ] {
        assert_eq!(check(&found, "broker", name)["state"], "ok", "{name}");
    }
    // Without it nothing is well.
    let unasked = doctor(&super::spool(&super::good()), &[]);
    for check in unasked["checks"].as_array().unwrap().iter().filter(|c| c["part"] == "broker") {
        assert_eq!(check["state"], "not checked");
    }
}

#[test]
fn whatever_takes_messages_away_unseen_is_found() {
    let Some(url) = url("guest:guest") else { return };
    let (durable, plain) = (json!({"durable": true}), json!({}));
    let with = |name: &str, value: Value| json!({"durable": true, "arguments": {name: value}});
    type Case = (&'static str, Value, Value, &'static [&'static str], &'static [&'static str]);
    let cases: Vec<Case> = vec![
        ("transient", json!({"durable": false}), plain.clone(), &["durable"], &[]),
        ("auto", json!({"durable": true, "auto_delete": true}), plain.clone(), &["durable"], &[]),
        ("stream", with("x-queue-type", json!("stream")), plain.clone(), &["kind"], &[]),
        ("few", quorum(&[("x-delivery-limit", json!(5))]), plain.clone(), &["delivery-limit"], &[]),
        ("few-policy", quorum(&[]), json!({"delivery-limit": 5}), &["delivery-limit"], &[]),
        ("two", with("x-queue-type", json!("quorum")), plain.clone(), &[], &["single-active"]),
        ("ttl", with("x-message-ttl", json!(60_000)), plain.clone(), &["ttl"], &[]),
        ("ttl-policy", durable.clone(), json!({"message-ttl": 60_000}), &["ttl"], &[]),
        ("expires", durable.clone(), json!({"expires": 3_600_000}), &["ttl"], &[]),
        ("short", with("x-max-length", json!(10)), plain.clone(), &["max-length"], &[]),
        (
            "bytes",
            durable.clone(),
            json!({"max-length-bytes": 10, "overflow": "reject-publish"}),
            &["max-length"],
            &[],
        ),
    ];
    for (name, settings, policy, problems, notes) in cases {
        let queue = Made::new(name, &settings);
        queue.bind("amq.topic");
        if policy != plain {
            queue.policy(&policy);
        }
        // A policy is applied a moment later.
        let deadline = Instant::now() + Duration::from_secs(20);
        let found = loop {
            let found = look(&url, &queue.0);
            if named(&found) != (vec![], vec![]) || Instant::now() > deadline {
                break found;
            }
        };
        let expected =
            [problems, notes].map(|names| names.iter().map(|n| (*n).to_owned()).collect());
        assert_eq!(named(&found), expected.into(), "{name}: {found:#}");
        let text = found.to_string();
        assert!(text.contains(&queue.0), "{name}: {text}");
        match name {
            "short" => assert!(
                text.contains("10 messages at most") && text.contains("drop-head"),
                "{text}"
            ),
            "bytes" => assert!(
                text.contains("10 bytes at most") && text.contains("no confirmation"),
                "{text}"
            ),
            _ => {}
        }
    }
}

#[test]
fn what_a_queue_is_bound_to_and_who_else_takes_from_it_is_told() {
    let Some(url) = url("guest:guest") else { return };
    let queue: Queue = broker_of("others", "classic");
    let found = look(&url, &queue.name);
    assert_eq!(named(&found), (vec![], vec!["exchange".to_owned()]), "{found:#}");
    let exchange = format!("transient-{}", queue.name);
    manage("PUT", &format!("exchanges/%2F/{exchange}"), r#"{"type":"topic","durable":false}"#);
    let bound = format!("bindings/%2F/e/{exchange}/q/{}", queue.name);
    manage("POST", &bound, r##"{"routing_key":"#"}"##);
    queue.beside_a_consumer(|| {
        let deadline = Instant::now() + Duration::from_secs(30);
        let expected = (vec!["consumers".to_owned(), "exchange".to_owned()], vec![]);
        while named(&look(&url, &queue.name)) != expected {
            assert!(Instant::now() < deadline, "{:#}", look(&url, &queue.name));
            std::thread::sleep(Duration::from_millis(300));
        }
    });
    manage("DELETE", &format!("exchanges/%2F/{exchange}"), "");
    let found = look(&url, "nobody-made-this");
    assert_eq!(named(&found).0, ["queue"]);
    assert_eq!(check(&found, "broker", "ttl")["state"], "not checked");
}

#[test]
fn a_management_that_does_not_answer_or_refuses_is_a_finding() {
    let Some(right) = url("guest:guest") else { return };
    let port = right.rsplit_once(':').unwrap().1;
    for (url, word) in [
        (right.replace("guest:guest", "guest:hunter2"), "refuses user guest"),
        ("http://127.0.0.1:1".to_owned(), "no answer"),
        (format!("http://127.0.0.1:{port}/none"), "none of that name in vhost none"),
    ] {
        let found = look(&url, "q");
        assert_eq!(named(&found).0.len(), 1, "{found:#}");
        assert!(
            found.to_string().contains(word) && !found.to_string().contains("hunter2"),
            "{found:#}"
        );
        assert_eq!(check(&found, "broker", "ttl")["state"], "not checked");
    }
    for url in ["mq.example:15672", "amqp://guest:hunter2@mq", "http://u:hunter#2@mq"] {
        let run = Spool::new().run(["doctor", "--management-url", url]).code(2);
        assert!(!run.says(&["--management-url"]).stderr.contains("hunter"));
    }
}

#[test]
fn a_management_with_a_certificate_has_to_be_trusted() {
    let (Some([_, port]), Some((_, certificates))) = (management(), amqp_tls()) else { return };
    let url = format!("https://guest:guest@127.0.0.1:{port}");
    for (authority, states) in
        [("ca.pem", ["ok", "problem"]), ("other.pem", ["problem", "not checked"])]
    {
        let spool = Spool::new();
        let args = ["doctor", "--json", "--management-url", &url, "--queue", "nobody-made-this"];
        let mut command = spool.command(args);
        command.env("SSL_CERT_FILE", certificates.file(authority));
        let found: Value = serde_json::from_str(&finish(command, None).code(3).text()).unwrap();
        let state = |name: &str| check(&found, "broker", name)["state"].clone();
        assert_eq!([state("management"), state("queue")], states, "{found:#}");
    }
}
