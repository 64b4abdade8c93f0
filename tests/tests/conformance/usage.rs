//! Help, version, options and operands.

use layerutils_tests::sandbox::Sandbox;
use layerutils_tests::tool::{each, every};

use crate::prepared;

#[test]
fn help_is_a_result() {
    let sandbox = Sandbox::new();
    every(|tool| {
        let help = sandbox.words(&tool.line("--help")).succeeds();
        assert!(help.text().contains(&format!("Usage: {}", tool.name)), "{help}");
        assert_eq!(sandbox.words(&tool.line("-h")).succeeds().stdout, help.stdout);
    });
}

#[test]
fn version_is_one_line() {
    let sandbox = Sandbox::new();
    every(|tool| {
        let version = sandbox.words(&tool.line("--version")).succeeds();
        let expected = format!("{} {}\n", tool.name, env!("CARGO_PKG_VERSION"));
        assert_eq!(version.text(), expected);
    });
}

#[test]
fn an_unknown_option_is_a_usage_error() {
    let sandbox = Sandbox::new();
    every(|tool| {
        let text = sandbox.words(&tool.line("--nope")).outcome().failed(tool.name, 2);
        assert!(text.contains("--nope") && text.contains("--help"), "{text}");
    });
}

#[test]
fn a_missing_operand_is_a_usage_error() {
    let sandbox = Sandbox::new();
    each(
        |tool| tool.missing,
        |tool, missing| {
            let text = sandbox.words(&tool.line(missing)).outcome().failed(tool.name, 2);
            assert!(text.contains("--help"), "{text}");
        },
    );
}

#[test]
fn a_bad_value_is_a_usage_error() {
    let sandbox = Sandbox::new();
    every(|tool| {
        let text = sandbox.words(&tool.line("--color=nope")).outcome().failed(tool.name, 2);
        assert!(text.contains("nope") && text.contains("--help"), "{text}");
    });
}

#[test]
fn options_come_before_operands_or_after_them() {
    let sandbox = prepared();
    each(
        |tool| (!tool.trailing && !tool.terminal).then_some(()),
        |tool, ()| {
            let (options, operands) = (tool.works.options, tool.works.operands);
            let before = result(&sandbox, &tool.working());
            // What follows `--` is no operand of the tool's own.
            let (own, command) = operands.split_once(" -- ").unwrap_or((operands, ""));
            let separator = if command.is_empty() { "" } else { "--" };
            let line = tool.line(&format!("{own} {options} {separator} {command}"));
            assert_eq!(result(&sandbox, &line), before, "{line}");
        },
    );
}

#[test]
fn a_double_dash_ends_the_options() {
    let sandbox = prepared();
    // For a tool that runs a command, the double dash ends its operands.
    each(
        |tool| (tool.runs.is_none() && !tool.terminal).then_some(()),
        |tool, ()| {
            let (options, operands) = (tool.works.options, tool.works.operands);
            let line = tool.line(&format!("{options} -- {operands}"));
            assert_eq!(result(&sandbox, &line), result(&sandbox, &tool.working()), "{line}");
            let line = tool.line(&format!("{options} -- --help --nope"));
            let outcome = sandbox.words(&line).outcome();
            assert_eq!(outcome.status, 2, "{outcome}");
            assert!(tool.is_listing() || outcome.stdout.is_empty(), "{outcome}");
            assert!(outcome.diagnostics(tool.name).contains("--"), "{outcome}");
        },
    );
}

#[test]
fn short_options_may_be_clustered() {
    let sandbox = prepared();
    each(
        |tool| tool.clustered,
        |tool, (together, apart)| {
            let together = result(&sandbox, &tool.line(together));
            assert_eq!(together, result(&sandbox, &tool.line(apart)));
        },
    );
}

/// What a line prints at a fixed time.
fn result(sandbox: &Sandbox, line: &str) -> String {
    let outcome = sandbox.words(line).env("SOURCE_DATE_EPOCH", "0").succeeds();
    String::from_utf8_lossy(&outcome.stdout).into_owned()
}

#[test]
fn the_four_ways_to_give_a_value_are_one() {
    let sandbox = prepared();
    each(
        |tool| tool.produces.filter(|produces| produces.file.contains("-o ")),
        |tool, produces| {
            let mut contents = Vec::new();
            for option in ["-o ", "-o", "--output ", "--output="] {
                let line = format!("{}out", produces.file.replace("-o ", option));
                let run = sandbox.words(&tool.line(&line)).env("SOURCE_DATE_EPOCH", "0");
                let _ = run.succeeds();
                contents.push(std::fs::read(sandbox.path("out")).unwrap());
                std::fs::remove_file(sandbox.path("out")).unwrap();
            }
            assert!(contents.iter().all(|content| *content == contents[0] && !content.is_empty()));
        },
    );
}
