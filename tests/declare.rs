//! `capture --declare` makes what queues need that share a stream; what is there stays as it is, and what differs is said.

use crate::support::{
    MariaDb, Run, Running, Spool, amqp_url, cli::finish, fresh, manage, management,
};
use serde_json::{Value, json};

/// A row of a table, by its number.
fn message(n: usize, table: &str) -> String {
    let place = format!("bin.000001:{}", 1000 + n);
    json!({"database": table.split('.').next(), "table": "t", "type": "insert", "ts": 1_795_351_926, "xid": n, "commit": true,
           "position": place, "data": {"id": n}})
    .to_string()
}

fn publish(exchange: &str, key: &str, payload: &str) {
    let body = json!({"properties": {"delivery_mode": 2}, "routing_key": key, "payload": payload, "payload_encoding": "string"});
    let path = format!("exchanges/%2F/{exchange}/publish");
    assert_eq!(manage("POST", &path, &body.to_string()), r#"{"routed":true}"#, "{key}");
}

fn exchange(name: &str) -> Value {
    serde_json::from_str(&manage("GET", &format!("exchanges/%2F/{name}"), "")).unwrap()
}

/// Queues and exchanges of one test, by their first name; gone at its end.
struct Names(String);

impl Names {
    fn new(purpose: &str) -> Names {
        Names(format!("{purpose}-{}", std::process::id()))
    }

    fn of(&self, end: &str) -> String {
        format!("{}{end}", self.0)
    }

    /// An exchange that is there before.
    fn exchange(&self, settings: &Value) {
        manage("PUT", &format!("exchanges/%2F/{}", self.0), &settings.to_string());
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        for kind in ["queues", "exchanges"] {
            let all: Value =
                serde_json::from_str(&manage("GET", &format!("{kind}/%2F"), "")).unwrap();
            let names = all.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap());
            for name in names.filter(|name| name.starts_with(&self.0)) {
                manage("DELETE", &format!("{kind}/%2F/{name}"), "");
            }
        }
    }
}

/// A capture that makes these queues with these bindings.
fn declare(spool: &Spool, queues: &[&str], bindings: &[&str], flags: &[&str]) -> Run {
    let mut command = spool.command(["capture", "--amqp-url", amqp_url(), "--declare"]);
    for queue in queues {
        command.args(["--queue", queue]);
    }
    for binding in bindings {
        command.args(["--bind", binding]);
    }
    command.args(["--exit-when-idle", "1s", "--settle", "1s"]).args(flags);
    finish(command, None)
}

#[test]
fn what_no_binding_takes_is_kept_in_a_queue_of_its_own() {
    if management().is_none() {
        return;
    }
    let (names, spool, left) = (Names::new("deal"), Spool::new(), Spool::new());
    let (a, b, rest) = (names.of(".a"), names.of(".b"), names.of(".rest"));
    let bindings = [format!("{a}={}:shop.#", names.0), format!("{b}={}:blog.#", names.0)];
    let bindings: Vec<&str> = bindings.iter().map(String::as_str).collect();
    let run = || declare(&spool, &[&a, &b], &bindings, &["--queue-type", "classic"]);
    run().code(0).says(&[&rest, "is not captured", "--queue"]);
    let made = exchange(&names.0);
    assert_eq!((&made["type"], &made["durable"]), (&json!("topic"), &json!(true)), "{made}");
    assert_eq!(made["arguments"]["alternate-exchange"], rest);
    let messages = [message(1, "shop.t"), message(2, "blog.t"), message(3, "other.t")];
    for (key, message) in ["shop.t", "blog.t", "other.t"].into_iter().zip(&messages) {
        publish(&names.0, key, message);
    }
    run().code(0).says(&[&rest, "is not captured"]);
    assert_eq!(spool.stored(), format!("{}\n{}\n", messages[0], messages[1]).into_bytes());
    let all = declare(&left, &[&rest], &[], &["--queue-type", "classic"]).code(0);
    assert!(!all.stderr.contains("not captured"), "{}", all.stderr);
    assert_eq!(left.stored(), format!("{}\n", messages[2]).into_bytes());
    // Named, it is captured, and nothing is to be said.
    let all = declare(&spool, &[&a, &b, &rest], &bindings, &["--queue-type", "classic"]).code(0);
    assert!(!all.stderr.contains("not captured"), "{}", all.stderr);
}

#[test]
fn weights_deal_the_tables_out_and_marks_go_to_each_queue() {
    if management().is_none() {
        return;
    }
    let (names, spool) = (Names::new("hash"), Spool::new());
    let (a, b) = (names.of(".a"), names.of(".b"));
    let bindings = [format!("{a}={}:1", names.0), format!("{b}={}:1", names.0)];
    let bindings: Vec<&str> = bindings.iter().map(String::as_str).collect();
    let quiet = declare(&spool, &[&a, &b], &bindings, &[]).code(0);
    assert!(!quiet.stderr.contains("exchange"), "{}", quiet.stderr);
    assert_eq!(exchange(&names.of(".hash"))["type"], "x-consistent-hash");
    let messages: Vec<String> = (0..40).map(|n| message(n, &format!("d{n}.t"))).collect();
    for (n, message) in messages.iter().enumerate() {
        publish(&names.0, &format!("d{n}.t"), message);
    }
    declare(&spool, &[&a, &b], &bindings, &[]).code(0);
    assert_eq!(spool.stored(), (messages.join("\n") + "\n").into_bytes());

    // With marks each queue gets them, beside what it is dealt.
    let server = fresh(MariaDb);
    let mut command =
        spool.command(["capture", "--amqp-url", amqp_url(), "--declare", "--mark", &server.url()]);
    command.args(["--queue", &a, "--queue", &b, "--bind", bindings[0], "--bind", bindings[1]]);
    let mut running = Running::start(command);
    let bound = |queue: &str| {
        let all = manage("GET", &format!("bindings/%2F/e/{}/q/{queue}", names.0), "");
        all.contains("binsync.#")
    };
    assert!(running.until(|| bound(&a) && bound(&b)), "{:?}", running.end());
    running.kill();
    running.end();
}

#[test]
fn what_is_there_stays_and_what_differs_is_said() {
    if management().is_none() {
        return;
    }
    let (names, spool) = (Names::new("there"), Spool::new());
    let (queue, other) = (names.of(".q"), names.of(".r"));
    let binding = |queue: &str, key: &str| format!("{queue}={}:{key}", names.0);
    names.exchange(&json!({"type": "fanout", "durable": false}));
    manage("PUT", &format!("queues/%2F/{queue}"), r#"{"durable": true}"#);
    let said = declare(&spool, &[&queue], &[&binding(&queue, "#")], &[]).code(0);
    said.says(&["it is a fanout", "it is not durable", "it is classic, not quorum"]);
    assert_eq!(exchange(&names.0)["durable"], false);
    publish(&names.0, "any", &message(1, "d.t"));
    declare(&spool, &[&queue], &[&binding(&queue, "#")], &[]).code(0);
    assert_eq!(spool.stored(), format!("{}\n", message(1, "d.t")).into_bytes());
    // Each would get all.
    let two = [binding(&queue, "a.#"), binding(&other, "b.#")];
    let two: Vec<&str> = two.iter().map(String::as_str).collect();
    declare(&spool, &[&queue, &other], &two, &[]).code(1).says(&[
        "fanout",
        "every message",
        "next: ",
    ]);

    manage("DELETE", &format!("exchanges/%2F/{}", names.0), "");
    names.exchange(&json!({"type": "topic", "durable": true}));
    declare(&spool, &[&queue, &other], &two, &["--queue-type", "classic"])
        .code(0)
        .says(&["no alternate exchange"]);
    manage("DELETE", &format!("exchanges/%2F/{}", names.0), "");
    names.exchange(&json!({"type": "direct", "durable": true}));
    declare(&spool, &[&queue], &[&binding(&queue, "a.#")], &[])
        .code(1)
        .says(&["direct", "no patterns"]);
    // What cannot be meant is refused before anything is made.
    let both = [binding(&queue, "1"), binding(&other, "b.#")];
    let both: Vec<&str> = both.iter().map(String::as_str).collect();
    declare(&spool, &[&queue, &other], &both, &[]).code(2).says(&["weights", "--bind"]);
}
