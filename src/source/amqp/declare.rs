//! Makes what is to be declared and is not there: exchanges, queues, bindings. What is there is left
//! as it is, and what differs is told.

use lapin::options::{
    ExchangeBindOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ExchangeKind};

use super::said::said;
use crate::error::Words;
use crate::source::exchange::{Exchange, Found, HASHING, rest};
use crate::source::queue::{Config, DELIVERY_LIMIT, Declare, Kind};
use crate::source::refusal::{Place, Refusal, Setting, told_setting};

/// More settings than an exchange has.
const MOST: usize = 8;
/// The key of a mark, which goes to every queue.
const MARKS: &str = "binsync.#";

/// What was met of what is to be declared.
#[derive(Default)]
pub(super) struct Met {
    /// What the user should know.
    pub(super) told: Vec<Words>,
    /// The queue was there.
    pub(super) queue: bool,
}

/// Makes the queue, what it is bound to, and its bindings.
///
/// # Errors
/// When the broker refuses, or an exchange that is there cannot be used.
pub(super) async fn declare(
    connection: &Connection,
    place: &Place,
    config: &Config,
    declare: &Declare,
) -> Result<Met, Refusal> {
    let name = config.queue.as_str();
    let refused = |error: lapin::Error| {
        let (code, text) = said(&error);
        place.no_queue(name, true, code, &text)
    };
    let mut told = Vec::new();
    // The queue is there before an exchange sends anything on.
    let queue = queue(connection, name, declare.kind).await.map_err(refused)?;
    for exchange in &declare.exchanges {
        let found = match found(connection, exchange).await.map_err(refused)? {
            Some(found) => found,
            None => make(connection, exchange, declare.kind).await.map_err(refused)?,
        };
        let differs = exchange.differs(&found)?;
        bind(connection, name, exchange, &found.kind, declare).await.map_err(refused)?;
        if declare.tells.contains(&exchange.name) {
            told.extend(differs);
            told.extend(exchange.left_over(found.alternate.as_deref()));
        }
    }
    Ok(Met { told, queue })
}

fn durable() -> ExchangeDeclareOptions {
    ExchangeDeclareOptions { durable: true, ..Default::default() }
}

fn long(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

/// Makes a queue that is not there; true when it was.
async fn queue(connection: &Connection, name: &str, kind: Kind) -> lapin::Result<bool> {
    // A refusal closes the channel.
    let channel = connection.create_channel().await?;
    let options = QueueDeclareOptions { passive: true, ..Default::default() };
    let asked = channel.queue_declare(name.into(), options, FieldTable::default()).await;
    match asked {
        Ok(_) => close(&channel).await.map(|()| true),
        Err(error) if said(&error).0 == Some(404) => {
            let channel = connection.create_channel().await?;
            channel.queue_declare(name.into(), QueueDeclareOptions::durable(), made(kind)).await?;
            close(&channel).await.map(|()| false)
        }
        Err(error) => Err(error),
    }
}

/// The arguments of a queue that we make: one consumer at a time, and no message dropped because
/// it was returned often.
fn made(kind: Kind) -> FieldTable {
    let mut arguments = FieldTable::default();
    match kind {
        Kind::Classic => {
            arguments.insert("x-queue-type".into(), long("classic"));
        }
        Kind::Quorum => {
            arguments.insert("x-queue-type".into(), long("quorum"));
            arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
            let limit = AMQPValue::LongLongInt(DELIVERY_LIMIT);
            arguments.insert("x-delivery-limit".into(), limit);
        }
    }
    arguments
}

/// The exchange as it is there, told by the broker's refusals; `None` where there is none.
async fn found(connection: &Connection, exchange: &Exchange) -> lapin::Result<Option<Found>> {
    let channel = connection.create_channel().await?;
    let passive = ExchangeDeclareOptions { passive: true, ..Default::default() };
    let (name, none) = (exchange.name.as_str(), FieldTable::default());
    let asked = channel.exchange_declare(name.into(), ExchangeKind::Topic, passive, none).await;
    match asked {
        Ok(()) => close(&channel).await?,
        Err(error) if said(&error).0 == Some(404) => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut options = durable();
    let mut found = Found { kind: "topic".to_owned(), durable: true, alternate: None };
    let mut arguments = FieldTable::default();
    for _ in 0..MOST {
        let channel = connection.create_channel().await?;
        let kind = ExchangeKind::Custom(found.kind.clone());
        let declared =
            channel.exchange_declare(name.into(), kind, options, arguments.clone()).await;
        let Err(error) = declared else {
            close(&channel).await?;
            break;
        };
        let (Some(406), text) = said(&error) else {
            // Without the right to configure it nothing more is told.
            break;
        };
        match told_setting(&text) {
            Some(("type", Setting::Plain(kind))) => kind.clone_into(&mut found.kind),
            Some(("durable", Setting::Plain(value))) => {
                options.durable = value == "true";
                found.durable = options.durable;
            }
            Some(("auto_delete", Setting::Plain(value))) => options.auto_delete = value == "true",
            Some(("internal", Setting::Plain(value))) => options.internal = value == "true",
            Some(("alternate-exchange", Setting::Typed(value, _) | Setting::Plain(value))) => {
                found.alternate = Some(value.to_owned());
                arguments.insert("alternate-exchange".into(), long(value));
            }
            _ => break,
        }
    }
    Ok(Some(found))
}

/// Makes an exchange, with what takes the messages that no binding takes.
async fn make(connection: &Connection, exchange: &Exchange, kind: Kind) -> lapin::Result<Found> {
    let (name, mut arguments) = (exchange.name.as_str(), FieldTable::default());
    let mut made = Found { kind: "topic".to_owned(), durable: true, alternate: None };
    if exchange.has_rest {
        let rest = rest(name);
        queue(connection, &rest, kind).await?;
        let channel = connection.create_channel().await?;
        let none = FieldTable::default;
        let fanout = ExchangeKind::Fanout;
        channel.exchange_declare(rest.as_str().into(), fanout, durable(), none()).await?;
        let (queue, from) = (rest.as_str().into(), rest.as_str().into());
        channel.queue_bind(queue, from, "".into(), QueueBindOptions::default(), none()).await?;
        close(&channel).await?;
        arguments.insert("alternate-exchange".into(), long(&rest));
        made.alternate = Some(rest);
    }
    let channel = connection.create_channel().await?;
    channel.exchange_declare(name.into(), ExchangeKind::Topic, durable(), arguments).await?;
    close(&channel).await.map(|()| made)
}

/// Binds a queue to an exchange of that type.
async fn bind(
    connection: &Connection,
    queue: &str,
    exchange: &Exchange,
    kind: &str,
    declare: &Declare,
) -> lapin::Result<()> {
    let (name, dealer) = (exchange.name.as_str(), exchange.dealer(kind));
    let channel = connection.create_channel().await?;
    let none = FieldTable::default;
    if dealer != exchange.name {
        let hashing = ExchangeKind::Custom(HASHING.to_owned());
        channel.exchange_declare(dealer.as_str().into(), hashing, durable(), none()).await?;
        let options = ExchangeBindOptions::default();
        let (to, from) = (dealer.as_str().into(), name.into());
        channel.exchange_bind(to, from, "#".into(), options, none()).await?;
    }
    for (_, key) in declare.bindings.iter().filter(|(of, _)| of == name) {
        let (from, key) = (dealer.as_str().into(), key.as_str().into());
        channel.queue_bind(queue.into(), from, key, QueueBindOptions::default(), none()).await?;
    }
    if declare.marks && kind == "topic" {
        let options = QueueBindOptions::default();
        channel.queue_bind(queue.into(), name.into(), MARKS.into(), options, none()).await?;
    }
    close(&channel).await
}

async fn close(channel: &Channel) -> lapin::Result<()> {
    channel.close(200, "done".into()).await
}
