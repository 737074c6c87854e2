//! A producer that publishes small transactions over queues until it is told to end, waits for the broker's confirms,
//! and after a lost connection goes on at the first transaction that is not confirmed whole, as Maxwell does.

use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, PublisherConfirm,
    options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};
use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
        mpsc,
    },
    thread::{JoinHandle, sleep},
    time::Duration,
};
use tokio::{runtime::Builder, time::timeout};

/// Transactions that wait for their confirms.
const UNDER_WAY: u64 = 100;

/// For a confirm.
const PATIENCE: Duration = Duration::from_secs(5);

/// Every so many transactions a mark goes to every queue.
const MARK: u64 = 40;

/// The producer while it works; its queues are left.
pub struct Feed {
    pub queues: Vec<String>,
    kind: String,
    stop: Arc<AtomicBool>,
    /// The number of the last transaction.
    worker: JoinHandle<u64>,
}

impl Feed {
    /// Begins to publish to that many queues; returns when they are there.
    pub fn start(url: &str, kind: &str, queues: usize) -> Feed {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let queues: Vec<String> =
            (0..queues).map(|one| format!("crash-{kind}-{number}-{one}")).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let (declared, is_declared) = mpsc::channel();
        let mut publisher = Publisher {
            url: url.to_owned(),
            kind: kind.to_owned(),
            queues: queues.clone(),
            stop: stop.clone(),
            confirmed: 0,
            declared: Some(declared),
        };
        let worker = std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            // A broker that is down is asked again and again.
            while runtime.block_on(publisher.publish()).is_none() {
                sleep(Duration::from_millis(100));
            }
            publisher.confirmed
        });
        is_declared.recv().expect("the queues are declared");
        Feed { queues, kind: kind.to_owned(), stop, worker }
    }

    pub fn is_quorum(&self) -> bool {
        self.kind == "quorum"
    }

    /// Ends the publishing; the ids of all rows, each confirmed, in the order of their source.
    pub fn end(self) -> Vec<u64> {
        self.stop.store(true, Ordering::SeqCst);
        let last = self.worker.join().unwrap();
        (1..=last).flat_map(|number| (0..rows(number)).map(move |row| number * 10 + row)).collect()
    }
}

/// How many rows a transaction has; none: it is a mark.
fn rows(transaction: u64) -> u64 {
    match transaction.is_multiple_of(MARK) {
        true => 0,
        false => 1 + transaction.wrapping_mul(0x9E37_79B9_7F4A_7C15) % 4,
    }
}

/// The message of a row of a transaction, and the table it is of.
fn message(transaction: u64, row: u64) -> (u64, String) {
    let (id, table) = (transaction * 10 + row, transaction.wrapping_mul(7) + row * 3);
    let end = match row + 1 == rows(transaction) {
        true => r#""commit":true"#.to_owned(),
        false => format!(r#""xoffset":{row}"#),
    };
    let position = transaction * 1_000 + row * 10;
    let table = table % 8;
    let pad = "x".repeat((id % 400) as usize);
    let text = format!(
        r#"{{"database":"crash","table":"t{table}","type":"insert","ts":{},"xid":{transaction},{end},"position":"bin.000001:{position}","server_id":1,"primary_key_columns":["id"],"data":{{"id":{id},"pad":"{pad}"}}}}"#,
        1_700_000_000 + transaction / 100
    );
    (table, text)
}

fn mark(transaction: u64) -> String {
    format!(
        r#"{{"database":"binsync","table":"mark","type":"update","ts":{},"xid":{transaction},"commit":true,"position":"bin.000001:{}","server_id":1,"primary_key_columns":["id"],"data":{{"id":1,"number":{transaction}}},"old":{{"number":0}}}}"#,
        1_700_000_000 + transaction / 100,
        transaction * 1_000
    )
}

/// The id of a row in an exported line.
pub fn id(line: &[u8]) -> Option<u64> {
    let line: serde_json::Value = serde_json::from_slice(line).ok()?;
    line["data"]["id"].as_u64().filter(|_| line["database"] == "crash")
}

struct Publisher {
    url: String,
    kind: String,
    queues: Vec<String>,
    stop: Arc<AtomicBool>,
    /// The last transaction that is confirmed with all before it.
    confirmed: u64,
    /// Told when the queues are there for the first time.
    declared: Option<mpsc::Sender<()>>,
}

impl Publisher {
    /// Publishes on a connection of its own until told to stop; `None` when it was lost, or the broker did not take a
    /// message.
    async fn publish(&mut self) -> Option<()> {
        let connection =
            Connection::connect(&self.url, ConnectionProperties::default()).await.ok()?;
        let channel = connection.create_channel().await.ok()?;
        channel.confirm_select(ConfirmSelectOptions::default()).await.ok()?;
        self.declare(&channel).await.ok()?;
        if let Some(declared) = self.declared.take() {
            declared.send(()).expect("it is waited for");
        }
        let mut waiting: VecDeque<(u64, Vec<PublisherConfirm>)> = VecDeque::new();
        let mut next = self.confirmed + 1;
        loop {
            let stop = self.stop.load(Ordering::SeqCst);
            while waiting.len() as u64 > if stop { 0 } else { UNDER_WAY } {
                let (number, confirms) = waiting.pop_front().expect("not empty");
                for confirm in confirms {
                    // A queue whose leader went down may never answer.
                    let answer = timeout(PATIENCE, confirm).await.ok()?;
                    if !matches!(answer.ok()?, Confirmation::Ack(_)) {
                        return None;
                    }
                }
                self.confirmed = number;
            }
            if stop {
                return Some(());
            }
            waiting.push_back((next, self.send(&channel, next).await.ok()?));
            next += 1;
            // Some thousand rows a second at most.
            tokio::time::sleep(Duration::from_micros(700)).await;
        }
    }

    async fn send(&self, channel: &Channel, number: u64) -> lapin::Result<Vec<PublisherConfirm>> {
        let messages: Vec<(usize, String)> = match rows(number) {
            0 => (0..self.queues.len()).map(|queue| (queue, mark(number))).collect(),
            rows => (0..rows)
                .map(|row| message(number, row))
                .map(|(table, text)| (table as usize % self.queues.len(), text))
                .collect(),
        };
        let mut confirms = Vec::new();
        for (queue, text) in messages {
            let persistent = BasicProperties::default().with_delivery_mode(2);
            let (options, name) = (BasicPublishOptions::default(), self.queues[queue].as_str());
            let sent =
                channel.basic_publish("".into(), name.into(), options, text.as_bytes(), persistent);
            confirms.push(sent.await?);
        }
        Ok(confirms)
    }

    async fn declare(&self, channel: &Channel) -> lapin::Result<()> {
        for queue in &self.queues {
            let options = QueueDeclareOptions { durable: true, ..Default::default() };
            let mut arguments = FieldTable::default();
            let kind = AMQPValue::LongString(self.kind.as_str().into());
            arguments.insert("x-queue-type".into(), kind);
            if self.kind == "quorum" {
                // A message that is handed out twenty times is dropped by a new broker otherwise.
                arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(1_000_000));
            }
            channel.queue_declare(queue.as_str().into(), options, arguments).await?;
        }
        Ok(())
    }
}
