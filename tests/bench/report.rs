//! Figures as JSON: medians, and how ours stand to each peer's.

use crate::process::Measured;
use serde_json::{Map, Value, json};

/// Runs of ours and of each peer; the bar is about the first one.
pub struct Figure {
    ours: Vec<Measured>,
    peers: Vec<(&'static str, Vec<Measured>)>,
}

impl Figure {
    pub fn new(peers: &[&'static str]) -> Figure {
        let peers = peers.iter().map(|name| (*name, Vec::new())).collect();
        Figure { ours: Vec::new(), peers }
    }

    pub fn ours(&mut self, run: Measured) {
        self.ours.push(run);
    }

    pub fn peer(&mut self, place: usize, run: Measured) {
        self.peers[place].1.push(run);
    }

    /// Our time as a part of the peer's.
    pub fn times(&self) -> Value {
        self.report(|ours, peer| ours / peer)
    }

    /// Our rate as a multiple of the peer's, over the same work.
    pub fn rates(&self) -> Value {
        self.report(|ours, peer| peer / ours)
    }

    fn report(&self, ratio: fn(f64, f64) -> f64) -> Value {
        let seconds = |runs| median(runs, |run| run.seconds);
        let ratio = |peer| ratio(seconds(&self.ours), seconds(peer));
        let peers = self.peers.iter().map(|(name, runs)| {
            let mut report = summary(runs);
            report.insert("ratio".to_owned(), json!(ratio(runs)));
            ((*name).to_owned(), Value::Object(report))
        });
        let mut report = summary(&self.ours);
        report.insert("ratio".to_owned(), json!(ratio(&self.peers[0].1)));
        report.insert("peers".to_owned(), peers.collect::<Map<_, _>>().into());
        report.into()
    }
}

fn summary(runs: &[Measured]) -> Map<String, Value> {
    let peak = runs.iter().map(|run| run.peak_mib).fold(0.0, f64::max);
    let figures = json!({
        "seconds": median(runs, |run| run.seconds),
        "runs": runs.iter().map(|run| run.seconds).collect::<Vec<_>>(),
        "cpu_seconds": median(runs, |run| run.cpu_seconds),
        "server_cpu_seconds": median(runs, |run| run.server_cpu_seconds),
        "peak_mib": peak,
    });
    // What was not measured is left out.
    let figures = figures.as_object().unwrap().iter().filter(|(_, figure)| **figure != json!(0.0));
    figures.map(|(name, figure)| (name.clone(), figure.clone())).collect()
}

fn median(runs: &[Measured], figure: fn(&Measured) -> f64) -> f64 {
    let mut figures: Vec<f64> = runs.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
