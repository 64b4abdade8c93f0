//! Recursive removal that stays inside: names are listed from an open directory
//! and removed by it; a link is removed, never followed.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, Mode, OFlags};
use rustix::io::Errno;

use super::{DIRECTORY, attributes};

/// How many directories of one branch are held open. Above them the way back is
/// `..`, whose identity is compared: no tree is too deep for the descriptors we may have.
const MAX_OPEN: usize = 32;

/// What stood where something was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// Nothing.
    Nothing,
    /// Anything but a directory.
    Leaf,
    /// A directory, with all below it.
    Directory,
}

/// A directory on the way down.
struct Level {
    fd: Option<OwnedFd>,
    identity: (u64, u64),
    /// As its parent knows it.
    name: Vec<u8>,
    /// Its own names, still to be removed.
    names: Vec<Vec<u8>>,
}

/// Removes `name` in the directory `at`, and all below it.
///
/// # Errors
/// The first removal that fails; `EAGAIN` if the tree is being moved about meanwhile.
pub fn remove(at: BorrowedFd<'_>, name: &[u8]) -> Result<Removed, Errno> {
    match rustix::fs::unlinkat(at, name, AtFlags::empty()) {
        Ok(()) => return Ok(Removed::Leaf),
        Err(Errno::NOENT) => return Ok(Removed::Nothing),
        Err(Errno::ISDIR) => {}
        Err(error) => return Err(error),
    }
    let mut levels = vec![enter(at, name.to_vec())?];
    while let Some(level) = levels.last_mut() {
        let Some(fd) = &level.fd else { return Err(Errno::AGAIN) };
        let Some(name) = level.names.pop() else {
            leave(at, &mut levels)?;
            continue;
        };
        match rustix::fs::unlinkat(fd, &name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(Errno::ISDIR) => {
                let below = enter(fd.as_fd(), name)?;
                levels.push(below);
                if let Some(far) = levels.len().checked_sub(MAX_OPEN) {
                    levels[far].fd = None;
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Removed::Directory)
}

fn enter(at: BorrowedFd<'_>, name: Vec<u8>) -> Result<Level, Errno> {
    let fd = open_writable(at, &name)?;
    let stat = rustix::fs::fstat(&fd)?;
    let names = names(fd.as_fd())?;
    Ok(Level { fd: Some(fd), identity: (stat.st_dev, stat.st_ino), name, names })
}

/// Removes the innermost directory, which is empty, from the one above.
fn leave(at: BorrowedFd<'_>, levels: &mut Vec<Level>) -> Result<(), Errno> {
    let Some(emptied) = levels.pop() else { return Ok(()) };
    let Some(above) = levels.last_mut() else {
        return rustix::fs::unlinkat(at, &emptied.name, AtFlags::REMOVEDIR);
    };
    if above.fd.is_none() {
        let inner = emptied.fd.ok_or(Errno::AGAIN)?;
        let fd = rustix::fs::openat(inner, c"..", DIRECTORY, Mode::empty())?;
        let stat = rustix::fs::fstat(&fd)?;
        if (stat.st_dev, stat.st_ino) != above.identity {
            return Err(Errno::AGAIN);
        }
        above.fd = Some(fd);
    }
    match &above.fd {
        Some(fd) => rustix::fs::unlinkat(fd, &emptied.name, AtFlags::REMOVEDIR),
        None => Err(Errno::AGAIN),
    }
}

/// Opens a directory that is about to be emptied. An ordinary user may own one
/// that he may not write: it is made writable first, as it goes away anyhow.
fn open_writable(at: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
    if !rustix::process::geteuid().is_root() {
        make_writable(at, name)?;
    }
    rustix::fs::openat(at, name, DIRECTORY, Mode::empty())
}

fn make_writable(at: BorrowedFd<'_>, name: &[u8]) -> Result<(), Errno> {
    let path = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(at, name, path, Mode::empty())?;
    let mode = rustix::fs::fstat(&fd)?.st_mode;
    if mode & 0o700 != 0o700 {
        // Whose it is not finds out when it is opened.
        let _ = attributes::set_mode_by_path_fd(fd.as_fd(), mode | 0o700);
    }
    Ok(())
}

/// The names in a directory, `.` and `..` left out, in the order of the file system.
///
/// # Errors
/// What openat(2) and getdents(2) say.
pub fn names(directory: BorrowedFd<'_>) -> Result<Vec<Vec<u8>>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        match entry.file_name().to_bytes() {
            b"." | b".." => {}
            name => names.push(name.to_vec()),
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::Path;

    use rustix::io::Errno;

    use super::{Removed, enter, leave, make_writable, remove};

    #[test]
    fn links_are_removed_and_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let outside = folder.path().join("outside");
        fs::create_dir_all(folder.path().join("root/a/b/c")).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("canary"), "").unwrap();
        symlink(&outside, folder.path().join("root/a/b/link")).unwrap();
        fs::write(folder.path().join("root/a/file"), "").unwrap();
        let root = fs::File::open(folder.path().join("root")).unwrap();
        assert_eq!(remove(root.as_fd(), b"a"), Ok(Removed::Directory));
        assert_eq!(remove(root.as_fd(), b"a"), Ok(Removed::Nothing));
        assert!(outside.join("canary").try_exists().unwrap());
    }

    #[test]
    fn a_directory_that_has_become_a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o7777;
        let outside = folder.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::set_permissions(&outside, Permissions::from_mode(0o500)).unwrap();
        symlink("outside", folder.path().join("d")).unwrap();
        let root = fs::File::open(folder.path()).unwrap();
        assert_eq!(make_writable(root.as_fd(), b"d"), Err(Errno::NOTDIR));
        assert_eq!(enter(root.as_fd(), b"d".to_vec()).err(), Some(Errno::NOTDIR));
        assert_eq!(mode(&outside), 0o500);
        make_writable(root.as_fd(), b"outside").unwrap();
        assert_eq!(mode(&outside), 0o700);
    }

    #[test]
    fn a_tree_that_is_moved_meanwhile_is_left() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a/b", "elsewhere/b"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let root = fs::File::open(folder.path()).unwrap();
        let mut above = enter(root.as_fd(), b"a".to_vec()).unwrap();
        let inner = enter(above.fd.as_ref().unwrap().as_fd(), b"b".to_vec()).unwrap();
        // As one that is too far up to be held open.
        above.fd = None;
        fs::rename(folder.path().join("a/b"), folder.path().join("elsewhere/moved")).unwrap();
        assert_eq!(leave(root.as_fd(), &mut vec![above, inner]), Err(Errno::AGAIN));
        assert!(folder.path().join("elsewhere/b").is_dir());
    }

    #[test]
    fn a_tree_deeper_than_a_path_can_be_is_removed() {
        use rustix::fs::{Mode, OFlags, mkdirat, openat};
        let folder = tempfile::tempdir().unwrap();
        let root = fs::File::open(folder.path()).unwrap();
        let mut at = root.try_clone().unwrap();
        for depth in 0..3000 {
            mkdirat(&at, "d", Mode::from(0o700)).unwrap();
            if depth % 7 == 0 {
                symlink("/", format!("/proc/self/fd/{}/l", std::os::fd::AsRawFd::as_raw_fd(&at)))
                    .unwrap();
            }
            at =
                openat(&at, "d", OFlags::DIRECTORY | OFlags::RDONLY, Mode::empty()).unwrap().into();
        }
        assert_eq!(remove(root.as_fd(), b"d"), Ok(Removed::Directory));
    }
}
