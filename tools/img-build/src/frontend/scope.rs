//! ARG: which names are set, to what, and who sees them.
//!
//! ARGs before the first FROM are seen by FROM lines alone, and by an ARG of the
//! same name without a default inside a stage. What the command line sets wins over
//! any default.

use std::collections::{BTreeMap, BTreeSet};

use common::containerfile::{Argument, Containerfile, Expander, Total};
use common::oci::Platform;

use crate::error::Error;

/// Set without ARG for the commands of RUN, and kept out of history and cache:
/// where a proxy is says nothing about the image.
const PROXIES: [&str; 10] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "FTP_PROXY",
    "ftp_proxy",
    "NO_PROXY",
    "no_proxy",
    "ALL_PROXY",
    "all_proxy",
];

/// The ARGs of a build.
#[derive(Debug, Default)]
pub(super) struct Scope {
    given: BTreeMap<String, String>,
    globals: BTreeMap<String, String>,
    used: BTreeSet<String>,
}

impl Scope {
    /// The arguments of `--build-arg`.
    pub(super) fn new(given: &[String], platform: &Platform) -> Self {
        let given = given.iter().filter_map(|text| match text.split_once('=') {
            Some((name, value)) => Some((name.to_owned(), value.to_owned())),
            None => Some((text.clone(), std::env::var(text).ok()?)),
        });
        let build = Platform::host();
        let mut globals = BTreeMap::new();
        for (prefix, platform) in [("TARGET", platform), ("BUILD", &build)] {
            let variant = platform.variant.clone().unwrap_or_default();
            for (name, value) in [
                ("PLATFORM", platform.to_string()),
                ("OS", platform.os.clone()),
                ("OSVERSION", platform.os_version.clone().unwrap_or_default()),
                ("ARCH", platform.architecture.clone()),
                ("VARIANT", variant),
            ] {
                globals.insert(format!("{prefix}{name}"), value);
            }
        }
        Self { given: given.collect(), globals, used: BTreeSet::new() }
    }

    /// The values that FROM lines see.
    pub(super) fn globals(&self) -> &BTreeMap<String, String> {
        &self.globals
    }

    /// Sets `TARGETSTAGE`, and the ARGs before the first FROM.
    ///
    /// # Errors
    /// A default that cannot be expanded, with its line.
    pub(super) fn declare_globals(
        &mut self,
        file: &Containerfile,
        target: &str,
        expander: Expander,
    ) -> Result<(), (u32, Error)> {
        self.globals.insert("TARGETSTAGE".into(), target.into());
        let total = Total::default();
        for (line, arguments) in &file.globals {
            for Argument { name, default } in arguments {
                self.used.insert(name.clone());
                let value = match (self.given.get(name), default) {
                    (Some(given), _) => given.clone(),
                    (None, Some(default)) => expander
                        .word(default, &self.globals)
                        .and_then(|value| total.count(value))
                        .map_err(|problem| (*line, problem.into()))?,
                    (None, None) => continue,
                };
                self.globals.insert(name.clone(), value);
            }
        }
        Ok(())
    }

    /// The value of an ARG inside a stage, given the variables there.
    ///
    /// # Errors
    /// A default that cannot be expanded.
    pub(super) fn declare(
        &mut self,
        argument: &Argument,
        variables: &BTreeMap<String, String>,
        expander: Expander,
    ) -> Result<Option<String>, Error> {
        self.used.insert(argument.name.clone());
        if let Some(given) = self.given.get(&argument.name) {
            return Ok(Some(given.clone()));
        }
        match &argument.default {
            Some(default) => Ok(Some(expander.word(default, variables)?)),
            None => Ok(self.globals.get(&argument.name).cloned()),
        }
    }

    /// The proxies that were given.
    pub(super) fn proxies(&self) -> impl Iterator<Item = (&str, &str)> {
        let given = self.given.iter().filter(|(name, _)| PROXIES.contains(&name.as_str()));
        given.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// What was given and no ARG asked for.
    pub(super) fn unused(&self) -> Vec<&str> {
        let is_unused = |name: &&str| !self.used.contains(*name) && !PROXIES.contains(name);
        self.given.keys().map(String::as_str).filter(is_unused).collect()
    }
}
