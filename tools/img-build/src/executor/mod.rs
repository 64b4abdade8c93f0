//! The build: stages in order, each instruction applied to its stage.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use common::cli::message;
use common::compression::MaxSize;
use common::containerfile::{
    self, Containerfile, Expander, Instruction, Located, Problem, Total, history,
};
use common::image::{self, Image, Reference};
use common::oci::{MAX_DOCUMENT_LEN_BYTES, Platform};
use common::store::{Location, Store};
use common::time::Timestamp;

use crate::cache::{Cache, Outcome, Record};
use crate::cli::Network;
use crate::context::Context;
use crate::error::Error;
use crate::plan::{Base, Plan, Stages};
use crate::scope::Scope;
use crate::scratch::Scratch;
use crate::state::State;
use crate::step::files::Verb;
use crate::step::mounts::Secret;
use crate::tree::{Reading, Tree};

/// How long the configs of all stages may be, which are kept for those that follow: a
/// stage takes a few bytes to write, and has all that the stage has that it is made from.
const MAX_HELD_LEN_BYTES: usize = 64 << 20;

/// Everything a build needs, and how far it is.
#[derive(Debug)]
pub(crate) struct Builder {
    pub(crate) store: Arc<Store>,
    /// What removes the store, if it is there for this build alone.
    pub(crate) _own_store: Option<Scratch>,
    pub(crate) location: Location,
    /// Where derived data may be kept.
    pub(crate) cache_dir: Option<PathBuf>,
    /// The size that a layer may grow to.
    pub(crate) max_size: MaxSize,
    pub(crate) cache: Cache,
    pub(crate) context: Context,
    pub(crate) file: Containerfile,
    /// Its stages by name.
    pub(crate) names: Stages,
    /// What messages call the Containerfile.
    pub(crate) label: String,
    /// What tells this build's steps from another's (`--explain`).
    pub(crate) identity: String,
    /// `--build-arg`.
    pub(crate) arguments: Vec<String>,
    pub(crate) target: Option<String>,
    pub(crate) scope: Scope,
    pub(crate) platform: Platform,
    /// Whether it is one of several.
    pub(crate) of_several: bool,
    pub(crate) network: Network,
    /// The secrets that RUN may mount, by their names.
    pub(crate) secrets: BTreeMap<String, Secret>,
    pub(crate) explain: bool,
    /// When this build is made.
    pub(crate) now: Timestamp,
    /// The stages that are done.
    pub(crate) states: Vec<Option<State>>,
    /// Images that were copied from.
    pub(crate) images: HashMap<String, State>,
    pub(crate) step: usize,
    pub(crate) steps: usize,
    /// What this step is called when it is remembered.
    pub(crate) step_name: String,
}

impl Builder {
    fn expander(&self) -> Expander {
        Expander::new(self.file.directives.escape)
    }

    /// An error at a line of the Containerfile.
    fn at(&self, line: u32, keyword: &str) -> impl FnOnce(Error) -> Error + use<> {
        let place = format!("{}:{line}", self.label);
        let keyword = keyword.to_owned();
        move |error| match error {
            Error::Exited(_) | Error::Killed(_) | Error::Word(_) => {
                Error::At { place, source: Box::new(error) }
            }
            error => Error::At { place: format!("{place}: {keyword}"), source: Box::new(error) },
        }
    }

    /// Builds the target stage for `platform`.
    ///
    /// # Errors
    /// The first thing that fails, with its line.
    pub(crate) fn build(&mut self, platform: &Platform) -> Result<State, Error> {
        self.platform = platform.clone();
        self.scope = Scope::new(&self.arguments, platform);
        self.images.clear();
        self.step = 0;
        let target = self.target.as_deref();
        let index = crate::plan::target(&self.file, &self.names, target)?;
        let stage = self.file.stages.get(index).and_then(|stage| stage.base.name.clone());
        let stage_name = stage.unwrap_or_else(|| target.unwrap_or("default").to_owned());
        let expander = self.expander();
        let declared = self.scope.declare_globals(&self.file, &stage_name, expander);
        declared.map_err(|(line, error)| self.at(line, "ARG")(error))?;
        let plan = Plan::new(&self.file, &self.names, index, &self.scope, expander);
        let plan = plan.map_err(|(line, error)| self.at(line, "FROM")(error))?;
        if let Some(syntax) = &self.file.directives.syntax {
            message::verbose(format!("syntax={syntax}: our own frontend is used"));
        }
        let stages = plan.needed.iter().filter_map(|index| self.file.stages.get(*index));
        self.steps = stages.map(|stage| 1 + stage.instructions.len()).sum();
        self.states = vec![None; self.file.stages.len()];
        let mut held = 0;
        for index in &plan.needed {
            let state = self.stage(*index, &plan)?;
            held += state.len_bytes();
            if held > MAX_HELD_LEN_BYTES {
                let text = format!(
                    "the configs of all stages are longer than {MAX_HELD_LEN_BYTES} bytes together"
                );
                return Err(Error::Other(text));
            }
            if let Some(slot) = self.states.get_mut(*index) {
                *slot = Some(state);
            }
        }
        let done = self.states.get_mut(plan.target).and_then(Option::take);
        done.ok_or_else(|| Error::Other("the target was not built".into()))
    }

    fn stage(&mut self, index: usize, plan: &Plan) -> Result<State, Error> {
        let Some(stage) = self.file.stages.get(index).cloned() else {
            return Err(Error::Other(format!("there is no stage {index}")));
        };
        self.step += 1;
        self.say(&stage.text);
        let base = plan.bases.get(index).unwrap_or(&Base::Scratch);
        let mut state = self.base(base).map_err(self.at(stage.line, "FROM"))?;
        let triggers = std::mem::take(&mut state.image.config.on_build);
        let triggers = triggers
            .iter()
            .map(|trigger| trigger_of(trigger, stage.line))
            .collect::<Result<Vec<_>, _>>()
            .map_err(self.at(stage.line, "FROM: ONBUILD"))?;
        self.steps += triggers.len();
        for (number, located) in triggers.iter().chain(&stage.instructions).enumerate() {
            self.step += 1;
            self.step_name = format!("{}\n{}\n{index}\n{number}", self.identity, self.platform);
            self.say(&located.text);
            let applied = self.instruction(&mut state, located, index);
            let bounded = applied.and_then(|()| bounded(&state));
            bounded.map_err(self.at(located.line, located.instruction.keyword()))?;
        }
        Ok(state)
    }

    fn base(&mut self, base: &Base) -> Result<State, Error> {
        match base {
            Base::Scratch => Ok(State::scratch(&self.platform)),
            Base::Stage(index) => match self.states.get(*index) {
                Some(Some(stage)) => Ok(State::of_stage(stage)),
                _ => Err(Error::Other(format!("stage {index} is not built"))),
            },
            Base::Image { name, platform } => {
                let platform = match platform {
                    Some(text) => text.parse()?,
                    None => self.platform.clone(),
                };
                let image = self.open(name, &platform)?;
                Ok(State::of_image(name, &image))
            }
        }
    }

    /// How layers are read.
    pub(crate) fn reading(&self) -> Reading<'_> {
        let cache = self.cache_dir.as_deref();
        Reading { store: &self.store, cache, max_size: self.max_size }
    }

    /// Opens an image, its blobs put into the store if they are not there.
    fn open(&self, name: &str, platform: &Platform) -> Result<Image, Error> {
        let reference = Reference::parse(std::ffi::OsStr::new(name))?;
        let image = image::open(&reference, Some(platform), &self.location)?;
        image.copy_to(&self.store)?;
        Ok(image)
    }

    /// The tree of a stage or of an image, to copy from.
    pub(crate) fn tree_of(&mut self, from: &str, index: usize) -> Result<Arc<Tree>, Error> {
        let by_number = || from.parse::<usize>().ok();
        let found = self.names.find(from, index).or_else(by_number);
        let reading = Reading {
            store: &self.store,
            cache: self.cache_dir.as_deref(),
            max_size: self.max_size,
        };
        if let Some(found) = found {
            return match self.states.get_mut(found) {
                Some(Some(state)) if found < index => state.tree(reading),
                _ => Err(Error::Other(format!("'{from}' is not an earlier stage"))),
            };
        }
        if !self.images.contains_key(from) {
            let image = self.open(from, &self.platform)?;
            self.images.insert(from.to_owned(), State::of_image(from, &image));
        }
        match self.images.get_mut(from) {
            Some(state) => state.tree(reading),
            None => Err(Error::Other(format!("'{from}' is neither a stage nor an image"))),
        }
    }

    fn instruction(
        &mut self,
        state: &mut State,
        located: &Located,
        index: usize,
    ) -> Result<(), Error> {
        let expander = self.expander();
        let instruction = located.instruction.expanded(expander, &state.variables)?;
        match &instruction {
            Instruction::Run(run) => return self.run(state, run, index),
            Instruction::Copy(copy) => return self.transfer(state, Verb::Copy, copy, index),
            Instruction::Add(add) => return self.transfer(state, Verb::Add, add, index),
            Instruction::Arg(arguments) => {
                let total = Total::default();
                let mut declared = Vec::new();
                for argument in arguments {
                    let name = argument.name.clone();
                    let value = self.scope.declare(argument, &state.variables, expander)?;
                    let value = value.map(|value| total.count(value)).transpose()?;
                    if let Some(value) = &value {
                        state.variables.insert(name.clone(), value.clone());
                    }
                    state.declare(&name);
                    declared.push((name, value));
                }
                state.record(history::of_arg(&declared), None);
                return Ok(());
            }
            Instruction::Env(pairs) => state.variables.extend(pairs.iter().cloned()),
            _ => {}
        }
        state.changes.apply(&instruction, &mut state.image)?;
        if matches!(instruction, Instruction::Cmd(_)) {
            // What BuildKit sets, and docker has looked for since.
            state.image.config.args_escaped = true;
        }
        let Some(created_by) = history::of_setting(&instruction, &state.image.config) else {
            return Ok(());
        };
        match instruction {
            Instruction::Workdir(_) => self.workdir(state, created_by),
            _ => {
                state.record(created_by, None);
                Ok(())
            }
        }
    }

    /// What came of a step, from the cache or by `execute`.
    pub(crate) fn cached(
        &mut self,
        record: &Record,
        execute: impl FnOnce(&mut Self) -> Result<Outcome, Error>,
    ) -> Result<Outcome, Error> {
        let key = record.key()?;
        let outcome = match self.cache.find(&key, &self.store) {
            Some(outcome) => {
                self.progress("cached");
                outcome
            }
            None => {
                self.progress(&self.miss(record));
                let outcome = execute(self)?;
                self.cache.keep(&key, &outcome)?;
                outcome
            }
        };
        self.cache.remember(&self.step_name, &key);
        Ok(outcome)
    }

    /// Why a step is not in the cache, if that was asked for: to find out takes time.
    fn miss(&self, record: &Record) -> Cow<'static, str> {
        let why = match (self.explain, self.cache.is_ignored) {
            (false, _) => return "not in the cache".into(),
            (true, true) => Some("--no-cache".to_owned()),
            (true, false) => self.cache.difference(&self.step_name, record),
        };
        format!("miss: {}", why.unwrap_or_else(|| "not built before".into())).into()
    }

    /// Names the step: on a terminal, and where it was asked for.
    fn say(&self, text: &str) {
        let line: String = text.lines().next().unwrap_or_default().chars().take(200).collect();
        self.note(&format!("STEP {}/{}: {line}", self.step, self.steps));
    }

    /// Tells what became of the step.
    pub(crate) fn progress(&self, text: &str) {
        self.note(&format!("STEP {}/{}: {text}", self.step, self.steps));
    }

    fn note(&self, text: &str) {
        let text = match self.of_several {
            true => &format!("{}: {text}", self.platform),
            false => text,
        };
        if self.explain || message::wants_progress() {
            message::note(text);
        } else {
            message::verbose(text);
        }
    }
}

/// A few lines of ENV can double a value again and again, and everything that is
/// expanded is in the history: so this bounds it all, before it is a config that
/// nobody reads.
fn bounded(state: &State) -> Result<(), Error> {
    if state.len_bytes() > MAX_DOCUMENT_LEN_BYTES as usize {
        let text = format!(
            "the image's config and history are longer than {MAX_DOCUMENT_LEN_BYTES} bytes"
        );
        return Err(Error::Other(text));
    }
    Ok(())
}

/// A trigger of the base image, as if it stood at FROM's line.
fn trigger_of(text: &str, line: u32) -> Result<Located, Error> {
    let parsed = containerfile::parse(text.as_bytes()).map_err(|error| error.problem)?;
    let [located] = <[Located; 1]>::try_from(parsed.instructions)
        .map_err(|_| Problem::UnknownInstruction(text.to_owned()))?;
    let instruction = &located.instruction;
    if matches!(
        instruction,
        Instruction::From(_) | Instruction::Onbuild(_) | Instruction::Maintainer(_)
    ) {
        return Err(Problem::ForbiddenTrigger(instruction.keyword()).into());
    }
    Ok(Located { line, ..located })
}
