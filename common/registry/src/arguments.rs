//! Options for access to registries, which all tools that read images share.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;

use clap::Args;
use common::cli::Failure;

use super::credentials::InvalidCredentials;
use super::{Credentials, Options, RegistryReference};

/// The options for access to any number of registries; flatten it into a tool's arguments.
#[derive(Debug, Clone, Default, Args)]
pub struct ReachOptions {
    /// Find credentials for registries in FILE and nowhere else
    #[arg(long, value_name = "FILE")]
    pub authfile: Option<PathBuf>,

    /// Whether to insist on TLS and on a valid certificate
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub tls_verify: Option<bool>,

    /// Trust the certificates in DIR too, and show ours from there
    #[arg(long, value_name = "DIR")]
    pub cert_dir: Option<PathBuf>,
}

/// The options for access to one registry; flatten it into a tool's arguments.
#[derive(Debug, Clone, Default, Args)]
pub struct RegistryOptions {
    #[command(flatten)]
    reach: ReachOptions,

    /// Log in to the registry as USER
    #[arg(long, value_name = "USER:PASSWORD")]
    creds: Option<CredentialsText>,
}

/// Credentials as they were typed. They are parsed later, because clap's error would repeat
/// the password.
#[derive(Clone)]
pub struct CredentialsText(OsString);

impl From<OsString> for CredentialsText {
    fn from(text: OsString) -> Self {
        Self(text)
    }
}

impl fmt::Debug for CredentialsText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialsText")
    }
}

impl CredentialsText {
    /// Returns the credentials of the option `name`.
    ///
    /// # Errors
    /// A text not of the form `USER:PASSWORD`.
    pub fn parse(&self, name: &str) -> Result<Credentials, Failure> {
        let parsed = self.0.to_str().ok_or(InvalidCredentials).and_then(str::parse);
        parsed.map_err(|error| Failure::usage(format!("--{name}: {error}")))
    }
}

/// Checks that the option `name` has a registry that it applies to, and no more than `most`.
///
/// # Errors
/// No registry in `hosts`, or too many.
pub fn check_meant(name: &str, hosts: &BTreeSet<String>, most: usize) -> Result<(), Failure> {
    match hosts.len() {
        0 => Err(Failure::usage(format!("--{name} is for registries, and there is none"))),
        count if count > most => {
            let text = format!("--{name} could mean any of {count} registries");
            Err(Failure::usage(text))
        }
        _ => Ok(()),
    }
}

impl ReachOptions {
    /// Returns the options for a client.
    #[must_use]
    pub fn options(&self) -> Options {
        Options {
            authfile: self.authfile.clone(),
            tls_verify: self.tls_verify,
            cert_dir: self.cert_dir.clone(),
            ..Options::default()
        }
    }
}

impl RegistryOptions {
    /// Returns the options for the client of a tool that reads the images `operands`.
    ///
    /// # Errors
    /// Options for a registry if no operand is in one, or if they could mean several;
    /// malformed credentials.
    pub fn options<'o>(
        &self,
        operands: impl IntoIterator<Item = &'o OsStr>,
    ) -> Result<Options, Failure> {
        let hosts = RegistryReference::hosts_of(operands);
        let given = [
            ("authfile", self.reach.authfile.is_some(), usize::MAX),
            ("tls-verify", self.reach.tls_verify.is_some(), 1),
            ("cert-dir", self.reach.cert_dir.is_some(), 1),
            // Credentials and settings for one registry must not reach another.
            ("creds", self.creds.is_some(), 1),
        ];
        for (name, _, most) in given.into_iter().filter(|(_, is_given, _)| *is_given) {
            check_meant(name, &hosts, most)?;
        }
        self.options_for_one()
    }

    /// Returns the options for the client of a tool that reads a single image, which may turn
    /// out to be in a registry.
    ///
    /// # Errors
    /// Malformed credentials.
    pub fn options_for_one(&self) -> Result<Options, Failure> {
        let credentials = self.creds.as_ref().map(|text| text.parse("creds")).transpose()?;
        Ok(Options { credentials, ..self.reach.options() })
    }
}
