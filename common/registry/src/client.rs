//! Registries for tools that read images: `docker://` as one more place where they are.

use std::ffi::OsStr;
use std::sync::Arc;

use common::cli::Failure;
use common::image::{self, Found, Image, Opener, Reference, Registries};
use common::message;
use common::oci::Platform;
use common::store::{Location, Name};

use super::configured::{Configured, Place};
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

    /// Finds an image and its repository, in a mirror if one is configured and has it. Only
    /// its manifest or index is read.
    ///
    /// # Errors
    /// Nothing of this name; a registry that does not answer, or that does not know us.
    pub fn find(&self, reference: &RegistryReference) -> Result<(Found, Arc<Repository>), Error> {
        let mut places = Configured::of(reference)?.places(reference)?.into_iter();
        loop {
            let Some(place) = places.next() else {
                return Err(Error::protocol(&reference.host, "no place to pull from"));
            };
            match self.find_at(&place, reference) {
                Err(error) if place.is_mirror => {
                    let line = Failure::about(&place.reference, error).line();
                    message::verbose(format_args!("{line}: trying the next place"));
                }
                found => {
                    let (mut found, repository) = found?;
                    found.names = reference.name.iter().map(Name::to_string).collect();
                    return Ok((found, repository));
                }
            }
        }
    }

    fn find_at(
        &self,
        place: &Place,
        named: &RegistryReference,
    ) -> Result<(Found, Arc<Repository>), Error> {
        let repository = Repository::connect_to(place, named, Access::Pull, &[], &self.options)?;
        let repository = Arc::new(repository);
        Ok((repository.find(&place.reference.target)?, repository))
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

/// Opens an image as [`image::open`] does, or in a registry with `options`.
///
/// # Errors
/// As [`Opener::open`].
pub fn open(
    reference: &Reference,
    platform: Option<&Platform>,
    location: &Location,
    options: Options,
) -> Result<Image, image::Error> {
    let opener = Opener::new(location, platform.cloned());
    opener.with_registries(Client::new(options)).open(reference)
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
