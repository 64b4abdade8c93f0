//! Names in the index: given and found.

use std::collections::HashSet;

use super::write::Change;
use super::{Entries, Entry, Error, Name, Store};
use crate::digest::Digest;
use crate::oci::{Descriptor, Document};

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

    /// As [`Store::tag`], with names as another tool would write them, checked by the caller.
    ///
    /// # Errors
    /// An index that cannot be read or written.
    pub fn tag_as(&self, names: &[String], image: &Descriptor) -> Result<(), Error> {
        self.update(Change::Add, |entries| {
            entries.name(names, image).map_err(Error::document(self.path()))
        })
    }

    /// Finds an image by what a user typed: a name, a digest, or an unambiguous
    /// beginning of a digest, of a manifest or of an image config (docker's image ID).
    ///
    /// # Errors
    /// No such image, or several.
    pub fn resolve(&self, text: &str) -> Result<Descriptor, Error> {
        let entries = self.entries()?;
        let completed = completed(text);
        let named = completed.as_deref().and_then(|name| entries.named(name));
        if let Some(entry) = named.or_else(|| entries.named(text)) {
            return entry.descriptor();
        }
        let prefix = self.digest_prefix(text)?;
        let mut seen = HashSet::new();
        let found = entries.iter().filter(|entry| entry.hex().starts_with(prefix));
        let found: Vec<Entry<'_>> = found.filter(|entry| seen.insert(entry.digest)).collect();
        match found.as_slice() {
            [entry] => entry.descriptor(),
            [] => {
                let mut found = self.matching_below(&entries, prefix);
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
        let hex = text.strip_prefix("sha256:").unwrap_or(text);
        let lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if !hex.is_empty() && hex.len() <= 64 && hex.bytes().all(lower_hex) {
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
