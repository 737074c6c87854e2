//! Definitions of tables that are given to an `import` of binlogs: by a file, or by the server that wrote them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::binlog::{Dump, Keys, Reader};
use crate::capture::check::{End, survey};
use crate::capture::import::{Input, sorted};
use crate::error::{Context, Error, Result};
use crate::event::BinlogPos;
use crate::mysql::server::Server;
use crate::source::told::placed;

/// What a file of definitions has.
///
/// # Errors
/// When it cannot be read, or has none.
pub(super) fn by_file(path: &Path) -> Result<Dump> {
    let name = path.display().to_string();
    let file = std::fs::File::open(path).context(format!("--schema {name}"))?;
    Dump::read(std::io::BufReader::new(file), &name)
}

/// A reader with the definitions that a server has now. Each holds back to where the files changed its table last, so they
/// are read for that first; and they have to reach to where the server is.
///
/// # Errors
/// When the server or a file cannot be read, or the files end before.
pub(super) fn by_server(
    server: &Server,
    files: &[PathBuf],
    name: Option<&str>,
    keys: &Arc<Keys>,
    stop: &AtomicBool,
) -> Result<Reader> {
    if let Some(stream) = files.iter().find(|file| !file.is_file()) {
        return Err(Error::usage(format!(
            "{}: with --schema-from the files are read twice, and this is none",
            stream.display()
        )));
    }
    let told = placed(server)?;
    let inputs = files.iter().map(|file| Input::open(file, false, name, keys));
    let binlogs = sorted(inputs.collect::<Result<Vec<_>>>()?).1;
    let (read, End { file, offset, server_id }) =
        survey(binlogs, Reader::new(None, keys.clone()), stop)?;
    if server_id != told.server_id {
        return Err(Error::usage(format!(
            "--schema-from: {file} is of the server with the id {server_id}, and that one has {}",
            told.server_id
        ))
        .help("name the server that wrote the files, or give its definitions with --schema FILE"));
    }
    let end = format!("{file}:{offset}");
    // A later file than the server is at is of before its binlogs were begun anew.
    let reaches = BinlogPos::parse(&end).is_some_and(|end| {
        let same = (end.base, end.file) == (&*told.to.base, told.to.file);
        same && end.order() >= told.to.order()
    });
    if !reaches {
        return Err(Error::usage(format!(
            "--schema-from: the server is at {}, and the files end at {end}: what came between may have changed \
             tables",
            told.to
        ))
        .help("give all files up to that of the server now, or the definitions of that time with --schema FILE"));
    }
    let mut reader = Reader::new(None, keys.clone());
    reader.give(told.tables, &told.from, &read);
    Ok(reader)
}
