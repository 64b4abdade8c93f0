//! Our tar reader and writer before other implementations: GNU tar, bsdtar
//! (libarchive) and Python's tarfile read what we write, we read what they write,
//! and where an archive has been tampered with we see what they see or refuse it.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test fails by panicking")]

mod frames;
mod gnu;
mod judge;
mod sample;
mod tamper;
mod tree;

use std::ffi::OsStr;
use std::fmt::Debug;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;

use common::compression::{Decoder, Format, MaxSize};
use common::tar::{Kind, Writer};
use common::time::Timestamp;
use proptest::prelude::*;

use frames::Frames;
use judge::{Python, installed, ours, seen};
use sample::Member;

fn archive(members: &[Member]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (entry, content) in members {
        writer.append(entry, &content[..]).unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn python_reads_what_we_write() {
    let Some(mut python) = Python::start() else { return };
    let mut runner = sample::runner(1);
    let strategy = prop::collection::vec(sample::member(), 0..6);
    for _ in 0..300 {
        let members = sample::draw(&mut runner, &strategy);
        let theirs = python.judge(&archive(&members)).unwrap();
        assert_eq!(theirs, seen(&members));
    }
}

#[test]
fn gnu_tar_reads_what_we_write() {
    if !installed("tar") {
        return;
    }
    let mut runner = sample::runner(2);
    let strategy = prop::collection::vec(sample::member(), 0..12);
    for _ in 0..150 {
        let members = sample::draw(&mut runner, &strategy);
        let bytes = archive(&members);
        let theirs = gnu::list(&bytes).unwrap();
        assert_eq!(theirs, gnu::as_listed(&seen(&members)));
        assert_eq!(gnu::content(&bytes).unwrap(), content(&members));
    }
}

/// The content of all members, one after the other.
fn content(members: &[Member]) -> Vec<u8> {
    members.iter().flat_map(|(_, content)| content.clone()).collect()
}

#[test]
fn gnu_tar_extracts_times_as_we_write_them() {
    if !installed("tar") {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let times = [(-6, 500_000_000), (-1, 999_999_999), (1, 1), (1 << 33, 0), (1 << 33, 5)];
    let members: Vec<Member> = times
        .into_iter()
        .enumerate()
        .map(|(index, (seconds, nanoseconds))| {
            let mut entry = sample::file(&format!("f{index}"), b"");
            entry.mtime = Timestamp { seconds, nanoseconds };
            (entry, Vec::new())
        })
        .collect();
    let mut tar = Command::new("tar");
    judge::filter(tar.args(["-xf", "-", "-C"]).arg(scratch.path()), &archive(&members)).unwrap();
    for (index, expected) in times.into_iter().enumerate() {
        let metadata = std::fs::metadata(scratch.path().join(format!("f{index}"))).unwrap();
        assert_eq!((metadata.mtime(), u32::try_from(metadata.mtime_nsec()).unwrap()), expected);
    }
}

#[test]
fn bsdtar_reads_what_we_write() {
    if !installed("bsdtar") {
        return;
    }
    let mut runner = sample::runner(2);
    let strategy = prop::collection::vec(sample::member(), 0..12);
    for _ in 0..150 {
        let members = sample::draw(&mut runner, &strategy);
        let theirs = judge::bsdtar(&archive(&members)).unwrap();
        assert_eq!(seen(&ours(&theirs).unwrap()), seen(&members));
    }
}

#[test]
fn we_read_what_the_peers_write() {
    let Some(mut python) = Python::start() else { return };
    let (gnu, libarchive) = (installed("tar"), installed("bsdtar"));
    let scratch = tempfile::tempdir().unwrap();
    tree::plant(scratch.path());
    for (name, archive) in tree::archives(scratch.path()) {
        let members = ours(&archive).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        let seen = seen(&members);
        assert_same(&name, &seen, &python.judge(&archive).unwrap());
        if gnu {
            assert_same(&name, &gnu::as_listed(&seen), &gnu::list(&archive).unwrap());
        }
        if libarchive {
            let theirs = ours(&judge::bsdtar(&archive).unwrap()).unwrap();
            assert_same(&name, &seen, &judge::seen(&theirs));
        }
        for (entry, content) in &members {
            if entry.kind == Kind::File {
                let path = scratch.path().join(OsStr::from_bytes(&entry.path));
                assert!(std::fs::read(&path).unwrap() == *content, "{name}: {}", path.display());
            }
        }
    }
}

/// What Go's archive/tar writes, and with it docker, containerd and umoci, is what
/// we write of the same members: equal layers have equal digests.
#[test]
fn go_writes_the_bytes_that_we_write() {
    if !installed("umoci") {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    tree::plant(scratch.path());
    let umoci = |args: &[&str]| {
        let mut command = Command::new("umoci");
        judge::filter(command.args(args).current_dir(scratch.path()), b"").unwrap()
    };
    umoci(&["init", "--layout", "image"]);
    umoci(&["new", "--image", "image:a"]);
    umoci(&["insert", "--rootless", "--image", "image:a", "t", "/"]);
    let blobs = std::fs::read_dir(scratch.path().join("image/blobs/sha256")).unwrap();
    let layers: Vec<Vec<u8>> = blobs
        .map(|blob| std::fs::File::open(blob.unwrap().path()).unwrap())
        .map(|blob| Decoder::new(blob, MaxSize::default().growth(None)).unwrap())
        .filter(|decoder| decoder.format() == Format::Gzip)
        .map(|mut decoder| {
            let mut layer = Vec::new();
            decoder.read_to_end(&mut layer).unwrap();
            layer
        })
        .collect();
    let [layer] = &layers[..] else { panic!("{} layers", layers.len()) };
    // umoci leaves out the end-of-archive marker, and the padding before it.
    let mut whole = layer.clone();
    whole.resize(layer.len().next_multiple_of(512) + 1024, 0);
    let members = ours(&whole).unwrap();
    assert!(members.len() > 12);
    let rewritten = archive(&members);
    let differs = layer.iter().zip(&rewritten).position(|(a, b)| a != b);
    assert_eq!(differs.map(|at| at / 512 * 512), None, "the block that differs");
    assert_eq!(whole.len(), rewritten.len());
}

/// Compares member by member, so that a difference can be read.
fn assert_same<T: PartialEq + Debug>(name: &str, ours: &[T], theirs: &[T]) {
    for (our, their) in ours.iter().zip(theirs) {
        assert_eq!(our, their, "{name}");
    }
    assert_eq!(ours.len(), theirs.len(), "{name}");
}

#[test]
fn tampered_archives_are_seen_as_the_peers_see_them_or_refused() {
    let Some(mut python) = Python::start() else { return };
    if !installed("tar") || !installed("bsdtar") {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    tree::plant(scratch.path());
    let mut archives: Vec<_> = tree::archives(scratch.path());
    let rounds = setting("LAYERUTILS_TEST_ROUNDS", 600);
    let mut runner = sample::runner(setting("LAYERUTILS_TEST_SEED", 3) as u8);
    let strategy = prop::collection::vec(sample::member(), 1..5);
    for round in 0..8 {
        let members = sample::draw(&mut runner, &strategy);
        archives.push((format!("ours {round}"), archive(&members)));
    }
    archives.retain(|(_, archive)| archive.len() < 400_000);
    let sparse = archives.iter().filter(|(name, _)| name.contains("sparse"));
    assert_eq!(sparse.count(), 5, "too large to tamper with");
    let archives: Vec<_> = archives
        .into_iter()
        .map(|(name, archive)| (name, tamper::places(&archive), archive))
        .collect();
    let mut accepted = [0_usize; 3];
    for round in 0..rounds {
        let (name, places, archive) = &archives[round % archives.len()];
        let tampered = tamper::tamper(&mut runner, archive, places);
        let Ok(members) = ours(&tampered) else { continue };
        let frames = Frames::of(&tampered);
        let judged = frames.without_globals(&tampered);
        assert_eq!(ours(&judged).unwrap(), members, "global headers change nothing");
        let seen = seen(&members);
        let name = format!("{name}, round {round}");
        if let Ok(theirs) = python.judge(&judged) {
            accepted[0] += 1;
            check(&name, "python", &tampered, &seen, &theirs);
        }
        if let Ok(mut theirs) = gnu::list(&judged) {
            accepted[1] += 1;
            let mut listed = gnu::as_listed(&seen);
            let framed = frames.framed_by_gnu_tar();
            if framed < members.len() {
                listed.truncate(framed);
                theirs.truncate(framed);
            } else {
                let same = frames.is_content(&gnu::content(&judged).unwrap(), &members);
                check(&name, "content by tar", &tampered, &[true], &[same]);
            }
            check(&name, "tar", &tampered, &listed, &theirs);
        }
        if !frames.libarchive_sees_links() {
            continue;
        }
        if let Ok(theirs) = judge::bsdtar(&judged) {
            accepted[2] += 1;
            check(&name, "bsdtar", &tampered, &seen, &judge::seen(&ours(&theirs).unwrap()));
        }
    }
    eprintln!("{rounds} tampered archives, accepted by us and [python, tar, bsdtar]: {accepted:?}");
    assert!(accepted.iter().all(|&count| count > rounds / 10), "too few to tell");
}

fn check<T: PartialEq + Debug>(name: &str, peer: &str, archive: &[u8], ours: &[T], theirs: &[T]) {
    if ours != theirs {
        let kept = concat!(env!("CARGO_TARGET_TMPDIR"), "/differs.tar");
        std::fs::write(kept, archive).unwrap();
        eprintln!("{peer} differs: see {kept}");
    }
    assert_same(&format!("{peer} on {name}"), ours, theirs);
}

/// A number from the environment: more rounds, or other ones, than in every run.
fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}
