//! A capture under publishing that is killed, cut off, left hanging and deprived of its broker, in random order: every
//! message that the broker has confirmed is in the spool, once after marking, in order. `BINSYNC_TEST_CRASHES=1000` deals
//! out so many strikes over classic and quorum queues, one and four, of both brokers.

use crate::support::{
    Proxy, Running, Spool,
    broker::{Broker, Release},
    cli::finish,
    running::was_killed,
};
use feed::Feed;
use std::{env, fs, process::Command, thread::sleep, time::Duration};

mod feed;

/// What a capture goes through.
#[derive(Clone, Copy, Debug)]
enum Strike {
    /// kill -9.
    Kill,
    /// Both ends learn at once that the connections are gone.
    Cut,
    /// Neither end learns it.
    HalfOpen,
    /// kill -9 of the broker.
    Broker,
}

/// Of a hundred strikes: as many of each as of a thousand kills, cuts and restarts that a hard year may bring.
const SHARES: [(Strike, usize); 4] =
    [(Strike::Kill, 89), (Strike::Cut, 6), (Strike::HalfOpen, 1), (Strike::Broker, 3)];

/// More bytes than a broker sends before the first message, on all connections.
const DELIVERED: u64 = 20_000;

/// At least one of each kind, in random order.
fn strikes(count: usize) -> Vec<Strike> {
    let rare =
        SHARES[1..].iter().flat_map(|&(kind, share)| vec![kind; (count * share).div_ceil(100)]);
    let mut strikes: Vec<Strike> = rare.collect();
    strikes.resize(count.max(strikes.len()), Strike::Kill);
    fastrand::shuffle(&mut strikes);
    strikes
}

#[test]
fn what_the_broker_has_confirmed_is_in_the_spool_once_and_in_order() {
    let asked = env::var("BINSYNC_TEST_CRASHES").ok();
    let (releases, on_each) = match &asked {
        None => (&[Release::Stable][..], 15),
        Some(count) => {
            let count: usize = count.parse().expect("BINSYNC_TEST_CRASHES is a number");
            (&[Release::Stable, Release::Unstable][..], count.div_ceil(8))
        }
    };
    for &release in releases {
        let mut broker = Broker::start(release, &[]);
        for (kind, queues) in [("classic", 4), ("quorum", 1), ("classic", 1), ("quorum", 4)] {
            // Four of one kind are enough where there is little time.
            if asked.is_none() && (kind, queues) == ("quorum", 4) {
                continue;
            }
            let feed = Feed::start(&broker.url, kind, queues);
            under_strikes(&mut broker, feed, &strikes(on_each));
        }
    }
}

fn under_strikes(broker: &mut Broker, feed: Feed, strikes: &[Strike]) {
    let (spool, proxy) = (Spool::new(), Proxy::start(broker.port()));
    let url = broker.url.replace(&broker.port().to_string(), &proxy.port.to_string());
    let command = || capture(&spool, &format!("{url}?heartbeat=2"), &feed.queues);
    let (mut running, mut carried) = (Running::start(command()), proxy.carried());
    for strike in strikes {
        let before = stored(&spool);
        // What waits in the inboxes is merged before the broker has let anybody in.
        let moved =
            running.until(|| stored(&spool) > before && proxy.carried() > carried + DELIVERED);
        assert!(moved, "ended by itself before {strike:?}: {:?}", running.end());
        sleep(Duration::from_millis(fastrand::u64(..150)));
        match strike {
            Strike::Kill => {
                running.kill();
                assert!(was_killed(running.end().0), "ended by itself");
                running = Running::start(command());
            }
            // It may be about to connect anew, with another prefetch.
            Strike::Cut => assert!(running.until(|| proxy.cut() > 0), "nothing was connected"),
            Strike::HalfOpen => proxy.freeze(),
            Strike::Broker => {
                broker.crash(Duration::from_millis(fastrand::u64(..1_000)));
                if feed.is_quorum() {
                    broker.elect(&feed.queues);
                }
            }
        }
        carried = proxy.carried();
    }
    let before = stored(&spool);
    assert!(running.until(|| stored(&spool) > before), "ended by itself: {:?}", running.end());
    running.kill();
    drop(running);
    let (queues, wanted) = (feed.queues.clone(), feed.end());
    let mut last = capture(&spool, &broker.url, &queues);
    last.args(["--exit-when-idle", "2s"]);
    let last = finish(last, None);
    let told = spool.run(["export", "--format", "jsonl"]).code(0).stdout;
    eprintln!(
        "crash: {} strikes on {queues:?}: {} rows confirmed, {} messages in the spool, the last capture: {:?}",
        strikes.len(),
        wanted.len(),
        spool.stored().iter().filter(|byte| **byte == b'\n').count(),
        last.code
    );
    let ids: Vec<u64> = told.split(|byte| *byte == b'\n').filter_map(feed::id).collect();
    if let Some(at) = (0..wanted.len().max(ids.len())).find(|&at| wanted.get(at) != ids.get(at)) {
        let kept = env::temp_dir().join("binsync-crash-failed");
        let _ = fs::remove_dir_all(&kept);
        let _ = fs::rename(spool.path(), &kept);
        panic!(
            "row {at} of {} is {:?} instead of {:?}; {} stored; the spool is in {}; said: {}",
            wanted.len(),
            ids.get(at),
            wanted.get(at),
            ids.len(),
            kept.display(),
            last.text(),
        );
    }
    spool.run(["spool", "verify"]).code(0);
}

fn capture(spool: &Spool, url: &str, queues: &[String]) -> Command {
    let mut command = spool.command(["capture", "--amqp-url", url]);
    for queue in queues {
        command.args(["--queue", queue]);
    }
    // A queue is passed by what comes behind; that the publisher has lost its broker for a while proves nothing.
    if queues.len() > 1 {
        command.args(["--settle", "60s"]);
    }
    command
}

/// How many bytes the spool has, inboxes included.
fn stored(spool: &Spool) -> u64 {
    fn below(dir: &std::path::Path) -> u64 {
        let Ok(entries) = fs::read_dir(dir) else { return 0 };
        let size = |entry: fs::DirEntry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => below(&entry.path()),
            Ok(meta) if entry.path().extension().is_some_and(|e| e == "zst") => meta.len(),
            _ => 0,
        };
        entries.flatten().map(size).sum()
    }
    below(&spool.path())
}
