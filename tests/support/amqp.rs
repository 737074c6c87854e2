//! The few things the tests do to queues of a broker. `BINSYNC_TEST_AMQP` names an existing broker instead of our own.

use super::{
    broker::{Broker, Release},
    certificates::Certificates,
};
use futures_lite::StreamExt;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicGetOptions, BasicPublishOptions,
        BasicQosOptions, ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions,
    },
    types::{AMQPValue, FieldTable},
};
use std::{
    env,
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread::sleep,
    time::{Duration, Instant},
};
use tokio::runtime::{Builder, Runtime};

/// The address of the broker that the tests share; it is started when first asked for.
pub fn amqp_url() -> &'static str {
    &shared().url
}

/// As [`amqp_url`] by TLS, with its certificates; `None` when the broker is not one of ours.
pub fn amqp_tls() -> Option<&'static (String, Certificates)> {
    shared().tls.as_ref()
}

/// The ports of its management, for HTTP and HTTPS (with the certificates of [`amqp_tls`]); `None` when the broker is not
/// one of ours.
pub fn management() -> Option<[u16; 2]> {
    shared().management
}

/// Asks the management to do something; `path` is that behind `/api/`.
pub fn manage(method: &str, path: &str, body: &str) -> String {
    let [port, _] = management().expect("a broker of our own");
    let mut way = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let length = body.len();
    let head = "Authorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\nContent-Type: application/json\r\nConnection: close";
    write!(
        way,
        "{method} /api/{path} HTTP/1.0\r\n{head}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    way.read_to_string(&mut answer).unwrap();
    let status: u16 = answer.split(' ').nth(1).unwrap().parse().unwrap();
    assert!(status < 300, "{method} {path} {body}: {answer}");
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

const PLUGINS: [&str; 3] =
    ["rabbitmq_management", "rabbitmq_auth_mechanism_ssl", "rabbitmq_consistent_hash_exchange"];

fn shared() -> &'static Broker {
    static BROKER: OnceLock<Broker> = OnceLock::new();
    BROKER.get_or_init(|| match env::var("BINSYNC_TEST_AMQP") {
        Ok(url) => Broker::existing(url),
        Err(_) => Broker::start(Release::Stable, &PLUGINS),
    })
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A queue of one test; gone when the test ends.
pub struct Queue {
    pub name: String,
    runtime: Runtime,
    channel: Channel,
    _connection: Connection,
}

/// A durable queue nobody else uses.
pub fn broker(purpose: &str) -> Queue {
    broker_of(purpose, "classic")
}

/// The same of another kind: classic, quorum, stream.
pub fn broker_of(purpose: &str, kind: &str) -> Queue {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let name = format!("{purpose}-{}-{number}", std::process::id());
    let url = amqp_url();
    let runtime = runtime();
    let (connection, channel) = runtime.block_on(async {
        let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        let options = QueueDeclareOptions { durable: true, ..Default::default() };
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString(kind.into()));
        channel.queue_declare(name.as_str().into(), options, arguments).await.unwrap();
        (connection, channel)
    });
    Queue { name, runtime, channel, _connection: connection }
}

impl Queue {
    /// Publishes each message and waits until the broker has confirmed them all.
    pub fn publish<'a>(&self, messages: impl IntoIterator<Item = &'a [u8]>) {
        self.runtime.block_on(async {
            let mut waiting = Vec::new();
            for message in messages {
                let persistent = BasicProperties::default().with_delivery_mode(2);
                let options = BasicPublishOptions::default();
                let sent = self.channel.basic_publish(
                    "".into(),
                    self.name.as_str().into(),
                    options,
                    message,
                    persistent,
                );
                waiting.push(sent.await.unwrap());
                if waiting.len() == 1000 {
                    for confirm in waiting.drain(..) {
                        confirm.await.unwrap();
                    }
                }
            }
            for confirm in waiting {
                confirm.await.unwrap();
            }
        });
    }

    /// Publishes a lot: not each message is confirmed, the queue is asked for its length at the end.
    pub fn publish_many<'a>(&self, messages: impl IntoIterator<Item = &'a [u8]>) {
        let mut expected = self.ready();
        self.runtime.block_on(async {
            let channel = self._connection.create_channel().await.unwrap();
            for message in messages {
                let persistent = BasicProperties::default().with_delivery_mode(2);
                let (options, name) = (BasicPublishOptions::default(), self.name.as_str());
                let sent =
                    channel.basic_publish("".into(), name.into(), options, message, persistent);
                sent.await.unwrap();
                expected += 1;
            }
        });
        let deadline = Instant::now() + Duration::from_secs(120);
        while self.ready() < expected {
            assert!(Instant::now() < deadline, "the broker does not take the messages");
            sleep(Duration::from_millis(50));
        }
    }

    /// Messages ready in the queue: those handed out and not yet acknowledged are not counted.
    pub fn ready(&self) -> u32 {
        let options = QueueDeclareOptions { passive: true, ..Default::default() };
        let declared =
            self.channel.queue_declare(self.name.as_str().into(), options, FieldTable::default());
        self.runtime.block_on(declared).unwrap().message_count()
    }

    /// Removes the queue under whoever uses it.
    pub fn delete(&self) {
        let deleted =
            self.channel.queue_delete(self.name.as_str().into(), QueueDeleteOptions::default());
        self.runtime.block_on(deleted).unwrap();
    }

    /// True when the queue is there.
    pub fn exists(&self) -> bool {
        self.runtime.block_on(async {
            let channel = self._connection.create_channel().await.unwrap();
            let options = QueueDeclareOptions { passive: true, ..Default::default() };
            let name = self.name.as_str().into();
            channel.queue_declare(name, options, FieldTable::default()).await.is_ok()
        })
    }

    /// Runs something while another consumer is at the queue.
    pub fn beside_a_consumer<T>(&self, run: impl FnOnce() -> T) -> T {
        let channel = self.runtime.block_on(async {
            let channel = self._connection.create_channel().await.unwrap();
            let name = self.name.as_str().into();
            let options = BasicConsumeOptions::default();
            channel
                .basic_consume(name, "".into(), options, FieldTable::default())
                .await
                .map(|consumer| (channel, consumer))
                .unwrap()
        });
        let done = run();
        drop(channel);
        done
    }

    /// Takes one message without acknowledging it, and gives it back as redelivered when dropped with its channel.
    pub fn peek(&self) -> Option<(Vec<u8>, bool)> {
        self.runtime.block_on(async {
            let channel = self._connection.create_channel().await.unwrap();
            let got = channel
                .basic_get(self.name.as_str().into(), BasicGetOptions::default())
                .await
                .unwrap();
            let seen =
                got.map(|message| (message.delivery.data.clone(), message.delivery.redelivered));
            channel.close(200, "seen".into()).await.unwrap();
            seen
        })
    }

    /// Takes that many messages on a connection of its own and acknowledges each `batch` of them.
    pub fn consume(&self, messages: usize, prefetch: u16, batch: usize) {
        self.runtime.block_on(async {
            let connection =
                Connection::connect(amqp_url(), ConnectionProperties::default()).await.unwrap();
            let channel = connection.create_channel().await.unwrap();
            channel.basic_qos(prefetch, BasicQosOptions::default()).await.unwrap();
            let options = BasicConsumeOptions::default();
            let name = self.name.as_str();
            let arguments = FieldTable::default();
            let mut consumer =
                channel.basic_consume(name.into(), "".into(), options, arguments).await.unwrap();
            for number in 1..=messages {
                let delivery = consumer.next().await.unwrap().unwrap();
                if number % batch == 0 || number == messages {
                    let all_before = BasicAckOptions { multiple: true };
                    channel.basic_ack(delivery.delivery_tag, all_before).await.unwrap();
                }
            }
            connection.close(200, "done".into()).await.unwrap();
        });
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let _ = self.runtime.block_on(
            self.channel.queue_delete(self.name.as_str().into(), QueueDeleteOptions::default()),
        );
    }
}
