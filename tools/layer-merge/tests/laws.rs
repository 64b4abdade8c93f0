//! Law 3: a merged layer does what its layers do one after the other, over layers
//! computed from generated trees, and over layers made of whatever members.

#![allow(clippy::unwrap_used)]

#[path = "../../layer-diff/tests/support/mod.rs"]
mod support;

mod odd;

use std::path::{Path, PathBuf};

use common::layer::diff::{ContentPolicy, Options};
use common::tar::{Entry, Kind, Xattrs};
use common::time::Timestamp;
use odd::{OddLayer, law_3, merged, without_links};
use proptest::prelude::*;
use support::law::{config, scratch};
use support::model::{Tree, make, tree, two_trees};
use support::snapshot::{compare, snapshot};
use support::{apply_to, diff, members};

/// The layers between consecutive trees.
fn layers(at: &Path, trees: &[&Tree]) -> Vec<Vec<u8>> {
    let options = Options { content: ContentPolicy::Always, ..Options::default() };
    let paths: Vec<PathBuf> = (0..trees.len()).map(|n| at.join(format!("tree{n}"))).collect();
    for (tree, path) in trees.iter().zip(&paths) {
        make(tree, path);
    }
    paths.windows(2).map(|two| diff(Some(&two[0]), &two[1], &options)).collect()
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn merged_differences_lead_from_the_first_tree_to_the_last(
        (one, two) in two_trees(), (three, four) in two_trees(), other in tree(),
    ) {
        let scratch = scratch();
        let all = layers(scratch.path(), &[&one, &two, &three, &four]);
        let slices: Vec<&[u8]> = all.iter().map(Vec::as_slice).collect();
        let layer = merged(scratch.path(), &slices).unwrap();
        let copy = scratch.path().join("copy");
        make(&one, &copy);
        apply_to(&copy, &layer);
        let differences = compare(&snapshot(&copy), &snapshot(&scratch.path().join("tree3")));
        prop_assert!(differences.is_empty(), "{:#?} {:?}", differences, members(&layer));

        // And on a tree that they were not made for.
        let (at_once, in_turn) = (scratch.path().join("at-once"), scratch.path().join("in-turn"));
        make(&other, &at_once);
        make(&other, &in_turn);
        apply_to(&at_once, &layer);
        slices.iter().for_each(|layer| apply_to(&in_turn, layer));
        let differences = compare(&snapshot(&at_once), &snapshot(&in_turn));
        prop_assert!(differences.is_empty(), "{:#?} {:?}", differences, members(&layer));

        // In any grouping.
        let first = merged(scratch.path(), &slices[..2]).unwrap();
        prop_assert!(merged(scratch.path(), &[&first, slices[2]]).unwrap() == layer);
        let last = merged(scratch.path(), &slices[1..]).unwrap();
        prop_assert!(merged(scratch.path(), &[slices[0], &last]).unwrap() == layer);
    }

    #[test]
    fn one_difference_merged_is_itself((one, two) in two_trees()) {
        let scratch = scratch();
        let all = layers(scratch.path(), &[&one, &two]);
        prop_assert!(merged(scratch.path(), &[&all[0]]).unwrap() == all[0]);
    }

    #[test]
    fn layers_of_whatever_members_do_the_same_merged(
        base in base(), layers in prop::collection::vec(odd_layer(), 1..4),
    ) {
        let layers: Vec<Vec<u8>> = layers.iter().map(OddLayer::write).collect();
        let slices: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
        law_3(&base, &slices, scratch().path()).map_err(TestCaseError::fail)?;
    }
}

/// A tree for layers to be applied to, with or without symbolic links.
fn base() -> BoxedStrategy<Tree> {
    prop_oneof![tree(), tree().prop_map(|tree| without_links(&tree))].boxed()
}

/// A layer of such members.
fn odd_layer() -> BoxedStrategy<OddLayer> {
    prop::collection::vec(member(), 0..10).prop_map(OddLayer).boxed()
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
