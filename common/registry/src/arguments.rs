//! The options that say how a registry is reached: the same in every tool that reads images.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::PathBuf;

use clap::Args;
use common::cli::Failure;

use super::{Credentials, Options, RegistryReference};

/// How registries are reached, whichever they are; flatten it into a tool's arguments.
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

/// How one registry is reached; flatten it into a tool's arguments.
#[derive(Debug, Clone, Default, Args)]
pub struct RegistryOptions {
    #[command(flatten)]
    reach: ReachOptions,

    /// Log in to the registry as USER
    #[arg(long, value_name = "USER:PASSWORD")]
    creds: Option<Credentials>,
}

impl ReachOptions {
    /// The same for the client.
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
    /// The same for the client of a tool that reads the images `operands`.
    ///
    /// # Errors
    /// Options for a registry if no operand is in one, or if they could mean several.
    pub fn options<'o>(
        &self,
        operands: impl IntoIterator<Item = &'o OsStr>,
    ) -> Result<Options, Failure> {
        let hosts = operands.into_iter().filter_map(RegistryReference::host_of);
        let hosts: BTreeSet<String> = hosts.collect();
        let given = [
            ("authfile", self.reach.authfile.is_some(), usize::MAX),
            ("tls-verify", self.reach.tls_verify.is_some(), 1),
            ("cert-dir", self.reach.cert_dir.is_some(), 1),
            // What is meant for one registry is not for another to see.
            ("creds", self.creds.is_some(), 1),
        ];
        for (name, _, most) in given.into_iter().filter(|(_, is_given, _)| *is_given) {
            if hosts.is_empty() {
                let text = format!("--{name} is for registries, and there is none");
                return Err(Failure::usage(text));
            }
            if hosts.len() > most {
                let text = format!("--{name} could mean any of {} registries", hosts.len());
                return Err(Failure::usage(text));
            }
        }
        Ok(self.options_for_one())
    }

    /// The same for the client of a tool that has only one image to read, which may turn out
    /// to be in a registry.
    #[must_use]
    pub fn options_for_one(&self) -> Options {
        Options { credentials: self.creds.clone(), ..self.reach.options() }
    }
}
