//! Set-id bits and capabilities that would let others act as the owner of a file.
//!
//! Where they are dropped, mode and owner are recorded as containers/storage and
//! fuse-overlayfs record them, and [`crate::layer::diff`] reads them: a layer made of
//! the tree has the bits again.

use std::os::fd::BorrowedFd;

use rustix::io::Errno;

use super::engine::Engine;
use super::error::{Problem, Tried as _};
use super::options::SetId;
use crate::layer::diff::rootless;
use crate::root::attributes::{self, Target};
use crate::tar::{Entry, Kind};

/// The attribute that holds `UID:GID:MODE`.
const RECORD: &[u8] = b"user.containers.override_stat";

impl Engine<'_> {
    /// The bits of an entry's mode that its file does not get. On a directory they give
    /// nobody a privilege.
    pub(super) fn dropped_bits(&self, entry: &Entry) -> u32 {
        match (self.options.set_id, &entry.kind) {
            (SetId::Drop, Kind::File) => entry.mode & 0o6000,
            _ => 0,
        }
    }

    /// Records what the layer says of a file whose bits were dropped, if the file
    /// system can hold it.
    pub(super) fn record(&mut self, target: Target<'_>, entry: &Entry) -> Result<(), Problem> {
        self.summary.not_kept.set_ids += 1;
        let value = format!("{}:{}:0{:o}", entry.uid, entry.gid, entry.mode);
        match attributes::set_xattr(target, RECORD, value.as_bytes()) {
            Ok(()) | Err(Errno::OPNOTSUPP) => Ok(()),
            Err(errno) => Err(errno).tried("record its set-id bits"),
        }
    }

    /// Gives the entry of a lower file what was recorded of it.
    pub(super) fn recall(&self, file: BorrowedFd<'_>, entry: &mut Entry) -> Result<(), Errno> {
        if self.options.set_id == SetId::Keep {
            return Ok(());
        }
        let value = attributes::xattr(file, RECORD)?;
        if let Some((uid, gid, mode)) = value.and_then(|value| rootless::recorded(&value)) {
            (entry.uid, entry.gid) = (uid, gid);
            entry.mode |= mode & 0o6000;
        }
        Ok(())
    }
}
