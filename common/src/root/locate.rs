//! Where a path leads, or would: the walk by single components, none of them followed
//! by the kernel. Links are read and resolved here, and `..` goes back to a directory
//! that is still open.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::{io, iter};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use super::{Ahead, Root};

/// The links that a lookup may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links<'a> {
    /// None, not even the last component.
    Refused,
    /// All, resolved within the root, but into none of these names at its top.
    Within {
        /// The names that no lookup may pass.
        barred: &'a [&'a str],
    },
}

impl Links<'static> {
    /// All links, wherever in the root they lead.
    pub const FOLLOWED: Self = Self::Within { barred: &[] };
}

/// What a path leads to.
#[derive(Debug)]
pub enum Located {
    /// Something: opened with `O_PATH`, never a link. It is the root itself if `path`
    /// is empty.
    Found {
        /// The open file.
        fd: OwnedFd,
        /// The names that lead to it from the root, without links.
        path: Vec<Vec<u8>>,
    },
    /// Nothing.
    Missing(Missing),
}

/// Where a path ends too early.
#[derive(Debug)]
pub struct Missing {
    /// The last directory that is there.
    pub parent: OwnedFd,
    /// Its own path from the root, without links.
    pub at: Vec<Vec<u8>>,
    /// The components that are not there: one at least, and no `..`.
    pub rest: Vec<Vec<u8>>,
}

/// Why a path leads nowhere.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    /// A link where none may be.
    #[error("{} is a symbolic link", shown(.at))]
    Link {
        /// Its path from the root.
        at: Vec<Vec<u8>>,
    },
    /// A link into a directory that no lookup may pass.
    #[error("a symbolic link leads to {}", shown(.at))]
    Barred {
        /// The directory's path from the root.
        at: Vec<Vec<u8>>,
    },
    /// Something else where a directory must be.
    #[error("{} is not a directory", shown(.at))]
    NotDirectory {
        /// Its path from the root.
        at: Vec<Vec<u8>>,
    },
    /// A refusal of the system.
    #[error(transparent)]
    System(io::Error),
}

fn shown(path: &[Vec<u8>]) -> String {
    let whole = path.iter().flat_map(|name| [&b"/"[..], name]).collect::<Vec<_>>().concat();
    crate::name::show(&whole).to_string()
}

impl From<Errno> for Unreachable {
    fn from(errno: Errno) -> Self {
        Self::System(errno.into())
    }
}

impl Unreachable {
    /// The error number that the kernel has for it.
    pub(super) fn errno(&self) -> Errno {
        match self {
            Self::Link { .. } => Errno::LOOP,
            Self::Barred { .. } => Errno::XDEV,
            Self::NotDirectory { .. } => Errno::NOTDIR,
            Self::System(error) => Errno::from_io_error(error).unwrap_or(Errno::IO),
        }
    }
}

impl Root {
    /// Finds the file that `path` names, or the place where it would have to be made.
    ///
    /// # Errors
    /// A link that `links` refuses; what open(2) says, but for a name that is missing.
    pub fn locate(&self, path: &[u8], links: Links<'_>) -> Result<Located, Unreachable> {
        locate(self.as_fd(), path, links)
    }
}

/// As [`Root::locate`], in the directory `root`.
///
/// # Errors
/// Those of [`Root::locate`].
pub fn locate(root: BorrowedFd<'_>, path: &[u8], links: Links<'_>) -> Result<Located, Unreachable> {
    let Walked { mut above, end } = walk(root, path, Last::Followed, links)?;
    let names = |above: &[(Vec<u8>, OwnedFd)]| -> Vec<Vec<u8>> {
        above.iter().map(|(name, _)| name.clone()).collect()
    };
    let at = names(&above);
    match end {
        End::Directory => {
            let fd = match above.pop() {
                Some((_, fd)) => fd,
                None => duplicate(root)?,
            };
            Ok(Located::Found { fd, path: at })
        }
        End::Other(name, fd) => {
            let path = at.into_iter().chain([name]).collect();
            Ok(Located::Found { fd, path })
        }
        End::Missing(rest) if rest.iter().any(|name| name == b"..") => Err(Errno::NOENT.into()),
        End::Missing(rest) => {
            let parent = duplicate(above.last().map_or(root, |(_, fd)| fd.as_fd()))?;
            Ok(Located::Missing(Missing { parent, at, rest }))
        }
    }
}

fn duplicate(fd: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    rustix::io::fcntl_dupfd_cloexec(fd, 3)
}

/// What is done with a link that is the last component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    Followed,
    Itself,
}

/// Where a walk ended.
#[derive(Debug)]
pub(super) struct Walked {
    /// The directories from the root, which is not among them, to the last one.
    pub(super) above: Vec<(Vec<u8>, OwnedFd)>,
    pub(super) end: End,
}

#[derive(Debug)]
pub(super) enum End {
    /// At the last of the directories.
    Directory,
    /// At something else in it, opened with `O_PATH`.
    Other(Vec<u8>, OwnedFd),
    /// Before these components, the first of which is not there.
    Missing(Vec<Vec<u8>>),
}

/// Walks `path` from `root`, which it never leaves.
pub(super) fn walk(
    root: BorrowedFd<'_>,
    path: &[u8],
    last: Last,
    links: Links<'_>,
) -> Result<Walked, Unreachable> {
    let mut above: Vec<(Vec<u8>, OwnedFd)> = Vec::new();
    let mut ahead = Ahead::along(path);
    while let Some(name) = ahead.pop() {
        if name == b".." {
            above.pop();
            continue;
        }
        let path = || above.iter().map(|(name, _)| name).chain([&name]).cloned().collect();
        if let Links::Within { barred } = links {
            if above.is_empty() && barred.iter().any(|barred| barred.as_bytes() == name) {
                return Err(Unreachable::Barred { at: path() });
            }
        }
        let at = above.last().map_or(root, |(_, fd)| fd.as_fd());
        let passing = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let found = match rustix::fs::openat(at, &name, passing, Mode::empty()) {
            Ok(found) => found,
            Err(Errno::NOENT) => {
                let rest = iter::once(name).chain(ahead.take()).collect();
                return Ok(Walked { above, end: End::Missing(rest) });
            }
            Err(errno) => return Err(errno.into()),
        };
        match FileType::from_raw_mode(rustix::fs::fstat(&found)?.st_mode) {
            FileType::Directory => above.push((name, found)),
            FileType::Symlink if links == Links::Refused => {
                return Err(Unreachable::Link { at: path() });
            }
            FileType::Symlink if !ahead.is_empty() || last == Last::Followed => {
                let target = rustix::fs::readlinkat(&found, c"", Vec::new())?;
                if ahead.follow(target.as_bytes())? {
                    above.clear();
                }
            }
            _ if ahead.is_empty() => {
                return Ok(Walked { above, end: End::Other(name, found) });
            }
            _ => return Err(Unreachable::NotDirectory { at: path() }),
        }
    }
    Ok(Walked { above, end: End::Directory })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::{Links, Located, Root, Unreachable};

    fn ino(fd: impl std::os::fd::AsFd) -> u64 {
        rustix::fs::fstat(fd).unwrap().st_ino
    }

    #[test]
    fn links_are_resolved_inside_and_never_lead_out() {
        use std::os::unix::fs::MetadataExt as _;
        let outside = tempfile::tempdir().unwrap();
        let dir = outside.path().join("root");
        fs::create_dir_all(dir.join("run/lock")).unwrap();
        fs::create_dir(dir.join("var")).unwrap();
        symlink("/run", dir.join("var/run")).unwrap();
        symlink("../../../../../run", dir.join("up")).unwrap();
        symlink("loop", dir.join("loop")).unwrap();
        let root = Root::open(&dir).unwrap();
        for path in ["/var/run/lock", "up/lock", "../../run/lock", "var/../run/./lock/"] {
            let found = root.locate(path.as_bytes(), Links::FOLLOWED).unwrap();
            let Located::Found { fd, path: real } = found else { panic!("{path} is missing") };
            assert_eq!(real, [&b"run"[..], b"lock"], "{path}");
            assert_eq!(ino(fd), fs::metadata(dir.join("run/lock")).unwrap().ino(), "{path}");
        }
        assert!(root.locate(b"loop", Links::FOLLOWED).is_err());
    }

    #[test]
    fn a_missing_path_tells_where_it_would_be() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("run")).unwrap();
        symlink("../run/systemd/resolv.conf", dir.path().join("resolv.conf")).unwrap();
        let root = Root::open(dir.path()).unwrap();
        let located = root.locate(b"/resolv.conf", Links::FOLLOWED).unwrap();
        let Located::Missing(missing) = located else { panic!("found") };
        assert_eq!(missing.at, [b"run"]);
        assert_eq!(missing.rest, [&b"systemd"[..], b"resolv.conf"]);
        assert!(root.locate(b"/no/../run", Links::FOLLOWED).is_err());
    }

    #[test]
    fn a_lookup_passes_no_link_that_it_must_not() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("dev/x")).unwrap();
        fs::create_dir(dir.path().join("a")).unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        for (name, target) in [("top", "/"), ("self", "."), ("up", "a/../dev"), ("new", "dev/y")] {
            symlink(target, dir.path().join(name)).unwrap();
        }
        let root = Root::open(dir.path()).unwrap();
        for path in ["top", "self", "a/../top", "up/x"] {
            let refused = root.locate(path.as_bytes(), Links::Refused);
            assert!(matches!(refused, Err(Unreachable::Link { .. })), "{path}");
        }
        assert!(root.locate(b"dev/x", Links::Refused).is_ok());
        let barred = Links::Within { barred: &["dev"] };
        for path in ["up", "up/x", "new", "top/dev", "self/dev/y", "dev"] {
            let refused = root.locate(path.as_bytes(), barred);
            let Err(error @ Unreachable::Barred { .. }) = refused else { panic!("{path}") };
            assert_eq!(error.to_string(), "a symbolic link leads to /dev");
        }
        assert!(root.locate(b"a/dev", barred).is_ok());
        let refused = root.locate(b"file/x", Links::FOLLOWED).unwrap_err();
        assert_eq!(refused.to_string(), "/file is not a directory");
    }
}
