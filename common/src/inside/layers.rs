//! The layers of an image, readable at any place: a plain layer in the store is so
//! already, any other is copied, uncompressed, to a temporary file without a name once
//! something in it is wanted.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader};

use super::{Inside, Place, Trust, read};
use crate::compression::Decoder;
use crate::digest::{Digest, Hashing};
use crate::layer::diff::Contents;
use crate::layer::merge::Source;
use crate::layer::tree::Inode;
use crate::tar::{Reader, Whole, Xattrs};

/// The layers of one image.
#[derive(Debug)]
pub struct Layers<'i> {
    inside: &'i Inside,
    sources: Vec<Option<Source>>,
    /// The digests of files with several names, by layer and position: each name is
    /// compared, and the content is read once.
    digests: HashMap<(u32, u64), Digest>,
}

impl<'i> Layers<'i> {
    /// Those of an image that was read.
    #[must_use]
    pub fn of(inside: &'i Inside) -> Self {
        let sources = inside.layers.iter().map(|_| None).collect();
        Self { inside, sources, digests: HashMap::new() }
    }

    /// The layer of this number, counted from 1.
    fn source(&mut self, number: u32) -> io::Result<&Source> {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        let at = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
        let at = at.ok_or_else(missing)?;
        let (image, reading) = (&self.inside.image, self.inside.reading);
        let layer = &self.inside.layers.get(at).ok_or_else(missing)?.layer;
        let slot = self.sources.get_mut(at).ok_or_else(missing)?;
        if let Some(source) = slot {
            return Ok(source);
        }
        let (digest, stored) = (&layer.descriptor.digest, layer.descriptor.len_bytes);
        let label = format!("layer {digest}");
        let growth = reading.max_size.growth(Some(stored));
        let is_trusted = reading.trust == Trust::Checked && *digest == layer.diff_id.0;
        let file = if is_trusted { read::trusted(image, layer, reading) } else { Ok(None) };
        let made = match file.map_err(io::Error::other)? {
            Some(file) => {
                Source::of_file(label, file, Some(stored), reading.max_size, Whole::ByDigest)
            }
            None => {
                let blob = image.layer(layer).map_err(io::Error::other)?;
                let mut decoder = Decoder::new(blob, growth)?;
                let growth = decoder.growth().afresh();
                let made = Source::of_stream(label, &mut decoder, growth);
                decoder.finish()?;
                made
            }
        };
        Ok(slot.insert(made.map_err(io::Error::other)?))
    }

    /// The layer that holds a file, read up to its content.
    fn open(&mut self, inode: &Inode<Place>) -> io::Result<Reader<BufReader<File>>> {
        let Place { layer, position, .. } = inode.content;
        self.source(layer)?.own_member(position, inode.len_bytes).map_err(io::Error::other)
    }

    fn digest(&mut self, inode: &Inode<Place>) -> io::Result<Digest> {
        let key = (inode.content.layer, inode.content.position);
        if let Some(digest) = self.digests.get(&key) {
            return Ok(digest.clone());
        }
        let mut layer = self.open(inode)?;
        let mut hashing = Hashing::new(layer.content());
        io::copy(&mut hashing, &mut io::sink())?;
        let digest = hashing.finish().1;
        if inode.names() > 1 {
            self.digests.insert(key, digest.clone());
        }
        Ok(digest)
    }
}

/// The contents of two images that are compared; without a lower one, all is new.
#[derive(Debug)]
pub struct Both<'i> {
    /// The one that is compared with.
    pub lower: Option<Layers<'i>>,
    /// The other.
    pub upper: Layers<'i>,
}

impl Contents<Place> for Both<'_> {
    fn xattrs(&self, content: &Place) -> Xattrs {
        content.xattrs.as_deref().cloned().unwrap_or_default()
    }

    fn are_same(&mut self, lower: &Inode<Place>, upper: &Inode<Place>) -> io::Result<bool> {
        let Some(layers) = &mut self.lower else { return Ok(false) };
        if layers.inside.is_same_content(lower, self.upper.inside, upper) {
            return Ok(true);
        }
        Ok(layers.digest(lower)? == self.upper.digest(upper)?)
    }

    fn open(&mut self, upper: &Inode<Place>) -> io::Result<Reader<BufReader<File>>> {
        self.upper.open(upper)
    }
}
