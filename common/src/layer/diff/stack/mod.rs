//! Directories on top of each other, seen as one tree: what an overlay mount of
//! them would show, read without mounting. A plain tree is a stack of one.
//!
//! Carries out Documentation/filesystems/overlayfs.rst, "Upper and Lower",
//! "whiteouts and opaque directories", "redirect_dir" and "Metadata only copy up".
//! Every part of a merged directory is held open, and every name is looked up
//! below one of these descriptors (`lookup`); a redirect starts at a layer's root
//! and is walked without following links (`redirect`), so nothing leads out of the
//! layers. What fuse-overlayfs leaves instead of attributes is in `fuse`, what a mount
//! with `index=on` keeps beside the upper directory in `index`.

mod fuse;
mod index;
mod lookup;
mod redirect;

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::io::Errno;

pub(super) use lookup::Lookup;

use index::Index;

use super::Error;
use crate::layer::inode::{self, Inode, InodeId};
use crate::layer::overlay::{DirectoryMarks, Prefixes};
use crate::layer::whiteout::{self, Basename};
use crate::tar::Xattrs;

/// What a layer's files stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Themselves.
    Plain,
    /// What an overlay mount makes of them.
    Overlay(Prefixes),
}

/// One directory of the stack.
#[derive(Debug)]
struct Layer {
    path: PathBuf,
    fd: Arc<OwnedFd>,
}

/// Directories on top of each other.
#[derive(Debug)]
pub(super) struct Stack {
    /// The top one first.
    layers: Vec<Layer>,
    form: Form,
    index: Option<Index>,
}

/// A name in an open directory.
#[derive(Debug, Clone)]
pub(super) struct Place {
    directory: Arc<OwnedFd>,
    name: Vec<u8>,
}

impl Place {
    /// The open directory.
    pub(super) fn directory(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    /// The name in it; empty for the directory itself.
    pub(super) fn name(&self) -> &[u8] {
        &self.name
    }
}

/// What was found under a name.
#[derive(Debug)]
pub(super) struct Found {
    /// The metadata that count: the top layer's.
    pub(super) inode: Inode,
    /// Where the metadata are.
    pub(super) place: Place,
    /// Which layer they are in, 0 for the top one.
    pub(super) layer: usize,
    /// Where the content of a file is, if elsewhere.
    pub(super) data: Option<Place>,
    /// All attributes, where they were read.
    pub(super) xattrs: Option<Xattrs>,
    /// Where a symbolic link leads, where that was read.
    pub(super) target: Option<Vec<u8>>,
    /// Whether a directory hides all that is below.
    pub(super) opaque: bool,
    /// Whether it refers to a lower layer that is not in the stack.
    pub(super) dangling: Option<&'static str>,
    /// The parts of a directory, the top one first.
    parts: Vec<PartId>,
}

/// A directory of one layer.
#[derive(Debug, Clone)]
pub(super) struct PartId {
    layer: usize,
    place: Place,
    id: InodeId,
    holds_xwhiteouts: bool,
}

impl Found {
    /// Whether both are the same objects of the same file systems, all below
    /// them included.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.inode.id == other.inode.id
            && self.inode.kind == other.inode.kind
            && self.parts.iter().map(|part| part.id).eq(other.parts.iter().map(|part| part.id))
    }

    /// The parts of a directory, the top one first.
    pub(super) fn parts(&self) -> &[PartId] {
        &self.parts
    }

    fn file(inode: Inode, place: Place, layer: usize, xattrs: Option<Xattrs>) -> Self {
        let (data, parts) = (None, Vec::new());
        let (target, dangling, opaque) = (None, None, false);
        Self { inode, place, layer, data, xattrs, target, opaque, dangling, parts }
    }
}

/// A merged directory, open.
#[derive(Debug)]
pub(super) struct Directory {
    /// The top one first.
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    layer: usize,
    fd: Arc<OwnedFd>,
    id: InodeId,
    holds_xwhiteouts: bool,
}

impl Directory {
    /// How many parts `self` has above all those of `lower`: a name that is in none
    /// of them is the same in both. `None` where `lower` is not what is below.
    pub(super) fn above(&self, lower: &Self) -> Option<usize> {
        let above = self.parts.len().checked_sub(lower.parts.len())?;
        let below = self.parts.get(above..)?;
        let same = below.iter().map(|part| part.id).eq(lower.parts.iter().map(|part| part.id));
        same.then_some(above)
    }
}

/// A name in a merged directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    /// The name.
    pub(super) name: Vec<u8>,
    /// The topmost part that has anything to say of it.
    pub(super) part: usize,
}

impl Stack {
    /// Opens one tree as it is.
    pub(super) fn plain(path: &Path) -> Result<Self, Error> {
        Ok(Self { layers: vec![Layer::open(path)?], form: Form::Plain, index: None })
    }

    /// Opens the directories of an overlay, the top one first.
    pub(super) fn overlay<'a>(
        top_first: impl IntoIterator<Item = &'a Path>,
        prefixes: Prefixes,
    ) -> Result<Self, Error> {
        let layers = top_first.into_iter().map(Layer::open).collect::<Result<_, _>>()?;
        Ok(Self { layers, form: Form::Overlay(prefixes), index: None })
    }

    /// How the files are to be taken.
    pub(super) fn form(&self) -> Form {
        self.form
    }

    /// `path` as messages name it.
    pub(super) fn label(&self, layer: usize, path: &[u8]) -> Vec<u8> {
        use std::os::unix::ffi::OsStrExt as _;
        let root = self.layers.get(layer).map_or(Path::new(""), |layer| layer.path.as_path());
        let mut label = root.as_os_str().as_bytes().to_vec();
        if !path.is_empty() {
            if !label.ends_with(b"/") {
                label.push(b'/');
            }
            label.extend_from_slice(path);
        }
        label
    }

    fn read_error(&self, layer: usize, path: &[u8], errno: Errno) -> Error {
        Error::read(self.label(layer, path), errno)
    }

    /// The root of the merged tree.
    pub(super) fn root(&self) -> Result<Found, Error> {
        let mut found: Option<Found> = None;
        for (index, layer) in self.layers.iter().enumerate() {
            let failed = |errno| self.read_error(index, b"", errno);
            let place = Place { directory: Arc::clone(&layer.fd), name: Vec::new() };
            let inode = inode::inode(layer.fd.as_fd(), b"").map_err(failed)?;
            let xattrs = match self.form {
                Form::Plain => None,
                Form::Overlay(_) => Some(inode::xattrs(layer.fd.as_fd(), b"").map_err(failed)?),
            };
            let holds_xwhiteouts = match (self.form, &xattrs) {
                (Form::Overlay(prefixes), Some(xattrs)) => {
                    DirectoryMarks::of(xattrs, prefixes).holds_xwhiteouts
                }
                _ => false,
            };
            let part =
                PartId { layer: index, place: place.clone(), id: inode.id, holds_xwhiteouts };
            found.get_or_insert_with(|| Found::file(inode, place, index, xattrs)).parts.push(part);
        }
        found.ok_or_else(|| Error::read(Vec::new(), Errno::NOENT))
    }

    /// Opens a directory that was found at `path` with these parts.
    pub(super) fn open(&self, parts: &[PartId], path: &[u8]) -> Result<Directory, Error> {
        let parts = parts.iter().map(|part| {
            let failed = |errno| self.read_error(part.layer, path, errno);
            let fd = if part.place.name.is_empty() {
                // Its names may have been read before.
                inode::rewind(part.place.directory()).map_err(failed)?;
                Arc::clone(&part.place.directory)
            } else {
                let fd = inode::open_directory(part.place.directory(), &part.place.name);
                Arc::new(fd.map_err(failed)?)
            };
            if inode::inode(fd.as_fd(), b"").map_err(failed)?.id != part.id {
                return Err(Error::Unstable { path: self.label(part.layer, path) });
            }
            let (layer, id, holds_xwhiteouts) = (part.layer, part.id, part.holds_xwhiteouts);
            Ok(Part { layer, fd, id, holds_xwhiteouts })
        });
        Ok(Directory { parts: parts.collect::<Result<_, _>>()? })
    }

    /// All names in a merged directory at `path`, sorted by their bytes; names that
    /// have only a whiteout are among them.
    pub(super) fn names(&self, directory: &Directory, path: &[u8]) -> Result<Vec<Name>, Error> {
        let mut all = Vec::new();
        for (index, part) in directory.parts.iter().enumerate() {
            let failed = |errno| self.read_error(part.layer, path, errno);
            for name in inode::names(part.fd.as_fd()).map_err(failed)? {
                let name = match (self.form, whiteout::classify(&name)) {
                    (Form::Plain, _) | (_, Basename::Plain) => Some(name),
                    _ => fuse::hidden_name(part.fd.as_fd(), name).map_err(failed)?,
                };
                all.extend(name.map(|name| Name { name, part: index }));
            }
        }
        all.sort_unstable();
        all.dedup_by(|later, earlier| later.name == earlier.name);
        Ok(all)
    }

    /// Where the content of the file `name` at `path` is, and whether that is another
    /// inode than the one its metadata are of.
    pub(super) fn content(
        &self,
        directory: &Directory,
        name: &[u8],
        path: &[u8],
    ) -> Result<Option<(Place, bool)>, Error> {
        if let (Form::Plain, Some(part)) = (self.form, directory.parts.first()) {
            // No other place is possible; whether it is still there, opening tells.
            let directory = Arc::clone(&part.fd);
            return Ok(Some((Place { directory, name: name.to_vec() }, false)));
        }
        let found = self.lookup(directory, name, 0, path)?.found();
        Ok(found.map(|found| match found.data {
            Some(data) => (data, true),
            None => (found.place, false),
        }))
    }

    fn broken(&self, layer: usize, path: &[u8], what: &'static str) -> Error {
        Error::BrokenOverlay { path: self.label(layer, path), what }
    }
}

impl Layer {
    fn open(path: &Path) -> Result<Self, Error> {
        use std::os::unix::ffi::OsStrExt as _;
        let fd = inode::open_root(path)
            .map_err(|source| Error::read(path.as_os_str().as_bytes().to_vec(), source))?;
        Ok(Self { path: path.into(), fd: Arc::new(fd) })
    }
}
