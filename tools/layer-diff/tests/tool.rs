//! The program itself: what it prints where, and with which status.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Output};

fn layer_diff(at: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_layer-diff"))
        .args(arguments)
        .current_dir(at)
        .env_clear()
        .env("LC_ALL", "C")
        .output()
        .unwrap()
}

fn trees() -> tempfile::TempDir {
    let scratch = tempfile::tempdir().unwrap();
    let script = "mkdir -p a/d b/d; echo x >a/gone; echo y >b/d/new; : >b/esc\x1b; \
                  touch -d @100.5 a a/d b; touch -d @200.25 b/d b/d/new b/esc*";
    let status = Command::new("sh").args(["-ec", script]).current_dir(&scratch).status();
    assert!(status.unwrap().success());
    fs::write(scratch.path().join("b").join(std::ffi::OsStr::from_bytes(b"\xff")), "").unwrap();
    Command::new("touch").args(["-d", "@100.5", "b"]).current_dir(&scratch).status().unwrap();
    scratch
}

#[test]
fn the_list_is_docker_diffs() {
    let scratch = trees();
    let output = layer_diff(scratch.path(), &["--list", "a", "b"]);
    assert_eq!(output.stdout, b"D /gone\nC /d\nA /d/new\nA /esc\x1b\nA /\xff\n");
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
    let output = layer_diff(scratch.path(), &["--list", "-0", "a", "b"]);
    assert_eq!(output.stdout, b"D /gone\0C /d\0A /d/new\0A /esc\x1b\0A /\xff\0");
    // The root, of which docker says nothing.
    let list = |script: &str| {
        let run = Command::new("sh").args(["-ec", script]).current_dir(&scratch).status();
        assert!(run.unwrap().success());
        layer_diff(scratch.path(), &["--list", "--exit-code", "c", "b"])
    };
    let time_only = list("cp -a b c; touch -d @300 c");
    assert_eq!((&*time_only.stdout, time_only.status.code()), (&b"C /\n"[..], Some(1)));
    let mode_too = list("chmod 700 c; rm c/d/new; touch -d @200.25 c/d");
    assert_eq!(mode_too.stdout, b"C /\nC /d\nA /d/new\n");
}

#[test]
fn json_says_all_of_a_change() {
    let scratch = trees();
    let output = layer_diff(scratch.path(), &["--json", "--owner=0:0", "a", "b"]);
    let objects: Vec<serde_json::Value> = output
        .stdout
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(objects[1], serde_json::json!({"kind": "deleted", "path": "/gone"}));
    let expected = serde_json::json!({"kind": "added", "path": "/d/new", "type": "file",
        "mode": "0644", "uid": 0, "gid": 0, "size": 2, "mtime": "1970-01-01T00:03:20.25Z"});
    assert_eq!(objects[3], expected);
    assert_eq!(objects[2]["differs"], serde_json::json!(["mtime"]));
    assert_eq!(objects[5]["path_base64"], "L/8=");
}

#[test]
fn the_status_tells_of_changes_only_when_asked() {
    let scratch = trees();
    let status = |arguments: &[&str]| layer_diff(scratch.path(), arguments).status.code();
    assert_eq!(status(&["a", "b"]), Some(0));
    assert_eq!(status(&["--exit-code", "a", "b"]), Some(1));
    assert_eq!(status(&["--exit-code", "a", "a"]), Some(0));
    assert_eq!(status(&["--exit-code", "--list", "a", "b"]), Some(1));
    assert_eq!(status(&["a", "missing"]), Some(2));
    // The layer is as it is without the question, also where it is a file.
    let asked = layer_diff(scratch.path(), &["--exit-code", "-o", "asked", "a", "b"]);
    assert_eq!((asked.status.code(), asked.stderr.len()), (Some(1), 0));
    let layer = layer_diff(scratch.path(), &["a", "b"]).stdout;
    assert!(fs::read(scratch.path().join("asked")).unwrap() == layer);
    assert!(layer_diff(scratch.path(), &["--exit-code", "a", "b"]).stdout == layer);
}

#[test]
fn compression_changes_the_stream_and_not_the_layer() {
    let scratch = trees();
    let plain = layer_diff(scratch.path(), &["a", "b"]).stdout;
    for (format, program) in [("gzip", "gzip"), ("zstd", "zstd")] {
        let file = format!("layer.{format}");
        let output =
            layer_diff(scratch.path(), &["-v", "--compress", format, "-o", &file, "a", "b"]);
        assert!(output.status.success() && output.stdout.is_empty());
        let diff_id = common::digest::Digest::of(&plain).to_string();
        assert!(String::from_utf8_lossy(&output.stderr).contains(&diff_id));
        let inflated =
            Command::new(program).args(["-dc", &file]).current_dir(&scratch).output().unwrap();
        assert_eq!(inflated.stdout, plain);
    }
}

#[test]
fn a_failure_leaves_the_old_file() {
    let scratch = trees();
    fs::write(scratch.path().join("out"), "old").unwrap();
    fs::write(scratch.path().join("b/.wh.bad"), "").unwrap();
    let output = layer_diff(scratch.path(), &["-o", "out", "a", "b"]);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(text, "layer-diff: b/.wh.bad: a layer cannot hold a name that begins with '.wh.'\n");
    assert_eq!(fs::read(scratch.path().join("out")).unwrap(), b"old");
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 3);
}

#[test]
fn options_that_make_no_sense_together_are_refused() {
    let scratch = trees();
    for arguments in [
        &["--overlay", "a", "b"][..],
        &["--lower", "a", "b"],
        &["--work", "a", "b"],
        &["--root", "b"],
        &["--level", "3", "a"],
        &["--level", "12", "--compress", "gzip", "a"],
        &["-0", "a"],
        &["-0", "--json", "a"],
        &["--list", "--json", "a"],
        &["--list", "--compress", "gzip", "a"],
        &["a", "b", "c"],
        &[],
        &["--owner", "me", "a"],
    ] {
        let output = layer_diff(scratch.path(), arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains("--help") && output.stdout.is_empty(), "{arguments:?}: {text}");
    }
}

#[test]
fn source_date_epoch_is_a_bound() {
    let scratch = trees();
    let output = Command::new(env!("CARGO_BIN_EXE_layer-diff"))
        .args(["--json", "a", "b"])
        .current_dir(&scratch)
        .env("SOURCE_DATE_EPOCH", "150")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("1970-01-01T00:02:30Z") && text.contains("1970-01-01T00:01:40.5Z"));
    assert!(!text.contains("1970-01-01T00:03:20"));
}

#[test]
fn the_digests_are_those_of_the_layer_and_of_what_is_written() {
    let scratch = trees();
    for format in ["none", "gzip", "zstd"] {
        let output = layer_diff(scratch.path(), &["-v", "--compress", format, "a", "b"]);
        let plain = layer_diff(scratch.path(), &["a", "b"]).stdout;
        let digest = common::digest::Digest::of;
        let expected = format!(
            "layer-diff: DiffID {}\nlayer-diff: digest {}, {} bytes\n",
            digest(&plain),
            digest(&output.stdout),
            output.stdout.len()
        );
        assert_eq!(String::from_utf8_lossy(&output.stderr), expected, "{format}");
    }
}

#[test]
fn a_tree_may_be_deeper_than_the_usual_number_of_descriptors() {
    let scratch = tempfile::tempdir().unwrap();
    let script = "mkdir a b; for tree in a b; do cd $tree; for i in $(seq 700); do mkdir d; \
                  cd -P d 2>/dev/null; done; echo $tree >f; cd \"$0\"; done; ulimit -Sn 1024; \
                  exec \"$1\" --list --content always a b";
    let output = Command::new("sh")
        .args(["-ec", script])
        .args([scratch.path().as_os_str(), env!("CARGO_BIN_EXE_layer-diff").as_ref()])
        .current_dir(&scratch)
        .output()
        .unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{output:?}");
    let deepest = format!("C {}/f", "/d".repeat(700));
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().last(), Some(&*deepest));
}

#[test]
fn subordinate_ids_read_what_belongs_to_them() {
    let Some(found) = layerutils_tests::sandbox::subordinate_user() else { return };
    let (uid, gid) = (found.user.uid, found.user.gid);
    let scratch = tempfile::tempdir().unwrap();
    let tool = scratch.path().join("tool");
    fs::copy(env!("CARGO_BIN_EXE_layer-diff"), &tool).unwrap();
    std::os::unix::fs::chown(scratch.path(), Some(uid), Some(gid)).unwrap();
    let as_user = |script: &str| {
        let output = Command::new("setpriv")
            .args([format!("--reuid={uid}"), format!("--regid={gid}")])
            .args(["--clear-groups", "sh", "-ec", script])
            .current_dir(&scratch)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let made = as_user(
        "unshare --map-auto --map-root-user sh -ec 'mkdir tree; echo secret >tree/f; \
         chmod 600 tree/f; chown 7:8 tree/f'",
    );
    if made.0 != Some(0) {
        layerutils_tests::requirement::skip(
            "",
            &format!("no user namespace of many ids: {}", made.2),
        );
        return;
    }
    let (status, out, err) = as_user("./tool --map-users tree | tar --numeric-owner -tvf -");
    assert_eq!((status, &*err), (Some(0), ""));
    assert!(out.lines().any(|line| line.starts_with("-rw------- 7/8 ")), "{out}");
    let (status, out, _) = as_user("./tool --map-users tree | tar -xOf - f");
    assert_eq!((status, &*out), (Some(0), "secret\n"));
    let (status, _, err) = as_user("./tool tree >/dev/null");
    assert_eq!((status, err.contains("tree/f: Permission denied")), (Some(2), true), "{err}");
    let (status, out, _) = as_user("./tool --map-users --exit-code --list tree");
    assert_eq!((status, &*out), (Some(1), "A /\nA /f\n"));
}

#[test]
fn own_files_that_are_closed_to_oneself_are_read_and_stay_closed() {
    if !layerutils_tests::requirement::is_root() {
        layerutils_tests::requirement::skip("", "needs root, to become an ordinary user");
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let tool = scratch.path().join("tool");
    fs::copy(env!("CARGO_BIN_EXE_layer-diff"), &tool).unwrap();
    std::os::unix::fs::chown(scratch.path(), Some(54_325), Some(54_325)).unwrap();
    let script = "mkdir old new new/d; echo secret > new/shadow; echo x > new/d/x; \
                  echo y > new/write; chmod 000 new/shadow; chmod 200 new/write; chmod 311 new/d; \
                  ./tool old new | tar --numeric-owner -tvf - | sed 's/ .* / /'; \
                  ./tool old new | tar -xOf - shadow; stat -c '%a %n' new/*; \
                  ! ./tool /root new";
    let output = Command::new("setpriv")
        .args(["--reuid=54325", "--regid=54325", "--clear-groups", "sh", "-ec", script])
        .current_dir(&scratch)
        .output()
        .unwrap();
    let lines = "drwxr-xr-x ./\nd-wx--x--x d/\n-rw-r--r-- d/x\n---------- shadow\n--w------- write\n\
                 secret\n311 new/d\n0 new/shadow\n200 new/write\n";
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(text(&output.stdout), lines, "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("/root: Permission denied"), "{output:?}");
}
