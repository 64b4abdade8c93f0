//! The laws of the layer algebra that `layer-diff` is one half of, over generated
//! trees on a real file system. As root they have every type, owner and attribute;
//! as an ordinary user, what an ordinary user can make.

#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::process::Command;

use common::layer::diff::{ContentPolicy, Options, Parents};
use proptest::prelude::*;
use support::law::{config, scratch};
use support::model::{make, tree, two_trees};
use support::snapshot::{compare, snapshot};
use support::{apply_to, diff, members};

/// Equal times do not make generated files equal, also where they have fractions of a
/// second that real ones would differ in.
fn options() -> Options {
    Options { content: ContentPolicy::Always, ..Options::default() }
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn applying_the_difference_gives_the_upper_tree((before, after) in two_trees()) {
        let scratch = scratch();
        let (lower, upper) = (scratch.path().join("lower"), scratch.path().join("upper"));
        make(&before, &lower);
        make(&after, &upper);
        for (name, parents) in [("all", Parents::All), ("changed", Parents::Changed)] {
            let copy = scratch.path().join(name);
            make(&before, &copy);
            let layer = diff(Some(&lower), &upper, &Options { parents, ..options() });
            apply_to(&copy, &layer);
            let differences = compare(&snapshot(&copy), &snapshot(&upper));
            prop_assert!(differences.is_empty(), "{:#?} {:?}", differences, members(&layer));
        }
    }

    #[test]
    fn whole_seconds_hide_no_change((before, after) in two_trees()) {
        let scratch = scratch();
        let [lower, upper, copy] = ["lower", "upper", "copy"].map(|name| scratch.path().join(name));
        let (before, after) = (before.in_whole_seconds(), after.in_whole_seconds());
        make(&before, &lower);
        make(&after, &upper);
        make(&before, &copy);
        apply_to(&copy, &diff(Some(&lower), &upper, &Options::default()));
        let differences = compare(&snapshot(&copy), &snapshot(&upper));
        prop_assert!(differences.is_empty(), "{:#?}", differences);
    }

    #[test]
    fn applying_a_whole_tree_to_nothing_gives_the_tree(whole in tree()) {
        let scratch = scratch();
        let (upper, copy) = (scratch.path().join("upper"), scratch.path().join("copy"));
        make(&whole, &upper);
        std::fs::create_dir(&copy).unwrap();
        let layer = diff(None, &upper, &options());
        apply_to(&copy, &layer);
        let differences = compare(&snapshot(&copy), &snapshot(&upper));
            prop_assert!(differences.is_empty(), "{:#?} {:?}", differences, members(&layer));
    }

    #[test]
    fn gnu_tar_extracts_a_whole_tree(whole in tree()) {
        let scratch = scratch();
        let (upper, copy) = (scratch.path().join("upper"), scratch.path().join("copy"));
        make(&whole, &upper);
        std::fs::create_dir(&copy).unwrap();
        let layer = scratch.path().join("layer");
        std::fs::write(&layer, diff(None, &upper, &options())).unwrap();
        let output = Command::new("tar")
            .args(["--numeric-owner", "--xattrs", "--xattrs-include=*"])
            // That names may not be UTF-8 is not news to it; that times may be old, is.
            .args(["--warning=no-unknown-keyword", "--warning=no-timestamp", "-xpf"])
            .args([&layer, Path::new("-C"), &copy])
            .env("LC_ALL", "C")
            .output()
            .unwrap();
        prop_assert!(output.status.success() && output.stderr.is_empty(), "{:?}", output);
        let differences = compare(&snapshot(&copy), &snapshot(&upper));
        prop_assert!(differences.is_empty(), "{:#?}", differences);
    }

    #[test]
    fn equal_trees_have_no_difference(whole in tree()) {
        let scratch = scratch();
        let (one, other) = (scratch.path().join("one"), scratch.path().join("other"));
        make(&whole, &one);
        make(&whole, &other);
        let empty = vec![0; 1024];
        prop_assert_eq!(&diff(Some(&one), &other, &options()), &empty);
        prop_assert_eq!(&diff(Some(&one), &one, &options()), &empty);
    }

    #[test]
    fn equal_trees_give_equal_layers((before, after) in two_trees()) {
        let scratch = scratch();
        let layers = ["one", "other"].map(|copy| {
            let folder = scratch.path().join(copy);
            std::fs::create_dir(&folder).unwrap();
            let (lower, upper) = (folder.join("lower"), folder.join("upper"));
            make(&before, &lower);
            make(&after, &upper);
            diff(Some(&lower), &upper, &options())
        });
        prop_assert!(layers[0] == layers[1]);
    }

    #[test]
    fn parents_come_first_and_whiteouts_before_their_siblings((before, after) in two_trees()) {
        let scratch = scratch();
        let (lower, upper) = (scratch.path().join("lower"), scratch.path().join("upper"));
        make(&before, &lower);
        make(&after, &upper);
        let layer = diff(Some(&lower), &upper, &options());
        let names: Vec<_> = paths(&layer);
        let mut sorted = names.clone();
        // Whiteouts sort before all of their siblings, and a directory before what
        // it holds: the empty component is the least.
        sorted.sort_by_key(|name| order(name));
        prop_assert_eq!(&names, &sorted);
        let mut unique = names.clone();
        unique.dedup();
        prop_assert_eq!(unique.len(), names.len());
    }
}

fn paths(layer: &[u8]) -> Vec<Vec<u8>> {
    let mut reader = common::tar::Reader::new(
        layer,
        common::tar::Limits::default(),
        common::tar::Whole::ByMarker,
    );
    let mut paths = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        paths.push(entry.path);
    }
    paths
}

/// Components, each with whether it is an ordinary name.
fn order(path: &[u8]) -> Vec<(bool, Vec<u8>)> {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    let components = path.split(|&byte| byte == b'/').filter(|name| *name != b".");
    components.map(|name| (!name.starts_with(b".wh."), name.to_vec())).collect()
}
