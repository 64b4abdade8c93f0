//! One entry after the other: where it belongs, and who carries it out.

use std::io::BufRead;

use super::device::Device;
use super::engine::Engine;
use super::error::{Error, Problem};
use crate::layer::place::{Place, What};
use crate::root::DirId;
use crate::tar::{Content, Entry, Kind};

/// The files that eStargz adds to an image: its index, and the marks that end prefetching.
const ESTARGZ: [&[u8]; 3] = [b"stargz.index.json", b".prefetch.landmark", b".no.prefetch.landmark"];

impl Engine<'_> {
    /// Applies one entry. What is left of its content is the caller's to skip.
    pub(super) fn entry<R: BufRead>(
        &mut self,
        entry: &Entry,
        content: &mut Content<'_, R>,
    ) -> Result<(), Error> {
        self.summary.entries += 1;
        self.summary.len_bytes = self.summary.len_bytes.saturating_add(entry.len_bytes);
        self.place(entry, content).map_err(|problem| problem.at(&entry.path))?;
        self.small_files.pass_on()
    }

    fn place<R: BufRead>(
        &mut self,
        entry: &Entry,
        content: &mut Content<'_, R>,
    ) -> Result<(), Problem> {
        let Place { parents, what } = Place::of(entry)?;
        match what {
            What::Root => self.describe(DirId::ROOT, entry)?,
            What::Nothing => {}
            What::Store(name) => self.store(name, entry, content)?,
            What::Put(name) => {
                let is_estargz = parents.is_empty() && ESTARGZ.contains(&name);
                if !(is_estargz && self.options.drop_estargz) {
                    let at = self.directory_of(&parents)?;
                    self.put(at, name, entry, content)?;
                }
            }
            What::Hide(name) => {
                self.summary.whiteouts += 1;
                self.hide_name(&parents, name)?;
            }
            What::HideAll => {
                self.summary.whiteouts += 1;
                self.hide_content(&parents)?;
            }
        }
        Ok(())
    }

    fn put<R: BufRead>(
        &mut self,
        at: DirId,
        name: &[u8],
        entry: &Entry,
        content: &mut Content<'_, R>,
    ) -> Result<(), Problem> {
        self.left_out.remove(at, name);
        match &entry.kind {
            Kind::Directory => self.put_directory(at, name, entry),
            Kind::File => self.put_file(at, name, entry, content),
            Kind::Symlink { target } => self.put_symlink(at, name, entry, target),
            Kind::HardLink { target } => self.put_link(at, name, entry, target),
            kind => match Device::of(kind)? {
                Some(device) => self.put_device(at, name, entry, device),
                None => Ok(()),
            },
        }
    }
}
