//! Which binaries are under test: those of this build, or those of the folder
//! that `LAYERUTILS_BIN` names, so that a distribution tests what it installed.
//!
//! Cargo builds the binaries of other packages for no test, so this asks it to,
//! once a test program, with the profile and target folder that the test itself
//! was built with. That takes a fraction of a second when nothing changed, and
//! `cargo test` in a fresh clone never runs against binaries that are missing
//! or old.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The folder of the binaries under test.
#[must_use]
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| match env::var_os("LAYERUTILS_BIN").filter(|dir| !dir.is_empty()) {
        Some(dir) => PathBuf::from(dir).canonicalize().expect("LAYERUTILS_BIN names no folder"),
        None => build(),
    })
}

/// The binary of `tool`.
///
/// # Panics
/// If it is not there.
#[must_use]
pub fn path(tool: &str) -> PathBuf {
    let path = folder().join(tool);
    assert!(path.is_file(), "{} is not there", path.display());
    path
}

fn build() -> PathBuf {
    let program = env::current_exe().expect("a test program has a path");
    // TARGET[/TRIPLE]/PROFILE/deps/PROGRAM
    let folder = program.parent().and_then(Path::parent).expect("built by cargo");
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") => "dev",
        Some(name) => name,
        None => panic!("{} is no profile's folder", folder.display()),
    };
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--workspace", "--bins", "--profile", profile]);
    let parent = folder.parent().expect("a profile's folder is in the target folder");
    if is_target_folder(parent) {
        cargo.arg("--target-dir").arg(parent);
    } else {
        cargo.arg("--target").arg(parent.file_name().expect("named after the target"));
        cargo.arg("--target-dir").arg(parent.parent().expect("within the target folder"));
    }
    // What cargo sets for a test program must not leak into the build: build
    // scripts would see other variables and run again.
    for (name, _) in env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| name.starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_DIR")
        {
            cargo.env_remove(name);
        }
    }
    let workspace = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let status = cargo.current_dir(workspace).stdin(Stdio::null()).status();
    let status = status.expect("cargo can be run; set LAYERUTILS_BIN to test what is installed");
    assert!(status.success(), "the binaries under test cannot be built");
    folder.to_path_buf()
}

/// Cargo marks its target folder with the tag that back-up programs know.
fn is_target_folder(folder: &Path) -> bool {
    folder.join("CACHEDIR.TAG").is_file()
}
