//! Terminals: no archive on them, hostile names escaped, colours as asked for.
//! `script` provides the terminal.

use layerutils_tests::run::Outcome;
use layerutils_tests::sandbox::Sandbox;
use layerutils_tests::tool::{each, every};
use layerutils_tests::{require, tool::Tool};

use crate::prepared;

/// Runs a line of shell on a terminal; its status is the last thing it says.
fn on_terminal(sandbox: &Sandbox, line: &str) -> Outcome {
    let script = format!("{line}; echo \"status $?\"");
    sandbox.run(&["script", "-qec", &script, "/dev/null"]).env("TERM", "xterm").outcome()
}

fn refuses(tool: &Tool, outcome: &Outcome) {
    let text = String::from_utf8_lossy(&outcome.stdout);
    assert!(text.contains("status 2"), "{outcome}");
    assert!(text.contains(tool.name) && text.contains("terminal"), "{outcome}");
}

#[test]
fn no_archive_is_written_to_a_terminal() {
    require!(Peer("script"));
    let sandbox = prepared();
    each(
        |tool| tool.produces,
        |tool, produces| {
            refuses(tool, &on_terminal(&sandbox, &tool.line(produces.line)));
        },
    );
}

#[test]
fn no_archive_is_read_from_a_terminal() {
    require!(Peer("script"));
    let sandbox = prepared();
    each(
        |tool| tool.reads,
        |tool, reads| {
            refuses(tool, &on_terminal(&sandbox, &tool.line(reads.line)));
        },
    );
}

#[test]
fn a_listing_escapes_hostile_names_on_a_terminal_only() {
    require!(Peer("script"));
    let sandbox = prepared();
    each(
        |tool| tool.lists,
        |tool, lists| {
            let line = tool.line(lists.line);
            let piped = sandbox.words(&line).succeeds().stdout;
            assert!(piped.windows(4).any(|part| part == b"\x1b]52"), "raw in a pipe");
            let shown = on_terminal(&sandbox, &line);
            let reached = shown.stdout.windows(4).any(|part| part == b"\x1b]52");
            assert!(!reached, "it reached the terminal\n{shown}");
            assert!(shown.text().contains("\\033]52"), "{shown}");
        },
    );
}

#[test]
fn diagnostics_escape_hostile_names_everywhere() {
    let sandbox = prepared();
    each(
        |tool| tool.reads,
        |tool, reads| {
            let layer = sandbox.path("hostile.tar");
            let outcome = sandbox.words(&tool.line(reads.line)).input_file(&layer).outcome();
            assert!(!outcome.stderr.contains(&0x1b), "{outcome}");
            if outcome.status != 0 {
                outcome.diagnostics(tool.name);
            }
        },
    );
    every(|tool| {
        let outcome = sandbox.run(&[tool.name, "--\x1b]52;c;aGk=\x07"]).outcome();
        assert!(!outcome.stderr.contains(&0x1b), "{outcome}");
    });
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    require!(Peer("script"));
    let sandbox = prepared();
    every(|tool| {
        let shown = |prefix: &str, options: &str| {
            let line = format!("{prefix} {} {options} /no/such --nope", tool.name);
            coloured(&on_terminal(&sandbox, &line).stdout)
        };
        // A bad option ends the parsing of all others, colours among them.
        assert!(!shown("NO_COLOR=1", ""), "NO_COLOR");
        assert!(!shown("TERM=dumb", ""), "TERM=dumb");
    });
    each(
        |tool| tool.reads,
        |tool, reads| {
            let cut = sandbox.path("cut.tar");
            let piped = |options: &str, no_color: &str| {
                let line = tool.line(&format!("{} {options}", reads.line));
                let run = sandbox.words(&line).input_file(&cut).env("NO_COLOR", no_color);
                coloured(&run.outcome().stderr)
            };
            assert!(!piped("", ""), "a pipe got colours");
            assert!(!piped("--color=never", ""));
            assert!(piped("--color=always", ""), "--color=always");
            assert!(piped("--color=always", "1"), "an option beats the environment");
            let shown = |prefix: &str| {
                let line = format!("{prefix} {} < cut.tar", tool.line(reads.line));
                coloured(&on_terminal(&sandbox, &line).stdout)
            };
            assert!(shown("TERM=xterm"), "a terminal gets colours");
            assert!(!shown("NO_COLOR=1"), "NO_COLOR");
            assert!(!shown("TERM=dumb"), "TERM=dumb");
        },
    );
}

/// Whether there is a foreground colour: progress moves the cursor only.
fn coloured(bytes: &[u8]) -> bool {
    bytes.windows(3).any(|part| part == b"\x1b[3")
}

#[test]
fn progress_is_for_terminals() {
    let sandbox = prepared();
    each(
        |tool| tool.produces,
        |tool, produces| {
            let outcome = sandbox.words(&tool.line(produces.big)).outcome();
            assert!(outcome.status == 0 && outcome.stderr.is_empty(), "{}", outcome.stderr.len());
        },
    );
}
