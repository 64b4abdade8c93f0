//! Deletions as overlayfs records them (kernel: Documentation/filesystems/overlayfs.rst,
//! "whiteouts and opaque directories").

use std::os::fd::AsFd as _;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use super::engine::Engine;
use super::error::{Problem, Tried as _};
use super::options::Form;
use crate::mount::Namespace;
use crate::root::attributes::{self, Target};
use crate::root::{self, DirId};

impl Engine<'_> {
    fn namespace(&self) -> Option<Namespace> {
        match &self.options.form {
            Form::Plain => None,
            Form::Overlay { namespace, .. } => Some(*namespace),
        }
    }

    /// Writes a whiteout: the device 0:0, which anyone may make since Linux 5.8, or,
    /// where that is refused, an empty file that is marked (Linux 6.7).
    pub(super) fn write_whiteout(&mut self, at: DirId, name: &[u8]) -> Result<(), Problem> {
        let Some(namespace) = self.namespace() else { return Ok(()) };
        // In an opaque directory there is nothing left to hide.
        if self.directory(at).opaque || self.whiteouts.contains(at, name) {
            return Ok(());
        }
        if !self.marks_whiteouts {
            let made =
                self.make(at, name, "create a whiteout", |fd| {
                    match rustix::fs::mknodat(fd, name, FileType::CharacterDevice, Mode::empty(), 0)
                    {
                        Ok(()) => Ok(true),
                        Err(Errno::PERM) => Ok(false),
                        Err(error) => Err(error),
                    }
                })?;
            self.marks_whiteouts = !made;
        }
        if self.marks_whiteouts {
            self.write_marked_whiteout(at, name, namespace)?;
        }
        self.whiteouts.insert(at, name);
        self.mark_whiteouts(at, namespace)
    }

    /// Has a mount look for whiteouts in a directory of which lower layers may have
    /// nothing. It would list such a one as it is, whiteouts among its names, unless
    /// it was copied up from somewhere, which an empty origin says (fs/overlayfs/inode.c,
    /// "non-merge dir that may have whiteouts"). The root of a mount is always looked
    /// through, and an origin there would say that the mount kept an index.
    fn mark_whiteouts(&mut self, at: DirId, namespace: Namespace) -> Result<(), Problem> {
        if at == DirId::ROOT || std::mem::replace(&mut self.directory(at).holds_whiteouts, true) {
            return Ok(());
        }
        let fd = self.prepare(at)?;
        match set_mark(Target::Open(fd.as_fd()), namespace, b"origin", b"") {
            // A whiteout hides what is below it all the same.
            Err(Problem::Xattr { source, .. })
                if matches!(source.raw_os_error(), Some(libc::EPERM | libc::EOPNOTSUPP)) =>
            {
                Ok(())
            }
            marked => marked,
        }
    }

    fn write_marked_whiteout(
        &mut self,
        at: DirId,
        name: &[u8],
        namespace: Namespace,
    ) -> Result<(), Problem> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = self.make(at, name, "create a whiteout", |fd| {
            rustix::fs::openat(fd, name, flags, Mode::from_raw_mode(0o600))
        })?;
        set_mark(Target::Open(file.as_fd()), namespace, b"whiteout", b"y")?;
        // Only in directories that say so are such files looked for.
        let fd = self.prepare(at)?;
        set_mark(Target::Open(fd.as_fd()), namespace, b"opaque", b"x")
    }

    /// Hides all lower content of a directory.
    pub(super) fn set_opaque(&mut self, id: DirId) -> Result<(), Problem> {
        let Some(namespace) = self.namespace() else { return Ok(()) };
        let fd = self.prepare(id)?;
        // Whiteouts are of no use now, and a marked one would show as a file.
        for name in root::names(fd.as_fd()).tried("list it")? {
            if self.whiteouts.contains(id, &name) {
                self.clear(id, &name)?;
            }
        }
        set_mark(Target::Open(fd.as_fd()), namespace, b"opaque", b"y")?;
        self.directory(id).opaque = true;
        Ok(())
    }
}

fn set_mark(
    target: Target<'_>,
    namespace: Namespace,
    name: &[u8],
    value: &[u8],
) -> Result<(), Problem> {
    let name = namespace.attribute(name);
    attributes::set_xattr(target, &name, value)
        .map_err(|errno| Problem::Xattr { name, source: errno.into() })
}
