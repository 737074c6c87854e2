//! What a run under strace did to files and sent to sockets, in its order. Not a preload: crates of the tool speak to
//! the kernel without libc.

use std::{collections::HashMap, path::Path};

/// What strace has to show.
pub const TRACED: &str = "trace=openat,open,creat,lseek,write,pwrite64,writev,pwritev,ftruncate,fsync,fdatasync,rename,\
renameat,renameat2,unlink,unlinkat,link,linkat,mkdir,mkdirat,sendto,sendmsg,copy_file_range,sendfile,fallocate";

/// A step of a run. Files are told by their paths as they are then, `begun` is the number of steps when a sync began:
/// what was written since may not be part of it.
#[derive(Debug)]
pub enum Step {
    Create {
        path: String,
    },
    Truncate {
        path: String,
        length: u64,
    },
    Write {
        path: String,
        offset: u64,
        bytes: Vec<u8>,
    },
    Sync {
        path: String,
        begun: usize,
    },
    /// A sync that the disk refused: what it was for is lost, whatever a later one says.
    Refused {
        path: String,
        begun: usize,
    },
    Rename {
        from: String,
        to: String,
    },
    Remove {
        path: String,
    },
    Folder {
        path: String,
    },
    /// Bytes to a socket, which is told by its name.
    Send {
        socket: String,
        bytes: Vec<u8>,
    },
}

impl Step {
    /// The step behind others: a sync counts from the first of all.
    pub fn counted_from(mut self, first: usize) -> Step {
        if let Step::Sync { begun, .. } | Step::Refused { begun, .. } = &mut self {
            *begun += first;
        }
        self
    }
}

struct Call<'a> {
    name: &'a str,
    arguments: &'a str,
    result: i64,
    /// What is behind the result: where an opened file is.
    place: String,
}

/// Reads a log of strace; files outside of `root` are none.
pub fn steps(log: &str, root: &Path) -> Vec<Step> {
    let mut reading = Reading { root: root.display().to_string(), ..Reading::default() };
    let mut pending: HashMap<&str, (&str, usize)> = HashMap::new();
    for line in log.lines() {
        let Some((thread, call)) = line.split_once(' ') else { continue };
        let call = call.trim_start();
        if let Some(begun) = call.strip_suffix("<unfinished ...>") {
            // What is sent may have arrived at once.
            match sent(begun) {
                Some(step) => reading.steps.push(step),
                None => drop(pending.insert(thread, (begun, reading.steps.len()))),
            }
            continue;
        }
        let (whole, begun) = match call.strip_prefix("<... ") {
            Some(rest) => {
                let Some((begun, at)) = pending.remove(thread) else { continue };
                let rest = rest.split_once(" resumed>").map_or("", |(_, rest)| rest);
                (format!("{begun}{rest}"), at)
            }
            None => (call.to_owned(), reading.steps.len()),
        };
        if let Some(call) = parse(&whole) {
            reading.take(&call, begun);
        }
    }
    reading.steps
}

fn parse(line: &str) -> Option<Call<'_>> {
    let (name, rest) = line.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(" = ")?;
    let number = result.split([' ', '<']).next()?.parse().ok()?;
    let arguments = arguments.trim_end().strip_suffix(')')?.trim_end();
    Some(Call { name, arguments, result: number, place: decoration(result) })
}

#[derive(Default)]
struct Reading {
    root: String,
    steps: Vec<Step>,
    /// Where the next write of a descriptor goes.
    places: HashMap<i64, u64>,
}

impl Reading {
    fn take(&mut self, call: &Call<'_>, begun: usize) {
        let first = decoration(call.arguments);
        let number =
            call.arguments.split(['<', ',', ' ']).next().and_then(|n| n.parse::<i64>().ok());
        let failed = call.result < 0;
        match call.name {
            "fsync" | "fdatasync" if self.is_ours(&first) => self.steps.push(match failed {
                true => Step::Refused { path: first, begun },
                false => Step::Sync { path: first, begun },
            }),
            _ if failed => {}
            "openat" | "open" | "creat" => self.open(call),
            "lseek" => drop(number.map(|number| self.places.insert(number, call.result as u64))),
            "write" | "writev" | "sendto" | "sendmsg" | "pwrite64" | "pwritev" => {
                let mut bytes = quoted(call.arguments).concat();
                bytes.truncate(call.result as usize);
                if is_socket(&first) {
                    self.steps.push(Step::Send { socket: first, bytes });
                } else if self.is_ours(&first) && !first.ends_with("-shm") {
                    let told =
                        call.name.starts_with('p').then(|| call.arguments.rsplit(", ").next());
                    let told = told.flatten().and_then(|offset| offset.parse().ok());
                    let place = self.places.entry(number.expect("a descriptor")).or_default();
                    let offset = told.unwrap_or(*place);
                    if told.is_none() {
                        *place += bytes.len() as u64;
                    }
                    self.steps.push(Step::Write { path: first, offset, bytes });
                }
            }
            "ftruncate" if self.is_ours(&first) => {
                let length = call.arguments.rsplit(", ").next().and_then(|n| n.parse().ok());
                let length = length.expect("a length");
                self.steps.push(Step::Truncate { path: first, length });
            }
            "copy_file_range" | "sendfile" | "fallocate" => {
                let ours = decorations(call.arguments).iter().any(|path| self.is_ours(path));
                assert!(!ours, "not followed: {}({})", call.name, call.arguments);
            }
            _ => self.name(call),
        }
    }

    fn open(&mut self, call: &Call<'_>) {
        self.places.insert(call.result, 0);
        if !self.is_ours(&call.place) || !call.arguments.contains("O_CREAT") {
            return;
        }
        let path = call.place.clone();
        assert!(!call.arguments.contains("O_APPEND"), "{path} is appended to");
        if call.arguments.contains("O_TRUNC") {
            self.steps.push(Step::Create { path: path.clone() });
            self.steps.push(Step::Truncate { path, length: 0 });
        } else {
            self.steps.push(Step::Create { path });
        }
    }

    /// Calls that are about names.
    fn name(&mut self, call: &Call<'_>) {
        let names = quoted(call.arguments).into_iter();
        let folder = decorations(call.arguments);
        let mut paths: Vec<String> = names
            .enumerate()
            .map(|(n, name)| {
                let name = String::from_utf8_lossy(&name).into_owned();
                let within = folder.get(n).or(folder.last());
                match (name.starts_with('/'), within) {
                    (false, Some(within)) => format!("{within}/{name}"),
                    _ => name,
                }
            })
            .collect();
        if !paths.iter().any(|path| self.is_ours(path)) {
            return;
        }
        let last = paths.pop().expect("a path");
        self.steps.push(match (call.name, paths.pop()) {
            ("mkdir" | "mkdirat", _) => Step::Folder { path: last },
            ("unlink" | "unlinkat", _) => Step::Remove { path: last },
            ("rename" | "renameat" | "renameat2", Some(from)) => Step::Rename { from, to: last },
            _ => panic!("not followed: {}({})", call.name, call.arguments),
        });
    }

    fn is_ours(&self, path: &str) -> bool {
        path.starts_with(&self.root) && !path.ends_with("(deleted)")
    }
}

/// What an unfinished call sends to a socket.
fn sent(begun: &str) -> Option<Step> {
    let (name, arguments) = begun.split_once('(')?;
    let socket = decoration(arguments);
    let sends = ["write", "writev", "sendto", "sendmsg"].contains(&name) && is_socket(&socket);
    sends.then(|| Step::Send { socket, bytes: quoted(arguments).concat() })
}

fn is_socket(place: &str) -> bool {
    place.starts_with("socket:") || place.starts_with("TCP")
}

/// What stands between the first `<` and `>`: where a descriptor is.
fn decoration(text: &str) -> String {
    decorations(text).into_iter().next().unwrap_or_default()
}

fn decorations(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    // Not in quotes: bytes are hexadecimal there, and no sign stands for itself.
    for part in text.split('<').skip(1) {
        let inside = part.split('>').next().unwrap_or_default();
        let (inside, gone) = (inside, part.contains(">(deleted)"));
        let path = match inside.contains("\\x") {
            true => String::from_utf8_lossy(&hex(inside)).into_owned(),
            false => inside.to_owned(),
        };
        all.push(if gone { format!("{path} (deleted)") } else { path });
    }
    all
}

/// All texts in quotes.
fn quoted(call: &str) -> Vec<Vec<u8>> {
    call.split('"').skip(1).step_by(2).map(hex).collect()
}

fn hex(text: &str) -> Vec<u8> {
    let pairs = text.split("\\x").skip(1);
    pairs.filter_map(|pair| u8::from_str_radix(pair.get(..2)?, 16).ok()).collect()
}
