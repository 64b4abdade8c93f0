//! Law 3: a merged layer does what its layers do one after the other, over layers
//! computed from generated trees, and over layers made of whatever members.

#![allow(clippy::unwrap_used)]

#[path = "../../layer-diff/tests/support/mod.rs"]
mod support;

#[path = "odd/generate.rs"]
mod generate;
mod odd;

use std::path::{Path, PathBuf};

use common::layer::diff::{ContentPolicy, Options};
use odd::{OddLayer, law_3, law_7, merged, without_links};
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

    #[test]
    fn layers_of_whatever_members_mean_the_same_in_memory(
        layers in prop::collection::vec(odd_layer(), 1..5),
    ) {
        let layers: Vec<Vec<u8>> = layers.iter().map(OddLayer::write).collect();
        let slices: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
        law_7(&slices, scratch().path()).map_err(TestCaseError::fail)?;
    }
}

/// A tree for layers to be applied to, with or without symbolic links.
fn base() -> BoxedStrategy<Tree> {
    prop_oneof![tree(), tree().prop_map(|tree| without_links(&tree))].boxed()
}

/// A layer of whatever members.
fn odd_layer() -> BoxedStrategy<OddLayer> {
    generate::members().prop_map(OddLayer).boxed()
}
