//! Law 8 at its root: under the emulation of users, each system call returns what it
//! returns to root, and the layer is the one that root makes.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::Command;

use layerutils_tests::requirement::{is_root, skip};

/// An id that nobody has.
const USER: u32 = 54_324;

/// The number of sequences, unless the environment sets another.
const SEQUENCES: &str = "200";

/// The number of the first, unless the environment sets another. A failure tells the number
/// of its sequence.
const FIRST: &str = "1";

#[test]
fn random_calls_return_what_they_return_to_root() {
    if !is_root() {
        return skip("", "this process is not root, to be compared");
    }
    let count = std::env::var("LAYERUTILS_TEST_SEQUENCES");
    let count = count.unwrap_or_else(|_| SEQUENCES.to_owned());
    let first = std::env::var("LAYERUTILS_TEST_FIRST_SEQUENCE");
    let first = first.unwrap_or_else(|_| FIRST.to_owned());
    let (root_said, root_layer) = run(None, &first, &count);
    let (said, layer) = run(Some(USER), &first, &count);
    assert!(root_said.lines().count() > 1000, "{root_said}");
    let mut sequence = "";
    for (one, root) in said.lines().zip(root_said.lines()) {
        if root.starts_with("sequence ") {
            sequence = root;
        }
        assert_eq!(one, root, "{sequence}");
    }
    assert_eq!(said.len(), root_said.len());
    for (one, root) in layer.lines().zip(root_layer.lines()) {
        assert_eq!(one, root);
    }
    assert_eq!(layer.len(), root_layer.len());
}

/// Runs the calls in a union, as root or as this user: what they print, and what the layer
/// of their changes lists.
fn run(user: Option<u32>, first: &str, count: &str) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    copy_program(&path("base"));
    if let Some(id) = user {
        for name in ["", "base"] {
            chown(path(name), Some(id), Some(id)).unwrap();
        }
    }
    let command = |program: &Path| {
        let mut command = match user {
            None => Command::new(program),
            Some(id) => {
                let mut command = Command::new("setpriv");
                let ids = [format!("--reuid={id}"), format!("--regid={id}")];
                command.args(ids).args(["--clear-groups", "--"]).arg(program);
                command
            }
        };
        command.current_dir(folder.path()).env_clear().env("HOME", folder.path());
        command
    };
    let tool = layerutils_tests::binaries::path("union-mount");
    let output = command(&tool)
        .args(["--upper", "up", "base", "--", "/random-calls", first, count])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    let layer = "tool=$1; \"$tool\" --overlay up | tar --numeric-owner -tvf - | sed 's/ 20..-..-.. ..:..//'";
    let mut shell = command(Path::new("sh"));
    let tool = layerutils_tests::binaries::path("layer-diff");
    let output = shell.args(["-c", layer, "sh"]).arg(tool).env("PATH", "/usr/bin:/bin").output();
    let layer = String::from_utf8(output.unwrap().stdout).unwrap();
    (said, layer)
}

/// The program with the libraries that it needs.
fn copy_program(base: &Path) {
    let program = env!("CARGO_BIN_EXE_random-calls");
    fs::create_dir_all(base.join("proc")).unwrap();
    fs::copy(program, base.join("random-calls")).unwrap();
    let list = Command::new("ldd").arg(program).output().unwrap();
    for word in String::from_utf8_lossy(&list.stdout).split_whitespace() {
        if let Some(library) = word.strip_prefix('/') {
            let copy = base.join(library);
            fs::create_dir_all(copy.parent().unwrap()).unwrap();
            fs::copy(word, copy).unwrap();
        }
    }
}
