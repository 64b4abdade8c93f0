//! Trees and layers chosen by the bytes of an input, of the same kinds as those of
//! the laws; what the bytes do not reach is left out.

use std::collections::BTreeMap;

use arbitrary::{Result, Unstructured};
use common::tar::{Entry, Kind, Xattrs};
use common::time::Timestamp;

use crate::odd::OddLayer;
use crate::support::model::{Meta, NAMES, Node, Tree};

const MODES: [u32; 5] = [0o644, 0o755, 0o4711, 0o1700, 0];
const OWNERS: [(u32, u32); 2] = [(0, 0), (1000, 3_000_000)];
const TIMES: [(i64, i64); 4] = [(0, 0), (-5, 500_000_000), (4_000_000_000, 999_999_999), (7, 7)];
const CONTENTS: [&[u8]; 4] = [b"", b"one", b"two", &[7; 512]];
const TARGETS: [&[u8]; 6] = [b"a", b"/b", b"a/../b", b"..", b".", b"b/a"];

/// A tree.
pub(crate) fn tree(bytes: &mut Unstructured<'_>) -> Result<Tree> {
    let mut inodes = Vec::new();
    for _ in 0..3 {
        inodes.push(leaf(bytes)?);
    }
    Ok(Tree { root: directory(bytes, 0)?, inodes })
}

/// The tree, and what edits make of it.
pub(crate) fn two_trees(bytes: &mut Unstructured<'_>) -> Result<(Tree, Tree)> {
    let before = tree(bytes)?;
    let mut after = before.clone();
    for _ in 0..bytes.int_in_range(0..=6)? {
        edit(&mut after.root, bytes)?;
    }
    if bytes.ratio(1, 4)? {
        after.inodes[0] = leaf(bytes)?;
    }
    Ok((before, after))
}

fn edit(node: &mut Node, bytes: &mut Unstructured<'_>) -> Result<()> {
    let Node::Directory(own, children) = node else { return Ok(()) };
    let name = *bytes.choose(&NAMES)?;
    match bytes.int_in_range(0..=5)? {
        0 => *own = meta(bytes)?,
        1 => drop(children.remove(name)),
        2 => drop(children.insert(name.to_vec(), directory(bytes, 2)?)),
        3 => drop(children.insert(name.to_vec(), named(bytes)?)),
        _ => {
            if let Some(child) = children.get_mut(name) {
                edit(child, bytes)?;
            }
        }
    }
    Ok(())
}

fn directory(bytes: &mut Unstructured<'_>, depth: usize) -> Result<Node> {
    let meta = meta(bytes)?;
    let mut children = BTreeMap::new();
    for _ in 0..bytes.int_in_range(0..=4)? {
        let name = bytes.choose(&NAMES)?.to_vec();
        let child = match depth < 3 && bytes.ratio(1, 2)? {
            true => directory(bytes, depth + 1)?,
            false => named(bytes)?,
        };
        children.insert(name, child);
    }
    Ok(Node::Directory(meta, children))
}

fn named(bytes: &mut Unstructured<'_>) -> Result<Node> {
    match bytes.ratio(1, 3)? {
        true => Ok(Node::Linked(bytes.choose_index(3)?)),
        false => leaf(bytes),
    }
}

fn leaf(bytes: &mut Unstructured<'_>) -> Result<Node> {
    let meta = meta(bytes)?;
    Ok(match bytes.int_in_range(0..=7)? {
        0 | 1 => Node::Symlink(meta, bytes.choose(&TARGETS)?.to_vec()),
        2 => Node::Fifo(meta),
        3 => Node::Device(meta, bytes.arbitrary()?, bytes.int_in_range(1..=2)?),
        _ => Node::File(meta, bytes.choose(&CONTENTS)?.to_vec()),
    })
}

fn meta(bytes: &mut Unstructured<'_>) -> Result<Meta> {
    let mut xattrs = BTreeMap::new();
    if bytes.ratio(1, 4)? {
        let name = *bytes.choose(&["user.a", "user.x=%y", "trusted.t"])?;
        xattrs.insert(name.to_owned(), bytes.choose(&CONTENTS)?.to_vec());
    }
    let (mode, owner) = (*bytes.choose(&MODES)?, *bytes.choose(&OWNERS)?);
    Ok(Meta { mode, owner, mtime: *bytes.choose(&TIMES)?, xattrs })
}

/// Some layers of members in whatever order.
pub(crate) fn layers(bytes: &mut Unstructured<'_>) -> Result<Vec<OddLayer>> {
    let mut layers = Vec::new();
    for _ in 0..bytes.int_in_range(1..=3)? {
        let mut members = Vec::new();
        for _ in 0..bytes.int_in_range(0..=12)? {
            members.push(member(bytes)?);
        }
        layers.push(OddLayer(members));
    }
    Ok(layers)
}

fn member(bytes: &mut Unstructured<'_>) -> Result<(Entry, Vec<u8>)> {
    let mut path = path(bytes)?;
    let mut content = Vec::new();
    let kind = match bytes.int_in_range(0..=10)? {
        0..=2 => Kind::Directory,
        3 => Kind::Symlink { target: bytes.choose(&TARGETS)?.to_vec() },
        4 => Kind::Symlink { target: self::path(bytes)? },
        5 | 6 => Kind::HardLink { target: self::path(bytes)? },
        choice => {
            match choice {
                7 => {
                    let at = path.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1);
                    path.splice(at..at, *b".wh.");
                }
                8 => path.extend(b"/.wh..wh..opq"),
                _ => content = bytes.choose(&CONTENTS)?.to_vec(),
            }
            Kind::File
        }
    };
    let mtime = Timestamp::from_seconds(bytes.int_in_range(1..=5)?);
    let (mode, len_bytes) = (*bytes.choose(&MODES)?, content.len() as u64);
    let xattrs = Xattrs::new();
    Ok((Entry { path, kind, mode, uid: 0, gid: 0, mtime, len_bytes, xattrs }, content))
}

/// Of few names, so that they meet.
fn path(bytes: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let mut names: Vec<&[u8]> = Vec::new();
    for _ in 0..bytes.int_in_range(1..=3)? {
        names.push(bytes.choose(&[&b"a"[..], b"b", b"a-b"])?);
    }
    Ok(names.join(&b'/'))
}
