//! Overlay mounts by others, to compare with.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::is_root;
use super::snapshot::{Seen, snapshot};

/// A lower tree of two layers.
pub(crate) fn make_lowers(at: &Path) -> [PathBuf; 2] {
    let script = "
        mkdir base top; cd base
        mkdir -p d/e h; echo file >file; echo one >d/one; echo two >d/e/two; ln -s file link
        setfattr -n user.old -v 1 d/one; echo linked >h/1; ln h/1 h/2; ln h/1 h/3
        seq 100000 >big; mkdir gone; echo g >gone/g
        cd ../top; mkdir -p d h; echo four >d/four
        find . ../base -exec touch -h -d '2020-01-02 03:04:05.678901234' {} +
    ";
    sh(at, script);
    ["base", "top"].map(|name| at.join(name))
}

pub(crate) fn sh(at: &Path, script: &str) {
    let status = Command::new("sh").arg("-ec").arg(script).current_dir(at).status().unwrap();
    assert!(status.success(), "{script}");
}

/// How the two lower directories are mounted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mount<'a> {
    /// By the kernel, with these options (each with a comma before it), as root.
    Kernel(&'a str),
    /// By the kernel in a user namespace.
    UserNamespace,
    /// By fuse-overlayfs(1), as root.
    Fuse,
}

/// Runs `script` in a mount of the lowers under `upper`, and copies what it sees
/// before and after; `false`, and a note of it, if there can be no such mount.
pub(crate) fn run(at: &Path, mount: Mount<'_>, script: &str) -> bool {
    for name in ["upper", "work", "merged"] {
        fs::create_dir_all(at.join(name)).unwrap();
    }
    let directories = "lowerdir=top:base,upperdir=upper,workdir=work";
    let (unshare, command) = match mount {
        Mount::Kernel(options) => {
            ("-m", format!("mount -t overlay overlay -o {directories}{options} merged"))
        }
        Mount::UserNamespace => {
            ("-Urm", format!("mount -t overlay overlay -o {directories},userxattr merged"))
        }
        Mount::Fuse => ("-m", format!("fuse-overlayfs -o {directories} merged")),
    };
    // What a mount of its own shows, and not what the first has in its cache.
    let whole = format!(
        "{command} || exit 99; cp -a merged before; (cd merged; {script}); umount merged; \
         {command}; cp -a merged after; umount merged"
    );
    // Root's mounts without a user namespace are root's alone.
    let may_be = is_root() || unshare == "-Urm";
    let mut unshared = Command::new("unshare");
    let unshared = unshared.args([unshare, "sh", "-ec", &whole]).current_dir(at);
    let output = may_be.then(|| unshared.output().unwrap());
    match output.as_ref().and_then(|output| output.status.code()) {
        Some(0) => true,
        None | Some(99) => {
            // The test runner captures eprintln!.
            let _ = writeln!(std::io::stderr(), "SKIPPED: no such mount here: {mount:?}");
            false
        }
        Some(_) => panic!("{script}: {output:?}"),
    }
}

/// The tree without its root, which is the upper directory's own, and without the
/// attributes that a copy from an overlay mount brings along.
pub(crate) fn tree(at: &Path) -> BTreeMap<PathBuf, Seen> {
    let mut tree = snapshot(at);
    tree.remove(Path::new(""));
    tree
}
