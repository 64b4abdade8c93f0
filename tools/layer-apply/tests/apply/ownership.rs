//! Owners kept and dropped; what an ordinary user can do. Run as root, which sends
//! an ordinary user ahead.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::process::{Command, Output};

use common::layer::diff;
use common::tar;
use layerutils_tests::sandbox::{SubordinateUser, User, subordinate_user};

use crate::support::{
    Archive, Scratch, Way, feed, has_program, is_root, member, run, tool, xattrs,
};

/// Nobody's user and group.
const USER: u32 = 65534;

/// A scratch folder that belongs to an ordinary user, or nothing where none can be had.
fn scratch() -> Option<Scratch> {
    scratch_of(USER, USER)
}

fn scratch_of(uid: u32, gid: u32) -> Option<Scratch> {
    if !is_root("acting as another user") || !has_program("setpriv") {
        return None;
    }
    let scratch = Scratch::new(Way::Tool);
    let folder = scratch.beside("");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::chown(scratch.root(), Some(uid), Some(gid)).unwrap();
    Some(scratch)
}

/// The tool, run by the owner of the scratch folder.
fn as_user(scratch: &Scratch, arguments: &[&str], layer: &Archive) -> Output {
    let owner = scratch.stat("");
    let (uid, gid) = (owner.uid(), owner.gid());
    let mut command = Command::new("setpriv");
    command
        .args([&format!("--reuid={uid}"), &format!("--regid={gid}"), "--clear-groups"])
        .arg(tool().get_program())
        .args(arguments)
        .arg(scratch.root())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    feed(&mut command, &layer.bytes())
}

fn errors(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn an_ordinary_user_keeps_all_files_for_himself_and_is_told_once() {
    let Some(scratch) = scratch() else { return };
    fs::write(scratch.path("null"), "in the way").unwrap();
    let capability = b"\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let layer = Archive::new()
        .with(member("root", b'0').owner(0, 0).mode(0o4755).content("x"))
        .with(member("other", b'0').owner(1, 1).xattr("security.capability", capability))
        .with(member("mine", b'0').owner(USER, USER))
        .with(member("null", b'3').owner(0, 0).device(1, 3))
        .with(member("loop", b'4').owner(0, 0).device(7, 0))
        .with(member("fifo", b'6').owner(USER, USER))
        .with(member("made/x", b'0').owner(USER, USER));
    let output = as_user(&scratch, &[], &layer);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        errors(&output),
        "layer-apply: warning: owners of 1 entry not kept\n\
         layer-apply: warning: set-id bits of 1 file dropped: others could act as their owner\n\
         layer-apply: warning: 2 devices left out: making a device takes root\n\
         layer-apply: warning: extended attribute security.capability of 1 entry not kept: \
         that takes a privilege\n"
    );
    assert_eq!(scratch.names(), ["fifo", "made/", "made/x", "mine", "other", "root"]);
    let stat = scratch.stat("root");
    assert_eq!((stat.uid(), stat.mode() & 0o7777), (USER, 0o755));
    assert!(scratch.stat("fifo").file_type().is_fifo());
}

/// What is recorded of a file whose bits were dropped.
fn recorded(scratch: &Scratch, path: &str) -> Option<String> {
    let mut found = xattrs(&scratch.path(path));
    found.remove("user.containers.override_stat").map(|value| String::from_utf8(value).unwrap())
}

#[test]
fn set_id_bits_are_dropped_from_the_disk_and_recorded() {
    let Some(scratch) = scratch() else { return };
    let set_id = |path: &str, mode| member(path, b'0').owner(0, 0).mode(mode).content("x");
    let layer = Archive::new()
        .with(set_id("user", 0o4755))
        .with(set_id("group", 0o2711).owner(0, 42))
        .with(set_id("both", 0o6555).xattr("user.note", "1"))
        .with(set_id("large", 0o4711).content(vec![b'x'; 1 << 20]))
        .with(set_id("own", 0o4755).owner(USER, USER))
        .with(set_id("plain", 0o1644))
        .with(set_id("replaced", 0o4755))
        .with(member("link", b'1').link("user"))
        .with(member("dir", b'5').owner(0, 0).mode(0o2775))
        .with(member("dir/below", b'0').owner(0, 0));
    let later = Archive::new().with(set_id("replaced", 0o755)).with(set_id("gained", 0o4700));
    for (layer, count) in [(&layer, "6 files"), (&later, "1 file")] {
        let output = as_user(&scratch, &[], layer);
        assert!(output.status.success(), "{output:?}");
        let line =
            format!("warning: set-id bits of {count} dropped: others could act as their owner");
        assert_eq!(errors(&output).matches(&line).count(), 1, "{output:?}");
    }
    for (path, mode, record) in [
        ("user", 0o755, Some("0:0:04755")),
        ("link", 0o755, Some("0:0:04755")),
        ("group", 0o711, Some("0:42:02711")),
        ("both", 0o555, Some("0:0:06555")),
        ("large", 0o711, Some("0:0:04711")),
        // Nor does a layer choose whose programs others run.
        ("own", 0o755, Some("65534:65534:04755")),
        ("plain", 0o1644, None),
        ("replaced", 0o755, None),
        ("gained", 0o700, Some("0:0:04700")),
        // It gives no privilege.
        ("dir", 0o2775, None),
    ] {
        assert_eq!(scratch.stat(path).mode() & 0o7777, mode, "{path}");
        assert_eq!(recorded(&scratch, path).as_deref(), record, "{path}");
    }
    assert_eq!(scratch.stat("user").ino(), scratch.stat("link").ino());
}

#[test]
fn a_layer_of_what_an_ordinary_user_applied_has_the_set_id_bits() {
    for options in [&[][..], &["--overlay"]] {
        let Some(scratch) = scratch() else { return };
        let layer = Archive::new().with(member("x", b'0').owner(0, 0).mode(0o4755));
        let output = as_user(&scratch, options, &layer);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(scratch.stat("x").mode() & 0o7777, 0o755);
        let mut writer = diff::LayerWriter::new(Vec::new());
        match options {
            [] => diff::trees(None, &scratch.root(), &diff::Options::default(), &mut writer),
            _ => diff::overlay(&scratch.root(), &[], &diff::Options::default(), &mut writer),
        }
        .unwrap();
        let bytes = writer.finish().unwrap();
        let mut reader = tar::Reader::new(&bytes[..], tar::Limits::default(), tar::Whole::ByMarker);
        let mut entry = reader.next_entry().unwrap().unwrap();
        while entry.path != b"x" {
            entry = reader.next_entry().unwrap().unwrap();
        }
        assert_eq!((entry.mode, entry.uid, entry.xattrs.len()), (0o4755, 0, 0), "{options:?}");
    }
}

#[test]
fn a_linked_lower_file_keeps_what_is_recorded_of_it() {
    let Some(scratch) = scratch() else { return };
    fs::set_permissions(scratch.beside(""), fs::Permissions::from_mode(0o777)).unwrap();
    let lower = scratch.path("lower");
    let upper = scratch.path("upper");
    let apply = |options: &[&str], dir: &std::path::Path, layer: &Archive| {
        let mut command = Command::new("setpriv");
        command
            .args([&format!("--reuid={USER}"), &format!("--regid={USER}"), "--clear-groups"])
            .arg(tool().get_program())
            .args(options)
            .arg(dir);
        let output = feed(&mut command, &layer.bytes());
        assert!(output.status.success(), "{output:?}");
    };
    let base = Archive::new().with(member("x", b'0').owner(0, 0).mode(0o4755));
    apply(&["--overlay"], &lower, &base);
    let link = Archive::new().with(member("y", b'1').link("x"));
    apply(&["--overlay", "--lower", lower.to_str().unwrap()], &upper, &link);
    assert_eq!(scratch.stat("upper/y").mode() & 0o7777, 0o755);
    assert_eq!(recorded(&scratch, "upper/y").as_deref(), Some("0:0:04755"));
}

#[test]
fn root_who_keeps_all_files_for_himself_hands_out_nothing() {
    if !is_root("setting capabilities") {
        return;
    }
    let capability = b"\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let layer = Archive::new()
        .with(member("x", b'0').owner(1000, 1000).mode(0o4755))
        .with(member("y", b'0').owner(0, 0).xattr("security.capability", capability));
    let scratch = Scratch::new(Way::Tool);
    let root = scratch.root();
    let output = run(&["--no-same-owner".as_ref(), root.as_os_str()], &layer.bytes());
    assert_eq!(
        errors(&output),
        "layer-apply: warning: owners of 1 entry not kept\n\
         layer-apply: warning: set-id bits of 1 file dropped: others could act as their owner\n\
         layer-apply: warning: extended attribute security.capability of 1 entry not kept: it \
         would give others a privilege\n"
    );
    assert_eq!(scratch.stat("x").mode() & 0o7777, 0o755);
    assert!(xattrs(&scratch.path("y")).is_empty());
}

#[test]
fn a_device_that_is_left_out_takes_its_other_names_with_it() {
    let Some(scratch) = scratch() else { return };
    let mine = |path: &str, typeflag| member(path, typeflag).owner(USER, USER);
    let lower = Archive::new()
        .with(mine("null", b'0'))
        .with(mine("was", b'0'))
        .with(mine("d", b'5'))
        .with(mine("d/after", b'0'));
    let layer = Archive::new()
        .with(mine("before", b'1').link("null"))
        .with(mine("chain", b'1').link("before"))
        .with(mine("null", b'3').device(1, 3))
        .with(mine("d/after", b'1').link("null"))
        .with(mine("was", b'3').device(1, 3))
        .with(mine("was", b'0').content("a file after all"))
        .with(mine("is", b'1').link("was"))
        .with(mine("linked", b'3').device(1, 3))
        .with(mine("linked", b'1').link("later"))
        .with(mine("too", b'1').link("linked"))
        .with(mine("later", b'0'));
    for layer in [lower, layer] {
        let output = as_user(&scratch, &[], &layer);
        assert!(output.status.success(), "{output:?}");
    }
    assert_eq!(scratch.names(), ["d/", "is", "later", "linked", "too", "was"]);
    assert_eq!(scratch.read("is"), "a file after all");
    assert_eq!(scratch.stat("too").ino(), scratch.stat("later").ino());
    // Nor does a directory that took its place go with it.
    let layer = Archive::new()
        .with(mine("null", b'3').device(1, 3))
        .with(mine("null/below", b'0'))
        .with(mine("link", b'1').link("null"));
    let output = as_user(&scratch, &[], &layer);
    assert!(errors(&output).contains("which is a directory"), "{output:?}");
}

#[test]
fn a_device_that_is_left_out_hides_what_is_below_it() {
    let Some(scratch) = scratch() else { return };
    let mine = |path: &str, typeflag| member(path, typeflag).owner(USER, USER);
    let layer = Archive::new()
        .with(mine("null", b'3').device(1, 3))
        .with(mine("d/also", b'1').link("null"))
        .with(mine("dir", b'3').device(1, 3))
        .with(mine("dir", b'5'));
    let output = as_user(&scratch, &["--overlay"], &layer);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(scratch.names(), ["d/", "d/also", "dir/", "null"]);
    for name in ["null", "d/also"] {
        let stat = scratch.stat(name);
        assert!(stat.file_type().is_char_device() && stat.rdev() == 0, "{name}");
    }
    assert_eq!(xattrs(&scratch.path("dir"))["user.overlay.opaque"], b"y");
}

#[test]
fn an_ordinary_user_who_insists_on_owners_is_refused() {
    let Some(scratch) = scratch() else { return };
    for (layer, words) in [
        (Archive::new().with(member("x", b'0').owner(0, 0)), "x: cannot give it to 0:0"),
        (
            Archive::new().with(member("x", b'3').owner(USER, USER).device(1, 3)),
            "x: cannot make a device",
        ),
    ] {
        let output = as_user(&scratch, &["--same-owner"], &layer);
        assert_eq!(output.status.code(), Some(2));
        let errors = errors(&output);
        assert!(
            errors.starts_with(&format!("layer-apply: {words}: Operation not permitted")),
            "{errors}"
        );
        assert!(errors.contains("\nlayer-apply: hint: --no-same-owner "), "{errors}");
    }
}

#[test]
fn subordinate_ids_keep_the_owners_of_files() {
    let Some(SubordinateUser { user, first_uid, first_gid }) = subordinate_user() else { return };
    let User { uid, gid } = user;
    if !has_program("newuidmap") {
        return;
    }
    let Some(scratch) = scratch_of(uid, gid) else { return };
    let capability = b"\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let layer = Archive::new()
        .with(member("root", b'0').owner(0, 0).mode(0o4755))
        .with(member("other", b'0').owner(1, 33).xattr("security.capability", capability))
        .with(member("dir", b'5').owner(1000, 1000).mode(0o700))
        .with(member("dir/link", b'2').owner(7, 8).link("x"))
        .with(member("null", b'3').owner(0, 0).device(1, 3));
    let output = as_user(&scratch, &["--map-users"], &layer);
    assert!(output.status.success(), "{output:?}");
    let lost = "layer-apply: warning: set-id bits of 1 file dropped: others could act as their \
                owner\n\
                layer-apply: warning: 1 device left out: making a device takes root\n";
    assert_eq!(errors(&output), lost);
    assert_eq!(output.stdout.len(), "sha256:\n".len() + 64);
    let owner = |path: &str| (scratch.stat(path).uid(), scratch.stat(path).gid());
    assert_eq!(owner("root"), (uid, gid));
    assert_eq!(owner("other"), (first_uid, first_gid + 32));
    assert_eq!(owner("dir"), (first_uid + 999, first_gid + 999));
    assert_eq!(owner("dir/link"), (first_uid + 6, first_gid + 7));
    assert_eq!(scratch.stat("root").mode() & 0o7777, 0o755);
    assert_eq!(recorded(&scratch, "root").as_deref(), Some("0:0:04755"));
    // The capability is of that namespace's root (revision 3, with his id outside).
    let kept = &xattrs(&scratch.path("other"))["security.capability"];
    assert_eq!((kept[3], &kept[20..]), (3, &uid.to_le_bytes()[..]));

    let beyond = Archive::new().with(member("x", b'0').owner(4_000_000_000, 0));
    let output = as_user(&scratch, &["--map-users"], &beyond);
    assert_eq!(output.status.code(), Some(2));
    let words = "layer-apply: x: cannot give it to 4000000000:0: Invalid argument";
    assert!(errors(&output).starts_with(words), "{output:?}");
    // A failure in the namespace removes what was made there.
    fs::set_permissions(scratch.root(), fs::Permissions::from_mode(0o777)).unwrap();
    let new = scratch.path("new");
    let bad = layer.with(member("x", b'0').owner(4_000_000_000, 0)).bytes();
    let mut command = Command::new("setpriv");
    command
        .args([&format!("--reuid={uid}"), &format!("--regid={gid}"), "--clear-groups"])
        .args([tool().get_program(), "--map-users".as_ref(), new.as_os_str()])
        .env("LC_ALL", "C");
    let output = feed(&mut command, &bad);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(!scratch.has("new"));
}

#[test]
fn who_has_no_subordinate_ids_is_told() {
    let Some(scratch) = scratch() else { return };
    let output = as_user(&scratch, &["--map-users"], &Archive::new().file("x", ""));
    assert_eq!(output.status.code(), Some(2));
    assert!(errors(&output).contains("no subordinate ids for 65534"), "{output:?}");
    assert!(scratch.names().is_empty());
    // To root there is nothing to map.
    let scratch = Scratch::new(Way::Tool);
    let layer = Archive::new().with(member("x", b'0').owner(1, 2));
    let root = scratch.root();
    let output = run(&["--map-users".as_ref(), root.as_os_str()], &layer.bytes());
    assert!(output.status.success(), "{output:?}");
    assert_eq!((scratch.stat("x").uid(), scratch.stat("x").gid()), (1, 2));
}

#[test]
fn directories_that_keep_their_owner_out_are_entered_all_the_same() {
    let Some(scratch) = scratch() else { return };
    let mine = |path: &str, typeflag| member(path, typeflag).owner(USER, USER);
    let lower = Archive::new()
        .with(mine("ro", b'5').mode(0o555))
        .with(mine("ro/old", b'0'))
        .with(mine("ro/sub", b'5').mode(0o500))
        .with(mine("ro/sub/old", b'0'))
        .with(mine("shut", b'5').mode(0))
        .with(mine("shut/in", b'5').mode(0o111))
        .with(mine("shut/in/old", b'0'))
        .with(mine("gone", b'5').mode(0o500))
        .with(mine("gone/sub", b'5').mode(0))
        .with(mine("gone/sub/x", b'0'));
    let upper = Archive::new()
        .with(mine("ro/new", b'0'))
        .with(mine("ro/old", b'0').content("upper"))
        .with(mine("ro/sub/.wh.old", b'0'))
        .with(mine("shut/in/new", b'0'))
        .with(mine(".wh.gone", b'0'));
    for layer in [lower, upper] {
        let output = as_user(&scratch, &[], &layer);
        assert!(output.status.success(), "{output:?}");
    }
    assert_eq!(
        scratch.names(),
        ["ro/", "ro/new", "ro/old", "ro/sub/", "shut/", "shut/in/", "shut/in/new", "shut/in/old"]
    );
    for (path, mode) in [("ro", 0o555), ("ro/sub", 0o500), ("shut", 0), ("shut/in", 0o111)] {
        let stat = scratch.stat(path);
        assert_eq!((stat.mode() & 0o7777, stat.mtime()), (mode, crate::support::MTIME), "{path}");
    }
}

#[test]
fn root_may_keep_all_files_for_himself() {
    if !is_root("owning what others own") {
        return;
    }
    let scratch = Scratch::new(Way::Tool);
    let layer = Archive::new().with(member("x", b'0').owner(1, 1));
    let root = scratch.root();
    let output = run(&["--no-same-owner".as_ref(), root.as_os_str()], &layer.bytes());
    assert!(output.status.success(), "{output:?}");
    assert_eq!((scratch.stat("x").uid(), scratch.stat("x").gid()), (0, 0));
    // The last of the two options counts.
    let arguments = ["--no-same-owner".as_ref(), "--same-owner".as_ref(), root.as_os_str()];
    assert!(run(&arguments, &layer.bytes()).status.success());
    assert_eq!(scratch.stat("x").uid(), 1);
}

#[test]
fn the_mask_of_permission_bits_is_of_no_consequence() {
    let scratch = Scratch::new(Way::Tool);
    let layer = Archive::new()
        .with(member("d", b'5').mode(0o777))
        .with(member("d/x", b'0').mode(0o666))
        .with(member("d/p", b'6').mode(0o666))
        .file("implicit/x", "");
    let mut command = Command::new("sh");
    command.args(["-c", "umask 077; exec \"$0\" \"$@\""]).arg(tool().get_program());
    let output = feed(command.arg(scratch.root()), &layer.bytes());
    assert!(output.status.success(), "{output:?}");
    for (path, mode) in [("d", 0o777), ("d/x", 0o666), ("d/p", 0o666), ("implicit", 0o755)] {
        assert_eq!(scratch.stat(path).mode() & 0o7777, mode, "{path}");
    }
}
