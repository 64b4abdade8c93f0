//! The copy itself: blobs first, several at once, then the documents, then the name. A
//! copy that fails has named nothing.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use common::digest::Digest;
use common::image::Found;
use common::oci::Descriptor;
use common::progress::Progress;

use crate::convert::{Recode, Recoded, Wishes};
use crate::target::{Problem, Target};
use crate::tree::{Content, Node};

/// Blobs on their way at once.
const PARALLEL: usize = 6;

/// A blob, and what is to become of it.
type Job<'t> = (&'t Descriptor, Option<Recode>);

/// Refuses what cannot be had as it is wanted, before anything is done.
///
/// # Errors
/// A form that a manifest cannot have.
pub(crate) fn check(root: &Node, wishes: &Wishes) -> Result<(), Problem> {
    let jobs = jobs(root, wishes);
    // As if every layer came out as it went in.
    let recoded = jobs.into_iter().filter_map(|(blob, recode)| Some((recode?, blob.clone())));
    wishes.convert(root, &recoded.collect())?;
    Ok(())
}

/// Copies `root`, found in `from`, to `target`; the digest of the copy.
///
/// # Errors
/// A source that cannot be read, a target that cannot be written.
pub(crate) fn copy(
    from: &Found,
    root: &Node,
    wishes: &Wishes,
    target: &dyn Target,
) -> Result<Digest, Problem> {
    let jobs = jobs(root, wishes);
    let total = jobs.iter().map(|(blob, _)| blob.len_bytes).fold(0, u64::saturating_add);
    let progress = Progress::bytes("copying", Some(total));
    let recoded = Mutex::new(Recoded::new());
    in_parallel(&jobs, |(blob, recode)| {
        let Some(recode) = recode else { return target.copy(from, blob, &progress) };
        let (digest, len_bytes) = target.recode(from, blob, recode, &progress)?;
        let made = Descriptor::new(blob.media_type.clone(), digest, len_bytes);
        lock(&recoded).insert(recode.clone(), made);
        Ok(())
    })?;
    let converted = wishes.convert(root, &lock(&recoded))?;
    target.finish(from, root, &converted, &progress)?;
    let last = converted.documents.last();
    Ok(last.map_or_else(|| root.descriptor.digest.clone(), |(copy, _)| copy.digest.clone()))
}

/// Every blob that the images need, each once, the longest first: what takes longest
/// must not begin last.
fn jobs<'t>(root: &'t Node, wishes: &Wishes) -> Vec<Job<'t>> {
    let mut seen = HashSet::new();
    let mut jobs = Vec::new();
    for node in root.manifests() {
        let Content::Manifest { manifest, diff_ids } = &node.content else { continue };
        let config = std::iter::once((&manifest.config, None));
        let layers = manifest.layers.iter().enumerate();
        let layers = layers.map(|(at, layer)| (layer, wishes.recode(layer, diff_ids.get(at))));
        for job in config.chain(layers) {
            if seen.insert((job.0.digest.clone(), job.1.clone())) {
                jobs.push(job);
            }
        }
    }
    jobs.sort_by_key(|(blob, _)| std::cmp::Reverse(blob.len_bytes));
    jobs
}

/// Runs `work` on every job. After a failure, of which the first one counts, no further
/// job is begun.
fn in_parallel<T: Sync>(
    jobs: &[T],
    work: impl Fn(&T) -> Result<(), Problem> + Sync,
) -> Result<(), Problem> {
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(None);
    let worker = || {
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(problem) = work(job) {
                next.store(jobs.len(), Ordering::Relaxed);
                lock(&failed).get_or_insert(problem);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..jobs.len().min(PARALLEL) {
            scope.spawn(worker);
        }
        worker();
    });
    failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
