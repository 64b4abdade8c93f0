//! Messages and hints name only options that there are.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use layerutils_tests::tool::{ALL, Tool};
use walkdir::WalkDir;

/// Programs of others whose options a message may name, after the program's own name.
const OTHERS: [&str; 16] = [
    "apk",
    "apt-get",
    "chmod",
    "crun",
    "docker",
    "fuser",
    "git",
    "modprobe",
    "mount",
    "npm",
    "pip",
    "podman",
    "runc",
    "systemd-run",
    "unshare",
    "usermod",
];

/// Flags of instructions of a Containerfile.
const OF_INSTRUCTIONS: [&str; 17] = [
    "checksum",
    "chmod",
    "chown",
    "device",
    "exclude",
    "from",
    "interval",
    "keep-git-dir",
    "link",
    "mount",
    "network",
    "parents",
    "retries",
    "security",
    "start-interval",
    "start-period",
    "timeout",
];

fn options(tool: &Tool) -> BTreeSet<String> {
    let command = (tool.command)();
    let of_tool = command.get_arguments().filter_map(|option| option.get_long());
    of_tool.map(str::to_owned).chain(["help".into(), "version".into()]).collect()
}

/// The string literals of a source, but for its unit tests.
fn literals(source: &str) -> Vec<String> {
    let source = source.split("#[cfg(test)]").next().unwrap();
    let mut found = Vec::new();
    for line in source.replace("\\\n", "").lines() {
        let code = line.split("// ").next().unwrap();
        let mut parts = code.split('"');
        parts.next();
        while let (Some(text), Some(_)) = (parts.next(), parts.next()) {
            found.push(text.to_owned());
        }
    }
    found
}

/// The options that a text names of no program of others.
fn named(text: &str) -> Vec<String> {
    let is_other = |word: &str| OTHERS.contains(&word) || ALL.iter().any(|tool| tool.name == word);
    let mut names = Vec::new();
    for word in text.split(|c: char| c.is_whitespace() || "('`:,;)|".contains(c)) {
        if is_other(word) {
            break;
        }
        let Some(option) = word.strip_prefix("--") else { continue };
        let end = option.find(|c: char| c != '-' && !c.is_ascii_lowercase());
        let (option, rest) = option.split_at(end.unwrap_or(option.len()));
        if option.len() > 1 && !rest.starts_with('{') {
            names.push(option.to_owned());
        }
    }
    names
}

#[test]
fn a_tool_names_only_options_that_it_has() {
    let mut unknown = Vec::new();
    for tool in ALL {
        let options = options(tool);
        let src =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools").join(tool.name).join("src");
        for file in WalkDir::new(src) {
            let file = file.unwrap();
            // The options there are git's.
            let is_of_git = file.path().ends_with("img-build/src/git.rs");
            if is_of_git || file.path().extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            for text in literals(&fs::read_to_string(file.path()).unwrap()) {
                for name in named(&text) {
                    let is_known = options.contains(&name) || OF_INSTRUCTIONS.contains(&&*name);
                    if !is_known {
                        unknown.push(format!("{}: '{text}'", file.path().display()));
                    }
                }
            }
        }
    }
    assert_eq!(unknown, [""; 0]);
}

#[test]
fn options_in_a_text_are_seen() {
    assert_eq!(named("use --max-size SIZE, or (--all)"), ["max-size", "all"]);
    assert_eq!(named("with img-copy --all"), [""; 0]);
    let source =
        "a(\"use --one\"); // \"--two\"\nb(\"or \\\n  --three\");\n#[cfg(test)] \"--four\"";
    let found: Vec<String> = literals(source).iter().flat_map(|text| named(text)).collect();
    assert_eq!(found, ["one", "three"]);
}
