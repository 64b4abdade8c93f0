//! What goes wrong between us and a registry, and whether it may go right next time.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use common::cli;
use common::digest::Digest;
use common::human::count;
use common::store;
use ureq::http::StatusCode;

use super::TooSlow;
use super::reference::{DOCKER_HUB, DOCKER_HUB_REGISTRY};

/// Why a registry did not give or take what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A connection that is not made, or breaks.
    #[error("{host}")]
    Io {
        /// The registry.
        host: String,
        /// The error of the system.
        source: io::Error,
    },
    /// A conversation that goes wrong.
    #[error("{host}")]
    Connection {
        /// The registry.
        host: String,
        /// The problem with it.
        source: ureq::Error,
    },
    /// A body that ends too early.
    #[error("{0}: the connection was cut")]
    Cut(String),
    /// An answer that is no success.
    #[error("{what}: {}{detail}", words(*.status))]
    Status {
        /// The object of the request.
        what: String,
        /// The status of HTTP.
        status: u16,
        /// The registry's own message, after a separator.
        detail: String,
        /// The delay that the registry asks for.
        retry_after: Option<Duration>,
    },
    /// Nothing of this name or digest.
    #[error("{what} is not there{detail}")]
    Missing {
        /// The object of the request.
        what: String,
        /// The registry's own message, after a separator.
        detail: String,
    },
    /// Credentials are wanted, or others.
    #[error("{host}: {what}{detail}")]
    Denied {
        /// The registry.
        host: String,
        /// The request that it refuses.
        what: &'static str,
        /// The registry's own message, after a separator.
        detail: String,
    },
    /// A token that is not taken any more.
    #[error("{0}: the token has expired")]
    Expired(String),
    /// An answer that no registry gives.
    #[error("{host}: {what}")]
    Protocol {
        /// The registry.
        host: String,
        /// The problem with the answer.
        what: String,
    },
    /// An address that is not to be followed.
    #[error("{host}: {what}: {}", common::name::show(.url))]
    Refused {
        /// The registry.
        host: String,
        /// The unexpected behaviour.
        what: &'static str,
        /// The address.
        url: String,
    },
    /// Bytes that are not what was asked for.
    #[error(transparent)]
    Content(#[from] store::Error),
    /// A blob of ours that cannot be read.
    #[error("blob {digest}")]
    Source {
        /// The blob.
        digest: Digest,
        /// Why.
        source: io::Error,
    },
    /// A file of credentials or certificates that cannot be read.
    #[error("{}", common::name::show_path(.path))]
    File {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// One that is malformed.
    #[error("{}: {what}", common::name::show_path(.path))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The problem.
        what: String,
    },
    /// A registry that the configuration blocks.
    #[error("{host}: blocked in {}", common::name::show_path(.path))]
    Blocked {
        /// The registry.
        host: String,
        /// The file that blocks it.
        path: PathBuf,
    },
    /// A credential helper that fails.
    #[error("{program}: {what}")]
    Helper {
        /// The helper.
        program: String,
        /// The problem.
        what: String,
    },
}

impl Error {
    pub(super) fn connection(host: &str) -> impl Fn(ureq::Error) -> Self + '_ {
        move |source| match source {
            ureq::Error::Io(source) => Self::Io { host: host.to_owned(), source },
            source => Self::Connection { host: host.to_owned(), source },
        }
    }

    pub(super) fn protocol(host: &str, what: impl Into<String>) -> Self {
        Self::Protocol { host: host.to_owned(), what: what.into() }
    }

    /// Whether there may be somebody who does not speak TLS: no connection came about, and
    /// not for a certificate.
    pub(super) fn may_be_plain(&self) -> bool {
        let tls = match self {
            Self::Connection { source: ureq::Error::Rustls(tls), .. } => Some(tls),
            Self::Connection { .. } => None,
            Self::Io { source, .. } => tls_error(source),
            _ => return false,
        };
        !matches!(
            tls,
            Some(
                rustls::Error::InvalidCertificate(_)
                    | rustls::Error::NoCertificatesPresented
                    | rustls::Error::AlertReceived(_)
            )
        )
    }

    /// Whether it is worth trying again.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Io { source, .. } => {
                source.kind() != io::ErrorKind::ConnectionRefused && tls_error(source).is_none()
            }
            Self::Connection { source, .. } => matches!(
                source,
                ureq::Error::Timeout(_) | ureq::Error::Protocol(_) | ureq::Error::ConnectionFailed
            ),
            Self::Cut(_) | Self::Expired(_) => true,
            Self::Status { status, .. } => matches!(status, 408 | 425 | 429 | 500 | 502..=504),
            _ => false,
        }
    }

    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let with = |option: &str, hint: &str| cli::has_option(option).then(|| hint.to_owned());
        match self {
            Self::Denied { host, .. } => {
                // Credentials are kept under the host of image names.
                let host = if host == DOCKER_HUB_REGISTRY { DOCKER_HUB } else { host };
                let log_in = format!("log in with 'img-copy --login {host}' or 'docker login'");
                let hint = format!("{log_in}, or give --creds USER:PASSWORD");
                with("creds", &hint).or(Some(log_in))
            }
            Self::Status { status: 429 | 503, retry_after: Some(pause), .. } => {
                let seconds = count(pause.as_secs(), "second", "seconds");
                Some(format!("try again in {seconds}, as the registry asks"))
            }
            Self::Status { status: 429, .. } => with(
                "retry-times",
                "try again later, with --retry-times, or log in: many registries limit those \
                 who have not",
            )
            .or_else(|| Some("try again later, or log in".into())),
            Self::Status { status: 503, .. } => Some("try again later".into()),
            Self::Io { source, .. } if is_slow(source) => {
                with("speed-limit", "--speed-limit and --speed-time say how slow it may be")
            }
            _ => None,
        }
    }

    /// How long the registry asks us to wait.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// A status, and what it means: `429 too many requests`.
fn words(status: u16) -> String {
    let known = StatusCode::from_u16(status).ok();
    match known.and_then(|status| status.canonical_reason()) {
        Some(reason) => format!("{status} {}", reason.to_ascii_lowercase()),
        None => status.to_string(),
    }
}

fn is_slow(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<TooSlow>())
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

#[cfg(test)]
mod tests {
    use super::Error;

    #[test]
    fn dockers_registry_is_logged_in_to_by_its_name() {
        let host = "registry-1.docker.io".to_owned();
        let error = Error::Denied { host, what: "credentials are needed", detail: String::new() };
        assert!(error.hint().unwrap().contains("img-copy --login docker.io'"));
    }
}
