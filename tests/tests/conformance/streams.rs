//! Standard streams: data, silence, closed pipes, full devices.

use std::fs;

use layerutils_tests::sandbox::Sandbox;
use layerutils_tests::tool::{each, every, every_in_pipes};

use crate::prepared;

#[test]
fn success_is_silent() {
    let sandbox = prepared();
    every_in_pipes(|tool| {
        let _ = sandbox.words(&tool.working()).succeeds();
    });
}

#[test]
fn standard_output_carries_an_archive_and_nothing_else() {
    let sandbox = prepared();
    each(
        |tool| tool.produces,
        |tool, produces| {
            let names =
                sandbox.sh(&format!("{} 2>/dev/null | tar -tf -", tool.line(produces.line)));
            assert!(!names.succeeds().stdout.is_empty(), "an empty archive");
        },
    );
}

#[test]
fn an_archive_is_read_from_standard_input() {
    let sandbox = prepared();
    each(
        |tool| tool.reads,
        |tool, reads| {
            let layer = sandbox.path(reads.layer);
            let _ = sandbox.words(&tool.line(reads.line)).input_file(&layer).succeeds();
        },
    );
}

#[test]
fn standard_input_is_read_once_at_most() {
    let sandbox = prepared();
    each(
        |tool| Some((tool.reads?.twice?, tool.reads?.layer)),
        |tool, (line, layer)| {
            let run = sandbox.words(&tool.line(line)).input_file(&sandbox.path(layer));
            let text = run.outcome().failed(tool.name, 2);
            assert!(text.contains("standard input"), "{text}");
        },
    );
}

#[test]
fn a_closed_pipe_ends_a_tool_without_a_word() {
    let sandbox = prepared();
    each(
        |tool| tool.produces,
        |tool, produces| {
            let script = format!(
                "{} | head -c1 >/dev/null; echo ${{PIPESTATUS[0]}}",
                tool.line(produces.big)
            );
            assert_eq!(sandbox.sh(&script).succeeds().trimmed(), "141");
        },
    );
}

#[test]
fn a_closed_pipe_ends_a_tool_also_where_sigpipe_is_ignored() {
    let sandbox = prepared();
    each(
        |tool| tool.produces,
        |tool, produces| {
            let script = format!(
                "trap '' PIPE; {{ {}; echo $? >status; }} | head -c1 >/dev/null; cat status",
                tool.line(produces.big)
            );
            let outcome = sandbox.sh(&script).outcome();
            // It cannot die of a signal that its caller told it to ignore unless it
            // takes it back; either way it fails, without leaving anything.
            assert!(["141", "2"].contains(&outcome.trimmed()), "{outcome}");
        },
    );
}

#[test]
fn a_write_error_is_a_failure() {
    let sandbox = prepared();
    each(
        |tool| tool.produces,
        |tool, produces| {
            for redirection in [">/dev/full", ">&-"] {
                let script = format!("{} {redirection}", tool.line(produces.line));
                let text = sandbox.sh(&script).outcome().failed(tool.name, 2);
                assert!(text.contains("standard output"), "{redirection}: {text}");
            }
        },
    );
}

#[test]
fn help_that_cannot_be_written_is_a_failure() {
    let sandbox = Sandbox::new();
    every(|tool| {
        for option in ["--help", "--version"] {
            for redirection in [">/dev/full", ">&-"] {
                let script = format!("{} {option} {redirection}", tool.name);
                let text = sandbox.sh(&script).outcome().failed(tool.name, 2);
                assert!(text.contains("standard output"), "{redirection}: {text}");
            }
        }
    });
}

#[test]
fn closed_standard_streams_do_no_harm() {
    let sandbox = prepared();
    // A file opened in the place of a closed standard stream must not get what
    // is meant for that stream.
    each(
        |tool| tool.produces,
        |tool, produces| {
            let line = tool.line(produces.file);
            let run = |script: &str| sandbox.sh(script).env("SOURCE_DATE_EPOCH", "0").succeeds();
            let _ = run(&format!("{line}expected >/dev/null"));
            // What would be printed beside it has nowhere to go, which is a failure.
            let _ = run(&format!("{line}out <&- >&- 2>&- || :"));
            let _ = run(&format!("{line}out <&- >/dev/null 2>&-"));
            let out = fs::read(sandbox.path("out")).unwrap();
            assert!(out == fs::read(sandbox.path("expected")).unwrap());
            fs::remove_file(sandbox.path("out")).unwrap();
        },
    );
}
