//! The form of the tables, and what each of their rows is put to.

use std::fs;

use layerutils_tests::run::Outcome;
use layerutils_tests::sandbox::Sandbox;

/// What a tool is to make of an image.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Expect {
    /// It reads it.
    Read,
    /// It refuses it, in one line with these words.
    Refuse(&'static str),
}

pub(crate) use Expect::{Read, Refuse};

/// What img-inspect, img-history, img-copy and layer-apply are to make of an image.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected {
    pub(crate) inspect: Expect,
    pub(crate) history: Expect,
    pub(crate) copy: Expect,
    pub(crate) apply: Expect,
}

/// The same by all four.
pub(crate) const fn all(expect: Expect) -> Expected {
    Expected { inspect: expect, history: expect, copy: expect, apply: expect }
}

/// An oddity: what it is, how it is made, and what becomes of it.
pub(crate) struct Oddity {
    pub(crate) name: &'static str,
    /// Makes it in the sandbox and says how it is named.
    pub(crate) make: fn(&Sandbox) -> String,
    pub(crate) expected: Expected,
}

/// Puts every row to the four tools.
pub(crate) fn check(table: &[Oddity]) {
    for oddity in table {
        let sandbox = Sandbox::new();
        let reference = (oddity.make)(&sandbox);
        check_one(&sandbox, oddity.name, &reference, oddity.expected);
    }
}

pub(crate) fn check_one(sandbox: &Sandbox, name: &str, reference: &str, expected: Expected) {
    let run = |argv: &[&str]| sandbox.run(argv).outcome();
    judge(name, "img-inspect", run(&["img-inspect", reference]), expected.inspect);
    judge(name, "img-history", run(&["img-history", reference]), expected.history);
    judge(name, "img-copy", run(&["img-copy", reference, "copy"]), expected.copy);
    let copied = run(&["img-ls", "-q", "copy"]);
    match expected.copy {
        // Where reading the layers finds something, a check may.
        Read if matches!(expected.inspect, Read) => {
            assert_eq!(run(&["img-ls", "--check"]).status, 0, "{name}");
        }
        Read => {}
        Refuse(_) => assert_eq!(copied.stdout, b"", "{name}: copied in part"),
    }
    fs::create_dir(sandbox.path("applied")).unwrap();
    sandbox.own(&sandbox.path("applied"));
    judge(
        name,
        "layer-apply",
        run(&["layer-apply", "--image", reference, "applied"]),
        expected.apply,
    );
}

fn judge(name: &str, tool: &str, outcome: Outcome, expect: Expect) {
    match expect {
        Read => {
            assert!(outcome.status == 0 && outcome.stderr.is_empty(), "{name}: {tool}\n{outcome}");
        }
        Refuse(words) => {
            assert_eq!(outcome.status, 2, "{name}: {tool}\n{outcome}");
            let said = outcome.diagnostics(tool);
            let hint = format!("{tool}: hint: ");
            let lines: Vec<&str> = said.lines().filter(|line| !line.starts_with(&hint)).collect();
            assert_eq!(lines.len(), 1, "{name}: {tool}: {said}");
            assert!(lines[0].contains(words), "{name}: {tool}: {said}");
        }
    }
}
