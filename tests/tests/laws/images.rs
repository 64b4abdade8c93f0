//! The difference of two images is that of the trees that they unpack to, to the byte.

use std::fs;

use layerutils_tests::fixture::image;
use layerutils_tests::requirement::{is_root, skip};
use layerutils_tests::run::Outcome;
use layerutils_tests::sandbox::{Sandbox, User};
use layerutils_tests::tree::change;
use layerutils_tests::tree::strategy::Scope;

use crate::{for_all, layers, list};

/// Compares two outcomes, and fails with their differences.
fn assert_same(sandbox: &Sandbox, line: &str, actual: &Outcome, expected: &Outcome) {
    let (actual, expected) = (&actual.stdout, &expected.stdout);
    let shown = |bytes: &[u8]| String::from_utf8_lossy(&list(sandbox, bytes)).into_owned();
    assert!(actual == expected, "{line}:\n{}\nand not\n{}", shown(actual), shown(expected));
}

#[test]
fn law_1_images_differ_as_the_trees_that_they_unpack_to() {
    if !is_root() {
        return skip("", "needs root, to unpack what belongs to others");
    }
    let sandbox = Sandbox::in_memory(User::current());
    for_all(change::series(Scope::Root, 16, 2), &sandbox, |trees| {
        let names = layers(&sandbox, &trees);
        let _ = sandbox.words("layer-diff -o whole t2").succeeds();
        let put = |name: &str, layers: &[&String]| {
            let layer = |name: &&String| image::Layer::plain(fs::read(sandbox.path(name)).unwrap());
            let layers: Vec<_> = layers.iter().map(layer).collect();
            image::put(&sandbox.store(), name, &layers, &image::config());
        };
        let [one, two, three] = &names[..] else { panic!("three trees") };
        let gzip = |name: &str| {
            let plain = image::Layer::plain(fs::read(sandbox.path(name)).unwrap());
            let blob = sandbox.sh(&format!("gzip -n < {name}")).succeeds().stdout;
            let media_type = "application/vnd.oci.image.layer.v1.tar+gzip";
            image::Layer { blob, media_type, ..plain }
        };
        put("old:latest", &[one, two]);
        put("new:latest", &[one, two, three]);
        put("whole:latest", &[&"whole".to_owned()]);
        let layers = [gzip(one), gzip(two), gzip(three)];
        image::put(&sandbox.store(), "gzip:latest", &layers, &image::config());
        for form in ["", "--list", "--json", "--content always", "--mtime s --exclude a*"] {
            let expected = sandbox.words(&format!("layer-diff {form} t1 t2")).succeeds();
            for new in ["new", "whole", "gzip"] {
                let line = format!("layer-diff {form} --image old {new}");
                assert_same(&sandbox, &line, &sandbox.words(&line).succeeds(), &expected);
            }
        }
        let line = "layer-diff --image new";
        let expected = sandbox.words("layer-diff t2").succeeds();
        assert_same(&sandbox, line, &sandbox.words(line).succeeds(), &expected);
        let same = sandbox.words("layer-diff --exit-code --image new whole").outcome();
        assert_eq!(same.status, 0, "{same}");
    });
}
