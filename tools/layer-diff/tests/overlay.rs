//! Upper directories as real mounts leave them: applied to the lower tree, their
//! layer gives what the mount showed.

#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;

use common::layer::diff::{Error, Options};
use support::mounts::{Mount, make_lowers, run, sh, tree};
use support::snapshot::compare;
use support::{apply_to, members, try_overlay};

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

/// What only mounts with `index=on` do otherwise: a name that is not in the upper
/// directory shows what is.
const INDEXED: [(&str, &str); 7] = [
    ("a link written to", "echo more >>h/1"),
    ("a link written to and removed", "echo more >>h/1; rm h/1"),
    ("a link removed", "rm h/2"),
    ("a link's mode", "chmod 600 h/3"),
    ("a link that moves and is written to", "mv h/2 d/moved; echo more >>d/moved"),
    ("a link made anew", "echo more >>h/1; rm h/1; echo new >h/1"),
    ("a link of a link", "ln h/1 d/fourth; echo more >>h/3"),
];

/// Applies the upper directory's layer to a copy of what was there before.
fn check(at: &Path, mount: Mount<'_>, name: &str, script: &str) {
    let (upper, base, top) = (at.join("upper"), at.join("base"), at.join("top"));
    let options = Options { overlay_work: Some(at.join("work")), ..Options::default() };
    let layer = try_overlay(&upper, &[&base, &top], &options);
    let (layer, _) = layer.unwrap_or_else(|error| panic!("{name}: {error}"));
    sh(at, "cp -a before with-lowers");
    apply_to(&at.join("with-lowers"), &layer);
    let differences = compare(&tree(&at.join("with-lowers")), &tree(&at.join("after")));
    assert!(differences.is_empty(), "{name}: {script}: {differences:#?}");
    for member in members(&layer) {
        assert!(!member.ends_with(".wh..wh..opq"), "{name}: {member}");
    }
    // fuse-overlayfs gives a directory on the way a new time.
    let is_fuse = matches!(mount, Mount::Fuse);
    if script == ":" || name.contains("only touched") && !is_fuse {
        assert_eq!(members(&layer), [""; 0], "{name}");
    }
}

/// With less than all directories of the mount the layer may say more than it must, or
/// be refused, but it says nothing else.
fn check_with_less(at: &Path, name: &str, script: &str) {
    let [upper, base, top] = ["upper", "base", "top"].map(|name| at.join(name));
    for (copy, lowers) in [("alone", &[][..]), ("without-work", &[&*base, &*top])] {
        match try_overlay(&upper, lowers, &Options::default()) {
            Ok((layer, _)) => {
                sh(at, &format!("cp -a before {copy}"));
                apply_to(&at.join(copy), &layer);
                let differences = compare(&tree(&at.join(copy)), &tree(&at.join("after")));
                assert!(differences.is_empty(), "{name}, {copy}: {script}: {differences:#?}");
            }
            Err(Error::LowerNeeded { .. }) if lowers.is_empty() => {}
            Err(Error::HiddenNames { .. }) => {}
            Err(error) => panic!("{name}, {copy}: {error}"),
        }
    }
}

fn in_mounts(mount: Mount<'_>, scripts: &[(&str, &str)]) {
    for (name, script) in scripts {
        let scratch = tempfile::tempdir().unwrap();
        make_lowers(scratch.path());
        if !run(scratch.path(), mount, script) {
            return;
        }
        check(scratch.path(), mount, name, script);
        check_with_less(scratch.path(), name, script);
    }
}

#[test]
fn a_plain_kernel_mount() {
    in_mounts(Mount::Kernel(",redirect_dir=off,metacopy=off,index=off"), &SCRIPTS);
}

#[test]
fn a_kernel_mount_with_redirects_and_metadata_only_copies() {
    let mount = Mount::Kernel(",redirect_dir=on,metacopy=on,index=off");
    in_mounts(mount, &SCRIPTS);
    in_mounts(mount, &REDIRECTS);
}

#[test]
fn a_kernel_mount_that_keeps_links_of_lower_files() {
    for options in [",redirect_dir=on,metacopy=on,index=on", ",index=on,metacopy=off"] {
        in_mounts(Mount::Kernel(options), &SCRIPTS);
        in_mounts(Mount::Kernel(options), &INDEXED);
    }
    in_mounts(Mount::Kernel(",redirect_dir=on,metacopy=on,index=on"), &REDIRECTS);
}

/// What is left of the scripts for mounts that show links which they make of lower files
/// as separate files; on disk they are links, and that is what the layer says.
fn without_new_links() -> Vec<(&'static str, &'static str)> {
    let makes_links = ["a new hard link", "a link group made of two names"];
    SCRIPTS.into_iter().filter(|(name, _)| !makes_links.contains(name)).collect()
}

#[test]
fn a_mount_in_a_user_namespace() {
    in_mounts(Mount::UserNamespace, &without_new_links());
    let scratch = tempfile::tempdir().unwrap();
    make_lowers(scratch.path());
    if run(scratch.path(), Mount::UserNamespace, "ln file second") {
        let (layer, _) =
            try_overlay(&scratch.path().join("upper"), &[], &Options::default()).unwrap();
        assert_eq!(members(&layer), ["file", "second = file"]);
    }
}

#[test]
fn a_mount_by_fuse_overlayfs() {
    in_mounts(Mount::Fuse, &without_new_links());
    in_mounts(Mount::Fuse, &REDIRECTS);
}

#[test]
fn names_that_only_the_mount_shows_need_its_work_directory() {
    for script in ["echo more >>h/1", "echo more >>h/1; rm h/1"] {
        let scratch = tempfile::tempdir().unwrap();
        make_lowers(scratch.path());
        if !run(scratch.path(), Mount::Kernel(",index=on"), script) {
            return;
        }
        let [upper, base, top] = ["upper", "base", "top"].map(|name| scratch.path().join(name));
        let error = try_overlay(&upper, &[&base, &top], &Options::default()).unwrap_err();
        assert!(matches!(error, Error::HiddenNames { .. }), "{script}: {error}");
    }
}

#[test]
fn a_renamed_directory_is_refused_without_its_lowers() {
    for (script, path) in [("mv d moved", "moved"), ("chmod 600 big", "big")] {
        let scratch = tempfile::tempdir().unwrap();
        make_lowers(scratch.path());
        if !run(scratch.path(), Mount::Kernel(",redirect_dir=on,metacopy=on"), script) {
            return;
        }
        let upper = scratch.path().join("upper");
        let error = try_overlay(&upper, &[], &Options::default()).unwrap_err();
        assert!(matches!(error, Error::LowerNeeded { .. }), "{error}");
        assert!(error.to_string().contains(path), "{error}");
    }
}
