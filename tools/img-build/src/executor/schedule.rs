//! Which stage runs when: those that need nothing more, the first of the file first, as
//! many at a time as there are workers.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use common::signal;

use super::lock;
use super::progress::Progress;
use crate::error::Error;
use crate::graph::{Graph, Source};

/// The fewest workers: many steps wait for a network or a disk, and not for a processor.
const FEWEST_WORKERS: usize = 4;

/// The stack of a worker, which is a main thread's: trees are walked by recursion.
const STACK_LEN_BYTES: usize = 8 << 20;

/// The interval at which commands with unwanted results are killed again: one may have
/// started meanwhile.
const KILL_INTERVAL: Duration = Duration::from_millis(50);

/// A stage that is done, for those who read from it.
pub(super) type Done = Arc<Mutex<Progress>>;

/// A stage under way.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) stage: usize,
    /// The step that comes next.
    pub(super) next: usize,
    /// `None` before it began.
    pub(super) progress: Option<Progress>,
}

/// The steps that are done, that run, and that wait for others.
#[derive(Debug)]
pub(super) struct Schedule {
    board: Mutex<Board>,
    changed: Condvar,
}

#[derive(Debug)]
struct Board {
    /// Tasks that can go on, by their stages.
    ready: BTreeMap<usize, Task>,
    /// Tasks by the stage that they wait for.
    waiting: Vec<Vec<Task>>,
    done: Vec<Option<Done>>,
    /// The number of readers that each stage still has: a stage without readers is dropped.
    readers: Vec<usize>,
    /// The stages that each begins from or reads.
    needs: Vec<Vec<usize>>,
    running: usize,
    failure: Option<Error>,
}

impl Schedule {
    pub(super) fn new(graph: &Graph) -> Self {
        let count = graph.stages.len();
        let needs: Vec<_> = graph.stages.iter().map(|stage| stage.needs()).collect();
        let mut readers = vec![0; count];
        for stage in needs.iter().flatten().chain(count.checked_sub(1).as_ref()) {
            if let Some(readers) = readers.get_mut(*stage) {
                *readers += 1;
            }
        }
        let mut board = Board {
            ready: BTreeMap::new(),
            waiting: (0..count).map(|_| Vec::new()).collect(),
            done: vec![None; count],
            readers,
            needs,
            running: 0,
            failure: None,
        };
        for (stage, of) in graph.stages.iter().enumerate() {
            let task = Task { stage, next: 0, progress: None };
            match of.base {
                Source::Stage(base) => board.park(task, base),
                _ => drop(board.ready.insert(stage, task)),
            }
        }
        Self { board: Mutex::new(board), changed: Condvar::new() }
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        lock(&self.board)
    }

    pub(super) fn has_failed(&self) -> bool {
        self.board().failure.is_some()
    }

    pub(super) fn is_done(&self, stage: usize) -> bool {
        self.board().done.get(stage).is_some_and(Option::is_some)
    }

    /// A stage that is done.
    ///
    /// # Errors
    /// It is not.
    pub(super) fn done(&self, stage: usize) -> Result<Done, Error> {
        self.board().done(stage)
    }

    /// The progress of a stage that is done, to go on from: the stage's own for its last
    /// reader, else a copy.
    ///
    /// # Errors
    /// It is not done.
    pub(super) fn take(&self, stage: usize) -> Result<Progress, Error> {
        let mut board = self.board();
        let done = board.done(stage)?;
        if board.readers.get(stage) == Some(&1) {
            board.done.get_mut(stage).map(std::mem::take);
        }
        drop(board);
        Ok(match Arc::try_unwrap(done) {
            Ok(only) => only.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()),
            Err(shared) => lock(&shared).clone(),
        })
    }

    /// Runs what is ready until nothing is left or something has failed.
    fn work(&self, advance: &impl Fn(&mut Task) -> Result<Option<usize>, Error>) {
        let mut board = self.board();
        loop {
            if board.failure.is_some() {
                return;
            }
            let Some((_, mut task)) = board.ready.pop_first() else {
                if board.running == 0 {
                    return;
                }
                board = self.changed.wait(board).unwrap_or_else(|lock| lock.into_inner());
                continue;
            };
            board.running += 1;
            drop(board);
            let advanced = advance(&mut task);
            board = self.board();
            board.running -= 1;
            match advanced {
                Ok(Some(awaited)) => board.park(task, awaited),
                Ok(None) => board.finish(task),
                // Later failures may be its consequences.
                Err(error) => drop(board.failure.get_or_insert(error)),
            }
            self.changed.notify_all();
        }
    }
}

impl Board {
    /// Has a task wait for a stage, unless it is done by now.
    fn park(&mut self, task: Task, awaited: usize) {
        match (self.done.get(awaited), self.waiting.get_mut(awaited)) {
            (Some(None), Some(waiting)) => waiting.push(task),
            _ => drop(self.ready.insert(task.stage, task)),
        }
    }

    fn finish(&mut self, task: Task) {
        let Task { stage, progress, .. } = task;
        if let Some(slot) = self.done.get_mut(stage) {
            *slot = progress.map(|progress| Arc::new(Mutex::new(progress)));
        }
        for needed in self.needs.get(stage).cloned().unwrap_or_default() {
            if let Some(readers) = self.readers.get_mut(needed) {
                *readers -= 1;
                if *readers == 0 {
                    self.done.get_mut(needed).map(std::mem::take);
                }
            }
        }
        let waiting = self.waiting.get_mut(stage).map(std::mem::take).unwrap_or_default();
        self.ready.extend(waiting.into_iter().map(|task| (task.stage, task)));
    }

    fn done(&self, stage: usize) -> Result<Done, Error> {
        let done = self.done.get(stage).and_then(Option::as_ref).map(Arc::clone);
        done.ok_or_else(|| Error::Other(format!("stage {stage} is not built")))
    }
}

/// Runs all stages, each by `advance`, which tells of a stage that must be done first. The
/// progress of the target.
///
/// # Errors
/// The first failure. Commands that run meanwhile are killed.
pub(super) fn run(
    schedule: &Schedule,
    advance: impl Fn(&mut Task) -> Result<Option<usize>, Error> + Sync,
) -> Result<Progress, Error> {
    let stages = schedule.board().done.len();
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let workers = processors.max(FEWEST_WORKERS).min(stages);
    let advance = &advance;
    thread::scope(|scope| -> io::Result<()> {
        for _ in 0..workers {
            let worker = thread::Builder::new().name("worker".into()).stack_size(STACK_LEN_BYTES);
            worker.spawn_scoped(scope, move || schedule.work(advance))?;
        }
        let mut board = schedule.board();
        while board.running > 0 || board.failure.is_none() && !board.ready.is_empty() {
            board = match board.failure {
                None => schedule.changed.wait(board).unwrap_or_else(|lock| lock.into_inner()),
                Some(_) => {
                    signal::kill_commands();
                    let waited = schedule.changed.wait_timeout(board, KILL_INTERVAL);
                    waited.unwrap_or_else(|lock| lock.into_inner()).0
                }
            };
        }
        Ok(())
    })
    .map_err(Error::file("worker"))?;
    if let Some(failure) = schedule.board().failure.take() {
        return Err(failure);
    }
    schedule.take(stages.saturating_sub(1))
}
