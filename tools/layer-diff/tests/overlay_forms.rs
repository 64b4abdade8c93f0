//! Forms of upper directories that not every kernel makes, and hostile ones, made by
//! hand.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod support;

use std::path::Path;

use common::layer::diff::{Error, Options, OverlayRoot, Reason};
use support::mounts::sh;
use support::{List, is_root, members, try_overlay};

fn listed(upper: &Path, lowers: &[&Path]) -> Vec<String> {
    let mut list = List::default();
    common::layer::diff::overlay(upper, lowers, &Options::default(), &mut list).unwrap();
    list.0
}

#[test]
fn whiteouts_that_are_files_with_an_attribute() {
    let scratch = tempfile::tempdir().unwrap();
    let script = "
        mkdir -p base/d upper/d; echo a >base/d/a; echo b >base/d/b; echo c >base/d/c
        setfattr -n user.overlay.opaque -v x upper/d
        : >upper/d/a; setfattr -n user.overlay.whiteout upper/d/a
        : >upper/d/b
        mkdir upper/e; : >upper/e/kept; setfattr -n user.overlay.whiteout upper/e/kept
        cp -a --no-preserve=timestamps base/d upper/copy
    ";
    sh(scratch.path(), script);
    let (upper, base) = (scratch.path().join("upper"), scratch.path().join("base"));
    let with: Vec<_> = listed(&upper, &[&base]);
    assert!(with.contains(&"D d/a".to_owned()), "{with:?}");
    assert!(with.iter().any(|line| line.starts_with("C d/b ")), "{with:?}");
    assert!(with.contains(&"A e/kept".to_owned()), "{with:?}");
    assert!(!with.iter().any(|line| line.contains("d/c")), "{with:?}");
    assert!(listed(&upper, &[]).contains(&"D d/a".to_owned()));
}

#[test]
fn fuse_overlayfs_files_are_whiteouts() {
    let scratch = tempfile::tempdir().unwrap();
    let script = "
        mkdir -p base/d base/o upper/d upper/o; echo a >base/d/a; echo b >base/o/b
        : >upper/d/.wh.a; : >upper/o/.wh..wh..opq; : >upper/d/.wh.never; echo n >upper/o/n
    ";
    sh(scratch.path(), script);
    let (upper, base) = (scratch.path().join("upper"), scratch.path().join("base"));
    let with = listed(&upper, &[&base]);
    for line in ["D d/a", "D o/b", "A o/n"] {
        assert!(with.contains(&line.to_owned()), "{line}: {with:?}");
    }
    assert!(!with.iter().any(|line| line.contains("never") || line.contains(".wh.")), "{with:?}");
    let (layer, _) = try_overlay(&upper, &[], &Options::default()).unwrap();
    let names = members(&layer);
    for name in ["d/.wh.a", "d/.wh.never", "o/.wh..wh..opq"] {
        assert!(names.contains(&name.to_owned()), "{name}: {names:?}");
    }
}

#[test]
fn a_file_that_only_looks_like_a_whiteout_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    sh(scratch.path(), "mkdir upper; echo content >upper/.wh.a");
    let error = try_overlay(&scratch.path().join("upper"), &[], &Options::default()).unwrap_err();
    assert!(matches!(error, Error::ReservedName { .. }), "{error}");
}

#[test]
fn overlay_attributes_stay_out_and_escaped_ones_come_back() {
    let scratch = tempfile::tempdir().unwrap();
    let script = "
        mkdir -p upper/d; setfattr -n user.overlay.opaque -v y upper/d
        setfattr -n user.overlay.origin -v x upper/d
        setfattr -n user.overlay.overlay.opaque -v y upper/d; setfattr -n user.mine -v 1 upper/d
    ";
    sh(scratch.path(), script);
    let (layer, _) = try_overlay(&scratch.path().join("upper"), &[], &Options::default()).unwrap();
    let mut reader = common::tar::Reader::new(
        &layer[..],
        common::tar::Limits::default(),
        common::tar::Whole::ByMarker,
    );
    let entry = reader.next_entry().unwrap().unwrap();
    assert_eq!(entry.path, b"d/");
    let names: Vec<_> = entry.xattrs.keys().map(|name| String::from_utf8_lossy(name)).collect();
    assert_eq!(names, ["user.mine", "user.overlay.opaque"]);
}

#[test]
fn a_redirect_that_leads_nowhere_safe_is_refused() {
    for redirect in ["../x", "/../../etc", "a/b", "/a//b", "."] {
        let scratch = tempfile::tempdir().unwrap();
        let script = format!(
            "mkdir -p upper/d base; setfattr -n user.overlay.redirect -v '{redirect}' upper/d"
        );
        sh(scratch.path(), &script);
        let (upper, base) = (scratch.path().join("upper"), scratch.path().join("base"));
        let error = try_overlay(&upper, &[&base], &Options::default()).unwrap_err();
        assert!(matches!(error, Error::BrokenOverlay { .. }), "{redirect}: {error}");
    }
}

#[test]
fn a_redirect_does_not_follow_links() {
    let scratch = tempfile::tempdir().unwrap();
    let script = "
        mkdir -p upper/d base outside/in; echo secret >outside/in/secret
        ln -s \"$PWD/outside\" base/out; ln -s \"$PWD/outside/in\" base/in
        setfattr -n user.overlay.redirect -v /out/in upper/d
        cp -a upper other; setfattr -n user.overlay.redirect -v /in other/d
    ";
    sh(scratch.path(), script);
    for upper in ["upper", "other"] {
        let changes = listed(&scratch.path().join(upper), &[&scratch.path().join("base")]);
        assert_eq!(changes, ["A d"], "{upper}");
    }
}

#[test]
fn the_root_is_recorded_where_that_is_asked_for() {
    let scratch = tempfile::tempdir().unwrap();
    sh(scratch.path(), "mkdir base upper; chmod 755 base; chmod 711 upper; : >upper/n");
    let [upper, base] = ["upper", "base"].map(|name| scratch.path().join(name));
    let recorded = Options { overlay_root: OverlayRoot::Recorded, ..Options::default() };
    for (lowers, passed_over) in [(&[][..], 0), (&[&*base], 1)] {
        let (layer, summary) = try_overlay(&upper, lowers, &Options::default()).unwrap();
        assert_eq!(members(&layer), ["n"]);
        let reasons: Vec<_> = summary.passed_over.iter().map(|one| one.reason).collect();
        assert_eq!(reasons, vec![Reason::OverlayRoot; passed_over]);
        let (layer, summary) = try_overlay(&upper, lowers, &recorded).unwrap();
        assert_eq!(
            (members(&layer), summary.passed_over.len()),
            (vec!["./".into(), "n".into()], 0)
        );
        let mut reader = common::tar::Reader::new(
            &layer[..],
            common::tar::Limits::default(),
            common::tar::Whole::ByMarker,
        );
        assert_eq!(reader.next_entry().unwrap().unwrap().mode, 0o711);
    }
    sh(scratch.path(), "chmod 755 upper");
    let (_, summary) = try_overlay(&upper, &[&base], &Options::default()).unwrap();
    assert!(summary.passed_over.is_empty(), "a time alone is not told");
}

#[test]
fn a_whiteout_of_a_reserved_name_is_nothing() {
    // fuse-overlayfs 1.10 leaves one behind when it moves an opaque directory.
    if !is_root() {
        layerutils_tests::requirement::skip("", "only root makes devices");
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    sh(scratch.path(), "mkdir -p base/d upper/d; mknod upper/d/.wh..opq c 0 0; : >upper/d/n");
    let [upper, base] = ["upper", "base"].map(|name| scratch.path().join(name));
    for lowers in [&[][..], &[&*base]] {
        let (layer, _) = try_overlay(&upper, lowers, &Options::default()).unwrap();
        assert_eq!(members(&layer), ["d/", "d/n"]);
    }
}

#[test]
fn whiteouts_that_share_an_inode_are_no_links() {
    if !is_root() {
        layerutils_tests::requirement::skip("", "only root makes devices");
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    sh(
        scratch.path(),
        "mkdir base upper; : >base/a; : >base/b; mknod upper/a c 0 0; ln upper/a upper/b",
    );
    let [upper, base] = ["upper", "base"].map(|name| scratch.path().join(name));
    for lowers in [&[][..], &[&*base]] {
        let (layer, _) = try_overlay(&upper, lowers, &Options::default()).unwrap();
        assert_eq!(members(&layer), [".wh.a", ".wh.b"]);
    }
}
