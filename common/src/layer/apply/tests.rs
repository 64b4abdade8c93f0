//! The engine on trees in memory's reach: rules that need no hostile archive.
//! Hostile ones, and comparisons with other programs, are in the tool's tests.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use super::{Applied, Error, Expected, Options, Ownership, apply, apply_stream, apply_verified};
use crate::digest::{DiffId, Digest};
use crate::root::Root;
use crate::tar::{Entry, Kind, Writer, Xattrs};
use crate::time::Timestamp;

fn entry(path: &str, kind: Kind) -> Entry {
    Entry {
        path: path.into(),
        kind,
        mode: 0o755,
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
        mtime: Timestamp { seconds: 1_000_000_000, nanoseconds: 5 },
        len_bytes: 0,
        xattrs: Xattrs::new(),
    }
}

fn layer(members: &[(&str, Kind, &str)]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (path, kind, content) in members {
        let mut entry = entry(path, kind.clone());
        entry.len_bytes = content.len() as u64;
        writer.append(&entry, content.as_bytes()).unwrap();
    }
    writer.finish().unwrap()
}

fn options() -> Options {
    Options { ownership: Ownership::of_process(), ..Options::default() }
}

/// Applies layers one after the other, with and without openat2(2).
fn applied(layers: &[Vec<u8>], check: impl Fn(&Path)) {
    for openat2 in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        for layer in layers {
            let root = Root::open(folder.path()).unwrap();
            let root = if openat2 { root } else { root.without_openat2() };
            apply(&root, &layer[..], &options()).unwrap();
        }
        check(folder.path());
    }
}

fn exists(path: impl AsRef<Path>) -> bool {
    fs::symlink_metadata(path).is_ok()
}

#[test]
fn whiteouts_hide_lower_content_and_nothing_of_their_own_layer() {
    let lower = layer(&[
        ("a", Kind::Directory, ""),
        ("a/gone", Kind::File, "lower"),
        ("a/replaced", Kind::File, "lower"),
        ("b/gone", Kind::File, "lower"),
        ("c", Kind::File, "lower"),
    ]);
    let members = [
        ("a/kept", Kind::File, "upper"),
        ("a/replaced", Kind::File, "upper"),
        ("a/.wh..wh..opq", Kind::File, ""),
        (".wh.b", Kind::File, ""),
        ("b/kept", Kind::File, "upper"),
        (".wh.c", Kind::File, ""),
        (".wh.never", Kind::File, ""),
        ("no/where/.wh.never", Kind::File, ""),
    ];
    let mut reversed = members.clone();
    reversed.reverse();
    for members in [members, reversed] {
        applied(&[lower.clone(), layer(&members)], |top| {
            assert_eq!(fs::read(top.join("a/replaced")).unwrap(), b"upper");
            assert!(exists(top.join("a/kept")) && exists(top.join("b/kept")));
            assert!(exists(top.join("no/where")));
            for gone in ["a/gone", "b/gone", "c", "no/where/.wh.never", ".wh.c"] {
                assert!(!exists(top.join(gone)), "{gone}");
            }
        });
    }
}

#[test]
fn directories_get_their_times_and_modes_in_the_end() {
    let lower = layer(&[("ro", Kind::Directory, ""), ("ro/old", Kind::File, "")]);
    let upper = layer(&[("ro/new", Kind::File, "")]);
    applied(&[lower, upper], |top| {
        let metadata = fs::metadata(top.join("ro")).unwrap();
        assert_eq!((metadata.mtime(), metadata.mtime_nsec()), (1_000_000_000, 5));
        assert_eq!(metadata.permissions().mode() & 0o7777, 0o755);
        assert!(exists(top.join("ro/new")));
    });
}

#[test]
fn a_layer_from_a_stream_is_hashed_in_both_forms() {
    let plain = layer(&[("file", Kind::File, "content")]);
    let mut encoder =
        crate::compression::Encoder::new(Vec::new(), crate::compression::Format::Gzip, None)
            .unwrap();
    std::io::Write::write_all(&mut encoder, &plain).unwrap();
    let packed = encoder.finish().unwrap();
    for stream in [&plain, &packed] {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        let Applied { digest, diff_id, len_bytes, archive_len_bytes, .. } =
            apply_stream(&root, &stream[..], &options()).unwrap();
        assert_eq!((digest, len_bytes), (Digest::of(stream), stream.len() as u64));
        assert_eq!(diff_id, DiffId(Digest::of(&plain)));
        assert_eq!(archive_len_bytes, plain.len() as u64);
        let wrong = Expected { diff_id: Some(DiffId(Digest::of(b""))), ..Expected::default() };
        let outcome = apply_verified(&root, &stream[..], &options(), &wrong);
        assert!(matches!(outcome, Err(Error::DiffId { .. })));
    }
}

#[test]
fn an_error_in_the_tree_ends_the_reading_of_a_long_stream() {
    let endless = layer(&[("../escape", Kind::File, "")]);
    let stream = std::io::Read::chain(&endless[..], std::io::repeat(0));
    let folder = tempfile::tempdir().unwrap();
    let root = Root::open(folder.path()).unwrap();
    let error = apply_stream(&root, stream, &options()).unwrap_err();
    assert!(matches!(error, Error::Entry { .. }), "{error:?}");
}

#[test]
fn marked_files_are_whiteouts_where_devices_are_refused() {
    use super::Form;
    use super::engine::Engine;
    use crate::mount::Namespace;
    let base = layer(&[
        ("etc/gone", Kind::File, ""),
        ("etc/kept", Kind::File, ""),
        ("opaque/gone", Kind::File, ""),
        ("top", Kind::File, ""),
    ]);
    let upper = layer(&[
        ("etc/.wh.gone", Kind::File, ""),
        ("opaque/.wh.gone", Kind::File, ""),
        ("opaque/.wh..wh..opq", Kind::File, ""),
        ("etc/new", Kind::File, ""),
        (".wh.top", Kind::File, ""),
    ]);
    let form = Form::Overlay { namespace: Namespace::User, lowers: Vec::new().into() };
    let options = Options { form, ..options() };
    let folder = tempfile::tempdir().unwrap();
    for (name, layer) in [("base", base), ("upper", upper)] {
        fs::create_dir(folder.path().join(name)).unwrap();
        let root = Root::open(&folder.path().join(name)).unwrap();
        let mut engine = Engine::new(&root, &options);
        engine.marks_whiteouts = true;
        let mut reader = crate::tar::Reader::new(&layer[..], options.limits, options.whole);
        while let Some(entry) = reader.next_entry().unwrap() {
            engine.entry(&entry, &mut reader.content()).unwrap();
        }
        engine.finish().unwrap();
    }
    let mark = |path: &str, name: &str| {
        let mut value = [0_u8; 8];
        let path = folder.path().join("upper").join(path);
        let len = rustix::fs::lgetxattr(path, name, &mut value[..]).unwrap();
        value[..len].to_vec()
    };
    assert_eq!(mark("etc/gone", "user.overlay.whiteout"), b"y");
    assert_eq!(mark("etc", "user.overlay.opaque"), b"x");
    assert_eq!(mark("opaque", "user.overlay.opaque"), b"y");
    assert!(!exists(folder.path().join("upper/opaque/gone")));

    // What the kernel makes of them, where it lets us mount.
    fs::create_dir(folder.path().join("mnt")).unwrap();
    let script = "mount -t overlay -o userxattr,lowerdir=upper:base overlay mnt || exit 77; \
                  cd mnt && find . | sort";
    let unshare = std::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .current_dir(folder.path())
        .env("LC_ALL", "C")
        .output();
    match unshare {
        Ok(output) if output.status.success() => {
            let seen = String::from_utf8(output.stdout).unwrap();
            assert_eq!(seen, ".\n./etc\n./etc/kept\n./etc/new\n./opaque\n");
        }
        other => crate::testing::skip(&format!("cannot mount an overlay here: {other:?}")),
    }
}
