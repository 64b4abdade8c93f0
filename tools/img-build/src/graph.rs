//! The graph of a build, for one platform: its stages, their steps, what each step reads
//! and what its result depends on. Plain data: [`crate::frontend`] makes it,
//! [`crate::executor`] runs it, and neither needs the Containerfile any more.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use common::containerfile::{Heredoc, Mount, MountKind, Transfer};
use common::digest::Digest;
use common::image::Image;
use common::name::show;
use common::oci::{ImageConfig, Platform};

use crate::cli::Network;
use crate::error::Error;
use crate::git::is_git;
use crate::step::chmod::Chmod;

/// All that is built for one platform.
#[derive(Debug)]
pub(crate) struct Graph {
    pub(crate) platform: Platform,
    /// The name that messages give the Containerfile.
    pub(crate) label: String,
    /// The stages that the target needs, in the order of the file; the last is the target.
    pub(crate) stages: Vec<Stage>,
    /// The images that stages begin from, and that steps copy or mount from.
    pub(crate) images: Vec<NamedImage>,
    /// The target's config. The history in it is that of its base image.
    pub(crate) config: ImageConfig,
    /// The name and the manifest of the image that the target is made from.
    pub(crate) base: Option<(String, Digest)>,
    /// Variables of every RUN that no result depends on.
    pub(crate) proxies: Vec<(String, String)>,
    /// Names in every RUN's /etc/hosts; no result depends on the addresses.
    pub(crate) hosts: Vec<(String, IpAddr)>,
    /// Another host name for RUN than the usual one.
    pub(crate) hostname: Option<String>,
    /// The number of steps, FROM lines among them.
    pub(crate) steps: usize,
    /// Names that `--build-arg` sets and no ARG asks for.
    pub(crate) unused_arguments: Vec<String>,
}

/// An image, and the name by which the Containerfile has it.
#[derive(Debug)]
pub(crate) struct NamedImage {
    pub(crate) name: String,
    pub(crate) image: Image,
}

/// A stage. Its steps run one after the other.
#[derive(Debug)]
pub(crate) struct Stage {
    /// Its place in the file.
    pub(crate) index: usize,
    /// The line of FROM.
    pub(crate) line: u32,
    /// The number of FROM among all steps.
    pub(crate) number: usize,
    /// The first line of FROM.
    pub(crate) title: String,
    pub(crate) base: Source,
    pub(crate) steps: Vec<Step>,
}

/// A tree that a stage begins from, or that a step copies or mounts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    Scratch,
    Context,
    /// A directory of `--build-context`, by its place among them.
    Directory(usize),
    /// A stage, by its place in [`Graph::stages`].
    Stage(usize),
    /// An image, by its place in [`Graph::images`].
    Image(usize),
}

/// One instruction.
#[derive(Debug)]
pub(crate) struct Step {
    /// Its number among all steps, from 1.
    pub(crate) number: usize,
    pub(crate) line: u32,
    pub(crate) keyword: &'static str,
    /// The first line of the instruction.
    pub(crate) title: String,
    /// The text for the history; `None` if the step leaves no entry.
    pub(crate) created_by: Option<String>,
    pub(crate) work: Work,
}

/// The change that a step makes to the file system.
#[derive(Debug)]
pub(crate) enum Work {
    /// Nothing: it changes the config alone.
    Setting,
    /// Makes a directory that belongs to `user`.
    Workdir {
        path: String,
        user: String,
    },
    Transfer(Box<TransferWork>),
    Run(Box<RunWork>),
}

/// COPY or ADD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Copy,
    Add,
}

impl Verb {
    pub(crate) fn keyword(self) -> &'static str {
        match self {
            Self::Copy => "COPY",
            Self::Add => "ADD",
        }
    }
}

/// COPY or ADD, its words expanded.
#[derive(Debug)]
pub(crate) struct TransferWork {
    pub(crate) verb: Verb,
    pub(crate) source: Source,
    pub(crate) transfer: Transfer,
    pub(crate) chmod: Option<Chmod>,
    /// The working directory, which relative destinations begin at.
    pub(crate) directory: String,
}

/// Returns true if a source is a URL or a repository, which only ADD takes.
pub(crate) fn is_remote(source: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| source.starts_with(scheme)) || is_git(source)
}

/// RUN.
#[derive(Debug)]
pub(crate) struct RunWork {
    pub(crate) argv: Vec<String>,
    /// A script that is there as `/dev/pipes/NAME`.
    pub(crate) script: Option<Heredoc>,
    /// ENV and ARG, shared among the steps between which they do not change.
    pub(crate) environment: Arc<BTreeMap<String, String>>,
    pub(crate) directory: String,
    pub(crate) user: String,
    pub(crate) network: Network,
    pub(crate) mounts: Vec<MountWork>,
}

/// A mount, and the tree that it shows or begins with.
#[derive(Debug)]
pub(crate) struct MountWork {
    pub(crate) mount: Mount,
    pub(crate) source: Option<Source>,
}

impl Source {
    fn stage(self) -> Option<usize> {
        match self {
            Self::Stage(stage) => Some(stage),
            _ => None,
        }
    }
}

impl Stage {
    /// Its base, if that is a stage, and the stages that its steps read, each once.
    pub(crate) fn needs(&self) -> Vec<usize> {
        let read: BTreeSet<usize> = self.steps.iter().flat_map(Step::needs).collect();
        self.base.stage().into_iter().chain(read).collect()
    }
}

impl Step {
    /// The trees that it reads beside its stage's own.
    pub(crate) fn reads(&self) -> Vec<Source> {
        match &self.work {
            Work::Setting | Work::Workdir { .. } => Vec::new(),
            // Heredocs are in the step itself, and URLs in no tree.
            Work::Transfer(work) if work.transfer.sources.iter().all(|text| is_remote(text)) => {
                Vec::new()
            }
            Work::Transfer(work) => vec![work.source],
            Work::Run(work) => work.mounts.iter().filter_map(|mount| mount.source).collect(),
        }
    }

    /// The stages among [`Step::reads`].
    pub(crate) fn needs(&self) -> impl Iterator<Item = usize> + use<> {
        self.reads().into_iter().filter_map(Source::stage)
    }

    /// About how much memory it takes that a short Containerfile can ask for.
    pub(crate) fn len_bytes(&self) -> usize {
        let work = match &self.work {
            Work::Setting => 0,
            Work::Workdir { path, user } => path.len() + user.len(),
            Work::Transfer(work) => work.transfer.len_bytes() + work.directory.len(),
            Work::Run(work) => {
                let argv: usize = work.argv.iter().map(String::len).sum();
                let script = work.script.as_ref().map_or(0, |script| script.body.len());
                let mounts = work.mounts.iter().map(|mount| mount.mount.len_bytes());
                let mounts: usize = mounts.sum();
                argv + script + mounts + work.directory.len() + work.user.len()
            }
        };
        work + self.created_by.as_ref().map_or(0, String::len)
    }
}

impl Graph {
    /// An error at a line of the Containerfile.
    pub(crate) fn at(&self, line: u32, keyword: &str) -> impl FnOnce(Error) -> Error + use<> {
        Error::at(&self.label, line, keyword)
    }

    fn source(&self, source: Source) -> String {
        match source {
            Source::Scratch => "scratch".into(),
            Source::Context => "the context".into(),
            Source::Directory(place) => format!("directory {place} of --build-context"),
            Source::Stage(stage) => {
                format!("stage {}", self.stages.get(stage).map_or(stage, |stage| stage.index))
            }
            Source::Image(image) => {
                let name = self.images.get(image).map(|image| image.name.as_str());
                format!("image {}", show(name.unwrap_or_default()))
            }
        }
    }
}

/// A line for each step: its number, its instruction, and the trees that it reads.
impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |number: usize, title: &str, reads: &[Source]| {
            write!(f, "{number}/{} {}", self.steps, show(title))?;
            for (at, source) in reads.iter().enumerate() {
                let before = if at == 0 { " <- " } else { ", " };
                write!(f, "{before}{}", self.source(*source))?;
            }
            writeln!(f)
        };
        for stage in &self.stages {
            line(stage.number, &format!("[{}] {}", stage.index, stage.title), &[stage.base])?;
            for step in &stage.steps {
                line(step.number, &step.title, &step.reads())?;
            }
        }
        Ok(())
    }
}

impl MountWork {
    /// The stage or image that the mount names.
    pub(crate) fn from(&self) -> Option<&str> {
        match &self.mount.kind {
            MountKind::Bind { from, .. } | MountKind::Cache { from, .. } => from.as_deref(),
            _ => None,
        }
    }
}
