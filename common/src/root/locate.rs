//! Where a path leads, or would: the walk by single components, none of them followed
//! by the kernel. Links are read and resolved here, and `..` goes back to a directory
//! that is still open.

use std::collections::VecDeque;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use super::Root;

/// What the kernel allows in one resolution.
pub(crate) const MAX_LINKS: usize = 40;

/// What a path leads to.
#[derive(Debug)]
pub enum Located {
    /// Something: opened with `O_PATH`, never a link.
    Found(OwnedFd),
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

impl Root {
    /// Finds what `path` names, links followed within the root, or the place where it
    /// would have to be made.
    ///
    /// # Errors
    /// What open(2) says, but for a name that is missing.
    pub fn locate(&self, path: &[u8]) -> Result<Located, Errno> {
        let root = self.as_fd();
        let Walked { mut above, end } = walk(root, path, Last::Followed)?;
        match end {
            End::Directory => match above.pop() {
                Some((_, fd)) => Ok(Located::Found(fd)),
                None => Ok(Located::Found(duplicate(root)?)),
            },
            End::Other(_, fd) => Ok(Located::Found(fd)),
            End::Missing(rest) if rest.iter().any(|name| name == b"..") => Err(Errno::NOENT),
            End::Missing(rest) => {
                let parent = duplicate(above.last().map_or(root, |(_, fd)| fd.as_fd()))?;
                let at = above.into_iter().map(|(name, _)| name).collect();
                Ok(Located::Missing(Missing { parent, at, rest }))
            }
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
pub(super) fn walk(root: BorrowedFd<'_>, path: &[u8], last: Last) -> Result<Walked, Errno> {
    let mut above: Vec<(Vec<u8>, OwnedFd)> = Vec::new();
    let mut ahead: VecDeque<Vec<u8>> = components(path).collect();
    let mut links = 0;
    while let Some(name) = ahead.pop_front() {
        if name == b".." {
            above.pop();
            continue;
        }
        let at = above.last().map_or(root, |(_, fd)| fd.as_fd());
        let passing = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let found = match rustix::fs::openat(at, &name, passing, Mode::empty()) {
            Ok(found) => found,
            Err(Errno::NOENT) => {
                ahead.push_front(name);
                return Ok(Walked { above, end: End::Missing(ahead.into()) });
            }
            Err(errno) => return Err(errno),
        };
        match FileType::from_raw_mode(rustix::fs::fstat(&found)?.st_mode) {
            FileType::Directory => above.push((name, found)),
            FileType::Symlink if !ahead.is_empty() || last == Last::Followed => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(Errno::LOOP);
                }
                let target = rustix::fs::readlinkat(&found, c"", Vec::new())?.into_bytes();
                if target.first() == Some(&b'/') {
                    above.clear();
                }
                let target: Vec<_> = components(&target).collect();
                for name in target.into_iter().rev() {
                    ahead.push_front(name);
                }
            }
            _ if ahead.is_empty() => {
                return Ok(Walked { above, end: End::Other(name, found) });
            }
            _ => return Err(Errno::NOTDIR),
        }
    }
    Ok(Walked { above, end: End::Directory })
}

fn components(path: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    path.split(|&byte| byte == b'/').filter(|name| !matches!(*name, b"" | b".")).map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::{Located, Root};

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
            let Located::Found(fd) = root.locate(path.as_bytes()).unwrap() else {
                panic!("{path} is missing");
            };
            assert_eq!(ino(fd), fs::metadata(dir.join("run/lock")).unwrap().ino(), "{path}");
        }
        assert!(root.locate(b"loop").is_err());
    }

    #[test]
    fn a_missing_path_tells_where_it_would_be() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("run")).unwrap();
        symlink("../run/systemd/resolv.conf", dir.path().join("resolv.conf")).unwrap();
        let root = Root::open(dir.path()).unwrap();
        let Located::Missing(missing) = root.locate(b"/resolv.conf").unwrap() else {
            panic!("found");
        };
        assert_eq!(missing.at, [b"run"]);
        assert_eq!(missing.rest, [&b"systemd"[..], b"resolv.conf"]);
        assert!(root.locate(b"/no/../run").is_err());
    }
}
