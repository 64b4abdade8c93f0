//! From operands to an overlay: images become directories of the cache.

use common::cli::Failure;
use common::image::{self, Reference};
use common::mount::{Durability, Overlay, Upper};
use common::unpacked::{self, Cache};

use crate::cli::Layers;

/// Opens the image, unpacks what is not in the cache yet, and puts all in order.
pub(crate) fn resolve(layers: Layers) -> Result<Overlay, Failure> {
    let mut wanted = layers.at.map(std::num::NonZeroUsize::get);
    let total;
    let mut lowers = match &layers.image {
        None => {
            total = layers.directories.len();
            Vec::new()
        }
        Some(name) => {
            let image = open(name, &layers)?;
            let all: Vec<image::Layer> = image.layers().collect();
            total = all.len() + layers.directories.len();
            let count = wanted.map_or(all.len(), |wanted| wanted.min(all.len()));
            wanted = wanted.map(|wanted| wanted.saturating_sub(all.len()));
            unpack(&image, all.get(..count).unwrap_or_default())?
        }
    };
    if let Some(at) = layers.at.filter(|at| at.get() > total) {
        return Err(Failure::new(format!("--at {at}: there are {total} layers")));
    }
    let directories = layers.directories.into_iter();
    lowers.extend(directories.take(wanted.unwrap_or(usize::MAX)));
    let mut overlay = Overlay::new(lowers);
    overlay.upper = layers.upper.map(|dir| Upper { dir, work: layers.work });
    if layers.volatile {
        overlay.durability = Durability::Volatile;
    }
    Ok(overlay)
}

fn open(name: &std::ffi::OsStr, layers: &Layers) -> Result<image::Image, Failure> {
    let reference = Reference::parse(name)?;
    Ok(image::open(&reference, layers.platform.as_ref(), &layers.store)?)
}

/// Why an image has no directories.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Cache(#[from] unpacked::Error),
    #[error(transparent)]
    Image(#[from] image::Error),
    #[error("the image has no layer {0}")]
    Missing(usize),
}

fn unpack(
    image: &image::Image,
    layers: &[image::Layer],
) -> Result<Vec<std::path::PathBuf>, Failure> {
    let cache = Cache::open()?;
    let diff_ids: Vec<_> = layers.iter().map(|layer| layer.diff_id.clone()).collect();
    let unpacked = cache.layers(&diff_ids, |index| {
        let layer = layers.get(index).ok_or(Error::Missing(index))?;
        Ok::<_, Error>(image.layer(layer)?)
    });
    Ok(unpacked?)
}
