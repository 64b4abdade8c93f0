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

/// What would set the clipboard, change colours by one character, and reorder a line.
const HOSTILE: &str = "x\u{1b}]52;c;aGk=\u{7}\u{9b}31m\u{202e}y";

/// The parts of it that a terminal acts on.
const ACTS: [&[u8]; 3] = [b"\x1b]52", "\u{9b}".as_bytes(), "\u{202e}".as_bytes()];

fn acts_on_a_terminal(bytes: &[u8]) -> bool {
    ACTS.iter().any(|part| bytes.windows(part.len()).any(|window| window == *part))
}

/// An image whose texts and names are hostile, and a layer of it.
fn with_hostile_image() -> Sandbox {
    let sandbox = prepared();
    std::fs::create_dir(sandbox.path("tree")).unwrap();
    std::fs::write(sandbox.path("tree").join(HOSTILE), "").unwrap();
    std::os::unix::fs::symlink(HOSTILE, sandbox.path("tree/link")).unwrap();
    sandbox.own(&sandbox.path("tree"));
    sandbox.run(&["layer-diff", "-o", "names.tar", "tree"]).succeeds();
    let label = format!("LABEL a=\"{HOSTILE}\"");
    let commit = ["img-commit", "-m", HOSTILE, "-a", HOSTILE, "--created-by", HOSTILE];
    let rest = ["-c", &label, "-t", "hostile", "scratch", "names.tar"];
    sandbox.run(&[&commit[..], &rest].concat()).succeeds();
    sandbox
}

/// Command lines that show names or texts of it, and whether that is as JSON.
const SHOWING: [(&str, bool); 28] = [
    ("img-inspect hostile", true),
    ("img-inspect -f '{{.Comment}}' hostile", false),
    ("img-inspect -f '{{.Config}}' hostile", false),
    ("img-inspect -f '{{json .}}' hostile", true),
    ("img-inspect --config hostile", false),
    ("img-history hostile", false),
    ("img-history --no-trunc hostile", false),
    ("img-history --format '{{.CreatedBy}}' hostile", false),
    ("img-history --format json hostile", true),
    ("img-history --json hostile", true),
    ("layer-ls names.tar", false),
    ("layer-ls -l names.tar", false),
    ("layer-ls -0 names.tar", false),
    ("layer-ls --json names.tar", true),
    ("layer-ls --image hostile", false),
    ("layer-ls -l --image hostile", false),
    ("layer-ls -0 --image hostile", false),
    ("layer-ls --all --image hostile", false),
    ("layer-ls --json --image hostile", true),
    ("img-diff base hostile", false),
    ("img-diff --json base hostile", true),
    ("img-du -d 9 hostile", false),
    ("img-du --json hostile", true),
    ("layer-diff --list tree", false),
    ("layer-diff --list -0 tree", false),
    ("layer-diff --json tree", true),
    ("layer-diff --list --image base hostile", false),
    ("layer-diff --json --image base hostile", true),
];

#[test]
fn nothing_of_an_image_or_layer_acts_on_a_terminal() {
    require!(Peer("script"));
    let sandbox = with_hostile_image();
    for (line, _) in SHOWING {
        let shown = on_terminal(&sandbox, line);
        assert!(shown.text().contains("status 0"), "{line}: {shown}");
        assert!(!acts_on_a_terminal(&shown.stdout), "{line}: it reached the terminal\n{shown}");
        let escaped = ["\\033]52", "\\u001b]52"];
        assert!(escaped.iter().any(|part| shown.text().contains(part)), "{line}: {shown}");
    }
}

#[test]
fn json_is_harmless_in_a_pipe_too_and_text_is_raw() {
    let sandbox = with_hostile_image();
    for (line, is_json) in SHOWING {
        let piped = sandbox.run(&["sh", "-c", line]).succeeds().stdout;
        // A config is shown as it is, and serde escapes the first of them.
        let is_config = line.contains("--config");
        assert!(!is_json || !acts_on_a_terminal(&piped), "{line}");
        assert!(is_json || acts_on_a_terminal(&piped), "{line}");
        if is_json || is_config {
            let texts = String::from_utf8(piped).unwrap();
            let values = serde_json::Deserializer::from_str(&texts).into_iter();
            let values: Vec<serde_json::Value> = values.map(Result::unwrap).collect();
            assert!(values.iter().any(holds), "{line}: {texts}");
        }
    }
}

/// Whether a text in it is, or ends in, the hostile one.
fn holds(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::String(text) => text.ends_with(HOSTILE),
        serde_json::Value::Array(values) => values.iter().any(holds),
        serde_json::Value::Object(fields) => fields.values().any(holds),
        _ => false,
    }
}
