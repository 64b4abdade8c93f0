//! Registries for tools that read images: `docker://` as one more place where they are.

use std::ffi::OsStr;
use std::sync::Arc;

use common::image::{self, Found, Image, Opener, Reference, Registries};
use common::oci::Platform;
use common::store::{Location, Name};

use super::{Access, Error, Options, RegistryReference, Repository};

/// Finds images in registries. Nothing is asked before an image is.
#[derive(Debug, Clone, Default)]
pub struct Client {
    options: Options,
}

impl Client {
    /// A client that reaches registries as `options` say.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self { options }
    }

    /// Finds an image; with it the repository that it is in. Of its blobs, the manifest or
    /// index is read, and nothing else.
    ///
    /// # Errors
    /// Nothing of this name; a registry that does not answer, or that does not know us.
    pub fn find(&self, reference: &RegistryReference) -> Result<(Found, Arc<Repository>), Error> {
        let repository = Repository::connect(reference, Access::Pull, &[], &self.options)?;
        let repository = Arc::new(repository);
        let mut found = repository.find(&reference.target)?;
        found.names = reference.name.iter().map(Name::to_string).collect();
        Ok((found, repository))
    }
}

impl Registries for Client {
    fn find(&self, text: &OsStr) -> Result<Found, image::Error> {
        let origin = |error: Box<dyn std::error::Error + Send + Sync>| image::Error::Origin(error);
        match RegistryReference::parse(text) {
            Some(Ok(reference)) => {
                Ok(self.find(&reference).map_err(|error| origin(error.into()))?.0)
            }
            Some(Err(error)) => Err(origin(error.into())),
            None => Err(origin("not in a registry".into())),
        }
    }
}

/// Opens an image wherever it is, in a registry too: as [`image::open`], which reaches none.
///
/// # Errors
/// As [`Opener::open`].
pub fn open(
    reference: &Reference,
    platform: Option<&Platform>,
    location: &Location,
) -> Result<Image, image::Error> {
    let opener = Opener::new(location, platform.cloned());
    opener.with_registries(Client::new(Options::default())).open(reference)
}

/// Returns a hint for an error of a registry.
pub(super) fn hint(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    // A transparent wrapper hides what it wraps.
    let found = match error.downcast_ref() {
        Some(image::Error::Origin(inner)) => inner.downcast_ref(),
        _ => error.downcast_ref::<Error>(),
    };
    found.and_then(Error::hint)
}
