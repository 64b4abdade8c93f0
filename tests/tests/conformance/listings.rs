//! Lists of names and JSON.

use std::collections::BTreeSet;
use std::fs;

use layerutils_tests::require;
use layerutils_tests::tool::each;

use crate::prepared;

#[test]
fn names_survive_byte_for_byte_between_nul_bytes() {
    let sandbox = prepared();
    each(
        |tool| tool.lists,
        |tool, lists| {
            let list = sandbox.words(&tool.line(lists.nul)).succeeds().stdout;
            assert_eq!(list.last(), Some(&0));
            for name in [&b"new\nline\0"[..], b"bytes\xff\0", b"esc\x1b]52;c;aGk=\x07\0"] {
                let found = list.windows(name.len()).any(|part| part == name);
                assert!(found, "{} in {}", name.escape_ascii(), list.escape_ascii());
            }
        },
    );
}

#[test]
fn json_parses() {
    require!(Peer("jq"));
    let sandbox = prepared();
    each(
        |tool| (!tool.json.is_empty()).then_some(tool.json),
        |tool, lines| {
            for line in lines {
                let script = format!("{} | tee /dev/stderr | jq -e . >/dev/null", tool.line(line));
                let outcome = sandbox.sh(&script).outcome();
                assert_eq!(outcome.status, 0, "{outcome}");
                assert!(!outcome.stderr.is_empty(), "nothing was printed");
            }
        },
    );
}

#[test]
fn every_key_is_documented() {
    let sandbox = prepared();
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../man/layerutils-json.5");
    let page = fs::read_to_string(page).unwrap();
    let items = page.lines().filter_map(|line| line.strip_prefix(".It Li "));
    let documented: BTreeSet<&str> = items.flat_map(|item| item.split(" , ")).collect();
    each(
        // The keys of img-inspect are those of docker and of the specification.
        |tool| (!tool.json.is_empty() && tool.name != "img-inspect").then_some(tool.json),
        |tool, lines| {
            for line in lines {
                let printed = sandbox.words(&tool.line(line)).succeeds().stdout;
                for value in serde_json::Deserializer::from_slice(&printed).into_iter() {
                    undocumented(&value.unwrap(), &documented);
                }
            }
        },
    );
}

fn undocumented(value: &serde_json::Value, documented: &BTreeSet<&str>) {
    for (key, value) in value.as_object().into_iter().flatten() {
        assert!(documented.contains(key.as_str()), "{key}: not in layerutils-json(5)");
        // The keys of that one are names of attributes.
        if key != "xattrs" {
            undocumented(value, documented);
        }
    }
}
