//! A layer in overlay form, and what the kernel makes of it.

mod lowers;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;

use crate::support::{
    Archive, Scratch, Way, has_program, is_root, member, run, tool, tree, xattrs,
};

/// Unpacks layers, base first, each into a folder of its own in overlay form, and
/// returns the folders.
fn unpack(scratch: &Scratch, layers: &[Archive], overlay: &str) -> Vec<String> {
    let mut folders: Vec<String> = Vec::new();
    for (number, layer) in layers.iter().enumerate() {
        let folder = scratch.path(&number.to_string()).to_str().unwrap().to_owned();
        let mut arguments = vec![overlay.to_owned()];
        for lower in &folders {
            arguments.extend(["--lower".to_owned(), lower.clone()]);
        }
        arguments.push(folder.clone());
        let output = run(&arguments, &layer.bytes());
        assert!(output.status.success(), "layer {number}: {output:?}");
        folders.push(folder);
    }
    folders
}

fn is_whiteout(path: &Path) -> bool {
    let stat = fs::symlink_metadata(path).unwrap();
    stat.file_type().is_char_device() && stat.rdev() == 0
}

#[test]
fn deletions_are_written_down() {
    if !is_root("writing trusted attributes") {
        return;
    }
    let scratch = Scratch::new(Way::Tool);
    let layer = Archive::new()
        .whiteout("a/.wh.gone")
        .whiteout(".wh.replaced")
        .file("replaced", "")
        .whiteout(".wh.again")
        .file("again/below", "")
        .dir("opaque")
        .whiteout("opaque/.wh.useless")
        .whiteout("opaque/.wh..wh..opq")
        .whiteout("late/.wh..wh..opq")
        .whiteout("late/.wh.useless")
        .dir("first")
        .whiteout(".wh.first")
        .whiteout("only/deleted/.wh.x");
    unpack(&scratch, &[layer], "--overlay");
    let top = scratch.path("0");
    let found = scratch.names();
    assert_eq!(
        found,
        [
            "0/",
            "0/a/",
            "0/a/gone",
            "0/again/",
            "0/again/below",
            "0/first/",
            "0/late/",
            "0/only/",
            "0/only/deleted/",
            "0/only/deleted/x",
            "0/opaque/",
            "0/replaced",
        ]
    );
    assert!(is_whiteout(&top.join("a/gone")) && is_whiteout(&top.join("only/deleted/x")));
    for (path, opaque) in
        [("opaque", true), ("again", true), ("first", true), ("a", false), ("only", false)]
    {
        let marks = xattrs(&top.join(path));
        let mark = marks.get("trusted.overlay.opaque").map(Vec::as_slice);
        assert_eq!(mark, opaque.then_some(&b"y"[..]), "{path}");
    }
}

#[test]
fn marks_of_the_layer_are_escaped() {
    if !is_root("writing trusted attributes") {
        return;
    }
    let scratch = Scratch::new(Way::Tool);
    let layer = Archive::new().with(member("d", b'5').xattr("trusted.overlay.opaque", "y"));
    unpack(&scratch, &[layer], "--overlay=trusted");
    let marks = xattrs(&scratch.path("0/d"));
    assert_eq!(marks.keys().collect::<Vec<_>>(), ["trusted.overlay.overlay.opaque"]);
    // A later entry takes back what an earlier one said, and nothing of our own.
    let scratch = Scratch::new(Way::Tool);
    let layer = Archive::new()
        .whiteout(".wh..wh..opq")
        .with(member("./", b'5').xattr("trusted.overlay.redirect", "/etc").xattr("user.a", "1"))
        .with(member("./", b'5').xattr("user.b", "1"));
    unpack(&scratch, &[layer], "--overlay=trusted");
    let marks = xattrs(&scratch.path("0"));
    assert_eq!(marks.keys().collect::<Vec<_>>(), ["trusted.overlay.opaque", "user.b"]);
}

#[test]
fn hard_links_to_what_the_layer_deletes_are_refused() {
    let scratch = Scratch::new(Way::Tool);
    for layer in [
        Archive::new().whiteout(".wh.x").hardlink("y", "x"),
        Archive::new().hardlink("y", "x").whiteout(".wh.x"),
    ] {
        let new = scratch.path("new");
        let output = run(&[OsStr::new("--overlay=user"), new.as_os_str()], &layer.bytes());
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(!scratch.has("new"));
    }
}

#[test]
fn overlay_form_needs_an_empty_directory_and_one_layer() {
    let scratch = Scratch::new(Way::Tool);
    fs::write(scratch.path("x"), "").unwrap();
    let root = scratch.root();
    let output = run(&[OsStr::new("--overlay=user"), root.as_os_str()], &Archive::new().bytes());
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("not empty"));
    let layer = scratch.path("layer");
    fs::write(&layer, Archive::new().bytes()).unwrap();
    let new = scratch.path("new");
    let arguments =
        [OsStr::new("--overlay=user"), new.as_os_str(), layer.as_os_str(), layer.as_os_str()];
    assert_eq!(run(&arguments, b"").status.code(), Some(2));
    assert!(!scratch.has("new"));
}

/// Layers that use everything an overlay knows.
fn stack() -> Vec<Archive> {
    let base = Archive::new()
        .with(member("./", b'5'))
        .with(member("etc", b'5').mode(0o751).xattr("user.kept", "1"))
        .file("etc/a", "base")
        .file("etc/b", "base")
        .dir("etc/conf.d")
        .file("etc/conf.d/x", "base")
        .dir("usr")
        .dir("usr/lib")
        .file("usr/lib/old.so", "base")
        .symlink("lib", "usr/lib")
        .dir("run")
        .dir("var")
        .symlink("var/run", "/run")
        .dir("dir-to-file")
        .file("dir-to-file/x", "")
        .file("file-to-dir", "")
        .dir("opaque")
        .dir("opaque/sub")
        .file("opaque/sub/x", "base")
        .dir("replaced")
        .file("replaced/old", "")
        .file("linked", "base")
        .symlink("soft", "linked");
    let middle = Archive::new()
        .with(member("./", b'5').mode(0o711).xattr("user.root", "middle"))
        .whiteout("etc/.wh.a")
        .file("etc/conf.d/y", "middle")
        .file("lib/new.so", "middle")
        .whiteout("lib/.wh.old.so")
        .file("var/run/pid", "middle")
        .file("dir-to-file", "middle")
        .file("file-to-dir/x", "middle")
        .dir("opaque")
        .file("opaque/new", "middle")
        .whiteout("opaque/.wh..wh..opq")
        .whiteout(".wh.replaced")
        .dir("replaced")
        .file("replaced/new", "middle")
        .hardlink("second", "linked")
        .hardlink("third", "second")
        .hardlink("usr/soft", "soft")
        .with(member("fifo", b'6'));
    // Says nothing of the root, which stays as it is below.
    let upper = Archive::new()
        .file("etc/a", "upper")
        .whiteout("etc/.wh.b")
        .file("opaque/sub/y", "upper")
        .file("dir-to-file/z", "upper")
        .whiteout(".wh.file-to-dir")
        .file("lib/deep/er/x", "upper")
        .with(member("usr", b'5').mode(0o700).mtime(5));
    vec![base, middle, upper]
}

/// What the layers make when they are applied to one directory.
fn applied(scratch: &Scratch, layers: &[Archive]) -> Vec<(String, String)> {
    let merged = scratch.path("merged");
    fs::create_dir(&merged).unwrap();
    for layer in layers {
        let output = run(&[&merged], &layer.bytes());
        assert!(output.status.success(), "{output:?}");
    }
    tree(&merged)
}

/// Mounts folders, base first, in a mount namespace, and copies what is seen there.
fn mounted(
    scratch: &Scratch,
    folders: &[String],
    unshare: &[&str],
    options: &str,
) -> Option<Vec<(String, String)>> {
    let mount = scratch.path("mnt");
    let copy = scratch.path("copy");
    fs::create_dir(&mount).unwrap();
    let lowers: Vec<_> = folders.iter().rev().cloned().collect();
    let script = "mount -t overlay overlay -o \"lowerdir=$1$2\" \"$3\" || exit 77
        cp -a \"$3\" \"$4\"";
    let output = Command::new(unshare[0])
        .args(&unshare[1..])
        .args(["sh", "-ec", script, "sh", &lowers.join(":"), options])
        .arg(&mount)
        .arg(&copy)
        .output()
        .unwrap();
    if output.status.code() == Some(77) {
        layerutils_tests::requirement::skip(
            "",
            &format!("cannot mount an overlay here: {output:?}"),
        );
        return None;
    }
    assert!(output.status.success(), "{output:?}");
    Some(tree(&copy))
}

/// Whether a mount of the layers shows what applying them makes, as far as there can
/// be one.
fn check_mount(layers: &[Archive]) -> Option<Scratch> {
    if !is_root("mounting") || !has_program("unshare") {
        return None;
    }
    let scratch = Scratch::new(Way::Tool);
    let folders = unpack(&scratch, layers, "--overlay");
    let expected = applied(&scratch, layers);
    if let Some(seen) = mounted(&scratch, &folders, &["unshare", "--mount"], "") {
        assert_eq!(seen, expected);
    }
    Some(scratch)
}

#[test]
fn a_mount_of_the_layers_shows_what_applying_them_makes() {
    check_mount(&stack());
}

#[test]
fn a_whiteout_where_the_layers_below_have_nothing_shows_in_no_mount() {
    let base = Archive::new().dir("./").dir("d").file("file", "");
    let upper = Archive::new()
        .whiteout("no/where/.wh.never")
        .dir("new")
        .whiteout("new/.wh.never")
        .whiteout("file/.wh.never")
        .whiteout("d/.wh.never")
        .whiteout(".wh.never");
    let Some(scratch) = check_mount(&[base, upper]) else { return };
    // There it would say that the mount kept an index of links.
    assert!(!xattrs(&scratch.path("1")).contains_key("trusted.overlay.origin"));
}

#[test]
fn an_ordinary_user_writes_what_his_mounts_understand() {
    if !is_root("acting as another user") || !has_program("unshare") || !has_program("setpriv") {
        return;
    }
    let scratch = Scratch::new(Way::Tool);
    for folder in [scratch.beside(""), scratch.root()] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).unwrap();
    }
    let user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let mine = |path: &str, typeflag| member(path, typeflag).owner(65534, 65534);
    let base = Archive::new()
        .with(mine("etc", b'5'))
        .with(mine("etc/gone", b'0'))
        .with(mine("etc/kept", b'0'))
        .with(mine("opaque", b'5'))
        .with(mine("opaque/gone", b'0'))
        .with(mine("top", b'0'));
    let upper = Archive::new()
        .with(mine("etc", b'5'))
        .with(mine("etc/.wh.gone", b'0'))
        .with(mine("opaque", b'5'))
        .with(mine("opaque/.wh.gone", b'0'))
        .with(mine("opaque/.wh..wh..opq", b'0'))
        .with(mine("etc/new", b'0'))
        .with(mine("new/.wh.never", b'0'))
        .with(mine(".wh.top", b'0'));
    let mut folders = Vec::new();
    for (number, layer) in [base, upper].iter().enumerate() {
        let folder = scratch.path(&number.to_string()).to_str().unwrap().to_owned();
        let mut command = Command::new(user[0]);
        command.args(&user[1..]).arg(tool().get_program()).args(["--overlay", &folder]);
        let output = crate::support::feed(&mut command, &layer.bytes());
        assert!(output.status.success(), "{output:?}");
        folders.push(folder);
    }
    assert_eq!(xattrs(&scratch.path("1/opaque"))["user.overlay.opaque"], b"y");
    assert!(!scratch.has("1/opaque/gone"));
    let unshare: Vec<_> = user.into_iter().chain(["unshare", "-Urm"]).collect();
    if let Some(seen) = mounted(&scratch, &folders, &unshare, ",userxattr") {
        let names: Vec<_> = seen.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(names, ["", "etc/", "etc/kept", "etc/new", "new/", "opaque/"]);
    }
}
