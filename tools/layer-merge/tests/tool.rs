//! The program itself: what it refuses, and what it needs.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Output};

use common::cli::Failure;
use common::layer::apply;
use common::root::Root;
use common::tar::{Entry, Kind, Writer, Xattrs};
use common::time::Timestamp;

fn entry(path: &str, kind: Kind) -> Entry {
    Entry {
        path: path.into(),
        kind,
        mode: 0o755,
        uid: 0,
        gid: 0,
        mtime: Timestamp::EPOCH,
        len_bytes: 0,
        xattrs: Xattrs::new(),
    }
}

fn write(at: &Path, name: &str, members: &[(&str, Kind)]) {
    let mut writer = Writer::new(File::create(at.join(name)).unwrap());
    for (path, kind) in members {
        writer.append(&entry(path, kind.clone()), std::io::empty()).unwrap();
    }
    writer.finish().unwrap();
}

fn layer_merge(at: &Path, layers: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_layer-merge")).args(layers).current_dir(at).output().unwrap()
}

#[test]
fn what_no_tree_takes_is_refused_in_the_words_of_layer_apply() {
    let (directory, file) = (|| Kind::Directory, || Kind::File);
    let link = |target: &str| Kind::HardLink { target: target.into() };
    let symlink = |target: &str| Kind::Symlink { target: target.into() };
    let layers: &[&[(&str, Kind)]] = &[
        &[("../a", file())],
        &[("a/.wh.", file())],
        &[(".wh.a/b", file())],
        &[(".", symlink("a"))],
        &[("a", Kind::CharDevice { major: 0, minor: 0 })],
        &[("a", link("../b"))],
        &[("a", link(".wh..wh.plnk/1"))],
        &[("a", link(".wh.b"))],
        &[("a", link("/"))],
        &[("d", directory()), ("a", link("d"))],
        &[("a", link("b")), (".wh.b", file())],
        &[("a", link("a"))],
        &[("a", link("b")), ("b", link("a"))],
        &[("d/f", file()), ("d", link("d/g"))],
        &[("s", symlink("s")), ("s/f", file())],
        &[("d", file()), ("s", symlink("d/../e")), ("s/f", file())],
        &[("d", file()), ("d/f", file()), ("a", link("d"))],
    ];
    for members in layers {
        let scratch = tempfile::tempdir().unwrap();
        write(scratch.path(), "layer.tar", members);
        write(scratch.path(), "other.tar", &[("after", Kind::Directory)]);
        let root = scratch.path().join("root");
        std::fs::create_dir(&root).unwrap();
        let options = apply::Options {
            ownership: apply::Ownership::of_process(),
            ..apply::Options::default()
        };
        let layer = File::open(scratch.path().join("layer.tar")).unwrap();
        let refused = apply::apply(&Root::open(&root).unwrap(), layer, &options).unwrap_err();
        let said = format!("layer-merge: {}", Failure::about("layer.tar", refused).line());
        let output = layer_merge(scratch.path(), &["layer.tar", "other.tar"]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), stderr.trim_end()), (Some(2), &said[..]), "{members:?}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_link_to_a_file_of_the_tree_that_is_then_changed_cannot_be_said() {
    let scratch = tempfile::tempdir().unwrap();
    let link = Kind::HardLink { target: b"usr/file".to_vec() };
    write(scratch.path(), "link", &[("name", link)]);
    write(scratch.path(), "deletes", &[(".wh.usr", Kind::File)]);
    write(scratch.path(), "makes", &[("usr/file/below", Kind::Directory)]);
    write(scratch.path(), "spares", &[("usr/other", Kind::File)]);
    assert_eq!(layer_merge(scratch.path(), &["link", "spares"]).status.code(), Some(0));
    for other in ["deletes", "makes"] {
        let output = layer_merge(scratch.path(), &["link", other]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains("one layer cannot say this"), "{other}: {stderr}");
        assert_eq!(output.status.code(), Some(2));
    }
}

#[test]
fn content_is_not_kept_in_memory() {
    let scratch = tempfile::tempdir().unwrap();
    let mut big = entry("big", Kind::File);
    big.len_bytes = 1 << 28;
    let mut writer = Writer::new(File::create(scratch.path().join("big.tar")).unwrap());
    writer.append(&big, std::io::repeat(0).take(big.len_bytes)).unwrap();
    writer.finish().unwrap();
    write(scratch.path(), "small.tar", &[("small", Kind::File)]);
    let script = "ulimit -v 131072 && \"$0\" big.tar small.tar | wc -c";
    let output = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_layer-merge")])
        .current_dir(scratch.path())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    let len: u64 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
    assert_eq!(len, (1 << 28) + 4 * 512);
}
