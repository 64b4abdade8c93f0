//! Upper directories as real mounts leave them: applied to the lower tree, their
//! layer gives what the mount showed.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::layer::diff::{Error, Options};
use support::snapshot::{Seen, compare, snapshot};
use support::{List, apply_to, is_root, members, try_overlay};

/// What is done in the mounted tree, a name and a script each.
const SCRIPTS: [(&str, &str); 14] = [
    ("nothing", ":"),
    ("new files", "echo new >n; mkdir d/sub; echo x >d/sub/x; ln -s n l; mkfifo p"),
    ("deletions", "rm file; rm -r d/e; rm link"),
    ("a file that is only touched", "exec 3>>d/one; exec 3>&-"),
    ("metadata", "chmod 600 file; touch -d @5 d/one; chmod 700 d"),
    ("attributes", "setfattr -n user.new -v 1 file; setfattr -x user.old d/one"),
    ("a directory made anew", "rm -r d; mkdir d; echo in >d/in"),
    ("a directory made anew with a name it had", "rm -r d; mkdir d; echo in >d/one"),
    ("a directory becomes a file", "rm -r d; echo file >d"),
    ("a file becomes a directory", "rm file; mkdir file; echo x >file/x"),
    ("a new hard link", "ln file second; ln d/one d/e/three"),
    ("a changed hard link", "echo more >>h/1; rm h/2"),
    ("a link group made of two names", "rm h/2; ln d/one h/2"),
    ("a name that is deleted and comes back", "rm file; rm d/one; cp d/e/two d/one; echo >file"),
];

/// What only mounts with `redirect_dir` and `metacopy` can do, or do otherwise.
const REDIRECTS: [(&str, &str); 7] = [
    ("a renamed directory", "mv d moved; echo x >moved/new; rm moved/one"),
    ("a directory renamed twice", "mv d a; mv a b; mv b/e b/f"),
    ("a directory moved below another", "mv d/e h/e2; mv h d/h2"),
    ("directories that change places", "mv d t; mv h d; mv t h"),
    ("a metadata-only copy", "chmod 600 big; chown 5:6 d/one"),
    ("a metadata-only copy that moves", "chmod 600 big; mv big d/large; mv d z"),
    ("a renamed directory and a new one in its place", "mv d moved; mkdir d; echo 1 >d/one"),
];

/// A lower tree of two layers.
fn make_lowers(at: &Path) -> [PathBuf; 2] {
    let script = "
        mkdir base top; cd base
        mkdir -p d/e h; echo file >file; echo one >d/one; echo two >d/e/two; ln -s file link
        setfattr -n user.old -v 1 d/one; echo linked >h/1; ln h/1 h/2; ln h/1 h/3
        seq 100000 >big; mkdir gone; echo g >gone/g
        cd ../top; mkdir -p d h; echo four >d/four
        find . ../base -exec touch -h -d '2020-01-02 03:04:05.678901234' {} +
    ";
    sh(at, script);
    ["base", "top"].map(|name| at.join(name))
}

fn sh(at: &Path, script: &str) {
    let status = Command::new("sh").arg("-ec").arg(script).current_dir(at).status().unwrap();
    assert!(status.success(), "{script}");
}

/// Runs `script` in a mount of the lowers under `upper`, and copies what it sees
/// before and after; `false` if there can be no such mount.
fn run(at: &Path, unshare: &[&str], mount: &str, script: &str) -> bool {
    fs::create_dir_all(at.join("upper")).unwrap();
    fs::create_dir_all(at.join("work")).unwrap();
    fs::create_dir_all(at.join("merged")).unwrap();
    let whole = format!(
        "mount -t overlay overlay -o lowerdir=top:base,upperdir=upper,workdir=work{mount} merged \
         || exit 99; cp -a merged before; (cd merged; {script}); cp -a merged after; umount merged"
    );
    let mut command = Command::new("unshare");
    let output =
        command.args(unshare).args(["sh", "-ec", &whole]).current_dir(at).output().unwrap();
    match output.status.code() {
        Some(0) => true,
        Some(99) => false,
        _ => panic!("{script}: {}", String::from_utf8_lossy(&output.stderr)),
    }
}

/// The tree without its root, which is the upper directory's own, and without the
/// attributes that a copy from an overlay mount brings along.
fn tree(at: &Path) -> std::collections::BTreeMap<PathBuf, Seen> {
    let mut tree = snapshot(at);
    tree.remove(Path::new(""));
    tree
}

/// Applies the upper directory's layer to a copy of what was there before.
fn check(at: &Path, name: &str, script: &str) {
    let (upper, base, top) = (at.join("upper"), at.join("base"), at.join("top"));
    let (layer, _) = match try_overlay(&upper, &[&base, &top], &Options::default()) {
        Ok(layer) => layer,
        Err(Error::HiddenNames { .. }) if name == "a changed hard link" => return,
        Err(error) => panic!("{name}: {error}"),
    };
    sh(at, "cp -a before with-lowers");
    apply_to(&at.join("with-lowers"), &layer);
    let differences = compare(&tree(&at.join("with-lowers")), &tree(&at.join("after")));
    assert!(differences.is_empty(), "{name}: {script}: {differences:#?}");
    for member in members(&layer) {
        assert!(!member.ends_with(".wh..wh..opq"), "{name}: {member}");
    }
    if script == ":" || name.contains("only touched") {
        assert_eq!(members(&layer), [""; 0], "{name}");
    }
}

/// Without the lowers the layer says more than it must, but not something else.
fn check_alone(at: &Path, name: &str, script: &str) {
    match try_overlay(&at.join("upper"), &[], &Options::default()) {
        Ok((layer, _)) => {
            sh(at, "cp -a before alone");
            apply_to(&at.join("alone"), &layer);
            let differences = compare(&tree(&at.join("alone")), &tree(&at.join("after")));
            assert!(differences.is_empty(), "{name}: {script}: {differences:#?}");
        }
        Err(Error::LowerNeeded { .. } | Error::HiddenNames { .. }) => {}
        Err(error) => panic!("{name}: {error}"),
    }
}

fn in_mounts(unshare: &[&str], mount: &str, scripts: &[(&str, &str)]) {
    for (name, script) in scripts {
        let scratch = tempfile::tempdir().unwrap();
        make_lowers(scratch.path());
        if !run(scratch.path(), unshare, mount, script) {
            eprintln!("SKIPPED: no overlay mount with '{mount}'");
            return;
        }
        check(scratch.path(), name, script);
        check_alone(scratch.path(), name, script);
    }
}

#[test]
fn a_plain_kernel_mount() {
    if !is_root() {
        eprintln!("SKIPPED: only root mounts overlay without a user namespace");
        return;
    }
    in_mounts(&["-m"], ",redirect_dir=off,metacopy=off,index=off", &SCRIPTS);
}

#[test]
fn a_kernel_mount_with_redirects_and_metadata_only_copies() {
    if !is_root() {
        eprintln!("SKIPPED: only root mounts overlay without a user namespace");
        return;
    }
    let options = ",redirect_dir=on,metacopy=on,index=off";
    in_mounts(&["-m"], options, &SCRIPTS);
    in_mounts(&["-m"], options, &REDIRECTS);
}

#[test]
fn a_kernel_mount_that_keeps_links_of_lower_files() {
    if !is_root() {
        eprintln!("SKIPPED: only root mounts overlay without a user namespace");
        return;
    }
    let options = ",redirect_dir=on,metacopy=on,index=on";
    in_mounts(&["-m"], options, &SCRIPTS);
    in_mounts(&["-m"], options, &REDIRECTS);
}

#[test]
fn a_mount_in_a_user_namespace() {
    // Such a mount shows links that it makes of lower files as separate files; on
    // disk they are links, and that is what the layer says.
    let makes_links = ["a new hard link", "a link group made of two names"];
    let scripts = SCRIPTS.into_iter().filter(|(name, _)| !makes_links.contains(name));
    in_mounts(&["-Urm"], ",userxattr", &scripts.collect::<Vec<_>>());
    let scratch = tempfile::tempdir().unwrap();
    make_lowers(scratch.path());
    if run(scratch.path(), &["-Urm"], ",userxattr", "ln file second") {
        let (layer, _) =
            try_overlay(&scratch.path().join("upper"), &[], &Options::default()).unwrap();
        assert_eq!(members(&layer), ["file", "second = file"]);
    }
}

#[test]
fn names_that_only_the_mount_shows_are_refused() {
    if !is_root() {
        eprintln!("SKIPPED: only root mounts overlay without a user namespace");
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    make_lowers(scratch.path());
    if !run(scratch.path(), &["-m"], ",index=on", "echo more >>h/1") {
        eprintln!("SKIPPED: no overlay mount with index=on");
        return;
    }
    let [base, top] = ["base", "top"].map(|name| scratch.path().join(name));
    for lowers in [vec![], vec![base.as_path(), top.as_path()]] {
        let error = try_overlay(&scratch.path().join("upper"), &lowers, &Options::default());
        let error = error.unwrap_err();
        assert!(matches!(error, Error::HiddenNames { .. }), "{error}");
    }
}

#[test]
fn a_renamed_directory_is_refused_without_its_lowers() {
    if !is_root() {
        eprintln!("SKIPPED: only root mounts overlay without a user namespace");
        return;
    }
    for (script, path) in [("mv d moved", "moved"), ("chmod 600 big", "big")] {
        let scratch = tempfile::tempdir().unwrap();
        make_lowers(scratch.path());
        if !run(scratch.path(), &["-m"], ",redirect_dir=on,metacopy=on", script) {
            eprintln!("SKIPPED: no overlay mount with metacopy");
            return;
        }
        let upper = scratch.path().join("upper");
        let error = try_overlay(&upper, &[], &Options::default()).unwrap_err();
        assert!(matches!(error, Error::LowerNeeded { .. }), "{error}");
        assert!(error.to_string().contains(path), "{error}");
    }
}

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
    let mut reader = common::tar::Reader::new(&layer[..], common::tar::Limits::default());
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
