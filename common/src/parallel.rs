//! A list of jobs done by several threads at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Runs `work` on every job, at most `threads` of them at once, in their order; on this
/// thread alone where the system has no other. After a failure, of which the first one is
/// returned, no further job is begun.
///
/// # Errors
/// Whatever `work` returns.
pub fn each<T: Sync, E: Send>(
    jobs: &[T],
    threads: usize,
    work: impl Fn(&T) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(None);
    let worker = || {
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(error) = work(job) {
                next.store(jobs.len(), Ordering::Relaxed);
                failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..jobs.len().min(threads) {
            // Where the system has no more threads, fewer do.
            if thread::Builder::new().name("jobs".into()).spawn_scoped(scope, worker).is_err() {
                break;
            }
        }
        worker();
    });
    failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}
