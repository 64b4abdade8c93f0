//! What a layer in overlay form takes from the layers below, and what is hidden there.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::XattrFlags;

use super::{check_mount, unpack};
use crate::support::{Archive, Scratch, Way, member, run};

#[test]
fn what_the_layer_hides_is_not_as_it_is_below() {
    let base = Archive::new()
        .dir("./")
        .dir("usr")
        .with(member("d", b'5').mode(0o750).xattr("user.lower", "1"))
        .with(member("d/sub", b'5').mode(0o711).xattr("user.lower", "1"))
        .with(member("d/sub/in", b'5').mode(0o700))
        .symlink("d/link", "../usr");
    for hidden in [".wh.d", "d/.wh..wh..opq"] {
        let before = Archive::new().whiteout(hidden).file("d/sub/in/x", "").file("d/link/x", "");
        let after = Archive::new().file("d/sub/in/x", "").whiteout("d/sub/.wh.y").whiteout(hidden);
        for layer in [before, after] {
            check_mount(&[base.clone(), layer]);
        }
    }
}

#[test]
fn a_directory_that_the_layer_describes_is_as_it_says_in_any_order() {
    let base = Archive::new().dir("./").with(member("d", b'5').xattr("user.lower", "1"));
    let entry = member("d", b'5').mode(0o700).xattr("user.upper", "1");
    for layer in [
        Archive::new().with(entry.clone()).file("d/x", ""),
        Archive::new().file("d/x", "").with(entry),
    ] {
        check_mount(&[base.clone(), layer]);
    }
}

#[test]
fn what_a_layer_between_hides_is_not_looked_up_below_it() {
    let base = Archive::new()
        .dir("./")
        .with(member("x", b'5').mode(0o711))
        .with(member("x/y", b'5').mode(0o700))
        .dir("usr");
    for between in [
        Archive::new().file("x", ""),
        Archive::new().symlink("x", "usr"),
        Archive::new().whiteout(".wh.x"),
        Archive::new().whiteout("x/.wh.y"),
        Archive::new().dir("x").whiteout("x/.wh..wh..opq"),
    ] {
        check_mount(&[base.clone(), between, Archive::new().file("x/y/z", "")]);
    }
}

#[test]
fn marked_whiteouts_of_a_layer_between_hide_too() {
    let scratch = Scratch::new(Way::Tool);
    let base = Archive::new().with(member("x", b'5').mode(0o711));
    let [base] = &unpack(&scratch, &[base], "--overlay=user")[..] else { panic!() };
    let between = scratch.path("between");
    fs::create_dir(&between).unwrap();
    fs::write(between.join("x"), "").unwrap();
    let mark = |path: &Path, name: &str, value: &[u8]| {
        rustix::fs::setxattr(path, name, value, XattrFlags::empty()).unwrap();
    };
    mark(&between, "user.overlay.opaque", b"x");
    mark(&between.join("x"), "user.overlay.whiteout", b"y");
    let new = scratch.path("new");
    let lower = OsStr::new("--lower");
    let arguments = [
        OsStr::new("--overlay=user"),
        lower,
        base.as_ref(),
        lower,
        between.as_os_str(),
        new.as_os_str(),
    ];
    let output = run(&arguments, &Archive::new().hardlink("y", "x").bytes());
    assert!(String::from_utf8_lossy(&output.stderr).contains("does not exist"), "{output:?}");
    let output = run(&arguments, &Archive::new().file("x/y", "").bytes());
    assert!(output.status.success(), "{output:?}");
    assert_eq!(scratch.stat("new/x").mode() & 0o7777, 0o755);
}

#[test]
fn a_hard_link_to_a_directory_below_is_refused() {
    let scratch = Scratch::new(Way::Tool);
    let base = Archive::new().dir("x");
    let [base] = &unpack(&scratch, &[base], "--overlay=user")[..] else { panic!() };
    let new = scratch.path("new");
    let arguments = ["--overlay=user".as_ref(), "--lower".as_ref(), base.as_ref(), new.as_os_str()];
    let output = run(&arguments, &Archive::new().hardlink("y", "x").bytes());
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("which is a directory"));
}

#[test]
fn a_link_that_waits_for_its_target_is_spared_by_a_whiteout_of_its_layer() {
    let base = Archive::new().dir("./").dir("d").file("d/y", "lower");
    let layer =
        Archive::new().dir("d").hardlink("d/y", "later").whiteout("d/.wh.y").file("later", "upper");
    check_mount(&[base, layer]);
}
