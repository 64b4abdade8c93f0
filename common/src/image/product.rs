//! What a tool has made: one image, or an index of images for several platforms.

use std::collections::HashMap;
use std::sync::Arc;

use super::archive::{Selected, Selection};
use super::{Error, Image, Source, choose, open};
use crate::digest::Digest;
use crate::oci::media_type::Kind;
use crate::oci::{Descriptor, Platform};
use crate::store::{self, BlobReader, Name, Store};

/// Images to be written to a [`super::Destination`].
#[derive(Debug)]
pub struct Product {
    /// What names will stand for.
    pub(super) root: Descriptor,
    /// The root's bytes, if it is no image itself.
    index: Option<Vec<u8>>,
    images: Vec<Image>,
    owners: HashMap<Digest, Owner>,
}

/// Where a blob belongs.
#[derive(Debug, Clone, Copy)]
struct Owner {
    /// Which of the images has it.
    image: usize,
    /// Which of its layers it is; none for the config.
    layer: Option<usize>,
}

impl From<Image> for Product {
    fn from(image: Image) -> Self {
        Self::new(image.descriptor.clone(), None, vec![image])
    }
}

impl Product {
    /// The manifest, or the index of manifests, that was put into `store`, which has all
    /// that it needs.
    ///
    /// # Errors
    /// Documents that are missing or malformed.
    pub fn in_store(store: &Arc<Store>, made: &Descriptor) -> Result<Self, Error> {
        let source = Source::Store(Arc::clone(store));
        let open = |image: &Descriptor| open::manifest(source.clone(), image, Vec::new());
        if made.kind() != Kind::Index {
            return Ok(open(made)?.into());
        }
        let images = choose::all(&source, made)?;
        let images = images.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self::new(made.clone(), Some(source.document(made)?), images))
    }

    fn new(root: Descriptor, index: Option<Vec<u8>>, images: Vec<Image>) -> Self {
        let mut owners = HashMap::new();
        for (number, image) in images.iter().enumerate() {
            let config = (&image.manifest.config, None);
            let layers = image.manifest.layers.iter().zip((0..).map(Some));
            for (blob, layer) in layers.chain([config]) {
                owners.entry(blob.digest.clone()).or_insert(Owner { image: number, layer });
            }
        }
        Self { root, index, images, owners }
    }

    /// Selects the images that an archive holds under these names. Docker's list has no
    /// platforms: of several images it lists the one for this machine.
    pub(super) fn selection(&self, names: Vec<Name>) -> Selection<'_> {
        let mut root = self.root.clone();
        let images = self.images.iter();
        let manifests = images.clone().map(|image| (&image.descriptor, &*image.manifest_bytes));
        let index = self.index.iter().map(|bytes| (&self.root, bytes.as_slice()));
        let host = Platform::host();
        let rank = |image: &&Image| host.accepts(&image.config.platform());
        let listed = match self.index {
            None => {
                let image = self.images.first();
                root.platform = image.map(|image| image.config.platform());
                image
            }
            Some(_) => images.clone().filter(|image| rank(image).is_some()).min_by_key(rank),
        };
        let listed = listed.map(|image| &image.manifest);
        Selection {
            images: vec![Selected { root, names, listed }],
            documents: manifests.chain(index).collect(),
            blobs: images.flat_map(Image::blobs).collect(),
        }
    }

    /// Opens a blob of any of the images; layers are checked as layers.
    pub(super) fn blob(&self, blob: &Descriptor) -> Result<BlobReader, Error> {
        let owner = self.owners.get(&blob.digest);
        let image = owner.and_then(|owner| Some((owner, self.images.get(owner.image)?)));
        match image {
            Some((Owner { layer: None, .. }, image)) => return image.blob(blob),
            Some((Owner { layer: Some(at), .. }, image)) => {
                if let Some(layer) = image.layer_at(*at) {
                    return image.verified_layer(&layer);
                }
            }
            None => {}
        }
        Err(store::Error::NoBlob(blob.digest.clone()).into())
    }

    /// Copies what `store` does not have of it; it still has to be named there.
    pub(super) fn copy_to(&self, store: &Store) -> Result<(), Error> {
        self.images.iter().try_for_each(|image| image.copy_to(store))?;
        if let Some(bytes) = &self.index {
            store.put_by(self.root.digest.algorithm(), bytes)?;
        }
        Ok(())
    }
}
