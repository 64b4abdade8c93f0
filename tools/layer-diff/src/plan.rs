//! What is to be compared, and what is to be made of it: everything that can be
//! refused before anything is read.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use common::cli::Failure;
use common::glob::Pattern;
use common::layer::diff::{
    self, Mounts, Options, OverlayRoot, Owner, Sink, Sockets, Summary, XattrRules,
};
use common::options::{Compress, OutputFile};
use common::stream::{self, Output, Payload};
use common::tar;
use common::time;

use crate::cli::{Cli, OwnerChoice, YesNo};
use crate::images::Images;

/// A run of the tool.
#[derive(Debug)]
pub(crate) struct Plan {
    source: Source,
    options: Options,
    file: OutputFile,
    pub(crate) form: Form,
    /// Whether changes are to be told by the status.
    pub(crate) exit_code: bool,
    /// Whether it was said what to do about mount points.
    pub(crate) mounts_were_chosen: bool,
    /// Whether digests are to be told.
    pub(crate) tells_digests: bool,
}

/// Where the changes are.
#[derive(Debug)]
enum Source {
    Trees { lower: Option<PathBuf>, upper: PathBuf },
    Overlay { upper: PathBuf, lowers: Vec<PathBuf> },
    Images(Box<Images>),
}

/// What the changes are written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A layer.
    Layer(Compress),
    /// Lines.
    Lines { end: u8 },
    /// JSON objects.
    Json,
}

impl Plan {
    pub(crate) fn new(cli: Cli) -> Result<Self, Failure> {
        let form = form(&cli)?;
        let options = options(&cli)?;
        let images = cli.image.then(|| Images::new(&cli));
        if images.is_none() {
            cli.registries.options([])?;
        }
        let mut trees = cli.trees;
        let source = match (cli.overlay, trees.pop(), trees.pop()) {
            (true, Some(_), Some(_)) => {
                return Err(Failure::usage("--overlay takes one directory: the upper one"));
            }
            (true, Some(upper), None) => Source::Overlay { upper, lowers: cli.lowers },
            (false, Some(upper), lower) => Source::Trees { lower, upper },
            (_, None, _) => return Err(Failure::usage("no tree was given")),
        };
        let source = match images {
            Some(images) => Source::Images(Box::new(images?)),
            None => source,
        };
        Ok(Self {
            source,
            options,
            file: cli.file,
            form,
            exit_code: cli.exit_code,
            mounts_were_chosen: cli.one_file_system.is_some(),
            tells_digests: cli.output.verbose,
        })
    }

    /// Opens the output.
    pub(crate) fn open(&self, payload: Payload) -> Result<Output, stream::Error> {
        self.file.open(payload)
    }

    /// Tells `sink` of all changes.
    pub(crate) fn tell(&self, sink: &mut dyn Sink) -> Result<Summary, Failure> {
        let summary = match &self.source {
            Source::Trees { lower, upper } => {
                diff::trees(lower.as_deref(), upper, &self.options, sink)
            }
            Source::Overlay { upper, lowers } => {
                let lowers: Vec<&Path> = lowers.iter().map(PathBuf::as_path).collect();
                diff::overlay(upper, &lowers, &self.options, sink)
            }
            Source::Images(images) => images.tell(&self.options, sink)?,
        };
        summary.map_err(|error| self.failure(error))
    }

    /// An error of the trees, or of the output.
    pub(crate) fn failure(&self, error: diff::Error) -> Failure {
        match &error {
            diff::Error::Sink(sink) => match sink.downcast_ref::<tar::Error>() {
                // It names the entry.
                Some(tar::Error::Unwritable { .. }) => error.into(),
                _ => self.write_failure(error),
            },
            diff::Error::LowerNeeded { .. } => {
                Failure::from(error).hint("name the lower directories with --lower, base first")
            }
            diff::Error::HiddenNames { .. } => Failure::from(error).hint(
                "name the lower directories with --lower and the mount's work directory with \
                 --work, or compare the mounted tree",
            ),
            diff::Error::WhiteoutDevice { .. } | diff::Error::OverlayXattr { .. } => {
                Failure::from(error)
                    .hint("if it is an upper directory, use --overlay; see also --xattrs")
            }
            _ => error.into(),
        }
    }

    /// An error of the output.
    pub(crate) fn write_failure(&self, error: impl std::error::Error + 'static) -> Failure {
        self.file.failure(error)
    }
}

fn form(cli: &Cli) -> Result<Form, Failure> {
    Ok(match (cli.list, cli.json) {
        (true, _) => Form::Lines { end: if cli.null { 0 } else { b'\n' } },
        (_, true) => Form::Json,
        _ => Form::Layer(cli.compress.checked()?),
    })
}

fn options(cli: &Cli) -> Result<Options, Failure> {
    let mut xattrs = XattrRules::default();
    for pattern in &cli.xattrs {
        xattrs.push(pattern.as_bytes());
    }
    let clamp_mtime = match cli.clamp_mtime {
        Some(time) => Some(time),
        None => time::source_date_epoch()?,
    };
    Ok(Options {
        content: cli.content.into(),
        precision: cli.mtime.into(),
        clamp_mtime,
        owner: match &cli.owner {
            Some(OwnerChoice::These(owner)) => owner.clone(),
            Some(OwnerChoice::Map) => Owner::mapped_for_caller(),
            // An image says whose its files are.
            None if cli.image => Owner::Kept,
            None => Owner::of_caller(),
        },
        exclude: cli.exclude.iter().map(|pattern| Pattern::new(pattern.as_bytes())).collect(),
        xattrs,
        parents: cli.parents.into(),
        mounts: match cli.one_file_system {
            Some(YesNo::No) => Mounts::Enter,
            Some(YesNo::Yes) | None => Mounts::PassOver,
        },
        sockets: if cli.strict { Sockets::Refuse } else { Sockets::PassOver },
        overlay_xattrs: cli.overlay_xattrs.into(),
        overlay_work: cli.work.clone(),
        overlay_root: match cli.root {
            true => OverlayRoot::Recorded,
            false => OverlayRoot::PassedOver,
        },
    })
}
