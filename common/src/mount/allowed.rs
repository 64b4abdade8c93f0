//! Set-id programs and device nodes of a union that everybody can see: without effect
//! unless the user allows them, as layers are not trusted.

use std::os::fd::BorrowedFd;

use rustix::mount::MountAttrFlags;

use super::error::Error;
use crate::privilege;
use crate::sys::mount_attr::{MountAttr, mount_setattr};

/// Which of the two are allowed at a mount point.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Set-id programs and file capabilities have effect.
    pub suid: bool,

    /// Device nodes can be opened.
    pub dev: bool,
}

impl Allowed {
    /// Whether both are the default.
    #[must_use]
    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }

    /// Refuses options that the kernel or fusermount3(1) would ignore.
    pub(super) fn check(self) -> Result<(), Error> {
        if !self.is_nothing() && !privilege::can_mount() {
            return Err(Error::NotAllowed { what: "fusermount3 mounts with nosuid and nodev" });
        }
        if self.dev && !privilege::in_initial_user_namespace() {
            let what = "no device can be opened on a mount of a user namespace";
            return Err(Error::NotAllowed { what });
        }
        Ok(())
    }

    /// Refuses options that a copy cannot honour.
    ///
    /// # Errors
    /// Devices, which only root of the machine makes.
    pub fn check_copy(self) -> Result<(), Error> {
        let is_root = rustix::process::geteuid().is_root();
        if self.dev && !(is_root && privilege::in_initial_user_namespace()) {
            return Err(Error::NotAllowed { what: "only root can make devices" });
        }
        Ok(())
    }

    /// Restricts a mount that nobody can see yet.
    pub(super) fn restrict(self, kind: &'static str, mount: BorrowedFd<'_>) -> Result<(), Error> {
        let mut attributes = MountAttrFlags::empty();
        if !self.suid {
            attributes |= MountAttrFlags::MOUNT_ATTR_NOSUID;
        }
        if !self.dev {
            attributes |= MountAttrFlags::MOUNT_ATTR_NODEV;
        }
        let set = u64::from(attributes.bits());
        mount_setattr(mount, MountAttr { set, ..MountAttr::default() })
            .map_err(|error| Error::refused(kind, "mount_setattr", error, String::new()))
    }
}
