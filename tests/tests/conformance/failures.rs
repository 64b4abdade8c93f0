//! Bad input and missing privileges.

use std::fs;

use layerutils_tests::sandbox::Sandbox;
use layerutils_tests::tool::{each, every};
use layerutils_tests::{fixture, require};

use crate::prepared;

#[test]
fn a_bad_input_among_several_does_not_stop_the_rest() {
    let sandbox = prepared();
    each(
        |tool| tool.several,
        |tool, (line, good)| {
            let outcome = sandbox.words(&tool.line(line)).outcome();
            assert_eq!(outcome.status, 2, "{outcome}");
            assert_eq!(outcome.text().lines().count(), good, "{outcome}");
            assert!(outcome.diagnostics(tool.name).contains("nothing"), "{outcome}");
        },
    );
}

#[test]
fn bad_input_is_one_clear_line_and_leaves_nothing_half_made() {
    let sandbox = prepared();
    let good = fs::read(sandbox.path("layer.tar.gz")).unwrap();
    let mut flipped = good.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0xff;
    let bad: &[(&str, Vec<u8>)] = &[
        ("nothing", Vec::new()),
        ("a text", b"this is no archive\n".repeat(100)),
        ("cut in a member", fs::read(sandbox.path("cut.tar")).unwrap()),
        ("cut gzip", good[..good.len() - 5].to_vec()),
        ("flipped gzip", flipped),
        ("gzip magic only", b"\x1f\x8b".to_vec()),
        ("zstd magic only", b"\x28\xb5\x2f\xfd".to_vec()),
    ];
    each(
        |tool| tool.reads,
        |tool, reads| {
            for (what, bytes) in bad {
                let sandbox = Sandbox::new();
                fixture::make(&sandbox);
                let index = fs::read(sandbox.store().join("index.json")).unwrap();
                let outcome = sandbox.words(&tool.line(reads.line)).input(bytes.clone()).outcome();
                assert_eq!(outcome.status, 2, "{outcome}");
                assert!(tool.is_listing() || outcome.stdout.is_empty(), "{outcome}");
                let lines = outcome.diagnostics(tool.name);
                let told = lines.lines().filter(|line| !line.contains(": hint: ")).count();
                assert_eq!(told, 1, "{what}: {lines}");
                assert_eq!(fs::read(sandbox.store().join("index.json")).unwrap(), index, "{what}");
            }
        },
    );
}

#[test]
fn a_missing_input_is_named() {
    let sandbox = prepared();
    every(|tool| {
        let first = tool.works.operands.split(' ').next().unwrap();
        let operands = tool.works.operands.replacen(first, "no-such-thing", 1);
        // Its main input, which is not always the first operand.
        let operands = if tool.name == "layer-apply" { "sink no-such-thing" } else { &operands };
        let line = tool.line(&format!("{} {operands}", tool.works.options));
        let outcome = sandbox.words(&line).outcome();
        assert_eq!(outcome.status, tool.failure_status(&line), "{outcome}");
        assert!(tool.is_listing() || outcome.stdout.is_empty(), "{outcome}");
        assert!(outcome.diagnostics(tool.name).contains("no-such-thing"), "{outcome}");
    });
}

#[test]
fn a_missing_privilege_is_named() {
    require!(UserNamespace, Peer("busybox"));
    let sandbox = Sandbox::ordinary();
    fixture::make(&sandbox);
    each(
        |tool| tool.runs,
        |tool, line| {
            // A user namespace without privileges in which no further one can be made:
            // what a locked-down machine looks like.
            let script = format!(
                "unshare --user --map-root-user sh -c 'echo 0 > /proc/sys/user/max_user_namespaces && \
             exec setpriv --bounding-set=-all --inh-caps=-all {} /bin/true'",
                tool.line(line)
            );
            let outcome = sandbox.sh(&script).outcome();
            assert_eq!(outcome.status, 125, "{outcome}");
            let text = outcome.diagnostics(tool.name);
            assert!(text.contains("user namespace") || text.contains("CAP_SYS_ADMIN"), "{text}");
        },
    );
}

#[test]
fn a_command_gives_its_own_status() {
    require!(UserNamespace, Peer("busybox"));
    for sandbox in [Sandbox::new(), Sandbox::ordinary()] {
        fixture::make(&sandbox);
        each(
            |tool| tool.runs,
            |tool, line| {
                let run = |command: &[&str]| {
                    let line = tool.line(line);
                    let argv: Vec<&str> =
                        line.split_whitespace().chain(command.iter().copied()).collect();
                    sandbox.run(&argv).outcome()
                };
                assert_eq!(run(&["sh", "-c", "exit 0"]).succeeded().status, 0);
                assert_eq!(run(&["sh", "-c", "exit 7"]).status, 7);
                assert_eq!(run(&["sh", "-c", "kill -TERM $$"]).status, 128 + 15);
                let missing = run(&["no-such-command"]);
                assert_eq!(missing.status, 127, "{missing}");
                missing.diagnostics(tool.name);
                let file = run(&["/etc/passwd"]);
                assert_eq!(file.status, 126, "{file}");
                file.diagnostics(tool.name);
                assert_eq!(run(&["sh", "-c", "cat >&2; echo out"]).status, 0);
            },
        );
    }
}
