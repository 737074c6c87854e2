//! `config check --connect`: what servers and spools say to the file. Nothing is written.

use crate::cli::target::looks;
use crate::cli::{line, server, sync, words};
use crate::config::{Config, Source, Sync, Target};
use crate::doctor::sync::findings;
use crate::error::{Error, Result};
use crate::mysql::connect::connect;
use crate::replay::Definitions;

/// Tells what is wrong; how much that is.
///
/// # Errors
/// When a spool cannot be read.
pub(super) fn check(config: &Config) -> Result<usize> {
    let mut found = 0;
    let mut tell = |place: String, error: &Error| {
        line(&format!("{place}: {}", words::text(&error.words())));
        found += 1;
    };
    for source in &config.sources {
        if let Some(mysql) = &source.mysql {
            let reached =
                server::of_file(mysql).and_then(|server| connect(&server, true).map(drop));
            reached.unwrap_or_else(|e| tell(format!("source.{}", source.name), &e));
        }
    }
    for sync in &config.syncs {
        for (source, target) in sync::pairs(config, sync) {
            let place = format!("sync.{}, {} to {}", sync.name, source.name, target.name);
            match of_run(sync, source, target) {
                Ok(errors) => errors.iter().for_each(|e| tell(place.clone(), e)),
                Err(e) => tell(place, &e),
            }
        }
        sync::check_merged(config, sync)
            .unwrap_or_else(|e| tell(format!("sync.{}", sync.name), &e));
    }
    Ok(found)
}

fn of_run(sync: &Sync, source: &Source, target: &Target) -> Result<Vec<Error>> {
    let spool = sync::open(source)?;
    let definitions = Definitions::load(&spool)?;
    let route = sync::route(sync, source, target);
    let opened = sync::place(target);
    let opened = opened.and_then(|place| place.open(looks(definitions.logs_cascades), true));
    match opened {
        Ok(mut target) => findings(&spool, &definitions, (&route, sync.copy), Ok(&mut *target)),
        Err(e) => findings(&spool, &definitions, (&route, sync.copy), Err(e)),
    }
}
