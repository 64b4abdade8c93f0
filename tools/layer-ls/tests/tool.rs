//! The program itself: what it prints of a layer that has one of everything.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::tar::{Entry, Kind, Writer, Xattrs};
use common::time::Timestamp;

fn entry(path: &[u8], kind: Kind, mode: u32) -> Entry {
    let (mtime, xattrs) = (Timestamp { seconds: 3600, nanoseconds: 5 }, Xattrs::new());
    Entry { path: path.into(), kind, mode, uid: 1, gid: 20, mtime, len_bytes: 0, xattrs }
}

fn layer() -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    let mut file = entry(b"d/f\n\xff", Kind::File, 0o4755);
    file.len_bytes = 3;
    file.xattrs.insert(b"user.n".to_vec(), b"1".to_vec());
    for (entry, content) in [
        (entry(b"d/", Kind::Directory, 0o755), ""),
        (entry(b"d/.wh..wh..opq", Kind::File, 0), ""),
        (entry(b"d/.wh.gone", Kind::File, 0), ""),
        (file, "abc"),
        (entry(b"d/h", Kind::HardLink { target: b"d/s".to_vec() }, 0o644), ""),
        (entry(b"d/l", Kind::Symlink { target: b"../x".to_vec() }, 0o777), ""),
        (entry(b"null", Kind::CharDevice { major: 1, minor: 3 }, 0o666), ""),
    ] {
        writer.append(&entry, content.as_bytes()).unwrap();
    }
    writer.finish().unwrap()
}

fn layer_ls(at: &Path, arguments: &[&str], input: Option<&str>) -> Output {
    let input = input.map_or(Stdio::null(), |name| File::open(at.join(name)).unwrap().into());
    Command::new(env!("CARGO_BIN_EXE_layer-ls"))
        .args(arguments)
        .current_dir(at)
        .env_clear()
        .stdin(input)
        .output()
        .unwrap()
}

fn scratch() -> tempfile::TempDir {
    let scratch = tempfile::tempdir().unwrap();
    fs::write(scratch.path().join("layer.tar"), layer()).unwrap();
    scratch
}

#[test]
fn names_are_printed_as_they_are_stored() {
    let scratch = scratch();
    let names = layer_ls(scratch.path(), &[], Some("layer.tar"));
    let expected = b"d/\nd/.wh..wh..opq\nd/.wh.gone\nd/f\n\xff\nd/h\nd/l\nnull\n";
    assert_eq!(names.stdout, expected);
    let names = layer_ls(scratch.path(), &["-0", "layer.tar"], None);
    assert_eq!(names.stdout.split(|&byte| byte == 0).nth(3), Some(&b"d/f\n\xff"[..]));
}

#[test]
fn the_long_form_shows_what_is_deleted_and_a_total() {
    let scratch = scratch();
    let output = layer_ls(scratch.path(), &["-l", "layer.tar"], None);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let expected = "\
drwxr-xr-x  1/20                0 1970-01-01 01:00:00 d/
opaque     d/ (nothing below shows)
whiteout   d/gone (deleted)
-rwsr-xr-x+ 1/20                3 1970-01-01 01:00:00 d/f\n\u{fffd} [user.n]
hrw-r--r--  1/20                0 1970-01-01 01:00:00 d/h link to d/s
lrwxrwxrwx  1/20                0 1970-01-01 01:00:00 d/l -> ../x
crw-rw-rw-  1/20              1,3 1970-01-01 01:00:00 null
total 7 entries, 3 bytes, 2 whiteouts
";
    assert_eq!(text, expected);
}

#[test]
fn what_there_is_one_of_is_counted_in_the_singular() {
    let scratch = scratch();
    let mut file = entry(b"file", Kind::File, 0o644);
    file.len_bytes = 1;
    let whiteout = entry(b".wh.gone", Kind::File, 0);
    for (members, total) in [
        (vec![], "total 0 entries, 0 bytes, 0 whiteouts\n"),
        (vec![file.clone()], "total 1 entry, 1 byte, 0 whiteouts\n"),
        (vec![file, whiteout], "total 2 entries, 1 byte, 1 whiteout\n"),
    ] {
        let mut writer = Writer::new(Vec::new());
        for entry in &members {
            writer.append(entry, &b"x"[..usize::from(entry.len_bytes == 1)]).unwrap();
        }
        fs::write(scratch.path().join("few.tar"), writer.finish().unwrap()).unwrap();
        let output = layer_ls(scratch.path(), &["-l", "few.tar"], None);
        assert!(output.stdout.ends_with(total.as_bytes()), "{output:?}");
    }
}

#[test]
fn json_says_what_a_whiteout_hides() {
    let scratch = scratch();
    let output = layer_ls(scratch.path(), &["--json", "layer.tar"], None);
    let objects: Vec<serde_json::Value> = output
        .stdout
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    let opaque = serde_json::json!({"kind": "opaque", "path": "d/.wh..wh..opq", "hides": "d/"});
    assert_eq!(objects[1], opaque);
    assert_eq!(objects[2]["hides"], "d/gone");
    assert_eq!(objects[3]["path_base64"], "ZC9mCv8=");
    assert_eq!((&objects[3]["size"], &objects[3]["mode"]), (&3.into(), &"4755".into()));
}

#[test]
fn a_damaged_layer_does_not_keep_the_others_from_being_listed() {
    let scratch = scratch();
    let mut damaged = layer();
    damaged.truncate(700);
    fs::write(scratch.path().join("damaged.tar"), damaged).unwrap();
    let arguments = ["layer.tar", "damaged.tar", "missing.tar", "layer.tar"];
    let output = layer_ls(scratch.path(), &arguments, None);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(output.stdout.windows(5).filter(|bytes| bytes == b"null\n").count(), 2);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].starts_with("layer-ls: damaged.tar: "), "{text}");
    assert!(lines[1].starts_with("layer-ls: missing.tar: "), "{text}");
}

#[test]
fn a_heading_stands_only_over_a_layer_that_is_there() {
    let scratch = scratch();
    let arguments = ["-l", "missing.tar", "layer.tar", "gone.tar", "layer.tar"];
    let output = layer_ls(scratch.path(), &arguments, None);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.starts_with("layer.tar:\n"), "{text}");
    assert_eq!(text.matches("\n\nlayer.tar:\n").count(), 1, "{text}");
    assert_eq!(text.lines().filter(|line| line.ends_with(".tar:")).count(), 2, "{text}");
}

#[test]
fn of_several_layers_json_says_which() {
    let scratch = scratch();
    let output = layer_ls(scratch.path(), &["--json", "layer.tar", "./layer.tar"], None);
    let text = String::from_utf8(output.stdout).unwrap();
    let count = |layer: &str| text.matches(&format!("\"layer\":\"{layer}\"")).count();
    assert_eq!((count("layer.tar"), count("./layer.tar"), text.lines().count()), (7, 7, 14));
}

#[test]
fn content_is_not_kept_in_memory() {
    let scratch = scratch();
    let mut file = entry(b"big", Kind::File, 0o644);
    file.len_bytes = 1 << 28;
    let mut writer = Writer::new(File::create(scratch.path().join("big.tar")).unwrap());
    writer.append(&file, std::io::repeat(0).take(file.len_bytes)).unwrap();
    writer.finish().unwrap();
    let script = "ulimit -v 131072 && exec \"$0\" -l <big.tar";
    let output = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_layer-ls")])
        .current_dir(scratch.path())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert!(output.stdout.ends_with(b"total 1 entry, 268435456 bytes, 0 whiteouts\n"));
}

#[test]
fn a_layer_without_its_marker_needs_an_option() {
    let scratch = scratch();
    let layer = layer();
    fs::write(scratch.path().join("cut.tar"), &layer[..layer.len() - 1024]).unwrap();
    let output = layer_ls(scratch.path(), &["cut.tar"], None);
    let expected = "layer-ls: cut.tar: the archive ends without its end-of-archive marker \
                    (archive member at byte 11264)\n\
                    layer-ls: hint: if it is known to be whole, use --allow-missing-end\n";
    assert_eq!(String::from_utf8(output.stderr).unwrap(), expected);
    let output = layer_ls(scratch.path(), &["--allow-missing-end", "cut.tar"], None);
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}

#[test]
fn what_is_no_archive_is_named() {
    let scratch = scratch();
    for (name, bytes, kind) in [
        ("empty", &b""[..], "empty"),
        ("page", b"<html></html>\n", "text"),
        ("zip", b"PK\x03\x04", "a zip archive"),
    ] {
        fs::write(scratch.path().join(name), bytes).unwrap();
        let output = layer_ls(scratch.path(), &[name], None);
        let expected = format!("layer-ls: {name}: not a tar archive: it is {kind}\n");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), expected);
    }
}
