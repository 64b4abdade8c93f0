//! From operands to something that can be shown: directories of the cache for an
//! overlay, or a plain copy.

use std::fs;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use common::cleanup;
use common::cli::Failure;
use common::compression::MaxSize;
use common::human::count;
use common::image::{Image, Reference};
use common::layer::apply::{Devices, NotKept, Options, SetId};
use common::mount::{Driver, Durability, Namespace, Overlay, Upper};
use common::name::show_path;
use common::root::{self, Root};
use common::unpacked::{self, Cache};

use crate::cli::Layers;

/// Layers that were found. What they are unpacked to depends on the way in which
/// they are shown.
#[derive(Debug)]
pub(crate) struct Stack {
    /// An image, and how many of its layers count.
    image: Option<(Image, usize)>,
    /// Those above it, base first.
    directories: Vec<PathBuf>,
    max_size: MaxSize,
    upper: Option<Upper>,
    durability: Durability,
}

impl Stack {
    /// Opens the image and counts the layers. Nothing is unpacked yet.
    ///
    /// # Errors
    /// An image that cannot be opened; fewer layers than `--at` asks for.
    pub(crate) fn find(layers: Layers) -> Result<Self, Failure> {
        let image = layers.image.as_ref().map(|name| -> Result<Image, Failure> {
            let reference = Reference::parse(name)?;
            let platform = layers.platform.as_ref();
            let options = layers.registries.clone();
            Ok(registry::open(&reference, platform, &layers.store, options)
                .map_err(|error| error.about(&reference))?)
        });
        let image = image.transpose()?;
        let own = image.as_ref().map_or(0, |image| image.layers().len());
        let total = own + layers.directories.len();
        let wanted = layers.at.map_or(total, std::num::NonZeroUsize::get);
        if wanted > total {
            let layers = count(total as u64, "layer", "layers");
            return Err(Failure::new(format!("--at {wanted}: only {layers} to show")));
        }
        let mut directories = layers.directories;
        directories.truncate(wanted.saturating_sub(own));
        Ok(Self {
            image: image.map(|image| (image, wanted.min(own))),
            directories,
            max_size: layers.max_size,
            upper: layers.upper.map(|dir| Upper { dir, work: layers.work }),
            durability: match layers.volatile {
                true => Durability::Volatile,
                false => Durability::Synced,
            },
        })
    }

    /// The layers as an overlay for `driver`, unpacked where they are not yet.
    ///
    /// # Errors
    /// A layer that cannot be unpacked.
    pub(crate) fn overlay(&self, driver: Driver) -> Result<Overlay, Failure> {
        let (image, directories) = self.shown(driver.namespace());
        let mut lowers = match image {
            Some((image, count)) => {
                let cache = Cache::in_namespace(driver.namespace())?.with_max_size(self.max_size);
                cache.image(image, Some(*count))?
            }
            None => Vec::new(),
        };
        lowers.extend_from_slice(directories);
        let mut overlay = Overlay::new(lowers).with_driver(driver);
        overlay.upper.clone_from(&self.upper);
        overlay.durability = self.durability;
        Ok(overlay)
    }

    /// The layers that are not hidden by one whose root is opaque: no driver knows of
    /// opaque roots, so what such a layer hides is left out.
    fn shown(&self, namespace: Namespace) -> (Option<&(Image, usize)>, &[PathBuf]) {
        match self.directories.iter().rposition(|dir| has_opaque_root(dir, namespace)) {
            Some(lowest) => (None, self.directories.get(lowest..).unwrap_or_default()),
            None => (self.image.as_ref(), &self.directories),
        }
    }

    /// Why no copy will do, if so.
    pub(crate) fn refuses_copy(&self) -> Option<Failure> {
        self.upper.as_ref()?;
        let failure = Failure::new("--upper needs an overlay: a copy does not tell what changed");
        Some(failure.hint("leave --upper out, and compare the trees with layer-diff"))
    }

    /// Copies the layers into the empty directory `dir`, or leaves it empty. Tells what
    /// was not kept.
    ///
    /// # Errors
    /// It is not empty; a layer that cannot be copied.
    pub(crate) fn copy_to(
        &self,
        dir: &Path,
        set_id: SetId,
        devices: Devices,
    ) -> Result<NotKept, Failure> {
        let options = || Options { set_id, devices, ..Options::of_process() };
        let about = |error| Failure::about(show_path(dir), error);
        if fs::read_dir(dir).map_err(about)?.next().is_some() {
            let text = format!("{}: a copy is made in place, and it is not empty", show_path(dir));
            return Err(Failure::new(text));
        }
        let held = dir.to_owned();
        let guard = cleanup::register(move || empty(&held));
        let root = Root::open(dir).map_err(about)?;
        let mut not_kept = NotKept::default();
        let (image, directories) = self.shown(Driver::Copy.namespace());
        if let Some((image, count)) = image {
            let options = Options { max_size: self.max_size, ..options() };
            not_kept.add(&unpacked::apply_image(&root, image, Some(*count), &options)?);
        }
        for directory in directories {
            not_kept.add(&unpacked::apply_directory(&root, directory, &options())?);
        }
        guard.forget();
        Ok(not_kept)
    }
}

/// Whether a layer hides all that is below it. What cannot be read is the driver's
/// to refuse.
fn has_opaque_root(dir: &Path, namespace: Namespace) -> bool {
    let opaque = fs::File::open(dir)
        .map(|dir| root::attributes::xattr(dir.as_fd(), &namespace.attribute(b"opaque")));
    matches!(opaque, Ok(Ok(Some(value))) if value == b"y")
}

fn empty(dir: &Path) {
    let Ok(dir) = fs::File::open(dir) else { return };
    for name in root::names(dir.as_fd()).unwrap_or_default() {
        let _ = root::remove(dir.as_fd(), &name);
    }
}
