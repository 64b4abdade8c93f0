//! `docker://HOST/NAME[:TAG|@DIGEST]` (containers-transports(5)).

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;

use common::digest::{Digest, InvalidDigest};
use common::image::DOCKER;
use common::store::{InvalidName, Name};

use super::Repository;

/// Whose names have no host, and whose registry is elsewhere.
pub(super) const DOCKER_HUB: &str = "docker.io";
/// The name of its host in old files.
pub(super) const DOCKER_HUB_INDEX: &str = "index.docker.io";
pub(super) const DOCKER_HUB_REGISTRY: &str = "registry-1.docker.io";

/// An image in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryReference {
    /// The host in names, in lower case: `docker.io`, `localhost:5000`.
    pub(super) host: String,
    /// The repository's path on it.
    pub(super) path: String,
    /// What is meant in the repository.
    pub target: Target,
    /// The name, if not a digest alone is meant.
    pub name: Option<Name>,
    text: String,
}

/// A manifest in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// By its tag.
    Tag(String),
    /// By its digest.
    Digest(Digest),
}

/// A text that names nothing in a registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRegistryReference {
    /// Bytes that no name has.
    #[error("{}: not an image name", common::name::show(.0))]
    NotText(Vec<u8>),
    /// A malformed name.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// A malformed digest.
    #[error(transparent)]
    Digest(#[from] InvalidDigest),
}

impl RegistryReference {
    /// Returns true if an operand is of this transport, even if it is malformed.
    #[must_use]
    pub fn is_meant(operand: &str) -> bool {
        operand.starts_with(DOCKER)
    }

    /// Returns the registry of an operand, or the operand itself if it is malformed; `None` if it names
    /// another transport.
    fn host_of(operand: &OsStr) -> Option<String> {
        let parsed =
            Self::catalog(operand).map_or_else(|| Self::parse(operand), |one| Some(Ok(one)))?;
        Some(parsed.map_or_else(|_| operand.to_string_lossy().into_owned(), |one| one.host))
    }

    /// Returns the registries of the operands, each once.
    #[must_use]
    pub fn hosts_of<'o>(operands: impl IntoIterator<Item = &'o OsStr>) -> BTreeSet<String> {
        operands.into_iter().filter_map(Self::host_of).collect()
    }

    /// Parses an operand; `None` if it names another transport.
    ///
    /// # Errors
    /// A malformed name or digest.
    #[must_use]
    pub fn parse(operand: &OsStr) -> Option<Result<Self, InvalidRegistryReference>> {
        let rest = operand.as_bytes().strip_prefix(DOCKER.as_bytes())?;
        Some(match std::str::from_utf8(rest) {
            Ok(rest) => Self::parse_name(rest),
            Err(_) => Err(InvalidRegistryReference::NotText(operand.as_bytes().into())),
        })
    }

    fn parse_name(text: &str) -> Result<Self, InvalidRegistryReference> {
        let (named, digest) = match text.split_once('@') {
            Some((named, digest)) => (named, Some(digest.parse::<Digest>()?)),
            None => (text, None),
        };
        let name: Name = named.parse()?;
        let canonical = name.canonical();
        let repository = canonical.strip_suffix(name.tag()).unwrap_or(&canonical);
        let (host, path) = repository.trim_end_matches(':').split_once('/').unwrap_or_default();
        let has_tag = named.ends_with(&format!(":{}", name.tag()));
        Ok(Self {
            host: host.to_ascii_lowercase(),
            path: path.into(),
            target: match &digest {
                // With a tag and a digest the digest decides, as docker has it.
                Some(digest) => Target::Digest(digest.clone()),
                None => Target::Tag(name.tag().into()),
            },
            name: (digest.is_none() || has_tag).then_some(name),
            text: text.into(),
        })
    }

    /// The registry of `docker://HOST/`, whose slash asks for all that it has; `None` for any
    /// other operand.
    #[must_use]
    pub fn catalog(operand: &OsStr) -> Option<Self> {
        let text = std::str::from_utf8(operand.as_bytes().strip_prefix(DOCKER.as_bytes())?).ok()?;
        let host = text.strip_suffix('/').filter(|host| !host.contains('/'))?;
        let one = Self::parse_name(&format!("{host}/x")).ok()?;
        one.host.eq_ignore_ascii_case(host).then(|| Self {
            path: String::new(),
            text: text.into(),
            ..one
        })
    }

    /// The name of `digest` in the repository.
    #[must_use]
    pub fn by_digest(&self, digest: &Digest) -> String {
        format!("{DOCKER}{}/{}@{digest}", self.host, self.path)
    }

    /// The name of `tag` in the repository, or of the repository `tag` of a whole registry.
    #[must_use]
    pub fn beside(&self, tag: &str) -> String {
        match self.path.as_str() {
            "" => format!("{DOCKER}{}/{tag}", self.host),
            path => format!("{DOCKER}{}/{path}:{tag}", self.host),
        }
    }

    /// The repository of an image of this name, if it is another one of the same registry.
    #[must_use]
    pub fn repository_of(&self, name: &str) -> Option<String> {
        let named = Self::parse_name(name).ok()?;
        (named.host == self.host && named.path != self.path).then_some(named.path)
    }

    /// As [`Self::repository_of`], of a repository that is open.
    #[must_use]
    pub fn repository_beside(&self, other: &Repository) -> Option<String> {
        (other.host == self.host && other.path != self.path).then(|| other.path.clone())
    }

    /// Returns the whole name of the repository.
    pub(super) fn repository(&self) -> String {
        match self.path.as_str() {
            "" => self.host.clone(),
            path => format!("{}/{path}", self.host),
        }
    }

    /// The machine that answers for the host.
    pub(super) fn authority(&self) -> &str {
        if self.host == DOCKER_HUB { DOCKER_HUB_REGISTRY } else { &self.host }
    }
}

impl fmt::Display for RegistryReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{DOCKER}{}", common::name::show(&self.text))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => f.write_str(tag),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{RegistryReference, Target};
    use common::digest::Digest;
    use std::ffi::OsStr;

    fn parse(text: &str) -> RegistryReference {
        RegistryReference::parse(OsStr::new(text)).unwrap().unwrap()
    }

    #[test]
    fn names_are_completed_as_docker_does() {
        for (text, authority, path, tag) in [
            ("docker://app", "registry-1.docker.io", "library/app", "latest"),
            ("docker://docker.io/me/app:1", "registry-1.docker.io", "me/app", "1"),
            ("docker://localhost:5000/a/b:x", "localhost:5000", "a/b", "x"),
            ("docker://quay.io/a", "quay.io", "a", "latest"),
            ("docker://[::1]:80/a", "[::1]:80", "a", "latest"),
        ] {
            let reference = parse(text);
            assert_eq!((reference.authority(), reference.path.as_str()), (authority, path));
            assert_eq!(reference.target, Target::Tag(tag.into()));
            assert!(reference.name.is_some());
            assert_eq!(reference.to_string(), text);
        }
        let digest = Digest::of(b"");
        let only = parse(&format!("docker://quay.io/a@{digest}"));
        assert_eq!((only.target, only.name), (Target::Digest(digest.clone()), None));
        let both = parse(&format!("docker://quay.io/a:1@{digest}"));
        assert_eq!(both.target, Target::Digest(digest));
        assert!(both.name.is_some());
    }

    #[test]
    fn a_host_with_a_slash_is_its_catalog() {
        let catalog = |text: &str| RegistryReference::catalog(OsStr::new(text));
        let whole = catalog("docker://localhost:5000/").unwrap();
        assert_eq!((whole.authority(), whole.path.as_str()), ("localhost:5000", ""));
        assert_eq!(whole.beside("a/b"), "docker://localhost:5000/a/b");
        assert_eq!(parse("docker://h.x/a:1").beside("2"), "docker://h.x/a:2");
        for other in
            ["docker://", "docker:///", "docker://a/", "docker://h.x/a/", "docker://h.x", "x"]
        {
            assert!(catalog(other).is_none(), "{other}");
        }
    }

    #[test]
    fn what_names_nothing_is_refused() {
        assert!(RegistryReference::parse(OsStr::new("oci:x")).is_none());
        for text in [
            "docker://",
            "docker://A",
            "docker://a/../b",
            "docker://a@sha256:0",
            "docker:///a",
            "docker://a?b",
        ] {
            assert!(RegistryReference::parse(OsStr::new(text)).unwrap().is_err(), "{text}");
        }
    }
}
