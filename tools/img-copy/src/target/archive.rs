//! An archive: blobs go into it one after the other, once all digests are known. What is
//! compressed anew waits in a file without a name.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use common::digest::{DiffId, Digest};
use common::image::archive::{Selected, Selection};
use common::image::{self, Found, write_archive};
use common::oci::{Descriptor, Platform};
use common::progress::Progress;
use common::store::{self, BlobReader, Name};

use super::{Naming, Problem, Target, recode_to, temporary};
use crate::convert::{Converted, Recode};
use crate::tree::Node;

/// An archive to be.
#[derive(Debug)]
pub(crate) struct Archive {
    /// `-` for standard output.
    pub(crate) file: PathBuf,
    pub(crate) level: Option<i32>,
    /// Layers that are to be left out.
    there: HashSet<Digest>,
    images: Mutex<Vec<Waiting>>,
    waiting: Mutex<HashMap<Digest, Arc<File>>>,
    /// What the blobs are to be checked as when their turn comes.
    diff_ids: Mutex<HashMap<Digest, DiffId>>,
}

/// An image that waits to be written.
#[derive(Debug)]
struct Waiting {
    from: Found,
    converted: Converted,
    names: Vec<Name>,
    platform: Option<Platform>,
    /// Which of the manifests docker's list has.
    listed: Option<usize>,
}

impl Archive {
    pub(crate) fn new(file: PathBuf, there: HashSet<Digest>, level: Option<i32>) -> Self {
        let (images, waiting) = (Mutex::default(), Mutex::default());
        Self { file, level, there, images, waiting, diff_ids: Mutex::default() }
    }

    fn waiting(&self, digest: &Digest) -> Option<Arc<File>> {
        lock(&self.waiting).get(digest).cloned()
    }
}

impl Target for Archive {
    fn copy(
        &self,
        from: &Found,
        blob: &Descriptor,
        diff_id: Option<&DiffId>,
        _progress: &Progress,
    ) -> Result<(), Problem> {
        // Its turn comes when the archive is written.
        let Some(diff_id) = diff_id else { return Ok(()) };
        let other = lock(&self.diff_ids).insert(blob.digest.clone(), diff_id.clone());
        match other.filter(|other| other != diff_id) {
            // Configs that disagree about it: at most one of them is right.
            Some(other) => {
                Ok(from.blob(blob)?.check_as(Some(&other)).map_err(image::Error::from)?)
            }
            None => Ok(()),
        }
    }

    fn recode(
        &self,
        from: &Found,
        layer: &Descriptor,
        recode: &Recode,
        diff_id: Option<&DiffId>,
        progress: &Progress,
    ) -> Result<(Digest, u64), Problem> {
        let (file, digest, len_bytes) =
            recode_to(temporary()?, from, layer, recode, diff_id, self.level, progress)?;
        lock(&self.waiting).insert(digest.clone(), Arc::new(file));
        Ok((digest, len_bytes))
    }

    fn finish(
        &self,
        from: &Found,
        root: &Node,
        converted: Converted,
        naming: &Naming,
    ) -> Result<(), Problem> {
        let names = naming.names.iter().filter_map(|name| name.parse().ok()).collect();
        let listed = listed(from, root);
        let (from, platform) = (from.clone(), root.platform.clone());
        lock(&self.images).push(Waiting { from, converted, names, platform, listed });
        Ok(())
    }

    fn close(&self) -> Result<(), Problem> {
        let images = lock(&self.images);
        let mut selection = Selection::default();
        let mut owners: HashMap<&Digest, &Found> = HashMap::new();
        for image in images.iter() {
            let Some((last, _)) = image.converted.documents.last() else { continue };
            let mut root = last.clone();
            root.platform.clone_from(&image.platform);
            // Docker could not load what is not whole.
            let listed = image.listed.filter(|_| self.there.is_empty());
            let listed = listed.and_then(|at| image.converted.manifests.get(at));
            selection.images.push(Selected { root, names: image.names.clone(), listed });
            let documents = image.converted.documents.iter();
            selection.documents.extend(documents.map(|(one, bytes)| (one, bytes.as_slice())));
            for manifest in &image.converted.manifests {
                let left =
                    manifest.layers.iter().filter(|layer| !self.there.contains(&layer.digest));
                for blob in std::iter::once(&manifest.config).chain(left) {
                    selection.blobs.push(blob);
                    owners.entry(&blob.digest).or_insert(&image.from);
                }
            }
        }
        let total = selection.blobs.iter().map(|blob| blob.len_bytes);
        let progress = Progress::bytes("writing", Some(total.fold(0, u64::saturating_add)));
        let open = |blob: &Descriptor| match self.waiting(&blob.digest) {
            Some(file) => Ok(BlobReader::new(file, 0, blob)),
            None => {
                progress.add(blob.len_bytes);
                let owner = owners.get(&blob.digest);
                let owner = owner.ok_or_else(|| store::Error::NoBlob(blob.digest.clone()))?;
                let reader = owner.blob(blob)?;
                Ok(match lock(&self.diff_ids).get(&blob.digest) {
                    Some(diff_id) => reader.verified(diff_id),
                    None => reader,
                })
            }
        };
        write_archive(&self.file, &selection, open).map_err(Problem::Source)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The place of the manifest for docker's list: the only one if it is an image, or this
/// machine's.
fn listed(from: &Found, root: &Node) -> Option<usize> {
    if root.is_manifest() {
        return root.platform.as_ref().map(|_| 0);
    }
    let chosen = from.choose(None).ok()?.digest;
    root.manifests().iter().position(|image| image.descriptor.digest == chosen)
}
