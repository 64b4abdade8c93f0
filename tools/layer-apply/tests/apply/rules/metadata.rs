//! Owners, modes and times.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::Command;

use super::{ACL_DEFAULT, default_acl};
use crate::support::{
    Archive, MTIME, Scratch, Way, each_way, feed, has_program, is_root, member, tool, xattrs,
};

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
        .with(member("small", b'0').mode(0o6755).owner(1234, 4321).content("content"))
        .with(member("large", b'0').mode(0o6755).owner(1234, 4321).content(vec![b'x'; 1 << 20]))
        .with(member("d", b'5').mode(0o3777).owner(4_000_000_000, 1))
        .with(member("l", b'2').link("x").owner(1234, 4321))
        .with(member("p", b'6').mode(0o6755).owner(1234, 4321))
        .with(member("n", b'3').mode(0o6755).owner(1234, 4321).device(1, 3));
    each_way(|scratch| {
        scratch.apply(&layer);
        for path in ["l", "p", "n", "small", "large"] {
            let stat = scratch.stat(path);
            assert_eq!((stat.uid(), stat.gid(), stat.mtime()), (1234, 4321, MTIME), "{path}");
            assert!(stat.is_symlink() || stat.mode() & 0o7777 == 0o6755, "{path}");
        }
        let stat = scratch.stat("x");
        assert_eq!((stat.mode() & 0o7777, stat.uid(), stat.gid()), (0o6755, 1234, 4321));
        assert_eq!(xattrs(&scratch.path("x"))["security.capability"], capability);
        let stat = scratch.stat("d");
        assert_eq!((stat.mode() & 0o7777, stat.uid(), stat.gid()), (0o3777, 4_000_000_000, 1));
        assert_eq!(scratch.stat("x").mtime(), MTIME);
    });
}

#[test]
fn what_its_owner_may_not_write_has_its_attributes_and_content() {
    const USER: u32 = 65534;
    if !is_root("acting as another user") || !has_program("setpriv") {
        return;
    }
    let scratch = Scratch::new(Way::Tool);
    fs::set_permissions(scratch.beside(""), fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::chown(scratch.root(), Some(USER), Some(USER)).unwrap();
    let member = |path: &str, typeflag, mode| {
        member(path, typeflag).owner(USER, USER).mode(mode).xattr("user.own", "1")
    };
    let layer = Archive::new()
        .with(member("d", b'5', 0o555))
        // The list takes its owner's permission away, too.
        .with(member("d/x", b'0', 0o444).content("content").xattr(
            "system.posix_acl_access",
            b"\x02\0\0\0\x01\0\x04\0\xff\xff\xff\xff\x04\0\x04\0\xff\xff\xff\xff\x20\0\x04\0\xff\xff\xff\xff",
        ))
        .with(member("d/shut", b'5', 0));
    let mut command = Command::new("setpriv");
    command
        .args([&format!("--reuid={USER}"), &format!("--regid={USER}"), "--clear-groups"])
        .arg(tool().get_program())
        .arg(scratch.root());
    let output = feed(&mut command, &layer.bytes());
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    for (path, mode) in [("d", 0o555), ("d/x", 0o444), ("d/shut", 0)] {
        assert_eq!(scratch.stat(path).mode() & 0o7777, mode, "{path}");
        assert_eq!(xattrs(&scratch.path(path))["user.own"], b"1", "{path}");
    }
    assert_eq!(scratch.read("d/x"), "content");
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
    let layer = Archive::new()
        .with(member("d", b'5').xattr(ACL_DEFAULT, default_acl()))
        .with(member("d/x", b'0').mode(0o666))
        .file("d/y", "")
        .with(member("d/fifo", b'6').mode(0o666))
        .with(member("d/sub", b'5').mode(0o777))
        .file("d/sub/y", "");
    each_way(|scratch| {
        scratch.apply(&layer);
        if xattrs(&scratch.path("d")).is_empty() {
            layerutils_tests::requirement::skip("", "the file system has no ACLs");
            return;
        }
        for (path, mode) in [
            ("d/x", 0o666),
            ("d/y", 0o644),
            ("d/fifo", 0o666),
            ("d/sub", 0o777),
            ("d/sub/y", 0o644),
        ] {
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
fn times_and_ids_that_cannot_be_are_refused() {
    for time in
        ["nan", "inf", "1e3", "", "-", "12x", "0x10", "9999999999999999999999", "1.2.3", "1.x"]
    {
        let layer = Archive::new().with(member("x", b'0').pax("mtime", time));
        each_way(|scratch| {
            match scratch.try_apply(&layer) {
                // An empty value takes the record back.
                Ok(()) => assert!(time.is_empty(), "{time:?}"),
                Err(error) => assert!(error.contains("mtime"), "{time:?}: {error}"),
            }
        });
    }
    for key in ["uid", "gid"] {
        for id in ["4294967296", "4294967295", "-1", "1e3", "99999999999999999999"] {
            let layer = Archive::new().with(member("x", b'0').pax(key, id));
            each_way(|scratch| {
                assert!(scratch.try_apply(&layer).is_err(), "{key}={id}");
                assert!(!scratch.has("x"));
            });
        }
    }
    if is_root("giving files away") {
        let layer = Archive::new().with(member("x", b'0').pax("uid", "4294967294"));
        each_way(|scratch| {
            assert_eq!(scratch.apply(&layer).stat("x").uid(), u32::MAX - 1);
        });
    }
}
