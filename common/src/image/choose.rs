//! The one image that is meant: by name among several, by platform in an index.

use std::borrow::Cow;
use std::collections::HashSet;

use super::{Error, Source};
use crate::oci::media_type::Kind;
use crate::oci::{Descriptor, Document, ImageConfig, Manifest, Platform};
use crate::store::{Entry, Name, whole_name};

/// An index of an index is met; more is somebody playing.
const MAX_DEPTH: usize = 4;
/// Manifests in one image, all platforms and depths together.
pub(super) const MAX_MANIFESTS: usize = 1000;

/// What an index says of an image, as far as it can be chosen by it.
#[derive(Debug)]
pub(super) struct Candidate<'i> {
    pub(super) digest: Cow<'i, str>,
    /// The whole name, as docker and BuildKit write it, or else the specification's.
    pub(super) name: Option<Cow<'i, str>>,
    /// The specification's.
    pub(super) ref_name: Option<&'i str>,
}

impl<'i> From<&'i Descriptor> for Candidate<'i> {
    fn from(image: &'i Descriptor) -> Self {
        let digest = image.digest.to_string().into();
        Self { digest, name: name_of(image).map(Cow::Owned), ref_name: image.ref_name() }
    }
}

impl<'i> From<Entry<'i>> for Candidate<'i> {
    fn from(entry: Entry<'i>) -> Self {
        let Entry { digest, name, ref_name, .. } = entry;
        Self { digest: digest.into(), name: name.map(Cow::Borrowed), ref_name }
    }
}

/// The name that an index gives an image: the whole one, or else the specification's.
pub(super) fn name_of(image: &Descriptor) -> Option<String> {
    let whole = image.annotations.get(CONTAINERD_NAME).and_then(|name| whole_name(name));
    whole.or_else(|| image.ref_name().map(str::to_owned))
}

/// The place of the image called `name` in an index, or of its only one.
pub(super) fn by_name(images: &[Candidate<'_>], name: Option<&str>) -> Result<usize, Error> {
    let Some(name) = name else {
        let digests: HashSet<&str> = images.iter().map(|image| &*image.digest).collect();
        return match digests.len() {
            1 => Ok(0),
            0 => Err(Error::Choice("holds no image".into())),
            count => {
                let names = names(images);
                Err(Error::Choice(format!("holds {count} images, and none was named: {names}")))
            }
        };
    };
    if let Some(at) = name.strip_prefix('@').and_then(|at| at.parse::<usize>().ok()) {
        if at < images.len() {
            return Ok(at);
        }
    }
    let completed = name.parse::<Name>().ok();
    let familiar = completed.as_ref().map(Name::to_string);
    let named =
        |wanted: &str| images.iter().position(|image| image.name.as_deref() == Some(wanted));
    named(name)
        .or_else(|| named(familiar.as_deref()?))
        .or_else(|| images.iter().position(|image| image.ref_name == Some(name)))
        .or_else(|| images.iter().position(|image| image.digest == name))
        .ok_or_else(|| {
            Error::Choice(format!(
                "no image '{}' there: {}",
                crate::name::show(name),
                names(images)
            ))
        })
}

/// Where containerd and BuildKit keep an image's whole name.
pub(super) const CONTAINERD_NAME: &str = crate::store::CONTAINERD_NAME;

/// As many names as a message has room for.
const MAX_NAMES: usize = 20;

fn names(images: &[Candidate<'_>]) -> String {
    let name = |image: &Candidate<'_>| match &image.name {
        Some(name) => name.to_string(),
        None => image.digest.to_string(),
    };
    let mut names: Vec<String> = images.iter().take(MAX_NAMES).map(name).collect();
    match images.len().checked_sub(MAX_NAMES) {
        Some(more @ 1..) => names.push(format!("and {more} more")),
        _ if names.is_empty() => return "there is none".into(),
        _ => {}
    }
    format!("there is {}", names.join(", "))
}

/// The manifest that `image` is, or that its index has for `wanted`. Without a wish,
/// an index's only image is taken whatever its platform; of several, this machine's.
pub(super) fn by_platform(
    source: &Source,
    image: &Descriptor,
    wanted: Option<&Platform>,
) -> Result<Descriptor, Error> {
    let mut offered = Vec::new();
    if !collect(source, image, &mut offered, &mut 0, 0)? {
        return match wanted {
            Some(wanted) => pick(source, vec![image.clone()], wanted),
            None => Ok(image.clone()),
        };
    }
    match (offered.as_slice(), wanted) {
        ([only], None) => Ok(only.clone()),
        (_, Some(wanted)) => pick(source, offered, wanted),
        (_, None) => pick(source, offered, &Platform::host()),
    }
}

/// The image, or all that its index has.
pub(super) fn all(source: &Source, image: &Descriptor) -> Result<Vec<Descriptor>, Error> {
    let mut offered = Vec::new();
    match collect(source, image, &mut offered, &mut 0, 0)? {
        true => Ok(offered),
        false => Ok(vec![image.clone()]),
    }
}

/// Collects the images of an index, at all depths; false if `image` is a manifest itself.
fn collect(
    source: &Source,
    image: &Descriptor,
    offered: &mut Vec<Descriptor>,
    read: &mut usize,
    depth: usize,
) -> Result<bool, Error> {
    if image.kind() == Kind::Manifest {
        return Ok(false);
    }
    let Document::Index(index) = document(source, image)? else { return Ok(false) };
    // Indexes that hold only indexes add nothing to `offered`, so they are counted.
    *read += 1;
    if depth == MAX_DEPTH || *read > MAX_MANIFESTS {
        return Err(Error::TooDeep(image.digest.clone()));
    }
    // A store has of an index what was pulled. Of one that nothing is there of, it is told
    // what is missing.
    let is_there = |below: &Descriptor| source.has(below);
    let is_partial = index.manifests.iter().any(|below| !below.is_attestation() && is_there(below));
    for below in index.manifests {
        if below.is_attestation() || (is_partial && !is_there(&below)) {
            continue;
        }
        match below.kind() {
            Kind::Index => {
                collect(source, &below, offered, read, depth + 1)?;
            }
            Kind::Manifest => offered.push(below),
            _ => {}
        }
        if offered.len() > MAX_MANIFESTS {
            return Err(Error::TooDeep(image.digest.clone()));
        }
    }
    Ok(true)
}

fn pick(source: &Source, offered: Vec<Descriptor>, wanted: &Platform) -> Result<Descriptor, Error> {
    let mut best: Option<(u32, Descriptor)> = None;
    let mut platforms = Vec::new();
    let several = offered.len() > 1;
    for image in offered {
        let platform = match &image.platform {
            Some(platform) => platform.clone(),
            None => match platform_of(source, &image) {
                // Something else among the images of an index.
                Err(Error::NotAnImage { .. }) if several => continue,
                platform => platform?,
            },
        };
        let rank = wanted.accepts(&platform);
        platforms.push(platform.normalised().to_string());
        if let Some(rank) = rank {
            if best.as_ref().is_none_or(|(other, _)| rank < *other) {
                best = Some((rank, image));
            }
        }
    }
    let none = || {
        let offered = if platforms.is_empty() { "none".into() } else { platforms.join(", ") };
        Error::Platform { wanted: wanted.to_string(), offered }
    };
    best.map(|(_, image)| image).ok_or_else(none)
}

fn platform_of(source: &Source, image: &Descriptor) -> Result<Platform, Error> {
    let (manifest, _) = manifest(source, image)?;
    if manifest.config.kind() != Kind::Config {
        let media_type = manifest.config.media_type.clone();
        return Err(Error::NotAnImage { digest: image.digest.clone(), media_type });
    }
    let config = source.document(&manifest.config)?;
    let error = |source| Error::Document { name: manifest.config.digest.to_string(), source };
    Ok(ImageConfig::parse(&config).map_err(error)?.platform())
}

/// Reads a manifest, which must not be an index.
pub(super) fn manifest(source: &Source, image: &Descriptor) -> Result<(Manifest, Vec<u8>), Error> {
    let bytes = source.document(image)?;
    let error = |source| Error::Document { name: image.digest.to_string(), source };
    match Document::parse(&bytes, &image.media_type).map_err(error)? {
        Document::Manifest(manifest) => Ok((*manifest, bytes)),
        Document::Index(_) => Err(Error::TooDeep(image.digest.clone())),
    }
}

fn document(source: &Source, image: &Descriptor) -> Result<Document, Error> {
    let bytes = source.document(image)?;
    let error = |source| Error::Document { name: image.digest.to_string(), source };
    Document::parse(&bytes, &image.media_type).map_err(error)
}
