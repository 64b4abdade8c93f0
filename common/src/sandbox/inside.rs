//! Paths inside the root, looked up as the command itself will see them.
//!
//! The image's links are not trusted: a path is walked one component at a time
//! with nothing followed, links are read and walked in their turn from the root,
//! and `..` never leaves it. What comes out is a descriptor, never a string.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawMode, openat, readlinkat, statat};
use rustix::io::Errno;

/// Links that one lookup may meet, as the kernel counts them.
const MOST_LINKS: usize = 40;

/// What a path leads to.
#[derive(Debug)]
pub(super) enum Located {
    /// Something: opened with `O_PATH`, never a link.
    Found(OwnedFd),
    /// Nothing.
    Missing(Missing),
}

/// Where a path ends too early.
#[derive(Debug)]
pub(super) struct Missing {
    /// The last directory that is there.
    pub(super) parent: OwnedFd,
    /// Its own path from the root, without links.
    pub(super) at: Vec<Vec<u8>>,
    /// The components that are not there: one at least.
    pub(super) rest: Vec<Vec<u8>>,
}

/// Looks up `path` inside `root`.
pub(super) fn locate(root: impl AsFd, path: &[u8]) -> io::Result<Located> {
    let mut pending: VecDeque<Vec<u8>> = components(path).collect();
    let mut trail: Vec<(Vec<u8>, OwnedFd)> = Vec::new();
    let mut links = 0;
    while let Some(name) = pending.pop_front() {
        if name == b".." {
            trail.pop();
            continue;
        }
        let here: BorrowedFd<'_> = trail.last().map_or(root.as_fd(), |(_, fd)| fd.as_fd());
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = match openat(here, name.as_slice(), flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => {
                let mut rest = vec![name];
                rest.extend(pending);
                if rest.iter().any(|component| component == b"..") {
                    return Err(Errno::NOENT.into());
                }
                let parent = here.try_clone_to_owned()?;
                let at = trail.into_iter().map(|(name, _)| name).collect();
                return Ok(Located::Missing(Missing { parent, at, rest }));
            }
            Err(errno) => return Err(errno.into()),
        };
        match kind(&fd)? {
            FileType::Symlink => {
                links += 1;
                if links > MOST_LINKS {
                    return Err(Errno::LOOP.into());
                }
                let target = readlinkat(&fd, "", Vec::new())?.into_bytes();
                if target.first() == Some(&b'/') {
                    trail.clear();
                }
                for component in components(&target).collect::<Vec<_>>().into_iter().rev() {
                    pending.push_front(component);
                }
            }
            FileType::Directory => trail.push((name, fd)),
            _ if pending.is_empty() => return Ok(Located::Found(fd)),
            _ => return Err(Errno::NOTDIR.into()),
        }
    }
    match trail.pop() {
        Some((_, fd)) => Ok(Located::Found(fd)),
        None => Ok(Located::Found(root.as_fd().try_clone_to_owned()?)),
    }
}

/// What an open file is.
pub(super) fn kind(fd: impl AsFd) -> io::Result<FileType> {
    let stat = statat(fd, "", AtFlags::EMPTY_PATH)?;
    Ok(FileType::from_raw_mode(stat.st_mode as RawMode))
}

/// Opens in this mount namespace what `fd` is in the caller's: mounts cannot be
/// copied from another. The name is the kernel's own and without links, and what is
/// found there must be the same file.
pub(super) fn reopen(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let path = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()))?;
    let opened =
        openat(CWD, &path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let identity = |fd: BorrowedFd<'_>| {
        statat(fd, "", AtFlags::EMPTY_PATH).map(|stat| (stat.st_dev, stat.st_ino))
    };
    if identity(fd)? == identity(opened.as_fd())? {
        Ok(opened)
    } else {
        Err(io::Error::other("it was replaced meanwhile"))
    }
}

fn components(path: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    path.split(|byte| *byte == b'/')
        .filter(|component| !component.is_empty() && *component != b".")
        .map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::{Located, locate};

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
        let root = fs::File::open(&dir).unwrap();
        for path in ["/var/run/lock", "up/lock", "../../run/lock", "var/../run/./lock/"] {
            let Located::Found(fd) = locate(&root, path.as_bytes()).unwrap() else {
                panic!("{path} is missing");
            };
            assert_eq!(ino(fd), fs::metadata(dir.join("run/lock")).unwrap().ino(), "{path}");
        }
        assert!(locate(&root, b"loop").is_err());
    }

    #[test]
    fn a_missing_path_tells_where_it_would_be() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("run")).unwrap();
        symlink("../run/systemd/resolv.conf", dir.path().join("resolv.conf")).unwrap();
        let root = fs::File::open(dir.path()).unwrap();
        let Located::Missing(missing) = locate(&root, b"/resolv.conf").unwrap() else {
            panic!("found");
        };
        assert_eq!(missing.at, [b"run"]);
        assert_eq!(missing.rest, [&b"systemd"[..], b"resolv.conf"]);
        assert!(locate(&root, b"/no/../run").is_err());
    }
}
