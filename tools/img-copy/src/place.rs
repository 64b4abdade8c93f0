//! The two ends of a copy, as the arguments name them.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use common::cli::Failure;
use common::image::{Destination, Found, Opener, Reference};
use common::store::Name;

use crate::cli::Registries;
use registry::{Client, CredentialsText, Options, Pace, RegistryReference, Repository};

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
    /// Into the store, under a name or under those that the images have.
    Store(Option<Name>),
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

    /// Finds what is meant, all images of a layout or archive if `many` of them may be; with
    /// it the repository it is in, if it is in one.
    pub(crate) fn find(
        &self,
        opener: &mut Opener<'_>,
        many: bool,
        options: &Options,
    ) -> Result<(Vec<Found>, Option<Arc<Repository>>), Failure> {
        match self {
            Self::Local(reference) => {
                let found = match many {
                    true => opener.find_all(reference),
                    false => opener.find(reference).map(|found| vec![found]),
                };
                Ok((found.map_err(|error| error.about(reference))?, None))
            }
            Self::Registry(reference) => {
                let found = Client::new(options.clone()).find(reference);
                let (found, repository) = found.map_err(|error| about(reference, error))?;
                Ok((vec![found], Some(repository)))
            }
        }
    }

    /// An error about what is copied.
    pub(crate) fn failure(&self, error: common::image::Error) -> Failure {
        match self {
            Self::Local(reference) => error.about(reference).into(),
            // An output's failure, not the image's.
            Self::Registry(_) if matches!(error, common::image::Error::Stream(_)) => error.into(),
            Self::Registry(reference) => Failure::about(reference, error),
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
        if operand == "store:" {
            return Ok(Self::Store(None));
        }
        Ok(match Reference::parse(operand)? {
            Reference::Store(name) => Self::Store(Some(name.parse()?)),
            _ => Self::Elsewhere(Destination::parse(operand)?),
        })
    }

    /// Whether images keep their names there, so that it takes several.
    pub(crate) fn keeps_names(&self) -> bool {
        match self {
            Self::Store(name) => name.is_none(),
            Self::Elsewhere(Destination::Archive { name, .. }) => name.is_none(),
            Self::Elsewhere(Destination::Layout { name, .. }) => name.is_none(),
            Self::Registry(_) => false,
        }
    }

    /// Whether the image itself goes to standard output, so that nothing else may.
    pub(crate) fn is_standard(&self) -> bool {
        matches!(self, Self::Elsewhere(destination) if destination.is_standard())
    }
}

/// An error of a registry.
pub(crate) fn about(reference: &RegistryReference, error: registry::Error) -> Failure {
    Failure::about(reference, error)
}

/// Returns the options for the registries `from`, which are read, and for that of `place`.
///
/// # Errors
/// Options without a registry that they apply to, or with several; malformed credentials.
pub(crate) fn options(
    given: &Registries,
    from: &BTreeSet<String>,
    place: &Place,
) -> Result<(Options, Options), Failure> {
    let to = matches!(place, Place::Registry(_));
    let any = [
        ("creds", given.creds.is_some()),
        ("tls-verify", given.any.tls_verify.is_some()),
        ("cert-dir", given.any.cert_dir.is_some()),
    ];
    for (name, _) in any.into_iter().filter(|(_, is_given)| *is_given) {
        match (to, from.is_empty()) {
            (true, false) => {
                let either = format!("either registry: --src-{name} or --dest-{name}");
                return Err(Failure::usage(format!("--{name} could mean {either}")));
            }
            (true, true) => {}
            (false, _) => registry::check_meant(name, from, 1)?,
        }
    }
    let src = [
        ("src-creds", given.src_creds.is_some()),
        ("src-tls-verify", given.src_tls_verify.is_some()),
        ("src-cert-dir", given.src_cert_dir.is_some()),
    ];
    let dest = [
        given.dest_creds.is_some(),
        given.dest_tls_verify.is_some(),
        given.dest_cert_dir.is_some(),
    ];
    let no_registry =
        |side, end| Failure::usage(format!("--{side}-* options need a registry as the {end}"));
    for (name, _) in src.into_iter().filter(|(_, is_given)| *is_given) {
        if from.is_empty() {
            return Err(no_registry("src", "source"));
        }
        registry::check_meant(name, from, 1)?;
    }
    if !to && dest.contains(&true) {
        return Err(no_registry("dest", "destination"));
    }
    let options = |(name, own): (&str, &Option<CredentialsText>),
                   tls_verify: Option<bool>,
                   cert_dir: &Option<_>| {
        let typed = own.as_ref().map(|text| (name, text));
        let typed = typed.or(given.creds.as_ref().map(|text| ("creds", text)));
        Ok::<_, Failure>(Options {
            credentials: typed.map(|(name, text)| text.parse(name)).transpose()?,
            tls_verify: tls_verify.or(given.any.tls_verify),
            cert_dir: cert_dir.clone().or_else(|| given.any.cert_dir.clone()),
            ..for_any(given)
        })
    };
    Ok((
        options(("src-creds", &given.src_creds), given.src_tls_verify, &given.src_cert_dir)?,
        options(("dest-creds", &given.dest_creds), given.dest_tls_verify, &given.dest_cert_dir)?,
    ))
}

/// Returns the options that apply to all registries.
pub(crate) fn for_any(given: &Registries) -> Options {
    let time = Duration::from_secs(given.speed_time);
    let pace = Pace { limit_bytes: given.speed_limit, time };
    Options { retries: given.retry_times, pace, ..given.any.options() }
}
