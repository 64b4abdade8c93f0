//! Runs a [`Graph`]: stages side by side, each step through the cache.
//!
//! A stage is one task whose steps run in order; which task runs when is for `schedule`.
//! The instructions that change files have a module each: in comes a stage's progress, out
//! comes a layer, or nothing if there is no change.

mod agent;
mod caches;
mod files;
mod mounts;
pub(crate) mod progress;
mod remote;
mod run;
mod schedule;
pub(crate) mod secret;
mod snapshot;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use common::digest::Digest;
use common::time::Timestamp;

use crate::cache::{Cache, Outcome, Record};
use crate::context::Context;
use crate::error::Error;
use crate::graph::{Graph, Source, Step, Work};
use crate::place::Place;
use crate::reporter::Reporter;
use crate::tree::{Names, Tree};
use progress::Progress;
use schedule::{Done, Schedule, Task};
use secret::Secret;

/// The surroundings of a build: context, caches, settings.
#[derive(Debug)]
pub(crate) struct Executor<'a> {
    pub(crate) place: &'a Place,
    pub(crate) cache: &'a Cache,
    pub(crate) context: &'a Context,
    /// The directories of `--build-context`.
    pub(crate) directories: &'a [Context],
    /// The secrets that RUN may mount, by their names.
    pub(crate) secrets: &'a BTreeMap<String, Secret>,
    /// The sockets of the agents that RUN may mount, by their names.
    pub(crate) agents: &'a BTreeMap<String, PathBuf>,
    pub(crate) reporter: &'a Reporter,
    pub(crate) clock: Clock,
    /// The identity of the build, which its steps are remembered under (`--explain`).
    pub(crate) identity: &'a str,
}

/// The time of a build.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    /// When it is made.
    pub(crate) now: Timestamp,
    /// The latest time of a file, if there is to be one.
    pub(crate) epoch: Option<Timestamp>,
}

/// One graph being run.
struct Run<'a> {
    executor: &'a Executor<'a>,
    graph: &'a Graph,
    /// The images of the graph, each put into the store when it is first needed.
    images: Vec<Mutex<Option<Progress>>>,
    /// The stages that are done.
    schedule: Schedule,
    flights: Flights,
    /// The digests of what was mounted, by tree and place in it.
    fingerprints: Mutex<HashMap<(Source, Names), Digest>>,
}

/// The result of a step that was executed.
struct Made {
    outcome: Outcome,
    /// It may be found again: nothing that it read has changed meanwhile.
    is_lasting: bool,
}

/// A step, and the name under which its record is remembered.
#[derive(Debug)]
struct At<'a> {
    step: &'a Step,
    name: String,
}

/// The steps under way, by key: two that are the same are executed once.
#[derive(Debug, Default)]
struct Flights(Mutex<HashMap<Digest, Arc<Mutex<Option<Outcome>>>>>);

impl Executor<'_> {
    /// Builds the target.
    ///
    /// # Errors
    /// A step that failed, with its line.
    pub(crate) fn run(&self, graph: &Graph) -> Result<Progress, Error> {
        let run = Run {
            executor: self,
            graph,
            images: graph.images.iter().map(|_| Mutex::default()).collect(),
            schedule: Schedule::new(graph),
            flights: Flights::default(),
            fingerprints: Mutex::default(),
        };
        schedule::run(&run.schedule, |task| run.advance(task))
    }
}

impl Run<'_> {
    /// Runs the steps of a stage up to the end, or to one that needs a stage which is not
    /// done.
    fn advance(&self, task: &mut Task) -> Result<Option<usize>, Error> {
        let Some(stage) = self.graph.stages.get(task.stage) else {
            return Err(Error::Other(format!("there is no stage {}", task.stage)));
        };
        let mut progress = match task.progress.take() {
            Some(progress) => progress,
            None => {
                self.executor.reporter.step(stage.number, &stage.title);
                self.base(stage.base).map_err(self.graph.at(stage.line, "FROM"))?
            }
        };
        while let Some(step) = stage.steps.get(task.next) {
            if self.schedule.has_failed() {
                break;
            }
            if let Some(awaited) = step.needs().find(|needed| !self.schedule.is_done(*needed)) {
                task.progress = Some(progress);
                return Ok(Some(awaited));
            }
            let identity = self.executor.identity;
            let (platform, index, at) = (&self.graph.platform, stage.index, task.next);
            let name = format!("{identity}\n{platform}\n{index}\n{at}");
            self.executor.reporter.step(step.number, &step.title);
            let done = self.step(&mut progress, &At { step, name });
            done.map_err(self.graph.at(step.line, step.keyword))?;
            task.next += 1;
        }
        task.progress = Some(progress);
        Ok(None)
    }

    /// Returns the file system that a stage begins with.
    fn base(&self, base: Source) -> Result<Progress, Error> {
        match base {
            Source::Scratch | Source::Context | Source::Directory(_) => Ok(Progress::default()),
            Source::Stage(stage) => self.schedule.take(stage),
            Source::Image(image) => Ok(self.image(image)?.as_ref().cloned().unwrap_or_default()),
        }
    }

    /// An image, its blobs put into the store if they are not there.
    fn image(&self, place: usize) -> Result<MutexGuard<'_, Option<Progress>>, Error> {
        let missing = || Error::Other(format!("there is no image {place}"));
        let slot = self.images.get(place).ok_or_else(missing)?;
        let mut slot = lock(slot);
        if slot.is_none() {
            let named = self.graph.images.get(place).ok_or_else(missing)?;
            named.image.copy_to(&self.executor.place.store)?;
            *slot = Some(Progress::of_image(&named.image));
        }
        Ok(slot)
    }

    /// A tree to copy or mount from.
    fn tree(&self, source: Source) -> Result<Arc<Tree>, Error> {
        let reading = self.executor.place.reading();
        match source {
            Source::Scratch => Ok(Arc::new(Tree::new())),
            Source::Context => self.executor.context.tree(),
            Source::Directory(place) => {
                let missing = || Error::Other(format!("there is no directory {place}"));
                self.executor.directories.get(place).ok_or_else(missing)?.tree()
            }
            Source::Stage(stage) => {
                let stage: Done = self.schedule.done(stage)?;
                lock(&stage).tree(reading)
            }
            Source::Image(place) => {
                let mut image = self.image(place)?;
                image.get_or_insert_default().tree(reading)
            }
        }
    }

    /// Returns the name of a source in messages.
    fn place_of(&self, source: Source, from: Option<&str>) -> String {
        match (source, from) {
            (Source::Context, _) | (_, None) => self.executor.context.label().to_owned(),
            (_, Some(from)) => format!("'{from}'"),
        }
    }

    fn step(&self, progress: &mut Progress, at: &At<'_>) -> Result<(), Error> {
        let outcome = match &at.step.work {
            Work::Setting => None,
            Work::Workdir { path, user } => self.workdir(progress, at, path, user)?,
            Work::Transfer(work) => self.transfer(progress, at, work)?,
            Work::Run(work) => Some(self.command(progress, at, work)?),
        };
        if let Some(created_by) = &at.step.created_by {
            progress.record(created_by, outcome.as_ref());
        }
        Ok(())
    }

    /// Returns the result of a step, from the cache or from `execute`.
    fn cached(
        &self,
        at: &At<'_>,
        record: &Record,
        execute: impl FnOnce() -> Result<Made, Error>,
    ) -> Result<Outcome, Error> {
        let Executor { cache, reporter, place, .. } = self.executor;
        let key = record.key()?;
        let flight = self.flights.of(key.digest());
        // --no-cache executes equal steps of several stages, too.
        let mut flight = (!cache.is_ignored).then(|| lock(&flight));
        let known = flight.as_ref().and_then(|outcome| (**outcome).clone());
        let outcome = match known.or_else(|| cache.find(&key, &place.store)) {
            Some(outcome) => {
                reporter.about(at.step.number, "cached");
                outcome
            }
            None => {
                if reporter.explains() {
                    reporter.about(at.step.number, &self.miss(at, record));
                }
                let began = Instant::now();
                let Made { outcome, is_lasting } = execute()?;
                reporter.done(at.step.number, began.elapsed());
                if !is_lasting {
                    return Ok(outcome);
                }
                cache.keep(&key, &outcome)?;
                outcome
            }
        };
        if let Some(flight) = &mut flight {
            **flight = Some(outcome.clone());
        }
        cache.remember(&at.name, &key);
        Ok(outcome)
    }

    /// Why a step is not in the cache: to find out takes time.
    fn miss(&self, at: &At<'_>, record: &Record) -> String {
        let cache = self.executor.cache;
        let why = match cache.is_ignored {
            true => Some("--no-cache".to_owned()),
            false => cache.difference(&at.name, record),
        };
        format!("miss: {}", why.unwrap_or_else(|| "not built before".into()))
    }
}

impl Flights {
    fn of(&self, key: &Digest) -> Arc<Mutex<Option<Outcome>>> {
        Arc::clone(lock(&self.0).entry(key.clone()).or_default())
    }
}

/// A panic elsewhere is reported there; what is locked here is replaced as a whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
