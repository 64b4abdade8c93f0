//! Names in the index: given and found.

use std::collections::HashSet;

use super::write::Change;
use super::{CHOSEN_FROM, Entries, Entry, Error, Name, Store};
use crate::digest::Digest;
use crate::oci::{Descriptor, Document};

/// The digits of a digest that are enough to name an image.
const MIN_PREFIX_LEN: usize = 4;
/// All digits of the longest digest.
const MAX_PREFIX_LEN: usize = 128;

impl Store {
    /// Puts `image` into the index without a name, so that its digest finds it.
    ///
    /// # Errors
    /// An index that cannot be read or written.
    pub fn add(&self, image: &Descriptor) -> Result<(), Error> {
        self.tag_as(&[], image)
    }

    /// Gives `image` these names, all at once. What had one of them before loses it,
    /// but stays in the store, as docker's dangling images do.
    ///
    /// # Errors
    /// An index that cannot be read or written.
    pub fn tag(&self, names: &[Name], image: &Descriptor) -> Result<(), Error> {
        let names: Vec<String> = names.iter().map(Name::to_string).collect();
        self.tag_as(&names, image)
    }

    /// Keeps the bytes of the index that `image` was chosen from, so that the index's digest
    /// finds the image; the descriptor of the image to be named.
    ///
    /// # Errors
    /// A store that cannot be written.
    pub fn keep_index(
        &self,
        image: &Descriptor,
        index: &Digest,
        bytes: &[u8],
    ) -> Result<Descriptor, Error> {
        let (kept, _) = self.put_by(index.algorithm(), bytes)?;
        let mut image = image.clone();
        image.annotations.insert(CHOSEN_FROM.into(), kept.to_string());
        Ok(image)
    }

    /// As [`Store::tag`], with names as another tool would write them, checked by the caller.
    ///
    /// # Errors
    /// An index that cannot be read or written.
    pub fn tag_as(&self, names: &[String], image: &Descriptor) -> Result<(), Error> {
        self.update(Change::Add, |entries| {
            entries.name(names, image).map_err(Error::document(self.path()))
        })
    }

    /// Finds an image by what a user typed: a name, `NAME@DIGEST`, a digest, or the
    /// unambiguous beginning of one, of a manifest or of an image config (docker's image
    /// ID). An exact name wins, then a whole digest.
    ///
    /// # Errors
    /// No such image, or several.
    pub fn resolve(&self, text: &str) -> Result<Descriptor, Error> {
        let entries = self.entries()?;
        match self.exactly(&entries, text)? {
            Some(image) => Ok(image),
            None => self.beginning(&entries, text),
        }
    }

    /// As [`Store::resolve`], but a digest has to be whole: for what is written down to be
    /// read again, when there may be other images.
    ///
    /// # Errors
    /// No such image.
    pub fn resolve_exactly(&self, text: &str) -> Result<Descriptor, Error> {
        let entries = self.entries()?;
        self.exactly(&entries, text)?.ok_or_else(|| self.no_image(text))
    }

    /// The image of this name or whole digest.
    fn exactly(&self, entries: &Entries, text: &str) -> Result<Option<Descriptor>, Error> {
        let completed = completed(text);
        let named = completed.as_deref().and_then(|name| entries.named(name));
        if let Some(entry) = named.or_else(|| entries.named(text)) {
            return entry.descriptor().map(Some);
        }
        let digest = match text.split_once('@') {
            Some((name, digest)) => {
                name.parse::<Name>()?;
                digest.parse::<Digest>().map_err(|_| self.no_image(text))?
            }
            None => match text.parse::<Digest>() {
                Ok(digest) => digest,
                Err(_) => return Ok(None),
            },
        };
        match self.of_digest(entries, &digest)? {
            Some(image) => Ok(Some(image)),
            None => Err(self.no_image(text)),
        }
    }

    /// The image of this digest: of an entry, of the index that an entry was chosen from,
    /// or of what an entry has below it.
    fn of_digest(&self, entries: &Entries, digest: &Digest) -> Result<Option<Descriptor>, Error> {
        let wanted = digest.to_string();
        if let Some(entry) = entries.with_digest(&wanted).first() {
            return entry.descriptor().map(Some);
        }
        if entries.iter().any(|entry| entry.index == Some(wanted.as_str())) {
            let len_bytes = self.len_of(digest);
            return Ok(len_bytes.map(|len_bytes| Descriptor::new("", digest.clone(), len_bytes)));
        }
        let mut below = self.matching_below(entries, digest.hex());
        below.retain(|image| image.digest == *digest || self.has_config(image, digest));
        Ok(below.pop())
    }

    fn has_config(&self, image: &Descriptor, digest: &Digest) -> bool {
        let parsed = self.parsed(image);
        matches!(parsed, Ok(Document::Manifest(manifest)) if manifest.config.digest == *digest)
    }

    /// The one image whose digest begins so.
    fn beginning(&self, entries: &Entries, text: &str) -> Result<Descriptor, Error> {
        let prefix = self.digest_prefix(text)?;
        let mut seen = HashSet::new();
        let found = entries.iter().filter(|entry| entry.hex().starts_with(prefix));
        let found: Vec<Entry<'_>> = found.filter(|entry| seen.insert(entry.digest)).collect();
        match found.as_slice() {
            [entry] => entry.descriptor(),
            [] => {
                let mut found = self.matching_below(entries, prefix);
                match (found.len(), found.pop()) {
                    (1, Some(image)) => Ok(image),
                    (0, _) => Err(self.no_image(text)),
                    (count, _) => Err(Error::AmbiguousDigest { prefix: text.into(), count }),
                }
            }
            several => Err(Error::AmbiguousDigest { prefix: text.into(), count: several.len() }),
        }
    }

    /// Images whose config has a digest that begins so, and the manifests of indexes.
    /// What cannot be read cannot be meant.
    fn matching_below(&self, entries: &Entries, prefix: &str) -> Vec<Descriptor> {
        let mut found: Vec<Descriptor> = Vec::new();
        let mut read: HashSet<&str> = HashSet::new();
        let mut seen: HashSet<Digest> = HashSet::new();
        for entry in entries.iter().filter(|entry| read.insert(entry.digest)) {
            let Ok(image) = entry.descriptor() else { continue };
            let images = match self.parsed(&image) {
                Ok(Document::Manifest(manifest)) => {
                    let is_meant = manifest.config.digest.hex().starts_with(prefix);
                    if is_meant { vec![image] } else { Vec::new() }
                }
                Ok(Document::Index(below)) => {
                    let mut images = below.manifests;
                    images.retain(|image| image.digest.hex().starts_with(prefix));
                    images
                }
                Err(_) => continue,
            };
            found.extend(images.into_iter().filter(|image| seen.insert(image.digest.clone())));
        }
        found
    }

    /// The hexadecimal digits that begin a digest, if that is what `text` is.
    pub(super) fn digest_prefix<'t>(&self, text: &'t str) -> Result<&'t str, Error> {
        let hex = ["sha256:", "sha512:"].iter().find_map(|prefix| text.strip_prefix(prefix));
        let hex = hex.unwrap_or(text);
        let lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_prefix = hex.bytes().all(lower_hex) && hex.len() <= MAX_PREFIX_LEN;
        if is_prefix && hex.len() >= MIN_PREFIX_LEN {
            return Ok(hex);
        }
        // It cannot be a digest: say what is wrong with it as a name.
        text.parse::<Name>()?;
        Err(self.no_image(text))
    }

    pub(super) fn no_image(&self, name: &str) -> Error {
        Error::NoImage { name: name.into(), store: self.path().into() }
    }
}

/// A name as docker would complete it. The index may also have it exactly as it stands, in
/// layouts of others.
pub(super) fn completed(text: &str) -> Option<String> {
    text.parse::<Name>().map(|name| name.to_string()).ok()
}
