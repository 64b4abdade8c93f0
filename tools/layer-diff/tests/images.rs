//! `layer-diff --image` through its binary: what is refused, and in which words. That
//! the layers are right is law 1's.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use common::digest::Digest;
use common::oci::ImageConfig;
use common::tar::{Entry, Kind, Limits, Reader, Whole, Writer, Xattrs};
use common::time::Timestamp;
use layerutils_tests::place::Place;

/// An id that nobody has.
const USER: u32 = 54_326;

fn layer(members: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (path, content) in members {
        let (path, kind, xattrs) = (path.as_bytes().to_vec(), Kind::File, Xattrs::new());
        let (mtime, len_bytes) = (Timestamp::EPOCH, content.len() as u64);
        let entry = Entry { path, kind, mode: 0o644, uid: 0, gid: 0, mtime, len_bytes, xattrs };
        writer.append(&entry, content.as_bytes()).unwrap();
    }
    writer.finish().unwrap()
}

fn place(layers: &[(&str, &[Vec<u8>])]) -> Place {
    let place = Place::new(env!("CARGO_BIN_EXE_layer-diff"));
    for (name, layers) in layers {
        let layers: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
        let config = ImageConfig::scratch(&"linux/amd64".parse().unwrap());
        place.put(&[name], config, &layers, |_| {});
    }
    place
}

#[test]
fn changes_are_listed_as_those_of_trees_are() {
    let base = layer(&[("a", "1"), ("b", "2"), ("d/x", "3")]);
    let change = layer(&[("a", "9"), (".wh.b", ""), ("d/.wh.x", ""), ("e", "4")]);
    let place = place(&[("old", std::slice::from_ref(&base)), ("new", &[base.clone(), change])]);
    let listed = place.done(&["--list", "--image", "old", "new"]);
    assert_eq!(listed, "D /b\nC /a\nC /d\nD /d/x\nA /e\n");
    let status = |args: &[&str]| place.run(args, b"").status.code().unwrap();
    assert_eq!(status(&["--exit-code", "--list", "--image", "old", "new"]), 1);
    assert_eq!(status(&["--exit-code", "--list", "--image", "old", "old"]), 0);
}

#[test]
fn lists_of_access_are_mapped_as_owners_are() {
    // To root all ids are its own, so it is another user whose id becomes 0.
    let of_caller = match rustix::process::geteuid() {
        own if own.is_root() => USER,
        own => own.as_raw(),
    };
    // A version, then the owner, a user by name, the group, the mask and others.
    let list = |user: u32| {
        let [a, b, c, d] = user.to_le_bytes();
        let entry = |tag: u8, id: [u8; 4]| [&[tag, 0, 4, 0][..], &id].concat();
        let none = [0xff; 4];
        let entries = [(1, none), (2, [a, b, c, d]), (4, none), (16, none), (32, none)];
        let entries = entries.map(|(tag, id)| entry(tag, id)).concat();
        [&[2, 0, 0, 0][..], &entries].concat()
    };
    let name = b"system.posix_acl_access".to_vec();
    let xattrs = Xattrs::from([(name.clone(), list(of_caller))]);
    let mut writer = Writer::new(Vec::new());
    let (path, kind, mtime) = (b"a".to_vec(), Kind::File, Timestamp::EPOCH);
    let ids = (of_caller, of_caller);
    let entry =
        Entry { path, kind, mode: 0o644, uid: ids.0, gid: ids.1, mtime, len_bytes: 0, xattrs };
    writer.append(&entry, &b""[..]).unwrap();
    let place = place(&[("old", &[layer(&[])]), ("new", &[writer.finish().unwrap()])]);
    let tool = place.path("layer-diff");
    fs::copy(env!("CARGO_BIN_EXE_layer-diff"), &tool).unwrap();
    let mut command = Command::new(&tool);
    if of_caller == USER {
        let all = ["-R", &of_caller.to_string()];
        assert!(Command::new("chown").args(all).arg(place.path("")).status().unwrap().success());
        command.uid(of_caller).gid(of_caller);
    }
    command.args(["--owner", "map", "--image", "old", "new"]).env_clear();
    command.env("LAYERUTILS_STORE", place.path("store")).current_dir(place.path(""));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let mut reader = Reader::new(&output.stdout[..], Limits::default(), Whole::ByMarker);
    let mut entries = std::iter::from_fn(|| reader.next_entry().unwrap());
    let mut found = entries.find(|entry| entry.path == b"a").unwrap();
    assert_eq!((found.uid, found.xattrs.remove(&name)), (0, Some(list(0))));
}

#[test]
fn bad_images_are_told_in_one_line_and_leave_nothing() {
    let good = layer(&[("a", "1")]);
    let bad = layer(&[("x/.wh.", "")]);
    let place = place(&[("good", &[good]), ("bad", &[bad])]);
    for operands in [["good", "bad"], ["bad", "good"]] {
        let args = [&["-o", "x.tar", "--image"], &operands[..]].concat();
        let refused = place.failed(&args).1;
        assert!(refused.starts_with("layer-diff: bad: layer sha256:"), "{refused}");
        assert_eq!(refused.lines().count(), 1);
        assert!(!place.path("x.tar").exists());
    }
    let missing = place.failed(&["--list", "--image", "good", "nothing"]).1;
    assert!(missing.starts_with("layer-diff: nothing: no such image"), "{missing}");
    let alone = place.failed(&["--list", "--verify", "good", "good"]).1;
    assert!(alone.contains("--image"), "{alone}");
}

#[test]
fn content_that_is_damaged_is_found_where_everything_is_checked() {
    let (one, other) = (layer(&[("a", "one")]), layer(&[("a", "two")]));
    let place = place(&[("old", &[one]), ("new", std::slice::from_ref(&other))]);
    let _ = place.done(&["--list", "--image", "old", "new"]);
    let blob = place.store().blob_path(&Digest::of(&other));
    let mut bytes = fs::read(&blob).unwrap();
    let at = bytes.windows(3).position(|part| part == b"two").unwrap();
    bytes[at] = b'T';
    fs::write(&blob, bytes).unwrap();
    let refused = place.failed(&["--list", "--verify", "--image", "old", "new"]).1;
    assert!(refused.contains("digest mismatch"), "{refused}");
}
