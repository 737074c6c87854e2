//! The thread behind [`Amqp`]: session after session, messages out, acks in.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use futures_lite::future::or;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep};

use super::{Address, Command, Gathered, Next, Session, counts, lost, tls};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::retry;
use crate::source::queue::{Config, Event, Messages, prefetch};
use crate::source::refusal::Refusal;

/// How long the consumer of a killed capture may still hold the queue.
const HELD_TIME: Duration = Duration::from_secs(30);
/// The longest pause between two tries to connect.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A queue being consumed.
pub struct Amqp {
    events: mpsc::Receiver<Event>,
    commands: UnboundedSender<Command>,
    thread: JoinHandle<()>,
}

impl Amqp {
    /// The configuration can be used.
    ///
    /// # Errors
    /// When its URL or a file of certificates cannot be read, or a name is longer than AMQP takes
    /// (usage).
    pub fn check(config: &Config) -> Result<()> {
        config.check_names()?;
        tls::check(&config.tls)?;
        Address::of(config).map(drop)
    }

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
        let prefetch = prefetch(config.largest);
        let if_it_dies = events_in.clone();
        let link = Link {
            config,
            address,
            prefetch,
            changing: false,
            events: events_in,
            commands: commands_out,
            session: 0,
            stopping: false,
        };
        let thread = std::thread::Builder::new()
            .name("amqp".into())
            .spawn(move || {
                let run = AssertUnwindSafe(|| runtime.block_on(link.run()));
                if let Err(panic) = catch_unwind(run) {
                    // Whoever listened may be gone.
                    let _ = if_it_dies.send(Event::Failed(died(panic.as_ref())));
                }
            })
            .context("cannot start the RabbitMQ client")?;
        Ok(Self { events, commands, thread })
    }

    /// The next event; `None` when none came in time.
    pub fn next(&self, wait: Duration) -> Option<Event> {
        match self.events.recv_timeout(wait) {
            Ok(event) => Some(event),
            Err(mpsc::RecvTimeoutError::Timeout) => None,
            // Its end is told; this is another one.
            Err(mpsc::RecvTimeoutError::Disconnected) => Some(Event::Failed(died(&()))),
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

/// The error of a thread that ended as it never should.
fn died(panic: &dyn std::any::Any) -> Error {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    Error::failed(format!("the RabbitMQ client broke down: {text}")).help(
        "nothing is lost: what is not in the spool stays in the queue; run it again, and report \
         this if it comes again",
    )
}

/// The thread's side.
struct Link {
    config: Config,
    address: Address,
    /// Of the next session.
    prefetch: u16,
    /// True while a session ends so that another one begins with another prefetch.
    changing: bool,
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
            let opening = Session::open(&config, &address, self.prefetch);
            let Some(opened) = self.unless_closed(opening).await else {
                return;
            };
            let error = match opened {
                Ok(mut session) => {
                    (failures, self.config.patient) = (0, true);
                    self.session += 1;
                    let told = std::mem::take(&mut session.told);
                    let first = self.session == 1;
                    self.tell(Event::Connected(if first { told } else { Vec::new() }));
                    let over = self.exchange(&mut session).await;
                    if session.received == 0 && session.backlog && over.is_err() {
                        // Perhaps it was too much at a time.
                        self.prefetch = (self.prefetch / 8).max(1);
                    }
                    session.close().await;
                    if std::mem::take(&mut self.changing) && over.is_ok() {
                        continue;
                    }
                    match over {
                        Ok(()) => return,
                        Err(error) if error.kind() == ErrorKind::Lost => error,
                        Err(error) => return self.tell(Event::Failed(error)),
                    }
                }
                Err(Refusal { error, held }) => {
                    let held = held && started.elapsed() < HELD_TIME;
                    let cut = error.kind() == ErrorKind::Lost
                        && self.config.reached.load(Ordering::Relaxed);
                    if !self.config.patient && !held && !cut {
                        return self.tell(Event::Failed(error));
                    }
                    error
                }
            };
            let pause = retry::pause(failures, LONGEST_PAUSE);
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
            let queue = &self.config.queue;
            // All that was handed out is acknowledged: what is under way besides comes again.
            if self.changing
                && session.acked + session.batch.records.len() as u64 == session.received
            {
                return Ok(());
            }
            let stopping = self.stopping || self.changing;
            match session.next(queue, &mut self.commands, stopping).await? {
                Next::BatchDue => self.hand_out(session),
                Next::ConsumerEnded => {
                    return Err(Error::new(ErrorKind::Lost, "the broker ended the consumer"));
                }
                Next::Confirmed(tag) => {
                    self.tell(Event::Acked { session: self.session, tag });
                }
                Next::Empty(at_ms) => self.tell(Event::Empty(at_ms)),
                Next::Joined => return Err(self.address.place().joined(queue)),
                Next::Command(command) => {
                    if matches!(command, Some(Command::Close) | None) {
                        self.changing = false;
                    }
                    if !self.obey(session, command).await? {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Does what is asked; false when that is to close.
    async fn obey(&mut self, session: &mut Session, command: Option<Command>) -> Result<bool> {
        match command {
            Some(Command::Ack { session: of, tag }) if of == self.session => {
                session.ack(&self.config.queue, tag).await?;
            }
            Some(Command::Ack { .. }) => {}
            Some(Command::StopIfEmpty) => {
                let counts = counts(&session.side, &self.config.queue).await;
                if counts.map_err(|e| lost(&e))?.messages == 0 {
                    self.stop(session);
                }
            }
            Some(Command::Stop) => self.stop(session),
            Some(Command::Close) | None => return Ok(false),
        }
        Ok(true)
    }

    fn stop(&mut self, session: &mut Session) {
        (self.stopping, self.changing) = (true, false);
        self.hand_out(session);
        self.tell(Event::Ended);
    }

    fn hand_out(&mut self, session: &mut Session) {
        let Gathered { records, redelivered, .. } = std::mem::take(&mut session.batch);
        if records.is_empty() {
            return;
        }
        if let Some(prefetch) = session.better_prefetch().filter(|_| !self.stopping) {
            (self.prefetch, self.changing) = (prefetch, true);
        }
        self.tell(Event::Messages(Messages {
            session: self.session,
            first_tag: session.received + 1 - records.len() as u64,
            window_full: session.window_full(),
            records,
            redelivered,
        }));
    }
}
