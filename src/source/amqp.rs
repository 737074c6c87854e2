//! One RabbitMQ queue, read with manual acknowledgement.
//!
//! A thread of its own drives the client: it gathers deliveries into [`Messages`], sends the acks
//! it is asked for, and comes back by itself after a loss, with growing pauses. Automatic recovery
//! of the client stays off: each connection is a new *session*, and an ack of an old one is
//! dropped, so that it can never name messages of the new one. The queue is consumed exclusively:
//! the broker then lets a new session in only after it has put the messages of the dead one back,
//! in their old order.
//!
//! How long a message is kept, and what it says, is not known here.

use std::time::Duration;

use futures_lite::future::{or, pending, poll_once};
use futures_lite::stream::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions, QueueBindOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties, Consumer, ErrorKind};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep, timeout};

use super::Records;
use super::queue::Config;
use super::refusal::{Place, Refusal};
use crate::error::{Error, Result};

mod link;

pub use link::Amqp;

const BATCH_BYTES: usize = 1 << 20;
const BATCH_TIME: Duration = Duration::from_millis(20);
/// How often deliveries are looked for while a batch is being gathered.
const LULL: Duration = Duration::from_millis(2);
const CONNECT_TIME: Duration = Duration::from_secs(10);
const CLOSE_TIME: Duration = Duration::from_secs(5);

enum Command {
    Ack { session: u32, tag: u64 },
    StopIfEmpty,
    Stop,
    Close,
}

/// Where the broker is.
#[derive(Clone)]
struct Address(AMQPUri);

impl Address {
    fn of(config: &Config) -> Result<Self> {
        // The parser's own message repeats the URL, password and all.
        let mut uri: AMQPUri = config.url.parse().map_err(|_: String| {
            Error::usage("the AMQP URL cannot be read").help(
                "it looks like amqp://USER:PASSWORD@HOST:5672/VHOST \
             (the usual vhost / is written %2f; amqps:// for TLS)",
            )
        })?;
        if let Some(password) = &config.password {
            uri.authority.userinfo.password = password.clone();
        }
        // Seconds; the broker's own default would notice a dead peer after a minute or more.
        uri.query.heartbeat.get_or_insert(10);
        Ok(Self(uri))
    }

    fn place(&self) -> Place {
        let AMQPUri { authority, vhost, .. } = &self.0;
        Place {
            host: format!("{}:{}", authority.host, authority.port),
            user: authority.userinfo.username.clone(),
            vhost: vhost.clone(),
        }
    }
}

/// One connection, channel and consumer.
struct Session {
    connection: Connection,
    channel: Channel,
    consumer: Consumer,
    prefetch: u16,
    batch: Gathered,
    /// Highest delivery tag seen, and acknowledged.
    received: u64,
    acked: u64,
}

/// Deliveries on their way into one [`Messages`].
#[derive(Default)]
struct Gathered {
    records: Records,
    redelivered: Vec<bool>,
    started: Option<Instant>,
}

/// What comes first.
enum Next {
    BatchDue,
    ConsumerEnded,
    Command(Option<Command>),
}

impl Session {
    async fn open(config: &Config, address: &Address, prefetch: u16) -> Result<Self, Refusal> {
        let place = address.place();
        let properties =
            ConnectionProperties::default().with_connection_name("binsync capture".into());
        let connecting =
            timeout(CONNECT_TIME, Connection::connect_uri(address.0.clone(), properties)).await;
        let connection = connecting.map_err(|_| place.silent())?.map_err(|error| {
            let (code, text) = said(&error);
            place.no_connection(code, &text)
        })?;
        let opening = async {
            let channel = connection.create_channel().await?;
            prepare(&channel, config).await?;
            let consumer = consume(&channel, config, prefetch).await?;
            Ok((channel, consumer))
        };
        let opened = timeout(CONNECT_TIME, opening).await.map_err(|_| place.silent())?;
        let (channel, consumer) = opened.map_err(|error: lapin::Error| {
            let (code, text) = said(&error);
            place.no_queue(&config.queue, config.declare.is_some(), code, &text)
        })?;
        let batch = Gathered::default();
        Ok(Self { connection, channel, consumer, prefetch, batch, received: 0, acked: 0 })
    }

    /// Gathers deliveries until a batch is due or a command comes; commands go first.
    async fn next(
        &mut self,
        commands: &mut UnboundedReceiver<Command>,
        stopping: bool,
    ) -> Result<Next> {
        while !self.batch_is_full() {
            let command = async { Come::Command(commands.recv().await) };
            let started = self.batch.started;
            let delivery = async {
                match started {
                    _ if stopping => pending().await,
                    None => Come::Delivery(Box::new(self.consumer.next().await)),
                    // Being woken for each message would cost more than storing it.
                    Some(_) => {
                        sleep(LULL).await;
                        Come::Lull
                    }
                }
            };
            let first = match or(command, delivery).await {
                Come::Command(command) => return Ok(Next::Command(command)),
                Come::Delivery(first) => Some(*first),
                Come::Lull => poll_once(self.consumer.next()).await,
            };
            if let Some(first) = first
                && !self.gather_from(first).await?
            {
                return Ok(Next::ConsumerEnded);
            }
            if started.is_some_and(|at| at.elapsed() >= BATCH_TIME) {
                break;
            }
        }
        Ok(Next::BatchDue)
    }

    /// Ends the consumer; what is under way to it still comes.
    async fn cancel(&self) -> Result<()> {
        let options = BasicCancelOptions::default();
        self.channel.basic_cancel(self.consumer.tag(), options).await.map_err(|e| lost(&e))
    }

    /// Messages in the queue that are on their way to nobody.
    async fn queued(&self, queue: &str) -> Result<u32> {
        queued(&self.channel, queue).await.map_err(|e| lost(&e))
    }

    /// Begins a new consumer.
    async fn consume(&mut self, config: &Config, prefetch: u16) -> Result<()> {
        let consumer = consume(&self.channel, config, prefetch).await;
        self.consumer = consumer.map_err(|e| lost(&e))?;
        self.prefetch = prefetch;
        Ok(())
    }

    /// Waits for a delivery and gathers; false when the consumer has ended.
    async fn gather(&mut self) -> Result<bool> {
        let first = self.consumer.next().await;
        self.gather_from(first).await
    }

    /// Takes one delivery and those that are there already, up to a whole batch; false when the
    /// consumer has ended.
    async fn gather_from(&mut self, first: Option<lapin::Result<Delivery>>) -> Result<bool> {
        let mut next = Some(first);
        while let Some(delivery) = next {
            let Some(delivery) = delivery else {
                return Ok(false);
            };
            let delivery = delivery.map_err(|e| lost(&e))?;
            self.received += 1;
            if delivery.delivery_tag != self.received {
                return Err(Error::failed("the broker's delivery tags are out of order"));
            }
            self.batch.started.get_or_insert_with(Instant::now);
            self.batch.records.push(&delivery.data);
            self.batch.redelivered.push(delivery.redelivered);
            if self.batch_is_full() {
                break;
            }
            next = poll_once(self.consumer.next()).await;
        }
        Ok(true)
    }

    /// Half the prefetch, so that the broker sends on while the other half is being stored.
    fn batch_is_full(&self) -> bool {
        let Gathered { records, .. } = &self.batch;
        records.len() * 2 >= usize::from(self.prefetch)
            || records.bytes.len() >= BATCH_BYTES
            || (self.window_full() && !records.is_empty())
    }

    fn window_full(&self) -> bool {
        self.received - self.acked >= u64::from(self.prefetch)
    }

    async fn ack(&mut self, tag: u64) -> Result<()> {
        let all_before = BasicAckOptions { multiple: true };
        self.channel.basic_ack(tag, all_before).await.map_err(|e| lost(&e))?;
        self.acked = tag;
        Ok(())
    }

    /// Orderly if the broker still answers: its reply says that the acks have arrived.
    async fn close(self) {
        let closing = async {
            self.channel.close(200, "done".into()).await?;
            self.connection.close(200, "done".into()).await
        };
        // Failed or not, the session is over; what was not acknowledged comes again.
        let _ = timeout(CLOSE_TIME, closing).await;
    }
}

enum Come {
    Command(Option<Command>),
    Delivery(Box<Option<lapin::Result<Delivery>>>),
    Lull,
}

/// Makes the queue and its bindings, or asks whether it is there.
async fn prepare(channel: &Channel, config: &Config) -> lapin::Result<()> {
    let queue = config.queue.as_str();
    let Some(declare) = &config.declare else {
        let options = QueueDeclareOptions { passive: true, ..Default::default() };
        channel.queue_declare(queue.into(), options, FieldTable::default()).await?;
        return Ok(());
    };
    let mut arguments = FieldTable::default();
    let kind = AMQPValue::LongString(declare.kind.as_str().into());
    arguments.insert("x-queue-type".into(), kind);
    channel.queue_declare(queue.into(), QueueDeclareOptions::durable(), arguments).await?;
    for (exchange, key) in &declare.bindings {
        let (exchange, key) = (exchange.as_str().into(), key.as_str().into());
        let options = QueueBindOptions::default();
        channel.queue_bind(queue.into(), exchange, key, options, FieldTable::default()).await?;
    }
    Ok(())
}

/// How many messages wait in the queue; an error if there is no such queue.
async fn queued(channel: &Channel, queue: &str) -> lapin::Result<u32> {
    let options = QueueDeclareOptions { passive: true, ..Default::default() };
    let queue = channel.queue_declare(queue.into(), options, FieldTable::default()).await?;
    Ok(queue.message_count())
}

async fn consume(channel: &Channel, config: &Config, prefetch: u16) -> lapin::Result<Consumer> {
    channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions { exclusive: config.exclusive, ..Default::default() };
    let queue = config.queue.as_str().into();
    channel.basic_consume(queue, "binsync".into(), options, FieldTable::default()).await
}

/// The broker's reply code, if it gave one, and the reason.
fn said(error: &lapin::Error) -> (Option<u16>, String) {
    match error.kind() {
        ErrorKind::ProtocolError(said) => (Some(said.get_id()), said.get_message().to_string()),
        ErrorKind::IOError(error) => (None, error.to_string()),
        _ => (None, error.to_string()),
    }
}

fn lost(error: &lapin::Error) -> Error {
    Error::failed(said(error).1)
}
