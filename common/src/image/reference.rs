//! What users type to name an image (containers-transports(5)).

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;

use crate::store::Name;

/// The transport of images in registries.
pub const DOCKER: &str = "docker://";

/// Where an image is. Paths are bytes; the colon that ends one is the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// `NAME[:TAG]`, a digest, or the beginning of one: in the store.
    Store(String),
    /// `oci:DIR[:REF]`: in another layout.
    Layout {
        /// The layout.
        dir: PathBuf,
        /// The image's name in it.
        name: Option<String>,
    },
    /// `oci-archive:FILE[:REF]`: a layout in a tar file.
    OciArchive {
        /// The file.
        file: PathBuf,
        /// The image's name in it.
        name: Option<String>,
    },
    /// `docker-archive:FILE[:REF]`: what `docker save` writes.
    DockerArchive {
        /// The file.
        file: PathBuf,
        /// The image's name in it, or `@N` for the one at position N.
        name: Option<String>,
    },
    /// `docker://[HOST/]NAME[:TAG|@DIGEST]`: in a registry, as it was typed.
    Registry(OsString),
    /// `-`: an archive of either kind on standard input.
    Standard,
}

/// A text that names no image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReference {
    /// A transport without its file or folder.
    #[error("'{}': nothing after the transport", crate::name::show(.0))]
    Incomplete(Vec<u8>),
    /// Neither a name nor a digest.
    #[error("{}: not an image name", crate::name::show(.0))]
    NotAName(Vec<u8>),
    /// A path, most likely to an archive.
    #[error("{}: not an image name, but a path", crate::name::show(.0))]
    Path(Vec<u8>),
    /// In a place of a kind that we do not know.
    #[error("{}: transport '{other}' is not supported", crate::name::show(.text))]
    Transport {
        /// As it was typed.
        text: Vec<u8>,
        /// The transport, with its colon.
        other: &'static str,
    },
    /// In a registry, for a tool that reaches none or cannot write there.
    #[error("{}: in a registry, where this tool cannot go", crate::name::show(.0))]
    Registry(Vec<u8>),
}

/// Transports of containers-transports(5) that we do not have.
const OTHERS: [&str; 5] = ["dir:", "docker-daemon:", "containers-storage:", "ostree:", "sif:"];

impl InvalidReference {
    /// Returns the hint for this error.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Transport { other, .. } => {
                let save = match *other {
                    "docker-daemon:" => "; 'docker save NAME | img-copy - NAME' reads docker's own",
                    "containers-storage:" => {
                        "; 'podman save NAME | img-copy - NAME' reads podman's own"
                    }
                    _ => "",
                };
                Some(format!(
                    "there are docker://, oci:, oci-archive:, docker-archive: and -, and names \
                     in the store{save}"
                ))
            }
            Self::Path(_) => {
                Some("write oci-archive:FILE, docker-archive:FILE or oci:DIR".to_owned())
            }
            Self::Registry(text) => {
                Some(format!("pull it first: img-copy {} NAME", String::from_utf8_lossy(text)))
            }
            _ => None,
        }
    }
}

impl Reference {
    /// Parses what a user typed.
    ///
    /// # Errors
    /// A text that names no image.
    pub fn parse(text: &OsStr) -> Result<Self, InvalidReference> {
        let bytes = text.as_bytes();
        if crate::stream::is_standard(text) {
            return Ok(Self::Standard);
        }
        if bytes.starts_with(DOCKER.as_bytes()) {
            return Ok(Self::Registry(text.into()));
        }
        let transport = |prefix: &[u8]| bytes.strip_prefix(prefix);
        if let Some(rest) = transport(b"oci:") {
            let (dir, name) = split(bytes, rest)?;
            return Ok(Self::Layout { dir, name });
        }
        if let Some(rest) = transport(b"oci-archive:") {
            let (file, name) = split(bytes, rest)?;
            return Ok(Self::OciArchive { file, name });
        }
        if let Some(rest) = transport(b"docker-archive:") {
            let (file, name) = split(bytes, rest)?;
            return Ok(Self::DockerArchive { file, name });
        }
        if let Some(other) = OTHERS.into_iter().find(|other| bytes.starts_with(other.as_bytes())) {
            return Err(InvalidReference::Transport { text: bytes.into(), other });
        }
        if bytes.starts_with(b"/") || bytes.starts_with(b"./") || bytes.starts_with(b"../") {
            return Err(InvalidReference::Path(bytes.into()));
        }
        match std::str::from_utf8(bytes) {
            Ok(text) if !text.is_empty() && !text.contains(char::is_control) => {
                Ok(Self::Store(text.into()))
            }
            _ => Err(InvalidReference::NotAName(bytes.into())),
        }
    }

    /// The name in the store that is asked for, completed; `None` for digests and
    /// for images elsewhere.
    #[must_use]
    pub fn store_name(&self) -> Option<Name> {
        match self {
            Self::Store(text) => text.parse().ok(),
            _ => None,
        }
    }
}

/// As the user would type it, shown safely.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut at = |transport: &str, path: &PathBuf, name: &Option<String>| {
            write!(f, "{transport}:{}", crate::name::show_path(path))?;
            match name {
                Some(name) => write!(f, ":{}", crate::name::show(name)),
                None => Ok(()),
            }
        };
        match self {
            Self::Layout { dir, name } => at("oci", dir, name),
            Self::OciArchive { file, name } => at("oci-archive", file, name),
            Self::DockerArchive { file, name } => at("docker-archive", file, name),
            Self::Store(name) => write!(f, "{}", crate::name::show(name)),
            Self::Registry(text) => write!(f, "{}", crate::name::show_path(text)),
            Self::Standard => f.write_str("standard input"),
        }
    }
}

/// `PATH[:NAME]`.
pub(super) fn split(
    all: &[u8],
    rest: &[u8],
) -> Result<(PathBuf, Option<String>), InvalidReference> {
    let mut parts = rest.splitn(2, |&byte| byte == b':');
    let path = parts.next().unwrap_or_default();
    if path.is_empty() {
        return Err(InvalidReference::Incomplete(all.into()));
    }
    let name = match parts.next().map(|name| String::from_utf8(name.into())) {
        None => None,
        Some(Ok(name)) if !name.is_empty() && !name.contains(char::is_control) => Some(name),
        Some(_) => return Err(InvalidReference::NotAName(all.into())),
    };
    Ok((PathBuf::from(OsString::from_vec(path.into())), name))
}

#[cfg(test)]
mod tests {
    use super::{InvalidReference, Reference};
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    fn parse(text: &str) -> Result<Reference, InvalidReference> {
        Reference::parse(OsStr::new(text))
    }

    #[test]
    fn transports_are_told_apart() {
        assert_eq!(parse("-"), Ok(Reference::Standard));
        assert_eq!(parse("oci"), Ok(Reference::Store("oci".into())));
        let name = Some("host:5000/app:1".into());
        assert_eq!(
            parse("oci:a b/c:host:5000/app:1"),
            Ok(Reference::Layout { dir: "a b/c".into(), name })
        );
        assert_eq!(
            parse("oci-archive:x.tar"),
            Ok(Reference::OciArchive { file: "x.tar".into(), name: None })
        );
        for text in ["app:1", "docker-archive:x.tar:@1", "oci:d"] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_names_nothing_is_refused() {
        assert!(matches!(parse("docker://app"), Ok(Reference::Registry(_))));
        assert!(matches!(parse("./x.tar"), Err(InvalidReference::Path(_))));
        for text in ["", "oci:", "oci::x", "oci:d:", "a\nb", "oci:d:a\x1b"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
        assert!(Reference::parse(OsStr::from_bytes(b"\xff")).is_err());
        assert!(Reference::parse(OsStr::from_bytes(b"oci:\xff")).is_ok());
    }
}
