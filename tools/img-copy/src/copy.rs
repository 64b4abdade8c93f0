//! The copy itself: blobs first, several at once, then the documents, then the name. A
//! copy that fails has named nothing.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use common::digest::{DiffId, Digest};
use common::image::Found;
use common::oci::Descriptor;
use common::oci::media_type::Kind;
use common::parallel;
use common::progress::Progress;

use crate::convert::{Recode, Recoded, Wishes};
use crate::target::{Naming, Problem, Target};
use crate::tree::{Content, Node};

/// Blobs on their way at once.
const PARALLEL: usize = 6;

/// A blob to be copied.
#[derive(Debug)]
struct Job<'t> {
    blob: &'t Descriptor,
    /// What it is to become.
    recode: Option<Recode>,
    /// What it is checked to be on its way.
    diff_id: Option<&'t DiffId>,
}

/// Whether layers are checked to be what their image's config says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layers {
    Verified,
    Trusted,
}

/// Refuses what cannot be had as it is wanted, before anything is done.
///
/// # Errors
/// A form that a manifest cannot have.
pub(crate) fn check(root: &Node, wishes: &Wishes) -> Result<(), Problem> {
    let jobs = jobs(root, wishes, Layers::Trusted);
    // As if every layer came out as it went in.
    let recoded = jobs.into_iter().filter_map(|job| Some((job.recode?, job.blob.clone())));
    wishes.convert(root, &recoded.collect())?;
    Ok(())
}

/// Whether every layer keeps its bytes.
pub(crate) fn is_exact(root: &Node, wishes: &Wishes) -> bool {
    jobs(root, wishes, Layers::Trusted).iter().all(|job| job.recode.is_none())
}

/// Copies `root`, found in `from`, to `target`; the digest of the copy.
///
/// # Errors
/// A source that cannot be read, a layer that is not what it should be, a target that
/// cannot be written.
pub(crate) fn copy(
    from: &Found,
    root: &Node,
    wishes: &Wishes,
    layers: Layers,
    naming: &Naming,
    target: &dyn Target,
) -> Result<Digest, Problem> {
    let jobs = jobs(root, wishes, layers);
    let total = jobs.iter().map(|job| job.blob.len_bytes).fold(0, u64::saturating_add);
    let progress = Progress::bytes("copying", Some(total));
    let recoded = Mutex::new(Recoded::new());
    parallel::each(&jobs, PARALLEL, |Job { blob, recode, diff_id }| {
        let Some(recode) = recode else {
            return target.copy(from, blob, *diff_id, &progress);
        };
        let (digest, len_bytes) = target.recode(from, blob, recode, *diff_id, &progress)?;
        let made = Descriptor::new(blob.media_type.clone(), digest, len_bytes);
        lock(&recoded).insert(recode.clone(), made);
        Ok(())
    })?;
    let converted = wishes.convert(root, &lock(&recoded))?;
    let last = converted.documents.last().map(|(copy, _)| copy.digest.clone());
    target.finish(from, root, converted, naming)?;
    Ok(last.unwrap_or_else(|| root.descriptor.digest.clone()))
}

/// Every blob that the images need, each once, the longest first: what takes longest
/// must not begin last.
fn jobs<'t>(root: &'t Node, wishes: &Wishes, layers: Layers) -> Vec<Job<'t>> {
    let mut seen = HashSet::new();
    let mut jobs = Vec::new();
    for node in root.manifests() {
        let Content::Manifest { manifest, diff_ids } = &node.content else { continue };
        let config = Job { blob: &manifest.config, recode: None, diff_id: None };
        let layers = manifest.layers.iter().enumerate().map(|(at, layer)| {
            let diff_id = diff_ids.get(at);
            let checked = diff_id.filter(|_| layers == Layers::Verified && is_layer(layer));
            Job { blob: layer, recode: wishes.recode(layer, diff_id), diff_id: checked }
        });
        for job in std::iter::once(config).chain(layers) {
            if seen.insert((&job.blob.digest, job.recode.clone(), job.diff_id)) {
                jobs.push(job);
            }
        }
    }
    jobs.sort_by_key(|job| std::cmp::Reverse(job.blob.len_bytes));
    jobs
}

/// Whether it is of a type that says what its DiffID means.
fn is_layer(blob: &Descriptor) -> bool {
    matches!(blob.kind(), Kind::Layer | Kind::ForeignLayer)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
