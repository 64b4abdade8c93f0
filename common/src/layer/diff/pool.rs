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
    progress: Mutex<Progress<W>>,
    done: Condvar,
}

struct Progress<W: Work> {
    state: State<W>,
    /// Whether the caller's thread sleeps until it is done.
    is_awaited: bool,
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
    /// How many threads sleep until there is something to do.
    idle: usize,
    is_closed: bool,
}

impl<W: Work> Pool<W> {
    /// Threads are started when there is work for two.
    pub(super) fn new() -> Self {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let queue = Mutex::new(Queue { tasks: VecDeque::new(), idle: 0, is_closed: false });
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
        let progress = Progress { state: State::Waiting(work), is_awaited: false };
        let task = Arc::new(Task { progress: Mutex::new(progress), done: Condvar::new() });
        let mut queue = lock(&self.shared.queue);
        queue.tasks.push_back(Arc::clone(&task));
        let are_needed = queue.tasks.len() > 1;
        let is_one_idle = queue.idle > 0;
        drop(queue);
        if are_needed && !self.are_started {
            self.start();
        }
        // Waking nobody takes a system call too.
        if is_one_idle {
            self.shared.filled.notify_one();
        }
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
            if let Some(result) = lock(&pending.0.progress).take() {
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
                    queue.idle += 1;
                    queue = self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
                    queue.idle -= 1;
                }
            }
        }
    }
}

impl<W: Work> Task<W> {
    fn run(&self, scratch: &mut W::Scratch) {
        let state = std::mem::replace(&mut lock(&self.progress).state, State::Running);
        let State::Waiting(work) = state else { return };
        let result = work.run(scratch);
        let mut progress = lock(&self.progress);
        progress.state = State::Done(result);
        if progress.is_awaited {
            self.done.notify_one();
        }
    }

    fn wait(&self) -> W::Result {
        let mut progress = lock(&self.progress);
        loop {
            if let Some(result) = progress.take() {
                return result;
            }
            progress.is_awaited = true;
            progress = self.done.wait(progress).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<W: Work> Progress<W> {
    fn take(&mut self) -> Option<W::Result> {
        match std::mem::replace(&mut self.state, State::Taken) {
            State::Done(result) => Some(result),
            other => {
                self.state = other;
                None
            }
        }
    }
}

/// No thread panics while it holds one of these, and if it did they would be whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{Pool, Work};

    struct Square(u64);

    impl Work for Square {
        type Result = u64;
        type Scratch = u64;

        fn run(self, done: &mut u64) -> u64 {
            *done += 1;
            self.0 * self.0
        }
    }

    #[test]
    fn every_result_is_that_of_its_own_work_however_the_threads_meet() {
        for round in 0..200 {
            let mut pool = Pool::new();
            pool.helpers = round % 4;
            let numbers = 0..200 + round as u64;
            let pending: Vec<_> = numbers.clone().map(|one| pool.submit(Square(one))).collect();
            for (one, pending) in numbers.zip(pending) {
                assert_eq!(pool.wait(pending), one * one);
            }
            // And one at a time, with the helpers asleep or about to be.
            for one in 0..50 {
                let pending = [pool.submit(Square(one)), pool.submit(Square(one + 1))];
                assert_eq!(
                    pending.map(|pending| pool.wait(pending)),
                    [one * one, (one + 1) * (one + 1)]
                );
            }
        }
    }
}
