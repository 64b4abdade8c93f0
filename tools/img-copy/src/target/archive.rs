//! An archive: blobs go into it one after the other, once all digests are known. What is
//! compressed anew waits in a file without a name.

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use common::digest::{DiffId, Digest};
use common::image::archive::Selection;
use common::image::{self, Found, write_archive};
use common::oci::{Descriptor, Manifest};
use common::progress::Progress;
use common::store::{BlobReader, Name};

use super::{Problem, Target, recode_to, temporary};
use crate::convert::{Converted, Recode};
use crate::tree::{Content, Node};

/// An archive to be, and what the image will be called in it.
#[derive(Debug)]
pub(crate) struct Archive {
    /// `-` for standard output.
    pub(crate) file: PathBuf,
    pub(crate) names: Vec<Name>,
    pub(crate) level: Option<i32>,
    waiting: Mutex<HashMap<Digest, Arc<File>>>,
    /// What the blobs are to be checked as when their turn comes.
    diff_ids: Mutex<HashMap<Digest, DiffId>>,
}

impl Archive {
    pub(crate) fn new(file: PathBuf, names: Vec<Name>, level: Option<i32>) -> Self {
        Self { file, names, level, waiting: Mutex::default(), diff_ids: Mutex::default() }
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
        converted: &Converted,
        progress: &Progress,
    ) -> Result<(), Problem> {
        let Some((last, _)) = converted.documents.last() else { return Ok(()) };
        let mut top = last.clone();
        top.platform.clone_from(&root.platform);
        let documents: Vec<_> = converted
            .documents
            .iter()
            .map(|(document, bytes)| (document, bytes.as_slice()))
            .collect();
        let blobs = converted.manifests.iter();
        let blobs = blobs.flat_map(|image| std::iter::once(&image.config).chain(&image.layers));
        let listed = listed(from, root, converted);
        let selection = Selection { root: top, documents, blobs: blobs.collect(), listed };
        let open = |blob: &Descriptor| match self.waiting(&blob.digest) {
            Some(file) => Ok(BlobReader::new(file, 0, blob)),
            None => {
                progress.add(blob.len_bytes);
                let reader = from.blob(blob)?;
                Ok(match lock(&self.diff_ids).get(&blob.digest) {
                    Some(diff_id) => reader.verified(diff_id),
                    None => reader,
                })
            }
        };
        write_archive(&self.file, &selection, &self.names, open).map_err(Problem::Source)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The image for docker's list: the only one, or this machine's.
fn listed<'c>(from: &Found, root: &Node, converted: &'c Converted) -> Option<&'c Manifest> {
    if matches!(root.content, Content::Manifest { .. }) {
        return converted.manifests.first();
    }
    let chosen = from.image(None).ok()?.descriptor.digest;
    let at = root.manifests().iter().position(|image| image.descriptor.digest == chosen)?;
    converted.manifests.get(at)
}
