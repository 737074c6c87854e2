//! What a broker's refusal means, and what to do about it.
//!
//! Works on AMQP's reply codes and texts, so that it can be tested without a broker.

use crate::error::{Error, ErrorKind, Means, Words};

/// Where a connection goes, without the password.
#[derive(Clone)]
pub struct Place {
    /// Host and port.
    pub host: String,
    /// The user that logs in.
    pub user: String,
    /// The virtual host.
    pub vhost: String,
    /// The login is the client's certificate.
    pub by_certificate: bool,
}

fn one_consumer() -> Words {
    "stop it: two consumers would each get a part of the stream. A killed capture's goes by itself \
     within seconds. A queue with x-single-active-consumer admits more: where the broker does not \
     tell this user so, add "
        + Means::Shared
}

/// Why there is no session.
pub struct Refusal {
    /// The reason and the next step.
    pub error: Error,
    /// Another consumer holds the queue, perhaps one that is dead already.
    pub held: bool,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self { error, held: false }
    }
}

impl Place {
    /// A stream is read from a place of one's own and keeps what was read.
    pub fn stream(&self, queue: &str) -> Error {
        Error::failed(format!("queue {queue} in vhost {} is a stream", self.vhost)).help((
            "a stream forgets no message when it is acknowledged, and shows a new reader only \
             what comes from now on: bind a queue of its own to the exchange, {} NAME {} {} \
             EXCHANGE:KEY",
            [Means::Queue, Means::Declare, Means::Bind],
        ))
    }

    /// Another consumer is there, before this one or beside it.
    pub fn shared(&self, queue: &str, consumers: u32) -> Refusal {
        let error = Error::failed(format!(
            "queue {queue} in vhost {} has {consumers} other consumer{}",
            self.vhost,
            if consumers == 1 { "" } else { "s" }
        ));
        Refusal { error: error.help(one_consumer()), held: true }
    }

    /// Another consumer has come beside this one.
    pub fn joined(&self, queue: &str) -> Error {
        Error::failed(format!(
            "queue {queue} in vhost {}: another consumer has come, and each gets a part of the \
             stream; stopped",
            self.vhost
        ))
        .help("stop the other one, then run this again: what is not stored stays in the queue")
    }

    /// No connection: `code` is AMQP's reply code, if the broker said anything at all.
    pub fn no_connection(&self, code: Option<u16>, text: &str) -> Error {
        let Self { host, user, vhost, by_certificate } = self;
        match code {
            Some(403) if *by_certificate => Error::failed(format!(
                "{host} refuses the login by certificate: {text}"
            ))
            .help(
                "RabbitMQ takes the user from the certificate (ssl_cert_login_from), and has to know \
                 it (rabbitmqctl add_user); it needs the plugin rabbitmq_auth_mechanism_ssl, and \
                 EXTERNAL among its auth_mechanisms",
            ),
            Some(403) => Error::failed(format!("{host} refuses the login of user {user}: {text}"))
                .help((
                    "check user and password in {} (BINSYNC_AMQP_URL, {})",
                    [Means::AmqpUrl, Means::PasswordFile],
                )),
            Some(530) => Error::failed(format!("{host} refuses vhost {vhost}: {text}")).help(
                "see rabbitmqctl list_vhosts and list_user_permissions; \
                 the usual vhost / is written %2f in the URL",
            ),
            Some(code) if PASSING.contains(&code) => {
                lost(format!("{host} ends the connection: {code} {text}"))
                    .help("see the broker's log")
            }
            Some(code) => Error::failed(format!("{host} refuses the connection: {code} {text}"))
                .help("see the broker's log"),
            None if text.contains("fatal alert") => {
                Error::failed(format!("{host} refuses TLS: {text}")).help((
                    "if it is the client's certificate: {} names it as \
                     amqps://HOST/VHOST?ssl-cert=FILE&ssl-key=FILE, signed by an authority that the \
                     broker trusts",
                    [Means::AmqpUrl],
                ))
            }
            None if text.contains("certificate") => {
                Error::failed(format!("no trust in RabbitMQ at {host}: {text}")).help(
                    "name the file of the authority that signed it: ?ssl-ca=ca.pem in the URL, or \
                     SSL_CERT_FILE=ca.pem; the host in the URL must be the one in the certificate",
                )
            }
            None => lost(format!("no connection to RabbitMQ at {host}: {text}")).help(
                ("check host and port in {} (default amqp://guest:guest@127.0.0.1:5672/%2f) and that \
                  the broker runs: rabbitmqctl status", [Means::AmqpUrl]),
            ),
        }
    }

    /// No answer in time.
    pub fn silent(&self) -> Error {
        lost(format!("{} does not answer", self.host))
            .help("check host, port and firewall, and that it speaks AMQP (amqps:// for TLS)")
    }

    /// Connected, but nothing comes back about the queue.
    pub fn unanswered(&self, queue: &str) -> Error {
        lost(format!("queue {queue} in vhost {}: {} does not answer for it", self.vhost, self.host))
            .help(
                "see the broker's log; a quorum queue without a leader does not answer \
             (rabbitmq-queues quorum_status)",
            )
    }

    /// Connected, but the queue cannot be had. `declaring` when it was to be made.
    pub fn no_queue(&self, queue: &str, declaring: bool, code: Option<u16>, text: &str) -> Refusal {
        let vhost = &self.vhost;
        let told = format!("queue {queue} in vhost {vhost}: {text}");
        let in_use = text.contains("exclusive");
        // Of a cluster: the node that has the queue.
        let down = text.contains("down or inaccessible");
        if down || code.is_none_or(|code| PASSING.contains(&code)) {
            return lost(told).help("see the broker's log").into();
        }
        let (message, help) = match code {
            _ if text.contains("unknown exchange type") => (
                format!("the broker has no exchange that deals out by weights: {text}"),
                Words::from((
                    "enable the plugin on each of its nodes: rabbitmq-plugins enable \
                     rabbitmq_consistent_hash_exchange; or deal the tables out by patterns, {} \
                     QUEUE=EXCHANGE:'shop.#'",
                    [Means::Bind],
                )),
            ),
            Some(404) if declaring => {
                (told, Words::from("somebody has deleted it meanwhile: run this again"))
            }
            Some(404) => (
                format!("no queue {queue} in vhost {vhost}"),
                Words::from((
                    "see rabbitmqctl list_queues, or make it: {} {} maxwell:#",
                    [Means::Declare, Means::Bind],
                )),
            ),
            Some(403 | 405) if in_use => {
                (format!("queue {queue} has another consumer ({text})"), one_consumer())
            }
            Some(403) => {
                let rights = match declaring {
                    true => "configure, write and read permission on the queue and its exchanges",
                    false => "read permission",
                };
                (told, format!("give the user {rights}: rabbitmqctl set_permissions").into())
            }
            Some(406) => (
                told,
                Words::from((
                    "the queue exists with other settings: leave {} out to use it as is",
                    [Means::Declare],
                )),
            ),
            _ => (told, "see the broker's log".into()),
        };
        Refusal {
            error: Error::failed(message).help(help),
            held: in_use && matches!(code, Some(403 | 405)),
        }
    }
}

/// Reply codes of a broker that is going down (CONNECTION_FORCED) or not all there yet
/// (INTERNAL_ERROR).
const PASSING: [u16; 2] = [320, 541];

/// There is nobody who refuses: it may be another matter a moment later.
fn lost(message: String) -> Error {
    Error::new(ErrorKind::Lost, message)
}

/// What a setting of a queue or an exchange is, as the broker tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting<'a> {
    /// Not set.
    None,
    /// A value without its type.
    Plain(&'a str),
    /// A value and its type.
    Typed(&'a str, &'a str),
}

/// The name and true value of the setting a declaration was refused for.
pub fn told_setting(text: &str) -> Option<(&str, Setting<'_>)> {
    let (_, rest) = text.split_once("inequivalent arg '")?;
    let (name, rest) = rest.split_once("' for ")?;
    let (_, current) = rest.rsplit_once(" but current is ")?;
    let setting = match current {
        "none" => Setting::None,
        current => match current.strip_prefix("the value '").and_then(|c| c.strip_suffix('\'')) {
            Some(typed) => {
                let (value, kind) = typed.rsplit_once("' of type '")?;
                Setting::Typed(value, kind)
            }
            None => Setting::Plain(current.strip_prefix('\'')?.strip_suffix('\'')?),
        },
    };
    Some((name, setting))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        let (host, user, vhost) = ("db:5672".into(), "joe".into(), "/".into());
        Place { host, user, vhost, by_certificate: false }
    }

    #[test]
    fn each_refusal_names_the_thing_and_a_next_step() {
        let cases = [
            (place().no_connection(Some(403), "ACCESS_REFUSED"), "user joe"),
            (place().no_connection(Some(530), "NOT_ALLOWED"), "vhost /"),
            (place().no_connection(None, "refused"), "db:5672"),
            (place().no_connection(None, "invalid peer certificate"), "SSL_CERT_FILE"),
            (place().no_connection(None, "received fatal alert: UnknownCA"), "ssl-cert"),
            (
                Place { by_certificate: true, ..place() }
                    .no_connection(Some(403), "ACCESS_REFUSED"),
                "EXTERNAL",
            ),
            (
                place().no_queue("q", true, Some(503), "unknown exchange type 'x'").error,
                "rabbitmq-plugins enable",
            ),
            (place().no_queue("q", false, Some(404), "NOT_FOUND").error, "no queue q"),
            (place().no_queue("q", true, Some(404), "no exchange 'x'").error, "'x'"),
            (place().no_queue("q", true, Some(406), "inequivalent").error, "inequivalent"),
            (place().silent(), "db:5672"),
        ];
        for (error, named) in cases {
            let text = error.to_string();
            assert!(text.contains(named) && text.contains("next: "), "{text}");
        }
    }

    #[test]
    fn what_is_no_refusal_may_be_another_matter_a_moment_later() {
        let down = "NOT_FOUND - home node 'rabbit@a' of durable queue 'q' is down or inaccessible";
        let passing = [
            place().no_connection(None, "connection reset"),
            place().no_connection(Some(320), "CONNECTION_FORCED"),
            place().no_queue("q", false, None, "connection aborted").error,
            place().no_queue("q", true, Some(320), "CONNECTION_FORCED - shutdown").error,
            place().no_queue("q", false, Some(541), "INTERNAL_ERROR").error,
            place().no_queue("q", false, Some(404), down).error,
        ];
        for error in passing {
            assert_eq!(error.kind(), ErrorKind::Lost, "{error}");
        }
        let refused = [
            place().no_connection(Some(403), "ACCESS_REFUSED"),
            place().no_queue("q", false, Some(404), "NOT_FOUND").error,
        ];
        assert!(refused.iter().all(|error| error.kind() != ErrorKind::Lost));
    }

    #[test]
    fn a_queue_in_use_may_become_free() {
        let text = "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use";
        assert!(place().no_queue("q", false, Some(403), text).held);
        assert!(!place().no_queue("q", false, Some(403), "ACCESS_REFUSED").held);
    }

    #[test]
    fn a_refused_declaration_tells_what_the_queue_is() {
        let told = |rest: &str| format!("PRECONDITION_FAILED - inequivalent arg {rest}");
        let cases = [
            (
                "'durable' for queue 'q' in vhost '/': received 'true' but current is 'false'",
                ("durable", Setting::Plain("false")),
            ),
            (
                "'x-queue-type' for queue 'q' in vhost '/': received 'classic' but current is 'stream'",
                ("x-queue-type", Setting::Plain("stream")),
            ),
            (
                "'x-max-length' for queue 'a' but current is b' in vhost '/': received none but current is the value '10' of type 'signedint'",
                ("x-max-length", Setting::Typed("10", "signedint")),
            ),
            (
                "'x-single-active-consumer' for queue 'q' in vhost '/': received the value 'true' of type 'bool' but current is none",
                ("x-single-active-consumer", Setting::None),
            ),
            (
                "'type' for exchange 'e' in vhost '/': received 'topic' but current is 'fanout'",
                ("type", Setting::Plain("fanout")),
            ),
        ];
        for (rest, want) in cases {
            assert_eq!(told_setting(&told(rest)), Some(want));
        }
        assert_eq!(told_setting("ACCESS_REFUSED - no right"), None);
    }
}
