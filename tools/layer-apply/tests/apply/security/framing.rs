//! One archive that two readers see differently, and marks that speak to others
//! than the reader.

use std::fs;

use crate::support::{self, Archive, Scratch, Way, each_way, is_root, member, xattrs};

#[test]
fn the_size_in_an_extended_header_frames_the_archive() {
    // CVE-2025-62518 and CVE-2026-33055: an archive inside an archive, seen by who
    // goes by the other of two sizes.
    let inner = Archive::new().file("smuggled", "dead").bytes();
    let outer = Archive::new().file("carrier", &inner).file("last", "");
    each_way(|scratch| {
        scratch.apply(&outer);
        assert_eq!(scratch.names(), ["carrier", "last"]);
    });
    // The header says none, the record says all.
    let mut bytes =
        Archive::new().with(member("carrier", b'0').pax("size", inner.len().to_string())).bytes();
    bytes.truncate(bytes.len() - 1024);
    bytes.extend(&inner);
    bytes.extend(Archive::new().file("last", "").bytes());
    let scratch = Scratch::new(Way::Tool);
    let output = support::run(&[scratch.root()], &bytes);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(scratch.names(), ["carrier", "last"]);
}

#[test]
fn a_newline_in_an_extended_header_forges_nothing() {
    let layer = Archive::new()
        .with(member("l", b'2').link("honest").xattr("trusted.x", "\n22 linkpath=/etc/evil\n"))
        .with(member("f", b'0').xattr("user.x", "a\n17 path=smuggled\n"));
    each_way(|scratch| {
        scratch.apply(&layer);
        assert_eq!(fs::read_link(scratch.path("l")).unwrap().to_str(), Some("honest"));
        assert_eq!(scratch.names(), ["f", "l"]);
        assert_eq!(xattrs(&scratch.path("f"))["user.x"], b"a\n17 path=smuggled\n");
    });
}

#[test]
fn overlay_marks_of_a_layer_are_not_obeyed() {
    // A17 and A18: podman hid lower files for a device 0:0 and for an attribute.
    each_way(|scratch| {
        let device = Archive::new().with(member("x", b'3').device(0, 0));
        scratch.refuse(&device, "overlayfs's whiteout");
        let marked = Archive::new()
            .with(member("d", b'5').xattr("trusted.overlay.opaque", "y"))
            .with(member("e", b'5').xattr("user.overlay.opaque", "y"))
            .with(member("f", b'0').xattr("trusted.overlay.redirect", "/etc/shadow"));
        scratch.apply(&marked);
        for path in ["d", "e", "f"] {
            assert!(xattrs(&scratch.path(path)).is_empty(), "{path}");
        }
    });
}

#[test]
fn device_numbers_are_not_cut_off() {
    if !is_root("making devices") {
        return;
    }
    for (major, minor) in [(0x1000, 0), (0, 0x10_0000), (1 << 20, 3)] {
        let layer = Archive::new().with(member("x", b'3').device(major, minor));
        each_way(|scratch| {
            assert!(scratch.try_apply(&layer).is_err(), "{major}:{minor}");
            assert!(!scratch.has("x"));
        });
    }
    each_way(|scratch| {
        scratch.apply(&Archive::new().with(member("x", b'4').device(0xfff, 0xf_ffff)));
    });
}
