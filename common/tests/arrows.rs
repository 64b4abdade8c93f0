//! Arrows between the modules of this crate point one way: down this list.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use walkdir::WalkDir;

/// The modules, the top first. One may use those of the lines below its own, and no others.
const ORDER: &[&[&str]] = &[
    &["options"],
    &["cli"],
    &["sandbox"],
    &["unpacked", "inside"],
    &["image"],
    &["store"],
    &["layer"],
    &["codec"],
    &["mount", "scratch", "document"],
    &["root", "containerfile", "tar", "compression"],
    &["oci", "human", "progress"],
    &["digest", "message", "stream", "template", "time"],
    &["cache", "json", "name", "signal"],
    &[
        "cleanup",
        "descriptors",
        "directories",
        "errors",
        "glob",
        "lock",
        "parallel",
        "privilege",
        "status",
        "sys",
        "terminal",
    ],
    // Of the unit tests.
    &["testing"],
];

#[test]
fn a_module_uses_only_modules_below_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeSet::new();
    let mut against = Vec::new();
    for file in WalkDir::new(&src).sort_by_file_name() {
        let file = file.unwrap();
        if file.path().extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let name = file.path().strip_prefix(&src).unwrap().to_str().unwrap();
        let module = name.split('/').next().unwrap().trim_end_matches(".rs");
        if module == "lib" {
            continue;
        }
        found.insert(module.to_owned());
        for used in used_modules(&fs::read_to_string(file.path()).unwrap()) {
            if used != module && rank(&used) <= rank(module) && used != "testing" {
                against.push(format!("{name} uses {used}"));
            }
        }
    }
    assert_eq!(against, [""; 0], "the order is in ORDER, in this test");
    let listed: BTreeSet<String> = ORDER.concat().into_iter().map(str::to_owned).collect();
    assert_eq!(found, listed, "ORDER names every module, and no other");
}

/// The line of a module, from the top.
fn rank(module: &str) -> usize {
    let rank = ORDER.iter().position(|line| line.contains(&module));
    rank.unwrap_or_else(|| panic!("{module} is not in ORDER"))
}

/// The modules of this crate that a source names after `crate::`, comments aside.
fn used_modules(source: &str) -> BTreeSet<String> {
    let code: Vec<&str> = source.lines().map(|line| line.split("//").next().unwrap()).collect();
    let code = code.join("\n");
    let mut used = BTreeSet::new();
    for (at, found) in code.match_indices("crate::") {
        let rest = &code[at + found.len()..];
        match rest.strip_prefix('{') {
            Some(group) => used.extend(first_words(group)),
            None => used.extend(word(rest)),
        }
    }
    used
}

/// The first word of each member of a group of a `use`, as in `{a, b::c, d::{e, f}}`.
fn first_words(group: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut depth = 0;
    let mut is_first = true;
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => is_first = true,
            _ if character.is_whitespace() => {}
            _ if depth == 0 && is_first => {
                words.extend(word(&group[at..]));
                is_first = false;
            }
            _ => {}
        }
    }
    words
}

/// The name of a module at the beginning of `text`; none for a macro.
fn word(text: &str) -> Option<String> {
    let end = text.find(|c: char| c != '_' && !c.is_ascii_lowercase()).unwrap_or(text.len());
    let is_macro = text[end..].starts_with('!');
    (end > 0 && !is_macro).then(|| text[..end].to_owned())
}

#[test]
fn what_a_source_uses_is_seen() {
    let source =
        "use crate::a::B;\nuse crate::{c, d::{e, f}, g};\n// crate::h\nlet x = crate::i::j();";
    let used: Vec<String> = used_modules(source).into_iter().collect();
    assert_eq!(used, ["a", "c", "d", "g", "i"]);
}
