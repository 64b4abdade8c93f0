//! A tree as text, one line a name, for people and for comparison.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use common::digest::Digest;

use super::model::{Kind, Node, Tree};

/// The tree as lines: name, type, mode, owner, time, extended attributes.
#[must_use]
pub fn dump(tree: &Tree) -> String {
    let mut text = String::new();
    for (path, node) in &tree.nodes {
        let name = path.escape_ascii().to_string().replace(' ', "\\x20");
        let _ = writeln!(text, "./{name} {}", describe(node));
    }
    text
}

fn describe(node: &Node) -> String {
    let kind = match &node.kind {
        Kind::File(content) if content.len() <= 32 => {
            format!("file \"{}\"", content.escape_ascii())
        }
        Kind::File(content) => {
            format!("file {} bytes {}", content.len(), Digest::of(content).short())
        }
        Kind::Directory => "dir".into(),
        Kind::Symlink(target) => format!("symlink \"{}\"", target.escape_ascii()),
        Kind::Fifo => "fifo".into(),
        Kind::Character(major, minor) => format!("char {major}:{minor}"),
        Kind::Block(major, minor) => format!("block {major}:{minor}"),
        // What it carries is shown with its first name.
        Kind::Link(first) => return format!("same inode as ./{}", first.escape_ascii()),
    };
    let attributes = &node.attributes;
    let mut text = format!(
        "{kind} {:04o} {}:{} {}.{:09}",
        attributes.mode, attributes.uid, attributes.gid, attributes.seconds, attributes.nanoseconds
    );
    for (name, value) in &attributes.xattrs {
        let _ = write!(text, " {}=\"{}\"", name.escape_ascii(), value.escape_ascii());
    }
    text
}

/// What differs between two dumps, as lines marked `-` (expected) and `+` (actual).
#[must_use]
pub fn difference(expected: &str, actual: &str) -> String {
    fn by_name(text: &str) -> BTreeMap<&str, &str> {
        text.lines().map(|line| line.split_once(' ').unwrap_or((line, ""))).collect()
    }
    let (expected, actual) = (by_name(expected), by_name(actual));
    let names: BTreeSet<_> = expected.keys().chain(actual.keys()).collect();
    let mut text = String::new();
    for name in names {
        let (before, after) = (expected.get(name), actual.get(name));
        if before != after {
            for (mark, line) in [('-', before), ('+', after)] {
                if let Some(line) = line {
                    let _ = writeln!(text, "{mark} {name} {line}");
                }
            }
        }
    }
    text
}

/// Asserts that two directories hold the same tree.
///
/// # Panics
/// If they do not, with what differs.
#[track_caller]
pub fn assert_same(expected: &Path, actual: &Path) {
    let read = |path: &Path| {
        super::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let difference = difference(&dump(&read(expected)), &dump(&read(actual)));
    assert!(
        difference.is_empty(),
        "{} (-) and {} (+) differ:\n{difference}",
        expected.display(),
        actual.display()
    );
}
