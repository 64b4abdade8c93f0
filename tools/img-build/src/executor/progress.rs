//! A stage under way: its layers, its history, and its tree when one is needed.

use std::sync::Arc;

use common::digest::{ChainId, DiffId};
use common::image::{Image, Layer};
use common::oci::History;

use crate::cache::Outcome;
use crate::error::Error;
use crate::tree::{Reading, Tree, of_layer};

/// Marks our history entries as BuildKit's are marked, for those who read its dialect.
const COMMENT: &str = "buildkit.dockerfile.v0";

/// A stage under way, or done.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    /// Base first, all of them in the store.
    pub(crate) layers: Vec<Layer>,
    /// The entries that the steps add to the history of the base image.
    pub(crate) history: Vec<History>,
    tree: Option<Arc<Tree>>,
    /// The number of layers in the tree.
    applied: usize,
}

impl Progress {
    /// FROM an image, whose layers are in the store.
    pub(super) fn of_image(image: &Image) -> Self {
        Self { layers: image.layers().collect(), ..Self::default() }
    }

    /// Returns the identity of its root file system.
    pub(super) fn chain(&self) -> Option<ChainId> {
        ChainId::of(self.layers.iter().map(|layer| &layer.diff_id))
    }

    pub(super) fn diff_ids(&self) -> Vec<DiffId> {
        self.layers.iter().map(|layer| layer.diff_id.clone()).collect()
    }

    /// Its file system by names, caught up with its layers.
    ///
    /// # Errors
    /// A layer that cannot be read.
    pub(super) fn tree(&mut self, reading: Reading<'_>) -> Result<Arc<Tree>, Error> {
        let mut tree = self.tree.take().unwrap_or_else(|| Arc::new(Tree::new()));
        for layer in self.layers.get(self.applied..).unwrap_or_default() {
            let scanned = of_layer(reading, layer)?;
            let refused = Error::member(format!("layer {}", layer.descriptor.digest));
            Arc::make_mut(&mut tree).apply(scanned).map_err(refused)?;
        }
        self.applied = self.layers.len();
        self.tree = Some(Arc::clone(&tree));
        Ok(tree)
    }

    /// Lends the tree to be changed; [`Progress::return_tree`] takes it back.
    pub(super) fn lend_tree(&mut self, reading: Reading<'_>) -> Result<Arc<Tree>, Error> {
        let tree = self.tree(reading)?;
        self.tree = None;
        Ok(tree)
    }

    /// The tree as a step left it. The layer of that step is applied on top when the
    /// tree is next needed: it has the times that were recorded.
    pub(super) fn return_tree(&mut self, tree: Arc<Tree>) {
        self.tree = Some(tree);
    }

    /// Adds a history entry, and the layer that it stands for if there is one.
    pub(super) fn record(&mut self, created_by: &str, outcome: Option<&Outcome>) {
        let layer = outcome.and_then(Outcome::layer);
        self.history.push(History {
            created: layer.as_ref().and(outcome).map(|outcome| outcome.created.clone()),
            created_by: created_by.to_owned(),
            comment: COMMENT.into(),
            empty_layer: layer.is_none(),
            ..History::default()
        });
        self.layers.extend(layer);
    }
}
