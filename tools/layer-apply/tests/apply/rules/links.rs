//! Hard links.

use std::os::unix::fs::MetadataExt as _;

use super::base;
use crate::support::{Archive, MTIME, Scratch, each_way, member};

fn inode(scratch: &Scratch, path: &str) -> u64 {
    scratch.stat(path).ino()
}

#[test]
fn hard_links_may_point_anywhere_in_the_root() {
    let layer = Archive::new()
        .hardlink("forward", "deep/target")
        .hardlink("chain", "forward")
        .hardlink("absolute", "/deep/target")
        .hardlink("dotted", "./deep/target")
        .dir("deep")
        .file("deep/target", "content")
        .symlink("symbolic", "nowhere")
        .hardlink("second", "symbolic")
        .symlink("d", "/deep")
        .hardlink("through", "d/target")
        .with(member("data", b'1').link("deep/target").content("content"))
        .hardlink("deep/target", "deep/target");
    each_way(|scratch| {
        scratch.apply(&layer);
        for path in ["forward", "chain", "absolute", "dotted", "through", "data"] {
            assert_eq!(inode(scratch, path), inode(scratch, "deep/target"), "{path}");
        }
        assert_eq!(inode(scratch, "second"), inode(scratch, "symbolic"));
        assert!(scratch.stat("second").is_symlink());
        assert_eq!(scratch.read("data"), "content");
        // A second time, everything is in the way.
        scratch.apply(&layer);
        assert_eq!(inode(scratch, "chain"), inode(scratch, "deep/target"));
    });
}

#[test]
fn hard_links_to_lower_files_keep_them() {
    let layer = Archive::new().hardlink("name", "a/old");
    each_way(|scratch| {
        scratch.apply(&base()).apply(&layer);
        assert_eq!(inode(scratch, "name"), inode(scratch, "a/old"));
        assert_eq!(scratch.stat("a").mtime(), MTIME);
    });
}

#[test]
fn impossible_hard_links_are_refused() {
    let refused = [
        (Archive::new().hardlink("x", "never"), "does not exist"),
        (Archive::new().hardlink("x", "no/where/never"), "does not exist"),
        (Archive::new().hardlink("x", "a"), "which is a directory"),
        (Archive::new().hardlink("x", "/"), "which is a directory"),
        (Archive::new().hardlink("x", "../x"), "holds '..'"),
        (Archive::new().hardlink("x", "a/.wh.old"), "name of a whiteout"),
        (Archive::new().hardlink("x", "c").whiteout(".wh.c"), "does not exist"),
        (Archive::new().whiteout(".wh.c").hardlink("x", "c"), "does not exist"),
        (Archive::new().hardlink("x", "y").hardlink("y", "x"), "does not exist"),
    ];
    for (layer, words) in refused {
        each_way(|scratch| scratch.apply(&base()).refuse(&layer, words));
    }
}

#[test]
fn a_long_chain_of_links_that_point_forward_is_made_in_any_order() {
    let link = |n: usize| (format!("l{n:03}"), format!("l{:03}", n + 1));
    let chain: Vec<_> = (0..300).map(link).collect();
    let forward = chain
        .iter()
        .fold(Archive::new(), |layer, (name, target)| layer.with(member(name, b'1').link(target)));
    let backward = chain
        .iter()
        .rev()
        .fold(Archive::new(), |layer, (name, target)| layer.with(member(name, b'1').link(target)));
    for layer in [forward, backward] {
        each_way(|scratch| {
            scratch.apply(&Archive::new().file("l300", "lower")).apply(&layer);
            assert_eq!(scratch.read("l000"), "lower");
            assert_eq!(scratch.stat("l300").nlink(), 301);
        });
    }
}
