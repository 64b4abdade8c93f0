//! One entry over another, of the same layer and of a lower one.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};

use super::base;
use crate::support::{Archive, each_way, is_root, member, xattrs};

#[test]
fn the_last_of_two_entries_counts() {
    let layer = Archive::new()
        .file("x", "first")
        .hardlink("other", "x")
        .file("x", "second")
        .dir("y")
        .file("y/below", "")
        .file("y", "a file now")
        .file("z", "")
        .dir("z")
        .with(member("e", b'5').mode(0o700).xattr("user.first", "1"))
        .file("e/below", "")
        .dir("e")
        .hardlink("l", "later")
        .file("l", "last")
        .file("later", "")
        .file("m", "first")
        .hardlink("m", "later")
        .file("n", "first")
        .hardlink("n", "last")
        .dir("gone")
        .hardlink("gone/link", "last")
        .file("gone", "a file now")
        .file("last", "");
    each_way(|scratch| {
        scratch.apply(&layer);
        assert_eq!((scratch.read("x"), scratch.read("other")), ("second".into(), "first".into()));
        assert_eq!(scratch.read("y"), "a file now");
        assert!(scratch.stat("z").is_dir());
        assert_eq!(scratch.stat("e").mode() & 0o7777, 0o755);
        assert!(xattrs(&scratch.path("e")).is_empty() && scratch.has("e/below"));
        assert_eq!(scratch.read("l"), "last");
        assert_eq!(scratch.stat("m").ino(), scratch.stat("later").ino());
        assert_eq!(scratch.stat("n").ino(), scratch.stat("last").ino());
        assert_eq!(scratch.read("gone"), "a file now");
    });
}

#[test]
fn a_file_over_a_file_is_a_new_inode() {
    each_way(|scratch| {
        scratch.apply(&base());
        fs::hard_link(scratch.path("c"), scratch.path("c2")).unwrap();
        scratch.apply(&Archive::new().file("c", "upper"));
        assert_eq!((scratch.read("c"), scratch.read("c2")), ("upper".into(), "lower".into()));
    });
}

#[test]
fn every_type_replaces_every_other() {
    let kinds = |name: &str| {
        let mut kinds = vec![
            member(name, b'0').content("file"),
            member(name, b'5'),
            member(name, b'2').link("target"),
            member(name, b'1').link("anchor"),
            member(name, b'6'),
        ];
        if is_root("making devices") {
            kinds.push(member(name, b'3').device(1, 3));
            kinds.push(member(name, b'4').device(7, 0));
        }
        kinds
    };
    for before in kinds("x") {
        for after in kinds("x") {
            each_way(|scratch| {
                let anchor = Archive::new().file("anchor", "anchored");
                let mut lower = anchor.clone().with(before.clone());
                if before.typeflag == b'5' {
                    lower = lower.dir("x/y").file("x/y/z", "");
                }
                scratch.apply(&lower).apply(&Archive::new().with(after.clone()));
                let stat = scratch.stat("x");
                let kind = stat.file_type();
                match after.typeflag {
                    b'0' => assert_eq!(scratch.read("x"), "file"),
                    b'5' => assert_eq!(scratch.has("x/y/z"), before.typeflag == b'5'),
                    b'2' => assert!(kind.is_symlink()),
                    b'1' => assert_eq!(scratch.read("x"), "anchored"),
                    b'6' => assert!(kind.is_fifo()),
                    b'3' => assert!(kind.is_char_device() && stat.rdev() == 0x103),
                    _ => assert!(kind.is_block_device() && stat.rdev() == 0x700),
                }
                assert_eq!(scratch.read("anchor"), "anchored");
            });
        }
    }
}

#[test]
fn a_directory_over_a_directory_replaces_its_attributes() {
    let lower = Archive::new()
        .with(member("d", b'5').mode(0o2775).xattr("user.old", "1").xattr("user.both", "1"))
        .file("d/kept", "");
    let upper = Archive::new().with(
        member("d", b'5').mode(0o711).mtime(5).xattr("user.both", "2").xattr("user.new", "3"),
    );
    each_way(|scratch| {
        scratch.apply(&lower).apply(&upper);
        let stat = scratch.stat("d");
        assert_eq!((stat.mode() & 0o7777, stat.mtime()), (0o711, 5));
        let found = xattrs(&scratch.path("d"));
        assert_eq!(found.keys().collect::<Vec<_>>(), ["user.both", "user.new"]);
        assert_eq!(found["user.both"], b"2");
        assert!(scratch.has("d/kept"));
    });
}

#[test]
fn the_root_entry_describes_the_root() {
    for path in ["./", ".", "/"] {
        let layer = Archive::new()
            .with(member(path, b'5').mode(0o750).mtime(7).xattr("user.root", "yes"))
            .file("x", "");
        each_way(|scratch| {
            scratch.apply(&layer);
            let stat = scratch.stat("");
            assert_eq!((stat.mode() & 0o7777, stat.mtime()), (0o750, 7));
            assert_eq!(xattrs(&scratch.root())["user.root"], b"yes");
        });
    }
}
