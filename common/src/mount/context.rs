//! A file system being configured (fsopen(2)), and what the kernel says about it.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_fd, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen,
};

use super::error::Error;

/// A file system context.
#[derive(Debug)]
pub(crate) struct Context {
    fd: OwnedFd,
    kind: &'static str,
}

impl Context {
    /// Opens a context for file systems of `kind`; `source` is what /proc/mounts
    /// shows as the device.
    pub(crate) fn open(kind: &'static str, source: &str) -> Result<Self, Error> {
        match fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC) {
            Ok(fd) => {
                let context = Self { fd, kind };
                context.string("source", source)?;
                Ok(context)
            }
            Err(errno) => Err(Error::refused(kind, "fsopen", errno.into(), String::new())),
        }
    }

    /// Sets an option to a string of at most 255 bytes; a longer one is refused as too
    /// long a name.
    pub(crate) fn string(&self, key: &str, value: impl AsRef<OsStr>) -> Result<(), Error> {
        let value = value.as_ref();
        match value.len() {
            0..=255 => fsconfig_set_string(&self.fd, key, value),
            _ => Err(rustix::io::Errno::NAMETOOLONG),
        }
        .map_err(|errno| self.refusal(key, errno))
    }

    /// Sets an option to a descriptor.
    pub(crate) fn descriptor(&self, key: &str, value: impl AsFd) -> Result<(), Error> {
        fsconfig_set_fd(&self.fd, key, value).map_err(|errno| self.refusal(key, errno))
    }

    /// Sets an option that has no value.
    pub(crate) fn flag(&self, key: &str) -> Result<(), Error> {
        fsconfig_set_flag(&self.fd, key).map_err(|errno| self.refusal(key, errno))
    }

    /// Makes the file system, and a mount of it that is nowhere yet.
    pub(crate) fn mount(self, attributes: MountAttrFlags) -> Result<OwnedFd, Error> {
        fsconfig_create(&self.fd).map_err(|errno| self.refusal("create", errno))?;
        fsmount(&self.fd, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
            .map_err(|errno| self.refusal("fsmount", errno))
    }

    fn refusal(&self, step: &str, errno: rustix::io::Errno) -> Error {
        Error::refused(self.kind, step, errno.into(), self.messages())
    }

    /// The messages that the kernel left in the context, without their level,
    /// joined by `; `.
    fn messages(&self) -> String {
        let mut messages: Vec<String> = Vec::new();
        let mut buffer = [0; 1024];
        // One read is one message; ENODATA ends them.
        while let Ok(len @ 1..) = rustix::io::read(&self.fd, &mut buffer) {
            let text = String::from_utf8_lossy(buffer.get(..len).unwrap_or_default());
            let text = text.trim_end();
            let text =
                text.get(2..).filter(|_| text.as_bytes().get(1) == Some(&b' ')).unwrap_or(text);
            if messages.iter().all(|known| known != text) {
                messages.push(text.to_owned());
            }
        }
        messages.join("; ")
    }
}

/// A fresh tmpfs that is mounted nowhere yet.
pub(crate) fn tmpfs(
    size_bytes: Option<u64>,
    mode: u32,
    attributes: MountAttrFlags,
) -> Result<OwnedFd, Error> {
    let context = Context::open("tmpfs", "tmpfs")?;
    if let Some(size_bytes) = size_bytes {
        context.string("size", size_bytes.to_string())?;
    }
    context.string("mode", format!("{mode:o}"))?;
    context.mount(attributes)
}

/// Moves a mount that is nowhere yet onto `target`.
pub(crate) fn attach(mount: impl AsFd, target: impl AsFd) -> io::Result<()> {
    use rustix::mount::{MoveMountFlags, move_mount};
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    Ok(move_mount(mount, "", target, "", flags)?)
}
