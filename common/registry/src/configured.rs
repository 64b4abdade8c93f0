//! The administrator's and the user's settings of registries, from the files that podman and
//! skopeo read: containers-registries.conf(5), version 2 of the format.
//!
//! The settings `prefix`, `location`, `mirror`, `insecure` and `blocked` are supported. Short
//! names are expanded as docker does, so search lists and aliases are not read.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use common::image::DOCKER;
use serde::Deserialize;

use super::credentials::{directory, is_absent, read};
use super::{Error, Options, RegistryReference, Target, prefix};

/// The most files in one directory.
const MAX_FILES: usize = 1000;

/// The content of one file.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct File {
    registry: Vec<Entry>,
    /// Version 1 of the format.
    registries: Option<First>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct First {
    insecure: FirstList,
    block: FirstList,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FirstList {
    registries: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Entry {
    prefix: String,
    location: String,
    insecure: bool,
    blocked: bool,
    #[serde(rename = "mirror-by-digest-only")]
    by_digest_only: bool,
    mirror: Vec<Mirror>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Mirror {
    location: String,
    insecure: bool,
    #[serde(rename = "pull-from-mirror")]
    pulls: Pulls,
}

/// The pulls that a mirror is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Pulls {
    #[default]
    All,
    DigestOnly,
    TagOnly,
}

/// The configuration of one image or repository.
#[derive(Debug, Clone, Default)]
pub(super) struct Configured {
    entry: Entry,
}

/// A place to pull an image from.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) reference: RegistryReference,
    pub(super) insecure: bool,
    /// Set for a copy of another place.
    pub(super) is_mirror: bool,
}

impl Configured {
    /// Reads the settings for `reference`.
    ///
    /// # Errors
    /// A file that cannot be read, or is malformed; a registry that is blocked.
    pub(super) fn of(reference: &RegistryReference) -> Result<Self, Error> {
        let mut entries: BTreeMap<String, (PathBuf, Entry)> = BTreeMap::new();
        for path in files()? {
            let bytes = match read(&path) {
                Err(error) if is_absent(&error) => continue,
                read => read.map_err(|source| Error::File { path: path.clone(), source })?,
            };
            for entry in parse(&path, &bytes)? {
                entries.insert(entry.prefix.clone(), (path.clone(), entry));
            }
        }
        // A blocked registry is blocked under each of its names.
        let covers = |entry: &Entry| prefix::covers(&entry.prefix, reference, entry.blocked);
        let known = entries.into_values().filter(|(_, entry)| covers(entry));
        let Some((path, entry)) = known.max_by_key(|(_, entry)| entry.prefix.len()) else {
            return Ok(Self::default());
        };
        match entry.blocked {
            true => Err(Error::Blocked { host: reference.host.clone(), path }),
            false => Ok(Self { entry }),
        }
    }

    /// Returns the place of `reference` that is no mirror.
    ///
    /// # Errors
    /// A malformed location.
    pub(super) fn own(&self, reference: &RegistryReference) -> Result<Place, Error> {
        let Entry { location, insecure, .. } = &self.entry;
        let reference = self.entry.moved(reference, location)?;
        Ok(Place { reference, insecure: *insecure, is_mirror: false })
    }

    /// Returns the places to pull `reference` from, in the order in which they are tried.
    ///
    /// # Errors
    /// A malformed location.
    pub(super) fn places(&self, reference: &RegistryReference) -> Result<Vec<Place>, Error> {
        let is_digest = matches!(reference.target, Target::Digest(_));
        let is_for = |mirror: &&Mirror| match mirror.pulls {
            Pulls::All => is_digest || !self.entry.by_digest_only,
            Pulls::DigestOnly => is_digest,
            Pulls::TagOnly => !is_digest,
        };
        let mirrors = self.entry.mirror.iter().filter(is_for);
        let mirrors = mirrors.map(|mirror| {
            let reference = self.entry.moved(reference, &mirror.location)?;
            Ok(Place { reference, insecure: mirror.insecure, is_mirror: true })
        });
        mirrors.chain([self.own(reference)]).collect()
    }
}

impl Place {
    /// Returns the options of a connection to this place. Those `given` are for the registry
    /// of `named`, and another host gets neither its credentials nor its TLS settings.
    pub(super) fn options(&self, named: &RegistryReference, given: &Options) -> Options {
        let is_named = self.reference.host == named.host;
        let tls_verify = given.tls_verify.filter(|_| is_named);
        let retries = if self.is_mirror { given.retries.min(1) } else { given.retries };
        Options {
            credentials: given.credentials.clone().filter(|_| is_named && !self.is_mirror),
            cert_dir: given.cert_dir.clone().filter(|_| is_named),
            tls_verify: tls_verify.or(self.insecure.then_some(false)),
            retries,
            ..given.clone()
        }
    }
}

impl Entry {
    /// Returns the same image at `location`, which replaces the prefix.
    fn moved(
        &self,
        reference: &RegistryReference,
        location: &str,
    ) -> Result<RegistryReference, Error> {
        if location.is_empty() || location == self.prefix {
            return Ok(reference.clone());
        }
        let name = reference.repository();
        let rest = match self.prefix.starts_with('*') {
            true => name.strip_prefix(&reference.host),
            false => name.strip_prefix(&self.prefix),
        };
        let mark = match &reference.target {
            Target::Tag(tag) => format!(":{tag}"),
            Target::Digest(digest) => format!("@{digest}"),
        };
        let moved = format!("{location}{}", rest.unwrap_or_default());
        let parsed = match reference.path.is_empty() {
            true => RegistryReference::catalog(OsStr::new(&format!("{DOCKER}{moved}/"))),
            false => RegistryReference::parse(OsStr::new(&format!("{DOCKER}{moved}{mark}")))
                .and_then(Result::ok),
        };
        // A short name would be expanded to a name in Docker Hub.
        parsed.filter(|parsed| parsed.repository() == moved).ok_or_else(|| {
            Error::protocol(&reference.host, format!("'{location}' is not a location"))
        })
    }
}

/// Returns the files in the order in which they are read: a later one wins.
fn files() -> Result<Vec<PathBuf>, Error> {
    if let Some(file) = directory("CONTAINERS_REGISTRIES_CONF") {
        return Ok(vec![file]);
    }
    let home = directory("HOME").map(|home| home.join(".config"));
    let own = directory("XDG_CONFIG_HOME").or(home).map(|config| config.join("containers"));
    let own = own.filter(|path| path.is_absolute());
    let system = PathBuf::from("/etc/containers");
    let main = |folder: &Path| folder.join("registries.conf");
    let first = own.as_deref().map(main).filter(|path| path.is_file());
    let mut files = vec![first.unwrap_or_else(|| main(&system))];
    for folder in [Some(system), own].into_iter().flatten() {
        files.extend(parts(&folder.join("registries.conf.d"))?);
    }
    Ok(files)
}

/// Returns the `.conf` files of a directory, sorted by name.
fn parts(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::File { path: folder.into(), source };
    let entries = match fs::read_dir(folder) {
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        if files.len() == MAX_FILES {
            let what = format!("more than {MAX_FILES} files");
            return Err(Error::Malformed { path: folder.into(), what });
        }
        files.push(entry.map_err(failed)?.path());
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "conf"));
    files.sort();
    Ok(files)
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Vec<Entry>, Error> {
    let malformed = |what: String| Error::Malformed { path: path.into(), what };
    let text = std::str::from_utf8(bytes).map_err(|error| malformed(error.to_string()))?;
    let file: File = toml::from_str(text).map_err(|error| {
        let line = error.span().and_then(|span| text.get(..span.start));
        let line = line.map_or(0, |before| before.matches('\n').count()) + 1;
        malformed(format!("line {line}: {}", error.message()))
    })?;
    let first = file.registries.unwrap_or_default();
    if !first.block.registries.is_empty() || !first.insecure.registries.is_empty() {
        return Err(malformed("version 1 of the format is not supported".into()));
    }
    let mut entries = file.registry;
    for entry in &mut entries {
        let mirrors = entry.mirror.iter_mut().map(|mirror| &mut mirror.location);
        for text in mirrors.chain([&mut entry.prefix, &mut entry.location]) {
            *text = prefix::spelled(text).map_err(malformed)?;
        }
        if entry.prefix.is_empty() {
            entry.prefix.clone_from(&entry.location);
        }
        if entry.prefix.is_empty() {
            return Err(malformed("a registry has neither prefix nor location".into()));
        }
        prefix::check(&entry.prefix).map_err(malformed)?;
        if entry.mirror.iter().any(|mirror| mirror.location.is_empty()) {
            return Err(malformed(format!("{}: a mirror has no location", entry.prefix)));
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::{Configured, parse};
    use crate::RegistryReference;
    use std::ffi::OsStr;
    use std::path::Path;

    fn configured(text: &str) -> Configured {
        let entry = parse(Path::new("x"), text.as_bytes()).unwrap().remove(0);
        Configured { entry }
    }

    fn places(text: &str, name: &str) -> Vec<String> {
        let reference = RegistryReference::parse(OsStr::new(name)).unwrap().unwrap();
        let places = configured(text).places(&reference).unwrap();
        places.iter().map(|place| place.reference.to_string()).collect()
    }

    #[test]
    fn a_location_takes_the_place_of_a_prefix() {
        let text = "[[registry]]\nprefix = 'a.example/team'\nlocation = 'b.example/x/y'\n\
                    [[registry.mirror]]\nlocation = 'm.example'\n\
                    [[registry.mirror]]\nlocation = 'd.example'\npull-from-mirror = 'digest-only'";
        assert_eq!(
            places(text, "docker://a.example/team/app:1"),
            ["docker://m.example/app:1", "docker://b.example/x/y/app:1"]
        );
        let digest = format!("sha256:{}", "0".repeat(64));
        assert_eq!(
            places(text, &format!("docker://a.example/team/app@{digest}")),
            ["m.example", "d.example", "b.example/x/y"]
                .map(|place| format!("docker://{place}/app@{digest}"))
        );
        let hub = "[[registry]]\nlocation = 'docker.io'\nmirror-by-digest-only = true\n\
                   [[registry.mirror]]\nlocation = 'm.example/hub'";
        assert_eq!(places(hub, "docker://app"), ["docker://app"]);
        assert_eq!(
            places(hub, &format!("docker://app@{digest}")).first(),
            Some(&format!("docker://m.example/hub/library/app@{digest}"))
        );
        let all = "[[registry]]\nprefix = '*.example'\nlocation = 'b.test/all'";
        assert_eq!(places(all, "docker://a.example/x:1"), ["docker://b.test/all/x:1"]);
    }

    #[test]
    fn a_location_that_would_be_completed_is_refused() {
        let name = "docker://a.example/app:1";
        let reference = RegistryReference::parse(OsStr::new(name)).unwrap().unwrap();
        let catalog = RegistryReference::catalog(OsStr::new("docker://a.example/")).unwrap();
        for (location, for_one, for_all) in [
            ("internal", false, false),
            ("docker.io", false, true),
            ("docker.io/me", true, false),
            ("b.example/x:1", false, false),
            ("B.Example/x/", true, false),
            ("b.example:80", true, true),
        ] {
            let text = format!("[[registry]]\nprefix = 'a.example'\nlocation = '{location}'");
            let configured = configured(&text);
            for (reference, is_place) in [(&reference, for_one), (&catalog, for_all)] {
                let place = configured.own(reference);
                assert_eq!(place.is_ok(), is_place, "{location} {reference}: {place:?}");
                let said = place.err().map(|error| error.to_string()).unwrap_or_default();
                assert!(is_place || said.ends_with("is not a location"), "{said}");
            }
        }
    }

    #[test]
    fn what_is_no_list_of_registries_is_refused() {
        for (text, words) in [
            ("[[registry]", "x: line 1: "),
            ("\n[[registry]]\nblocked = 'yes'", "x: line 3: "),
            ("[[registry]]\nblocked = true", "neither prefix nor location"),
            ("[[registry]]\nlocation = 'a'\n[[registry.mirror]]", "a: a mirror has no location"),
            ("[registries.block]\nregistries = ['a']", "version 1 of the format"),
        ] {
            let error = parse(Path::new("x"), text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(words) && error.lines().count() == 1, "{error}");
        }
        let ignored = "unqualified-search-registries = ['a']\n[aliases]\n'b' = 'c/b'";
        assert!(parse(Path::new("x"), ignored.as_bytes()).unwrap().is_empty());
        let deep = format!("a = {}", "[".repeat(100_000));
        assert!(parse(Path::new("x"), deep.as_bytes()).is_err());
    }
}
