//! From a reference to an open image.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

use super::archive::{self, Archive};
use super::{Error, Image, InvalidReference, Origin, Reference, Registries, Source, choose};
use crate::compression::MaxSize;
use crate::digest::{DiffId, Digest};
use crate::oci::media_type::Kind;
use crate::oci::{Descriptor, Document, ImageConfig, Manifest, Platform};
use crate::store::{BlobReader, CHOSEN_FROM, Entry, Location, Store};

/// Opens images, several of them from one store or archive.
#[derive(Debug)]
pub struct Opener<'a> {
    location: &'a Location,
    platform: Option<Platform>,
    store: Option<Arc<Store>>,
    registries: Option<Box<dyn Registries>>,
}

impl<'a> Opener<'a> {
    /// Opens images for `platform`, or else for this machine, names being looked up
    /// in the store at `location`.
    #[must_use]
    pub fn new(location: &'a Location, platform: Option<Platform>) -> Self {
        Self { location, platform, store: None, registries: None }
    }

    /// The same, which reaches registries too.
    #[must_use]
    pub fn with_registries(self, registries: impl Registries + 'static) -> Self {
        Self { registries: Some(Box::new(registries)), ..self }
    }

    /// Opens an image.
    ///
    /// # Errors
    /// No such image, none for the platform, or one that is malformed.
    ///
    /// # Streams
    /// Reads standard input for [`Reference::Standard`].
    pub fn open(&mut self, reference: &Reference) -> Result<Image, Error> {
        self.find(reference)?.image(self.platform.as_ref())
    }

    /// Finds what a reference names, and chooses no platform.
    ///
    /// # Errors
    /// Nothing of this name.
    ///
    /// # Streams
    /// Reads standard input for [`Reference::Standard`].
    pub fn find(&mut self, reference: &Reference) -> Result<Found, Error> {
        match reference {
            Reference::Store(name) => {
                let store = self.store(name)?;
                let found = store.resolve(name)?;
                Ok(Found::new(Source::Store(store), found))
            }
            Reference::Layout { dir, name } => {
                let store = Arc::new(Store::open(dir)?);
                let found = in_layout(&store, name.as_deref())?;
                Ok(Found::new(Source::Store(store), found))
            }
            Reference::OciArchive { file, name } => {
                Found::in_archive(Archive::open(file, archive::Kind::Oci)?, name.as_deref())
            }
            Reference::DockerArchive { file, name } => {
                Found::in_archive(Archive::open(file, archive::Kind::Docker)?, name.as_deref())
            }
            Reference::Registry(text) => match &self.registries {
                Some(registries) => registries.find(text),
                None => Err(InvalidReference::Registry(text.as_bytes().into()).into()),
            },
            Reference::Standard => {
                Found::in_archive(Archive::open(Path::new("-"), archive::Kind::Either)?, None)
            }
        }
    }

    /// Finds all images of a layout or an archive of which none is named, with what cannot
    /// be read; otherwise the one image that is.
    ///
    /// # Errors
    /// Nothing there; a layout or archive that is malformed.
    ///
    /// # Streams
    /// Reads standard input for [`Reference::Standard`].
    pub fn find_all(&mut self, reference: &Reference) -> Result<Vec<Found>, Error> {
        let all = |path: &Path, kind| Found::all_in_archive(Archive::open(path, kind)?);
        match reference {
            Reference::Layout { dir, name: None } => all_in_layout(Arc::new(Store::open(dir)?)),
            Reference::OciArchive { file, name: None } => all(file, archive::Kind::Oci),
            Reference::DockerArchive { file, name: None } => all(file, archive::Kind::Docker),
            Reference::Standard => all(Path::new("-"), archive::Kind::Either),
            _ => Ok(vec![self.find(reference)?]),
        }
    }

    /// The store, open; one that is not there yet has no image of this name.
    fn store(&mut self, name: &str) -> Result<Arc<Store>, Error> {
        if let Some(store) = &self.store {
            return Ok(Arc::clone(store));
        }
        let opened = self.location.open().map_err(|error| match error {
            crate::store::Error::Missing(store) => {
                crate::store::Error::NoImage { name: name.into(), store }
            }
            other => other,
        })?;
        Ok(Arc::clone(self.store.insert(Arc::new(opened))))
    }
}

/// What a reference names, where it is: a manifest, or an index of several.
#[derive(Debug, Clone)]
pub struct Found {
    /// The manifest or index.
    pub descriptor: Descriptor,
    /// The names it has there.
    pub names: Vec<String>,
    id: Option<Digest>,
    source: Source,
    max_size: MaxSize,
}

impl Found {
    /// What `descriptor` stands for in a place of the caller's own.
    #[must_use]
    pub fn in_origin(origin: Arc<dyn Origin>, descriptor: Descriptor) -> Self {
        Self::new(Source::Origin(origin), descriptor)
    }

    fn new(source: Source, descriptor: Descriptor) -> Self {
        let names = choose::name_of(&descriptor).into_iter().collect();
        Self { descriptor, names, id: None, source, max_size: MaxSize::default() }
    }

    /// The same, with layers that may grow to `max_size` where blobs are checked.
    #[must_use]
    pub fn with_max_size(self, max_size: MaxSize) -> Self {
        Self { max_size, ..self }
    }

    fn in_archive(mut archive: Archive, name: Option<&str>) -> Result<Self, Error> {
        let chosen = archive.choose(name)?;
        let found = Self::new(Source::Archive(Arc::new(archive)), chosen.image);
        Ok(Self { names: chosen.names, id: chosen.id, ..found })
    }

    fn all_in_archive(mut archive: Archive) -> Result<Vec<Self>, Error> {
        let chosen = archive.choose_all()?;
        let archive = Arc::new(archive);
        let found = |chosen: archive::Chosen| {
            let found = Self::new(Source::Archive(Arc::clone(&archive)), chosen.image);
            Self { names: chosen.names, id: chosen.id, ..found }
        };
        Ok(chosen.into_iter().map(found).collect())
    }

    /// The image for `platform`, or else for this machine.
    ///
    /// # Errors
    /// None for the platform, or one that is malformed.
    pub fn image(&self, platform: Option<&Platform>) -> Result<Image, Error> {
        let chosen = choose::by_platform(&self.source, &self.descriptor, platform)?;
        let mut image = manifest(self.source.clone(), &chosen, self.names.clone())?;
        if let Some(id) = &self.id {
            image.id = id.clone();
        }
        Ok(image)
    }

    /// Returns a manifest or index that this one lists, in the same place.
    #[must_use]
    pub fn below(&self, descriptor: &Descriptor) -> Self {
        Self::new(self.source.clone(), descriptor.clone()).with_max_size(self.max_size)
    }

    /// The manifest for `platform`, or else for this machine.
    ///
    /// # Errors
    /// None for the platform; documents that are malformed.
    pub fn choose(&self, platform: Option<&Platform>) -> Result<Descriptor, Error> {
        choose::by_platform(&self.source, &self.descriptor, platform)
    }

    /// Returns the number of images that the index `bytes` lists, wherever they are.
    #[must_use]
    pub fn count_images(bytes: &[u8]) -> usize {
        match Document::parse(bytes, "") {
            Ok(Document::Index(index)) => {
                index.manifests.iter().filter(|below| !below.is_attestation()).count()
            }
            _ => 1,
        }
    }

    /// Whether a manifest or index below this one is there: a store has of an index what was
    /// pulled. What is not on this machine is taken to be there.
    #[must_use]
    pub fn has(&self, below: &Descriptor) -> bool {
        self.source.has(below)
    }

    /// The index that `image` was chosen from, now or when it came here, if it is there: its
    /// descriptor and bytes.
    ///
    /// # Errors
    /// An index that is damaged.
    pub fn index_of(&self, image: &Digest) -> Result<Option<(Descriptor, Vec<u8>)>, Error> {
        let index = if self.descriptor.digest == *image {
            let kept = self.descriptor.annotations.get(CHOSEN_FROM);
            kept.and_then(|digest| self.source.find(&digest.parse().ok()?))
        } else {
            Some(self.descriptor.clone())
        };
        let read = |index: Descriptor| Ok((index.clone(), self.source.document(&index)?));
        index.map(read).transpose()
    }

    /// Reads a manifest, index or config: checked, bounded in length.
    ///
    /// # Errors
    /// A document that is missing, damaged or too long.
    pub fn document(&self, document: &Descriptor) -> Result<Vec<u8>, Error> {
        self.source.document(document)
    }

    /// Reads the manifest or index itself.
    ///
    /// # Errors
    /// As [`Found::document`]; a document that is neither manifest nor index.
    pub fn parsed(&self) -> Result<(Document, Vec<u8>), Error> {
        let bytes = self.document(&self.descriptor)?;
        let document = Document::parse(&bytes, &self.descriptor.media_type);
        let name = || self.descriptor.digest.to_string();
        Ok((document.map_err(|source| Error::Document { name: name(), source })?, bytes))
    }

    /// Returns the image of a manifest from [`Found::parsed`].
    ///
    /// # Errors
    /// An artifact; an image that is malformed.
    pub fn image_of(&self, manifest: Manifest, bytes: Vec<u8>) -> Result<Image, Error> {
        opened(self.source.clone(), &self.descriptor, (manifest, bytes), self.names.clone())
    }

    /// Opens any blob; what is read is checked.
    ///
    /// # Errors
    /// A blob that is missing or has another size.
    pub fn blob(&self, blob: &Descriptor) -> Result<BlobReader, Error> {
        Ok(self.source.blob(blob)?.growing_to(self.max_size))
    }

    /// Puts a blob into `store`, unless it is there, telling `seen` of each part. With a
    /// DiffID it is a layer, and checked as one unless it is known: see
    /// [`crate::layer::verify`].
    ///
    /// # Errors
    /// A blob that is missing, damaged, or not that layer; a store that cannot be written.
    pub fn copy(
        &self,
        blob: &Descriptor,
        diff_id: Option<&DiffId>,
        store: &Store,
        seen: impl FnMut(u64),
    ) -> Result<(), Error> {
        self.source.copy(blob, diff_id, self.max_size, store, seen)
    }
}

/// The images that a descriptor in a store's index stands for: one, or one for each
/// platform of which something is there.
///
/// # Errors
/// Documents that are missing or malformed.
pub fn all(store: &Arc<Store>, image: &Descriptor) -> Result<Vec<Image>, Error> {
    let source = Source::Store(Arc::clone(store));
    let names = || choose::name_of(image).into_iter().collect();
    let images = choose::all(&source, image)?;
    // An index may name platforms that were never fetched.
    let there =
        |below: &&Descriptor| below.digest == image.digest || source.find(&below.digest).is_some();
    let opened = images.iter().filter(there).map(|below| {
        let opened = manifest(source.clone(), below, names());
        // Something else among the images of an index.
        let is_other = below.digest != image.digest;
        (!(is_other && matches!(opened, Err(Error::NotAnImage { .. })))).then_some(opened)
    });
    opened.flatten().collect()
}

/// Every image of a layout, with all its names. What has a digest that cannot be checked is
/// none of ours.
fn all_in_layout(store: Arc<Store>) -> Result<Vec<Found>, Error> {
    let entries = store.entries()?;
    let mut at: HashMap<&str, usize> = HashMap::new();
    let mut all: Vec<Found> = Vec::new();
    for entry in entries.known() {
        match at.get(entry.digest).and_then(|&at| all.get_mut(at)) {
            Some(found) => found.names.extend(entry.name.map(str::to_owned)),
            None => {
                at.insert(entry.digest, all.len());
                all.push(Found::new(Source::Store(Arc::clone(&store)), entry.descriptor()?));
            }
        }
    }
    match all.is_empty() {
        true => Err(Error::Choice("holds no image".into())),
        false => Ok(all),
    }
}

/// The image called `name` in a layout, or its only one.
fn in_layout(store: &Store, name: Option<&str>) -> Result<Descriptor, Error> {
    let all = store.entries()?;
    let entries: Vec<Entry<'_>> = all.known().collect();
    if entries.is_empty() && all.iter().len() > 0 {
        let text = "holds no image with a sha256 or sha512 digest";
        return Err(Error::Choice(text.into()));
    }
    let candidates: Vec<choose::Candidate<'_>> =
        entries.iter().map(|entry| (*entry).into()).collect();
    let at = choose::by_name(&candidates, name)?;
    match entries.get(at) {
        Some(entry) => Ok(entry.descriptor()?),
        None => Err(Error::Choice("holds no image".into())),
    }
}

/// Opens one image: see [`Opener`].
///
/// # Errors
/// As [`Opener::open`].
pub fn open(
    reference: &Reference,
    platform: Option<&Platform>,
    location: &Location,
) -> Result<Image, Error> {
    Opener::new(location, platform.cloned()).open(reference)
}

/// Reads manifest and config, and checks that they make an image.
pub(super) fn manifest(
    source: Source,
    chosen: &Descriptor,
    names: Vec<String>,
) -> Result<Image, Error> {
    let read = choose::manifest(&source, chosen)?;
    opened(source, chosen, read, names)
}

/// Opens the image of a manifest, and checks it against its config.
fn opened(
    source: Source,
    chosen: &Descriptor,
    (manifest, manifest_bytes): (Manifest, Vec<u8>),
    names: Vec<String>,
) -> Result<Image, Error> {
    let digest = || -> Digest { chosen.digest.clone() };
    if manifest.config.kind() != Kind::Config {
        let media_type = manifest.config.media_type.clone();
        return Err(Error::NotAnImage { digest: digest(), media_type });
    }
    for layer in &manifest.layers {
        if !matches!(layer.kind(), Kind::Layer | Kind::ForeignLayer) {
            let media_type = layer.media_type.clone();
            return Err(Error::LayerType { digest: layer.digest.clone(), media_type });
        }
    }
    let config_bytes = source.document(&manifest.config)?;
    let error = |source| Error::Document { name: manifest.config.digest.to_string(), source };
    let config = ImageConfig::parse(&config_bytes).map_err(error)?;
    let (layers, diff_ids) = (manifest.layers.len(), config.rootfs.diff_ids.len());
    if layers != diff_ids {
        return Err(Error::LayerCount { digest: digest(), layers, diff_ids });
    }
    let mut descriptor = chosen.clone();
    for of_the_place in [crate::oci::REF_NAME, choose::CONTAINERD_NAME, CHOSEN_FROM] {
        descriptor.annotations.remove(of_the_place);
    }
    if descriptor.media_type.is_empty() {
        let stated = manifest.media_type.clone();
        descriptor.media_type = stated.unwrap_or_else(|| crate::oci::media_type::MANIFEST.into());
    }
    Ok(Image {
        id: digest(),
        descriptor,
        manifest,
        manifest_bytes,
        config,
        config_bytes,
        names,
        source,
    })
}
