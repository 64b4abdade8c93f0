//! What a commit starts from: the parent as it is, or with `--onto` what is its own
//! over another base.

use std::ffi::OsStr;
use std::sync::Arc;

use common::cli::Failure;
use common::image::{Image, Layer, Opener, Reference};
use common::name::show_path;
use common::oci::{ImageConfig, Platform};

use registry::Client;

use crate::cli::Cli;
use crate::rebase::{self, Own};

/// The layers, config and history that are there before the commit adds its own.
pub(crate) struct Start {
    /// Base first.
    pub(crate) layers: Vec<Placed>,
    /// How many of them belong to a base that was asked for.
    pub(crate) base_layers: usize,
    /// With the layers and a history that mentions each.
    pub(crate) config: ImageConfig,
    /// What the image is made from, and so is to be named in its manifest.
    pub(crate) base: Option<Arc<Image>>,
    /// The image that was named as the parent.
    pub(crate) parent: Option<Arc<Image>>,
}

/// A layer, and the image that it can be read from.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    pub(crate) layer: Layer,
    pub(crate) image: Arc<Image>,
}

impl Start {
    /// Opens what the arguments name.
    pub(crate) fn new(cli: &Cli) -> Result<Self, Failure> {
        let mut images = Images { opener: opener(cli, cli.platform.clone())? };
        let parent = images.open(&cli.parent)?;
        match &cli.onto {
            None => Ok(Self::from_parent(cli, parent)),
            Some(onto) => {
                let parent = parent
                    .ok_or_else(|| Failure::usage("--onto: 'scratch' has nothing to move"))?;
                Self::rebased(cli, parent, onto)
            }
        }
    }

    fn from_parent(cli: &Cli, parent: Option<Arc<Image>>) -> Self {
        let mut config = match &parent {
            Some(parent) if cli.squash => parent.config.child(),
            Some(parent) => crate::config::of_container(&parent.config),
            None => ImageConfig::scratch(&cli.platform.clone().unwrap_or_else(Platform::host)),
        };
        let layers: Vec<Placed> = parent.iter().flat_map(placed).collect();
        crate::config::complete(&mut config.history, layers.len());
        Self { layers, base_layers: 0, config, base: parent.clone(), parent }
    }

    fn rebased(cli: &Cli, parent: Arc<Image>, onto: &OsStr) -> Result<Self, Failure> {
        let platform = parent.config.platform();
        let mut images = Images { opener: opener(cli, Some(platform.clone()))? };
        let old = match &cli.base {
            Some(base) => images.open(base)?,
            None => Some(Arc::new(recorded_base(&parent, &cli.parent)?)),
        };
        let new = images.open(onto)?;
        let own = Own::above(old.as_deref(), &parent, &cli.parent)?;
        let nothing = ImageConfig::scratch(&platform);
        let config_of = |image: &Option<Arc<Image>>| {
            image.as_ref().map_or_else(|| nothing.clone(), |image| image.config.clone())
        };
        let mut config = rebase::config(&config_of(&old), &parent.config, &config_of(&new), &own);
        let mut layers: Vec<Placed> = new.iter().flat_map(placed).collect();
        let base_layers = layers.len();
        let image = || Arc::clone(&parent);
        layers.extend(own.layers.into_iter().map(|layer| Placed { layer, image: image() }));
        config.rootfs.diff_ids = layers.iter().map(|one| one.layer.diff_id.clone()).collect();
        crate::config::complete(&mut config.history, layers.len());
        Ok(Self { layers, base_layers, config, base: new, parent: Some(parent) })
    }
}

fn placed(image: &Arc<Image>) -> impl Iterator<Item = Placed> + '_ {
    image.layers().map(|layer| Placed { layer, image: Arc::clone(image) })
}

/// The image that `parent` says it was made from.
fn recorded_base(parent: &Image, name: &OsStr) -> Result<Image, Failure> {
    parent.base().ok_or_else(|| {
        let name = show_path(name);
        let text = format!("{name}: does not say what it was made from, or that is not there");
        Failure::new(text).hint("name the base that it was made from with --base")
    })
}

/// Opens images wherever they are.
fn opener(cli: &Cli, platform: Option<Platform>) -> Result<Opener<'_>, Failure> {
    let operands = std::iter::once(&cli.parent).chain(&cli.onto).chain(&cli.base);
    let client = Client::new(cli.registries.options(operands.map(AsRef::as_ref))?);
    Ok(Opener::new(&cli.location, platform).with_registries(client))
}

struct Images<'c> {
    opener: Opener<'c>,
}

impl Images<'_> {
    /// Opens an image; none for `scratch`, the name that docker reserves for nothing.
    fn open(&mut self, operand: &OsStr) -> Result<Option<Arc<Image>>, Failure> {
        if operand == "scratch" {
            return Ok(None);
        }
        let reference = Reference::parse(operand)?;
        let image = self.opener.open(&reference).map_err(|error| error.about(&reference))?;
        Ok(Some(Arc::new(image)))
    }
}
