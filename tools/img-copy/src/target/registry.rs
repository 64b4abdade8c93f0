//! A repository of a registry.

use std::sync::Arc;

use common::compression::Format;
use common::digest::{DiffId, Digest};
use common::image::{self, Found};
use common::layer::verify;
use common::message;
use common::oci::media_type::Kind;
use common::oci::{Descriptor, media_type};
use common::progress::Progress;
use common::store::BlobReader;

use super::growing::Growing;
use super::{Naming, Problem, Target, recode_to, temporary};
use crate::compressed;
use crate::convert::{Converted, Recode};
use crate::tree::Node;
use registry::{Error, Pushed, RegistryReference, Repository, Target as Name};

/// A repository to push to.
#[derive(Debug)]
pub(crate) struct Registry {
    pub(crate) repository: Repository,
    pub(crate) reference: RegistryReference,
    /// Repositories of the same registry that may have the blobs already.
    pub(crate) others: Vec<String>,
    pub(crate) level: Option<i32>,
    /// Set if the image is already in this repository and only gets another name.
    pub(crate) is_source: bool,
}

impl Registry {
    fn push(
        &self,
        blob: &Descriptor,
        open: &dyn Fn() -> Result<BlobReader, image::Error>,
    ) -> Result<Pushed, Problem> {
        let pushed = self.repository.push_blob(blob, &self.others, open).map_err(problem)?;
        let digest = &blob.digest;
        message::verbose(match pushed {
            Pushed::AlreadyThere => format!("blob {digest} is there already"),
            Pushed::Mounted => format!("blob {digest} was taken from another repository"),
            Pushed::Uploaded => format!("blob {digest} was sent"),
        });
        Ok(pushed)
    }
}

impl Target for Registry {
    fn copy(
        &self,
        from: &Found,
        blob: &Descriptor,
        diff_id: Option<&DiffId>,
        progress: &Progress,
    ) -> Result<(), Problem> {
        if blob.kind() == Kind::ForeignLayer {
            // As docker does: who wants it fetches it from where it may be had.
            message::verbose(format_args!("layer {} is not to be redistributed", blob.digest));
            return Ok(());
        }
        if self.is_source {
            progress.add(blob.len_bytes);
            return Ok(());
        }
        let Some(diff_id) = diff_id else {
            self.push(blob, &|| from.blob(blob))?;
            progress.add(blob.len_bytes);
            return Ok(());
        };
        let pushed = self.push(blob, &|| Ok(from.blob(blob)?.verified(diff_id)))?;
        if pushed != Pushed::Uploaded && !verify::is_known(&blob.digest, diff_id) {
            from.blob(blob)?.check_as(Some(diff_id)).map_err(image::Error::from)?;
        }
        progress.add(blob.len_bytes);
        Ok(())
    }

    fn recode(
        &self,
        from: &Found,
        layer: &Descriptor,
        recode: &Recode,
        diff_id: Option<&DiffId>,
        progress: &Progress,
    ) -> Result<(Digest, u64), Problem> {
        let remembered = compressed::Remembered::of(recode, self.level);
        if let Some((digest, len_bytes)) = remembered.get() {
            let blob = Descriptor::new(media_type::LAYER, digest, len_bytes);
            if self.repository.has_blob(&blob).map_err(problem)? {
                message::verbose(format_args!("blob {} is there already", blob.digest));
                progress.add(layer.len_bytes);
                return Ok((blob.digest, len_bytes));
            }
        }
        // The compressed layer is sent while it is made, and kept until it has arrived.
        let growing = Growing::new(temporary()?);
        let (made, sent) = std::thread::scope(|scope| -> std::io::Result<_> {
            let thread = std::thread::Builder::new().name("upload".into());
            let stream = || self.repository.stream(&mut growing.reader());
            let sending = thread.spawn_scoped(scope, stream)?;
            let writer = growing.writer();
            let made = recode_to(writer, from, layer, recode, diff_id, self.level, progress);
            let made = made.map(|(writer, digest, len_bytes)| {
                writer.finish();
                (digest, len_bytes)
            });
            Ok((made, sending.join()))
        })
        .map_err(|source| image::Error::Io { what: "cannot start a thread".into(), source })?;
        let (digest, len_bytes) = made?;
        if recode.format != Format::None {
            remembered.put(&digest, len_bytes);
        }
        let blob = Descriptor::new(media_type::LAYER, digest, len_bytes);
        let sent = sent.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        match sent.and_then(|at| self.repository.end(&blob, &at)) {
            Ok(()) => {
                message::verbose(format_args!("blob {} was sent as it was made", blob.digest));
            }
            // By all means that there are for a blob of which all is known.
            Err(error) => {
                message::verbose(format_args!(
                    "blob {}, sent as it was made: {error}",
                    blob.digest
                ));
                let file = growing.file();
                let _ = self.push(&blob, &|| Ok(BlobReader::new(Arc::clone(file), 0, &blob)))?;
            }
        }
        Ok((blob.digest, len_bytes))
    }

    fn finish(
        &self,
        _from: &Found,
        _root: &Node,
        converted: Converted,
        _naming: &Naming,
    ) -> Result<(), Problem> {
        let Some(((root, bytes), below)) = converted.documents.split_last() else { return Ok(()) };
        if let Name::Digest(digest) = &self.reference.target {
            if *digest != root.digest {
                return Err(Problem::OtherDigest(root.digest.clone()));
            }
        }
        for (document, bytes) in below {
            let name = Name::Digest(document.digest.clone());
            self.repository.push_manifest(&name, document, bytes).map_err(problem)?;
        }
        self.repository.push_manifest(&self.reference.target, root, bytes).map_err(problem)
    }
}

/// A blob of ours that cannot be read is not the registry's fault.
fn problem(error: Error) -> Problem {
    match error {
        Error::Source { digest, source } => {
            Problem::Source(image::Error::Io { what: format!("blob {digest}"), source })
        }
        other => Problem::Registry(other),
    }
}
