//! What kind of queue it is, asked of the broker.
//!
//! AMQP tells a queue's settings only by refusing others: a declaration that differs is answered
//! with the first difference, and what it is in truth. So a queue that is there is declared again
//! and again, each time with what the last answer told, until the broker agrees. Where that is not
//! allowed (it takes the right to configure) nothing is known.

use std::collections::BTreeMap;

use lapin::Connection;
use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable, ShortString};

use super::said::said;
use crate::source::queue::Settings;
use crate::source::refusal::{Setting, told_setting};

/// More settings than a queue has.
const MOST: usize = 32;

/// The settings of a queue that is there; `None` where the broker does not tell.
pub(super) async fn settings(
    connection: &Connection,
    queue: &str,
) -> lapin::Result<Option<Settings>> {
    let mut options = QueueDeclareOptions::durable();
    let mut arguments = BTreeMap::new();
    for _ in 0..MOST {
        // A refusal closes the channel.
        let channel = connection.create_channel().await?;
        let table = FieldTable::from(arguments.clone());
        let declared = channel.queue_declare(queue.into(), options, table).await;
        let Err(error) = declared else {
            channel.close(200, "known".into()).await?;
            return Ok(Some(known(&arguments, options.durable)));
        };
        let (Some(406), text) = said(&error) else {
            return Ok(None);
        };
        match told_setting(&text) {
            Some(("durable", Setting::Plain(value))) => options.durable = value == "true",
            Some(("auto_delete", Setting::Plain(value))) => options.auto_delete = value == "true",
            Some((name, Setting::None)) => {
                arguments.remove(&ShortString::from(name));
            }
            Some((name, setting)) => {
                let Some(value) = value(&setting) else {
                    return Ok(None);
                };
                arguments.insert(name.into(), value);
            }
            None => return Ok(None),
        }
    }
    Ok(None)
}

fn value(setting: &Setting<'_>) -> Option<AMQPValue> {
    match *setting {
        Setting::None => None,
        Setting::Plain(text) | Setting::Typed(text, "longstr") => {
            Some(AMQPValue::LongString(text.into()))
        }
        Setting::Typed(text, "bool") => Some(AMQPValue::Boolean(text == "true")),
        Setting::Typed(text, _) => text.parse().ok().map(AMQPValue::LongLongInt),
    }
}

fn known(arguments: &BTreeMap<ShortString, AMQPValue>, durable: bool) -> Settings {
    let of = |name: &str| arguments.get(&ShortString::from(name));
    Settings {
        kind: match of("x-queue-type") {
            Some(AMQPValue::LongString(kind)) => kind.to_string(),
            _ => "classic".to_owned(),
        },
        single_active: matches!(of("x-single-active-consumer"), Some(AMQPValue::Boolean(true))),
        delivery_limit: match of("x-delivery-limit") {
            Some(AMQPValue::LongLongInt(limit)) => Some(*limit),
            _ => None,
        },
        durable,
    }
}
