//! Layers of whatever members, in whatever order, as values of proptest.

#![allow(clippy::unwrap_used)]

use common::tar::{Entry, Kind, Xattrs};
use common::time::Timestamp;
use proptest::prelude::*;

/// The members of a layer, with their contents.
pub(crate) fn members() -> BoxedStrategy<Vec<(Entry, Vec<u8>)>> {
    prop::collection::vec(member(), 0..10).boxed()
}

/// A member with few names, so that they meet: whiteouts after what they might
/// hide, links to anything, directories that no layer describes.
fn member() -> BoxedStrategy<(Entry, Vec<u8>)> {
    let name = || prop::sample::select(vec!["a", "b", "a-b"]);
    let path = || prop::collection::vec(name(), 1..4).prop_map(|names| names.join("/"));
    let target = prop_oneof![
        3 => path(),
        2 => path().prop_map(|path| format!("/{path}")),
        1 => (path(), path()).prop_map(|(one, other)| format!("{one}/../{other}")),
        1 => Just("..".into()),
        1 => Just(".".into()),
        1 => Just(".wh..wh.plnk/a".into()),
    ];
    let beside = |path: &str, name: &str| match path.rsplit_once('/') {
        Some((parent, _)) => format!("{parent}/{name}"),
        None => name.to_owned(),
    };
    let whiteout = move |path: String| {
        let name = path.rsplit('/').next().unwrap();
        beside(&path, &format!(".wh.{name}"))
    };
    let stored = prop::sample::select(vec![".wh..wh.plnk/1", ".wh..wh.plnk/2"]);
    let kind = prop_oneof![
        4 => (path(), prop::sample::select(vec!["one", "two"]))
            .prop_map(|(path, text)| (path, Kind::File, text.as_bytes().to_vec())),
        3 => path().prop_map(|path| (path, Kind::Directory, Vec::new())),
        2 => (path(), target)
            .prop_map(|(p, t)| (p, Kind::Symlink { target: t.into_bytes() }, Vec::new())),
        1 => (path(), stored.clone())
            .prop_map(|(p, t)| (p, Kind::HardLink { target: t.into() }, Vec::new())),
        3 => (path(), path())
            .prop_map(|(p, t)| (p, Kind::HardLink { target: t.into_bytes() }, Vec::new())),
        3 => path().prop_map(move |path| (whiteout(path), Kind::File, Vec::new())),
        1 => path().prop_map(move |path| (beside(&path, ".wh..wh..opq"), Kind::File, Vec::new())),
        1 => Just(("./".to_owned(), Kind::Directory, Vec::new())),
        1 => stored.prop_map(|path| (path.into(), Kind::File, b"stored".to_vec())),
    ];
    (kind, 1..5_i64, prop::sample::select(vec![0o700, 0o751, 0o4711]))
        .prop_map(|((path, kind, content), seconds, mode)| {
            let entry = Entry {
                path: path.into_bytes(),
                kind,
                mode,
                uid: 0,
                gid: 0,
                mtime: Timestamp::from_seconds(seconds),
                len_bytes: content.len() as u64,
                xattrs: Xattrs::new(),
            };
            (entry, content)
        })
        .boxed()
}
