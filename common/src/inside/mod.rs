//! The content of images, from the headers of their layers: nothing is unpacked.
//!
//! A reader of [`crate::layer::tree`], which alone says what layers mean; here are the
//! layers of an image read into it, with where each file's content lies, the step that
//! made each layer, and sums.
//!
//! | file | owns |
//! |---|---|
//! | `read` | the members of one layer: seeking over content that need not be checked |
//! | `content` | the content of chosen members |
//! | `layers` | layers that are readable at any place |
//! | `step` | which step of the history made a layer |
//! | `past` | the versions of a path, and what each layer did to it |
//! | `two` | two images that begin with the same layers |
//! | `compare` | the names of two images that are not the same |
//! | `select` | paths and patterns that choose names |
//! | `waste` | content that nothing shows any more |

pub mod compare;
mod content;
mod layers;
mod past;
mod read;
mod select;
mod step;
mod two;
mod waste;

use std::sync::Arc;

use crate::compression::{MaxSize, TooLarge};
use crate::digest::Digest;
use crate::image::{self, Image, Layer, Reference, size_of};
use crate::layer::apply::Problem;
use crate::layer::tree::{Below, Inode, NodeRef, Tree};
use crate::layer::{place, whiteout};
use crate::name::show;
use crate::tar::{Entry, Kind, Xattrs};

pub use content::Wanted;
pub use layers::{Both, Layers};
pub use past::{Change, Event, Past};
pub use select::{Selection, select};
pub use step::{Step, steps};
pub use two::{Side, read_two};
pub use waste::{How, Waste, Wasted, percent};

/// The most memory for all extended attributes of an image. Honest images have some
/// kilobytes of them.
const MAX_XATTRS_LEN_BYTES: u64 = 16 << 20;

/// Why an image cannot be looked into.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It cannot be read.
    #[error(transparent)]
    Image(#[from] image::Error),
    /// A member that no tree could take.
    #[error("layer {layer}: {}", show(.path))]
    Member {
        /// The layer.
        layer: Digest,
        /// The member's path, as stored.
        path: Vec<u8>,
        /// The problem with it.
        #[source]
        problem: Problem,
    },
    /// A layer that grows too large, holes included.
    #[error("layer {layer}")]
    TooLarge {
        /// The layer.
        layer: Digest,
        /// The limit.
        source: TooLarge,
    },
    /// More extended attributes than anybody wants to see.
    #[error("layer {0}: more than {MAX_XATTRS_LEN_BYTES} bytes of extended attributes")]
    Xattrs(Digest),
    /// An error about an image that the user asked for.
    #[error("{reference}")]
    About {
        /// In the user's words.
        reference: String,
        /// The problem.
        source: Box<Error>,
    },
    /// A layer that the image does not have.
    #[error("there is no layer {wanted}: the image has {}", crate::human::count(*.there as u64, "layer", "layers"))]
    NoLayer {
        /// Its number.
        wanted: usize,
        /// The number of layers.
        there: usize,
    },
}

impl Error {
    /// The error as a user of `reference` should see it.
    #[must_use]
    pub fn about(self, reference: &Reference) -> Self {
        match self {
            Self::Image(error) => Self::Image(error.about(reference)),
            other => Self::About { reference: reference.to_string(), source: Box::new(other) },
        }
    }
}

/// Whether blobs of the store that have been checked once are checked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// They are not: only headers are read where layers are plain archives.
    Checked,
    /// Everything is read and checked.
    Nothing,
}

impl Trust {
    /// Trust in the store that images are named in, unless the user wants checks. Other
    /// layouts and archives are written by anybody.
    #[must_use]
    pub fn of(reference: &Reference, verify: bool) -> Self {
        match reference {
            Reference::Store(_) if !verify => Self::Checked,
            _ => Self::Nothing,
        }
    }
}

/// The way to read layers.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// The blobs that need no check.
    pub trust: Trust,
    /// The largest size of a layer.
    pub max_size: MaxSize,
    /// Whether extended attributes are kept.
    pub xattrs: bool,
    /// Whether the past of the tree is kept.
    pub past: bool,
}

/// Where a member is.
#[derive(Debug, Clone)]
pub struct Place {
    /// The layer, counted from 1.
    pub layer: u32,
    /// Of its first header, in the uncompressed layer.
    pub position: u64,
    /// If there are any, and they are kept.
    pub xattrs: Option<Arc<Xattrs>>,
}

/// A layer, and what is in it.
#[derive(Debug, Clone)]
pub struct LayerSums {
    /// The layer.
    pub layer: Layer,
    /// The step that made it, if the history tells.
    pub step: Step,
    /// Its length when it is uncompressed.
    pub len_bytes: u64,
    /// Regular files.
    pub files: u64,
    /// Whiteouts of both kinds.
    pub whiteouts: u64,
    /// The size of its files and symbolic links, in bytes, as docker counts it.
    pub content_bytes: u64,
}

/// An image with the tree that its layers make.
#[derive(Debug)]
pub struct Inside {
    /// The image.
    pub image: Image,
    /// Its layers, base first.
    pub layers: Vec<LayerSums>,
    /// The tree.
    pub tree: Tree<Place>,
    /// The way in which it was read.
    pub reading: Reading,
    /// The room left for extended attributes, in bytes.
    xattrs_left: u64,
}

impl Inside {
    /// Reads the headers of an image's layers: of the first `count`, or of all.
    ///
    /// # Errors
    /// A layer that is missing, damaged, or that layer-apply would refuse.
    pub fn read(image: Image, count: Option<usize>, reading: Reading) -> Result<Self, Error> {
        let there = image.layers().len();
        if let Some(wanted) = count.filter(|&wanted| wanted > there) {
            return Err(Error::NoLayer { wanted, there });
        }
        let mut inside = Self::begin(image, reading);
        inside.go_on(count.unwrap_or(there))?;
        Ok(inside)
    }

    /// An image of which no layer was read.
    fn begin(image: Image, reading: Reading) -> Self {
        let tree = match reading.past {
            true => Tree::recording(Below::Nothing),
            false => Tree::new(Below::Nothing),
        };
        Self { image, layers: Vec::new(), tree, reading, xattrs_left: MAX_XATTRS_LEN_BYTES }
    }

    /// Reads further layers, up to `count` in all.
    fn go_on(&mut self, count: usize) -> Result<(), Error> {
        let before = self.layers.len();
        let layers: Vec<Layer> = self.image.layers().take(count).skip(before).collect();
        let steps = steps(&self.image).into_iter().skip(before);
        for (layer, step) in layers.iter().zip(steps) {
            let number = u32::try_from(self.layers.len() + 1).unwrap_or(u32::MAX);
            let digest = || layer.descriptor.digest.clone();
            let (keeps_xattrs, xattrs_left) = (self.reading.xattrs, &mut self.xattrs_left);
            let mut sums = LayerSums::new(layer, step);
            let mut applied = self.tree.begin();
            sums.len_bytes = read::each(&self.image, layer, self.reading, |mut entry, at, _| {
                sums.add(&entry);
                let mut xattrs = None;
                if keeps_xattrs && !entry.xattrs.is_empty() {
                    let kept = std::mem::take(&mut entry.xattrs);
                    let len: usize =
                        kept.iter().map(|(name, value)| name.len() + value.len()).sum();
                    let left = xattrs_left.checked_sub(len as u64);
                    *xattrs_left = left.ok_or_else(|| Error::Xattrs(digest()))?;
                    xattrs = Some(Arc::new(kept));
                }
                let place = Place { layer: number, position: at, xattrs };
                let applied = applied.apply(&entry, place);
                let refused =
                    |problem| Error::Member { layer: digest(), path: entry.path, problem };
                applied.map_err(refused)
            })?;
            let refused = |(path, problem)| Error::Member { layer: digest(), path, problem };
            applied.end().map_err(refused)?;
            self.layers.push(sums);
        }
        Ok(())
    }

    /// The sums of a layer, counted from 1.
    #[must_use]
    pub fn layer(&self, number: u32) -> Option<&LayerSums> {
        self.layers.get(usize::try_from(number).ok()?.checked_sub(1)?)
    }
}

impl LayerSums {
    fn new(layer: &Layer, step: Step) -> Self {
        Self { layer: layer.clone(), step, len_bytes: 0, files: 0, whiteouts: 0, content_bytes: 0 }
    }

    fn add(&mut self, entry: &Entry) {
        let path = entry.path.strip_suffix(b"/").unwrap_or(&entry.path);
        let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        match whiteout::classify(name) {
            whiteout::Basename::Whiteout(_) | whiteout::Basename::Opaque => self.whiteouts += 1,
            _ => {
                self.files += u64::from(entry.kind == Kind::File);
                self.content_bytes = self.content_bytes.saturating_add(size_of(entry));
            }
        }
    }
}

/// The entry at `path` that an inode describes, or the one for a directory that no layer
/// describes.
#[must_use]
pub fn entry(path: Vec<u8>, inode: Option<&Inode<Place>>) -> Entry {
    let Some(inode) = inode else { return Entry { path, ..place::undescribed() } };
    let Inode { mode, uid, gid, mtime, len_bytes, .. } = *inode;
    let xattrs = inode.content.xattrs.as_deref().cloned().unwrap_or_default();
    Entry { path, kind: inode.kind.clone(), mode, uid, gid, mtime, len_bytes, xattrs }
}

/// Calls `seen` with every name of a tree and its path, the root's being empty; a
/// directory before what is in it, in the order of names.
///
/// # Errors
/// The first of `seen`'s.
pub fn walk<'t, E>(
    tree: &'t Tree<Place>,
    mut seen: impl FnMut(&[u8], NodeRef<'t, Place>) -> Result<(), E>,
) -> Result<(), E> {
    let mut path = Vec::new();
    let mut pending = vec![(0, &b""[..], tree.root())];
    while let Some((parent_len, name, node)) = pending.pop() {
        path.truncate(parent_len);
        crate::root::push(&mut path, name);
        seen(&path, node)?;
        let len = path.len();
        let at = pending.len();
        pending.extend(node.children().map(|(name, child)| (len, name, child)));
        pending.get_mut(at..).unwrap_or_default().reverse();
    }
    Ok(())
}
