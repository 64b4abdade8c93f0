//! A layer applied to a directory (image-spec layer.md, "Applying Changesets").
//!
//! The specification's rules, and what it leaves open, are settled as follows.
//!
//! - A whiteout hides what lower layers put there and nothing of its own layer,
//!   in whatever order the two come; an opaque one likewise, at the root too.
//!   Hiding what is not there is no error. As of any other member, the layer has
//!   the directory of a whiteout: it is made if it is not there, as docker does and
//!   as a mount of the layer would show it.
//! - A directory over a directory keeps its content and replaces its attributes,
//!   extended ones included. Anything else is removed and made anew, so that a
//!   file that shares its inode with a lower name is never written through.
//! - Parents that no entry describes are made `0755`, owned by root, dated at the
//!   epoch; a file in the place of a parent gives way. Links among the parents are
//!   resolved within the root, as a chroot would.
//! - Hard links may point forward, be absolute, and name symbolic links. One to a
//!   file that its own layer deletes is an error, in whatever order; one to a file
//!   that both a lower layer and its own have means its own.
//! - Directory times are restored once, at the end: those of the layer, and those
//!   of lower directories in which something changed.
//! - Of two entries for one path the last counts.
//! - AUFS's own metadata (`.wh..wh.plnk` and its kin) is skipped, but hard links may
//!   name the files in its link store; a directory called `.wh.x` is refused, since no
//!   layer could ever hold it again.
//! - Extended attributes that belong to one host, and those by which overlay file
//!   systems and rootless tools keep their books, are not taken from a layer: see
//!   the list in `xattrs.rs`. In overlay form the latter are escaped instead.
//! - The character device 0:0 is overlayfs's whiteout, and refused.
//!
//! Everything goes through [`crate::root`]: nothing outside the root is reached,
//! whatever the layer says and whoever moves directories about meanwhile.

mod device;
mod directory;
mod engine;
mod entry;
mod error;
mod file;
mod finish;
mod hide;
mod lacking;
mod link;
mod lower;
mod lowers;
mod metadata;
mod names;
mod options;
mod overlay;
mod parents;
mod pipeline;
mod record;
mod remembered;
mod set_id;
mod small;
mod store;
mod stream;
mod summary;
mod xattrs;

#[cfg(test)]
mod tests;

use std::io::Read;

use crate::compression::{Decoder, Format};
use crate::root::Root;
use crate::tar;

pub(crate) use device::check_device;
pub use error::{Error, Problem};
pub use lowers::Lowers;
pub use options::{Devices, Form, Options, Ownership, SetId};
pub use stream::{Applied, Expected, apply_stream, apply_verified};
pub use summary::{NotKept, Reason, Summary};
pub(crate) use xattrs::keep_what_is_set;

/// Applies one layer, an uncompressed tar stream that is read to its very end, to
/// what is below `root`.
///
/// # Errors
/// A stream that fails, an archive that is malformed, an entry that is hostile or
/// cannot be made. What was applied before it stays: who needs all or nothing
/// applies to a new directory.
pub fn apply(root: &Root, layer: impl Read, options: &Options) -> Result<Summary, Error> {
    let growth = options.max_size.growth(None);
    let layer = Decoder::with_format(layer, Format::None, growth).map_err(Error::Compression)?;
    let mut reader = tar::Reader::new(layer, options.limits, options.whole);
    let mut engine = engine::Engine::new(root, options);
    while let Some(entry) = reader.next_entry()? {
        engine.entry(&entry, &mut reader.content())?;
    }
    reader.finish()?;
    engine.finish()
}
