//! The end of a layer: links that pointed forward, then what is restored once.

use std::os::fd::AsFd as _;

use super::engine::Engine;
use super::error::{Error, Tried as _};
use super::summary::Summary;
use crate::layer::whiteout::LINK_STORE;
use crate::root::attributes::{self, Target};

impl Engine<'_> {
    /// Makes the links that waited for their targets, and gives directories their
    /// times and closed modes, innermost first: a closed directory lets nobody in.
    pub(super) fn finish(mut self) -> Result<Summary, Error> {
        self.small_files.finish()?;
        self.finish_links()?;
        self.finish_store().map_err(|problem| problem.at(LINK_STORE))?;
        self.finish_root().map_err(|problem| problem.at(b"."))?;
        for id in self.tree.innermost_first() {
            let before = self.tree.take_mode_before(id);
            let state = self.directory(id);
            let (mode, mtime) = (state.mode.take().or(before), state.mtime.take());
            if mode.is_none() && mtime.is_none() {
                continue;
            }
            let restored = self.tree.fd(id).tried("open it").and_then(|fd| {
                let target = Target::Open(fd.as_fd());
                if let Some(mode) = mode {
                    attributes::set_mode(target, mode).tried("set its mode")?;
                }
                if let Some(mtime) = mtime {
                    attributes::set_mtime(target, mtime, false).tried("set its time")?;
                }
                Ok(())
            });
            restored.map_err(|problem| problem.at(&self.tree.path(id)))?;
        }
        Ok(self.summary)
    }
}
