//! Whether a file system keeps overlayfs's marks. Where one cannot, overlayfs mounts all
//! the same, and then fails to make a directory where one was removed, and the like.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    CWD, MemfdFlags, Mode, OFlags, XattrFlags, fremovexattr, fsetxattr, memfd_create, openat,
};
use rustix::io::Errno;

use super::error::Error;
use super::namespace::Namespace;

/// Whether a tmpfs can be an upper directory of this process: `user.*` attributes came to
/// it with Linux 6.6.
#[must_use]
pub fn memory_keeps_marks() -> bool {
    memfd_create("probe", MemfdFlags::CLOEXEC)
        .is_ok_and(|memory| try_mark(memory, Namespace::native()).is_ok())
}

/// Whether `directory` can be one.
#[must_use]
pub fn directory_keeps_marks(directory: &Path) -> bool {
    open(CWD, directory).and_then(|directory| try_mark(directory, Namespace::native())).is_ok()
}

/// Refuses a work directory that cannot. Whatever else is wrong with it, the kernel will
/// say.
pub(super) fn check(work: &OwnedFd, namespace: Namespace) -> Result<(), Error> {
    match open(work, Path::new(".")).and_then(|work| try_mark(work, namespace)) {
        Err(Errno::NOTSUP) => Err(Error::NoMarks { namespace }),
        _ => Ok(()),
    }
}

fn open(at: impl AsFd, directory: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(at, directory, flags, Mode::empty())
}

/// Leaves a mark and takes it away again: `NOTSUP` where there are no such attributes.
fn try_mark(file: impl AsFd, namespace: Namespace) -> Result<(), Errno> {
    let mark = match namespace {
        Namespace::Trusted => "trusted.overlay.probe",
        Namespace::User => "user.overlay.probe",
    };
    fsetxattr(&file, mark, b"", XattrFlags::empty())?;
    fremovexattr(&file, mark)
}
