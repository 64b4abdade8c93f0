//! The two ends of a copy, as the arguments name them.

use std::ffi::OsStr;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use common::cli::Failure;
use common::errors::cause;
use common::image::{Destination, Found, Opener, Reference};
use common::store::{Location, Name};

use crate::cli::Registries;
use crate::registry::{self, Access, Credentials, Options, Pace, RegistryReference, Repository};

/// Where an image comes from.
#[derive(Debug)]
pub(crate) enum Source {
    /// The store, a layout or an archive.
    Local(Reference),
    Registry(RegistryReference),
}

/// Where it goes.
#[derive(Debug)]
pub(crate) enum Place {
    /// Under a name, into the store.
    Store(Name),
    /// A layout or an archive.
    Elsewhere(Destination),
    Registry(RegistryReference),
}

impl Source {
    pub(crate) fn parse(operand: &OsStr) -> Result<Self, Failure> {
        Ok(match RegistryReference::parse(operand) {
            Some(reference) => Self::Registry(reference?),
            None => Self::Local(Reference::parse(operand)?),
        })
    }

    /// Finds what is meant; with it the repository it is in, if it is in one.
    pub(crate) fn find(
        &self,
        location: &Location,
        options: &Options,
    ) -> Result<(Found, Option<Arc<Repository>>), Failure> {
        match self {
            Self::Local(reference) => {
                let found = Opener::new(location, None).find(reference);
                Ok((found.map_err(|error| error.about(reference))?, None))
            }
            Self::Registry(reference) => {
                let found = || {
                    let repository =
                        Arc::new(Repository::connect(reference, Access::Pull, &[], options)?);
                    Ok((repository.find(&reference.target)?, Some(repository)))
                };
                let (mut found, repository) = found().map_err(|error| about(reference, error))?;
                found.names = reference.name.iter().map(Name::to_string).collect();
                Ok((found, repository))
            }
        }
    }

    /// An error about what is copied.
    pub(crate) fn failure(&self, error: common::image::Error) -> Failure {
        match self {
            Self::Local(reference) => error.about(reference).into(),
            Self::Registry(reference) => match error {
                // An output's failure, not the image's.
                common::image::Error::Stream(error) => error.into(),
                error => {
                    let found = match &error {
                        common::image::Error::Origin(inner) => inner.downcast_ref(),
                        other => cause::<registry::Error>(other),
                    };
                    let hint = found.and_then(registry::Error::hint);
                    let failure = Failure::about(reference, error);
                    match hint {
                        Some(hint) => failure.hint(hint),
                        None => failure,
                    }
                }
            },
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(reference) => reference.fmt(f),
            Self::Registry(reference) => reference.fmt(f),
        }
    }
}

impl Place {
    pub(crate) fn parse(operand: &OsStr) -> Result<Self, Failure> {
        if let Some(reference) = RegistryReference::parse(operand) {
            return Ok(Self::Registry(reference?));
        }
        Ok(match Reference::parse(operand)? {
            Reference::Store(name) => Self::Store(name.parse()?),
            _ => Self::Elsewhere(Destination::parse(operand)?),
        })
    }

    /// Whether the image itself goes to standard output, so that nothing else may.
    pub(crate) fn is_standard(&self) -> bool {
        matches!(self, Self::Elsewhere(destination) if destination.is_standard())
    }
}

/// An error of a registry, with what to do about it.
pub(crate) fn about(reference: &RegistryReference, error: registry::Error) -> Failure {
    let hint = error.hint();
    let failure = Failure::about(reference, error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// How to reach the registry at each end.
///
/// # Errors
/// Options for a registry where there is none, or that could mean either of two.
pub(crate) fn options(
    given: &Registries,
    source: &Source,
    place: &Place,
) -> Result<(Options, Options), Failure> {
    let from = matches!(source, Source::Registry(_));
    let to = matches!(place, Place::Registry(_));
    let one = |name, given| for_one(name, given, from && to, from || to);
    one("creds", given.creds.is_some())?;
    one("tls-verify", given.tls_verify.is_some())?;
    one("cert-dir", given.cert_dir.is_some())?;
    let sided = |side: &str, there: bool, options: [bool; 3]| {
        if !there && options.contains(&true) {
            return Err(Failure::usage(format!("a --{side}-... option, and no registry there")));
        }
        Ok(())
    };
    let src =
        [given.src_creds.is_some(), given.src_tls_verify.is_some(), given.src_cert_dir.is_some()];
    let dest = [
        given.dest_creds.is_some(),
        given.dest_tls_verify.is_some(),
        given.dest_cert_dir.is_some(),
    ];
    sided("src", from, src)?;
    sided("dest", to, dest)?;
    let options = |credentials: &Option<Credentials>,
                   tls_verify: Option<bool>,
                   cert_dir: &Option<_>| Options {
        credentials: credentials.clone().or_else(|| given.creds.clone()),
        authfile: given.authfile.clone(),
        tls_verify: tls_verify.or(given.tls_verify),
        cert_dir: cert_dir.clone().or_else(|| given.cert_dir.clone()),
        retries: given.retry_times,
        pace: Pace { limit_bytes: given.speed_limit, time: Duration::from_secs(given.speed_time) },
    };
    Ok((
        options(&given.src_creds, given.src_tls_verify, &given.src_cert_dir),
        options(&given.dest_creds, given.dest_tls_verify, &given.dest_cert_dir),
    ))
}

/// An option that does not say for which end it is.
fn for_one(name: &str, given: bool, both: bool, any: bool) -> Result<(), Failure> {
    match given {
        true if both => {
            let text =
                format!("--{name} could mean either registry: --src-{name} or --dest-{name}");
            Err(Failure::usage(text))
        }
        true if !any => {
            Err(Failure::usage(format!("--{name} is for registries, and there is none")))
        }
        _ => Ok(()),
    }
}
