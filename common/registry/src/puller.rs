//! Images for tools that run them: a name that the store lacks is pulled.

use std::fmt;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use common::cli::Failure;
use common::image::{self, Image, Opener, Reference};
use common::message;
use common::oci::Platform;
use common::store::{self, Location};

use super::{Client, Options, RegistryReference, Target};

/// When a name is looked up in its registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Pull {
    /// If the store lacks it
    #[default]
    Missing,
    /// Each time
    Always,
    /// Never
    Never,
}

/// The option that says when to pull; flatten it into a tool's arguments.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct PullOption {
    /// Pull a name from its registry: 'missing' [default], 'always' or 'never'
    #[arg(long = "pull", value_name = "WHEN", hide_possible_values = true)]
    when: Option<Pull>,
}

const ENVIRONMENT: &str = "LAYERUTILS_PULL";

impl PullOption {
    /// Returns the value of the option, or else of `LAYERUTILS_PULL`.
    ///
    /// # Errors
    /// An environment variable with another value.
    pub fn when(self) -> Result<Pull, Failure> {
        if let Some(when) = self.when {
            return Ok(when);
        }
        match std::env::var_os(ENVIRONMENT).filter(|value| !value.is_empty()) {
            None => Ok(Pull::default()),
            Some(value) => value.to_str().and_then(|text| text.parse().ok()).ok_or_else(|| {
                let value = common::name::show_path(&value);
                Failure::usage(format!("{ENVIRONMENT}: '{value}' is not missing, always or never"))
            }),
        }
    }
}

impl FromStr for Pull {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        ValueEnum::from_str(text, false)
    }
}

/// Opens images wherever they are, and pulls names into the store.
#[derive(Debug)]
pub struct Puller<'l> {
    location: &'l Location,
    when: Pull,
    client: Client,
}

impl<'l> Puller<'l> {
    /// Pulls into the store at `location`.
    #[must_use]
    pub fn new(location: &'l Location, when: Pull, options: Options) -> Self {
        Self { location, when, client: Client::new(options) }
    }

    /// Opens the image for `platform`, or else for this machine. A name is pulled if it is
    /// missing or if that was asked for, and is then in the store. An image that `docker://`
    /// names is read where it is.
    ///
    /// # Errors
    /// No such image, none for the platform, or one that is malformed; a registry that
    /// fails; a store that cannot be written.
    ///
    /// # Streams
    /// Reads standard input for [`Reference::Standard`]; tells on standard error what is
    /// pulled.
    pub fn open(
        &self,
        reference: &Reference,
        platform: Option<&Platform>,
    ) -> Result<Image, Failure> {
        let remote = self.remote(reference);
        if let (Pull::Always, Some(remote)) = (self.when, &remote) {
            return self.pull(remote, platform);
        }
        let opener = Opener::new(self.location, platform.cloned());
        let opened = opener.with_registries(self.client.clone()).open(reference);
        match (opened, remote) {
            (Err(image::Error::Store(store::Error::NoImage { .. })), Some(remote))
                if self.when == Pull::Missing =>
            {
                self.pull(&remote, platform)
            }
            (opened, _) => opened.map_err(|error| error.about(reference).into()),
        }
    }

    /// Returns the place that a name of the store is pulled from; `None` for digests and for
    /// images elsewhere.
    fn remote(&self, reference: &Reference) -> Option<RegistryReference> {
        let Reference::Store(text) = reference else { return None };
        // A digest would parse as a name, too.
        if text.starts_with("sha256:") || text.starts_with("sha512:") {
            return None;
        }
        RegistryReference::parse(format!("docker://{text}").as_ref())?.ok()
    }

    /// Copies one image from its registry into the store, under its name if it has one, and
    /// opens it there.
    ///
    /// # Errors
    /// As [`Puller::open`].
    pub fn pull(
        &self,
        remote: &RegistryReference,
        platform: Option<&Platform>,
    ) -> Result<Image, Failure> {
        let failed = |error: image::Error| Failure::about(remote, error);
        message::note(format_args!("pulling {remote}"));
        let (found, _) = self.client.find(remote).map_err(|error| Failure::about(remote, error))?;
        let image = found.image(platform).map_err(failed)?;
        let store = self.location.create()?;
        image.copy_to(&store).map_err(failed)?;
        let mut named = image.descriptor.clone();
        if let Some((index, bytes)) = found.index_of(&named.digest).map_err(failed)? {
            named = store.keep_index(&named, &index.digest, &bytes)?;
        }
        // A name that is pinned to a digest must not move the tag.
        match (&remote.target, &remote.name) {
            (Target::Tag(_), Some(name)) => store.tag(std::slice::from_ref(name), &named)?,
            _ => store.add(&named)?,
        }
        drop(store);
        let digest = Reference::Store(named.digest.to_string());
        image::open(&digest, platform, self.location).map_err(failed)
    }
}

impl fmt::Display for Pull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "missing",
            Self::Always => "always",
            Self::Never => "never",
        })
    }
}
