//! Every guard has a test that fails without it: `guards.txt` says which, in the
//! order of the threats that they are against.
//!
//! That the table is true of the sources is checked always. With
//! `LAYERUTILS_TEST_GUARDS=all`, or the names of some with commas between them, each
//! guard is taken out of a copy of the sources and its test is run there, as a user
//! who may do all that the test needs. All of them take a quarter of an hour.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use layerutils_tests::require;
use layerutils_tests::requirement::Requirement;
use table::{Edit, Guard, Target, Test};
use walkdir::WalkDir;

/// The longest that a test is waited for: without some guards it waits for ever.
const PATIENCE_SECONDS: &str = "120";

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

#[test]
fn guards_and_their_tests_are_there() {
    let sources = sources();
    let guards = table::read();
    for (index, guard) in guards.iter().enumerate() {
        let name = &guard.name;
        assert!(guards[..index].iter().all(|other| other.name != *name), "{name} is there twice");
        assert!(!guard.threats.is_empty() && !guard.edits.is_empty(), "{name} says too little");
        for edit in &guard.edits {
            let path = sources.join(edit.file);
            let text = fs::read_to_string(&path).unwrap_or_else(|error| {
                panic!("{name}: {}: {error}", path.display());
            });
            without(name, &text, edit);
        }
        for test in &guard.tests {
            assert!(is_there(&sources, test), "{name}: there is no test {test:?}");
        }
    }
}

/// Whether the sources of the test's target hold a function of its name.
fn is_there(sources: &Path, test: &Test) -> bool {
    let package = match test.package {
        "layerutils-common" => sources.join("common"),
        "layerutils-registry" => sources.join("common/registry"),
        "layerutils-tests" => sources.join("tests"),
        tool => sources.join("tools").join(tool),
    };
    let function = test.name.rsplit("::").next().unwrap();
    let function = format!("fn {function}(");
    match test.target {
        Target::Library => holds(&package.join("src"), &function),
        Target::Test(name) => {
            let tests = package.join("tests");
            holds(&tests.join(format!("{name}.rs")), &function)
                || holds(&tests.join(name), &function)
        }
    }
}

fn holds(path: &Path, words: &str) -> bool {
    // One of the places where a test may be is not there.
    let mut entries = WalkDir::new(path).into_iter().flatten();
    entries.any(|entry| fs::read_to_string(entry.path()).is_ok_and(|text| text.contains(words)))
}

/// `text` with the guard taken out.
fn without(name: &str, text: &str, edit: &Edit) -> String {
    let Edit { file, after, code, instead } = edit;
    let start = after.map_or(0, |after| {
        assert_eq!(text.matches(after).count(), 1, "{name}: {file}: {after}");
        text.find(after).unwrap()
    });
    let (before, rest) = text.split_at(start);
    let found = rest.matches(code).count();
    assert!(found == 1 || (found > 1 && after.is_some()), "{name}: {file}: {code}: {found} times");
    [before, &rest.replacen(code, instead, 1)].concat()
}

#[test]
fn without_its_guard_each_test_fails() {
    require!(Variable("LAYERUTILS_TEST_GUARDS"));
    // What is skipped for want of it would pass without its guard.
    Requirement::Root.check().unwrap();
    let wanted = std::env::var("LAYERUTILS_TEST_GUARDS").unwrap();
    let bench = Bench::new();
    let guards = table::read();
    let named = |name| guards.iter().find(|guard| guard.name == name);
    let chosen: Vec<&Guard> = match &*wanted {
        "all" => guards.iter().collect(),
        names => names.split(',').map(|name| named(name).expect(name)).collect(),
    };
    let mut idle = Vec::new();
    for guard in chosen {
        let fails = bench.fails_without(guard);
        eprintln!("{}: {}", guard.name, if fails { "guards" } else { "NOT MISSED" });
        if !fails {
            idle.push(guard.name);
        }
    }
    assert!(idle.is_empty(), "nothing fails without {idle:?}");
}

/// A copy of the sources, to take guards out of.
struct Bench {
    copy: PathBuf,
    target: PathBuf,
}

impl Bench {
    fn new() -> Self {
        let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guards");
        let (copy, target) = (scratch.join("sources"), scratch.join("target"));
        let _ = fs::remove_dir_all(&copy);
        fs::create_dir_all(&copy).unwrap();
        for entry in fs::read_dir(sources()).unwrap() {
            let entry = entry.unwrap();
            if !["target", ".git"].iter().any(|name| entry.file_name() == *name) {
                let status = Command::new("cp").arg("-a").args([&entry.path(), &copy]).status();
                assert!(status.unwrap().success());
            }
        }
        Self { copy, target }
    }

    /// Whether the guard's tests fail without it.
    fn fails_without(&self, guard: &Guard) -> bool {
        let files: Vec<PathBuf> =
            guard.edits.iter().map(|edit| self.copy.join(edit.file)).collect();
        let whole: Vec<String> =
            files.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
        for (path, edit) in files.iter().zip(&guard.edits) {
            let text = fs::read_to_string(path).unwrap();
            fs::write(path, without(guard.name, &text, edit)).unwrap();
        }
        let fails = guard.tests.iter().all(|test| self.fails(guard.name, test));
        // The last first: two edits may be to one file.
        for (path, text) in files.iter().zip(&whole).rev() {
            fs::write(path, text).unwrap();
        }
        fails
    }

    fn fails(&self, guard: &str, test: &Test) -> bool {
        let target = match test.target {
            Target::Library => vec!["--lib"],
            Target::Test(name) => vec!["--test", name],
        };
        let cargo = |program: &mut Command, more: &[&str]| {
            program.args(["test", "--locked", "--quiet", "--package", test.package]);
            program.args(&target).args(more).current_dir(&self.copy);
            program.env("CARGO_TARGET_DIR", &self.target).env("RUSTFLAGS", "--cap-lints=allow");
            program.env("CARGO_PROFILE_DEV_DEBUG", "0").env_remove("LAYERUTILS_TEST_GUARDS");
            program.output().unwrap()
        };
        let built = cargo(&mut Command::new(env!("CARGO")), &["--no-run"]);
        assert!(built.status.success(), "{guard}: {}", String::from_utf8_lossy(&built.stderr));
        let mut timeout = Command::new("timeout");
        timeout.args([PATIENCE_SECONDS, env!("CARGO")]);
        let ran = cargo(&mut timeout, &["--", "--exact", test.name]);
        let text = String::from_utf8_lossy(&ran.stdout);
        assert!(text.contains("running 1 test\n"), "{guard}: {test:?}: {text}");
        !ran.status.success()
    }
}
