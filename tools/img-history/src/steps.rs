//! The steps of an image's history, newest first, each with the layer it made and the
//! image that it completed.

use common::digest::{ChainId, Digest};
use common::human::count;
use common::image::{Error, Image, Layer, Sizes};
use common::oci::History;

/// One step.
#[derive(Debug)]
pub(crate) struct Step {
    /// The image that this step completed, where it is known: docker shows
    /// `<missing>` where it is not.
    pub(crate) image: Option<Digest>,
    /// What the config says of it; nothing for a layer that it does not mention.
    pub(crate) entry: History,
    /// What it added, if anything.
    pub(crate) layer: Option<StepLayer>,
}

/// A layer in its place.
#[derive(Debug)]
pub(crate) struct StepLayer {
    /// Its place in the image, counted from 1.
    pub(crate) number: u32,
    pub(crate) layer: Layer,
    pub(crate) chain_id: ChainId,
    /// What its files hold, in bytes; `None` where nobody asked or nobody can know.
    pub(crate) size: Option<u64>,
}

/// The steps of `image`, with sizes if there are `sizes` to look them up in.
pub(crate) fn of(image: &Image, sizes: Option<&Sizes>) -> Result<Vec<Step>, Error> {
    let mut layers = image.layers();
    let mut chain: Option<ChainId> = None;
    let mut steps = Vec::new();
    let mut numbers = 1..;
    let mut take = |layer: Option<Layer>| -> Result<Option<StepLayer>, Error> {
        let Some(layer) = layer else { return Ok(None) };
        let chain_id = ChainId::stack(chain.as_ref(), &layer.diff_id);
        chain = Some(chain_id.clone());
        let size = match sizes {
            Some(sizes) => sizes.of(image, &layer)?,
            None => None,
        };
        let number = numbers.next().unwrap_or(u32::MAX);
        Ok(Some(StepLayer { number, layer, chain_id, size }))
    };
    for entry in &image.config.history {
        let layer = if entry.empty_layer { None } else { layers.next() };
        if layer.is_none() && !entry.empty_layer {
            let (mentioned, there) = (mentioned(image), image.manifest.layers.len());
            let mentioned = count(mentioned as u64, "layer", "layers");
            return Err(Error::Choice(format!("the history has {mentioned}, the image {there}")));
        }
        steps.push(Step { image: None, entry: entry.clone(), layer: take(layer)? });
    }
    // Layers without a history are still layers.
    for layer in layers {
        steps.push(Step { image: None, entry: History::default(), layer: take(Some(layer))? });
    }
    name_images(image, &mut steps);
    steps.reverse();
    Ok(steps)
}

fn mentioned(image: &Image) -> usize {
    image.config.history.iter().filter(|entry| !entry.empty_layer).count()
}

/// The last step completed this image; an earlier one completed its base, and so on
/// down, as far as the manifests say and lie in the same place.
fn name_images(image: &Image, steps: &mut [Step]) {
    if let Some(last) = steps.last_mut() {
        last.image = Some(image.id().clone());
    }
    let mut above = image.clone();
    while let Some(base) = above.base() {
        let (history, below) = (&above.config.history, &base.config.history);
        // A base is a beginning of what was made from it, or it is not the base.
        if below.len() >= history.len() || !history.starts_with(below) {
            return;
        }
        if let Some(step) = below.len().checked_sub(1).and_then(|at| steps.get_mut(at)) {
            step.image = Some(base.id().clone());
        }
        above = base;
    }
}
