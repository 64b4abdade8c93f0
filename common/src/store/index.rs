//! `index.json` as text: where each entry lies in it, which go, which are added.
//!
//! A store may have 100,000 names. So the index is read in one pass that keeps of each
//! entry its place, its digest and its name, and a changed index is written from the old
//! one's text: entries that stay are copied as they are, whoever wrote them.

use std::collections::{HashMap, HashSet};
use std::io::{self, Write};
use std::ops::Range;
use std::sync::OnceLock;

use serde::de::Error as _;

use super::walk::{self, Array};
use crate::digest::Digest;
use crate::oci::{self, Descriptor, REF_NAME};

/// Where containerd and BuildKit put the whole name, beside the tag in [`REF_NAME`].
pub(crate) const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// Where we put the digest of the index that an image was chosen from, in the store's own
/// index alone.
pub(crate) const CHOSEN_FROM: &str = "io.github.layerutils.index";

/// The longest index of a layout that is read or written, enough for 250,000 names of
/// ordinary length. Documents that are blobs have a narrower bound.
pub const MAX_INDEX_LEN_BYTES: u64 = 64 * 1024 * 1024;

/// The index of a layout.
#[derive(Debug)]
pub struct Entries {
    text: String,
    /// Where entries lie, or would.
    array: Array,
    /// Those of the text that are not removed.
    kept: Vec<Place>,
    /// Entries that are to be written after them.
    added: Vec<String>,
    is_changed: bool,
    /// Made for an index of which more than one thing is asked, and which never changes.
    lookup: OnceLock<Lookup>,
}

/// Where entries are among those that are kept, in the index's order.
#[derive(Debug, Default)]
struct Lookup {
    by_name: HashMap<Box<str>, usize>,
    by_digest: HashMap<Box<str>, Vec<usize>>,
}

/// An entry of the index: an image, and perhaps its name.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'i> {
    /// The digest of the image's manifest or index.
    pub digest: &'i str,
    /// The name that the entry gives it: the whole one that docker and BuildKit write, or
    /// else the specification's.
    pub name: Option<&'i str>,
    /// The specification's, of which docker and BuildKit write the tag alone.
    pub ref_name: Option<&'i str>,
    /// The digest of the index that the image was chosen from, whose bytes the store keeps.
    pub index: Option<&'i str>,
    json: &'i str,
}

/// Where an entry lies in the text.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) json: Range<usize>,
    pub(super) digest: Word,
    /// The whole name, if there is one.
    pub(super) name: Option<Word>,
    pub(super) ref_name: Option<Word>,
    pub(super) index: Option<Word>,
}

/// A string of the text.
#[derive(Debug)]
pub(super) enum Word {
    InText(Range<usize>),
    /// One that is written with escapes.
    Apart(Box<str>),
}

impl Entries {
    /// Finds the entries of an index.
    ///
    /// # Errors
    /// Not JSON, or no index.
    pub(super) fn parse(bytes: Vec<u8>) -> Result<Self, oci::Error> {
        let text = String::from_utf8(bytes)
            .map_err(|error| invalid(serde_json::Error::custom(error.utf8_error())))?;
        let (probe, array, kept) = walk::document(&text).map_err(invalid)?;
        probe.layout_kind()?;
        Ok(Self {
            array,
            kept,
            added: Vec::new(),
            is_changed: false,
            text,
            lookup: OnceLock::new(),
        })
    }

    /// The entries that are in the index, in its order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Entry<'_>> {
        self.kept.iter().map(|place| entry(&self.text, place))
    }

    /// Returns the entries with a digest of a known algorithm: the content of others cannot be
    /// checked.
    pub fn known(&self) -> impl Iterator<Item = Entry<'_>> {
        self.iter().filter(|entry| !Digest::is_foreign(entry.digest))
    }

    /// The entry at this place in the index.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<Entry<'_>> {
        self.kept.get(at).map(|place| entry(&self.text, place))
    }

    /// The first entry with this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<Entry<'_>> {
        match self.lookup.get() {
            Some(lookup) => self.get(*lookup.by_name.get(name)?),
            None => self.iter().find(|entry| entry.name == Some(name)),
        }
    }

    /// The entries with this digest.
    #[must_use]
    pub fn with_digest(&self, digest: &str) -> Vec<Entry<'_>> {
        match self.lookup.get() {
            Some(lookup) => {
                let places = lookup.by_digest.get(digest).into_iter().flatten();
                places.filter_map(|&at| self.get(at)).collect()
            }
            None => self.iter().filter(|entry| entry.digest == digest).collect(),
        }
    }

    /// Prepares for many questions: each is then answered without a look at all entries.
    pub(super) fn expect_questions(&self) {
        self.lookup.get_or_init(|| {
            let mut lookup = Lookup::default();
            for (at, entry) in self.iter().enumerate() {
                if let Some(name) = entry.name {
                    lookup.by_name.entry(name.into()).or_insert(at);
                }
                lookup.by_digest.entry(entry.digest.into()).or_default().push(at);
            }
            lookup
        });
    }

    /// Whether anything was removed or added.
    pub(super) fn is_changed(&self) -> bool {
        self.is_changed
    }

    /// Removes the entries for which `stays` is false.
    pub(super) fn retain(&mut self, mut stays: impl FnMut(Entry<'_>) -> bool) {
        let before = self.kept.len();
        self.kept.retain(|place| stays(entry(&self.text, place)));
        self.is_changed |= self.kept.len() != before;
    }

    /// Adds an entry without a name unless the image has an entry.
    pub(super) fn add(&mut self, image: &Descriptor) -> Result<(), oci::Error> {
        let digest = image.digest.to_string();
        if !self.iter().any(|entry| entry.digest == digest) {
            self.added.push(json(image, None)?);
            self.is_changed = true;
        }
        Ok(())
    }

    /// Gives `image` these names. The images that had them before keep an entry each.
    pub(super) fn name(&mut self, names: &[String], image: &Descriptor) -> Result<(), oci::Error> {
        let mut wanted: HashSet<&str> = names.iter().map(String::as_str).collect();
        if wanted.is_empty() {
            return self.add(image);
        }
        if self.has_all(&wanted, image)? {
            return Ok(());
        }
        let digest = image.digest.to_string();
        let is_wanted = |entry: &Entry<'_>| entry.name.is_some_and(|name| wanted.contains(name));
        let mut orphans: HashMap<&str, Entry<'_>> = HashMap::new();
        for entry in self.iter().filter(is_wanted).filter(|entry| entry.digest != digest) {
            orphans.entry(entry.digest).or_insert(entry);
        }
        self.iter().filter(|entry| !is_wanted(entry)).for_each(|entry| {
            orphans.remove(entry.digest);
        });
        let mut orphans: Vec<Entry<'_>> = orphans.into_values().collect();
        orphans.sort_unstable_by_key(|entry| entry.json.as_ptr());
        let mut added = Vec::new();
        for orphan in orphans {
            added.push(json(&serde_json::from_str(orphan.json).map_err(invalid)?, None)?);
        }
        self.retain(|entry| match entry.name {
            Some(name) => !wanted.contains(name),
            // The image's entry without a name becomes the one with a name.
            None => entry.digest != digest,
        });
        for name in names.iter().filter(|name| wanted.remove(name.as_str())) {
            added.push(json(image, Some(name))?);
        }
        self.added.extend(added);
        self.is_changed = true;
        Ok(())
    }

    /// Whether all of this is in the index as it would be written.
    fn has_all(&self, names: &HashSet<&str>, image: &Descriptor) -> Result<bool, oci::Error> {
        let mut found = 0;
        for entry in self.iter() {
            let Some(name) = entry.name.filter(|name| names.contains(name)) else { continue };
            found += 1;
            if entry.json != json(image, Some(name))? {
                return Ok(false);
            }
        }
        Ok(found == names.len())
    }

    /// The length of the changed index in bytes.
    pub(super) fn len_bytes(&self) -> u64 {
        let mut counted = Counted(0);
        // Counting does not fail.
        let _ = self.write_to(&mut counted);
        counted.0
    }

    /// Writes the changed index.
    pub(super) fn write_to(&self, output: &mut impl Write) -> io::Result<()> {
        let part = |range: Range<usize>| self.text.get(range).unwrap_or_default().as_bytes();
        let (before, after) = self.array.around;
        output.write_all(part(0..self.array.text.start))?;
        output.write_all(before.as_bytes())?;
        let kept = self.iter().map(|entry| entry.json);
        for (number, json) in kept.chain(self.added.iter().map(String::as_str)).enumerate() {
            if number > 0 {
                output.write_all(b",")?;
            }
            output.write_all(json.as_bytes())?;
        }
        output.write_all(after.as_bytes())?;
        output.write_all(part(self.array.text.end..self.text.len()))
    }
}

impl<'i> Entry<'i> {
    /// All that the entry says of its image.
    ///
    /// # Errors
    /// An entry that is no descriptor.
    pub fn descriptor(&self) -> Result<Descriptor, super::Error> {
        let source = |source| oci::Error::Json { what: "entry of the index", source };
        serde_json::from_str(self.json)
            .map_err(source)
            .and_then(|image: Descriptor| image.check().map(|()| image))
            .map_err(|source| super::Error::Document { name: self.digest.to_owned(), source })
    }

    /// The hexadecimal part of the digest.
    #[must_use]
    pub fn hex(&self) -> &'i str {
        self.digest.split_once(':').map_or("", |(_, hex)| hex)
    }
}

fn entry<'i>(text: &'i str, place: &'i Place) -> Entry<'i> {
    let word = |word: &'i Word| match word {
        Word::InText(range) => text.get(range.clone()).unwrap_or_default(),
        Word::Apart(word) => word,
    };
    Entry {
        digest: word(&place.digest),
        name: place.name.as_ref().or(place.ref_name.as_ref()).map(word),
        ref_name: place.ref_name.as_ref().map(word),
        index: place.index.as_ref().map(word),
        json: text.get(place.json.clone()).unwrap_or_default(),
    }
}

/// An entry as it is to be written.
fn json(image: &Descriptor, name: Option<&str>) -> Result<String, oci::Error> {
    let mut image = image.clone();
    image.annotations.remove(REF_NAME);
    image.annotations.remove(CONTAINERD_NAME);
    if let Some(name) = name {
        image.annotations.insert(REF_NAME.into(), name.into());
    }
    serde_json::to_string(&image).map_err(invalid)
}

struct Counted(u64);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn invalid(source: serde_json::Error) -> oci::Error {
    oci::Error::Json { what: "index", source }
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
