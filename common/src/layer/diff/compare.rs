//! Pairs of files compared on all processors, while the walk that wants to know goes
//! on. The answers come in any order, and are waited for in that of the walk, so
//! nothing that is told depends on how many processors there are.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::Error;
use super::content::{self, FileContent};

/// How much of each file is compared at a time: two of these stay in a processor's
/// own cache.
const BLOCK_LEN_BYTES: usize = 128 << 10;

/// More threads would only wait for memory and for each other.
const MOST_HELPERS: usize = 7;

/// Two files of the same length.
pub(super) type Pair = (FileContent, FileContent);

/// Whether the two are equal.
type Answer = Result<bool, Error>;

/// Compares pairs. Its threads end when this is dropped.
#[derive(Debug)]
pub(super) struct Comparer {
    shared: Arc<Shared>,
    /// How many threads are to help the caller's own, until they are started.
    helpers: usize,
    buffers: Buffers,
}

/// What will say whether a pair is equal.
#[derive(Debug)]
pub(super) struct Pending(Arc<Task>);

#[derive(Debug)]
struct Task {
    state: Mutex<State>,
    done: Condvar,
}

#[derive(Debug)]
enum State {
    Waiting(Box<Pair>),
    Running,
    Done(Answer),
    Taken,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    filled: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    tasks: VecDeque<Arc<Task>>,
    is_closed: bool,
}

/// A block of either file.
#[derive(Debug, Default)]
struct Buffers(Vec<u8>, Vec<u8>);

impl Comparer {
    /// Threads are started with the first pair.
    pub(super) fn new() -> Self {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let helpers = (processors - 1).min(MOST_HELPERS);
        Self { shared: Arc::default(), helpers, buffers: Buffers::default() }
    }

    /// Has a pair compared.
    pub(super) fn submit(&mut self, pair: Pair) -> Pending {
        for _ in 0..std::mem::take(&mut self.helpers) {
            let shared = Arc::clone(&self.shared);
            // Without a helper, whoever waits does the work.
            let _ = thread::Builder::new().name("compare".into()).spawn(move || shared.help());
        }
        let state = Mutex::new(State::Waiting(Box::new(pair)));
        let task = Arc::new(Task { state, done: Condvar::new() });
        lock(&self.shared.queue).tasks.push_back(Arc::clone(&task));
        self.shared.filled.notify_one();
        Pending(task)
    }

    /// Waits for an answer, and compares other pairs until it is there.
    pub(super) fn wait(&mut self, pending: Pending) -> Answer {
        loop {
            if let Some(answer) = pending.0.take() {
                return answer;
            }
            let next = lock(&self.shared.queue).tasks.pop_front();
            match next {
                Some(task) => task.run(&mut self.buffers),
                None => return pending.0.wait(),
            }
        }
    }
}

impl Drop for Comparer {
    fn drop(&mut self) {
        let mut queue = lock(&self.shared.queue);
        queue.tasks.clear();
        queue.is_closed = true;
        drop(queue);
        self.shared.filled.notify_all();
    }
}

impl Shared {
    /// Compares pairs as long as there may be any.
    fn help(&self) {
        let mut buffers = Buffers::default();
        let mut queue = lock(&self.queue);
        while !queue.is_closed {
            match queue.tasks.pop_front() {
                Some(task) => {
                    drop(queue);
                    task.run(&mut buffers);
                    queue = lock(&self.queue);
                }
                None => {
                    queue = self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}

impl Task {
    fn run(&self, buffers: &mut Buffers) {
        let state = std::mem::replace(&mut *lock(&self.state), State::Running);
        let State::Waiting(mut pair) = state else { return };
        for buffer in [&mut buffers.0, &mut buffers.1] {
            buffer.resize(BLOCK_LEN_BYTES, 0);
        }
        let answer = content::are_equal(&mut pair.0, &mut pair.1, &mut buffers.0, &mut buffers.1);
        *lock(&self.state) = State::Done(answer);
        self.done.notify_one();
    }

    fn take(&self) -> Option<Answer> {
        take(&mut lock(&self.state))
    }

    fn wait(&self) -> Answer {
        let mut state = lock(&self.state);
        loop {
            if let Some(answer) = take(&mut state) {
                return answer;
            }
            state = self.done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn take(state: &mut State) -> Option<Answer> {
    match std::mem::replace(state, State::Taken) {
        State::Done(answer) => Some(answer),
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
