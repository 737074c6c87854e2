//! Exchanges that a set-up of queues needs, and what one that is there differs in. No socket.
//!
//! A producer publishes to one exchange. Keys that are patterns deal its tables out; what none of
//! them takes goes to an alternate exchange, `NAME.rest`, and a queue of that name. Keys that are
//! whole numbers are weights: the tables are dealt out by a hash of their names, in an exchange of
//! its own, `NAME.hash`, which takes all.

use crate::error::{Error, Means, Result, Words};

/// The type whose binding keys are weights.
pub const HASHING: &str = "x-consistent-hash";

/// A binding that is asked for: queue, exchange and key.
pub type Binding<'b> = (&'b str, &'b str, &'b str);

/// An exchange that is to be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Its name.
    pub name: String,
    /// Its queues are bound with weights.
    pub hashed: bool,
    /// None of its bindings takes every message.
    pub has_rest: bool,
    /// The queue of what is left over is not among those that are drained.
    pub rest_waits: bool,
    /// Several queues are bound to it.
    pub shared: bool,
}

/// An exchange as it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its type.
    pub kind: String,
    /// It is there again after the broker restarts.
    pub durable: bool,
    /// Its own alternate exchange; a policy may name another.
    pub alternate: Option<String>,
}

/// The exchanges of these bindings, where those queues are drained.
///
/// # Errors
/// When one has weights and patterns (usage).
pub fn exchanges(bindings: &[Binding<'_>], queues: &[String]) -> Result<Vec<Exchange>> {
    let mut all: Vec<Exchange> = Vec::new();
    for &(_, name, _) in bindings {
        if all.iter().any(|exchange| exchange.name == name) {
            continue;
        }
        let of = || bindings.iter().filter(|(_, exchange, _)| *exchange == name);
        let weights = of().filter(|(.., key)| is_weight(key)).count();
        if weights > 0 && weights < of().count() {
            return Err(Error::usage(
                Means::Bind + format!(": exchange {name} has keys that are weights, and others"),
            )
            .help("a whole number is a weight, by which tables are dealt out; take one kind"));
        }
        let hashed = weights > 0;
        let has_rest = !hashed && of().all(|(.., key)| *key != "#");
        let exchange = Exchange {
            name: name.to_owned(),
            hashed,
            has_rest,
            rest_waits: has_rest && !queues.iter().any(|queue| *queue == rest(name)),
            shared: of().any(|(queue, ..)| Some(queue) != of().next().map(|(first, ..)| first)),
        };
        all.push(exchange);
    }
    Ok(all)
}

fn is_weight(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|b| b.is_ascii_digit())
}

/// The alternate exchange of an exchange, and the queue of what is left over.
pub fn rest(exchange: &str) -> String {
    format!("{exchange}.rest")
}

impl Exchange {
    /// The exchange that its queues are bound to, where it is of that type.
    pub fn dealer(&self, kind: &str) -> String {
        match self.hashed && kind != HASHING {
            true => format!("{}.hash", self.name),
            false => self.name.clone(),
        }
    }

    /// What of an exchange that is there is not as it would be made; it stays as it is.
    ///
    /// # Errors
    /// When messages would come to no queue, or to several.
    pub fn differs(&self, found: &Found) -> Result<Vec<Words>> {
        let (name, kind) = (&self.name, &found.kind);
        let is = |text: String| {
            Words::from(format!("exchange {name} is there and stays as it is: {text}"))
        };
        let mut all = Vec::new();
        match kind.as_str() {
            "topic" => {}
            HASHING if self.hashed => {}
            "fanout" if self.hashed || !self.shared => all.push(is(
                "it is a fanout, which looks at no key and sends all to each queue".to_owned(),
            )),
            _ => {
                return Err(Error::failed(format!(
                    "exchange {name} is there as {kind}, where topic is needed: {}",
                    match kind.as_str() {
                        "fanout" => "it would send every message to each of the queues",
                        _ => "it knows no patterns",
                    }
                ))
                .help(
                    "delete it and let it be made anew (rabbitmq_exchange_type=topic at the \
                     producer), or name another one",
                ));
            }
        }
        if !found.durable {
            all.push(is(
                "it is not durable, so it is gone with its bindings when the broker restarts, and \
                 what is published then is lost: make it anew, and set \
                 rabbitmq_exchange_durable=true at the producer"
                    .to_owned(),
            ));
        }
        if self.has_rest && kind == "topic" && found.alternate.is_none() {
            all.push(is(
                "it has no alternate exchange, so that what no binding takes is dropped, unless a \
                 policy names one (alternate-exchange)"
                    .to_owned(),
            ));
        }
        Ok(all)
    }

    /// What is to be known of an exchange whose alternate exchange is that.
    pub fn left_over(&self, alternate: Option<&str>) -> Option<Words> {
        let queue = rest(&self.name);
        (self.rest_waits && alternate == Some(&*queue)).then(|| {
            Words::from(format!(
                "what no binding of exchange {} takes goes to queue {queue}, which is not captured: \
                 name it too, ",
                self.name
            )) + Means::Queue
                + format!(" {queue}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(keys: &[(&str, &str)], queues: &[&str]) -> Exchange {
        let bindings: Vec<Binding<'_>> =
            keys.iter().map(|(queue, key)| (*queue, "m", *key)).collect();
        let queues: Vec<String> = queues.iter().map(|queue| (*queue).to_owned()).collect();
        exchanges(&bindings, &queues).expect("exchanges").remove(0)
    }

    fn found(kind: &str, durable: bool, has_alternate: bool) -> Found {
        let alternate = has_alternate.then(|| "m.rest".to_owned());
        Found { kind: kind.to_owned(), durable, alternate }
    }

    #[test]
    fn keys_tell_what_is_needed() {
        let all = one(&[("a", "#")], &["a"]);
        assert!(
            !all.has_rest && !all.shared && !all.hashed && all.left_over(Some("m.rest")).is_none()
        );
        let dealt = one(&[("a", "shop.#"), ("b", "blog.#")], &["a", "b"]);
        assert!(dealt.has_rest && dealt.rest_waits && dealt.shared);
        let told = |alternate| dealt.left_over(alternate).map(|words| words.plain());
        assert!(told(Some("m.rest")).is_some_and(|text| text.contains("m.rest")));
        assert_eq!((told(Some("other")), told(None)), (None, None));
        assert!(!one(&[("a", "shop.#"), ("b", "blog.#")], &["a", "b", "m.rest"]).rest_waits);
        let hashed = one(&[("a", "1"), ("b", "2")], &["a", "b"]);
        assert!(hashed.hashed && !hashed.has_rest);
        assert_eq!((hashed.dealer("topic"), hashed.dealer(HASHING)), ("m.hash".into(), "m".into()));
        assert!(exchanges(&[("a", "m", "1"), ("b", "m", "x.#")], &[]).is_err());
    }

    #[test]
    fn what_is_there_is_taken_where_each_message_comes_once() {
        let (alone, dealt) =
            (one(&[("a", "#")], &["a"]), one(&[("a", "x.#"), ("b", "y.#")], &["a", "b"]));
        let hashed = one(&[("a", "1"), ("b", "1")], &["a", "b"]);
        let told =
            |exchange: &Exchange, found: Found| exchange.differs(&found).map(|all| all.len()).ok();
        assert_eq!(told(&dealt, found("topic", true, true)), Some(0));
        assert_eq!(told(&dealt, found("topic", true, false)), Some(1));
        assert_eq!(told(&dealt, found("topic", false, false)), Some(2));
        assert_eq!(told(&alone, found("fanout", true, false)), Some(1));
        assert_eq!(told(&hashed, found("fanout", true, false)), Some(1));
        assert_eq!(told(&hashed, found(HASHING, true, false)), Some(0));
        for (exchange, kind) in
            [(&dealt, "fanout"), (&dealt, "direct"), (&alone, "headers"), (&dealt, HASHING)]
        {
            assert_eq!(told(exchange, found(kind, true, true)), None, "{kind}");
        }
    }
}
