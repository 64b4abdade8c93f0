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
use support::model::{Node, Tree, make, tree, two_trees};
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
        base in prop_oneof![tree(), tree().prop_map(|tree| without_links(&tree))],
        layers in prop::collection::vec(odd_layer(), 1..4),
    ) {
        let scratch = tempfile::tempdir().unwrap();
        let layers: Vec<Vec<u8>> = layers.iter().map(OddLayer::write).collect();
        let slices: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
        let at = |name: &str, tree: &Tree| {
            let path = scratch.path().join(name);
            make(tree, &path);
            path
        };
        let merged = merged(scratch.path(), &slices);
        let in_turn = at("in-turn", &base);
        let refused = apply_all(&in_turn, &slices);
        let in_turn = snapshot(&in_turn);
        if leads_through_a_link(&base, &at("without-links", &without_links(&base)), &slices, &in_turn) {
            return Ok(());
        }
        let Ok(layer) = merged else {
            let error = merged.unwrap_err();
            // What merging refuses, applying refuses, too, but for what one layer cannot say.
            let said = matches!(error, Error::LostLink { .. }) || refused.is_err();
            prop_assert!(said, "{error:?}");
            return Ok(());
        };
        let at_once = at("at-once", &base);
        let outcome = apply_all(&at_once, &[&layer]);
        match refused {
            Ok(()) => {
                prop_assert!(outcome.is_ok(), "{:?} {:?}", outcome, members(&layer));
                let differences = compare(&snapshot(&at_once), &in_turn);
                prop_assert!(differences.is_empty(), "{:#?} {:?}", differences, members(&layer));
            }
            // Only for what the tree has or lacks, and a later layer may replace.
            Err(error) => prop_assert!(depends_on_the_tree(&error), "{error:?} {:?}", members(&layer)),
        }
    }
}

fn apply_all(directory: &Path, layers: &[&[u8]]) -> Result<(), apply::Error> {
    let options =
        apply::Options { ownership: apply::Ownership::of_process(), ..apply::Options::default() };
    let root = Root::open(directory).unwrap();
    layers.iter().try_for_each(|layer| apply::apply(&root, *layer, &options).map(drop))
}

/// Whether another tree might have been taken.
fn depends_on_the_tree(error: &apply::Error) -> bool {
    use apply::Problem::{ClimbsFromNowhere, LinkTargetMissing, LinkToDirectory};
    let apply::Error::Entry { problem, .. } = error else { return false };
    matches!(problem, LinkTargetMissing(_) | LinkToDirectory(_) | ClimbsFromNowhere)
}

const WAS_A_LINK: &[u8] = b"once a link to ";

/// A tree with a file in the place of each symbolic link.
fn without_links(tree: &Tree) -> Tree {
    fn without(node: &Node) -> Node {
        match node {
            Node::Symlink(meta, target) => {
                let mut meta = meta.clone();
                meta.mode = 0o777;
                meta.xattrs.retain(|name, _| !name.starts_with("user."));
                Node::File(meta, [WAS_A_LINK, target].concat())
            }
            Node::Directory(meta, children) => {
                let children = children.iter().map(|(name, node)| (name.clone(), without(node)));
                Node::Directory(meta.clone(), children.collect())
            }
            node => node.clone(),
        }
    }
    Tree { root: without(&tree.root), inodes: tree.inodes.iter().map(without).collect() }
}

/// Whether the layers go through a link of the tree, as the result tells where there
/// is a file in its place: what is beyond it is then another matter.
fn leads_through_a_link(
    base: &Tree,
    without_links: &Path,
    layers: &[&[u8]],
    expected: &BTreeMap<PathBuf, Seen>,
) -> bool {
    if self::without_links(base) == *base {
        return false;
    }
    let _ = apply_all(without_links, layers);
    let mut seen = snapshot(without_links);
    seen.values_mut().for_each(|seen| seen.become_link(WAS_A_LINK));
    !compare(&seen, expected).is_empty()
}

/// Members in whatever order, shown as their names.
struct OddLayer(Vec<(Entry, Vec<u8>)>);

impl OddLayer {
    fn write(&self) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new());
        for (entry, content) in &self.0 {
            writer.append(entry, content.as_slice()).unwrap();
        }
        writer.finish().unwrap()
    }
}

impl std::fmt::Debug for OddLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", members(&self.write()))
    }
}

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
    ];
    let beside = |path: &str, name: &str| match path.rsplit_once('/') {
        Some((parent, _)) => format!("{parent}/{name}"),
        None => name.to_owned(),
    };
    let whiteout = move |path: String| {
        let name = path.rsplit('/').next().unwrap();
        beside(&path, &format!(".wh.{name}"))
    };
    let kind = prop_oneof![
        4 => (path(), prop::sample::select(vec!["one", "two"]))
            .prop_map(|(path, text)| (path, Kind::File, text.as_bytes().to_vec())),
        3 => path().prop_map(|path| (path, Kind::Directory, Vec::new())),
        2 => (path(), target)
            .prop_map(|(p, t)| (p, Kind::Symlink { target: t.into_bytes() }, Vec::new())),
        3 => (path(), path())
            .prop_map(|(p, t)| (p, Kind::HardLink { target: t.into_bytes() }, Vec::new())),
        3 => path().prop_map(move |path| (whiteout(path), Kind::File, Vec::new())),
        1 => path().prop_map(move |path| (beside(&path, ".wh..wh..opq"), Kind::File, Vec::new())),
        1 => Just(("./".to_owned(), Kind::Directory, Vec::new())),
        1 => Just((".wh..wh.plnk/1".to_owned(), Kind::File, Vec::new())),
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
