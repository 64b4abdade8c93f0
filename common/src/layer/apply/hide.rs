//! Whiteouts: what lower layers put there goes, what this layer made stays.

use std::os::fd::AsFd as _;

use super::engine::Engine;
use super::error::{Problem, Tried as _};
use crate::root::{self, DirId};

impl Engine<'_> {
    /// Hides the lower content called `name` below the directory `parents`.
    pub(super) fn hide_name(&mut self, parents: &[&[u8]], name: &[u8]) -> Result<(), Problem> {
        let at = self.directory_of(parents)?;
        let known = self.tree.child(at, name);
        if !self.is_touched(at, name)? {
            return match self.records_deletions() {
                true => self.write_whiteout(at, name),
                false => self.clear(at, name).map(drop),
            };
        }
        // The layer has put something here itself. Of a directory the lower content
        // and the lower attributes go; anything else hides them already.
        if let Some(id) = known {
            self.undescribe(id)?;
            self.hide_within(id)?;
        }
        Ok(())
    }

    /// Hides all lower content of the directory `parents`.
    pub(super) fn hide_content(&mut self, parents: &[&[u8]]) -> Result<(), Problem> {
        let at = self.directory_of(parents)?;
        // A link may have led back to the root.
        self.summary.opaque_root |= at == DirId::ROOT;
        self.hide_within(at)
    }

    fn hide_within(&mut self, id: DirId) -> Result<(), Problem> {
        // Once is enough: what comes into it from then on is the layer's own.
        if self.directory(id).opaque {
            return Ok(());
        }
        if self.records_deletions() {
            self.set_opaque(id)?;
        }
        self.directory(id).opaque = true;
        let mut pending = vec![id];
        while let Some(id) = pending.pop() {
            // In overlay form, too, it may be as lower layers have it.
            if self.directory(id).fresh && !self.records_deletions() {
                continue;
            }
            let fd = self.tree.fd(id).tried("open it")?;
            for name in root::names(fd.as_fd()).tried("list it")? {
                if !self.is_own(id, &name) {
                    self.clear(id, &name)?;
                } else if let Some(below) = self.tree.child(id, &name) {
                    self.undescribe(below)?;
                    pending.push(below);
                }
            }
        }
        Ok(())
    }
}
