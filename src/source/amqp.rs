//! One RabbitMQ queue, read with manual acknowledgement.
//!
//! A thread of its own drives the client: it gathers deliveries into [`super::queue::Messages`],
//! sends the acks it is asked for, and comes back by itself after a loss, with growing pauses. Automatic recovery
//! of the client stays off: each connection is a new *session*, and an ack of an old one is
//! dropped, so that it can never name messages of the new one. A session begins only when the queue
//! has no other consumer, and asks for it exclusively where the kind of queue knows that: then the
//! messages of a dead session are back, in their old order. It consumes once, with one prefetch,
//! until it ends: to cancel a consumer would return what is under way, out of order.
//!
//! How long a message is kept, and what it says, is not known here.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_lite::future::{or, pending, poll_once};
use futures_lite::stream::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::uri::{AMQPUri, SASLMechanism};
use lapin::{Channel, Connection, ConnectionProperties, Consumer};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::Records;
use super::queue::{self, Config};
use super::refusal::{Place, Refusal};
use crate::error::{self, Error, Result, Words};
use gate::Gate;
use said::{lost, said};

mod declare;
mod gate;
mod kind;
mod link;
mod said;
mod tls;

pub use link::Amqp;

const BATCH_BYTES: usize = 1 << 20;
/// The most bytes of messages that are out without an ack; one message may be more.
const UNACKED_BYTES: usize = 32 << 20;
/// The most bytes the client may read ahead of us.
const AHEAD: usize = 4 << 20;
/// How often it is looked whether we are the only consumer.
const LOOK_TIME: Duration = Duration::from_secs(5);
/// And where it is to be told that the queue is empty.
const EMPTY_TIME: Duration = Duration::from_secs(1);
const BATCH_TIME: Duration = Duration::from_millis(20);
/// How often deliveries are looked for while a batch is being gathered.
const LULL: Duration = Duration::from_millis(2);
/// Messages that tell how large they are.
const SIZED: u64 = 4000;
const CONNECT_TIME: Duration = Duration::from_secs(10);
const CONSUME_TIME: Duration = Duration::from_secs(60);
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
        queue::check_name("vhost", &uri.vhost)?;
        // Seconds; the broker's own default would notice a dead peer after a minute or more.
        uri.query.heartbeat.get_or_insert(10);
        Ok(Self(uri))
    }

    /// With the password of the moment.
    fn login(&self, config: &Config) -> Result<AMQPUri> {
        let mut uri = self.0.clone();
        if let Some(password) = &config.password {
            uri.authority.userinfo.password = password()?;
        }
        Ok(uri)
    }

    fn place(&self) -> Place {
        let AMQPUri { authority, vhost, .. } = &self.0;
        Place {
            host: format!("{}:{}", authority.host, authority.port),
            user: authority.userinfo.username.clone(),
            vhost: vhost.clone(),
            by_certificate: self.0.query.auth_mechanism == Some(SASLMechanism::External),
        }
    }
}

/// An answer of the broker that is under way.
type Asked<T> = Pin<Box<dyn Future<Output = lapin::Result<T>> + Send>>;

/// One connection and consumer.
struct Session {
    connection: Connection,
    /// Of the consumer; what is asked on it is answered behind the acks sent before.
    channel: Channel,
    /// For questions that are not to wait behind deliveries.
    side: Channel,
    consumer: Consumer,
    gate: Arc<Gate>,
    prefetch: u16,
    /// The largest of the last messages received, and of those before them.
    largest: [u64; 2],
    /// Messages waited when it began.
    backlog: bool,
    batch: Gathered,
    /// Highest delivery tag seen, acknowledged, and confirmed to be.
    received: u64,
    acked: u64,
    confirmed: u64,
    /// Bytes received and not acknowledged, and of which messages: last tag and bytes.
    held: usize,
    sizes: VecDeque<(u64, usize)>,
    /// The question behind an ack, and the tag of that ack.
    confirming: Option<(u64, Asked<()>)>,
    /// False where the queue itself admits one consumer at a time.
    alone: bool,
    /// The broker has said, since this consumer is there, that no other is. A quorum queue without a leader names none
    /// before; it may still have those of before its broker's fall, and what they hold comes back out of order.
    sure: bool,
    /// It is to be told that the queue is empty.
    tells_empty: bool,
    look: Instant,
    /// The question what the queue holds, and when it was asked, milliseconds since 1970.
    looking: Option<(i64, Asked<Counts>)>,
    /// What the user should know of the queue.
    told: Vec<Words>,
}

/// Deliveries on their way into one [`super::queue::Messages`].
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
    Confirmed(u64),
    Joined,
    /// The queue was empty at that time, milliseconds since 1970.
    Empty(i64),
}

impl Session {
    async fn open(config: &Config, address: &Address, prefetch: u16) -> Result<Self, Refusal> {
        let place = address.place();
        let gate = Gate::open();
        let properties =
            ConnectionProperties::default().with_connection_name("binsync capture".into());
        let login = address.login(config)?;
        let runtime = gate::runtime(&login, gate.clone(), &config.tls);
        let connecting = Connection::connect_uri_with_runtime(login, properties, runtime);
        let connecting = timeout(CONNECT_TIME, connecting).await;
        let connection = connecting.map_err(|_| place.silent())?.map_err(|error| {
            let (code, text) = said(&error);
            place.no_connection(code, &text)
        })?;
        config.reached.store(true, Ordering::Relaxed);
        let opening = Self::consume(config, &place, connection, gate, prefetch);
        // The broker answers when it has all at hand that it is to send.
        timeout(CONSUME_TIME, opening).await.map_err(|_| place.unanswered(&config.queue))?
    }

    /// Looks at the queue and begins to consume it.
    async fn consume(
        config: &Config,
        place: &Place,
        connection: Connection,
        gate: Arc<Gate>,
        prefetch: u16,
    ) -> Result<Self, Refusal> {
        let name = config.queue.as_str();
        let refused = |error: lapin::Error| {
            let (code, text) = said(&error);
            place.no_queue(name, config.declare.is_some(), code, &text)
        };
        let declare::Met { mut told, queue: met } = match &config.declare {
            Some(declare) => declare::declare(&connection, place, config, declare).await?,
            None => declare::Met::default(),
        };
        let side = connection.create_channel().await.map_err(refused)?;
        // What is not there would be made by asking for its settings.
        counts(&side, name).await.map_err(refused)?;
        let settings = kind::settings(&connection, name).await.map_err(refused)?;
        if settings.as_ref().is_some_and(queue::Settings::is_stream) {
            return Err(place.stream(name).into());
        }
        let single_active = settings.as_ref().map_or(config.shared, |s| s.single_active);
        let alone = !single_active;
        let before = counts(&side, name).await.map_err(refused)?;
        if alone && before.consumers > 0 {
            return Err(place.shared(name, before.consumers));
        }
        let channel = connection.create_channel().await.map_err(refused)?;
        gate.allow(AHEAD);
        let options = BasicConsumeOptions { exclusive: alone, ..Default::default() };
        let consuming = async {
            channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
            let arguments = FieldTable::default();
            channel.basic_consume(name.into(), "binsync".into(), options, arguments).await
        };
        let consumer = consuming.await.map_err(refused)?;
        if let Some(settings) = settings {
            let declared = config.declare.as_ref().filter(|_| met);
            told.extend(declared.and_then(|declare| settings.differs(name, declare.kind)));
            told.extend(settings.warning(name).map(Words::from));
        }
        Ok(Self {
            connection,
            channel,
            side,
            consumer,
            gate,
            prefetch,
            largest: [0; 2],
            backlog: before.messages > 0,
            batch: Gathered::default(),
            received: 0,
            acked: 0,
            confirmed: 0,
            held: 0,
            sizes: VecDeque::new(),
            confirming: None,
            alone,
            sure: !alone,
            tells_empty: config.tells_empty,
            look: Instant::now(),
            looking: None,
            told,
        })
    }

    /// Gathers deliveries until a batch is due or something else comes; commands go first.
    async fn next(
        &mut self,
        queue: &str,
        commands: &mut UnboundedReceiver<Command>,
        stopping: bool,
    ) -> Result<Next> {
        while !self.batch_is_full() || self.is_unsure() {
            // Once no more is taken, only what is under way to an answer is read.
            if self.held < self.most() && !stopping {
                self.gate.allow(AHEAD);
            }
            let started = self.batch.started;
            let come = {
                let Self { consumer, gate, confirming, looking, look, .. } = self;
                let looks = self.alone || self.tells_empty;
                let command = async { Come::Command(commands.recv().await) };
                let answer = or(
                    async {
                        match confirming {
                            Some((tag, asked)) => Come::Confirmed(*tag, asked.await),
                            None => pending().await,
                        }
                    },
                    async {
                        match looking {
                            Some((asked_ms, asked)) => Come::Looked(*asked_ms, asked.await),
                            None if looks => {
                                sleep_until(*look).await;
                                Come::TimeToLook
                            }
                            None => pending().await,
                        }
                    },
                );
                let delivery = async {
                    match started {
                        _ if stopping => pending().await,
                        None => Come::Delivery(Box::new(consumer.next().await)),
                        // Being woken for each message would cost more than storing it.
                        Some(_) => {
                            sleep(LULL).await;
                            Come::Lull
                        }
                    }
                };
                let shut = async {
                    gate.shut().await;
                    Come::Lull
                };
                or(or(command, answer), or(delivery, shut)).await
            };
            let first = match come {
                Come::Command(command) => return Ok(Next::Command(command)),
                Come::Confirmed(tag, answer) => {
                    answer.map_err(|e| lost(&e))?;
                    (self.confirming, self.confirmed) = (None, tag);
                    self.confirm(queue);
                    return Ok(Next::Confirmed(tag));
                }
                Come::TimeToLook => {
                    let (side, queue) = (self.side.clone(), queue.to_owned());
                    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                    let asked = Box::pin(async move { counts(&side, &queue).await });
                    self.looking = Some((now.as_millis() as i64, asked));
                    continue;
                }
                Come::Looked(asked_ms, answer) => {
                    let pause = if self.tells_empty { EMPTY_TIME } else { LOOK_TIME };
                    (self.looking, self.look) = (None, Instant::now() + pause);
                    let Counts { messages, consumers } = answer.map_err(|e| lost(&e))?;
                    if self.alone && consumers > 1 {
                        return if self.sure { Ok(Next::Joined) } else { Err(not_gone(queue)) };
                    }
                    self.sure = true;
                    if !self.tells_empty || messages > 0 || consumers > 1 || self.is_holding() {
                        continue;
                    }
                    // What the broker had sent before it answered is here by now.
                    match poll_once(self.consumer.next()).await {
                        None => return Ok(Next::Empty(asked_ms)),
                        some => some,
                    }
                }
                Come::Delivery(first) => Some(*first),
                Come::Lull if stopping => continue,
                Come::Lull => poll_once(self.consumer.next()).await,
            };
            if let Some(first) = first
                && !self.gather_from(first).await?
            {
                return Ok(Next::ConsumerEnded);
            }
            if started.is_some_and(|at| at.elapsed() >= BATCH_TIME) && !self.is_unsure() {
                break;
            }
        }
        Ok(Next::BatchDue)
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
                return Err(Error::new(
                    error::ErrorKind::Lost,
                    "the broker's delivery tags are out of order",
                ));
            }
            self.batch.started.get_or_insert_with(Instant::now);
            self.held += delivery.data.len();
            if self.received.is_multiple_of(SIZED) {
                self.largest = [0, self.largest[0]];
            }
            self.largest[0] = self.largest[0].max(delivery.data.len() as u64);
            self.sizes.push_back((self.received, delivery.data.len()));
            self.batch.records.push(&delivery.data);
            self.batch.redelivered.push(delivery.redelivered);
            if self.batch_is_full() {
                break;
            }
            next = poll_once(self.consumer.next()).await;
        }
        Ok(true)
    }

    /// The prefetch that this session should have, if that is another one by far.
    fn better_prefetch(&self) -> Option<u16> {
        let largest = self.largest[0].max(self.largest[1]);
        let small = self.received >= 2 * SIZED && queue::far_too_few(self.prefetch, largest);
        let other = small || queue::far_too_many(self.prefetch, largest);
        other.then(|| queue::prefetch(largest))
    }

    /// Half the prefetch, so that the broker sends on while the other half is being stored.
    fn batch_is_full(&self) -> bool {
        let Gathered { records, .. } = &self.batch;
        records.len() * 2 >= usize::from(self.prefetch)
            || records.bytes.len() >= BATCH_BYTES
            || (self.window_full() && !records.is_empty())
    }

    /// True while nothing may be handed on; the answer may be behind more than there is room for.
    fn is_unsure(&self) -> bool {
        !self.sure && self.held < self.most()
    }

    /// True while something that was received is not acknowledged.
    fn is_holding(&self) -> bool {
        self.received > self.acked
    }

    /// True when no more comes before an ack.
    fn window_full(&self) -> bool {
        self.received - self.acked >= u64::from(self.prefetch) || self.held >= self.most()
    }

    /// The most bytes to hold. Before the first ack twice as many: what was stored and not
    /// acknowledged comes again, and is compared as a whole.
    fn most(&self) -> usize {
        if self.acked == 0 { 2 * UNACKED_BYTES } else { UNACKED_BYTES }
    }

    async fn ack(&mut self, queue: &str, tag: u64) -> Result<()> {
        let all_before = BasicAckOptions { multiple: true };
        self.channel.basic_ack(tag, all_before).await.map_err(|e| lost(&e))?;
        self.acked = tag;
        while let Some(&(_, bytes)) = self.sizes.front().filter(|(of, _)| *of <= tag) {
            self.sizes.pop_front();
            self.held -= bytes;
        }
        self.confirm(queue);
        Ok(())
    }

    /// Asks something behind the last ack, unless an answer is under way: it says that the broker
    /// has taken the ack.
    fn confirm(&mut self, queue: &str) {
        if self.confirming.is_none() && self.confirmed < self.acked {
            let (channel, queue) = (self.channel.clone(), queue.to_owned());
            let asked = Box::pin(async move { counts(&channel, &queue).await.map(drop) });
            self.confirming = Some((self.acked, asked));
        }
    }

    /// Orderly if the broker still answers: its reply says that the acks have arrived.
    async fn close(self) {
        self.gate.allow(UNACKED_BYTES);
        let closing = async {
            self.channel.close(200, "done".into()).await?;
            self.connection.close(200, "done".into()).await
        };
        // Failed or not, the session is over; what was not acknowledged comes again.
        let _ = timeout(CLOSE_TIME, closing).await;
    }
}

/// Consumers of before are named still: once they are gone, what they held is back in its place.
fn not_gone(queue: &str) -> Error {
    let text =
        format!("queue {queue} has other consumers still, perhaps of before its broker's fall");
    Error::new(error::ErrorKind::Lost, text).help(
        "if that does not end: rabbitmqctl list_consumers names them; stop what takes messages beside binsync",
    )
}

enum Come {
    Command(Option<Command>),
    Confirmed(u64, lapin::Result<()>),
    TimeToLook,
    Looked(i64, lapin::Result<Counts>),
    Delivery(Box<Option<lapin::Result<Delivery>>>),
    Lull,
}

/// What waits in a queue, and for whom.
struct Counts {
    /// Messages that are on their way to nobody.
    messages: u32,
    consumers: u32,
}

/// An error if there is no such queue.
async fn counts(channel: &Channel, queue: &str) -> lapin::Result<Counts> {
    let options = QueueDeclareOptions { passive: true, ..Default::default() };
    let queue = channel.queue_declare(queue.into(), options, FieldTable::default()).await?;
    Ok(Counts { messages: queue.message_count(), consumers: queue.consumer_count() })
}
