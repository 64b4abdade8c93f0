//! Small documents, read whole: the one way to read a file that somebody else wrote and
//! that is kept in memory (an ignore file, an index, a table of variables).
//!
//! Nothing is read without a bound, and nothing that was planted makes us wait:
//!
//! | the file | opened with |
//! |---|---|
//! | found in a directory that others filled (context, image) | [`found_in`]: links stay inside |
//! | found in a directory of ours (layout, store, cache) | [`found`], [`found_at`]: no link |
//! | in a layout that is only read | [`open_through_links_at`]: builders make such links |
//! | named on the command line, its links and pipes meant | [`named`] |
//! | open already | [`read`] |
//!
//! Files that are found must be regular. Reads can block in [`named`] alone, as every read
//! of an operand can: the thread that waits for signals (see [`crate::cli`]) ends the tool.
//! Parsing is left to others, and so are the names in messages.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::root::Root;

/// How a file is opened that may not be one.
const WITHOUT_WAITING: OFlags =
    OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// Reads a file that the user named: regular or a pipe, links followed, but no directory.
///
/// # Errors
/// Errors of open(2) and read(2); more than `limit_bytes`.
pub fn named(path: &Path, limit_bytes: u64) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::CLOEXEC;
    read(File::from(rustix::fs::open(path, flags, Mode::empty())?), limit_bytes)
}

/// Reads a regular file; `path` may pass links, but its last component is none.
///
/// # Errors
/// As [`open_at`]; more than `limit_bytes`.
pub fn found(path: &Path, limit_bytes: u64) -> io::Result<Vec<u8>> {
    found_at(CWD, path, limit_bytes)
}

/// Reads a regular file, `name`, of an open directory.
///
/// # Errors
/// As [`open_at`]; more than `limit_bytes`.
pub fn found_at(directory: impl AsFd, name: &Path, limit_bytes: u64) -> io::Result<Vec<u8>> {
    read(open_at(directory, name)?, limit_bytes)
}

/// Reads the regular file at `path` below `root`; links are followed and stay inside.
///
/// # Errors
/// As [`Root::open_file`], but for a missing file, which is `None`: a link that leads to
/// nothing inside (which may be something outside) is an error, so that nobody takes the
/// file for missing. More than `limit_bytes`.
pub fn found_in(root: &Root, path: &[u8], limit_bytes: u64) -> io::Result<Option<Vec<u8>>> {
    match root.open_file(path) {
        Ok(file) => read(File::from(file), limit_bytes).map(Some),
        Err(Errno::INVAL) => Err(not_regular()),
        Err(Errno::NOENT) => match root.open_path(path, OFlags::PATH | OFlags::NOFOLLOW) {
            Ok(_) => Err(leads_out()),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        },
        Err(errno) => Err(errno.into()),
    }
}

/// Opens a regular file of an open directory, of any length, for reading. FIFOs do not
/// block it, and devices are not opened unless they are exchanged for the file just now.
///
/// # Errors
/// Errors of open(2); a file that is not regular, links among them.
pub fn open_at(directory: impl AsFd, name: &Path) -> io::Result<File> {
    open(directory.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW, OFlags::NOFOLLOW)
}

/// As [`open_at`], but through links: for what is checked or parsed wherever it lies.
///
/// # Errors
/// Errors of open(2); a file that is not regular.
pub fn open_through_links_at(directory: impl AsFd, name: &Path) -> io::Result<File> {
    open(directory.as_fd(), name, AtFlags::empty(), OFlags::empty())
}

fn open(directory: BorrowedFd<'_>, name: &Path, stat: AtFlags, flags: OFlags) -> io::Result<File> {
    regular(rustix::fs::statat(directory, name, stat)?.st_mode)?;
    let file = rustix::fs::openat(directory, name, WITHOUT_WAITING | flags, Mode::empty())?;
    regular(rustix::fs::fstat(&file)?.st_mode)?;
    Ok(file.into())
}

/// Reads what is left of `reader`.
///
/// # Errors
/// Errors of the reader; more than `limit_bytes`.
pub fn read(reader: impl Read, limit_bytes: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more than there may be, so that too much is seen as too much.
    reader.take(limit_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit_bytes {
        return Err(too_large(limit_bytes));
    }
    Ok(bytes)
}

/// The error about a document that is longer than it may be.
#[must_use]
pub fn too_large(limit_bytes: u64) -> io::Error {
    let text = format!("larger than {limit_bytes} bytes");
    io::Error::new(io::ErrorKind::FileTooLarge, text)
}

/// The error about a link that leads out of where it was found, or nowhere.
#[must_use]
pub fn leads_out() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "a link out of its directory tree, or to nothing")
}

/// The error about a directory or a special file.
#[must_use]
pub fn not_regular() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")
}

fn regular(mode: rustix::fs::RawMode) -> io::Result<()> {
    match FileType::from_raw_mode(mode) {
        FileType::RegularFile => Ok(()),
        FileType::Directory => Err(io::ErrorKind::IsADirectory.into()),
        _ => Err(not_regular()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{ErrorKind, Write as _};
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use rustix::fs::{CWD, FileType};

    use super::{Root, found, found_at, found_in, named, read};

    const LIMIT: u64 = 8;

    /// A directory of everything that may be found in the place of a document.
    fn planted() -> tempfile::TempDir {
        let outside = tempfile::tempdir().unwrap();
        let dir = outside.path().join("dir");
        fs::create_dir_all(dir.join("directory")).unwrap();
        fs::write(outside.path().join("secret"), "secret").unwrap();
        fs::write(dir.join("file"), "12345678").unwrap();
        fs::write(dir.join("long"), "123456789").unwrap();
        symlink("file", dir.join("link")).unwrap();
        symlink("/file", dir.join("absolute")).unwrap();
        symlink("../secret", dir.join("up")).unwrap();
        symlink(outside.path().join("secret"), dir.join("out")).unwrap();
        symlink("/dev/zero", dir.join("zero")).unwrap();
        rustix::fs::mknodat(CWD, dir.join("fifo"), FileType::Fifo, 0o600.into(), 0).unwrap();
        outside
    }

    #[test]
    fn found_files_are_regular_and_no_links() {
        let outside = planted();
        let dir = outside.path().join("dir");
        let open = fs::File::open(&dir).unwrap();
        let both = |name: &str| {
            let at = found_at(&open, Path::new(name), LIMIT).map_err(|error| error.to_string());
            let by_path = found(&dir.join(name), LIMIT).map_err(|error| error.to_string());
            assert_eq!(at, by_path, "{name}");
            at
        };
        assert_eq!(both("file").unwrap(), b"12345678");
        assert_eq!(both("long").unwrap_err(), "larger than 8 bytes");
        for name in ["link", "absolute", "up", "out", "zero", "fifo"] {
            assert_eq!(both(name).unwrap_err(), "not a regular file", "{name}");
        }
        let kind = |name: &str| found(&dir.join(name), LIMIT).unwrap_err().kind();
        assert_eq!(kind("directory"), ErrorKind::IsADirectory);
        assert_eq!(kind("missing"), ErrorKind::NotFound);
    }

    #[test]
    fn links_of_a_tree_stay_inside() {
        let outside = planted();
        let path = outside.path().join("dir");
        for root in [Root::open(&path).unwrap(), Root::open(&path).unwrap().without_openat2()] {
            let found = |name: &str| found_in(&root, name.as_bytes(), LIMIT);
            for name in ["file", "link", "absolute"] {
                assert_eq!(found(name).unwrap().unwrap(), b"12345678", "{name}");
            }
            assert!(found("missing").unwrap().is_none());
            assert!(found("missing/too").unwrap().is_none());
            for (name, expected) in [
                ("long", "larger than 8 bytes"),
                ("up", "a link out of its directory tree, or to nothing"),
                ("out", "a link out of its directory tree, or to nothing"),
                ("zero", "a link out of its directory tree, or to nothing"),
                ("fifo", "not a regular file"),
            ] {
                assert_eq!(found(name).unwrap_err().to_string(), expected, "{name}");
            }
            assert_eq!(found("directory").unwrap_err().kind(), ErrorKind::IsADirectory);
        }
    }

    #[test]
    fn named_files_may_be_links_and_pipes_but_not_endless() {
        let outside = planted();
        let dir = outside.path().join("dir");
        assert_eq!(named(&dir.join("up"), LIMIT).unwrap(), b"secret");
        assert_eq!(named(&dir.join("zero"), LIMIT).unwrap_err().kind(), ErrorKind::FileTooLarge);
        assert_eq!(
            named(&dir.join("directory"), LIMIT).unwrap_err().kind(),
            ErrorKind::IsADirectory
        );
        let fifo = dir.join("fifo");
        let writer = std::thread::spawn({
            let fifo = fifo.clone();
            move || fs::OpenOptions::new().write(true).open(fifo).unwrap().write_all(b"piped")
        });
        assert_eq!(named(&fifo, LIMIT).unwrap(), b"piped");
        writer.join().unwrap().unwrap();
    }

    #[test]
    fn no_more_is_read_than_one_byte_too_many() {
        let mut rest: &[u8] = b"123456789abc";
        assert!(read(&mut rest, LIMIT).is_err());
        assert_eq!(rest, b"abc");
    }
}
