//! From operands to an overlay: images become directories of the cache.

use common::cli::Failure;
use common::image::{self, Reference};
use common::mount::{Durability, Overlay, Upper};
use common::unpacked::Cache;

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
            let own = image.layers().len();
            total = own + layers.directories.len();
            let lowers = Cache::open()?.image(&image, wanted)?;
            wanted = wanted.map(|wanted| wanted.saturating_sub(own));
            lowers
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
