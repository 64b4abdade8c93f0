//! What other implementations make of the same archives, where the specification
//! leaves them no choice.

use std::fs;
use std::process::Command;

use crate::support::{Archive, Scratch, Way, has_program, is_root, member, run, tree};

#[test]
fn gnu_tar_extracts_the_same_tree() {
    if !is_root("extracting what others own") || !has_program("tar") {
        return;
    }
    let scratch = Scratch::new(Way::Tool);
    let source = scratch.path("source");
    // A real tree, as an archiver of the host writes it.
    let archive = scratch.path("archive.tar");
    fs::create_dir(&source).unwrap();
    let script = "cp -a /etc/. . && chmod 4755 hostname && ln hostname second && mkfifo fifo && \
                  mknod null c 1 3 && chown 123:456 fifo && setfattr -n user.x -v y hostname && \
                  touch -d '1999-01-02 03:04:05.678' second && mkdir -m 1777 sticky";
    let made = Command::new("sh").args(["-c", script]).current_dir(&source).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    for format in ["gnu", "posix"] {
        let tar = |arguments: &[&str]| {
            let mut command = Command::new("tar");
            command.arg("--numeric-owner");
            if format == "posix" {
                command.args(["--xattrs", "--xattrs-include=*"]);
            }
            assert!(
                command.args(arguments).current_dir(scratch.root()).status().unwrap().success()
            );
        };
        tar(&["--format", format, "-cf", "archive.tar", "-C", "source", "."]);
        let (theirs, ours) = (scratch.path("theirs"), scratch.path("ours"));
        fs::create_dir(&theirs).unwrap();
        tar(&["-xpf", "archive.tar", "-C", "theirs"]);
        let output = run(&[ours.as_os_str(), archive.as_os_str()], b"");
        assert!(output.status.success(), "{output:?}");
        assert_eq!(tree(&ours), tree(&theirs), "{format}");
        fs::remove_dir_all(theirs).unwrap();
        fs::remove_dir_all(ours).unwrap();
    }
}

#[test]
fn umoci_unpacks_the_same_tree() {
    if !is_root("unpacking what others own") || !has_program("umoci") {
        return;
    }
    let layers = [
        Archive::new()
            .dir("a")
            .with(member("a/x", b'0').mode(0o4755).owner(12, 34).content("lower"))
            .file("a/gone", "")
            .dir("b")
            .file("b/old", "")
            .symlink("l", "b")
            .hardlink("h", "a/x"),
        Archive::new()
            .with(member("a", b'5').mode(0o700).owner(5, 6).xattr("user.a", "1"))
            .file("a/new", "upper")
            .whiteout("a/.wh.gone")
            .file("b/new", "")
            .whiteout("b/.wh..wh..opq")
            .file("l/through", "")
            .file("h", "no link now"),
    ];
    let scratch = Scratch::new(Way::Tool);
    let umoci = |arguments: &[&str]| {
        let output = Command::new("umoci").args(arguments).current_dir(scratch.root()).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{arguments:?} {output:?}");
    };
    umoci(&["init", "--layout", "image"]);
    umoci(&["new", "--image", "image:x"]);
    let ours = scratch.path("ours");
    for layer in &layers {
        fs::write(scratch.path("layer.tar"), layer.bytes()).unwrap();
        umoci(&["raw", "add-layer", "--image", "image:x", "layer.tar"]);
        assert!(run(&[&ours], &layer.bytes()).status.success());
    }
    umoci(&["raw", "unpack", "--image", "image:x", "theirs"]);
    let but_the_root = |path: &str| {
        let tree = tree(&scratch.path(path));
        tree.into_iter().filter(|(path, _)| !path.is_empty()).collect::<Vec<_>>()
    };
    assert_eq!(but_the_root("ours"), but_the_root("theirs"));
    // And our own reading of the image that umoci made.
    let again = scratch.path("again");
    let image = format!("--image=oci:{}:x", scratch.path("image").display());
    let output = run(&[image.as_ref(), again.as_os_str()], b"");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(but_the_root("again"), but_the_root("ours"));
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 2);
}
