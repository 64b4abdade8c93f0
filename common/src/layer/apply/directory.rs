//! Directories: new ones, those that are there, and parents nobody described.

use std::os::fd::{AsFd as _, BorrowedFd};

use rustix::fs::Mode;
use rustix::io::Errno;

use super::engine::Engine;
use super::error::{Problem, Tried as _};
use super::lacking::set_owner;
use super::lower;
use super::names::MAX_RACES;
use super::options::Ownership;
use super::remembered::Births;
use super::xattrs;
use crate::layer::place;
use crate::root::attributes::{self, Target};
use crate::root::{Ahead, DirId, Removed, Walk};
use crate::tar::Entry;

impl Engine<'_> {
    pub(super) fn put_directory(
        &mut self,
        at: DirId,
        name: &[u8],
        entry: &Entry,
    ) -> Result<(), Problem> {
        if self.options.keep_dirlinks {
            if let Some(id) = self.linked_directory(at, name)? {
                self.describe(id, entry)?;
                self.touch(at);
                return Ok(());
            }
        }
        let id = self.make_directory(at, name, entry.mode)?;
        self.describe(id, entry)
    }

    /// The directory that the link `name` in `at` leads to.
    fn linked_directory(&mut self, at: DirId, name: &[u8]) -> Result<Option<DirId>, Problem> {
        let fd = self.prepare(at)?;
        if rustix::fs::readlinkat(&fd, name, Vec::new()).is_err() {
            return Ok(None);
        }
        match self.tree.walk(at, &mut Ahead::of(&[name])) {
            Ok(Walk::Found(id)) => Ok(Some(id)),
            Ok(_) | Err(Errno::LOOP) => Ok(None),
            Err(error) => Err(error).tried("resolve the link in its place"),
        }
    }

    /// A directory called `name` in `at`: the one that is there, or a new one. A file or
    /// a whiteout that it replaces has hidden what lower layers have there.
    pub(super) fn make_directory(
        &mut self,
        at: DirId,
        name: &[u8],
        mode: u32,
    ) -> Result<DirId, Problem> {
        if let Some(known) = self.tree.child(at, name) {
            return Ok(known);
        }
        let mode = Mode::from_raw_mode(mode & 0o777 | 0o700);
        let mut replaces = false;
        for _ in 0..MAX_RACES {
            let new = self.within(at, "create a directory", |fd| {
                match rustix::fs::mkdirat(fd, name, mode) {
                    Ok(()) => Ok(true),
                    Err(Errno::EXIST) => Ok(false),
                    Err(error) => Err(error),
                }
            })?;
            match self.tree.enter(at, name) {
                Ok(id) => {
                    self.directory(id).fresh |= new;
                    // It has taken the place of a file that the layer made before.
                    self.touched.remove(at, name);
                    if replaces {
                        self.set_opaque(id)?;
                    }
                    return Ok(id);
                }
                Err(Errno::NOTDIR | Errno::LOOP) => {
                    replaces |= self.clear(at, name)? != Removed::Nothing;
                }
                Err(error) => return Err(error).tried("open it"),
            }
        }
        Err(Errno::EXIST).tried("create a directory")
    }

    /// A parent that is not there, with the attributes it has in a lower layer, or
    /// with those of a directory that nobody described.
    pub(super) fn make_parent(
        &mut self,
        at: DirId,
        name: &[u8],
        below: Option<lower::Found>,
    ) -> Result<DirId, Problem> {
        place::check_parent(name)?;
        let entry = match below {
            Some(lower::Found::Directory(entry)) => *entry,
            _ => self.undescribed(),
        };
        let id = self.make_directory(at, name, entry.mode)?;
        self.set_attributes(id, &entry)?;
        Ok(id)
    }

    /// What a parent that no layer describes looks like; ours, if owners are not kept.
    fn undescribed(&self) -> Entry {
        let entry = place::undescribed();
        let (uid, gid) = match self.options.ownership {
            Ownership::Keep | Ownership::Record => (entry.uid, entry.gid),
            Ownership::Drop => self.ourselves,
        };
        Entry { uid, gid, ..entry }
    }

    /// Takes away what a lower layer says of a directory that this layer has but
    /// does not describe.
    pub(super) fn undescribe(&mut self, id: DirId) -> Result<(), Problem> {
        if self.directory(id).described {
            return Ok(());
        }
        let entry = self.undescribed();
        self.set_attributes(id, &entry)
    }

    /// Gives a directory the attributes of the layer's entry for it.
    pub(super) fn describe(&mut self, id: DirId, entry: &Entry) -> Result<(), Problem> {
        self.set_attributes(id, entry)?;
        self.directory(id).described = true;
        self.touch(id);
        Ok(())
    }

    /// Replaces a directory's attributes; its time follows in the end.
    pub(super) fn set_attributes(&mut self, id: DirId, entry: &Entry) -> Result<(), Problem> {
        let fd = self.tree.fd(id).tried("open it")?;
        let target = Target::Open(fd.as_fd());
        let stat = rustix::fs::fstat(&fd).tried("read its attributes")?;
        let mut owner_changed = false;
        match self.options.ownership {
            Ownership::Keep if (stat.st_uid, stat.st_gid) != (entry.uid, entry.gid) => {
                set_owner(target, entry.uid, entry.gid)?;
                owner_changed = true;
            }
            Ownership::Keep | Ownership::Record => {}
            Ownership::Drop => self.count_lost_owner(entry),
        }
        self.clear_xattrs(id, fd.as_fd())?;
        // What keeps ourselves out, where we are not root, is set in the end.
        let mode = entry.mode | 0o700;
        if mode != stat.st_mode & 0o7777 || owner_changed && mode & 0o6000 != 0 {
            attributes::set_mode(target, mode).tried("set its mode")?;
        }
        self.set_xattrs(target, entry, true)?;
        self.record_owner(target, entry)?;
        self.tree.take_mode_before(id);
        let acl = entry.xattrs.contains_key(&b"system.posix_acl_default"[..]);
        let state = self.directory(id);
        state.seen = true;
        state.mode = (mode != entry.mode).then_some(entry.mode);
        state.mtime = Some(entry.mtime);
        state.births = Births { owner: None, acl };
        Ok(())
    }

    /// Removes the extended attributes of a directory that is described anew.
    fn clear_xattrs(&mut self, id: DirId, fd: BorrowedFd<'_>) -> Result<(), Problem> {
        let parent = self.tree.parent(id);
        let state = self.directory(id);
        // Nobody has given it any yet.
        if state.fresh && !state.seen && !self.directory(parent).births.acl {
            return Ok(());
        }
        for name in attributes::xattr_names(fd).tried("list its extended attributes")? {
            if xattrs::survives(&name, &self.options.form) {
                continue;
            }
            match attributes::remove_xattr(Target::Open(fd), &name) {
                Ok(()) => {}
                // Not seen by everyone, or not for everyone to change.
                Err(Errno::PERM) if xattrs::may_be_refused(&name, true) => {}
                Err(errno) => return Err(Problem::LeftXattr { name, source: errno.into() }),
            }
        }
        Ok(())
    }
}
