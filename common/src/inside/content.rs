//! The content of chosen members of an image, read where it is.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use super::{Error, Inside, Place, read};
use crate::digest::{Digest, Hashing};
use crate::image;
use crate::tar::Entry;

/// Members that are wanted: positions by layer, counted from 1.
#[derive(Debug, Clone, Default)]
pub struct Wanted(BTreeMap<u32, BTreeSet<u64>>);

impl Wanted {
    /// Adds a member.
    pub fn add(&mut self, place: &Place) {
        self.0.entry(place.layer).or_default().insert(place.position);
    }
}

impl Inside {
    /// Calls `seen` with the layer, position, headers and content of each wanted member,
    /// in the order of layers. Each layer that holds one is read once.
    ///
    /// # Errors
    /// A layer that cannot be read; the first of `seen`'s.
    pub fn visit(
        &self,
        wanted: &Wanted,
        mut seen: impl FnMut(u32, u64, &Entry, &mut dyn Read) -> io::Result<()>,
    ) -> Result<(), Error> {
        for (&number, positions) in &wanted.0 {
            let Some(sums) = self.layer(number) else { continue };
            let digest = &sums.layer.descriptor.digest;
            read::each(&self.image, &sums.layer, self.reading, |entry, position, content| {
                if !positions.contains(&position) {
                    return Ok(());
                }
                let failed = |source| {
                    let what = format!("layer {digest}: {}", crate::name::show(&entry.path));
                    image::Error::Io { what, source }
                };
                Ok(seen(number, position, &entry, content).map_err(failed)?)
            })?;
        }
        Ok(())
    }

    /// The digests of the content of wanted files, by layer and position.
    ///
    /// # Errors
    /// A layer that cannot be read.
    pub fn digests(&self, wanted: &Wanted) -> Result<BTreeMap<(u32, u64), Digest>, Error> {
        let mut digests = BTreeMap::new();
        self.visit(wanted, |layer, position, _, content| {
            let mut hashing = Hashing::new(content);
            io::copy(&mut hashing, &mut io::sink())?;
            digests.insert((layer, position), hashing.finish().1);
            Ok(())
        })?;
        Ok(digests)
    }
}
