//! Lists of names and JSON.

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
