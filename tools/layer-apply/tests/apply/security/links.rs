//! Ways out of the root that links, names and the order of entries have been.

use std::fs;
use std::os::unix::fs::symlink;

use crate::support::{Archive, each_way, member};

#[test]
fn a_file_through_a_link_lands_in_the_root() {
    // CVE-2014-6407, CVE-2014-9356, CVE-2018-20990, CVE-2021-38511 (directories),
    // CVE-2026-46703 and many more.
    for target in ["../outside", "../../../../../../outside", "/outside", "/../outside/."] {
        let layer = Archive::new()
            .symlink("escape", target)
            .file("escape/canary", "dead")
            .file("escape/new", "")
            .dir("escape/made")
            .file("escape/implied/x", "")
            .with(member("escape/fifo", b'6'))
            .symlink("escape/link", "x")
            .hardlink("escape/second", "escape/canary");
        each_way(|scratch| {
            scratch.apply(&layer);
            assert!(scratch.stat("outside/made").is_dir() && scratch.has("outside/implied/x"));
            assert_eq!(scratch.read("outside/canary"), "dead");
        });
    }
    each_way(|scratch| {
        // An absolute link to the very place outside.
        let outside = scratch.beside("outside");
        let layer = Archive::new()
            .symlink("escape", outside.to_str().unwrap())
            .file("escape/canary", "dead")
            .whiteout("escape/.wh.canary")
            .whiteout("escape/.wh..wh..opq");
        scratch.apply(&layer);
    });
}

#[test]
fn names_that_climb_are_refused() {
    // CVE-2021-21272 and the rest of its kind.
    for path in ["../canary", "a/../../canary", "/../canary", "..", "a/..", "./../outside/canary"] {
        for typeflag in [b'0', b'5', b'2', b'1', b'6'] {
            let layer = Archive::new().with(member(path, typeflag).link("/etc/passwd"));
            each_way(|scratch| scratch.refuse(&layer, "holds '..'"));
        }
        let whiteout = Archive::new().whiteout(path.replace("canary", ".wh.canary"));
        each_way(|scratch| scratch.refuse(&whiteout, "holds '..'"));
    }
    each_way(|scratch| scratch.apply(&Archive::new().file("/canary", "inside")).assert_contained());
}

#[test]
fn hard_links_stay_in_the_root() {
    // CVE-2021-32760, CVE-2026-17106: a hard link whose target is outside.
    each_way(|scratch| {
        let canary = scratch.beside("canary");
        let links = [canary.to_str().unwrap(), "/canary", "canary", "../canary", "escape/canary"];
        for target in links {
            let layer = Archive::new().symlink("escape", "..").hardlink("x", target);
            assert!(scratch.try_apply(&layer).is_err(), "{target}");
        }
    });
}

#[test]
fn the_root_is_replaced_by_nothing() {
    // CVE-2021-29136.
    for path in [".", "./", "/", "//", "/.", "./."] {
        for typeflag in [b'0', b'2', b'1', b'6', b'3'] {
            let layer = Archive::new()
                .with(member(path, typeflag).link("../outside").device(1, 3))
                .file("canary", "dead");
            each_way(|scratch| {
                assert!(scratch.try_apply(&layer).is_err());
                assert!(scratch.stat("").is_dir());
            });
        }
    }
}

#[test]
fn modes_and_owners_are_not_changed_through_links() {
    // CVE-2021-32760, CVE-2021-41089, CVE-2026-33056: a link, then a directory or
    // a file of that name.
    let layer = Archive::new()
        .symlink("d", "../outside")
        .with(member("d", b'5').mode(0o777).mtime(1))
        .symlink("f", "../canary")
        .with(member("f", b'0').mode(0o777).content("dead"))
        .symlink("p", "../canary")
        .with(member("p", b'6').mode(0o777))
        .with(member("l", b'2').link("../canary").mode(0o4777).mtime(1).xattr("user.x", "1"));
    each_way(|scratch| {
        scratch.apply(&layer);
        assert!(scratch.stat("d").is_dir());
    });
}

#[test]
fn a_parent_that_becomes_a_link_is_seen_as_one() {
    // CVE-2025-47290: a cache of resolved parents that went stale.
    let layer = Archive::new()
        .dir("d")
        .file("d/first", "")
        .symlink("d", "../outside")
        .file("d/canary", "dead")
        .dir("deep/er")
        .file("deep/er/first", "")
        .symlink("deep", "/elsewhere")
        .file("deep/er/second", "");
    each_way(|scratch| {
        scratch.apply(&layer);
        assert_eq!(scratch.read("outside/canary"), "dead");
        assert!(scratch.has("elsewhere/er/second"));
    });
}

#[test]
fn a_link_that_becomes_another_is_seen_as_it_is() {
    let layer = Archive::new()
        .dir("one")
        .dir("two")
        .symlink("l", "one")
        .symlink("way", "l")
        .file("way/x", "")
        .symlink("l", "two")
        .file("way/y", "")
        .whiteout("way/.wh.x")
        .hardlink("z", "way/y");
    each_way(|scratch| {
        scratch.apply(&layer);
        assert!(scratch.has("one/x") && scratch.has("two/y") && !scratch.has("one/y"));
    });
}

#[test]
fn whiteouts_delete_nothing_outside() {
    let layer = Archive::new()
        .symlink("up", "..")
        .whiteout("up/.wh.canary")
        .whiteout("up/.wh.outside")
        .symlink("out", "../outside")
        .whiteout("out/.wh..wh..opq")
        .whiteout(".wh..wh..opq");
    each_way(|scratch| {
        symlink("../outside", scratch.path("lower")).unwrap();
        fs::create_dir(scratch.path("d")).unwrap();
        symlink("../../outside", scratch.path("d/link")).unwrap();
        scratch.apply(&layer);
        assert!(!scratch.has("d"));
    });
}

#[test]
fn an_existing_link_in_the_place_of_a_file_is_not_written_through() {
    // CVE-2018-20990.
    each_way(|scratch| {
        symlink("../canary", scratch.path("x")).unwrap();
        fs::hard_link(scratch.beside("canary"), scratch.path("y")).unwrap();
        scratch.apply(&Archive::new().file("x", "dead").file("y", "dead"));
        assert_eq!(scratch.read("x"), "dead");
        assert_eq!(fs::read_to_string(scratch.beside("canary")).unwrap(), "alive");
        fs::remove_file(scratch.path("y")).unwrap();
    });
}
