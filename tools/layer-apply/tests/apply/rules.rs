//! What a layer means: one test for each rule of applying one.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, symlink};

use crate::support::{Archive, MTIME, Scratch, each_way, is_root, member, xattrs};

fn inode(scratch: &Scratch, path: &str) -> u64 {
    scratch.stat(path).ino()
}

fn base() -> Archive {
    Archive::new()
        .dir("a")
        .file("a/old", "lower")
        .dir("a/sub")
        .file("a/sub/old", "lower")
        .dir("b")
        .file("b/old", "lower")
        .file("c", "lower")
}

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
    ];
    for whiteout in whiteouts {
        let layer = Archive::new().with(whiteout).file("after", "here");
        each_way(|scratch| {
            scratch.apply(&base()).apply(&layer);
            assert!(!scratch.has("c") && !scratch.has(".wh.c"));
            assert_eq!(scratch.read("after"), "here");
        });
    }
}

#[test]
fn a_directory_called_like_a_whiteout_is_refused() {
    for path in [".wh.a/file", "a/.wh.x/y/z", ".wh./x", ".wh..wh..opq/x"] {
        each_way(|scratch| scratch.refuse(&Archive::new().file(path, ""), "name of a whiteout"));
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
fn a_link_out_of_what_is_not_there_is_refused() {
    let layer = Archive::new().symlink("link", "nowhere/../b").file("link/new", "");
    each_way(|scratch| {
        scratch.apply(&base()).refuse(&layer, "does not exist");
    });
    let there = Archive::new().symlink("link", "a/../b").file("link/new", "");
    each_way(|scratch| {
        scratch.apply(&base()).apply(&there);
        assert!(scratch.has("b/new"));
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
        let link = Archive::new().hardlink("b", ".wh..wh.plnk/1.2");
        scratch.refuse(&link, "AUFS's link store is not supported");
    });
}

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
        .whiteout("lib/.wh.gone");
    each_way(|scratch| {
        scratch.apply(&lower).apply(&layer);
        for path in ["usr/lib/a.so", "run/pid", "usr/lib/b.so", "made/on/the/way/c.so"] {
            assert!(scratch.has(path), "{path}");
        }
        assert!(!scratch.has("usr/lib/gone"));
        assert!(scratch.stat("lib").is_symlink() && scratch.stat("var/run").is_symlink());
        // The directory that the link leads to is a parent like any other.
        assert_eq!(scratch.stat("usr/lib").mtime(), MTIME);
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
    let scratch = Scratch::new(crate::support::Way::Tool);
    fs::create_dir_all(scratch.path("usr/lib")).unwrap();
    symlink("/usr/lib", scratch.path("lib")).unwrap();
    let root = scratch.root();
    let output =
        crate::support::run(&["--keep-dirlinks".as_ref(), root.as_os_str()], &layer.bytes());
    assert!(output.status.success(), "{output:?}");
    assert!(scratch.stat("lib").is_symlink() && scratch.has("usr/lib/x"));
    assert_eq!(scratch.stat("usr/lib").mode() & 0o7777, 0o700);
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
        .hardlink("l", "later")
        .file("l", "last")
        .file("later", "")
        .file("m", "first")
        .hardlink("m", "later");
    each_way(|scratch| {
        scratch.apply(&layer);
        assert_eq!((scratch.read("x"), scratch.read("other")), ("second".into(), "first".into()));
        assert_eq!(scratch.read("y"), "a file now");
        assert!(scratch.stat("z").is_dir());
        assert_eq!(scratch.read("l"), "last");
        assert_eq!(inode(scratch, "m"), inode(scratch, "later"));
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

#[test]
fn set_id_bits_and_capabilities_outlive_the_change_of_owner() {
    if !is_root("giving files away") {
        return;
    }
    let capability = b"\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let layer = Archive::new()
        .with(
            member("x", b'0')
                .mode(0o6755)
                .owner(1234, 4321)
                .content("content")
                .xattr("security.capability", capability),
        )
        .with(member("d", b'5').mode(0o3777).owner(4_000_000_000, 1));
    each_way(|scratch| {
        scratch.apply(&layer);
        let stat = scratch.stat("x");
        assert_eq!((stat.mode() & 0o7777, stat.uid(), stat.gid()), (0o6755, 1234, 4321));
        assert_eq!(xattrs(&scratch.path("x"))["security.capability"], capability);
        let stat = scratch.stat("d");
        assert_eq!((stat.mode() & 0o7777, stat.uid(), stat.gid()), (0o3777, 4_000_000_000, 1));
        assert_eq!(scratch.stat("x").mtime(), MTIME);
    });
}

#[test]
fn new_files_in_a_set_group_id_directory_belong_to_whom_the_layer_says() {
    if !is_root("giving files away") {
        return;
    }
    let layer = Archive::new()
        .with(member("d", b'5').mode(0o2775).owner(0, 50))
        .file("d/x", "")
        .dir("d/sub")
        .file("d/sub/y", "")
        .with(member("d/z", b'0').owner(0, 50))
        .symlink("d/l", "x");
    each_way(|scratch| {
        scratch.apply(&layer);
        for path in ["d/x", "d/sub", "d/sub/y", "d/l"] {
            assert_eq!(scratch.stat(path).gid(), 0, "{path}");
        }
        assert_eq!(scratch.stat("d/z").gid(), 50);
        assert_eq!(scratch.stat("d/sub").mode() & 0o7777, 0o755);
    });
}

#[test]
fn an_inherited_acl_changes_no_mode() {
    let acl = b"\x02\0\0\0\x01\0\x07\0\xff\xff\xff\xff\x04\0\x05\0\xff\xff\xff\xff\x20\0\0\0\xff\xff\xff\xff";
    let layer = Archive::new()
        .with(member("d", b'5').xattr("system.posix_acl_default", acl))
        .with(member("d/x", b'0').mode(0o666))
        .with(member("d/fifo", b'6').mode(0o666))
        .with(member("d/sub", b'5').mode(0o777))
        .file("d/sub/y", "");
    each_way(|scratch| {
        scratch.apply(&layer);
        if xattrs(&scratch.path("d")).is_empty() {
            eprintln!("SKIPPED: the file system has no ACLs");
            return;
        }
        for (path, mode) in
            [("d/x", 0o666), ("d/fifo", 0o666), ("d/sub", 0o777), ("d/sub/y", 0o644)]
        {
            assert_eq!(scratch.stat(path).mode() & 0o7777, mode, "{path}");
            assert!(xattrs(&scratch.path(path)).is_empty(), "{path}");
        }
        // A later layer finds the ACL there.
        scratch.apply(&Archive::new().with(member("d/later", b'0').mode(0o666)));
        assert_eq!(scratch.stat("d/later").mode() & 0o7777, 0o666);
        assert_eq!(scratch.stat("d").mtime(), MTIME);
    });
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
fn times_are_kept_to_the_nanosecond_and_before_1970() {
    let times = [
        ("1.000000001", (1, 1)),
        ("-5.5", (-6, 500_000_000)),
        ("-1", (-1, 0)),
        ("4294967299.25", (4_294_967_299, 250_000_000)),
    ];
    for (text, expected) in times {
        let layer = Archive::new()
            .with(member("x", b'0').pax("mtime", text))
            .with(member("d", b'5').pax("mtime", text))
            .with(member("l", b'2').link("x").pax("mtime", text));
        each_way(|scratch| {
            scratch.apply(&layer);
            for path in ["x", "d", "l"] {
                let stat = scratch.stat(path);
                assert_eq!((stat.mtime(), stat.mtime_nsec()), expected, "{path}");
            }
        });
    }
}

#[test]
fn names_are_bytes() {
    let long = vec![b'n'; 255];
    let names: [&[u8]; 6] = [b"\xff\xfe", b"new\nline", b"Case", b"case", b" -rf *", &long];
    let mut layer = Archive::new();
    for name in names {
        layer = layer.with(member(name, b'0').content(name));
    }
    let deep = b"d/".repeat(1000);
    layer = layer.dir(&deep[..]);
    each_way(|scratch| {
        scratch.apply(&layer);
        for name in names {
            let path = scratch.root().join(std::ffi::OsStr::from_bytes(name));
            assert_eq!(fs::read(path).unwrap(), name);
        }
        assert!(scratch.has(std::str::from_utf8(&deep).unwrap()));
        let too_long = Archive::new().file(vec![b'n'; 256], "");
        scratch.refuse(&too_long, "longer than 255 bytes");
        scratch.refuse(&Archive::new().dir(b"e/".repeat(2100)), "longer than 4096 bytes");
        scratch.refuse(&Archive::new().with(member("x", b'0').pax("path", "a\0b")), "NUL");
    });
}

#[test]
fn holes_stay_holes() {
    let scratch = Scratch::new(crate::support::Way::Tool);
    let source = scratch.path("source");
    fs::create_dir(&source).unwrap();
    let file = fs::File::create_new(source.join("sparse")).unwrap();
    use std::os::unix::fs::FileExt as _;
    file.write_all_at(b"middle", 8 << 20).unwrap();
    file.set_len(16 << 20).unwrap();
    if !crate::support::has_program("tar") {
        return;
    }
    for format in [
        &["--format=gnu"][..],
        &["--sparse-version=0.0"],
        &["--sparse-version=0.1"],
        &["--sparse-version=1.0"],
    ] {
        let archive = std::process::Command::new("tar")
            .args(["-S", "-cf", "-", "-C"])
            .arg(&source)
            .args(if format[0] == "--format=gnu" { &[][..] } else { &["--format=posix"] })
            .args(format)
            .arg("sparse")
            .output()
            .unwrap();
        assert!(archive.status.success() && archive.stdout.len() < 1 << 20, "{archive:?}");
        let out = scratch.path("out");
        let output = crate::support::run(&[&out], &archive.stdout);
        assert!(output.status.success(), "{format:?} {output:?}");
        let stat = fs::metadata(out.join("sparse")).unwrap();
        assert_eq!(stat.len(), 16 << 20);
        assert!(stat.blocks() * 512 < 1 << 20, "{format:?}: {} blocks", stat.blocks());
        assert_eq!(fs::read(out.join("sparse")).unwrap(), fs::read(source.join("sparse")).unwrap());
        fs::remove_dir_all(out).unwrap();
    }
}

#[test]
fn host_bound_and_overriding_attributes_are_reported_and_left_out() {
    let layer = Archive::new()
        .with(
            member("x", b'0')
                .xattr("user.kept", "1")
                .xattr("security.selinux", "label")
                .xattr("user.containers.override_stat", "0:0:0755")
                .xattr("user.rootlesscontainers", "x")
                .xattr("user.overlay.opaque", "y"),
        )
        .with(member("y", b'0').xattr("security.selinux", "label"));
    let scratch = Scratch::new(crate::support::Way::Tool);
    let output = crate::support::run(&[scratch.root()], &layer.bytes());
    assert!(output.status.success());
    assert_eq!(xattrs(&scratch.path("x")).keys().collect::<Vec<_>>(), ["user.kept"]);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(errors.lines().count(), 4, "{errors}");
    let line = "layer-apply: warning: extended attribute security.selinux of 2 entries not kept: \
                it belongs to the host it was read on\n";
    assert!(errors.contains(line), "{errors}");
}

#[test]
fn user_attributes_of_links_cannot_be_kept_and_are_reported() {
    let layer = Archive::new().with(member("l", b'2').link("x").xattr("user.a", "1"));
    let scratch = Scratch::new(crate::support::Way::Tool);
    let output = crate::support::run(&[scratch.root()], &layer.bytes());
    assert!(output.status.success());
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("user.a of 1 entry not kept"), "{errors}");
}

#[test]
fn estargz_files_are_left_out_on_demand() {
    let layer = Archive::new()
        .file(".no.prefetch.landmark", "\x0f")
        .file("x/stargz.index.json", "kept")
        .file("stargz.index.json", "{}");
    let scratch = Scratch::new(crate::support::Way::Tool);
    let root = scratch.root();
    let output =
        crate::support::run(&["--drop-estargz".as_ref(), root.as_os_str()], &layer.bytes());
    assert!(output.status.success());
    assert_eq!(scratch.names(), ["x/", "x/stargz.index.json"]);
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
