//! Directories on top of each other, seen as one tree: what an overlay mount of
//! them would show, read without mounting. A plain tree is a stack of one.
//!
//! Carries out Documentation/filesystems/overlayfs.rst, "Upper and Lower",
//! "whiteouts and opaque directories", "redirect_dir" and "Metadata only copy up".
//! Every part of a merged directory is held open, and every name is looked up
//! below one of these descriptors; a redirect starts at a layer's root and is
//! walked without following links, so nothing leads out of the layers.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::FileType;
use rustix::io::Errno;

use super::Error;
use crate::layer::inode::{self, Inode, InodeId};
use crate::layer::overlay::{DirectoryMarks, FileMarks, Namespace};
use crate::layer::whiteout::{self, Basename};
use crate::tar::Xattrs;

/// What a layer's files stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Themselves.
    Plain,
    /// What an overlay mount makes of them.
    Overlay(Namespace),
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

/// What a name of the tree is.
// One lives at a time, and most are `Found`: a box would only cost.
#[allow(clippy::large_enum_variant)]
#[derive(Debug)]
pub(super) enum Lookup {
    /// Nothing, in any layer.
    Absent,
    /// Deleted by a whiteout.
    Whiteout,
    /// This.
    Found(Found),
}

impl Lookup {
    /// What is there, if it is.
    pub(super) fn found(self) -> Option<Found> {
        match self {
            Self::Found(found) => Some(found),
            Self::Absent | Self::Whiteout => None,
        }
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
    /// All attributes, where they had to be read.
    pub(super) xattrs: Option<Xattrs>,
    /// Whether a directory hides all that is below.
    pub(super) opaque: bool,
    /// Whether it refers to a lower layer that is not in the stack.
    pub(super) dangling: Option<&'static str>,
    /// The parts of a directory, the top one first.
    parts: Vec<PartId>,
}

#[derive(Debug, Clone)]
struct PartId {
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

    fn file(inode: Inode, place: Place, layer: usize, xattrs: Option<Xattrs>) -> Self {
        let (data, parts) = (None, Vec::new());
        Self { inode, place, layer, data, xattrs, opaque: false, dangling: None, parts }
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

/// What one layer says of a name.
enum Single {
    Absent,
    Whiteout,
    File(Inode, Option<Xattrs>, FileMarks),
    Directory(Inode, Option<Xattrs>, DirectoryMarks),
}

/// Where to look next.
struct Candidate {
    layer: usize,
    place: Place,
    holds_xwhiteouts: bool,
}

impl Stack {
    /// Opens one tree as it is.
    pub(super) fn plain(path: &Path) -> Result<Self, Error> {
        Ok(Self { layers: vec![Layer::open(path)?], form: Form::Plain })
    }

    /// Opens the directories of an overlay, the top one first.
    pub(super) fn overlay<'a>(
        top_first: impl IntoIterator<Item = &'a Path>,
        namespace: Namespace,
    ) -> Result<Self, Error> {
        let layers = top_first.into_iter().map(Layer::open).collect::<Result<_, _>>()?;
        Ok(Self { layers, form: Form::Overlay(namespace) })
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
                (Form::Overlay(namespace), Some(xattrs)) => {
                    DirectoryMarks::of(xattrs, namespace).holds_xwhiteouts
                }
                _ => false,
            };
            let part =
                PartId { layer: index, place: place.clone(), id: inode.id, holds_xwhiteouts };
            found.get_or_insert_with(|| Found::file(inode, place, index, xattrs)).parts.push(part);
        }
        found.ok_or_else(|| Error::read(Vec::new(), Errno::NOENT))
    }

    /// Opens a directory that was found at `path`.
    pub(super) fn open(&self, found: &Found, path: &[u8]) -> Result<Directory, Error> {
        let parts = found.parts.iter().map(|part| {
            let failed = |errno| self.read_error(part.layer, path, errno);
            let fd = if part.place.name.is_empty() {
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
                    _ => fuse_name(part.fd.as_fd(), name).map_err(failed)?,
                };
                all.extend(name.map(|name| Name { name, part: index }));
            }
        }
        all.sort_unstable();
        all.dedup_by(|later, earlier| later.name == earlier.name);
        Ok(all)
    }

    /// What `name` is in a merged directory; `path` is that of the name. The parts
    /// above `from` are known to say nothing of it.
    pub(super) fn lookup(
        &self,
        directory: &Directory,
        name: &[u8],
        from: usize,
        path: &[u8],
    ) -> Result<Lookup, Error> {
        let parts = directory.parts.get(from..).unwrap_or_default();
        let mut candidates: Vec<_> = parts
            .iter()
            .map(|part| Candidate {
                layer: part.layer,
                place: Place { directory: Arc::clone(&part.fd), name: name.to_vec() },
                holds_xwhiteouts: part.holds_xwhiteouts,
            })
            .rev()
            .collect();
        let mut found: Option<Found> = None;
        while let Some(candidate) = candidates.pop() {
            let layer = candidate.layer;
            let failed = |errno| self.read_error(layer, path, errno);
            let redirect = match (self.single(&candidate).map_err(failed)?, &mut found) {
                (Single::Absent, _) => None,
                (Single::Whiteout, None) => return Ok(Lookup::Whiteout),
                (Single::Whiteout, Some(_)) => break,
                (Single::File(inode, xattrs, marks), None) => {
                    let mut file = Found::file(inode, candidate.place, layer, xattrs);
                    if !marks.metacopy || inode.kind != FileType::RegularFile {
                        return Ok(Lookup::Found(file));
                    }
                    file.dangling = Some("its content is");
                    found = Some(file);
                    marks.redirect
                }
                (Single::File(inode, _, marks), Some(upper)) => {
                    if upper.inode.kind == FileType::Directory {
                        break;
                    }
                    if inode.kind != FileType::RegularFile {
                        return Err(self.broken(upper.layer, path, "its content is no file"));
                    }
                    if marks.metacopy {
                        marks.redirect
                    } else {
                        upper.data = Some(candidate.place);
                        upper.dangling = None;
                        break;
                    }
                }
                (Single::Directory(inode, xattrs, marks), upper) => {
                    if upper.as_ref().is_some_and(|upper| upper.inode.kind != FileType::Directory) {
                        return Err(self.broken(
                            layer,
                            path,
                            "the content of a file is a directory",
                        ));
                    }
                    let (place, holds_xwhiteouts) = (candidate.place, marks.holds_xwhiteouts);
                    let top = upper
                        .get_or_insert_with(|| Found::file(inode, place.clone(), layer, xattrs));
                    top.parts.push(PartId { layer, place, id: inode.id, holds_xwhiteouts });
                    if top.parts.len() == 1 {
                        top.opaque = marks.opaque;
                        if marks.redirect.is_some() && self.layers.len() == 1 {
                            top.dangling = Some("was renamed, and what it held is");
                        }
                    }
                    if marks.opaque {
                        break;
                    }
                    marks.redirect
                }
            };
            if let Some(redirect) = redirect {
                self.redirect(&mut candidates, layer, &redirect, path)?;
            }
        }
        if let Some(found) = &found {
            let unresolved = found.dangling.is_some() && found.inode.kind == FileType::RegularFile;
            if unresolved && self.layers.len() > 1 {
                return Err(self.broken(found.layer, path, "its content is in no lower directory"));
            }
        }
        Ok(found.map_or(Lookup::Absent, Lookup::Found))
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

    /// What one layer says of one name.
    fn single(&self, candidate: &Candidate) -> Result<Single, Errno> {
        let (at, name) = (candidate.place.directory(), candidate.place.name());
        let found = inode::inode_if_any(at, name)?;
        let (inode, namespace) = match (found, self.form) {
            (None, Form::Plain) => return Ok(Single::Absent),
            (None, Form::Overlay(_)) => {
                let marker = [whiteout::PREFIX, name].concat();
                return Ok(match inode::inode_if_any(at, &marker) {
                    Ok(Some(marker)) if is_empty_file(&marker) => Single::Whiteout,
                    // Too long a name has no marker either.
                    Ok(_) | Err(Errno::NAMETOOLONG) => Single::Absent,
                    Err(error) => return Err(error),
                });
            }
            (Some(inode), Form::Plain) if inode.kind == FileType::Directory => {
                return Ok(Single::Directory(inode, None, DirectoryMarks::default()));
            }
            (Some(inode), Form::Plain) => {
                return Ok(Single::File(inode, None, FileMarks::default()));
            }
            (Some(inode), Form::Overlay(namespace)) => (inode, namespace),
        };
        if inode.is_whiteout_device() {
            return Ok(Single::Whiteout);
        }
        let xattrs = inode::xattrs(at, name)?;
        if inode.kind == FileType::Directory {
            let mut marks = DirectoryMarks::of(&xattrs, namespace);
            marks.opaque |= holds_opaque_marker(at, name)?;
            return Ok(Single::Directory(inode, Some(xattrs), marks));
        }
        let marks = FileMarks::of(&xattrs, namespace);
        if marks.whiteout && candidate.holds_xwhiteouts && is_empty_file(&inode) {
            return Ok(Single::Whiteout);
        }
        Ok(Single::File(inode, Some(xattrs), marks))
    }

    /// Where to look on below `layer` for what `redirect` names.
    fn redirect(
        &self,
        candidates: &mut Vec<Candidate>,
        layer: usize,
        redirect: &[u8],
        path: &[u8],
    ) -> Result<(), Error> {
        let is_name = |name: &[u8]| !matches!(name, b"" | b"." | b"..") && !name.contains(&b'/');
        let Some(absolute) = redirect.strip_prefix(b"/") else {
            if !is_name(redirect) {
                return Err(self.broken(layer, path, "its redirect is neither a name nor a path"));
            }
            for candidate in candidates {
                candidate.place.name = redirect.to_vec();
            }
            return Ok(());
        };
        let components: Vec<&[u8]> = absolute.split(|&byte| byte == b'/').collect();
        let Some((last, parents)) = components.split_last() else { return Ok(()) };
        if !components.iter().all(|name| is_name(name)) {
            return Err(self.broken(layer, path, "its redirect is not a plain path"));
        }
        candidates.clear();
        for (index, below) in self.layers.iter().enumerate().skip(layer + 1) {
            let walked = self.walk(below, parents);
            let walked = walked.map_err(|errno| self.read_error(index, absolute, errno))?;
            if let Some((directory, holds_xwhiteouts)) = walked.directory {
                let place = Place { directory, name: last.to_vec() };
                candidates.push(Candidate { layer: index, place, holds_xwhiteouts });
            }
            if walked.hides_below {
                break;
            }
        }
        candidates.reverse();
        Ok(())
    }

    /// Walks directories of one layer.
    fn walk(&self, layer: &Layer, names: &[&[u8]]) -> Result<Walked, Errno> {
        let mut directory = Arc::clone(&layer.fd);
        let mut hides_below = false;
        let mut holds_xwhiteouts = match self.form {
            Form::Plain => false,
            Form::Overlay(namespace) => {
                let xattrs = inode::xattrs(directory.as_fd(), b"")?;
                DirectoryMarks::of(&xattrs, namespace).holds_xwhiteouts
            }
        };
        for name in names {
            let place = Place { directory, name: name.to_vec() };
            let candidate = Candidate { layer: 0, place, holds_xwhiteouts };
            match self.single(&candidate)? {
                Single::Absent => return Ok(Walked { directory: None, hides_below }),
                Single::Whiteout | Single::File(..) => {
                    return Ok(Walked { directory: None, hides_below: true });
                }
                Single::Directory(_, _, marks) => {
                    hides_below |= marks.opaque;
                    holds_xwhiteouts = marks.holds_xwhiteouts;
                    let at = candidate.place.directory();
                    directory = Arc::new(inode::open_directory(at, name)?);
                }
            }
        }
        Ok(Walked { directory: Some((directory, holds_xwhiteouts)), hides_below })
    }
}

/// Where a walk through one layer ended.
struct Walked {
    directory: Option<(Arc<OwnedFd>, bool)>,
    hides_below: bool,
}

impl Layer {
    fn open(path: &Path) -> Result<Self, Error> {
        use std::os::unix::ffi::OsStrExt as _;
        let fd = inode::open_root(path)
            .map_err(|source| Error::read(path.as_os_str().as_bytes().to_vec(), source))?;
        Ok(Self { path: path.into(), fd: Arc::new(fd) })
    }
}

fn is_empty_file(inode: &Inode) -> bool {
    inode.kind == FileType::RegularFile && inode.len_bytes == 0
}

/// The name that fuse-overlayfs's `name` speaks of; `name` itself if it is a file
/// like any other.
fn fuse_name(at: BorrowedFd<'_>, name: Vec<u8>) -> Result<Option<Vec<u8>>, Errno> {
    if !inode::inode_if_any(at, &name)?.is_some_and(|inode| is_empty_file(&inode)) {
        return Ok(Some(name));
    }
    Ok(match whiteout::classify(&name) {
        Basename::Whiteout(hidden) => Some(hidden.to_vec()),
        Basename::Opaque => None,
        Basename::Plain | Basename::Aufs | Basename::Invalid => Some(name),
    })
}

/// Whether the directory `name` is marked opaque as fuse-overlayfs does where it
/// cannot set attributes.
fn holds_opaque_marker(at: BorrowedFd<'_>, name: &[u8]) -> Result<bool, Errno> {
    let marker = inode::open_directory(at, name)
        .and_then(|directory| inode::inode_if_any(directory.as_fd(), whiteout::OPAQUE));
    match marker {
        Ok(marker) => Ok(marker.is_some_and(|marker| is_empty_file(&marker))),
        // If it has to be read, that will fail by itself.
        Err(Errno::ACCESS) => Ok(false),
        Err(error) => Err(error),
    }
}
