//! Which stage runs when: those that need nothing more, the first of the file first, as
//! many at a time as there are workers.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, RecvTimeoutError};
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

/// The interval at which a lock that others hold is tried again.
const LOCK_INTERVAL: Duration = Duration::from_millis(20);

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

    /// Waits a moment for a lock that another step or build holds.
    ///
    /// # Errors
    /// A failure of the build meanwhile.
    pub(super) fn pause(&self) -> Result<(), Error> {
        let goes_on = |board: &mut Board| board.failure.is_none();
        let waited = self.changed.wait_timeout_while(self.board(), LOCK_INTERVAL, goes_on);
        let (board, _) = waited.unwrap_or_else(|lock| lock.into_inner());
        board.failure.as_ref().map_or(Ok(()), |_| Err(abandoned()))
    }

    /// Runs `work`, which may wait for a network or a pipe, in a thread of its own. If the
    /// build fails meanwhile, that thread is left behind.
    ///
    /// # Errors
    /// A failure of the build meanwhile; a thread that cannot be started.
    pub(super) fn run_aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let thread = thread::Builder::new().name("aside".into());
        let started = thread.spawn(move || drop(sender.send(work())));
        started.map_err(Error::file("thread"))?;
        loop {
            match receiver.recv_timeout(KILL_INTERVAL) {
                Ok(done) => return done,
                Err(RecvTimeoutError::Timeout) if !self.has_failed() => {}
                Err(RecvTimeoutError::Timeout) => return Err(abandoned()),
                Err(RecvTimeoutError::Disconnected) => return Err(panicked()),
            }
        }
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
            let advanced = catch_unwind(AssertUnwindSafe(|| advance(&mut task)));
            let advanced = advanced.unwrap_or_else(|_| Err(panicked()));
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

/// The error of a step that gives up because another has failed. Nobody sees it.
fn abandoned() -> Error {
    Error::Other("abandoned: another step has failed".into())
}

/// The error of a step that panicked; the panic itself has been reported.
fn panicked() -> Error {
    Error::Other("internal error: a step panicked".into())
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
    run_with_stack(STACK_LEN_BYTES, schedule, advance)
}

fn run_with_stack(
    stack_len_bytes: usize,
    schedule: &Schedule,
    advance: impl Fn(&mut Task) -> Result<Option<usize>, Error> + Sync,
) -> Result<Progress, Error> {
    let stages = schedule.board().done.len();
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let workers = processors.max(FEWEST_WORKERS).min(stages);
    let advance = &advance;
    thread::scope(|scope| {
        let start = |_: &usize| {
            let worker = thread::Builder::new().name("worker".into()).stack_size(stack_len_bytes);
            worker.spawn_scoped(scope, move || schedule.work(advance)).is_ok()
        };
        // Fewer workers do as well, and this thread if there are none.
        if (0..workers).take_while(start).count() == 0 {
            schedule.work(advance);
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
    });
    if let Some(failure) = schedule.board().failure.take() {
        return Err(failure);
    }
    schedule.take(stages.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::{Condvar, Mutex};

    use super::{Board, Error, Progress, STACK_LEN_BYTES, Schedule, Task, run_with_stack};

    /// Stages that do not need each other.
    fn stages(count: usize) -> Schedule {
        let task = |stage| (stage, Task { stage, next: 0, progress: Some(Progress::default()) });
        let board = Board {
            ready: (0..count).map(task).collect::<BTreeMap<_, _>>(),
            waiting: (0..count).map(|_| Vec::new()).collect(),
            done: vec![None; count],
            readers: vec![1; count],
            needs: vec![Vec::new(); count],
            running: 0,
            failure: None,
        };
        Schedule { board: Mutex::new(board), changed: Condvar::new() }
    }

    #[test]
    fn a_step_that_panics_fails_the_build() {
        let failed = run_with_stack(STACK_LEN_BYTES, &stages(3), |task| match task.stage {
            1 => panic!("a panic that is meant"),
            _ => Ok(None),
        });
        assert!(matches!(failed, Err(Error::Other(text)) if text.contains("panicked")));
    }

    #[test]
    fn a_build_needs_no_workers() {
        // More than there is of memory: no thread is started.
        let built = run_with_stack(1 << 60, &stages(3), |_| Ok(None));
        built.unwrap();
    }

    #[test]
    fn a_failure_does_not_wait_for_what_runs_aside() {
        let schedule = stages(2);
        let (_sender, never) = std::sync::mpsc::channel::<()>();
        let never = Mutex::new(Some(never));
        let failed = run_with_stack(STACK_LEN_BYTES, &schedule, |task| match task.stage {
            0 => {
                let never = never.lock().unwrap().take().unwrap();
                schedule.run_aside(move || Ok(never.recv().is_ok())).map(|_| None)
            }
            _ => Err(Error::Other("the first failure".into())),
        });
        assert!(matches!(failed, Err(Error::Other(text)) if text == "the first failure"));
    }
}
