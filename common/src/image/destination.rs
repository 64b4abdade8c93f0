//! Where `-o` puts an image: an archive, a stream, or another layout.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::archive::{self, Selection};
use super::{Error, InvalidReference, Product, reference};
use crate::oci::Descriptor;
use crate::store::{BlobReader, Name, Store};
use crate::stream::{self, Output, Payload};
use crate::tar;

/// A place for an image, other than the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// `-`, `oci-archive:FILE[:NAME]` or `docker-archive:FILE[:NAME]`: one archive
    /// that is both.
    Archive {
        /// The file, `-` for standard output.
        file: PathBuf,
        /// A name for the image.
        name: Option<Name>,
    },
    /// `oci:DIR[:REF]`.
    Layout {
        /// The layout.
        dir: PathBuf,
        /// A name for the image, as it stands.
        name: Option<String>,
    },
}

/// A text that is no destination.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDestination {
    /// Malformed, or a registry.
    #[error(transparent)]
    Reference(#[from] InvalidReference),
    /// The name after the file is none.
    #[error(transparent)]
    Name(#[from] crate::store::InvalidName),
    /// No transport that can be written.
    #[error("{}: not a destination (-, oci:DIR[:NAME], oci-archive:FILE[:NAME] or docker-archive:FILE[:NAME])", crate::name::show(.0))]
    Unknown(Vec<u8>),
}

impl Destination {
    /// Parses what follows `-o`.
    ///
    /// # Errors
    /// A text that is no destination.
    pub fn parse(text: &OsStr) -> Result<Self, InvalidDestination> {
        let bytes = text.as_bytes();
        if crate::stream::is_standard(text) {
            return Ok(Self::Archive { file: "-".into(), name: None });
        }
        if bytes.starts_with(b"docker://") {
            return Err(InvalidReference::Registry(bytes.into()).into());
        }
        if let Some(rest) = bytes.strip_prefix(b"oci:") {
            let (dir, name) = reference::split(bytes, rest)?;
            return Ok(Self::Layout { dir, name });
        }
        // Refuses the transports of others by name.
        let _ = super::Reference::parse(text)?;
        let archive = [&b"oci-archive:"[..], b"docker-archive:"];
        let Some(rest) = archive.iter().find_map(|prefix| bytes.strip_prefix(*prefix)) else {
            return Err(InvalidDestination::Unknown(bytes.into()));
        };
        let (file, name) = reference::split(bytes, rest)?;
        let name = name.map(|name| name.parse()).transpose()?;
        Ok(Self::Archive { file, name })
    }

    /// Whether the image itself goes to standard output, so that nothing else may.
    #[must_use]
    pub fn is_standard(&self) -> bool {
        matches!(self, Self::Archive { file, .. } if file == Path::new("-"))
    }

    /// Refuses, before any work is done, what can be seen to fail.
    ///
    /// # Errors
    /// A terminal for an archive.
    pub fn check(&self) -> Result<(), Error> {
        if self.is_standard() {
            Output::standard(Payload::Binary)?;
        }
        Ok(())
    }

    /// Puts `product` there, under its name there and under `names`.
    ///
    /// # Errors
    /// A blob that is missing or damaged; a destination that cannot be written.
    ///
    /// # Streams
    /// Writes standard output for `-`.
    pub fn write(&self, product: &Product, names: &[Name]) -> Result<(), Error> {
        match self {
            Self::Archive { file, name } => {
                let names: Vec<Name> = name.iter().chain(names).cloned().collect();
                write_archive(file, &product.selection(names), |blob| product.blob(blob))
            }
            Self::Layout { dir, name } => {
                let store = Store::create(dir)?.unmade_if_empty();
                product.copy_to(&store)?;
                let names = name.iter().cloned().chain(names.iter().map(Name::to_string));
                Ok(store.tag_as(&names.collect::<Vec<_>>(), &product.root)?)
            }
        }
    }
}

/// Writes an archive to `file`, `-` being standard output: see [`archive::write`].
///
/// # Errors
/// A blob that is missing or damaged; a file that cannot be written.
///
/// # Streams
/// Writes standard output for `-`.
pub fn write_archive(
    file: &Path,
    selection: &Selection<'_>,
    open: impl Fn(&Descriptor) -> Result<BlobReader, Error>,
) -> Result<(), Error> {
    let mut output = Output::open(Some(file.as_os_str()), Payload::Binary)?;
    archive::write(selection, open, &mut output).map_err(|error| about_output(file, error))?;
    Ok(output.commit()?)
}

/// An archive that cannot be written is its file's failure, not the archive's.
fn about_output(file: &Path, error: Error) -> Error {
    match error {
        Error::Tar(tar::Error::Write(source)) if stream::is_standard(file.as_os_str()) => {
            stream::Error::StandardOutput(source).into()
        }
        Error::Tar(tar::Error::Write(source)) => {
            stream::Error::File { path: file.into(), source }.into()
        }
        error => error,
    }
}
