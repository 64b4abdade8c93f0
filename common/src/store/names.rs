//! Names in the index: given, taken away, found.

use super::{Error, Name, Pruning, Store};
use crate::digest::Digest;
use crate::oci::{Descriptor, Document, Index, REF_NAME};

/// Where containerd and BuildKit put the whole name, beside the tag in [`REF_NAME`].
const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// What was taken out of the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    /// A name.
    Name(String),
    /// An image without a name.
    Image(Digest),
}

impl Store {
    /// Puts `image` into the index without a name, so that its digest finds it.
    ///
    /// # Errors
    /// An index that cannot be read or written.
    pub fn add(&self, image: &Descriptor) -> Result<(), Error> {
        self.update(|index| {
            add(index, image);
            Ok(())
        })
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
        self.update(|index| {
            for name in names {
                take_away(index, name);
                name_it(index, name, image);
            }
            add(index, image);
            Ok(())
        })
    }

    /// Takes a name away, or by its digest an image that has one name or none; says
    /// what was taken. An image leaves the index with its last name.
    ///
    /// # Errors
    /// No such image; a digest whose image has several names; an index that cannot be
    /// read or written.
    pub fn remove(&self, text: &str, pruning: Pruning) -> Result<Removed, Error> {
        match pruning {
            Pruning::Remove => self.update(|index| self.take_out(index, text)),
            Pruning::Tell => self.take_out(&mut self.index()?, text),
        }
    }

    fn take_out(&self, index: &mut Index, text: &str) -> Result<Removed, Error> {
        if let Some(name) = stored_name(index, text) {
            index.manifests.retain(|image| image.ref_name() != Some(&name));
            return Ok(Removed::Name(name));
        }
        let found = self.find_digest(index, text)?;
        let same = |image: &&Descriptor| image.digest == found.digest;
        let names: Vec<&str> =
            index.manifests.iter().filter(same).filter_map(Descriptor::ref_name).collect();
        let removed = match names.as_slice() {
            [] => Removed::Image(found.digest.clone()),
            [name] => Removed::Name((*name).to_owned()),
            several => {
                let names = several.join(", ");
                return Err(Error::SeveralNames { digest: found.digest, names });
            }
        };
        index.manifests.retain(|image| image.digest != found.digest);
        Ok(removed)
    }

    /// Finds an image by what a user typed: a name, a digest, or an unambiguous
    /// beginning of a digest, of a manifest or of an image config (docker's image ID).
    ///
    /// # Errors
    /// No such image, or several.
    pub fn resolve(&self, text: &str) -> Result<Descriptor, Error> {
        let index = self.index()?;
        if let Some(name) = stored_name(&index, text) {
            let named = index.manifests.iter().find(|image| image.ref_name() == Some(&name));
            return named.cloned().ok_or_else(|| self.no_image(text));
        }
        self.find_digest(&index, text)
    }

    fn find_digest(&self, index: &Index, text: &str) -> Result<Descriptor, Error> {
        let Some(prefix) = digest_prefix(text) else {
            // It cannot be a digest: say what is wrong with it as a name.
            text.parse::<Name>()?;
            return Err(self.no_image(text));
        };
        let mut found = matching(&index.manifests, prefix);
        if found.is_empty() {
            found = self.matching_below(index, prefix);
        }
        match (found.len(), found.pop()) {
            (1, Some(image)) => Ok(image),
            (0, _) => Err(self.no_image(text)),
            (count, _) => Err(Error::AmbiguousDigest { prefix: text.into(), count }),
        }
    }

    /// Images whose config has a digest that begins so, and the manifests of indexes.
    /// What cannot be read cannot be meant.
    fn matching_below(&self, index: &Index, prefix: &str) -> Vec<Descriptor> {
        let mut found: Vec<Descriptor> = Vec::new();
        for image in &index.manifests {
            let Ok(bytes) = self.document(image) else { continue };
            let images = match Document::parse(&bytes, &image.media_type) {
                Ok(Document::Manifest(manifest))
                    if manifest.config.digest.hex().starts_with(prefix) =>
                {
                    vec![image.clone()]
                }
                Ok(Document::Index(below)) => matching(&below.manifests, prefix),
                _ => continue,
            };
            for image in images {
                if !found.iter().any(|other| other.digest == image.digest) {
                    found.push(image);
                }
            }
        }
        found
    }

    fn no_image(&self, name: &str) -> Error {
        Error::NoImage { name: name.into(), store: self.path().into() }
    }
}

/// The name in the index that `text` means: as docker would complete it, or else,
/// for layouts of others, exactly as it stands.
fn stored_name(index: &Index, text: &str) -> Option<String> {
    let completed = text.parse::<Name>().map(|name| name.to_string()).ok();
    let there = |name: &String| index.manifests.iter().any(|image| image.ref_name() == Some(name));
    completed.filter(there).or_else(|| Some(text.to_owned()).filter(there))
}

/// The hexadecimal digits that begin a digest, if that is what `text` is.
pub(super) fn digest_prefix(text: &str) -> Option<&str> {
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    let lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (!hex.is_empty() && hex.len() <= 64 && hex.bytes().all(lower_hex)).then_some(hex)
}

/// The images whose own digest begins so, each once.
fn matching(images: &[Descriptor], prefix: &str) -> Vec<Descriptor> {
    let mut found: Vec<Descriptor> = Vec::new();
    for image in images {
        let seen = found.iter().any(|other| other.digest == image.digest);
        if !seen && image.digest.hex().starts_with(prefix) {
            found.push(image.clone());
        }
    }
    found
}

/// Takes `name` from whoever has it.
fn take_away(index: &mut Index, name: &str) {
    let Some(at) = index.manifests.iter().position(|image| image.ref_name() == Some(name)) else {
        return;
    };
    let mut image = index.manifests.remove(at);
    image.annotations.remove(REF_NAME);
    add(index, &image);
}

fn name_it(index: &mut Index, name: &str, image: &Descriptor) {
    // The entry without a name, if there is one, becomes this one.
    index.manifests.retain(|other| other.digest != image.digest || other.ref_name().is_some());
    let mut image = image.clone();
    image.annotations.remove(CONTAINERD_NAME);
    image.annotations.insert(REF_NAME.into(), name.into());
    index.manifests.push(image);
}

/// Adds an entry without a name unless the image has an entry.
fn add(index: &mut Index, image: &Descriptor) {
    if !index.manifests.iter().any(|other| other.digest == image.digest) {
        let mut image = image.clone();
        image.annotations.remove(REF_NAME);
        index.manifests.push(image);
    }
}
