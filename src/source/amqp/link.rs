//! The thread behind [`Amqp`]: session after session, messages out, acks in.

use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use futures_lite::future::or;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep};

use super::{Address, Command, Gathered, Next, Session};
use crate::error::{Context, Error, Result};
use crate::source::queue::{Config, Event, Messages, Sizes, pause};
use crate::source::refusal::Refusal;

/// How long the consumer of a killed capture may still hold the queue.
const HELD_TIME: Duration = Duration::from_secs(30);

/// A queue being consumed.
pub struct Amqp {
    events: mpsc::Receiver<Event>,
    commands: UnboundedSender<Command>,
    thread: JoinHandle<()>,
}

impl Amqp {
    /// Starts to connect; how that went is the first event.
    pub fn start(config: Config) -> Result<Self> {
        let address = Address::of(&config)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the RabbitMQ client")?;
        // Unbounded, yet bounded by the prefetch: what is in it has not been acknowledged.
        let (events_in, events) = mpsc::channel();
        let (commands, commands_out) = unbounded_channel();
        let sizes = config.sizes;
        let link = Link {
            config,
            address,
            sizes,
            events: events_in,
            commands: commands_out,
            session: 0,
            stopping: false,
        };
        let thread = std::thread::Builder::new()
            .name("amqp".into())
            .spawn(move || runtime.block_on(link.run()))
            .context("cannot start the RabbitMQ client")?;
        Ok(Self { events, commands, thread })
    }

    /// The next event; `None` when none came in time.
    pub fn next(&self, wait: Duration) -> Option<Event> {
        match self.events.recv_timeout(wait) {
            Ok(event) => Some(event),
            Err(mpsc::RecvTimeoutError::Timeout) => None,
            Err(mpsc::RecvTimeoutError::Disconnected) => Some(Event::Ended),
        }
    }

    /// Acknowledges every message of the session up to `tag`: they are on disk.
    pub fn ack(&self, session: u32, tag: u64) {
        // Without a thread there is no session either, and the broker sends the messages again.
        let _ = self.commands.send(Command::Ack { session, tag });
    }

    /// As [`Amqp::stop`], if the queue is empty: a busy broker may be silent for a while.
    pub fn stop_if_empty(&self) {
        let _ = self.commands.send(Command::StopIfEmpty);
    }

    /// Takes no more messages; those received are handed out, then comes [`Event::Ended`].
    pub fn stop(&self) {
        let _ = self.commands.send(Command::Stop);
    }

    /// Sends the acks asked for and closes; the rest goes back into the queue.
    pub fn close(self) {
        let _ = self.commands.send(Command::Close);
        let _ = self.thread.join();
    }
}

/// The thread's side.
struct Link {
    config: Config,
    address: Address,
    sizes: Sizes,
    events: mpsc::Sender<Event>,
    commands: UnboundedReceiver<Command>,
    session: u32,
    stopping: bool,
}

impl Link {
    fn tell(&self, event: Event) {
        // Nobody listens any more: then the commands are closed too, which ends the loop.
        let _ = self.events.send(event);
    }

    /// Sessions, one after the other, until told to close.
    async fn run(mut self) {
        let started = Instant::now();
        let mut failures = 0;
        loop {
            let (config, address) = (self.config.clone(), self.address.clone());
            let opening = Session::open(&config, &address, self.sizes.prefetch());
            let Some(opened) = self.unless_closed(opening).await else {
                return;
            };
            let error = match opened {
                Ok(mut session) => {
                    (failures, self.config.patient) = (0, true);
                    self.session += 1;
                    self.tell(Event::Connected);
                    let over = self.exchange(&mut session).await;
                    session.close().await;
                    match over {
                        Ok(()) => return,
                        Err(error) => error,
                    }
                }
                Err(Refusal { error, held }) => {
                    let held = held && started.elapsed() < HELD_TIME;
                    if !self.config.patient && !held {
                        return self.tell(Event::Failed(error));
                    }
                    error
                }
            };
            let pause = pause(failures);
            failures += 1;
            self.tell(Event::Lost(error, pause));
            if self.unless_closed(sleep(pause)).await.is_none() {
                return;
            }
        }
    }

    /// Waits for `future` while there is no session; `None` when told to stop meanwhile.
    async fn unless_closed<T>(&mut self, future: impl Future<Output = T>) -> Option<T> {
        let told = async {
            while let Some(Command::Ack { .. } | Command::StopIfEmpty) = self.commands.recv().await
            {
            }
            None
        };
        let done = or(told, async { Some(future.await) }).await;
        if done.is_none() {
            self.tell(Event::Ended);
        }
        done
    }

    /// Messages out, acks in, until told to close.
    async fn exchange(&mut self, session: &mut Session) -> Result<()> {
        loop {
            let go_on = match session.next(&mut self.commands, self.stopping).await? {
                Next::BatchDue => {
                    self.hand_out(session);
                    true
                }
                Next::ConsumerEnded => return Err(Error::failed("the broker ended the consumer")),
                Next::Command(command) => self.obey(session, command).await?,
            };
            // Only after an ack: until then redelivered messages may still be compared, which
            // needs the old prefetch.
            let settled = session.acked > 0 && !self.stopping;
            let better = self.sizes.better_than(session.prefetch).filter(|_| settled);
            let go_on = match better {
                Some(prefetch) if go_on => self.set_prefetch(session, prefetch).await?,
                _ => go_on,
            };
            if !go_on {
                return Ok(());
            }
        }
    }

    /// Does what is asked; false when that is to close.
    async fn obey(&mut self, session: &mut Session, command: Option<Command>) -> Result<bool> {
        match command {
            Some(Command::Ack { session: of, tag }) if of == self.session => {
                session.ack(tag).await?;
            }
            Some(Command::Ack { .. }) => {}
            Some(Command::StopIfEmpty) => {
                if session.queued(&self.config.queue).await? == 0 {
                    self.stop(session);
                }
            }
            Some(Command::Stop) => self.stop(session),
            Some(Command::Close) | None => return Ok(false),
        }
        Ok(true)
    }

    fn stop(&mut self, session: &mut Session) {
        self.stopping = true;
        self.hand_out(session);
        self.tell(Event::Ended);
    }

    fn hand_out(&mut self, session: &mut Session) {
        let Gathered { records, redelivered, .. } = std::mem::take(&mut session.batch);
        if records.is_empty() {
            return;
        }
        self.sizes.add(&records);
        self.tell(Event::Messages(Messages {
            session: self.session,
            first_tag: session.received + 1 - records.len() as u64,
            window_full: session.window_full(),
            records,
            redelivered,
        }));
    }

    /// A consumer keeps the prefetch it began with, so it is ended and begun anew when all it
    /// was sent has been acknowledged: nothing is returned, the order stays. False: close.
    async fn set_prefetch(&mut self, session: &mut Session, prefetch: u16) -> Result<bool> {
        session.cancel().await?;
        while session.gather().await? {
            if session.batch_is_full() {
                self.hand_out(session);
            }
        }
        self.hand_out(session);
        while session.acked < session.received {
            let command = self.commands.recv().await;
            if !self.obey(session, command).await? {
                return Ok(false);
            }
        }
        session.consume(&self.config, prefetch).await?;
        Ok(true)
    }
}
