//! The same input gives the same bytes, anywhere, in bounded memory.

use layerutils_tests::sandbox::Sandbox;
use layerutils_tests::tool::{each, every, every_in_pipes};

use crate::prepared;

const EPOCH: (&str, &str) = ("SOURCE_DATE_EPOCH", "1000000000");

#[test]
fn the_same_input_gives_the_same_bytes_in_any_locale_and_time_zone() {
    let sandbox = prepared();
    each(
        |tool| tool.produces,
        |tool, produces| {
            let run = || sandbox.words(&tool.line(produces.line)).env(EPOCH.0, EPOCH.1);
            let first = run().succeeds().stdout;
            assert!(!first.is_empty());
            let again = run().succeeds().stdout;
            assert!(first == again, "two runs differ");
            let elsewhere = run().env("LC_ALL", "tr_TR.UTF-8").env("TZ", "Asia/Kathmandu");
            assert!(first == elsewhere.succeeds().stdout, "another locale and zone differ");
            let line = format!("umask 077; taskset -c 0 {}", tool.line(produces.line));
            let one = sandbox.sh(&line).env(EPOCH.0, EPOCH.1).succeeds().stdout;
            assert!(first == one, "one processor and another umask differ");
        },
    );
}

#[test]
fn a_bad_source_date_epoch_is_refused() {
    let sandbox = prepared();
    every(|tool| {
        for bad in ["now", "-1", "1.5", "99999999999999999999", " 1", "0x10"] {
            let run = sandbox.words(&tool.working()).env("SOURCE_DATE_EPOCH", bad);
            let outcome = run.outcome();
            let status = tool.failure_status(&tool.working());
            assert!([2, status].contains(&outcome.status), "{bad:?}\n{outcome}");
            assert!(outcome.diagnostics(tool.name).contains("SOURCE_DATE_EPOCH"), "{outcome}");
        }
    });
}

#[test]
fn an_empty_environment_and_any_folder_will_do() {
    let sandbox = prepared();
    let elsewhere = sandbox.path("elsewhere");
    let _ = sandbox.words("mkdir elsewhere").succeeds();
    every_in_pipes(|tool| {
        let store = sandbox.store();
        let command = (tool.command)();
        let has = |name| command.get_arguments().any(|option| option.get_long() == Some(name));
        // What may be given an image and is given layers refuses it.
        let uses_store = has("store") && !has("image");
        // The default store depends on who runs the tool, so it is named here.
        let store = if uses_store { format!("--store {}", store.display()) } else { String::new() };
        let line = tool.line(&format!(
            "{store} {} {}",
            tool.works.options,
            absolute(&sandbox, tool.works.operands)
        ));
        let _ = sandbox.words(&line).only_path().from(&elsewhere).succeeds();
    });
}

/// Operands that name something in the work folder, named from the root.
fn absolute(sandbox: &Sandbox, operands: &str) -> String {
    let mut own = true;
    let words = operands.split_whitespace().map(|word| {
        own &= word != "--";
        let path = sandbox.path(word);
        if own && path.exists() { path.display().to_string() } else { word.to_owned() }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn memory_does_not_grow_with_content() {
    let sandbox = prepared();
    let _ = sandbox.sh("mkdir large && truncate -s 2G large/file && mkdir sunk").succeeds();
    each(
        |tool| (tool.name == "layer-diff" || tool.name == "layer-apply").then_some(()),
        |tool, ()| {
            // 64 MiB for the program, its libraries and its threads' stacks, and 192
            // MiB of address space that is reserved and never touched.
            let limit = "ulimit -v 262144;";
            let line = match tool.name {
                "layer-diff" => format!("({limit} layer-diff large) | head -c 2147483648 | wc -c"),
                _ => format!(
                    "tar -C large --sparse-version=1.0 -cf - file | head -c 2147484160 | ({limit} layer-apply sunk)"
                ),
            };
            let outcome = sandbox.sh(&line).outcome();
            assert!(outcome.stderr.is_empty(), "{outcome}");
            assert!(!outcome.stdout.is_empty(), "{outcome}");
        },
    );
}
