//! What one name of the stack is: looked up in one layer after the other, until one
//! of them hides what is below.

use std::os::fd::AsFd as _;
use std::sync::Arc;

use rustix::fs::FileType;
use rustix::io::Errno;

use super::{Directory, Error, Form, Found, Part, PartId, Place, Stack, fuse};
use crate::layer::inode::{self, Inode};
use crate::layer::overlay::{DirectoryMarks, FileMarks, Prefixes};
use crate::tar::Xattrs;

/// What a name of the tree is.
// One lives at a time, and most are `Found`: a box would only cost.
#[allow(clippy::large_enum_variant)]
#[derive(Debug)]
pub(in crate::layer::diff) enum Lookup {
    /// Nothing, in any layer.
    Absent,
    /// Deleted by a whiteout.
    Whiteout,
    /// This.
    Found(Found),
}

impl Lookup {
    /// What is there, if it is.
    pub(in crate::layer::diff) fn found(self) -> Option<Found> {
        match self {
            Self::Found(found) => Some(found),
            Self::Absent | Self::Whiteout => None,
        }
    }
}

/// What one layer says of a name.
pub(super) enum Single {
    Absent,
    Whiteout,
    File(Inode, Xattrs, FileMarks),
    Directory(Inode, Xattrs, DirectoryMarks),
}

/// Where to look next.
pub(super) struct Candidate {
    pub(super) layer: usize,
    pub(super) place: Place,
    pub(super) holds_xwhiteouts: bool,
}

impl Stack {
    /// What `name` is in a merged directory; `path` is that of the name. The parts
    /// above `from` are known to say nothing of it.
    pub(in crate::layer::diff) fn lookup(
        &self,
        directory: &Directory,
        name: &[u8],
        from: usize,
        path: &[u8],
    ) -> Result<Lookup, Error> {
        let parts = directory.parts.get(from..).unwrap_or_default();
        let prefixes = match self.form {
            Form::Plain => return self.as_is(parts, name, path),
            Form::Overlay(prefixes) => prefixes,
        };
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
            let redirect = match (Self::single(&candidate, prefixes).map_err(failed)?, &mut found) {
                (Single::Absent, _) => None,
                (Single::Whiteout, None) => return Ok(Lookup::Whiteout),
                (Single::Whiteout, Some(_)) => break,
                (Single::File(inode, xattrs, marks), None) => {
                    if layer > 0 && inode.links > 1 {
                        if let Some(copy) = self.indexed(&candidate, prefixes).map_err(failed)? {
                            return Ok(Lookup::Found(copy));
                        }
                    }
                    let mut file = Found::file(inode, candidate.place, layer, Some(xattrs));
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
                    let top = upper.get_or_insert_with(|| {
                        Found::file(inode, place.clone(), layer, Some(xattrs))
                    });
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
                self.redirect(&mut candidates, layer, &redirect, prefixes, path)?;
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

    /// What the mount shows instead of a lower file that was copied up under another
    /// name.
    fn indexed(&self, candidate: &Candidate, prefixes: Prefixes) -> Result<Option<Found>, Errno> {
        let Some(index) = &self.index else { return Ok(None) };
        let place = &candidate.place;
        let Some(copy) = index.copy_of(place.directory(), place.name())? else { return Ok(None) };
        let inode = inode::inode(copy.directory(), copy.name())?;
        let xattrs = inode::xattrs(copy.directory(), copy.name())?;
        let is_metacopy = FileMarks::of(&xattrs, prefixes).metacopy;
        let mut found = Found::file(inode, copy, 0, Some(xattrs));
        found.data = is_metacopy.then(|| place.clone());
        Ok(Some(found))
    }

    /// What `name` is in a tree that is as it is.
    fn as_is(&self, parts: &[Part], name: &[u8], path: &[u8]) -> Result<Lookup, Error> {
        let Some(part) = parts.first() else { return Ok(Lookup::Absent) };
        let found = inode::inode_if_any(part.fd.as_fd(), name);
        let Some(inode) = found.map_err(|errno| self.read_error(part.layer, path, errno))? else {
            return Ok(Lookup::Absent);
        };
        let place = Place { directory: Arc::clone(&part.fd), name: name.to_vec() };
        let mut found = Found::file(inode, place, part.layer, None);
        if inode.kind == FileType::Directory {
            let (layer, place) = (part.layer, found.place.clone());
            found.parts.push(PartId { layer, place, id: inode.id, holds_xwhiteouts: false });
        }
        Ok(Lookup::Found(found))
    }

    /// What one layer says of one name.
    pub(super) fn single(candidate: &Candidate, prefixes: Prefixes) -> Result<Single, Errno> {
        let (at, name) = (candidate.place.directory(), candidate.place.name());
        let Some(inode) = inode::inode_if_any(at, name)? else {
            let hidden = fuse::is_hidden(at, name)?;
            return Ok(if hidden { Single::Whiteout } else { Single::Absent });
        };
        if inode.is_whiteout_device() {
            return Ok(Single::Whiteout);
        }
        let xattrs = inode::xattrs(at, name)?;
        if inode.kind == FileType::Directory {
            let mut marks = DirectoryMarks::of(&xattrs, prefixes);
            marks.opaque |= fuse::is_opaque(at, name)?;
            return Ok(Single::Directory(inode, xattrs, marks));
        }
        let marks = FileMarks::of(&xattrs, prefixes);
        if marks.whiteout && candidate.holds_xwhiteouts && fuse::is_empty_file(&inode) {
            return Ok(Single::Whiteout);
        }
        Ok(Single::File(inode, xattrs, marks))
    }
}
