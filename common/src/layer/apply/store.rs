//! AUFS's link store: files that a layer holds for hard links to them, and not for
//! the tree.
//!
//! They are extracted to a directory beside the tree's own, with a name that no link
//! of the layer can guess, and it is gone when the layer has been applied or refused.

use std::hash::{BuildHasher as _, RandomState};
use std::io::BufRead;

use super::engine::Engine;
use super::error::Problem;
use super::remembered::LinkStore;
use crate::layer::whiteout::LINK_STORE;
use crate::root::DirId;
use crate::tar::{Content, Entry};

impl Engine<'_> {
    /// Extracts a file for the links to it.
    pub(super) fn store<R: BufRead>(
        &mut self,
        name: &[u8],
        entry: &Entry,
        content: &mut Content<'_, R>,
    ) -> Result<(), Problem> {
        let at = match &self.link_store {
            Some(store) => store.id,
            None => {
                let random = RandomState::new().hash_one(());
                let name = [LINK_STORE, format!(".{random:016x}").as_bytes()].concat();
                let id = self.make_directory(DirId::ROOT, &name, 0o700)?;
                self.link_store = Some(LinkStore { root: self.root, name, id });
                id
            }
        };
        self.put_file(at, name, entry, content)
    }

    /// Removes the directory, once all links are made.
    pub(super) fn finish_store(&mut self) -> Result<(), Problem> {
        match self.link_store.take() {
            Some(store) => self.clear(DirId::ROOT, &store.name).map(drop),
            None => Ok(()),
        }
    }
}
