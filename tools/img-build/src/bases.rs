//! Images that a Containerfile names: in the store, pulled if they are missing there, or
//! elsewhere.

use std::ffi::OsStr;

use common::cli::Failure;
use common::image::{self, Image, Reference};
use common::oci::Platform;
use common::store::{self, Location};
use registry::{Options, Pull, Puller, RegistryReference};

use crate::error::Error;

/// Opens images by name.
#[derive(Debug)]
pub(crate) struct Bases<'a> {
    location: &'a Location,
    when: Pull,
    puller: Puller<'a>,
    /// Images that the store lacks are read where they are: no layer is wanted.
    only_reads: bool,
}

impl<'a> Bases<'a> {
    pub(crate) fn new(
        location: &'a Location,
        when: Pull,
        only_reads: bool,
        options: Options,
    ) -> Self {
        Self { location, when, puller: Puller::new(location, when, options), only_reads }
    }

    /// Opens the image for `platform` that a Containerfile calls `name`. The beginning of a
    /// digest names none: what is written down must mean the same tomorrow.
    ///
    /// # Errors
    /// No such image, none for the platform, one that is malformed, or a pull that fails.
    pub(crate) fn open(&self, name: &str, platform: &Platform) -> Result<Image, Error> {
        let reference = Reference::parse(OsStr::new(name))?;
        match &reference {
            Reference::Standard => Err(Error::Other("'-' is not an image name".into())),
            Reference::Store(text) => self.in_store(text, platform),
            Reference::Registry(_) => Ok(self.puller.open(&reference, Some(platform))?),
            _ => Ok(image::open(&reference, Some(platform), self.location)?),
        }
    }

    fn in_store(&self, name: &str, platform: &Platform) -> Result<Image, Error> {
        let remote = RegistryReference::parse(format!("docker://{name}").as_ref());
        let remote = remote.and_then(Result::ok).filter(|_| !is_digest(name));
        if let (Pull::Always, Some(remote)) = (self.when, &remote) {
            return self.pull(remote, platform);
        }
        let opened = self.find(name).and_then(|digest| {
            let reference = Reference::Store(digest);
            Ok(image::open(&reference, Some(platform), self.location)?)
        });
        let is_missing = matches!(
            &opened,
            Err(Error::Store(store::Error::NoImage { .. })
                | Error::Image(image::Error::Platform { .. }))
        );
        match remote {
            Some(remote) if is_missing && self.when == Pull::Missing => {
                self.pull(&remote, platform)
            }
            _ => opened,
        }
    }

    fn pull(&self, remote: &RegistryReference, platform: &Platform) -> Result<Image, Error> {
        if self.only_reads {
            let reference = Reference::parse(OsStr::new(&remote.to_string()))?;
            return Ok(self.puller.open(&reference, Some(platform))?);
        }
        Ok(self.puller.pull(remote, Some(platform))?)
    }

    /// The digest of what the store has under a name or a whole digest.
    fn find(&self, name: &str) -> Result<String, Error> {
        match self.location.open() {
            Ok(store) => Ok(store.resolve_exactly(name)?.digest.to_string()),
            Err(store::Error::Missing(store)) => {
                Err(store::Error::NoImage { name: name.into(), store }.into())
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// A digest alone says nothing of where it is.
fn is_digest(name: &str) -> bool {
    name.parse::<common::digest::Digest>().is_ok()
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Pull { text: failure.line(), hint: failure.hint_text().map(str::to_owned) }
    }
}
