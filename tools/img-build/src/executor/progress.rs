//! A stage under way: its config, its layers, its variables, and its tree when one
//! is needed.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use common::containerfile::config::{self, Changes};
use common::digest::{ChainId, DiffId};
use common::image::{Image, Layer};
use common::oci::{History, ImageConfig, Platform};

use crate::error::Error;
use crate::tree::{Reading, Tree, of_layer};

/// What every Linux image gets that sets none, as docker has it.
pub(crate) const DEFAULT_PATH: &str =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Marks our history entries as BuildKit's are marked, for those who read its dialect.
const COMMENT: &str = "buildkit.dockerfile.v0";

/// A stage under way, or done.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) image: ImageConfig,
    /// Base first, all of them in the store.
    pub(crate) layers: Vec<Layer>,
    /// What words are expanded with and commands see: ENV and ARG together.
    pub(crate) variables: BTreeMap<String, String>,
    /// The ARGs of the stage, in the order they were declared.
    pub(crate) arguments: Vec<String>,
    /// The same, to look names up.
    declared: HashSet<String>,
    /// What the config takes, more or less: its history, and what an image's was.
    len_bytes: usize,
    pub(crate) changes: Changes,
    /// The image that it is made from, if it is one.
    pub(crate) base: Option<(String, common::digest::Digest)>,
    tree: Option<Arc<Tree>>,
    /// How many of the layers are in the tree.
    applied: usize,
}

impl State {
    /// FROM scratch.
    pub(crate) fn scratch(platform: &Platform) -> Self {
        let mut image = ImageConfig::scratch(platform);
        image.config.working_dir = "/".into();
        Self::new(image, Vec::new(), None)
    }

    /// FROM an image, whose layers are in the store.
    pub(crate) fn of_image(name: &str, image: &Image) -> Self {
        let mut config = image.config.clone();
        // What docker says of the container that an image was made in is not true of ours.
        config.extra = Default::default();
        config.config.extra = Default::default();
        let base = Some((name.to_owned(), image.descriptor.digest.clone()));
        let mut state = Self::new(config, image.layers().collect(), base);
        state.len_bytes = image.config_bytes.len();
        state
    }

    /// FROM an earlier stage.
    pub(crate) fn of_stage(stage: &Self) -> Self {
        let mut state = stage.clone();
        state.changes = Changes::default();
        state.image.config.on_build.clear();
        state
    }

    fn new(
        mut image: ImageConfig,
        layers: Vec<Layer>,
        base: Option<(String, common::digest::Digest)>,
    ) -> Self {
        let env = &mut image.config.env;
        if !env.iter().any(|entry| entry.starts_with("PATH=")) {
            env.push(format!("PATH={DEFAULT_PATH}"));
        }
        let variables = config::variables(env);
        Self {
            image,
            layers,
            variables,
            arguments: Vec::new(),
            declared: HashSet::new(),
            len_bytes: 0,
            changes: Changes::default(),
            base,
            tree: None,
            applied: 0,
        }
    }

    /// How long its config is, more or less.
    pub(crate) fn len_bytes(&self) -> usize {
        self.len_bytes
    }

    /// Notes an ARG; the first time counts.
    pub(crate) fn declare(&mut self, name: &str) {
        if self.declared.insert(name.to_owned()) {
            self.arguments.push(name.to_owned());
        }
    }

    /// What identifies its root file system.
    pub(crate) fn chain(&self) -> Option<ChainId> {
        ChainId::of(self.layers.iter().map(|layer| &layer.diff_id))
    }

    pub(crate) fn diff_ids(&self) -> Vec<DiffId> {
        self.layers.iter().map(|layer| layer.diff_id.clone()).collect()
    }

    /// Its file system by names, caught up with its layers.
    ///
    /// # Errors
    /// A layer that cannot be read.
    pub(crate) fn tree(&mut self, reading: Reading<'_>) -> Result<Arc<Tree>, Error> {
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

    /// Lends the tree to be changed; [`State::return_tree`] takes it back.
    pub(crate) fn lend_tree(&mut self, reading: Reading<'_>) -> Result<Arc<Tree>, Error> {
        let tree = self.tree(reading)?;
        self.tree = None;
        Ok(tree)
    }

    /// The tree as a step left it. The layer of that step is applied on top when the
    /// tree is next needed: it has the times that were recorded.
    pub(crate) fn return_tree(&mut self, tree: Arc<Tree>) {
        self.tree = Some(tree);
    }

    /// Adds a history entry, and the layer that it stands for if there is one.
    pub(crate) fn record(&mut self, created_by: String, result: Option<(Layer, String)>) {
        let (layer, created) = match result {
            Some((layer, created)) => (Some(layer), Some(created)),
            None => (None, None),
        };
        self.len_bytes += created_by.len();
        self.image.history.push(History {
            created,
            created_by,
            comment: COMMENT.into(),
            empty_layer: layer.is_none(),
            ..History::default()
        });
        self.layers.extend(layer);
    }
}
