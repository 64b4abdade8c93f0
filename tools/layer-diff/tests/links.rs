//! Inodes that are in several places: hard links, and what both trees have in common.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod support;

use std::fs;
use std::process::Command;

use common::layer::diff::Options;
use common::tar::Kind;
use support::trees::{Trees, entries};
use support::{diff, is_root, members};

fn changes_of(before: &str, after: &str) -> Vec<String> {
    Trees::new(before, after).changes(&Options::default())
}

/// What the tool says of `a` and `b` after `script`, which may mount.
fn with_mounts(trees: &Trees, script: &str, arguments: &[&str]) -> Option<String> {
    if !is_root() {
        layerutils_tests::requirement::skip("", "only root mounts");
        return None;
    }
    let script = format!("{script}\nexec \"$0\" --one-file-system=no \"$@\"");
    let output = Command::new("unshare")
        .args(["-m", "sh", "-ec", &script, env!("CARGO_BIN_EXE_layer-diff")])
        .args(arguments)
        .current_dir(&trees.scratch)
        .output()
        .unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_changed_inode_brings_all_of_its_names() {
    let lines = changes_of("echo x >f; ln f g; ln f h; : >i", "echo y >>g; ln -f i h");
    assert_eq!(lines, ["C f mtime,size", "C g mtime,size", "C h size", "C i links"],);
}

#[test]
fn links_that_stay_as_they_are_are_not_recorded() {
    assert_eq!(changes_of("echo x >f; ln f g; ln f h", ":"), [""; 0]);
    // Nor are those that only lost a name.
    assert_eq!(changes_of("echo x >f; ln f g; ln f h", "rm g"), ["D g"]);
}

#[test]
fn links_that_became_files_of_their_own_are_recorded() {
    let lines = changes_of("echo x >f; ln f g; ln f h", "cp -a f t; mv t f");
    assert_eq!(lines, ["C f links"]);
}

#[test]
fn a_new_name_of_an_old_file_is_recorded_with_its_content() {
    for (name, expected) in [("e", ["./", "e", "f = e"]), ("g", ["./", "f", "g = f"])] {
        let trees = Trees::new("echo x >f; setfattr -n user.x -v 1 f", &format!("ln f {name}"));
        let layer = trees.layer(&Options::default());
        assert_eq!(members(&layer), expected);
        // What a link shares with its target is recorded there.
        for entry in entries(&layer) {
            let is_whole = entry.kind == Kind::File;
            assert_eq!(
                (entry.len_bytes, entry.xattrs.len()),
                if is_whole { (2, 1) } else { (0, 0) }
            );
        }
    }
}

#[test]
fn inodes_of_one_number_on_two_file_systems_are_two() {
    let trees = Trees::new(":", "mkdir one two");
    let script = "
        for d in one two; do
            mount -t tmpfs none b/$d; echo $d >b/$d/f; ln b/$d/f b/$d/g
        done
        test $(stat -c %i b/one/f) = $(stat -c %i b/two/f)";
    let Some(list) = with_mounts(&trees, &format!("{script}; set -- --json b"), &[]) else {
        return;
    };
    let links: Vec<serde_json::Value> =
        list.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let links: Vec<_> = links.iter().filter_map(|one| one["target"].as_str()).collect();
    assert_eq!(links, ["one/f", "two/f"]);
}

#[test]
fn a_directory_that_both_trees_share_is_not_entered() {
    let trees = Trees::new("mkdir d; echo x >d/f", ":");
    // Nothing in it can be wrong if nobody looks.
    fs::write(trees.a().join("d/.wh.f"), "").unwrap();
    let layer = diff(Some(&trees.a()), &trees.a(), &Options::default());
    assert_eq!(layer, [0; 1024]);
}

#[test]
fn what_is_mounted_in_both_trees_is_not_looked_at() {
    let trees = Trees::new("mkdir d; : >f", ":");
    let script = "
        mkdir d; : >d/.wh.x; : >f; setfattr -n user.overlay.opaque -v y f
        for tree in a b; do mount --bind d $tree/d; mount --bind f $tree/f; done";
    if let Some(list) = with_mounts(&trees, script, &["--list", "a", "b"]) {
        assert_eq!(list, "");
    }
}

#[test]
fn a_link_into_what_both_trees_share_is_seen() {
    let trees = Trees::new("mkdir s; echo x >f; : >g", ":");
    // Applied to `a`, where they are one inode, nothing would part them.
    let script = "
        mkdir s; ln a/f s/f
        for tree in a b; do mount --bind s $tree/s; done";
    if let Some(list) = with_mounts(&trees, script, &["--list", "a", "b"]) {
        assert_eq!(list, "C /s\nC /s/f\n");
    }
    // The other way round: one inode in `b`, and two where the layer is applied.
    let trees = Trees::new("mkdir s; echo x >f; : >g", ":");
    let script = script.replace("ln a/f", "ln b/f");
    if let Some(list) = with_mounts(&trees, &script, &["--list", "a", "b"]) {
        assert_eq!(list, "C /f\nC /s\nC /s/f\n");
    }
}
