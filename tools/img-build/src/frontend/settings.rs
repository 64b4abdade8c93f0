//! The config of a stage, changed by one instruction after the other, and the step that
//! comes of each.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use common::containerfile::config::{self, Changes};
use common::containerfile::{Argument, Expander, Instruction, Located, Total, Transfer, history};
use common::digest::Digest;
use common::image::Image;
use common::oci::{ImageConfig, MAX_DOCUMENT_LEN_BYTES, Platform};

use super::scope::Scope;
use super::stages::{From, Stages};
use super::{Held, Images};
use crate::cli::Network;
use crate::context::Patterns;
use crate::error::Error;
use crate::git::{Repository, is_commit, is_git};
use crate::graph::{Source, Step, TransferWork, Verb, Work, is_remote};
use crate::lint::{Findings, Watch};
use crate::step::chmod::Chmod;

/// The PATH of a Linux image that sets none, as docker has it.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The longest title of a step.
const TITLE_LEN_CHARS: usize = 200;

/// The config of a stage under way, or done, and its variables.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) image: ImageConfig,
    /// The variables that words are expanded with and commands see: ENV and ARG together.
    pub(super) variables: Arc<BTreeMap<String, String>>,
    /// The ARGs of the stage, in the order they were declared.
    pub(super) arguments: Vec<String>,
    /// The same, to look names up.
    pub(super) declared: HashSet<String>,
    changes: Changes,
    /// About how long the config is: its history, and that of its base.
    len_bytes: usize,
    /// The image that it is made from, if it is one.
    base: Option<(String, Digest)>,
    /// A WORKDIR of the file has set the working directory.
    pub(super) has_workdir: bool,
}

/// The inputs of a step beside its stage's settings.
pub(super) struct Surroundings<'a, 'i> {
    /// The stage's place in the file.
    pub(super) index: usize,
    /// The step's number.
    pub(super) number: usize,
    pub(super) names: &'a Stages,
    /// The places in the graph of stages of the file.
    pub(super) places: &'a HashMap<usize, usize>,
    pub(super) images: &'a mut Images<'i>,
    pub(super) scope: &'a mut Scope,
    pub(super) held: &'a mut Held,
    /// `--network`.
    pub(super) network: Network,
    pub(super) expander: Expander,
    pub(super) findings: &'a mut Findings,
    /// The patterns of the context's ignore file.
    pub(super) ignored: &'a Patterns,
}

impl Surroundings<'_, '_> {
    /// The stage or image that `--from` names.
    pub(super) fn source(&mut self, from: &str) -> Result<Source, Error> {
        match self.names.find_source(from, self.index)? {
            From::Stage(stage) => {
                let missing = || Error::Other(format!("stage {stage} is not built"));
                self.places.get(&stage).copied().map(Source::Stage).ok_or_else(missing)
            }
            From::Scratch => Ok(Source::Scratch),
            From::Directory(place) => Ok(Source::Directory(place)),
            From::Image { name, .. } => match self.images.place(&name, None) {
                Ok(place) => Ok(Source::Image(place)),
                Err(error) => Err(self.names.suggest(from, self.index)(error)),
            },
        }
    }
}

impl Settings {
    /// FROM scratch.
    pub(super) fn scratch(platform: &Platform) -> Self {
        let mut image = ImageConfig::scratch(platform);
        image.config.working_dir = "/".into();
        Self::new(image, 0, None)
    }

    /// FROM an image.
    pub(super) fn of_image(name: &str, image: &Image) -> Self {
        let mut config = image.config.clone();
        // Docker's notes on the container that made the base do not apply to our image.
        config.extra = Default::default();
        config.config.extra = Default::default();
        // Those are steps now.
        config.config.on_build.clear();
        let base = Some((name.to_owned(), image.descriptor.digest.clone()));
        Self::new(config, image.config_bytes.len(), base)
    }

    /// FROM an earlier stage, whose settings these were.
    pub(super) fn of_stage(mut self) -> Self {
        self.changes = Changes::default();
        self.image.config.on_build.clear();
        // As in BuildKit, ARG wins over ENV only in the stage that declares it.
        let environment = config::variables(&self.image.config.env);
        if environment.iter().any(|(name, value)| self.variables.get(name) != Some(value)) {
            Arc::make_mut(&mut self.variables).extend(environment);
        }
        self
    }

    fn new(mut image: ImageConfig, len_bytes: usize, base: Option<(String, Digest)>) -> Self {
        let env = &mut image.config.env;
        if !env.iter().any(|entry| entry.starts_with("PATH=")) {
            env.push(format!("PATH={DEFAULT_PATH}"));
        }
        Self {
            variables: Arc::new(config::variables(env)),
            image,
            arguments: Vec::new(),
            declared: HashSet::new(),
            changes: Changes::default(),
            len_bytes,
            base,
            has_workdir: false,
        }
    }

    /// About how long the config is.
    pub(super) fn len_bytes(&self) -> usize {
        self.len_bytes
    }

    /// The config, and the image that it is made from.
    pub(super) fn into_config(self) -> (ImageConfig, Option<(String, Digest)>) {
        (self.image, self.base)
    }

    /// Applies an instruction; its step.
    ///
    /// # Errors
    /// A word that cannot be expanded, a value that is malformed, a source that is not
    /// there, something that is not supported.
    pub(super) fn step(
        &mut self,
        located: &Located,
        surroundings: &mut Surroundings<'_, '_>,
    ) -> Result<Step, Error> {
        let (created_by, work) = self.apply(located, surroundings)?;
        let step = Step {
            number: surroundings.number,
            line: located.line,
            keyword: located.instruction.keyword(),
            title: title(&located.text),
            created_by,
            work,
        };
        self.len_bytes += step.created_by.as_ref().map_or(0, String::len);
        self.check_len()?;
        surroundings.held.add(step.len_bytes())?;
        Ok(step)
    }

    fn apply(
        &mut self,
        located: &Located,
        surroundings: &mut Surroundings<'_, '_>,
    ) -> Result<(Option<String>, Work), Error> {
        let line = located.line;
        let watch = Watch::new(&*self.variables);
        let instruction = located.instruction.expanded(surroundings.expander, &watch)?;
        surroundings.findings.add_undefined(line, watch.missing(), &self.declared);
        self.check(line, &instruction, surroundings);
        match &instruction {
            Instruction::Run(run) => return self.run(line, run, surroundings),
            Instruction::Copy(copy) => return self.transfer(Verb::Copy, copy, surroundings),
            Instruction::Add(add) => return self.transfer(Verb::Add, add, surroundings),
            Instruction::Arg(arguments) => {
                let created_by = self.declare(line, arguments, surroundings)?;
                return Ok((Some(created_by), Work::Setting));
            }
            Instruction::Env(pairs) => {
                self.set(pairs.iter().cloned(), surroundings.held)?;
            }
            _ => {}
        }
        self.changes.apply(&instruction, &mut self.image)?;
        if matches!(instruction, Instruction::Cmd(_)) {
            // As BuildKit sets it, for docker.
            self.image.config.args_escaped = true;
        }
        let config = &self.image.config;
        let created_by = history::of_setting(&instruction, config);
        let work = match instruction {
            Instruction::Workdir(_) => {
                Work::Workdir { path: config.working_dir.clone(), user: config.user.clone() }
            }
            _ => Work::Setting,
        };
        Ok((created_by, work))
    }

    /// ARG; its text in the history.
    fn declare(
        &mut self,
        line: u32,
        arguments: &[Argument],
        surroundings: &mut Surroundings<'_, '_>,
    ) -> Result<String, Error> {
        let total = Total::default();
        let mut declared = Vec::new();
        for argument in arguments {
            let name = argument.name.clone();
            let watch = Watch::new(&*self.variables);
            let value = surroundings.scope.declare(argument, &watch, surroundings.expander)?;
            surroundings.findings.add_undefined(line, watch.missing(), &self.declared);
            let value = value.map(|value| total.count(value)).transpose()?;
            if let Some(value) = &value {
                self.set([(name.clone(), value.clone())], surroundings.held)?;
            }
            if self.declared.insert(name.clone()) {
                self.arguments.push(name.clone());
            }
            declared.push((name, value));
        }
        Ok(history::of_arg(&declared))
    }

    /// Sets variables. A RUN before may share them as they were: then that is a copy.
    fn set(
        &mut self,
        pairs: impl IntoIterator<Item = (String, String)>,
        held: &mut Held,
    ) -> Result<(), Error> {
        if Arc::get_mut(&mut self.variables).is_none() {
            held.add(self.variables.iter().map(|(name, value)| name.len() + value.len()).sum())?;
        }
        Arc::make_mut(&mut self.variables).extend(pairs);
        Ok(())
    }

    /// COPY or ADD, expanded.
    fn transfer(
        &mut self,
        verb: Verb,
        transfer: &Transfer,
        surroundings: &mut Surroundings<'_, '_>,
    ) -> Result<(Option<String>, Work), Error> {
        check_sources(verb, transfer)?;
        Patterns::list(&transfer.excludes)?;
        let source = match &transfer.from {
            Some(from) => surroundings.source(from)?,
            None => Source::Context,
        };
        let work = TransferWork {
            verb,
            source,
            transfer: transfer.clone(),
            chmod: transfer.chmod.as_deref().map(Chmod::parse).transpose()?,
            directory: self.image.config.working_dir.clone(),
        };
        let created_by = history::of_transfer(verb.keyword(), transfer);
        Ok((Some(created_by), Work::Transfer(Box::new(work))))
    }

    /// A few lines of ENV can double a value again and again, and everything that is
    /// expanded is in the history: so this bounds it all, before it is a config that
    /// nobody reads.
    fn check_len(&self) -> Result<(), Error> {
        if self.len_bytes > MAX_DOCUMENT_LEN_BYTES as usize {
            let text = format!(
                "the image's config and history are longer than {MAX_DOCUMENT_LEN_BYTES} bytes"
            );
            return Err(Error::Other(text));
        }
        Ok(())
    }
}

/// The first line of an instruction, as it names the step.
pub(super) fn title(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(TITLE_LEN_CHARS).collect()
}

/// Refuses what is no source, and flags for other sources than there are.
fn check_sources(verb: Verb, transfer: &Transfer) -> Result<(), Error> {
    let remote: Vec<&String> = transfer.sources.iter().filter(|source| is_remote(source)).collect();
    if let (Verb::Copy, Some(source)) = (verb, remote.first()) {
        return Err(Error::Other(format!("'{source}': COPY takes no URL")));
    }
    let repositories = remote.iter().filter(|source| is_git(source));
    let repositories =
        repositories.map(|source| Repository::parse(source)).collect::<Result<Vec<_>, _>>()?;
    if transfer.keep_git_dir.is_some() && repositories.is_empty() {
        return Err(Error::Other("--keep-git-dir is for git repositories".into()));
    }
    let is_one = transfer.sources.len() == 1 && remote.len() == 1 && transfer.heredocs.is_empty();
    match &transfer.checksum {
        Some(_) if !is_one => {
            Err(Error::Other("--checksum is for a single URL as the source".into()))
        }
        Some(text) if !repositories.is_empty() && !is_commit(text) => {
            Err(Error::Other(format!("--checksum={text}: not a commit")))
        }
        Some(text) if repositories.is_empty() && text.parse::<Digest>().is_err() => {
            Err(Error::Other(format!("--checksum={text}: not a digest")))
        }
        _ => Ok(()),
    }
}
