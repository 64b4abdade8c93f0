//! ARG: which names are set, to what, and who sees them.
//!
//! ARGs before the first FROM are seen by FROM lines alone, and by an ARG of the
//! same name without a default inside a stage. What the command line sets wins over
//! any default.

use std::collections::{BTreeMap, BTreeSet};

use common::containerfile::{Argument, Containerfile, Expander, Total, Variables};
use common::oci::Platform;

use crate::error::Error;
use crate::lint;

/// Set without ARG for the commands of RUN, and kept out of history and cache:
/// where a proxy is says nothing about the image.
const PROXIES: [&str; 5] = ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"];

/// Sets the time of all that is made.
pub(crate) const EPOCH: &str = "SOURCE_DATE_EPOCH";

/// Sets the host name that commands see.
const HOSTNAME: &str = "BUILDKIT_SANDBOX_HOSTNAME";

/// Keeps the `.git` directory of a context that is a repository, if it is 1.
pub(crate) const KEEP_GIT_DIR: &str = "BUILDKIT_CONTEXT_KEEP_GIT_DIR";

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
        let given = parse(given);
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
        Self { given, globals, used: BTreeSet::new() }
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
        variables: &dyn Variables,
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

    /// The proxies that were given, in both spellings.
    pub(super) fn proxies(&self) -> Vec<(String, String)> {
        let mut proxies = BTreeMap::new();
        let given = |name: &str| self.given.get(name);
        for name in PROXIES {
            let lower = name.to_ascii_lowercase();
            if let Some(value) = given(name).or_else(|| given(&lower)) {
                proxies.insert(lower, value.clone());
                proxies.insert(name.to_owned(), value.clone());
            }
        }
        proxies.into_iter().collect()
    }

    /// The host name that was given for commands.
    pub(super) fn hostname(&self) -> Option<&str> {
        self.given.get(HOSTNAME).map(String::as_str).filter(|name| !name.is_empty())
    }

    /// What was given and no ARG asked for.
    pub(super) fn unused(&self) -> Vec<&str> {
        let means_something = |name: &str| {
            [EPOCH, HOSTNAME, KEEP_GIT_DIR, lint::ARGUMENT].contains(&name)
                || PROXIES.iter().any(|proxy| proxy.eq_ignore_ascii_case(name))
        };
        let is_unused = |name: &&str| !self.used.contains(*name) && !means_something(name);
        self.given.keys().map(String::as_str).filter(is_unused).collect()
    }
}

/// The arguments of `--build-arg`, those without a value from the environment. The last of a
/// name counts; SOURCE_DATE_EPOCH is given by the environment, too.
pub(crate) fn parse(given: &[String]) -> BTreeMap<String, String> {
    let environment = |name: &str| Some((name.to_owned(), std::env::var(name).ok()?));
    let given = given.iter().filter_map(|text| match text.split_once('=') {
        Some((name, value)) => Some((name.to_owned(), value.to_owned())),
        None => environment(text),
    });
    environment(EPOCH).into_iter().chain(given).collect()
}
