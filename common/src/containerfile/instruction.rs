//! The instructions, as a Containerfile states them: variables not yet replaced.

use super::error::Problem;
use super::expand::{Expander, Total, Variables};
use super::heredoc::Heredoc;
use super::lines::to_text;
use super::mount::Mount;
use crate::oci::Healthcheck;

/// An instruction and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Located {
    /// The line where it begins, from 1.
    pub line: u32,
    /// As written, continuation lines joined, without heredoc bodies.
    pub text: String,
    /// What it says.
    pub instruction: Instruction,
}

/// One instruction.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)] // The names are the keywords of the Dockerfile reference.
pub enum Instruction {
    From(Base),
    Run(Run),
    Copy(Transfer),
    Add(Transfer),
    Arg(Vec<Argument>),
    Env(Vec<(String, String)>),
    Label(Vec<(String, String)>),
    Cmd(CommandLine),
    Entrypoint(CommandLine),
    Shell(Vec<String>),
    Workdir(String),
    User(String),
    Volume(Vec<String>),
    Expose(Vec<String>),
    StopSignal(String),
    Healthcheck(Box<Healthcheck>),
    /// The text of the trigger.
    Onbuild(String),
    Maintainer(String),
}

/// FROM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// An image, an earlier stage or `scratch`.
    pub image: String,
    /// The stage's name, lower case.
    pub name: Option<String>,
    /// `--platform`.
    pub platform: Option<String>,
}

/// A command in one of its two forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandLine {
    /// For the shell.
    Shell(String),
    /// As it is.
    Exec(Vec<String>),
}

/// RUN.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The command.
    pub command: CommandLine,
    /// The heredocs that its line opens.
    pub heredocs: Vec<Heredoc>,
    /// `--mount`, parsed without variables; see [`Run::mounts`].
    pub raw_mounts: Vec<String>,
    /// `--network`.
    pub network: Option<RunNetwork>,
    /// `--security=insecure`.
    pub is_insecure: bool,
}

/// `RUN --network`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunNetwork {
    /// As the build says.
    Default,
    /// No network but loopback.
    None,
    /// The host's.
    Host,
}

impl Run {
    /// The mounts, with variables replaced.
    ///
    /// # Errors
    /// A malformed mount or word.
    pub fn mounts(
        &self,
        expander: Expander,
        variables: &dyn Variables,
    ) -> Result<Vec<Mount>, Problem> {
        let total = Total::default();
        let mounts = self.raw_mounts.iter();
        mounts.map(|text| Mount::parse(text, expander, &total, variables)).collect()
    }
}

/// COPY or ADD: from where, to where, and how.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Transfer {
    /// Paths and patterns.
    pub sources: Vec<String>,
    /// Files given in the Containerfile itself.
    pub heredocs: Vec<Heredoc>,
    /// Where they go.
    pub destination: String,
    /// `--from`: COPY only.
    pub from: Option<String>,
    /// `--chown`.
    pub chown: Option<String>,
    /// `--chmod`.
    pub chmod: Option<String>,
    /// `--exclude`.
    pub excludes: Vec<String>,
    /// `--link`.
    pub link: bool,
    /// `--parents`: COPY only.
    pub parents: bool,
    /// `--unpack`: ADD only.
    pub unpack: Option<bool>,
    /// `--checksum`: ADD only.
    pub checksum: Option<String>,
    /// `--keep-git-dir`: ADD only.
    pub keep_git_dir: Option<bool>,
}

/// One name of an ARG.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// Its default.
    pub default: Option<String>,
}

impl Instruction {
    /// The keyword.
    #[must_use]
    pub fn keyword(&self) -> &'static str {
        match self {
            Self::From(_) => "FROM",
            Self::Run(_) => "RUN",
            Self::Copy(_) => "COPY",
            Self::Add(_) => "ADD",
            Self::Arg(_) => "ARG",
            Self::Env(_) => "ENV",
            Self::Label(_) => "LABEL",
            Self::Cmd(_) => "CMD",
            Self::Entrypoint(_) => "ENTRYPOINT",
            Self::Shell(_) => "SHELL",
            Self::Workdir(_) => "WORKDIR",
            Self::User(_) => "USER",
            Self::Volume(_) => "VOLUME",
            Self::Expose(_) => "EXPOSE",
            Self::StopSignal(_) => "STOPSIGNAL",
            Self::Healthcheck(_) => "HEALTHCHECK",
            Self::Onbuild(_) => "ONBUILD",
            Self::Maintainer(_) => "MAINTAINER",
        }
    }

    /// The instruction with variables replaced, where the reference says that they
    /// are. All values are computed from the state before the instruction. FROM,
    /// ARG and the mounts of RUN have scopes of their own and are left to the build.
    ///
    /// # Errors
    /// A malformed word.
    pub fn expanded(&self, expander: Expander, variables: &dyn Variables) -> Result<Self, Problem> {
        let total = Total::default();
        let word = |text: &String| total.count(expander.word(text, variables)?);
        let all = |texts: &[String]| texts.iter().map(word).collect::<Result<Vec<_>, _>>();
        let pairs = |pairs: &[(String, String)]| {
            pairs
                .iter()
                .map(|(name, value)| Ok((word(name)?, word(value)?)))
                .collect::<Result<Vec<_>, Problem>>()
        };
        Ok(match self {
            Self::Env(env) => Self::Env(pairs(env)?),
            Self::Label(labels) => Self::Label(pairs(labels)?),
            Self::Workdir(path) => Self::Workdir(word(path)?),
            Self::User(user) => Self::User(word(user)?),
            Self::StopSignal(signal) => Self::StopSignal(word(signal)?),
            Self::Volume(paths) => Self::Volume(all(paths)?),
            Self::Expose(ports) => {
                let mut expanded = Vec::new();
                for port in ports {
                    for word in expander.words(port, variables)? {
                        expanded.push(total.count(word)?);
                    }
                }
                Self::Expose(expanded)
            }
            Self::Copy(transfer) => Self::Copy(transfer.expanded(expander, variables)?),
            Self::Add(transfer) => Self::Add(transfer.expanded(expander, variables)?),
            _ => self.clone(),
        })
    }
}

impl Transfer {
    /// The length of its texts, in bytes.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        let options = [&self.from, &self.chown, &self.chmod, &self.checksum];
        let options = options.into_iter().flatten();
        let texts = self.sources.iter().chain(&self.excludes).chain(options);
        let heredocs = self.heredocs.iter().map(|heredoc| heredoc.body.len());
        self.destination.len() + texts.map(String::len).sum::<usize>() + heredocs.sum::<usize>()
    }

    fn expanded(&self, expander: Expander, variables: &dyn Variables) -> Result<Self, Problem> {
        let total = Total::default();
        let word = |text: &String| total.count(expander.word(text, variables)?);
        let option = |text: &Option<String>| text.as_ref().map(word).transpose();
        let mut expanded = self.clone();
        expanded.sources = self.sources.iter().map(word).collect::<Result<_, _>>()?;
        expanded.destination = word(&self.destination)?;
        // A flag that expands to nothing counts as absent.
        expanded.chown = option(&self.chown)?.filter(|chown| !chown.is_empty());
        expanded.chmod = option(&self.chmod)?.filter(|chmod| !chmod.is_empty());
        expanded.checksum = option(&self.checksum)?;
        for heredoc in &mut expanded.heredocs {
            heredoc.body = heredoc.content();
            heredoc.strips_tabs = false;
            if heredoc.expands {
                let body = to_text(&heredoc.body);
                let body = Expander::for_heredoc().word(&body, variables)?;
                heredoc.body = total.count(body)?.into_bytes();
                heredoc.expands = false;
            }
        }
        Ok(expanded)
    }
}
