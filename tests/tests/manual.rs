//! The manual: each page clean, at one with the argument definitions, and with
//! examples that run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use layerutils_tests::requirement::{find, is_root, skip};
use layerutils_tests::sandbox::Sandbox;
use layerutils_tests::tool::{ALL, Tool, every, is_step};
use layerutils_tests::{fixture, require, stand_in};

const PAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../man");

fn page(tool: &Tool) -> String {
    fs::read_to_string(Path::new(PAGES).join(format!("{}.1", tool.name))).unwrap()
}

#[test]
fn every_page_is_clean() {
    require!(Peer("mandoc"));
    let sandbox = Sandbox::new();
    let mut pages: Vec<PathBuf> =
        fs::read_dir(PAGES).unwrap().map(|page| page.unwrap().path()).collect();
    pages.sort();
    assert!(!pages.is_empty());
    for page in pages {
        let argv = ["mandoc", "-T", "lint", "-W", "warning"].map(std::ffi::OsStr::new);
        let argv = [&argv[..], &[page.as_os_str()]].concat();
        let outcome = sandbox.run(&argv).succeeds();
        assert_eq!(outcome.text(), "");
    }
}

#[test]
fn every_option_is_described_and_every_described_option_exists() {
    every(|tool| {
        let described = described_options(&page(tool));
        let defined = defined_options(tool);
        let missing: Vec<_> = defined.difference(&described).collect();
        let invented: Vec<_> = described.difference(&defined).collect();
        assert!(missing.is_empty(), "not in man/{}.1: {missing:?}", tool.name);
        assert!(invented.is_empty(), "only in man/{}.1: {invented:?}", tool.name);
    });
}

fn defined_options(tool: &Tool) -> BTreeSet<String> {
    let mut command = (tool.command)();
    command.build();
    let mut options = BTreeSet::new();
    for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
        options.extend(argument.get_short().map(|short| format!("-{short}")));
        options.extend(argument.get_long().map(|long| format!("--{long}")));
    }
    options
}

/// The options in the heads of a page's list items: mdoc's `Fl`, which puts a dash
/// before each of its arguments, and twice is two dashes.
fn described_options(page: &str) -> BTreeSet<String> {
    let mut options = BTreeSet::new();
    for line in page.lines().filter_map(|line| line.strip_prefix(".It ")) {
        let mut dashes = 0;
        let mut before = "";
        for word in line.split_whitespace() {
            if word == "Fl" {
                dashes = if before == "Fl" { dashes + 1 } else { 1 };
            } else if is_macro(word) {
                dashes = 0;
            } else if dashes > 0 && word != "," {
                options.insert(format!("{:-<dashes$}{}", "", word.replace("\\-", "-")));
                dashes = 1;
            }
            before = word;
        }
    }
    options
}

fn is_macro(word: &str) -> bool {
    matches!(word.as_bytes(), [first, second] if first.is_ascii_uppercase() && second.is_ascii_lowercase())
}

#[test]
fn the_page_is_named_in_it_and_dated_by_hand() {
    every(|tool| {
        let page = page(tool);
        assert!(page.contains(&format!(".Dt {} 1", tool.name.to_uppercase())));
        assert!(page.contains(&format!(".Nm {}", tool.name)));
        assert!(!page.contains("Mdocdate"), "a date from a version control system");
        for section in ["EXIT STATUS", "EXAMPLES", "SEE ALSO"] {
            assert!(page.contains(&format!(".Sh {section}")), "no section {section}");
        }
    });
}

#[test]
fn the_overview_names_every_tool() {
    let overview = fs::read_to_string(Path::new(PAGES).join("layerutils.7")).unwrap();
    let (description, see_also) = overview.split_once(".Sh SEE ALSO").unwrap();
    every(|tool| {
        assert!(description.contains(&format!(".It Xr {} 1\n", tool.name)));
        assert!(see_also.contains(&format!(".Xr {} 1 ,\n", tool.name)));
    });
}

/// A display in EXAMPLES. Comments above it say whether it can be run here:
///
/// ```text
/// .\" runnable [continued] [needs=NEED,...][: SETUP]
/// .\" prints TEXT
/// .\" not runnable: WHY
/// ```
///
/// It is run after SETUP in a fixture of its own or, continued, in that of the one
/// before; a need is `root` or a program. TEXT must be in what it prints, on either
/// stream.
#[derive(Debug, Default)]
struct Example {
    line: usize,
    continued: bool,
    needs: Vec<String>,
    setup: String,
    printed: Vec<String>,
    script: String,
}

impl Example {
    fn marked(mark: &str) -> Self {
        let (words, setup) = mark.split_once(':').unwrap_or((mark, ""));
        let mut example = Self { setup: setup.trim().to_owned(), ..Self::default() };
        for word in words.split_whitespace() {
            match word.strip_prefix("needs=") {
                Some(needs) => example.needs = needs.split(',').map(str::to_owned).collect(),
                None if word == "continued" => example.continued = true,
                None => panic!("unknown mark {word:?}"),
            }
        }
        example
    }

    fn lacks(&self, sandbox: &Sandbox) -> Option<String> {
        self.needs.iter().find_map(|need| match need.as_str() {
            "root" => (sandbox.user().uid != 0).then(|| "needs root".to_owned()),
            program => find(program).is_none().then(|| format!("needs {program}")),
        })
    }
}

#[test]
fn every_example_says_whether_it_is_runnable_and_every_tool_has_one() {
    for (name, page) in pages() {
        let runnable = examples(&name, &page).len();
        assert!(runnable > 0, "man/{name}: no example that is run");
    }
    every(|tool| assert!(pages().contains_key(&format!("{}.1", tool.name))));
}

#[test]
fn runnable_examples_run_for_whoever_runs_the_tests() {
    require!(Peer("busybox"), UserNamespace);
    run_examples(Sandbox::new);
}

#[test]
fn runnable_examples_run_for_an_ordinary_user() {
    require!(Peer("busybox"), UserNamespace);
    run_examples(Sandbox::ordinary);
}

fn run_examples(make: fn() -> Sandbox) {
    let mut failed = Vec::new();
    // As for the rules of conformance.
    let only = std::env::var("LAYERUTILS_TEST_TOOLS").unwrap_or_default();
    let is_wanted = |page: &str| {
        let tool = page.split('.').next();
        only.is_empty() || only.split(',').any(|wanted| Some(wanted) == tool)
    };
    for (name, page) in pages().into_iter().filter(|(name, _)| is_wanted(name)) {
        let mut sandbox = None;
        for example in examples(&name, &page) {
            let sandbox = match sandbox.take() {
                Some(before) if example.continued => sandbox.insert(before),
                _ => sandbox.insert(prepared(make())),
            };
            // Root's other run has had it.
            if is_root() && sandbox.user().uid != 0 && example.needs.iter().any(|it| it == "root") {
                continue;
            }
            let place = format!("man/{name}:{}", example.line);
            match example.lacks(sandbox) {
                Some(reason) => skip(&format!(" ({place})"), &reason),
                None => {
                    failed.extend(run(sandbox, &example).map(|what| format!("{place}: {what}")));
                }
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

fn prepared(sandbox: Sandbox) -> Sandbox {
    fixture::make(&sandbox);
    stand_in::ssh(&sandbox);
    stand_in::docker(&sandbox);
    sandbox
}

/// What is wrong, if anything: a command that fails, words that are not printed, a
/// tool that complains.
fn run(sandbox: &Sandbox, example: &Example) -> Option<String> {
    let Example { setup, script, printed, .. } = example;
    let outcome = sandbox.sh(&format!("set -e\n{{ :; {setup}\n}} >/dev/null\n{script}")).outcome();
    let complains = |line: &str| {
        let ours = ALL.iter().any(|tool| line.starts_with(&format!("{}: ", tool.name)));
        ours && !is_step(line)
    };
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    let shown = |text: &&String| outcome.text().contains(*text) || stderr.contains(*text);
    let wrong = match printed.iter().find(|text| !shown(text)) {
        _ if outcome.status != 0 => format!("status {}", outcome.status),
        Some(text) => format!("does not print {text:?}"),
        None if stderr.lines().any(complains) => "a tool complains".to_owned(),
        None => return None,
    };
    Some(format!("{wrong}\n{script}\n{outcome}"))
}

fn pages() -> BTreeMap<String, String> {
    let pages = fs::read_dir(PAGES).unwrap().map(|page| page.unwrap());
    pages
        .map(|page| {
            let name = page.file_name().into_string().unwrap();
            (name, fs::read_to_string(page.path()).unwrap())
        })
        .collect()
}

/// The runnable displays in EXAMPLES.
fn examples(name: &str, page: &str) -> Vec<Example> {
    let mut examples = Vec::new();
    let mut pending: Option<Example> = None;
    let mut is_excused = false;
    let mut lines = page.lines().zip(1..).skip_while(|(line, _)| *line != ".Sh EXAMPLES").skip(1);
    while let Some((line, number)) = lines.next() {
        let script = match line.split_once(' ').unwrap_or((line, "")) {
            (".Sh", _) => break,
            (".\\\"", comment) => {
                if let Some(mark) = comment.strip_prefix("runnable") {
                    pending = Some(Example::marked(mark.trim_start()));
                } else if let Some(text) = comment.strip_prefix("prints ") {
                    let Some(example) = &mut pending else {
                        panic!("man/{name}:{number}: prints, but is not runnable")
                    };
                    example.printed.push(text.to_owned());
                } else {
                    is_excused = comment.starts_with("not runnable: ");
                }
                continue;
            }
            (".Bd", _) => {
                let text = lines.by_ref().map(|(line, _)| line).take_while(|line| *line != ".Ed");
                text.collect::<Vec<_>>().join("\n")
            }
            (".Dl", line) => line.to_owned(),
            _ => continue,
        };
        match pending.take() {
            Some(example) => {
                examples.push(Example { line: number, script: plain(&script), ..example });
            }
            None => assert!(is_excused, "man/{name}:{number}: neither runnable nor not"),
        }
        is_excused = false;
    }
    examples
}

/// Text as a reader sees it: roff's escapes undone, prompts removed.
fn plain(text: &str) -> String {
    let text = text.replace("\\-", "-").replace("\\e", "\\").replace("\\(aq", "'");
    let text = text.replace("\\&", "").replace("\\(dq", "\"");
    let lines = text.lines().map(|line| line.strip_prefix("$ ").unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}
