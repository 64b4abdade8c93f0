//! Which images an archive holds: two lists of them brought together.
//!
//! `manifest.json` says what docker reads, and counts where it is: the layout beside it may
//! be empty, list fewer images, or have manifests whose layers are elsewhere. Where the
//! layout has the same image whole, it knows more of it: its manifest, and its platforms.

use std::collections::{HashMap, HashSet};

use super::docker::{self, Listed};
use super::{Archive, Item, Kind, blob_name};
use crate::digest::Digest;
use crate::image::Error;
use crate::image::choose::{self, Candidate, MAX_MANIFESTS};
use crate::oci::media_type::Kind as Content;
use crate::oci::{self, Descriptor, Document, Index, Manifest};
use crate::store::whole_name;

impl Archive {
    /// The images of the archive.
    pub(super) fn find_items(&self, kind: Kind) -> Result<Vec<Item>, Error> {
        let has = |name: &str| self.members.get(name.as_bytes()).is_some();
        let layout = match kind {
            // Some writers forget the mark of a layout.
            Kind::Oci => self.layout()?,
            Kind::Either if !has("manifest.json") => self.layout()?,
            Kind::Docker | Kind::Either if has("oci-layout") => self.layout()?,
            Kind::Docker | Kind::Either => None,
        };
        let list = match self.members.get(b"manifest.json") {
            Some(list) if kind != Kind::Oci => {
                let bytes = self.member_document(b"manifest.json", list)?;
                Some(docker::parse(&bytes)?)
            }
            _ => None,
        };
        let of_layout = |index: Index| self.layout_items(index);
        match (list, layout) {
            (None, Some(index)) => Ok(of_layout(index)),
            (Some(list), layout) => {
                let known = layout.map(of_layout).unwrap_or_default();
                Ok(self.joined(list, known, kind))
            }
            (None, None) => Err(Error::NotAnArchive(match kind {
                _ if self.members.get(b"repositories").is_some() => {
                    "saved by docker older than 1.10".into()
                }
                Kind::Oci => "no index.json in it".into(),
                Kind::Docker => "no manifest.json in it".into(),
                Kind::Either => "neither index.json nor manifest.json in it".into(),
            })),
        }
    }

    fn layout(&self) -> Result<Option<Index>, Error> {
        if let Some(layout) = self.members.get(b"oci-layout") {
            let text = self.member_document(b"oci-layout", layout)?;
            oci::check_layout(&text)
                .map_err(|source| Error::Document { name: "oci-layout".into(), source })?;
        }
        let Some(index) = self.members.get(b"index.json") else { return Ok(None) };
        let bytes = self.member_document(b"index.json", index)?;
        let error = |source| Error::Document { name: "index.json".into(), source };
        Index::of_layout(&bytes).map(Some).map_err(error)
    }

    /// The images of the layout, each with all its names.
    fn layout_items(&self, index: Index) -> Vec<Item> {
        let mut at: HashMap<Digest, usize> = HashMap::new();
        let mut items: Vec<Item> = Vec::new();
        for image in index.manifests {
            let name = choose::name_of(&image);
            let ref_name = image.ref_name().map(str::to_owned);
            match at.get(&image.digest).and_then(|&at| items.get_mut(at)) {
                Some(item) => {
                    item.names.extend(name);
                    item.ref_names.extend(ref_name);
                }
                None => {
                    at.insert(image.digest.clone(), items.len());
                    items.push(Item {
                        image: Some(image),
                        listed: None,
                        ref_names: ref_name.into_iter().collect(),
                        names: name.into_iter().collect(),
                    });
                }
            }
        }
        items
    }

    /// The images of docker's list, each with what the layout has of it, and then, unless
    /// docker's archive was asked for, what the layout alone has.
    fn joined(&self, list: Vec<Listed>, known: Vec<Item>, kind: Kind) -> Vec<Item> {
        let mut by_config: HashMap<Digest, usize> = HashMap::new();
        for (at, item) in known.iter().enumerate() {
            for config in item.image.iter().flat_map(|image| self.whole_configs(image)) {
                by_config.entry(config).or_insert(at);
            }
        }
        let mut left = vec![true; known.len()];
        let mut items: Vec<Item> = Vec::new();
        for listed in list {
            let at = listed.config_digest().and_then(|config| by_config.get(&config).copied());
            let same = at.and_then(|at| known.get(at));
            if let Some(left) = at.and_then(|at| left.get_mut(at)) {
                *left = false;
            }
            items.push(Item {
                image: same.and_then(|item| item.image.clone()),
                ref_names: same.map(|item| item.ref_names.clone()).unwrap_or_default(),
                names: listed.names().iter().map(|name| familiar(name)).collect(),
                listed: Some(listed),
            });
        }
        if kind == Kind::Either {
            let mut left = left.into_iter();
            items.extend(known.into_iter().filter(|_| left.next().unwrap_or(true)));
        }
        items
    }

    /// The configs of the images below `image` of which all is in the archive, and so no
    /// more than one level of an index.
    fn whole_configs(&self, image: &Descriptor) -> Vec<Digest> {
        let documents = match self.parsed(image) {
            Some(Document::Manifest(manifest)) => vec![*manifest],
            Some(Document::Index(index)) => {
                let mut seen = HashSet::new();
                let below = index.manifests.iter().filter(|below| !below.is_attestation());
                let below = below.filter(|below| seen.insert(&below.digest)).take(MAX_MANIFESTS);
                let below = below.filter_map(|below| self.parsed(below));
                below
                    .filter_map(|document| match document {
                        Document::Manifest(manifest) => Some(*manifest),
                        Document::Index(_) => None,
                    })
                    .collect()
            }
            None => Vec::new(),
        };
        let whole = documents.into_iter().filter(|manifest| self.is_whole(manifest));
        whole.map(|manifest| manifest.config.digest).collect()
    }

    fn is_whole(&self, manifest: &Manifest) -> bool {
        let mut blobs = std::iter::once(&manifest.config).chain(&manifest.layers);
        blobs.all(|blob| {
            blob.kind() == Content::ForeignLayer
                || self.members.get(&blob_name(&blob.digest)).is_some()
                || blob.embedded().is_some()
        })
    }

    /// A manifest or index of the layout. What cannot be read is not the same as anything.
    fn parsed(&self, image: &Descriptor) -> Option<Document> {
        let bytes = crate::store::read_checked(self.blob(image).ok()?, image).ok()?;
        Document::parse(&bytes, &image.media_type).ok()
    }
}

/// The name in familiar form, or as it stands if docker would not take it.
fn familiar(name: &str) -> String {
    whole_name(name).unwrap_or_else(|| name.to_owned())
}

/// The place of the image called `name`, of the one at position `@N`, or of the only one.
pub(super) fn choose(items: &[Item], name: Option<&str>) -> Result<usize, Error> {
    let mut places = Vec::new();
    let mut candidates = Vec::new();
    for (at, item) in items.iter().enumerate() {
        // Each position is an image, whatever its names.
        let digest = item.label();
        let count = item.names.len().max(item.ref_names.len()).max(1);
        for number in 0..count {
            places.push(at);
            candidates.push(Candidate {
                digest: digest.clone().into(),
                name: item.names.get(number).map(|name| name.as_str().into()),
                ref_name: item.ref_names.get(number).map(String::as_str),
            });
        }
    }
    if let Some(at) = name.and_then(|name| name.strip_prefix('@')?.parse::<usize>().ok()) {
        let there = crate::human::count(items.len() as u64, "image", "images");
        let missing = || Error::Choice(format!("has no image at position {at}: it has {there}"));
        return (at < items.len()).then_some(at).ok_or_else(missing);
    }
    let at = choose::by_name(&candidates, name)?;
    places.get(at).copied().ok_or_else(|| Error::Choice("holds no image".into()))
}

impl Item {
    /// Returns the text that tells it from the others.
    fn label(&self) -> String {
        match (&self.image, &self.listed) {
            (Some(image), _) => image.digest.to_string(),
            (None, Some(listed)) => listed.config().to_owned(),
            (None, None) => String::new(),
        }
    }
}
