//! One entry after the other: where it belongs, and who carries it out.

use std::borrow::Cow;
use std::io::BufRead;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use rustix::io::Errno;

use super::device::Device;
use super::error::{Error, Problem, Tried as _};
use super::options::{Form, Options, Ownership};
use super::place::{Place, What};
use super::state::{Births, Directory, Names};
use super::summary::{NotKept, Summary};
use super::xattrs::{self, Fate};
use super::{link, lower};
use crate::layer::acl;
use crate::root::attributes::{self, Target};
use crate::root::{self, Ahead, DirId, Removed, Root, Tree, Walk};
use crate::tar::{Content, Entry, Kind};
use crate::time::Timestamp;

/// How often something that another process puts in the way is removed again.
pub(super) const MAX_RACES: usize = 16;

/// What eStargz puts beside an image's files: its index, and where prefetching ends.
const ESTARGZ: [&[u8]; 3] = [b"stargz.index.json", b".prefetch.landmark", b".no.prefetch.landmark"];

/// What is done where the parents of an entry are not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parents {
    /// They are made, and what is in their way is removed.
    Make,
    /// They are copied up if the layers below have them; otherwise there is nothing.
    Find,
}

/// A layer on its way into a directory.
#[derive(Debug)]
pub(super) struct Engine<'a> {
    pub(super) options: &'a Options,
    pub(super) tree: Tree<'a>,
    pub(super) directories: Vec<Directory>,
    /// What the layer made that is no directory.
    pub(super) touched: Names,
    /// Whiteouts that were written, in overlay form.
    pub(super) whiteouts: Names,
    /// Devices for whiteouts were refused: files with marks stand in for them.
    pub(super) marks_whiteouts: bool,
    pub(super) links: link::Links,
    pub(super) summary: Summary,
    /// The parent of the last entry: entries come by directory.
    last_parent: Option<(Vec<u8>, DirId)>,
    umask: u32,
    pub(super) ourselves: (u32, u32),
}

impl<'a> Engine<'a> {
    pub(super) fn new(root: &'a Root, options: &'a Options) -> Self {
        Self {
            options,
            tree: Tree::new(root),
            directories: Vec::new(),
            touched: Names::default(),
            whiteouts: Names::default(),
            marks_whiteouts: false,
            links: link::Links::default(),
            summary: Summary::default(),
            last_parent: None,
            umask: umask(),
            ourselves: (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw()),
        }
    }

    /// Applies one entry. What is left of its content is the caller's to skip.
    pub(super) fn entry<R: BufRead>(
        &mut self,
        entry: &Entry,
        content: &mut Content<'_, R>,
    ) -> Result<(), Error> {
        self.summary.entries += 1;
        let len_bytes = self.summary.len_bytes.saturating_add(entry.len_bytes);
        let limit = self.options.max_len_bytes;
        if len_bytes > limit {
            return Err(Error::TooLarge { limit });
        }
        self.summary.len_bytes = len_bytes;
        self.place(entry, content).map_err(|problem| problem.at(&entry.path))
    }

    fn place<R: BufRead>(
        &mut self,
        entry: &Entry,
        content: &mut Content<'_, R>,
    ) -> Result<(), Problem> {
        let Place { parents, what } = Place::of(entry)?;
        match what {
            What::Root => self.describe(DirId::ROOT, entry)?,
            What::Nothing => {}
            What::Put(name) => {
                let is_estargz = parents.is_empty() && ESTARGZ.contains(&name);
                if !(is_estargz && self.options.drop_estargz) {
                    let at = self.directory_of(&parents)?;
                    self.put(at, name, entry, content)?;
                }
            }
            What::Hide(name) => {
                self.summary.whiteouts += 1;
                self.hide_name(&parents, name)?;
            }
            What::HideAll => {
                self.summary.whiteouts += 1;
                self.summary.opaque_root |= parents.is_empty();
                self.hide_content(&parents)?;
            }
        }
        Ok(())
    }

    fn put<R: BufRead>(
        &mut self,
        at: DirId,
        name: &[u8],
        entry: &Entry,
        content: &mut Content<'_, R>,
    ) -> Result<(), Problem> {
        match &entry.kind {
            Kind::Directory => self.put_directory(at, name, entry),
            Kind::File => self.put_file(at, name, entry, content),
            Kind::Symlink { target } => self.put_symlink(at, name, entry, target),
            Kind::HardLink { target } => self.put_link(at, name, entry, target),
            kind => match Device::of(kind)? {
                Some(device) => self.put_device(at, name, entry, device),
                None => Ok(()),
            },
        }
    }

    /// The directory that `components` lead to, which the layer thereby has: it is
    /// made where it is not there, and what is in its way is removed.
    pub(super) fn directory_of(&mut self, components: &[&[u8]]) -> Result<DirId, Problem> {
        let at = match self.walk(components, Parents::Make)? {
            Walk::Found(id) => id,
            Walk::Missing { at, .. } | Walk::Blocked { at, .. } => at,
        };
        self.touch(at);
        Ok(at)
    }

    /// The directory that `components` lead to, or where it ends that they do.
    pub(super) fn find_directory(&mut self, components: &[&[u8]]) -> Result<Walk, Problem> {
        self.walk(components, Parents::Find)
    }

    /// Goes where `components` lead, links resolved.
    fn walk(&mut self, components: &[&[u8]], parents: Parents) -> Result<Walk, Problem> {
        let key = root::join(components);
        if let Some((last, id)) = &self.last_parent {
            if *last == key {
                return Ok(Walk::Found(*id));
            }
        }
        let mut ahead = Ahead::of(components);
        let mut at = DirId::ROOT;
        let found = loop {
            match self.tree.walk(at, &mut ahead).tried("open its directory")? {
                Walk::Found(id) => break id,
                Walk::Missing { at: above, name } => {
                    let below = self.look_below(above, &name)?;
                    if let Some(lower::Found::Link(_, target)) = &below {
                        at = root::follow(above, target, &mut ahead).tried("resolve its path")?;
                        continue;
                    }
                    let is_lower = matches!(below, Some(lower::Found::Directory(_)));
                    if parents == Parents::Find && !is_lower {
                        return Ok(Walk::Missing { at: above, name });
                    }
                    if !is_lower && ahead.climbs() {
                        return Err(Problem::ClimbsFromNowhere);
                    }
                    at = self.make_parent(above, &name, below)?;
                }
                // What is no directory has nothing below it to link to.
                blocked @ Walk::Blocked { .. } if parents == Parents::Find => return Ok(blocked),
                Walk::Blocked { at: above, name } => {
                    if ahead.climbs() {
                        return Err(Problem::ClimbsFromNowhere);
                    }
                    let hidden = self.whiteouts.contains(above, &name);
                    self.clear(above, &name)?;
                    at = self.make_parent(above, &name, None)?;
                    if hidden {
                        self.set_opaque(at)?;
                    }
                }
            }
        };
        self.last_parent = Some((key, found));
        Ok(Walk::Found(found))
    }

    pub(super) fn records_deletions(&self) -> bool {
        matches!(self.options.form, Form::Overlay { .. })
    }

    /// What is remembered of a directory.
    pub(super) fn directory(&mut self, id: DirId) -> &mut Directory {
        let index = id.index();
        if self.directories.len() <= index {
            self.directories.resize_with(index + 1, Directory::default);
        }
        &mut self.directories[index]
    }

    /// The descriptor of a directory in which something is about to change, its
    /// time remembered first.
    pub(super) fn prepare(&mut self, id: DirId) -> Result<Arc<OwnedFd>, Problem> {
        let fd = self.tree.fd(id).tried("open its directory")?;
        if !self.directory(id).seen {
            let stat = rustix::fs::fstat(&fd).tried("read its directory's attributes")?;
            let acl = attributes::xattr(fd.as_fd(), b"system.posix_acl_default");
            let directory = self.directory(id);
            directory.seen = true;
            directory.births = Births { owner: None, acl: !matches!(acl, Ok(None)) };
            directory.mtime.get_or_insert(Timestamp {
                seconds: stat.st_mtime,
                nanoseconds: u32::try_from(stat.st_mtime_nsec).unwrap_or(0),
            });
        }
        Ok(fd)
    }

    /// Does something to a name of the directory `at`, and once more if its
    /// permission bits kept us out of a directory that is ours.
    pub(super) fn within<T>(
        &mut self,
        at: DirId,
        action: &'static str,
        mut act: impl FnMut(&OwnedFd) -> Result<T, Errno>,
    ) -> Result<T, Problem> {
        let fd = self.prepare(at)?;
        match act(&fd) {
            Err(Errno::ACCESS) if self.tree.make_accessible(at).unwrap_or(false) => {
                act(&fd).tried(action)
            }
            outcome => outcome.tried(action),
        }
    }

    /// Makes a name, and removes first what stands in its place.
    pub(super) fn make<T>(
        &mut self,
        at: DirId,
        name: &[u8],
        action: &'static str,
        mut make: impl FnMut(&OwnedFd) -> Result<T, Errno>,
    ) -> Result<T, Problem> {
        for _ in 0..MAX_RACES {
            let made = self.within(at, action, |fd| match make(fd) {
                Ok(made) => Ok(Some(made)),
                Err(Errno::EXIST) => Ok(None),
                Err(error) => Err(error),
            })?;
            match made {
                Some(made) => return Ok(made),
                None => self.clear(at, name)?,
            };
        }
        Err(Errno::EXIST).tried(action)
    }

    /// Removes whatever is called `name` in `at`, with all below it.
    pub(super) fn clear(&mut self, at: DirId, name: &[u8]) -> Result<Removed, Problem> {
        let removed =
            self.within(at, "remove what is in its place", |fd| root::remove(fd.as_fd(), name))?;
        if removed != Removed::Nothing {
            self.touched.remove(at, name);
            self.whiteouts.remove(at, name);
            self.tree.forget(at, name);
            // It may have been a link on the way to that parent, or above it.
            self.last_parent = None;
        }
        Ok(removed)
    }

    /// The layer has put something into `at`.
    pub(super) fn touch(&mut self, mut at: DirId) {
        while !std::mem::replace(&mut self.directory(at).touched, true) {
            at = self.tree.parent(at);
        }
    }

    /// Whether the layer itself made `name` in `at`.
    pub(super) fn is_touched(&mut self, at: DirId, name: &[u8]) -> bool {
        match self.tree.child(at, name) {
            Some(id) => self.directory(id).touched,
            None => self.touched.contains(at, name),
        }
    }

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

    /// Gives something new its owner. Says whether anything had to be changed.
    pub(super) fn own(
        &mut self,
        at: DirId,
        target: Target<'_>,
        entry: &Entry,
    ) -> Result<bool, Problem> {
        let (uid, gid) = (entry.uid, entry.gid);
        if self.options.ownership == Ownership::Drop {
            self.count_lost_owner(entry);
            return Ok(false);
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
        if born == (uid, gid) {
            return Ok(false);
        }
        set_owner(target, uid, gid)?;
        Ok(true)
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
            Err(Errno::INVAL) if self.options.ownership == Ownership::Drop && acl::is_acl(name) => {
                lost.xattr(name, NotPermitted);
            }
            Err(Errno::PERM)
                if self.options.ownership == Ownership::Drop
                    || xattrs::may_be_refused(name, on_file_or_directory) =>
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

/// Changes the owner, and says whose it should have been.
pub(super) fn set_owner(target: Target<'_>, uid: u32, gid: u32) -> Result<(), Problem> {
    attributes::set_owner(target, uid, gid).map_err(|errno| Problem::Owner {
        uid,
        gid,
        source: errno.into(),
    })
}

/// The process's mask of permission bits, read without changing it, as other
/// threads may be creating files. Where it cannot be read all bits count as masked.
fn umask() -> u32 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    mask.and_then(|text| u32::from_str_radix(text.trim(), 8).ok()).unwrap_or(0o777)
}
