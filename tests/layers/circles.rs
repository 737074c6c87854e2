//! Circles between files: a file that uses what another defines, which in some way uses what the first defines.
//!
//! Reads `use` and paths such as `super::name` or `module::name` out of the text. A name that is only handed on
//! (`pub use`) stands for the file that defines it; so a face that declares a module and hands on its names uses nothing
//! of it, and who takes them from the face uses nothing of the face. Tests inside a file are left out.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

/// The path of a module or of a name in it, without `crate`; the root is empty.
type Path = Vec<String>;

/// What a file names.
#[derive(Default)]
struct File {
    uses: Vec<Use>,
    children: Vec<String>,
    paths: Vec<Path>,
    words: BTreeSet<String>,
}

struct Use {
    path: Path,
    name: String,
    public: bool,
}

fn path(text: &str) -> Path {
    text.split("::").map(str::to_owned).collect()
}

/// The branches of `a::{b, c::{d, e}}`: `a::b`, `a::c::d`, `a::c::e`.
fn branches(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((lead, inner)) = tree.strip_suffix('}').and_then(|tree| tree.split_once('{')) else {
        return vec![tree.to_owned()];
    };
    let mut depth = 0;
    let apart = inner.split(|c| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    });
    let apart = apart.filter(|branch| !branch.trim().is_empty());
    apart.flat_map(branches).map(|rest| format!("{lead}{rest}")).collect()
}

fn read(text: &str) -> File {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    let (mut file, mut lines) = (File::default(), code.lines());
    while let Some(line) = lines.next() {
        let bare = line.trim();
        let private = bare.strip_prefix("pub").map(|rest| match rest.split_once(") ") {
            Some((_, rest)) if bare.starts_with("pub(") => rest,
            _ => rest.trim_start(),
        });
        let told = private.unwrap_or(bare);
        if let Some(tree) = told.strip_prefix("use ") {
            let mut tree = tree.to_owned();
            while !tree.ends_with(';') {
                tree += lines.next().expect("the end of a use").trim();
            }
            for branch in branches(tree.trim_end_matches(';')) {
                let (from, name) = branch.split_once(" as ").unwrap_or((&branch, ""));
                let path = path(from.strip_suffix("::self").unwrap_or(from));
                let last = path.last().cloned().unwrap_or_default();
                let name = if name.is_empty() { last } else { name.to_owned() };
                file.uses.push(Use { path, name, public: private.is_some() });
            }
        } else if let Some(child) = told.strip_prefix("mod ").and_then(|c| c.strip_suffix(';')) {
            file.children.push(child.to_owned());
        } else {
            let words = line.split(|c: char| !(c.is_alphanumeric() || c == '_'));
            file.words.extend(words.map(str::to_owned));
            let runs = line.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
            let runs = runs.map(|run| run.trim_matches(':')).filter(|run| run.contains("::"));
            file.paths.extend(runs.map(path));
        }
    }
    file
}

struct Sources(BTreeMap<Path, File>);

impl Sources {
    fn new(files: &BTreeMap<PathBuf, String>) -> Sources {
        let module = |file: &PathBuf| {
            let mut path: Path =
                file.iter().map(|part| part.to_string_lossy().into_owned()).collect();
            if path.last().is_some_and(|last| last == "mod") || path == ["lib"] {
                path.pop();
            }
            path
        };
        Sources(files.iter().map(|(file, text)| (module(file), read(text))).collect())
    }

    /// The path from the root of what `module` writes so; `None` for what is not of this crate.
    fn absolute(&self, module: &Path, path: &[String]) -> Option<Path> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => Some([module, rest].concat()),
            "super" => {
                let ups = path.iter().take_while(|part| *part == "super").count();
                let above = module.get(..module.len().checked_sub(ups)?)?;
                Some([above, &path[ups..]].concat())
            }
            child => {
                let declared = self.0[module].children.iter().any(|name| name == child);
                declared.then(|| [module, path].concat())
            }
        }
    }

    /// The file that defines a name, through all that hand it on; `None` for a module itself.
    fn home(&self, path: &[String]) -> Option<Path> {
        let inside = (0..=path.len()).rev().find(|&end| self.0.contains_key(&path[..end]))?;
        let (module, name) = (path[..inside].to_vec(), path.get(inside)?);
        let handed = self.0[&module].uses.iter().find(|taken| taken.name == *name);
        match handed.and_then(|taken| self.absolute(&module, &taken.path)) {
            Some(from) => self.home(&[&from, &path[inside + 1..]].concat()),
            None => Some(module),
        }
    }

    /// The files whose names a file uses, each with such a name; handing one on is no use.
    fn used_by(&self, module: &Path) -> BTreeMap<Path, String> {
        let file = &self.0[module];
        let mut modules: BTreeMap<&str, Path> = file
            .children
            .iter()
            .map(|name| (name.as_str(), [module, std::slice::from_ref(name)].concat()))
            .collect();
        let mut used = BTreeMap::new();
        let mut take = |path: &[String]| {
            if let (Some(home), Some(name)) = (self.home(path), path.last())
                && home != *module
            {
                used.insert(home, name.clone());
            }
        };
        for taken in &file.uses {
            let Some(path) = self.absolute(module, &taken.path) else { continue };
            if self.0.contains_key(&path) {
                modules.insert(&taken.name, path);
            } else if !taken.public || file.words.contains(&taken.name) {
                take(&path);
            }
        }
        for path in &file.paths {
            match (path[0].as_str(), modules.get(path[0].as_str())) {
                ("crate" | "super" | "self", _) => {
                    take(&self.absolute(module, path).unwrap_or_default());
                }
                (_, Some(module)) => take(&[module, &path[1..]].concat()),
                _ => {}
            }
        }
        used
    }
}

/// Each circle, as what its files use of each other: `a uses b::name`.
pub(super) fn circles(files: &BTreeMap<PathBuf, String>) -> Vec<Vec<String>> {
    let sources = Sources::new(files);
    let uses: BTreeMap<&Path, BTreeMap<Path, String>> =
        sources.0.keys().map(|module| (module, sources.used_by(module))).collect();
    let reached = |from: &Path| {
        let (mut reached, mut ahead) = (BTreeSet::new(), vec![from.clone()]);
        while let Some(module) = ahead.pop() {
            ahead.extend(
                uses[&module].keys().filter(|used| reached.insert((*used).clone())).cloned(),
            );
        }
        reached
    };
    let reach: BTreeMap<&Path, BTreeSet<Path>> =
        sources.0.keys().map(|module| (module, reached(module))).collect();
    let (mut circles, mut done) = (Vec::new(), BTreeSet::new());
    for (module, ahead) in reach.iter().filter(|(module, ahead)| ahead.contains(**module)) {
        let circle: BTreeSet<&Path> =
            ahead.iter().filter(|other| reach[other].contains(*module)).collect();
        if done.insert(circle.first().copied().expect("itself").clone()) {
            let lines = circle.iter().flat_map(|from| {
                let inside = uses[*from].iter().filter(|(to, _)| circle.contains(to));
                inside.map(|(to, name)| {
                    format!("{} uses {name} of {}", from.join("::"), to.join("::"))
                })
            });
            circles.push(lines.collect());
        }
    }
    circles
}

fn made_up(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let files = files.iter().map(|(name, text)| (PathBuf::from(name), (*text).to_owned()));
    circles(&files.collect())
}

#[test]
fn a_face_that_hands_on_its_childrens_names_is_in_no_circle() {
    let inside = "#[cfg(test)]\nmod tests {\n    use super::super::run;\n}\n";
    let found = made_up(&[
        ("lib", "mod a;\n"),
        ("a/mod", "mod b;\nmod c;\npub use b::Shared;\npub fn run() {\n    c::go();\n}\n"),
        ("a/b", "pub struct Shared;\n"),
        ("a/c", &format!("use super::Shared;\npub fn go() {{}}\n{inside}")),
    ]);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_face_and_a_child_that_uses_what_the_face_defines_are_a_circle() {
    for calls in ["c::go()", "Gone"] {
        let found = made_up(&[
            ("lib", "mod a;\n"),
            ("a", &format!("mod c;\npub use c::Gone;\npub struct Job;\nfn run() {{ {calls} }}\n")),
            ("a/c", "pub struct Gone;\npub fn go(_: &super::Job) {}\n"),
        ]);
        let name = calls.trim_start_matches("c::").trim_end_matches("()");
        assert_eq!(found, [[format!("a uses {name} of a::c"), "a::c uses Job of a".to_owned()]]);
    }
}

#[test]
fn a_circle_is_found_through_trees_renamed_modules_and_names_handed_on() {
    let found = made_up(&[
        ("lib", "mod a;\n"),
        ("a/mod", "mod b;\nmod c;\npub(crate) use b::Made as Shown;\n"),
        ("a/b", "use super::{\n    c::{self as other},\n};\npub fn make() { other::go() }\n"),
        ("a/c", "use std::fmt;\nuse crate::a::Shown;\npub fn go(_: Shown) {}\n"),
    ]);
    assert_eq!(found, [["a::b uses go of a::c", "a::c uses Shown of a::b"]]);
}
