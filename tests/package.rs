//! What is published builds: whatever the sources include is in the package.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn the_package_has_the_files_that_the_sources_include() {
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let args = ["package", "--list", "--allow-dirty", "--offline"];
    let done = Command::new(cargo).args(args).current_dir(ROOT).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let packed: BTreeSet<PathBuf> =
        String::from_utf8(done.stdout).unwrap().lines().map(PathBuf::from).collect();
    let mut wanted: BTreeSet<PathBuf> =
        ["build.rs", "README.md", "LICENSE-MIT", "LICENSE-APACHE"].map(PathBuf::from).into();
    included(&Path::new(ROOT).join("src"), &mut wanted);
    assert!(wanted.iter().any(|file| file.starts_with("fixtures")), "{wanted:?}");
    let missing: Vec<_> = wanted.difference(&packed).collect();
    assert!(missing.is_empty(), "{missing:?} are not in the package");
}

/// The files named by `include_bytes!` and `include_str!` below a folder, from the root.
fn included(folder: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            included(&path, found);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for word in ["include_bytes!(\"", "include_str!(\""] {
            for (at, _) in text.match_indices(word) {
                let name = text[at + word.len()..].split('"').next().unwrap();
                let file = folder.join(name).canonicalize().unwrap();
                found.insert(file.strip_prefix(ROOT).unwrap().to_owned());
            }
        }
    }
}
