//! What these tests share: archives, a scratch folder with canaries outside the
//! root, and the ways of applying a layer.

pub(crate) mod archive;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use common::layer::apply::{self, Options, Ownership};
use common::root::Root;

pub(crate) use archive::{Archive, MTIME, Member, member};

/// How a layer is applied: all must do the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// By the tool.
    Tool,
    /// By the library, with openat2(2) where the kernel has it.
    Openat2,
    /// By the library, with the walk that stands in for it.
    Walk,
}

pub(crate) const WAYS: [Way; 3] = [Way::Tool, Way::Openat2, Way::Walk];

/// A folder that holds a root and, outside it, files that must not change.
#[derive(Debug)]
pub(crate) struct Scratch {
    folder: tempfile::TempDir,
    way: Way,
    before: BTreeMap<PathBuf, String>,
}

impl Scratch {
    pub(crate) fn new(way: Way) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let outside = folder.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("canary"), "alive").unwrap();
        fs::write(folder.path().join("canary"), "alive").unwrap();
        fs::create_dir(folder.path().join("root")).unwrap();
        let mut scratch = Self { folder, way, before: BTreeMap::new() };
        scratch.before = scratch.outside();
        scratch
    }

    /// The root.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// A path below the root.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    /// A path outside the root.
    pub(crate) fn beside(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn outside(&self) -> BTreeMap<PathBuf, String> {
        let mut found = BTreeMap::new();
        for name in ["canary", "outside", "outside/canary"] {
            let path = self.folder.path().join(name);
            found.insert(path.clone(), describe(&path));
        }
        for folder in [self.folder.path(), &self.beside("outside")] {
            let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
            let mut names: Vec<_> = names.collect();
            names.sort();
            found.insert(folder.join("*"), format!("{names:?}"));
        }
        found
    }

    /// Nothing outside the root has changed.
    pub(crate) fn assert_contained(&self) {
        assert_eq!(self.before, self.outside());
    }

    /// Applies a layer and says what went wrong, if anything did.
    pub(crate) fn try_apply(&self, layer: &Archive) -> Result<(), String> {
        let outcome = self.apply_one_way(layer);
        self.assert_contained();
        outcome
    }

    fn apply_one_way(&self, layer: &Archive) -> Result<(), String> {
        let root = || Root::open(&self.root()).unwrap();
        let root = match self.way {
            Way::Tool => {
                let output = run(&[self.root().as_os_str()], &layer.bytes());
                let errors = String::from_utf8(output.stderr).unwrap();
                return match output.status.code() {
                    Some(0) => Ok(()),
                    Some(2) => Err(errors),
                    other => panic!("status {other:?}: {errors}"),
                };
            }
            Way::Openat2 => root(),
            Way::Walk => root().without_openat2(),
        };
        let options = Options { ownership: Ownership::of_process(), ..Options::default() };
        let applied = apply::apply(&root, &layer.bytes()[..], &options);
        applied.map(drop).map_err(|error| {
            let mut line = error.to_string();
            let mut source = std::error::Error::source(&error);
            while let Some(error) = source {
                line = format!("{line}: {error}");
                source = error.source();
            }
            line
        })
    }

    /// Applies a layer that must be applied.
    #[track_caller]
    pub(crate) fn apply(&self, layer: &Archive) -> &Self {
        if let Err(error) = self.try_apply(layer) {
            panic!("{:?}: {error}", self.way);
        }
        self
    }

    /// Applies a layer that must be refused, for a reason that holds `words`.
    #[track_caller]
    pub(crate) fn refuse(&self, layer: &Archive, words: &str) {
        match self.try_apply(layer) {
            Ok(()) => panic!("{:?}: was applied", self.way),
            Err(error) => assert!(error.contains(words), "{:?}: {error}", self.way),
        }
    }

    /// The names below the root, sorted, directories with a slash.
    pub(crate) fn names(&self) -> Vec<String> {
        let tree = tree(&self.root());
        tree.into_iter().map(|(path, _)| path).filter(|path| !path.is_empty()).collect()
    }

    pub(crate) fn read(&self, path: &str) -> String {
        String::from_utf8(fs::read(self.path(path)).unwrap()).unwrap()
    }

    #[track_caller]
    pub(crate) fn stat(&self, path: &str) -> fs::Metadata {
        fs::symlink_metadata(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        fs::symlink_metadata(self.path(path)).is_ok()
    }
}

/// Runs each way of applying against a claim.
pub(crate) fn each_way(claim: impl Fn(&Scratch)) {
    for way in WAYS {
        let scratch = Scratch::new(way);
        claim(&scratch);
        scratch.assert_contained();
    }
}

/// The tool in a clean environment.
pub(crate) fn tool() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_layer-apply"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.env_clear().env("PATH", path).env("LC_ALL", "C").env("TZ", "UTC");
    command
}

/// Runs the tool with a layer on standard input.
pub(crate) fn run<A: AsRef<std::ffi::OsStr>>(arguments: &[A], input: &[u8]) -> Output {
    feed(tool().args(arguments), input)
}

/// Runs a command with this on standard input.
pub(crate) fn feed(command: &mut Command, input: &[u8]) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A tool that refuses early reads no more.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

/// One line that holds all there is to know of a file.
pub(crate) fn describe(path: &Path) -> String {
    let stat = fs::symlink_metadata(path).unwrap();
    let kind = stat.file_type();
    let what = if kind.is_dir() {
        "dir".to_owned()
    } else if kind.is_symlink() {
        format!("link {:?}", fs::read_link(path).unwrap())
    } else if kind.is_file() {
        format!("file {:?}", String::from_utf8_lossy(&fs::read(path).unwrap()))
    } else if kind.is_fifo() {
        "fifo".to_owned()
    } else {
        format!("device {:x}", stat.rdev())
    };
    let mode = stat.mode() & 0o7777;
    let (uid, gid) = (stat.uid(), stat.gid());
    let (mtime, ns) = (stat.mtime(), stat.mtime_nsec());
    format!("{what} {mode:o} {uid}:{gid} {mtime}.{ns} {:?}", xattrs(path))
}

/// The extended attributes of a file that is no link.
pub(crate) fn xattrs(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut list = vec![0_u8; 4096];
    let Ok(len) = rustix::fs::llistxattr(path, list.as_mut_slice()) else { return found };
    for name in list[..len].split(|&byte| byte == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0_u8; 4096];
        if let Ok(len) = rustix::fs::lgetxattr(path, name, value.as_mut_slice()) {
            found.insert(String::from_utf8_lossy(name).into_owned(), value[..len].to_vec());
        }
    }
    found
}

/// All below a directory and the directory itself, by path, with what [`describe`] says.
pub(crate) fn tree(top: &Path) -> Vec<(String, String)> {
    fn visit(top: &Path, path: &Path, found: &mut Vec<(String, String)>) {
        let stat = fs::symlink_metadata(path).unwrap();
        let below = path.strip_prefix(top).unwrap();
        let mut name = String::from_utf8_lossy(below.as_os_str().as_bytes()).into_owned();
        if stat.is_dir() && !name.is_empty() {
            name.push('/');
        }
        found.push((name, describe(path)));
        if stat.is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                visit(top, &entry.unwrap().path(), found);
            }
        }
    }
    let mut found = Vec::new();
    visit(top, top, &mut found);
    found.sort();
    found
}

/// Whether the tests run as root; says so loudly where one needs it.
pub(crate) fn is_root(what: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        layerutils_tests::requirement::skip("", &format!("{what} takes root"));
    }
    root
}

/// Whether a program is there; says so loudly where it is not.
pub(crate) fn has_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
    if !found {
        layerutils_tests::requirement::skip("", &format!("{name} is not installed"));
    }
    found
}
