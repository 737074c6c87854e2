//! What is asked of a queue and what comes out of it, without the client that speaks to it.
//!
//! Also what goes with it: which names can be asked for, and what a queue's settings mean. No
//! socket, no clock.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::Records;
use super::exchange::{Exchange, rest};
use crate::error::{Error, Result, Words};
use crate::mysql::server::Identity;

/// The most messages that are out without an ack; quorum queues refuse more.
pub const MAX_PREFETCH: u16 = 2000;
/// What a broker is made to keep at hand for us, by the largest message seen: of more it is asked
/// for fewer messages.
const WINDOW_BYTES: u64 = 64 << 20;
/// What a name may be long in AMQP.
const MAX_NAME: usize = 255;
/// Returns after which a quorum queue drops a message, where we make the queue: none that is met.
pub const DELIVERY_LIMIT: i64 = 1_000_000;
/// A delivery limit that a capture which is killed again and again may meet.
pub const LOW_LIMIT: i64 = 1000;

/// Which queue, where, and how.
#[derive(Clone)]
pub struct Config {
    /// `amqp://user:password@host:port/vhost`; never shown.
    pub url: String,
    /// Takes the place of the URL's password; asked anew for each connection.
    pub password: Option<Password>,
    /// With which certificates, where the URL asks for TLS.
    pub tls: Tls,
    /// The queue.
    pub queue: String,
    /// Makes the queue and its bindings instead of asking for it to be there.
    pub declare: Option<Declare>,
    /// True when the queue is said to admit one consumer at a time by itself; asked only where
    /// the broker does not tell.
    pub shared: bool,
    /// The largest of the messages stored last; 0 when there are none.
    pub largest: u64,
    /// True when it is to be told each second that the queue is empty.
    pub tells_empty: bool,
    /// True when a failure of the first connection too is a passing one.
    pub patient: bool,
    /// True when the broker has let somebody in, for this queue or for another of the same capture:
    /// that it cannot be reached from then on is a passing failure.
    pub reached: Arc<AtomicBool>,
}

/// Certificates for the way to a broker; the files are read with each connection.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// File of those who sign the broker's; without it those that this machine trusts.
    pub ca: Option<PathBuf>,
    /// The client's own.
    pub identity: Option<Identity>,
}

/// Tells the password of the moment.
pub type Password = Arc<dyn Fn() -> Result<String> + Send + Sync>;

impl Config {
    /// Each name fits into AMQP, which gives its length one byte.
    ///
    /// # Errors
    /// When one does not (usage).
    pub fn check_names(&self) -> Result<()> {
        let bindings = self.declare.iter().flat_map(|declare| &declare.bindings);
        let names = bindings
            .flat_map(|(exchange, key)| [("exchange", exchange), ("routing key", key)])
            .chain([("queue", &self.queue)]);
        for (what, name) in names {
            check_name(what, name)?;
        }
        let exchanges = self.declare.iter().flat_map(|declare| &declare.exchanges);
        exchanges
            .map(|exchange| rest(&exchange.name))
            .try_for_each(|name| check_name("queue", &name))
    }
}

/// The name fits into AMQP.
///
/// # Errors
/// When it does not (usage).
pub fn check_name(what: &str, name: &str) -> Result<()> {
    match name.len() {
        0..=MAX_NAME => Ok(()),
        bytes => Err(Error::usage(format!(
            "the {what} name has {bytes} bytes, RabbitMQ takes {MAX_NAME}: {}…",
            name.chars().take(40).collect::<String>()
        ))),
    }
}

/// A queue to make.
#[derive(Clone)]
pub struct Declare {
    /// Its kind.
    pub kind: Kind,
    /// Exchange and routing key of each binding.
    pub bindings: Vec<(String, String)>,
    /// The exchanges of these.
    pub exchanges: Vec<Exchange>,
    /// Those of them whose differences are told here: another queue may have the same.
    pub tells: Vec<String>,
    /// Marks are to come to the queue.
    pub marks: bool,
}

/// Kinds of queues that can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// On one node.
    Classic,
    /// Kept by several nodes, each message on disk before it is taken.
    Quorum,
}

/// What is known of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `x-queue-type`: classic, quorum, stream, or one that is not known here.
    pub kind: String,
    /// `x-single-active-consumer`: others wait until the one that gets the messages is gone.
    pub single_active: bool,
    /// `x-delivery-limit`.
    pub delivery_limit: Option<i64>,
    /// It is there again after the broker restarts.
    pub durable: bool,
}

impl Settings {
    /// True for a queue that does not hand its messages out once, in order.
    pub fn is_stream(&self) -> bool {
        self.kind == "stream"
    }

    /// What of a queue that was there is not as one of that kind would be made; it stays as it is.
    pub fn differs(&self, queue: &str, kind: Kind) -> Option<Words> {
        let wanted = match kind {
            Kind::Classic => "classic",
            Kind::Quorum => "quorum",
        };
        let of_kind = (self.kind != wanted).then(|| format!("it is {}, not {wanted}", self.kind));
        let alone = !self.single_active && self.kind == "quorum" && kind == Kind::Quorum;
        let shared = "it has no x-single-active-consumer, so that a second capture is noticed late";
        let gone = "it is not durable, so that its messages are gone when the broker restarts";
        let all =
            [of_kind, alone.then(|| shared.to_owned()), (!self.durable).then(|| gone.to_owned())];
        let all: Vec<String> = all.into_iter().flatten().collect();
        (!all.is_empty()).then(|| {
            format!("queue {queue} is there and stays as it is: {}", all.join("; ")).into()
        })
    }

    /// What is to be said beforehand, since nobody sees it happen: a message returned too often is
    /// dropped by the broker.
    pub fn warning(&self, queue: &str) -> Option<String> {
        const EACH: &str =
            "each kill and each lost connection of a capture returns those under way";
        const MEND: &str = "rabbitmqctl set_policy NAME '^QUEUE$' '{\"delivery-limit\":1000000}' \
                            --apply-to queues";
        match (self.kind.as_str(), self.delivery_limit) {
            ("quorum", Some(limit)) if (0..LOW_LIMIT).contains(&limit) => Some(format!(
                "queue {queue} drops a message that has been returned {limit} times \
                 (x-delivery-limit), and {EACH}: make the queue anew with a greater one"
            )),
            ("quorum", None) => Some(format!(
                "queue {queue} has no x-delivery-limit of its own: unless a policy sets one, \
                 RabbitMQ 4 drops a message that has been returned 20 times, and {EACH}; \
                 set it: {MEND}"
            )),
            _ => None,
        }
    }
}

/// What the queue's thread reports.
pub enum Event {
    /// Connected; the first time or again. With what the user should know of the queue.
    Connected(Vec<Words>),
    /// The acknowledgement of every message of the session up to this tag has arrived.
    Acked {
        /// The session.
        session: u32,
        /// The last message's delivery tag.
        tag: u64,
    },
    /// Messages, in the queue's order.
    Messages(Messages),
    /// The queue was empty at that time, milliseconds since 1970, and all that was taken out of it
    /// is acknowledged.
    Empty(i64),
    /// The connection is gone, or could not be had: why, and the pause before the next try.
    Lost(Error, Duration),
    /// It is over: the first connection was refused, or something that no other try mends.
    Failed(Error),
    /// After a stop: everything received has been handed out.
    Ended,
}

/// A run of messages of one session; their tags are `first_tag`, `first_tag + 1`, …
pub struct Messages {
    /// The session they came in; tags are valid in it only.
    pub session: u32,
    /// Delivery tag of the first.
    pub first_tag: u64,
    /// Their bytes.
    pub records: Records,
    /// Which of them the broker had handed out before.
    pub redelivered: Vec<bool>,
    /// True when the broker sends no more before an ack.
    pub window_full: bool,
}

/// How many messages may be out without an ack where the largest has so many bytes. A consumer
/// keeps the number it began with, so another one takes another connection.
pub fn prefetch(largest: u64) -> u16 {
    (WINDOW_BYTES / largest.max(1)).clamp(1, u64::from(MAX_PREFETCH)) as u16
}

/// True when a message is so large that what may be out is far more than it should be. The bytes
/// that are let in are bounded all the same; the broker's own memory is not.
pub fn far_too_many(prefetch: u16, largest: u64) -> bool {
    u64::from(prefetch) * largest > 16 * WINDOW_BYTES && prefetch > self::prefetch(largest)
}

/// True when the messages have become so small that far more may be out.
pub fn far_too_few(prefetch: u16, largest: u64) -> bool {
    self::prefetch(largest) / 4 >= prefetch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_amqp_cannot_carry_is_refused() {
        assert!(check_name("queue", &"q".repeat(255)).is_ok());
        let error = check_name("queue", &"ü".repeat(128)).unwrap_err();
        assert!(error.to_string().contains("256 bytes"), "{error}");
    }

    #[test]
    fn a_low_delivery_limit_is_said_and_a_high_one_is_not() {
        let warning = |kind: &str, delivery_limit| {
            Settings { kind: kind.into(), single_active: true, delivery_limit, durable: true }
                .warning("q")
        };
        assert!(warning("quorum", Some(20)).is_some_and(|w| w.contains("20 times")));
        assert!(warning("quorum", None).is_some_and(|w| w.contains("RabbitMQ 4")));
        for limit in [DELIVERY_LIMIT, -1] {
            assert_eq!(warning("quorum", Some(limit)), None);
        }
        assert_eq!(warning("classic", None), None);
    }

    #[test]
    fn what_a_queue_that_was_there_differs_in_is_said() {
        let is = |kind: &str, single_active, durable| {
            let settings =
                Settings { kind: kind.into(), single_active, delivery_limit: None, durable };
            settings.differs("q", Kind::Quorum).map(|words| words.plain())
        };
        assert_eq!(is("quorum", true, true), None);
        assert!(is("quorum", false, true).is_some_and(|text| text.contains("single-active")));
        let text = is("classic", false, false).expect("it differs");
        assert!(text.contains("classic, not quorum") && text.contains("not durable"), "{text}");
    }

    #[test]
    fn prefetch_falls_with_the_largest_message() {
        assert_eq!([0, 457, 32_000].map(prefetch), [MAX_PREFETCH; 3]);
        assert_eq!([20_000_000, 60 << 20, 200 << 20].map(prefetch), [3, 1, 1]);
        assert!(far_too_many(MAX_PREFETCH, 20_000_000) && !far_too_many(3, 20_000_000));
        assert!(
            far_too_few(3, 457) && !far_too_few(MAX_PREFETCH, 457) && !far_too_few(1, 60 << 20)
        );
        assert!(!far_too_many(MAX_PREFETCH, 400_000) && !far_too_many(1, 2 << 30));
    }
}
