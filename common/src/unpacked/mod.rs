//! Layers unpacked into the cache, once, in overlay namespace.
//!
//! Keyed by digest. Owns the unpacked layers' folders in [`crate::cache`], their
//! keys and their locks; what a layer means is
//! [`crate::layer::apply`]'s, and what to do with the directories is
//! [`crate::mount`]'s.
//!
//! A layer is kept under its ChainID and not its DiffID: what a parent directory
//! that the layer does not describe looks like, and where a link among the parents
//! leads, depends on the layers below. Images with a common base have common
//! ChainIDs, so nothing is unpacked twice for that.

mod copy;
mod entry;
mod flat;
mod stack;

use std::collections::VecDeque;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use crate::cache;
use crate::compression::MaxSize;
use crate::digest::{ChainId, DiffId};
use crate::image::{self, Image};
use crate::layer::apply::{self, Ownership};
use crate::mount::Namespace;
use crate::name::show_path;
use crate::{message, privilege};

pub use copy::Copy;
use entry::Entry;
pub use flat::{apply_directory, apply_image};
use stack::Stack;

/// How many layers are locked at a time, which takes a descriptor each.
const LOCKED_AT_ONCE: usize = 64;

/// The cache of unpacked layers.
#[derive(Debug)]
pub struct Cache {
    /// Where layers of this process's namespace and ownership are.
    layers: PathBuf,
    namespace: Namespace,
    ownership: Ownership,
    max_size: MaxSize,
}

/// Why a layer is not in the cache and cannot be put there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No place for the cache is known.
    #[error("no place for the cache of unpacked layers: set XDG_CACHE_HOME or HOME")]
    NoPlace,
    /// A file of the cache.
    #[error("{}: {what}", show_path(.path))]
    File {
        /// Where.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// A bug of ours in a thread, which has said more.
    #[error("a thread that unpacked a layer has panicked")]
    Panicked,
    /// An image that cannot be read.
    #[error(transparent)]
    Image(#[from] image::Error),
    /// A layer directory that cannot be copied.
    #[error("{}", show_path(.path))]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A layer that cannot be applied.
    #[error("layer {diff_id}")]
    Layer {
        /// Which.
        diff_id: DiffId,
        /// Why.
        source: Box<apply::Error>,
    },
}

impl Error {
    fn layer(diff_id: &DiffId) -> impl FnOnce(apply::Error) -> Self {
        move |source| Self::Layer { diff_id: diff_id.clone(), source: Box::new(source) }
    }

    fn file(path: &Path, what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { path: path.to_owned(), what, source }
    }
}

impl Cache {
    /// Opens the cache at `$XDG_CACHE_HOME/layerutils`, or `~/.cache/layerutils`;
    /// root's is `/var/cache/layerutils`. Made, for its owner only, where it is missing.
    ///
    /// # Errors
    /// No place for it, or a place that cannot be used.
    pub fn open() -> Result<Self, Error> {
        Self::in_namespace(Namespace::native())
    }

    /// As [`Cache::open`], for layers of another namespace than this process's own.
    ///
    /// # Errors
    /// As [`Cache::open`].
    pub fn in_namespace(namespace: Namespace) -> Result<Self, Error> {
        Self::at(cache::dir().ok_or(Error::NoPlace)?, namespace)
    }

    /// Opens the cache at `dir`.
    ///
    /// # Errors
    /// A place that cannot be used.
    pub fn at(dir: PathBuf, namespace: Namespace) -> Result<Self, Error> {
        // Root that cannot mount runs things in a user namespace with one id.
        let ownership = match privilege::can_mount() && privilege::has_many_ids() {
            true => Ownership::Keep,
            false => Ownership::Record,
        };
        let kind = match (namespace, ownership) {
            (Namespace::Trusted, Ownership::Keep) => "trusted",
            (Namespace::Trusted, _) => "trusted-recorded",
            (Namespace::User, Ownership::Keep) => "user",
            (Namespace::User, _) => "user-recorded",
        };
        let layers = dir.join("unpacked").join(kind);
        cache::make(&layers).map_err(Error::file(&layers, "cannot make the cache"))?;
        let layers =
            fs::canonicalize(&layers).map_err(Error::file(&layers, "cannot open the cache"))?;
        Ok(Self { layers, namespace, ownership, max_size: MaxSize::default() })
    }

    /// The same cache, for layers that may grow to `max_size`.
    #[must_use]
    pub fn with_max_size(self, max_size: MaxSize) -> Self {
        Self { max_size, ..self }
    }

    /// An empty directory for a plain copy of layers, which is removed when it is
    /// dropped.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn copy() -> Result<Copy, Error> {
        Copy::new(&cache::dir().ok_or(Error::NoPlace)?)
    }

    /// The layers of an image as directories for [`crate::mount::Overlay`], base
    /// first, unpacked where they are not there yet, several at a time. `open` gives
    /// the stream of the layer with this index in any compression, and how many bytes it
    /// has; it is called only if needed.
    ///
    /// Layers below an opaque root are left out: an overlay's root cannot be
    /// opaque, and nothing of them is to be seen.
    ///
    /// # Errors
    /// A layer that cannot be read or unpacked, or has another DiffID; `open`'s own.
    pub fn layers<R: Read + Send, E: From<Error>>(
        &self,
        diff_ids: &[DiffId],
        mut open: impl FnMut(usize) -> Result<(R, u64), E>,
    ) -> Result<Vec<PathBuf>, E> {
        let stack = Arc::new(Stack::new(diff_ids.len()));
        let mut chain: Option<ChainId> = None;
        let mut layers = diff_ids.iter().enumerate().peekable();
        while layers.peek().is_some() {
            let mut missing = Vec::new();
            // Base first, everybody: so nobody waits for one who waits for him.
            for (index, diff_id) in layers.by_ref().take(LOCKED_AT_ONCE) {
                let key = ChainId::stack(chain.as_ref(), diff_id);
                let entry = Entry::lock(&self.layers, &key.0)?;
                match entry.get()? {
                    Some(layer) => stack.set(index, Some(layer)),
                    None => missing.push((index, diff_id, entry)),
                }
                chain = Some(key);
            }
            self.unpack(&stack, missing, &mut open)?;
        }
        let layers = stack.wait(diff_ids.len());
        Ok(layers.map_err(Error::file(&self.layers, "cannot unpack into it"))?)
    }

    /// Unpacks what is missing, base first, as many at a time as there are processors.
    fn unpack<R: Read + Send, E: From<Error>>(
        &self,
        stack: &Arc<Stack>,
        missing: Vec<(usize, &DiffId, Entry)>,
        open: &mut impl FnMut(usize) -> Result<(R, u64), E>,
    ) -> Result<(), E> {
        let at_once = thread::available_parallelism().map_or(1, usize::from);
        thread::scope(|scope| {
            let mut running = VecDeque::new();
            let mut outcome = Ok(());
            for (index, diff_id, entry) in missing {
                if running.len() >= at_once {
                    outcome = running.pop_front().map_or(Ok(()), finished);
                }
                if outcome.is_err() {
                    break;
                }
                message::verbose(format_args!("unpacking layer {diff_id}"));
                let stream = open(index)?;
                let unpack = move || {
                    let mut promise = stack.promise(index);
                    let options = apply::Options {
                        ownership: self.ownership,
                        max_size: self.max_size,
                        ..apply::Options::default()
                    };
                    let (below, namespace) = ((stack, index), self.namespace);
                    let layer = entry.unpack(stream, diff_id, below, namespace, options)?;
                    promise.layer = Some(layer);
                    Ok(())
                };
                let name = thread::Builder::new().name("unpack".into());
                let unpacking = name.spawn_scoped(scope, unpack);
                running.push_back(
                    unpacking.map_err(Error::file(&self.layers, "cannot start a thread"))?,
                );
            }
            // The lowest that failed is the cause of what failed above it.
            for unpacking in running {
                outcome = outcome.and(finished(unpacking));
            }
            Ok(outcome?)
        })
    }

    /// The first `count` layers of an image, or all: see [`Cache::layers`].
    ///
    /// # Errors
    /// As [`Cache::layers`].
    pub fn image(&self, image: &Image, count: Option<usize>) -> Result<Vec<PathBuf>, Error> {
        let layers: Vec<_> = image.layers().take(count.unwrap_or(usize::MAX)).collect();
        let diff_ids: Vec<DiffId> = layers.iter().map(|layer| layer.diff_id.clone()).collect();
        self.layers(&diff_ids, |index| {
            let layer = layers.get(index).ok_or(io::Error::from(io::ErrorKind::NotFound));
            let layer = layer.map_err(Error::file(&self.layers, "no such layer"))?;
            Ok((image.layer(layer)?, layer.descriptor.len_bytes))
        })
    }
}

fn finished(unpacking: thread::ScopedJoinHandle<'_, Result<(), Error>>) -> Result<(), Error> {
    unpacking.join().map_err(|_| Error::Panicked)?
}
