//! Owners, modes and extended attributes of what is made, and what of them is not
//! kept.

use std::borrow::Cow;
use std::os::fd::BorrowedFd;

use rustix::io::Errno;

use super::engine::Engine;
use super::error::{Problem, Tried as _};
use super::lacking::{Lacking, set_owner};
use super::options::Ownership;
use super::summary::{NotKept, Reason};
use super::xattrs::{self, Fate};
use crate::layer::acl;
use crate::root::DirId;
use crate::root::attributes::{self, Target};
use crate::tar::Entry;

impl Engine<'_> {
    /// Counts an owner that is not kept. Root's is not lost: an ordinary user
    /// stands for it, here as in the layers that we write and the namespaces that
    /// we make.
    pub(super) fn count_lost_owner(&mut self, entry: &Entry) {
        if ![(0, 0), self.ourselves].contains(&(entry.uid, entry.gid)) {
            self.summary.not_kept.owners += 1;
        }
    }

    /// Takes from something new the ACL that it inherited, which no entry recorded.
    pub(super) fn disinherit(&mut self, at: DirId, target: Target<'_>) -> Result<(), Problem> {
        if self.directory(at).births.acl {
            attributes::remove_xattr(target, b"system.posix_acl_access")
                .tried("remove an inherited ACL")?;
        }
        Ok(())
    }

    /// Gives something new its owner.
    pub(super) fn own(
        &mut self,
        at: DirId,
        target: Target<'_>,
        entry: &Entry,
    ) -> Result<(), Problem> {
        match self.other_owner(at, target, entry)? {
            Some((uid, gid)) => set_owner(target, uid, gid),
            None => Ok(()),
        }
    }

    /// The owner of something new, unless it was born with that one.
    fn other_owner(
        &mut self,
        at: DirId,
        target: Target<'_>,
        entry: &Entry,
    ) -> Result<Option<(u32, u32)>, Problem> {
        match self.options.ownership {
            Ownership::Keep => {}
            Ownership::Drop => {
                self.count_lost_owner(entry);
                return Ok(None);
            }
            Ownership::Record => return Ok(None),
        }
        let born = match self.directory(at).births.owner {
            Some(owner) => owner,
            None => {
                let stat = match target {
                    Target::Open(fd) => rustix::fs::fstat(fd),
                    Target::Name(at, name) => {
                        let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
                        rustix::fs::statat(at, name, flags)
                    }
                };
                let stat = stat.tried("read its attributes")?;
                *self.directory(at).births.owner.insert((stat.st_uid, stat.st_gid))
            }
        };
        let owner = (entry.uid, entry.gid);
        Ok((born != owner).then_some(owner))
    }

    /// What a new file lacks, unless that includes extended attributes or set-id bits to
    /// record, or being rid of attributes that it inherited.
    pub(super) fn lacking(
        &mut self,
        at: DirId,
        file: BorrowedFd<'_>,
        entry: &Entry,
    ) -> Result<Option<Lacking>, Problem> {
        let is_simple =
            entry.xattrs.is_empty() && self.dropped_bits(entry) == 0 && !self.records_owner(entry);
        if self.directory(at).births.acl || !is_simple {
            return Ok(None);
        }
        let owner = self.other_owner(at, Target::Open(file), entry)?;
        let mode = self.mode_is_masked(at, entry.mode).then_some(entry.mode);
        Ok(Some(Lacking { owner, mode, mtime: entry.mtime }))
    }

    /// Whether `mode` is masked on creation in `at`, or holds bits that are set apart.
    pub(super) fn mode_is_masked(&mut self, at: DirId, mode: u32) -> bool {
        mode & 0o7000 != 0 || mode & self.umask != 0 || self.directory(at).births.acl
    }

    /// Sets the extended attributes of an entry.
    pub(super) fn set_xattrs(
        &mut self,
        target: Target<'_>,
        entry: &Entry,
        on_file_or_directory: bool,
    ) -> Result<(), Problem> {
        // `user.` before `system.posix_acl_access`, which changes the mode.
        for (name, value) in entry.xattrs.iter().rev() {
            if !self.options.xattrs.want(name) {
                continue;
            }
            if self.drops_capabilities && name == b"security.capability" {
                self.summary.not_kept.xattr(name, Reason::Grants);
                continue;
            }
            match xattrs::fate(name, &self.options.form) {
                Fate::Dropped(reason) => self.summary.not_kept.xattr(name, reason),
                Fate::Set(set) => {
                    let value = self.own_identifiers(name, value);
                    let refused = attributes::set_xattr(target, &set, &value);
                    self.note_refusal(refused, name, on_file_or_directory)?;
                }
            }
        }
        Ok(())
    }

    /// The value of an attribute, with root in an access control list being whom
    /// root's files are given to.
    fn own_identifiers<'v>(&self, name: &[u8], value: &'v [u8]) -> Cow<'v, [u8]> {
        if self.options.ownership == Ownership::Keep || !acl::is_acl(name) {
            return value.into();
        }
        let (uid, gid) = self.ourselves;
        let mut value = value.to_vec();
        let root_is = |own: u32| move |id: u32| (id == 0).then_some(own);
        acl::map_identifiers(&mut value, root_is(uid), root_is(gid));
        value.into()
    }

    fn note_refusal(
        &mut self,
        outcome: Result<(), Errno>,
        name: &[u8],
        on_file_or_directory: bool,
    ) -> Result<(), Problem> {
        use super::summary::Reason::{NotPermitted, Unsupported};
        let lost: &mut NotKept = &mut self.summary.not_kept;
        match outcome {
            Ok(()) => {}
            Err(Errno::OPNOTSUPP) => lost.xattr(name, Unsupported),
            Err(Errno::PERM) if !on_file_or_directory && name.starts_with(b"user.") => {
                lost.xattr(name, Unsupported);
            }
            // An ACL of ids that our user namespace does not have.
            Err(Errno::INVAL) if !self.is_privileged && acl::is_acl(name) => {
                lost.xattr(name, NotPermitted);
            }
            Err(Errno::PERM)
                if !self.is_privileged || xattrs::may_be_refused(name, on_file_or_directory) =>
            {
                lost.xattr(name, NotPermitted);
            }
            Err(errno) => {
                return Err(Problem::Xattr { name: name.to_vec(), source: errno.into() });
            }
        }
        Ok(())
    }
}
