//! The directories that lead to an entry: missing, in the way, or links; and the
//! times of all directories.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};

use super::{ACL_DEFAULT, base, default_acl};
use crate::support::{Archive, MTIME, Scratch, Way, each_way, is_root, member, run, xattrs};

#[test]
fn missing_parents_are_made_the_same_every_time() {
    each_way(|scratch| {
        scratch.apply(&Archive::new().file("x/y/z", ""));
        for path in ["x", "x/y"] {
            let stat = scratch.stat(path);
            assert_eq!((stat.mode() & 0o7777, stat.mtime()), (0o755, 0), "{path}");
        }
    });
}

#[test]
fn a_file_gives_way_to_a_parent() {
    each_way(|scratch| {
        scratch.apply(&base()).apply(&Archive::new().file("c/below", "new"));
        assert_eq!(scratch.read("c/below"), "new");
    });
}

#[test]
fn links_among_the_parents_are_resolved_in_the_root() {
    let lower = Archive::new()
        .dir("usr")
        .dir("usr/lib")
        .dir("usr/share")
        .dir("usr/games")
        .symlink("usr/share/near", "../games")
        .symlink("lib", "usr/lib")
        .dir("run")
        .dir("var")
        .symlink("var/run", "/run")
        .symlink("var/up", "../../../../usr")
        .symlink("new", "made/on/the/way")
        .file("usr/lib/gone", "");
    let layer = Archive::new()
        .file("lib/a.so", "")
        .file("var/run/pid", "")
        .file("var/up/lib/b.so", "")
        .file("new/c.so", "")
        .file("usr/share/near/d.so", "")
        .whiteout("lib/.wh.gone");
    each_way(|scratch| {
        scratch.apply(&lower).apply(&layer);
        let made =
            ["usr/lib/a.so", "run/pid", "usr/lib/b.so", "made/on/the/way/c.so", "usr/games/d.so"];
        for path in made {
            assert!(scratch.has(path), "{path}");
        }
        assert!(!scratch.has("usr/lib/gone"));
        assert!(scratch.stat("lib").is_symlink() && scratch.stat("var/run").is_symlink());
        // The directory that the link leads to is a parent like any other.
        assert_eq!(scratch.stat("usr/lib").mtime(), MTIME);
    });
}

#[test]
fn a_link_that_is_replaced_by_way_of_itself_leads_nowhere_any_more() {
    let layer = Archive::new()
        .dir("x")
        .symlink("x/l", "../x")
        .file("x/l/before", "")
        .dir("x/l/l")
        .file("x/l/after", "");
    each_way(|scratch| {
        scratch.apply(&layer);
        assert_eq!(scratch.names(), ["x/", "x/before", "x/l/", "x/l/after"]);
    });
}

#[test]
fn a_link_out_of_what_is_not_there_is_refused() {
    // Of nothing, and of a file.
    for target in ["nowhere/../b", "c/../b"] {
        let layer = Archive::new().symlink("link", target).file("link/new", "");
        each_way(|scratch| {
            scratch.apply(&base()).refuse(&layer, "does not exist");
        });
    }
    let there = Archive::new().symlink("link", "a/../b").file("link/new", "");
    each_way(|scratch| {
        scratch.apply(&base()).apply(&there);
        assert!(scratch.has("b/new"));
    });
}

#[test]
fn a_directory_replaces_a_link_unless_links_are_kept() {
    let layer = Archive::new().with(member("lib", b'5').mode(0o700)).file("lib/x", "");
    each_way(|scratch| {
        fs::create_dir_all(scratch.path("usr/lib")).unwrap();
        symlink("usr/lib", scratch.path("lib")).unwrap();
        scratch.apply(&layer);
        assert!(scratch.stat("lib").is_dir() && scratch.has("lib/x") && !scratch.has("usr/lib/x"));
    });
    let scratch = Scratch::new(Way::Tool);
    fs::create_dir_all(scratch.path("usr/lib")).unwrap();
    symlink("/usr/lib", scratch.path("lib")).unwrap();
    let root = scratch.root();
    let output = run(&["--keep-dirlinks".as_ref(), root.as_os_str()], &layer.bytes());
    assert!(output.status.success(), "{output:?}");
    assert!(scratch.stat("lib").is_symlink() && scratch.has("usr/lib/x"));
    assert_eq!(scratch.stat("usr/lib").mode() & 0o7777, 0o700);
    // What leads to no directory is no link to one.
    for target in ["nowhere", "usr/file", "lib"] {
        let scratch = Scratch::new(Way::Tool);
        fs::create_dir(scratch.path("usr")).unwrap();
        fs::write(scratch.path("usr/file"), "").unwrap();
        symlink(target, scratch.path("lib")).unwrap();
        let root = scratch.root();
        let output = run(&["--keep-dirlinks".as_ref(), root.as_os_str()], &layer.bytes());
        assert!(output.status.success(), "{output:?}");
        assert_eq!(scratch.names(), ["lib/", "lib/x", "usr/", "usr/file"]);
    }
}

#[test]
fn times_of_directories_are_restored_in_the_end() {
    let upper = Archive::new()
        .dir("new")
        .file("new/x", "")
        .file("a/sub/x", "")
        .whiteout("b/.wh.old")
        .symlink("l", "b")
        .file("l/y", "");
    each_way(|scratch| {
        scratch.apply(&base()).apply(&upper);
        for path in ["a", "a/sub", "b", "new"] {
            let stat = scratch.stat(path);
            assert_eq!((stat.mtime(), stat.mtime_nsec()), (MTIME, 0), "{path}");
        }
    });
}

#[test]
fn a_missing_parent_inherits_nothing() {
    if !is_root("giving a directory to a group") {
        return;
    }
    let layer = Archive::new()
        .with(member("d", b'5').mode(0o2770).owner(0, 50).xattr(ACL_DEFAULT, default_acl()))
        .file("d/made/on/the/way", "")
        .whiteout("d/hidden/.wh.x");
    each_way(|scratch| {
        scratch.apply(&layer);
        assert_eq!(xattrs(&scratch.path("d"))[ACL_DEFAULT], default_acl());
        for path in ["d/made", "d/made/on", "d/made/on/the", "d/hidden"] {
            let stat = scratch.stat(path);
            assert_eq!((stat.mode() & 0o7777, stat.gid()), (0o755, 0), "{path}");
            assert!(
                xattrs(&scratch.path(path)).is_empty(),
                "{path}: {:?}",
                xattrs(&scratch.path(path))
            );
        }
        // Where a directory with an ACL was there before the layer.
        scratch.apply(&Archive::new().file("d/later/x", ""));
        assert_eq!(scratch.stat("d/later").mode() & 0o7777, 0o755);
        assert!(xattrs(&scratch.path("d/later")).is_empty());
        assert!(xattrs(&scratch.path("d/later/x")).is_empty());
    });
}
