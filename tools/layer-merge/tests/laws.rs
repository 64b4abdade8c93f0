//! Law 3: a merged layer does what its layers do one after the other, over layers
//! computed from generated trees, and over layers made of whatever members.

#![allow(clippy::unwrap_used)]

#[path = "../../layer-diff/tests/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::layer::apply;
use common::layer::diff::{ContentPolicy, Options};
use common::layer::merge::{self, Error, Source};
use common::root::Root;
use common::stream::{Input, Payload};
use common::tar::{Entry, Kind, Writer, Xattrs};
use common::time::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use support::model::{Tree, make, tree, two_trees};
use support::snapshot::{Seen, compare, snapshot};
use support::{apply_to, diff, members};

/// The same trees in every run, unless PROPTEST_RNG_SEED asks for others.
fn seed() -> RngSeed {
    match ProptestConfig::default().rng_seed {
        RngSeed::Random => RngSeed::Fixed(2),
        asked => asked,
    }
}

fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    ProptestConfig {
        cases: cases.unwrap_or(64),
        rng_seed: seed(),
        failure_persistence: None,
        ..Default::default()
    }
}

fn merged(at: &Path, layers: &[&[u8]]) -> Result<Vec<u8>, Error> {
    let sources: Vec<Source> = layers
        .iter()
        .enumerate()
        .map(|(index, layer)| {
            let path = at.join(format!("layer{index}"));
            fs::write(&path, layer).unwrap();
            let input = Input::open(path.as_os_str(), Payload::Binary).unwrap();
            Source::new(input).unwrap()
        })
        .collect();
    let mut writer = Writer::new(Vec::new());
    merge::merge(&sources, &mut writer)?;
    Ok(writer.finish().unwrap())
}

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
    #![proptest_config(config())]

    #[test]
    fn merged_differences_lead_from_the_first_tree_to_the_last(
        (one, two) in two_trees(), (three, four) in two_trees(), other in tree(),
    ) {
        let scratch = tempfile::tempdir().unwrap();
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
        let scratch = tempfile::tempdir().unwrap();
        let all = layers(scratch.path(), &[&one, &two]);
        prop_assert!(merged(scratch.path(), &[&all[0]]).unwrap() == all[0]);
    }

    #[test]
    fn layers_of_whatever_members_do_the_same_merged(
        base in tree(), layers in prop::collection::vec(odd_layer(), 1..4),
    ) {
        let scratch = tempfile::tempdir().unwrap();
        let written: Vec<Vec<u8>> = layers.iter().map(|layer| write(layer)).collect();
        let slices: Vec<&[u8]> = written.iter().map(Vec::as_slice).collect();
        let (at_once, in_turn) = (scratch.path().join("at-once"), scratch.path().join("in-turn"));
        make(&base, &at_once);
        make(&base, &in_turn);
        let is_clear =
            !layers.iter().any(|layer| refers_forward(layer) || links_into_a_link(layer));
        if is_clear && slices.iter().all(|layer| try_apply(&in_turn, layer)) {
            match merged(scratch.path(), &slices) {
                Err(Error::LostLink { .. }) => {}
                Err(error) => prop_assert!(false, "{error}"),
                Ok(layer) => {
                    prop_assert!(try_apply(&at_once, &layer), "{:?}", members(&layer));
                    let differences = compare(&timeless(&at_once), &timeless(&in_turn));
                    prop_assert!(
                        differences.is_empty(), "{:#?} {:?}", differences, members(&layer)
                    );
                }
            }
        }
    }
}

/// A tree without the times and owners of directories: those that no layer
/// describes are made when they are needed.
fn timeless(at: &Path) -> BTreeMap<PathBuf, Seen> {
    let mut tree = snapshot(at);
    tree.values_mut().for_each(Seen::forget_directory_time);
    tree
}

/// Whether a hard link is later taken for a directory in its own layer: if it is
/// one to a symbolic link, where that leads depends on the tree.
fn links_into_a_link(layer: &[(Entry, Vec<u8>)]) -> bool {
    layer.iter().enumerate().any(|(index, (entry, _))| {
        matches!(entry.kind, Kind::HardLink { .. })
            && layer[index + 1..].iter().any(|(later, _)| {
                later
                    .path
                    .strip_prefix(entry.path.as_slice())
                    .is_some_and(|rest| rest.starts_with(b"/"))
            })
    })
}

/// Whether a link comes before its target in one layer: what it is a link to then
/// depends on the tree, which a merged layer cannot say.
fn refers_forward(layer: &[(Entry, Vec<u8>)]) -> bool {
    layer.iter().enumerate().any(|(index, (entry, _))| match &entry.kind {
        Kind::HardLink { target } => layer[index..]
            .iter()
            .any(|(later, _)| later.path.starts_with(target) || target.starts_with(&later.path)),
        _ => false,
    })
}

fn try_apply(directory: &Path, layer: &[u8]) -> bool {
    let ownership = apply::Ownership::of_process();
    let options = apply::Options { ownership, ..apply::Options::default() };
    apply::apply(&Root::open(directory).unwrap(), layer, &options).is_ok()
}

fn write(layer: &[(Entry, Vec<u8>)]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (entry, content) in layer {
        writer.append(entry, content.as_slice()).unwrap();
    }
    writer.finish().unwrap()
}

fn odd_layer() -> BoxedStrategy<Vec<(Entry, Vec<u8>)>> {
    prop::collection::vec(member(), 0..8).boxed()
}

/// A member with few names, so that they meet: whiteouts after what they might
/// hide, links to anything, directories that no layer describes.
fn member() -> BoxedStrategy<(Entry, Vec<u8>)> {
    let name = || prop::sample::select(vec!["a", "b", "a-b"]);
    let path = || prop::collection::vec(name(), 1..4).prop_map(|names| names.join("/"));
    let target = prop_oneof![path(), path().prop_map(|path| format!("/{path}")), Just("..".into())];
    let whiteout = |path: String| match path.rsplit_once('/') {
        Some((parent, name)) => format!("{parent}/.wh.{name}"),
        None => format!(".wh.{path}"),
    };
    let seconds = 1..5_i64;
    let kind = prop_oneof![
        4 => (path(), prop::sample::select(vec!["one", "two"]))
            .prop_map(|(path, text)| (path, Kind::File, text.as_bytes().to_vec())),
        3 => path().prop_map(|path| (path, Kind::Directory, Vec::new())),
        2 => (path(), target)
            .prop_map(|(p, t)| (p, Kind::Symlink { target: t.into_bytes() }, Vec::new())),
        2 => (path(), path())
            .prop_map(|(p, t)| (p, Kind::HardLink { target: t.into_bytes() }, Vec::new())),
        3 => path().prop_map(move |path| (whiteout(path), Kind::File, Vec::new())),
        1 => path().prop_map(|path| (format!("{path}/.wh..wh..opq"), Kind::File, Vec::new())),
    ];
    (kind, seconds)
        .prop_map(|((path, kind, content), seconds)| {
            let entry = Entry {
                path: path.into_bytes(),
                kind,
                mode: 0o755,
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
