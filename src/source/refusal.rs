//! What a broker's refusal means, and what to do about it.
//!
//! Works on AMQP's reply codes and texts, so that it can be tested without a broker.

use crate::error::Error;

/// Where a connection goes, without the password.
#[derive(Clone)]
pub struct Place {
    /// Host and port.
    pub host: String,
    /// The user that logs in.
    pub user: String,
    /// The virtual host.
    pub vhost: String,
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
    /// No connection: `code` is AMQP's reply code, if the broker said anything at all.
    pub fn no_connection(&self, code: Option<u16>, text: &str) -> Error {
        let Self { host, user, vhost } = self;
        match code {
            Some(403) => Error::failed(format!("{host} refuses the login of user {user}: {text}"))
                .help("check user and password in --amqp-url (BINSYNC_AMQP_URL, --password-file)"),
            Some(530) => Error::failed(format!("{host} refuses vhost {vhost}: {text}")).help(
                "see rabbitmqctl list_vhosts and list_user_permissions; \
                 the usual vhost / is written %2f in the URL",
            ),
            Some(code) => Error::failed(format!("{host} refuses the connection: {code} {text}"))
                .help("see the broker's log"),
            None if text.contains("certificate") => {
                Error::failed(format!("no trust in RabbitMQ at {host}: {text}")).help(
                    "name the file of the authority that signed it: SSL_CERT_FILE=ca.pem; \
                     the host in the URL must be the one in the certificate",
                )
            }
            None => Error::failed(format!("no connection to RabbitMQ at {host}: {text}")).help(
                "check host and port in --amqp-url (default amqp://guest:guest@127.0.0.1:5672/%2f) \
                 and that the broker runs: rabbitmqctl status",
            ),
        }
    }

    /// No answer in time.
    pub fn silent(&self) -> Error {
        Error::failed(format!("{} does not answer", self.host))
            .help("check host, port and firewall, and that it speaks AMQP (amqps:// for TLS)")
    }

    /// Connected, but the queue cannot be had. `declaring` when it was to be made.
    pub fn no_queue(&self, queue: &str, declaring: bool, code: Option<u16>, text: &str) -> Refusal {
        let vhost = &self.vhost;
        let told = format!("queue {queue} in vhost {vhost}: {text}");
        let in_use = text.contains("exclusive");
        let (message, help) = match code {
            Some(404) if declaring => (
                told,
                "the exchange is made by whoever publishes: start Maxwell first, \
                 or see rabbitmqctl list_exchanges for its name",
            ),
            Some(404) => (
                format!("no queue {queue} in vhost {vhost}"),
                "see rabbitmqctl list_queues, or make it: --declare --bind maxwell:#",
            ),
            Some(403 | 405) if in_use => (
                format!("queue {queue} has another consumer ({text})"),
                "stop it: two consumers would each get a part of the stream. A killed capture's \
                 goes by itself within seconds. With x-single-active-consumer add --shared",
            ),
            Some(403) => (told, "give the user read permission: rabbitmqctl set_permissions"),
            Some(406) => {
                (told, "the queue exists with other settings: leave --declare out to use it as is")
            }
            _ => (told, "see the broker's log"),
        };
        Refusal {
            error: Error::failed(message).help(help),
            held: in_use && matches!(code, Some(403 | 405)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place { host: "db:5672".into(), user: "joe".into(), vhost: "/".into() }
    }

    #[test]
    fn each_refusal_names_the_thing_and_a_next_step() {
        let cases = [
            (place().no_connection(Some(403), "ACCESS_REFUSED"), "user joe"),
            (place().no_connection(Some(530), "NOT_ALLOWED"), "vhost /"),
            (place().no_connection(None, "refused"), "db:5672"),
            (place().no_connection(None, "invalid peer certificate"), "SSL_CERT_FILE"),
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
    fn a_queue_in_use_may_become_free() {
        let text = "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use";
        assert!(place().no_queue("q", false, Some(403), text).held);
        assert!(!place().no_queue("q", false, Some(403), "ACCESS_REFUSED").held);
    }
}
