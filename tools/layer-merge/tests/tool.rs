//! The program itself: what it refuses, and what it needs.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Output};

use common::cli::Failure;
use common::compression::{Encoder, Format};
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
        &[(".wh..wh.plnk/1", file()), ("a", link(".wh..wh.plnk/2"))],
        &[("a", link(".wh..wh.plnk/1/2"))],
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

/// Runs the tool in an address space of 128 MiB, and gives the length of its output.
fn merged_len_in_little_memory(at: &Path, command: &str) -> u64 {
    let script = format!("ulimit -v 131072 && {command} | wc -c");
    let output = Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_layer-merge")])
        .current_dir(at)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

/// A layer with a sparse file of this length, all of it a hole.
fn write_hole(at: &Path, name: &str, len_bytes: u64) {
    let records = [format!("size={len_bytes}"), "numblocks=0".into(), "map=".into()];
    let records = records.map(|record| {
        // The length counts its own two digits.
        let record = format!(" GNU.sparse.{record}\n");
        format!("{}{record}", record.len() + 2)
    });
    let records = records.concat();
    let header = |kind: u8, name: &str, size: usize| {
        let mut header = vec![0; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[100..107].copy_from_slice(b"0000644");
        header[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
        header[156] = kind;
        header[257..265].copy_from_slice(b"ustar\x0000");
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        header
    };
    let mut layer = [header(b'x', "records", records.len()), records.into_bytes()].concat();
    layer.resize(1024, 0);
    layer.extend(header(b'0', "hole", 0));
    layer.resize(2560, 0);
    std::fs::write(at.join(name), layer).unwrap();
}

#[test]
fn a_layer_grows_to_its_limit_and_its_holes_count() {
    let scratch = tempfile::tempdir().unwrap();
    write_hole(scratch.path(), "endless.tar", 1 << 62);
    write_hole(scratch.path(), "small.tar", 1 << 20);
    let merge = |arguments: &[&str]| {
        let output = layer_merge(scratch.path(), arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), output.stdout.len(), stderr)
    };
    let refused = |layer: &str, limit: u64| {
        let line = format!("the layer grows to more than the limit of {limit} bytes");
        let hint = "layer-merge: hint: allow more with --max-size SIZE";
        (Some(2), 0, format!("layer-merge: {layer}: {line}\n{hint}\n"))
    };
    assert_eq!(merge(&["--max-size=1M", "small.tar"]), (Some(0), (1 << 20) + 1536, String::new()));
    assert_eq!(merge(&["--max-size=1023K", "small.tar"]), refused("small.tar", 1023 << 10));
    // Only now: without a limit, this would not end.
    assert_eq!(merge(&["endless.tar"]), refused("endless.tar", 64 << 30));
    // Before anything of it is in the temporary file.
    let mut encoder =
        Encoder::new(File::create(scratch.path().join("big.gz")).unwrap(), Format::Gzip, Some(1))
            .unwrap();
    std::io::copy(&mut std::io::repeat(0).take(8 << 20), &mut encoder).unwrap();
    encoder.finish().unwrap();
    assert_eq!(merge(&["--max-size=1M", "big.gz"]), refused("big.gz", 1 << 20));
}

#[test]
fn content_is_not_kept_in_memory() {
    let scratch = tempfile::tempdir().unwrap();
    let file = |name: &str| File::create(scratch.path().join(name)).unwrap();
    let mut big = entry("big", Kind::File);
    big.len_bytes = 160 << 20;
    let content = || std::io::repeat(0).take(big.len_bytes);
    let mut writer = Writer::new(file("big.tar"));
    writer.append(&big, content()).unwrap();
    writer.finish().unwrap();
    let encoder = Encoder::new(file("big.tar.gz"), Format::Gzip, Some(1)).unwrap();
    let mut writer = Writer::new(encoder);
    writer.append(&big, content()).unwrap();
    writer.finish().unwrap().finish().unwrap();
    write(scratch.path(), "small.tar", &[("small", Kind::File)]);
    for command in [
        "\"$0\" big.tar small.tar",
        "cat big.tar | \"$0\" - small.tar",
        "\"$0\" small.tar - <big.tar.gz",
        "\"$0\" big.tar small.tar big.tar.gz big.tar",
    ] {
        assert_eq!(merged_len_in_little_memory(scratch.path(), command), (160 << 20) + 4 * 512);
    }
}

#[test]
fn extended_attributes_are_not_kept_in_memory() {
    let scratch = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(File::create(scratch.path().join("layer.tar")).unwrap());
    let xattrs: Xattrs = (0..14).map(|n| (format!("user.{n}").into(), vec![n; 60_000])).collect();
    for number in 0..240 {
        let kind = if number % 2 == 0 { Kind::File } else { Kind::Directory };
        let mut entry = entry(&format!("{number:03}"), kind);
        entry.xattrs.clone_from(&xattrs);
        writer.append(&entry, std::io::empty()).unwrap();
    }
    writer.finish().unwrap();
    let len = std::fs::metadata(scratch.path().join("layer.tar")).unwrap().len();
    assert!(len > 180 << 20);
    // As they are last, in the merged layer, too.
    for command in ["\"$0\" layer.tar", "\"$0\" layer.tar layer.tar"] {
        assert_eq!(merged_len_in_little_memory(scratch.path(), command), len);
    }
}
