//! Why a build fails. What happens at a line of the Containerfile is wrapped in
//! [`Error::At`], once.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use common::containerfile;
use common::digest::{DiffId, Digest};
use common::name::{show, show_path};
use common::sandbox;

/// Why a build fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// `Containerfile:3: COPY`, and what went wrong there.
    #[error("{place}")]
    At { place: String, source: Box<Error> },
    /// A trigger of the base image.
    #[error("ONBUILD")]
    Trigger(#[source] Box<Error>),
    #[error("{file}:{source}")]
    Syntax { file: String, source: containerfile::Error },
    #[error("{0}")]
    Word(#[from] containerfile::Problem),
    #[error("{}", show_path(.path))]
    File { path: PathBuf, source: std::io::Error },
    /// What the context calls its Containerfile.
    #[error("{}", show_path(.path))]
    Containerfile { path: PathBuf, source: std::io::Error },
    #[error("{}", show(.path))]
    Read { path: Vec<u8>, source: std::io::Error },
    #[error("{}", show(.path))]
    InvalidPath { path: Vec<u8>, source: common::root::InvalidPath },
    #[error("{}: a layer cannot hold a name that begins with '.wh.'", show(.0))]
    ReservedName(Vec<u8>),
    #[error("{}: a hard link to nothing", show(.0))]
    LinkToNothing(Vec<u8>),
    #[error("layer {layer}")]
    Layer { layer: Digest, source: std::io::Error },
    /// What no tree takes, wherever the layer is applied.
    #[error("{place}: {}", show(.path))]
    Member { place: String, path: Vec<u8>, source: common::layer::apply::Problem },
    #[error("DiffID mismatch: expected {expected}, got {actual}")]
    DiffId { expected: DiffId, actual: Digest },
    #[error(transparent)]
    Remote(#[from] registry::Error),
    #[error(transparent)]
    Store(#[from] common::store::Error),
    #[error(transparent)]
    Image(#[from] common::image::Error),
    #[error(transparent)]
    Reference(#[from] common::image::InvalidReference),
    #[error(transparent)]
    Document(#[from] common::oci::Error),
    #[error(transparent)]
    Platform(#[from] common::oci::InvalidPlatform),
    #[error(transparent)]
    Stream(#[from] common::stream::Error),
    #[error(transparent)]
    Tar(#[from] common::tar::Error),
    #[error(transparent)]
    Epoch(#[from] common::time::InvalidEpoch),
    #[error(transparent)]
    Resolve(#[from] common::layer::tree::ResolveError),
    #[error("directories are nested more than {0} deep")]
    TooDeep(usize),
    #[error(transparent)]
    Unpacked(#[from] common::unpacked::Error),
    #[error(transparent)]
    Sandbox(#[from] common::sandbox::Error),
    #[error(transparent)]
    Apply(#[from] common::layer::apply::Error),
    #[error(transparent)]
    Merge(#[from] common::layer::merge::Error),
    #[error(transparent)]
    Diff(#[from] common::layer::diff::Error),
    /// An image that cannot be pulled.
    #[error("{text}")]
    Pull { text: String, hint: Option<String> },
    #[error(transparent)]
    Suggested(Suggestion),
    /// Said in full.
    #[error("{0}")]
    Other(String),
    #[error("{0} is not supported")]
    Unsupported(String),
    #[error("'{}': no such file in {place}", show(.path))]
    NotFound { path: String, place: String },
    #[error("{}: the link leads to nothing that can be copied", show(.0))]
    LinkToNowhere(Vec<u8>),
    #[error("cannot replace the directory '{}' with a file", show(.0))]
    FileOverDirectory(Vec<u8>),
    #[error("cannot copy a directory over '{}', which is none", show(.0))]
    DirectoryOverFile(Vec<u8>),
    #[error("RUN exited with status {0}")]
    Exited(u8),
    #[error("RUN was killed by signal {0}")]
    Killed(i32),
}

/// An image that is not there, and the stage that was probably meant.
#[derive(Debug)]
pub(crate) struct Suggestion {
    pub(crate) nearest: String,
    pub(crate) source: Box<Error>,
}

impl fmt::Display for Suggestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl std::error::Error for Suggestion {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.source()
    }
}

impl Error {
    /// What can be done about it.
    pub(crate) fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::At { source, .. } => source.hint(),
            Self::Trigger(source) => source.hint(),
            Self::Syntax { source, .. } => source.problem.hint().map(Cow::Owned),
            Self::Word(problem) => problem.hint().map(Cow::Owned),
            Self::Pull { hint, .. } => hint.as_deref().map(Cow::Borrowed),
            Self::Suggested(Suggestion { nearest, .. }) => {
                Some(format!("did you mean the stage '{nearest}'?").into())
            }
            // RUN takes no --cap-add, as in docker.
            Self::Sandbox(sandbox::Error::NotExecutable { lacks, .. }) if !lacks.is_empty() => {
                let names = lacks.join(", ");
                Some(
                    format!("RUN has no {names}: remove the file's capabilities (setcap -r)")
                        .into(),
                )
            }
            Self::Sandbox(error) => error.hint(),
            Self::Containerfile { .. } => Some("-f can name a Containerfile anywhere".into()),
            _ => None,
        }
    }

    /// An error at a line of the Containerfile.
    pub(crate) fn at(label: &str, line: u32, keyword: &str) -> impl FnOnce(Self) -> Self + use<> {
        let place = format!("{label}:{line}");
        let keyword = keyword.to_owned();
        move |error| match error {
            Self::Exited(_) | Self::Killed(_) | Self::Word(_) => {
                Self::At { place, source: Box::new(error) }
            }
            error => Self::At { place: format!("{place}: {keyword}"), source: Box::new(error) },
        }
    }

    pub(crate) fn member(
        place: impl Into<String>,
    ) -> impl FnOnce((Vec<u8>, common::layer::apply::Problem)) -> Self {
        let place = place.into();
        move |(path, source)| Self::Member { place, path, source }
    }

    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
