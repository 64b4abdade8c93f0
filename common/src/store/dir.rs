//! A directory of the store, held open: the one way in which the store touches files.
//!
//! Every operation is relative to an open descriptor and takes one name. The layout's own
//! top may be a link, as the user gave it; below it no link to a directory is followed, by
//! anyone, and links to files only by readers. So a layout that somebody else filled leads
//! no removal, and no write, out of it.

use std::ffi::{CString, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir as Listing, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::document;

const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
const NEW_FILE: Mode = Mode::from_raw_mode(0o644);

/// Whether a link to a file is as good as the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Links {
    /// For readers: documents are parsed and blobs are checked, wherever they lie.
    Follow,
    /// For whoever writes or removes.
    Refuse,
}

/// An open directory.
#[derive(Debug)]
pub(super) struct Dir {
    fd: OwnedFd,
    /// For messages.
    path: PathBuf,
}

impl Dir {
    /// Opens the top of a layout, through links.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let fd = rustix::fs::open(path, DIRECTORY, Mode::empty())?;
        Ok(Self { fd, path: path.to_owned() })
    }

    /// Opens a directory in this one.
    pub(super) fn below(&self, name: &str) -> io::Result<Self> {
        let flags = DIRECTORY | OFlags::NOFOLLOW;
        match rustix::fs::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => Ok(Self { fd, path: self.path.join(name) }),
            Err(Errno::NOTDIR | Errno::LOOP) if self.is_link(name) => {
                let text = "a symbolic link, which a store may not have for a directory";
                Err(io::Error::new(io::ErrorKind::InvalidInput, text))
            }
            Err(errno) => Err(errno.into()),
        }
    }

    /// Opens a directory in this one, and makes it if it is missing.
    pub(super) fn make(&self, name: &str) -> io::Result<Self> {
        match rustix::fs::mkdirat(&self.fd, name, Mode::from_raw_mode(0o777)) {
            Ok(()) | Err(Errno::EXIST) => self.below(name),
            // A file system that cannot be written to says so before it looks.
            Err(errno) => self.below(name).map_err(|_| errno.into()),
        }
    }

    /// The same directory once more.
    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { fd: self.fd.try_clone()?, path: self.path.clone() })
    }

    /// The directory as messages call it.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a regular file for reading, without waiting for anybody.
    pub(super) fn file(&self, name: &str, links: Links) -> io::Result<File> {
        match links {
            Links::Follow => document::open_through_links_at(&self.fd, Path::new(name)),
            Links::Refuse => document::open_at(&self.fd, Path::new(name)),
        }
    }

    /// Opens a file for a lock, and makes it if it is missing.
    pub(super) fn lock_file(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDWR
            | OFlags::CREATE
            | OFlags::NOFOLLOW
            | OFlags::NONBLOCK
            | OFlags::NOCTTY
            | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.fd, name, flags, NEW_FILE).map_err(|errno| {
            if errno == Errno::LOOP { document::not_regular() } else { errno.into() }
        })?;
        let file = File::from(file);
        if file.metadata()?.is_file() { Ok(file) } else { Err(document::not_regular()) }
    }

    /// Opens a regular file that is ours alone for writing, as it is.
    pub(super) fn own_file(&self, name: &str) -> io::Result<File> {
        use std::os::unix::fs::MetadataExt as _;
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(&self.fd, name, flags, Mode::empty())?);
        let metadata = file.metadata()?;
        match metadata.is_file() && metadata.nlink() == 1 {
            true => Ok(file),
            false => Err(document::not_regular()),
        }
    }

    /// Makes a file that was not there.
    pub(super) fn create(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.fd, name, flags, NEW_FILE)?.into())
    }

    /// Makes a file without a name (`O_TMPFILE`), if the file system has such files.
    pub(super) fn nameless(&self) -> Option<File> {
        // It gets its name through /proc, so that no privilege is needed.
        rustix::fs::stat("/proc/self/fd").ok()?;
        let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
        Some(rustix::fs::openat(&self.fd, ".", flags, NEW_FILE).ok()?.into())
    }

    /// Gives an open file `name`, which nothing may have yet.
    pub(super) fn link(&self, file: &File, name: &str) -> io::Result<()> {
        let open = format!("/proc/self/fd/{}", file.as_raw_fd());
        Ok(rustix::fs::linkat(CWD, open, &self.fd, name, AtFlags::SYMLINK_FOLLOW)?)
    }

    /// Renames `name` to `to`, over what is there.
    pub(super) fn rename(&self, name: &str, to: &str) -> io::Result<()> {
        self.rename_into(name, self, to)
    }

    /// Moves `name` to `to` in another directory, over what is there.
    pub(super) fn rename_into(&self, name: &str, other: &Self, to: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.fd, name, &other.fd, to)?)
    }

    /// Removes a file or a link, which may be gone already.
    pub(super) fn remove(&self, name: impl rustix::path::Arg) -> io::Result<()> {
        self.remove_as(name, AtFlags::empty())
    }

    /// Removes an empty directory, which may be gone already.
    pub(super) fn remove_dir(&self, name: &str) -> io::Result<()> {
        self.remove_as(name, AtFlags::REMOVEDIR)
    }

    fn remove_as(&self, name: impl rustix::path::Arg, flags: AtFlags) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.fd, name, flags) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// The length in bytes of the regular file `name`; `None` if there is none.
    pub(super) fn len_of(&self, name: impl rustix::path::Arg, links: Links) -> Option<u64> {
        let flags = match links {
            Links::Follow => AtFlags::empty(),
            Links::Refuse => AtFlags::SYMLINK_NOFOLLOW,
        };
        let stat = rustix::fs::statat(&self.fd, name, flags).ok()?;
        let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        is_file.then(|| u64::try_from(stat.st_size).ok()).flatten()
    }

    /// Whether anything is called `name`, be it a link to nothing.
    pub(super) fn has(&self, name: &str) -> io::Result<bool> {
        match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    fn is_link(&self, name: &str) -> bool {
        let is_link = |stat: Stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink;
        rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(is_link)
    }

    /// Tells `each` of every name in the directory.
    pub(super) fn names(&self, mut each: impl FnMut(OsString)) -> io::Result<()> {
        for entry in Listing::new(self.readable()?)? {
            let name: CString = entry?.file_name().to_owned();
            if !matches!(name.to_bytes(), b"." | b"..") {
                each(OsString::from_vec(name.into_bytes()));
            }
        }
        Ok(())
    }

    /// Flushes the directory to disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        match rustix::fs::fsync(self.readable()?) {
            // Some file systems cannot sync a directory, and need not.
            Ok(()) | Err(Errno::INVAL) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// The device of the file system.
    pub(super) fn device(&self) -> io::Result<u64> {
        Ok(rustix::fs::fstat(&self.fd)?.st_dev)
    }

    fn readable(&self) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::openat(self.fd.as_fd(), ".", flags, Mode::empty())
    }
}
