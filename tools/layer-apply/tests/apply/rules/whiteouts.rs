//! What whiteouts hide, and what they do not.

use std::os::unix::fs::MetadataExt as _;

use common::layer::apply::{Options, Ownership, apply};
use common::root::Root;

use super::base;
use crate::support::{Archive, MTIME, Member, Scratch, Way, each_way, is_root, member, xattrs};

#[test]
fn whiteouts_spare_their_own_layer_in_any_order() {
    let members = [
        member("a/new", b'0').content("upper"),
        member("a/sub/new", b'0').content("upper"),
        member(".wh.a", b'0'),
        member("c", b'0').content("upper"),
        member(".wh.c", b'0'),
    ];
    // Every rotation, and its reverse.
    for turn in 0..members.len() {
        let mut order = members.clone();
        order.rotate_left(turn);
        for _ in 0..2 {
            order.reverse();
            let layer = order.iter().cloned().fold(Archive::new(), Archive::with);
            each_way(|scratch| {
                scratch.apply(&base()).apply(&layer);
                let names = ["a/", "a/new", "a/sub/", "a/sub/new", "b/", "b/old", "c"];
                assert_eq!(scratch.names(), names);
                assert_eq!(scratch.read("c"), "upper");
                // What nobody describes looks the same in every order.
                assert_eq!(scratch.stat("a").mtime(), 0);
            });
        }
    }
}

#[test]
fn opaque_whiteouts_hide_lower_content_in_any_order() {
    for first in [true, false] {
        let opaque =
            |layer: Archive, now| if now { layer.whiteout("a/.wh..wh..opq") } else { layer };
        let layer = opaque(Archive::new(), first).dir("a").file("a/new", "").file("a/sub/new", "");
        let layer = opaque(layer, !first);
        each_way(|scratch| {
            scratch.apply(&base()).apply(&layer);
            assert_eq!(scratch.names(), ["a/", "a/new", "a/sub/", "a/sub/new", "b/", "b/old", "c"]);
        });
    }
}

#[test]
fn an_opaque_root_hides_everything_below() {
    for path in [".wh..wh..opq", "./.wh..wh..opq", "/.wh..wh..opq"] {
        let layer = Archive::new().file("b/new", "").whiteout(path).file("z", "");
        each_way(|scratch| {
            scratch.apply(&base()).apply(&layer);
            assert_eq!(scratch.names(), ["b/", "b/new", "z"]);
        });
    }
    // Whoever mounts the layer is told, as an overlay's root cannot be opaque.
    for (path, is_told) in [(".wh..wh..opq", true), ("b/.wh..wh..opq", false)] {
        let scratch = Scratch::new(Way::Openat2);
        let root = Root::open(&scratch.root()).unwrap();
        let options = Options { ownership: Ownership::of_process(), ..Options::default() };
        let layer = Archive::new().whiteout(path).bytes();
        assert_eq!(apply(&root, &layer[..], &options).unwrap().opaque_root, is_told, "{path}");
    }
}

#[test]
fn invalid_whiteouts_are_refused() {
    for path in [".wh.", "a/.wh.", ".wh..", ".wh...", "a/.wh..."] {
        each_way(|scratch| {
            scratch.apply(&base()).refuse(&Archive::new().whiteout(path), "not a valid whiteout");
        });
    }
}

#[test]
fn a_whiteout_may_be_of_any_type_and_hold_anything() {
    let whiteouts = [
        member(".wh.c", b'0').content("some content"),
        member(".wh.c/", b'5'),
        member(".wh.c", b'2').link("/etc/passwd"),
        member(".wh.c", b'1').link("a/old"),
        member(".wh.c", b'3').device(1, 3),
        // What would be refused of anything else.
        member(".wh.c", b'1').link("../c"),
        member(".wh.c", b'3').device(0, 0),
    ];
    for whiteout in whiteouts {
        let opaque = Member { path: b"a/.wh..wh..opq".into(), ..whiteout.clone() };
        let layer = Archive::new().with(whiteout).with(opaque).file("after", "here");
        each_way(|scratch| {
            scratch.apply(&base()).apply(&layer);
            assert_eq!(scratch.names(), ["a/", "after", "b/", "b/old"]);
            assert_eq!(scratch.read("after"), "here");
        });
    }
}

#[test]
fn a_directory_called_like_a_whiteout_is_refused() {
    for path in [".wh.a/file", "a/.wh.x/y/z", ".wh./x", ".wh..wh..opq/x"] {
        each_way(|scratch| scratch.refuse(&Archive::new().file(path, ""), "name of a whiteout"));
    }
    // Nor is one that somebody else has made a place for anything.
    each_way(|scratch| {
        std::fs::create_dir(scratch.root().join(".wh.a")).unwrap();
        scratch.refuse(&Archive::new().file(".wh.a/file", ""), "name of a whiteout");
    });
    for target in [".wh.a", ".wh..wh.plnk/1", "a/.wh..wh..opq"] {
        let layer = Archive::new().symlink("link", target).file("link/file", "");
        each_way(|scratch| scratch.refuse(&layer, "name of a whiteout"));
    }
}

#[test]
fn hiding_what_is_not_there_is_no_error_and_needs_its_directory() {
    let layer = Archive::new()
        .whiteout(".wh.never")
        .whiteout("no/where/.wh.never")
        .whiteout("nor/here/.wh..wh..opq")
        .whiteout("c/.wh.below-a-file");
    each_way(|scratch| {
        scratch.apply(&Archive::new().file("c", "")).apply(&layer);
        assert_eq!(scratch.names(), ["c/", "no/", "no/where/", "nor/", "nor/here/"]);
        assert_eq!(scratch.stat("no/where").mtime(), 0);
    });
}

#[test]
fn the_directory_of_a_whiteout_is_of_its_layer_in_any_order() {
    let whiteouts = [".wh.a", "a/sub/.wh.never"];
    for order in [[0, 1], [1, 0]] {
        let layer = order.iter().fold(Archive::new(), |layer, &n| layer.whiteout(whiteouts[n]));
        each_way(|scratch| {
            scratch.apply(&base()).apply(&layer);
            assert_eq!(scratch.names(), ["a/", "a/sub/", "b/", "b/old", "c"]);
            assert_eq!(scratch.stat("a/sub").mtime(), 0);
        });
    }
}

#[test]
fn what_is_hidden_takes_the_attributes_of_its_directories_with_it() {
    for hidden in [".wh.a", "a/.wh..wh..opq"] {
        for first in [true, false] {
            let lower = Archive::new()
                .dir("a")
                .with(member("a/sub", b'5').mode(0o711).mtime(1_000_000_000))
                .file("a/sub/old", "");
            let whiteout = |layer: Archive, now| if now { layer.whiteout(hidden) } else { layer };
            let layer = whiteout(Archive::new(), first).file("a/sub/new", "");
            let layer = whiteout(layer, !first);
            each_way(|scratch| {
                scratch.apply(&lower).apply(&layer);
                assert_eq!(scratch.names(), ["a/", "a/sub/", "a/sub/new"]);
                assert_eq!(scratch.stat("a/sub").mode() & 0o7777, 0o755);
                assert_eq!(scratch.stat("a/sub").mtime(), 0);
            });
        }
    }
}

#[test]
fn what_the_layer_describes_stays_as_it_describes_it() {
    for hidden in [".wh.a", "a/.wh..wh..opq"] {
        for first in [true, false] {
            let whiteout = |layer: Archive, now| if now { layer.whiteout(hidden) } else { layer };
            let layer = whiteout(Archive::new(), first)
                .with(member("a", b'5').mode(0o750))
                .with(member("a/sub", b'5').mode(0o711).xattr("user.own", "1"))
                .file("a/sub/new", "");
            let layer = whiteout(layer, !first);
            each_way(|scratch| {
                scratch.apply(&base()).apply(&layer);
                for (path, mode) in [("a", 0o750), ("a/sub", 0o711)] {
                    let stat = scratch.stat(path);
                    assert_eq!((stat.mode() & 0o7777, stat.mtime()), (mode, MTIME), "{path}");
                }
                assert_eq!(xattrs(&scratch.path("a/sub"))["user.own"], b"1");
            });
        }
    }
}

#[test]
fn whiteouts_spare_their_own_layer_whatever_it_has_there() {
    let mut kinds = vec![
        member("x", b'0'),
        member("x", b'5'),
        member("x", b'2').link("target"),
        member("x", b'1').link("anchor"),
        member("x", b'6'),
    ];
    if is_root("making devices") {
        kinds.push(member("x", b'3').device(1, 3));
    }
    for kind in kinds {
        for hidden in [".wh.x", ".wh..wh..opq"] {
            let layer = Archive::new().file("anchor", "").with(kind.clone()).whiteout(hidden);
            each_way(|scratch| {
                scratch.apply(&Archive::new().file("x", "lower")).apply(&layer);
                assert!(scratch.has("x") && scratch.has("anchor"), "{kind:?}");
                let is_directory = scratch.stat("x").is_dir();
                assert_eq!(is_directory, kind.typeflag == b'5');
            });
        }
    }
}

#[test]
fn the_longest_names_can_be_hidden() {
    let name = "n".repeat(255);
    let layer = Archive::new().whiteout(format!(".wh.{name}"));
    each_way(|scratch| {
        scratch.apply(&Archive::new().file(&name, "")).apply(&layer);
        assert!(scratch.names().is_empty());
    });
}

#[test]
fn the_metadata_of_aufs_is_skipped() {
    let layer = Archive::new()
        .dir(".wh..wh.plnk")
        .file(".wh..wh.plnk/1.2", "content")
        .file(".wh..wh.aufs", "")
        .dir(".wh..wh.orph")
        .file("file", "");
    each_way(|scratch| {
        scratch.apply(&layer);
        assert_eq!(scratch.names(), ["file"]);
        for target in [".wh..wh.aufs", ".wh..wh.orph/1", ".wh..wh.plnk", "d/.wh..wh.plnk/1"] {
            let link = Archive::new().hardlink("b", target);
            scratch.refuse(&link, "which is metadata of AUFS");
        }
        // It was of another layer.
        let link = Archive::new().hardlink("b", ".wh..wh.plnk/1.2");
        scratch.refuse(&link, "which does not exist");
        assert_eq!(scratch.names(), ["file"]);
    });
}

#[test]
fn hard_links_may_name_files_in_the_link_store_of_aufs() {
    let stored = member(".wh..wh.plnk/1.2", b'0').content("content").mode(0o640);
    let links = [
        Archive::new()
            .dir(".wh..wh.plnk")
            .with(stored.clone())
            .hardlink("d/one", ".wh..wh.plnk/1.2")
            .whiteout(".wh..wh..opq")
            .hardlink("two", "/.wh..wh.plnk/1.2")
            .hardlink("three", "two"),
        // docker wants the store first; an order means nothing else either.
        Archive::new()
            .hardlink("three", "two")
            .hardlink("two", ".wh..wh.plnk/1.2")
            .hardlink("d/one", ".wh..wh.plnk/1.2")
            .whiteout(".wh..wh..opq")
            .with(stored),
    ];
    for layer in &links {
        each_way(|scratch| {
            scratch.apply(&Archive::new().file("lower", "")).apply(layer);
            assert_eq!(scratch.names(), ["d/", "d/one", "three", "two"]);
            let found = scratch.stat("d/one");
            assert_eq!(
                (found.len(), found.mode() & 0o7777, found.nlink(), found.mtime()),
                (7, 0o640, 3, MTIME)
            );
            assert_eq!(scratch.stat("three").ino(), found.ino());
            assert_eq!(scratch.read("two"), "content");
        });
    }
}

#[test]
fn the_link_store_is_no_place_and_does_not_stay() {
    let store = || Archive::new().file(".wh..wh.plnk/1", "");
    for (layer, expected) in [
        (store().symlink("s", ".wh..wh.plnk").file("s/x", ""), "name of a whiteout"),
        (store().hardlink("x", ".wh..wh.plnk/2"), "which does not exist"),
        (store().hardlink("x", ".wh..wh.plnk/1").file("../x", ""), "holds '..'"),
    ] {
        each_way(|scratch| {
            scratch.refuse(&layer, expected);
            let left = scratch.names();
            assert!(left.iter().all(|name| ["s", "x"].contains(&name.as_str())), "{left:?}");
        });
    }
}
