//! The file systems that the sandbox has mounted on its own directories, remembered to
//! mount others on them and to see at last that each is where it must be.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, StatxFlags, openat, statx};

use super::Error;
use super::error::Trying as _;
use super::inside;
use super::target::Target;
use crate::name::show;
use crate::root::{Links, Located, locate};

/// Mounts on /proc, /sys and /dev, and below, each the topmost at its path.
#[derive(Debug, Default)]
pub(super) struct Attached(Vec<One>);

#[derive(Debug)]
struct One {
    target: Target,
    mount: OwnedFd,
    id: u64,
}

impl Attached {
    /// Remembers a mount that has just been attached.
    pub(super) fn add(&mut self, target: &Target, mount: BorrowedFd<'_>) -> Result<(), Error> {
        let about = || format!("cannot identify the mount on {}", show(&target.path()));
        let id = mount_id(mount).trying(about)?;
        let mount = inside::duplicate(mount).trying(about)?;
        // Everything at its path and below is covered from here on.
        self.0.retain(|one| !one.target.is_within(target));
        self.0.push(One { target: target.clone(), mount, id });
        Ok(())
    }

    /// The root of the mount that holds `target`, and the target's path in it.
    pub(super) fn holding(&self, target: &Target) -> Option<(BorrowedFd<'_>, Vec<u8>)> {
        let holding = self.0.iter().filter(|one| target.is_within(&one.target));
        let nearest = holding.min_by_key(|one| target.below(&one.target).len())?;
        Some((nearest.mount.as_fd(), target.below(&nearest.target)))
    }

    /// The mounts by their numbers, for when they are the only way to know them.
    pub(super) fn expected(self) -> Expected {
        Expected(self.0.into_iter().map(|one| (one.target, one.id)).collect())
    }
}

/// The mounts that a command must find.
#[derive(Debug)]
pub(super) struct Expected(Vec<(Target, u64)>);

impl Expected {
    /// Looks whether each is there, by its path, once the root is this process's own.
    ///
    /// # Errors
    /// Another mount, or none, is at one of the paths, or there is something above `/`.
    pub(super) fn verify(&self) -> Result<(), Error> {
        let about = || "cannot look at the root".to_owned();
        let open = |path: &str| openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
        let root = open("/").trying(about)?;
        let above = open("/..").trying(about)?;
        let wrong = |what: &str| Error::new(format!("{what}: not the sandbox's own"));
        if identity(root.as_fd()).trying(about)? != identity(above.as_fd()).trying(about)? {
            return Err(wrong("/.."));
        }
        for (target, id) in &self.0 {
            let path = target.path();
            let found = match locate(root.as_fd(), &path, Links::Refused) {
                Ok(Located::Found { fd, .. }) => mount_id(fd.as_fd()).ok(),
                Ok(Located::Missing(_)) | Err(_) => None,
            };
            if found != Some(*id) {
                return Err(wrong(&show(&path).to_string()));
            }
        }
        Ok(())
    }
}

/// The number of the mount that a file is on (Linux 5.8).
fn mount_id(fd: BorrowedFd<'_>) -> std::io::Result<u64> {
    let found = statx(fd, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)?;
    match found.stx_mask & StatxFlags::MNT_ID.bits() {
        0 => Err(std::io::Error::other("this kernel does not number mounts")),
        _ => Ok(found.stx_mnt_id),
    }
}

/// File system, file and mount.
fn identity(fd: BorrowedFd<'_>) -> std::io::Result<(u32, u32, u64, u64)> {
    let found = statx(fd, "", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS)?;
    Ok((found.stx_dev_major, found.stx_dev_minor, found.stx_ino, mount_id(fd)?))
}

#[cfg(test)]
mod tests {
    use super::{CWD, Mode, OFlags};
    use super::{Expected, Target, mount_id, openat};
    use std::os::fd::AsFd as _;

    #[test]
    fn a_mount_that_is_not_ours_is_noticed() {
        let proc = openat(CWD, "/proc", OFlags::PATH, Mode::empty()).unwrap();
        let id = mount_id(proc.as_fd()).unwrap();
        let verify = |id| Expected(vec![(Target::of_system("/proc"), id)]).verify();
        assert!(verify(id).is_ok());
        let said = verify(id + 1).unwrap_err().to_string();
        assert_eq!(said, "/proc: not the sandbox's own");
        let missing = Expected(vec![(Target::of_system("/proc/none"), id)]).verify();
        assert!(missing.is_err());
    }
}
