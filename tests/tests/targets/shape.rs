//! What an image can have in the place of a mount point.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A link with this target; `NAME` stands for the name of the link itself.
    Link(&'static str),
    File,
    Fifo,
    Socket,
    Device,
    Directory,
    /// Neither it nor its parents are there.
    Missing,
}

/// What links say.
const LINKS: [&str; 14] = [
    "/",
    ".",
    "//",
    "..",
    "bin/..",
    "/bin/../..",
    "NAME",
    "/usr",
    "/missing/place",
    "/etc/hosts",
    "/dev/shm",
    "/proc",
    "/proc/self/root",
    "/sys/firmware",
];

impl Shape {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let others =
            [Self::File, Self::Fifo, Self::Socket, Self::Device, Self::Directory, Self::Missing];
        LINKS.into_iter().map(Self::Link).chain(others)
    }

    /// The name of the place that it leads to, if that is another.
    pub(crate) fn leads_to(self) -> &'static str {
        match self {
            Self::Link(target) if target.len() > 2 => target,
            _ => "\0",
        }
    }

    /// Makes it at `path` below `root`; `None` if this user cannot.
    pub(crate) fn make(self, root: &Path, path: &str, is_root: bool) -> Option<()> {
        let path = root.join(path.trim_start_matches('/'));
        if self == Self::Missing {
            return Some(());
        }
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match self {
            Self::Link(target) => {
                let name = path.file_name().unwrap().to_str().unwrap();
                symlink(target.replace("NAME", name), &path).unwrap();
            }
            Self::File => fs::write(&path, "").unwrap(),
            Self::Fifo => mknodat(CWD, &path, FileType::Fifo, Mode::RWXU, 0).unwrap(),
            Self::Socket => drop(UnixListener::bind(&path).unwrap()),
            Self::Device if !is_root => return None,
            Self::Device => {
                mknodat(CWD, &path, FileType::CharacterDevice, Mode::RWXU, makedev(1, 5)).unwrap();
            }
            Self::Directory => fs::create_dir(&path).unwrap(),
            Self::Missing => {}
        }
        Some(())
    }
}
