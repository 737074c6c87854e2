//! Whether a queue keeps every message until it is taken, in its order, for one who takes it.

use serde_json::Value;

use super::check::{Check, Part, State, not_checked};
use crate::error::{Error, Means, Words};
use crate::source::management::Management;
use crate::source::queue::LOW_LIMIT;

/// The checks.
pub(super) const NAMES: [&str; 11] = [
    "management",
    "queue",
    "kind",
    "durable",
    "delivery-limit",
    "single-active",
    "ttl",
    "max-length",
    "timeout",
    "consumers",
    "exchange",
];

/// Returns after which RabbitMQ 4 drops a message of a quorum queue where nothing is set.
const DEFAULT_LIMIT: i64 = 20;
/// The tag of a capture's consumer.
const OURS: &str = "binsync";
/// A capture may hold messages for minutes, as while the disk is full.
const SHORT_TIMEOUT: i64 = 10 * 60 * 1000;

/// Asks the management about each queue. One that does not answer, or refuses, is a finding like the
/// others.
pub fn checks(management: &Management, queues: &[String]) -> Vec<Check> {
    let mut all = vec![check("management", State::Ok, "")];
    match each(management, queues, &mut all) {
        Ok(()) => all,
        Err(error) => {
            let mut told = vec![Check::of(Part::Broker, "management", &error)];
            let rest =
                not_checked(Part::Broker, &NAMES[1..], &"the management did not tell".into());
            told.extend(rest);
            told
        }
    }
}

fn each(management: &Management, queues: &[String], all: &mut Vec<Check>) -> Result<(), Error> {
    let version = management.version()?;
    for name in queues {
        let Some(queue) = management.queue(name)? else {
            let none = format!("there is none of that name in vhost {}", management.vhost());
            all.push(
                check("queue", State::Problem, none)
                    .on(vec![name.clone()])
                    .next(("make it: {} {} EXCHANGE:KEY", [Means::Declare, Means::Bind])),
            );
            all.extend(not_checked(Part::Broker, &NAMES[2..], &"there is no queue".into()));
            continue;
        };
        let mut of_queue = of_queue(&queue, &version);
        of_queue.push(exchanges(management, name)?);
        all.extend(of_queue.into_iter().map(|check| match check.on.is_empty() {
            true => check.on(vec![name.clone()]),
            false => check,
        }));
    }
    Ok(())
}

fn check(name: &'static str, state: State, what: impl Into<Words>) -> Check {
    Check::new(Part::Broker, name, state, what)
}

fn ok(name: &'static str) -> Check {
    check(name, State::Ok, "")
}

fn problem(name: &'static str, what: impl Into<Words>, next: &str) -> Check {
    check(name, State::Problem, what).next(next)
}

/// What an argument of the queue, and a policy, say of one setting: the smaller holds.
fn setting(queue: &Value, name: &str) -> Option<i64> {
    let argument = queue["arguments"][format!("x-{name}")].as_i64();
    let policy = queue["effective_policy_definition"][name].as_i64();
    argument.into_iter().chain(policy).min()
}

fn text<'q>(queue: &'q Value, name: &str) -> Option<&'q str> {
    let policy = queue["effective_policy_definition"][name].as_str();
    queue["arguments"][format!("x-{name}")].as_str().or(policy)
}

/// What a queue's own settings and its policies come to.
fn of_queue(queue: &Value, version: &str) -> Vec<Check> {
    let kind = queue["type"].as_str().or(text(queue, "queue-type")).unwrap_or("classic");
    let mut all = vec![ok("queue")];
    all.push(match kind {
        "stream" => problem(
            "kind",
            "is a stream: it forgets no message when it is acknowledged, and is not captured",
            "bind a queue of its own to the exchange",
        ),
        _ => ok("kind"),
    });
    all.push(durable(queue));
    all.push(delivery_limit(queue, kind, version));
    let single = queue["arguments"]["x-single-active-consumer"] == true;
    all.push(match kind == "quorum" && !single {
        false => ok("single-active"),
        true => check(
            "single-active",
            State::Note,
            "admits several consumers at once: a capture that finds a second one stops, after each \
             has had a part of the stream",
        )
        .next("make the queue anew with x-single-active-consumer: a policy cannot set it"),
    });
    all.push(ttl(queue));
    all.push(max_length(queue));
    all.push(match setting(queue, "consumer-timeout") {
        None => check(
            "timeout",
            State::NotChecked,
            "consumer_timeout of the broker's own configuration is not told (30 minutes by default)",
        ),
        Some(ms) if ms < SHORT_TIMEOUT => problem(
            "timeout",
            format!(
                "a capture that holds a message for {} s, as while its disk is full, loses the queue",
                ms / 1000
            ),
            "raise consumer-timeout to 30 minutes (1800000) or more",
        ),
        Some(_) => ok("timeout"),
    });
    all.push(consumers(queue));
    all
}

fn durable(queue: &Value) -> Check {
    let anew = "make the queue anew: durable, neither exclusive nor auto-delete";
    match (&queue["durable"], &queue["auto_delete"], &queue["exclusive"]) {
        (durable, ..) if durable == false => problem(
            "durable",
            "is not: it and its messages are gone when the broker restarts",
            anew,
        ),
        (_, auto_delete, exclusive) if auto_delete == true || exclusive == true => {
            problem("durable", "goes with its last consumer, and its messages with it", anew)
        }
        _ => ok("durable"),
    }
}

fn delivery_limit(queue: &Value, kind: &str, version: &str) -> Check {
    let number = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    let limit = setting(queue, "delivery-limit").or(match number {
        Some(0..4) => None,
        _ => Some(DEFAULT_LIMIT),
    });
    match limit {
        Some(limit) if kind == "quorum" && (0..LOW_LIMIT).contains(&limit) => problem(
            "delivery-limit",
            format!(
                "drops a message that was returned {limit} times; each kill and each lost connection \
                 of a capture returns those under way"
            ),
            "set a policy with delivery-limit 1000000; where the queue's own x-delivery-limit is \
             lower, make it anew",
        ),
        _ => ok("delivery-limit"),
    }
}

fn ttl(queue: &Value) -> Check {
    if let Some(ms) = setting(queue, "message-ttl") {
        return problem(
            "ttl",
            format!("drops messages that have waited {} s, taken or not", ms / 1000),
            "take message-ttl from the policy, or make the queue anew without it",
        );
    }
    match setting(queue, "expires") {
        None => ok("ttl"),
        Some(ms) => problem(
            "ttl",
            format!("is deleted with its messages when nobody has used it for {} s", ms / 1000),
            "take expires from the policy, or make the queue anew without it",
        ),
    }
}

fn max_length(queue: &Value) -> Check {
    let most = [("max-length", "messages"), ("max-length-bytes", "bytes")];
    let limits = most.into_iter().filter_map(|(name, unit)| Some((setting(queue, name)?, unit)));
    let limits: Vec<String> = limits.map(|(most, unit)| format!("{most} {unit}")).collect();
    if limits.is_empty() {
        return ok("max-length");
    }
    let then = match text(queue, "overflow") {
        Some("reject-publish" | "reject-publish-dlx") => {
            "refuses further ones (reject-publish): Maxwell asks for no confirmation, and goes on"
        }
        _ => "drops the oldest ones unseen (drop-head)",
    };
    problem(
        "max-length",
        format!("holds {} at most and then {then}", limits.join(" and ")),
        "take max-length from the policy, or make the queue anew without it; watch the disk instead",
    )
}

fn consumers(queue: &Value) -> Check {
    let all = queue["consumer_details"].as_array().map(Vec::as_slice).unwrap_or_default();
    let name = |consumer: &Value| {
        let tag = consumer["consumer_tag"].as_str().unwrap_or_default();
        let from = consumer["channel_details"]["connection_name"].as_str().unwrap_or_default();
        format!("{tag} ({from})")
    };
    let others = all.iter().filter(|consumer| consumer["consumer_tag"] != OURS);
    let others: Vec<String> = others.map(name).collect();
    match others.is_empty() {
        true => ok("consumers"),
        false => problem(
            "consumers",
            format!("has others than a capture, each of which gets a part: {}", others.join(", ")),
            "stop them, or give each a queue of its own",
        ),
    }
}

/// The exchanges that a queue is bound to.
fn exchanges(management: &Management, queue: &str) -> Result<Check, Error> {
    let bound = management.bound_to(queue)?;
    if bound.is_empty() {
        return Ok(check(
            "exchange",
            State::Note,
            "is bound to none: only what is published to the queue's own name comes",
        )
        .next(("bind it: {} {} EXCHANGE:KEY", [Means::Declare, Means::Bind])));
    }
    let mut gone = Vec::new();
    for name in bound {
        let exchange = management.exchange(&name)?.unwrap_or_default();
        if exchange["durable"] == false || exchange["auto_delete"] == true {
            gone.push(name);
        }
    }
    Ok(match gone.is_empty() {
        true => ok("exchange"),
        false => problem(
            "exchange",
            format!(
                "is bound to {}, which is not durable: it is gone when the broker restarts, its \
                 bindings with it, and what is published then is lost",
                gone.join(", ")
            ),
            "make it anew, durable, and set rabbitmq_exchange_durable=true at the producer",
        ),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn state(queue: &Value, version: &str, name: &str) -> State {
        let all = of_queue(queue, version);
        all.iter().find(|check| check.name == name).map(|check| check.state).expect("a check")
    }

    #[test]
    fn a_limit_holds_by_version_argument_and_policy() {
        let quorum = |argument: Value, policy: Value| json!({"type": "quorum", "durable": true, "arguments": argument, "effective_policy_definition": policy});
        let limit = |argument: Value, policy: Value, version: &str| {
            state(&quorum(argument, policy), version, "delivery-limit")
        };
        // Without policies older brokers tell a list.
        assert_eq!(limit(json!({}), json!([]), "3.13.7"), State::Ok);
        assert_eq!(limit(json!({}), json!({}), "4.0.1"), State::Problem);
        assert_eq!(limit(json!({}), json!({}), ""), State::Problem);
        let high = json!({"delivery-limit": 1_000_000});
        assert_eq!(limit(json!({}), high.clone(), "4.2.0"), State::Ok);
        assert_eq!(limit(json!({"x-delivery-limit": 30}), high, "4.2.0"), State::Problem);
        let classic = json!({"type": "classic", "arguments": {}});
        assert_eq!(state(&classic, "4.2.0", "delivery-limit"), State::Ok);
    }

    #[test]
    fn a_timeout_is_judged_where_it_is_told() {
        let of = |ms: Value| {
            let queue = json!({"effective_policy_definition": {"consumer-timeout": ms}});
            state(&queue, "4.0.0", "timeout")
        };
        assert_eq!(of(Value::Null), State::NotChecked);
        assert_eq!((of(60_000.into()), of(1_800_000.into())), (State::Problem, State::Ok));
    }
}
