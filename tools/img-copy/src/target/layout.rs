//! The store, or another OCI layout.

use common::digest::{DiffId, Digest};
use common::image::{self, Found};
use common::oci::Descriptor;
use common::progress::Progress;
use common::store::{self, Store};

use super::{Naming, Problem, Target, may_be_missing};
use crate::convert::{Converted, Recode};
use crate::recode::recode as recode_layer;
use crate::tree::Node;

/// An open layout.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) store: Store,
    pub(crate) level: Option<i32>,
}

impl Target for Layout {
    fn copy(
        &self,
        from: &Found,
        blob: &Descriptor,
        diff_id: Option<&DiffId>,
        progress: &Progress,
    ) -> Result<(), Problem> {
        match from.copy(blob, diff_id, &self.store, |len_bytes| progress.add(len_bytes)) {
            Err(error) if may_be_missing(&error, blob) => Ok(()),
            // Of the store that is written to.
            Err(image::Error::Store(error @ store::Error::Io { .. })) => Err(error.into()),
            copied => Ok(copied?),
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
        let writer = self.store.writer()?;
        let writer = recode_layer(from, layer, recode, diff_id, self.level, progress, writer)?;
        Ok(writer.commit()?)
    }

    fn finish(
        &self,
        _from: &Found,
        root: &Node,
        converted: Converted,
        naming: &Naming,
    ) -> Result<(), Problem> {
        for (document, bytes) in &converted.documents {
            let mut writer = self.store.writer_by(document.digest.algorithm())?;
            let written = std::io::Write::write_all(&mut writer, bytes);
            written
                .map_err(|source| image::Error::Io { what: document.digest.to_string(), source })?;
            writer.commit()?;
        }
        let Some((copy, _)) = converted.documents.last() else { return Ok(()) };
        let mut named = copy.clone();
        match &naming.index {
            // A copy that is another image is not the index's any more.
            Some((index, bytes)) if copy.digest == root.descriptor.digest => {
                named = self.store.keep_index(&named, index, bytes)?;
            }
            _ => {}
        }
        self.store.tag_as(&naming.names, &named)?;
        Ok(())
    }
}
