//! Work done on all processors, while the thread that wants its results goes on. They
//! come in any order, and are waited for in the caller's, so nothing that is told
//! depends on how many processors there are.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// More threads would only wait for memory and for each other.
const MOST_HELPERS: usize = 7;

/// Something to be done on any thread.
pub(super) trait Work: Send + 'static {
    /// What comes of it.
    type Result: Send;
    /// What a thread keeps from one to the next.
    type Scratch: Default + fmt::Debug;

    /// Does it.
    fn run(self, scratch: &mut Self::Scratch) -> Self::Result;
}

/// Threads that do work. They end when this is dropped.
pub(super) struct Pool<W: Work> {
    shared: Arc<Shared<W>>,
    /// How many threads are to help the caller's own.
    helpers: usize,
    are_started: bool,
    scratch: W::Scratch,
}

/// What will be the result of some work.
pub(super) struct Pending<W: Work>(Arc<Task<W>>);

impl<W: Work> fmt::Debug for Pending<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}

struct Task<W: Work> {
    state: Mutex<State<W>>,
    done: Condvar,
}

enum State<W: Work> {
    Waiting(W),
    Running,
    Done(W::Result),
    Taken,
}

struct Shared<W: Work> {
    queue: Mutex<Queue<W>>,
    filled: Condvar,
}

struct Queue<W: Work> {
    tasks: VecDeque<Arc<Task<W>>>,
    is_closed: bool,
}

impl<W: Work> Pool<W> {
    /// Threads are started when there is work for two.
    pub(super) fn new() -> Self {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let queue = Mutex::new(Queue { tasks: VecDeque::new(), is_closed: false });
        Self {
            shared: Arc::new(Shared { queue, filled: Condvar::new() }),
            helpers: (processors - 1).min(MOST_HELPERS),
            are_started: false,
            scratch: W::Scratch::default(),
        }
    }

    /// How many threads work, the caller's included, where there is enough to do.
    pub(super) fn threads(&self) -> usize {
        self.helpers + 1
    }

    /// Has something done.
    pub(super) fn submit(&mut self, work: W) -> Pending<W> {
        let task = Arc::new(Task { state: Mutex::new(State::Waiting(work)), done: Condvar::new() });
        let mut queue = lock(&self.shared.queue);
        queue.tasks.push_back(Arc::clone(&task));
        let are_needed = queue.tasks.len() > 1;
        drop(queue);
        if are_needed && !self.are_started {
            self.start();
        }
        self.shared.filled.notify_one();
        Pending(task)
    }

    fn start(&mut self) {
        self.are_started = true;
        for _ in 0..self.helpers {
            let shared = Arc::clone(&self.shared);
            // Without a helper, whoever waits does the work.
            let _ = thread::Builder::new().name("layer-diff".into()).spawn(move || shared.help());
        }
    }

    /// Waits for a result, and does other work until it is there.
    pub(super) fn wait(&mut self, pending: Pending<W>) -> W::Result {
        loop {
            if let Some(result) = take(&mut lock(&pending.0.state)) {
                return result;
            }
            let next = lock(&self.shared.queue).tasks.pop_front();
            match next {
                Some(task) => task.run(&mut self.scratch),
                None => return pending.0.wait(),
            }
        }
    }
}

impl<W: Work> Drop for Pool<W> {
    fn drop(&mut self) {
        let mut queue = lock(&self.shared.queue);
        queue.tasks.clear();
        queue.is_closed = true;
        drop(queue);
        self.shared.filled.notify_all();
    }
}

impl<W: Work> Shared<W> {
    /// Does what there is to do, as long as there may be anything.
    fn help(&self) {
        let mut scratch = W::Scratch::default();
        let mut queue = lock(&self.queue);
        while !queue.is_closed {
            match queue.tasks.pop_front() {
                Some(task) => {
                    drop(queue);
                    task.run(&mut scratch);
                    queue = lock(&self.queue);
                }
                None => {
                    queue = self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}

impl<W: Work> Task<W> {
    fn run(&self, scratch: &mut W::Scratch) {
        let state = std::mem::replace(&mut *lock(&self.state), State::Running);
        let State::Waiting(work) = state else { return };
        let result = work.run(scratch);
        *lock(&self.state) = State::Done(result);
        self.done.notify_one();
    }

    fn wait(&self) -> W::Result {
        let mut state = lock(&self.state);
        loop {
            if let Some(result) = take(&mut state) {
                return result;
            }
            state = self.done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn take<W: Work>(state: &mut State<W>) -> Option<W::Result> {
    match std::mem::replace(state, State::Taken) {
        State::Done(result) => Some(result),
        other => {
            *state = other;
            None
        }
    }
}

/// No thread panics while it holds one of these, and if it did they would be whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
