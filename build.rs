//! Tells `--version` the commit that a release is made from.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    // While developing, each commit would build everything once more.
    let released = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let version = match released.then(commit).flatten() {
        Some(commit) => format!("{version} ({commit})"),
        None => version,
    };
    println!("cargo::rustc-env=BINSYNC_VERSION={version}");
}

/// The first digits of the commit's name: git knows it, or the package that was made from it.
fn commit() -> Option<String> {
    let told = match std::fs::read_to_string(".cargo_vcs_info.json") {
        Ok(told) => told.split_once("\"sha1\": \"")?.1.to_owned(),
        // A repository around sources that are in none says nothing of them.
        Err(_) if Path::new(".git").exists() => {
            for file in ["HEAD", "logs/HEAD"] {
                let path = git(&["rev-parse", "--git-path", file])?;
                if Path::new(path.trim()).exists() {
                    println!("cargo::rerun-if-changed={}", path.trim());
                }
            }
            git(&["rev-parse", "HEAD"])?
        }
        Err(_) => return None,
    };
    told.get(..10).map(str::to_owned)
}

/// What git answers; `None` without git.
fn git(args: &[&str]) -> Option<String> {
    let done = Command::new("git").args(args).output().ok()?;
    done.status.success().then(|| String::from_utf8(done.stdout).ok()).flatten()
}
