//! What the layers below hold, for a layer that is written in overlay form: links
//! among the parents of an entry, the attributes of parents, targets of hard links.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::device::Device;
use super::engine::Engine;
use super::error::{Problem, Tried as _};
use super::options::{Form, Options, Ownership};
use super::record;
use super::xattrs::{self, Fate};
use crate::layer::recorded;
use crate::mount::Namespace;
use crate::root::attributes;
use crate::root::{DirId, Root};
use crate::tar::{Entry, Kind, Xattrs};
use crate::time::Timestamp;

/// What the layers below have under a name.
#[derive(Debug)]
pub(super) enum Found {
    /// A link, with its attributes and its target.
    Link(Box<Entry>, Vec<u8>),
    /// A directory, with its attributes.
    Directory(Box<Entry>),
    /// Anything else, in the directory where it lies.
    Other {
        /// Its attributes.
        entry: Box<Entry>,
        /// Its content, if it is a file.
        file: Option<File>,
    },
}

/// What one layer has under a name.
enum Seen {
    /// Nothing: those below it may.
    Nothing,
    /// Nothing, and it hides what those below have.
    Hidden,
    Found(Found),
}

impl Engine<'_> {
    /// What the layers below have under `name` in `at`, as this layer sees them.
    pub(super) fn look_below(&mut self, at: DirId, name: &[u8]) -> Result<Option<Found>, Problem> {
        let options = self.options;
        let Form::Overlay { lowers, .. } = &options.form else { return Ok(None) };
        if self.whiteouts.contains(at, name) {
            return Ok(None);
        }
        let mut above = at;
        loop {
            if self.directory(above).opaque {
                return Ok(None);
            }
            if above == DirId::ROOT {
                break;
            }
            above = self.tree.parent(above);
        }
        let lowers = lowers.get().map_err(|source| {
            let action = "look it up in the layers below";
            Problem::System { action, source }
        })?;
        let path = self.tree.path(at);
        let mut names: Vec<&[u8]> =
            path.split(|&byte| byte == b'/').filter(|name| !name.is_empty()).collect();
        names.push(name);
        for lower in lowers {
            match look(lower, &names, options).tried("look it up in the layers below")? {
                Seen::Nothing => {}
                Seen::Hidden => return Ok(None),
                Seen::Found(found) => return Ok(Some(found)),
            }
        }
        Ok(None)
    }

    /// Gives the root, if the layer does not describe it, the attributes that it has
    /// below: a mount shows those of its uppermost layer.
    pub(super) fn finish_root(&mut self) -> Result<(), Problem> {
        let options = self.options;
        let Form::Overlay { lowers, .. } = &options.form else { return Ok(()) };
        if self.directory(DirId::ROOT).described {
            return Ok(());
        }
        let lowers = lowers.get().map_err(|source| {
            let action = "look it up in the layers below";
            Problem::System { action, source }
        })?;
        let Some(lower) = lowers.first() else { return Ok(()) };
        match look(lower, &[], options).tried("look at the layer below")? {
            Seen::Found(Found::Directory(entry)) => self.set_attributes(DirId::ROOT, &entry),
            _ => Ok(()),
        }
    }

    /// Copies a lower file up, so that a hard link to `target` can name it. Says whether
    /// there was one.
    pub(super) fn copy_up(
        &mut self,
        at: DirId,
        name: &[u8],
        target: &[u8],
    ) -> Result<bool, Problem> {
        match self.look_below(at, name)? {
            None => return Ok(false),
            Some(Found::Directory(_)) => return Err(Problem::LinkToDirectory(target.to_vec())),
            Some(Found::Link(entry, target)) => self.put_symlink(at, name, &entry, &target)?,
            Some(Found::Other { mut entry, file: Some(source) }) => {
                self.recall(source.as_fd(), &mut entry).tried("read its attributes")?;
                let mode = Mode::from_raw_mode(entry.mode & 0o777);
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
                let mut file = self.make(at, name, "copy up its target", |fd| {
                    rustix::fs::openat(fd, name, flags | OFlags::CLOEXEC, mode).map(File::from)
                })?;
                io::copy(&mut &source, &mut file)
                    .map_err(|source| Problem::System { action: "copy up its target", source })?;
                self.finish_file(at, file.as_fd(), &entry)?;
                self.made(at, name);
            }
            Some(Found::Other { entry, file: None }) => {
                if let Some(device) = Device::of(&entry.kind)? {
                    self.put_device(at, name, &entry, device)?;
                }
            }
        }
        self.touch(at);
        Ok(true)
    }
}

/// Looks `names` up in one layer, plain or in overlay form, following nothing.
fn look(lower: &Root, names: &[&[u8]], options: &Options) -> Result<Seen, Errno> {
    let flags =
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut at = rustix::fs::openat(lower, c".", flags, Mode::empty())?;
    let mut opaque = false;
    for (index, name) in names.iter().enumerate() {
        opaque |= has_mark(&at, b"opaque", Some(b"y"))?;
        let last = index + 1 == names.len();
        match rustix::fs::openat(&at, *name, flags, Mode::empty()) {
            Ok(below) => at = below,
            Err(Errno::NOENT) if opaque => return Ok(Seen::Hidden),
            Err(Errno::NOENT) => return Ok(Seen::Nothing),
            Err(Errno::NOTDIR | Errno::LOOP) if last => return leaf(&at, name, options),
            Err(Errno::NOTDIR | Errno::LOOP) => return Ok(Seen::Hidden),
            Err(error) => return Err(error),
        }
    }
    let stat = rustix::fs::fstat(&at)?;
    let mut entry = entry_of(&stat, Kind::Directory);
    entry.xattrs = read_xattrs(&at, &options.form)?;
    recall(&mut entry, Some(&at), &stat, options)?;
    Ok(Seen::Found(Found::Directory(Box::new(entry))))
}

/// What is no directory.
fn leaf(at: &OwnedFd, name: &[u8], options: &Options) -> Result<Seen, Errno> {
    let stat = rustix::fs::statat(at, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let (major, minor) = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Symlink => {
            let target = rustix::fs::readlinkat(at, name, Vec::new())?.into_bytes();
            let mut entry = entry_of(&stat, Kind::Symlink { target: target.clone() });
            recall(&mut entry, None, &stat, options)?;
            return Ok(Seen::Found(Found::Link(Box::new(entry), target)));
        }
        FileType::CharacterDevice if stat.st_rdev == 0 => return Ok(Seen::Hidden),
        FileType::CharacterDevice => Kind::CharDevice { major, minor },
        FileType::BlockDevice => Kind::BlockDevice { major, minor },
        FileType::RegularFile => Kind::File,
        _ => Kind::Fifo,
    };
    let mut entry = entry_of(&stat, kind);
    let mut file = None;
    if entry.kind == Kind::File {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(at, name, flags, Mode::empty())?;
        if stat.st_size == 0 && has_mark(&fd, b"whiteout", None)? {
            return Ok(Seen::Hidden);
        }
        entry.xattrs = read_xattrs(&fd, &options.form)?;
        recall(&mut entry, Some(&fd), &stat, options)?;
        file = (entry.kind == Kind::File).then(|| File::from(fd));
    } else {
        recall(&mut entry, None, &stat, options)?;
    }
    Ok(Seen::Found(Found::Other { entry: Box::new(entry), file }))
}

/// Gives an entry what is recorded of it, if this process records such things.
fn recall(
    entry: &mut Entry,
    fd: Option<&OwnedFd>,
    stat: &Stat,
    options: &Options,
) -> Result<(), Errno> {
    if options.ownership == Ownership::Record {
        let value = fd.map(|fd| attributes::xattr(fd.as_fd(), recorded::ATTRIBUTE)).transpose()?;
        record::recall(entry, value.flatten().as_deref(), stat);
    }
    Ok(())
}

/// Whether overlayfs's mark is there, with this value where one is given.
fn has_mark(fd: &OwnedFd, name: &[u8], value: Option<&[u8]>) -> Result<bool, Errno> {
    for namespace in [Namespace::Trusted, Namespace::User] {
        if let Some(found) = attributes::xattr(fd.as_fd(), &namespace.attribute(name))? {
            if value.is_none_or(|value| found == value) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn entry_of(stat: &Stat, kind: Kind) -> Entry {
    Entry {
        path: Vec::new(),
        kind,
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        mtime: Timestamp {
            seconds: stat.st_mtime,
            nanoseconds: u32::try_from(stat.st_mtime_nsec).unwrap_or(0),
        },
        len_bytes: 0,
        xattrs: Xattrs::new(),
    }
}

/// The extended attributes as a layer would hold them: escapes undone, marks left out.
fn read_xattrs(fd: &OwnedFd, form: &Form) -> Result<Xattrs, Errno> {
    let mut found = Xattrs::new();
    for name in attributes::xattr_names(fd.as_fd())? {
        let Some(value) = attributes::xattr(fd.as_fd(), &name)? else { continue };
        let name = [Namespace::Trusted, Namespace::User]
            .iter()
            .find_map(|namespace| {
                let rest = name.strip_prefix(namespace.prefix())?;
                let inner = rest.strip_prefix(b"overlay.");
                Some(inner.map(|inner| namespace.attribute(inner)))
            })
            .unwrap_or(Some(name));
        if let Some(name) = name {
            if matches!(xattrs::fate(&name, form), Fate::Set(_)) {
                found.insert(name, value);
            }
        }
    }
    Ok(found)
}
