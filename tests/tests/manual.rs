//! The manual: each page clean, and at one with the argument definitions.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use layerutils_tests::fixture;
use layerutils_tests::require;
use layerutils_tests::sandbox::Sandbox;
use layerutils_tests::tool::{Tool, every};

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

/// Examples are runnable where a comment above the display says so, which also
/// says what must be there: `.\" runnable` or `.\" runnable: SETUP`.
#[test]
fn runnable_examples_run() {
    require!(Peer("busybox"));
    every(|tool| {
        for (setup, example) in runnable_examples(&page(tool)) {
            let sandbox = Sandbox::new();
            fixture::make(&sandbox);
            let outcome = sandbox.sh(&format!("set -e\n{setup}\n{example}")).outcome();
            assert!(outcome.status == 0, "{example}\n{outcome}");
        }
    });
}

fn runnable_examples(page: &str) -> Vec<(String, String)> {
    let mut examples = Vec::new();
    let mut setup = None;
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(rest) = line.strip_prefix(".\\\" runnable") {
            setup = Some(rest.trim_start_matches(':').trim().to_owned());
        } else if line.starts_with(".Bd") {
            let text: Vec<_> = lines.by_ref().take_while(|line| *line != ".Ed").collect();
            if let Some(setup) = setup.take() {
                examples.push((setup, plain(&text.join("\n"))));
            }
        } else if let (Some(".Dl"), Some(_)) = (line.get(..3), &setup) {
            examples.push((setup.take().unwrap_or_default(), plain(&line[4..])));
        }
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
