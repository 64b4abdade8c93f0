//! All that is known of an image's size.

use common::cli::Failure;
use common::image::{Image, Opener, Reference};
use common::inside::{Inside, LayerSums, Reading, Trust, Waste, percent};

use crate::advice::{self, Advice};
use crate::cli::{Cli, Limit};
use crate::directories::{self, Directory};
use crate::svg;
use crate::treemap::{self, Tile};

/// An image and what there is to say of it.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) reference: Reference,
    pub(crate) image: Image,
    /// Its layers, base first.
    pub(crate) layers: Vec<LayerSums>,
    pub(crate) directories: Vec<Directory>,
    pub(crate) waste: Waste,
    /// The waste in each layer, in bytes.
    pub(crate) wasted_of_layers: Vec<u64>,
    pub(crate) advice: Vec<Advice>,
    /// If a picture was asked for.
    pub(crate) tiles: Vec<Tile>,
}

impl Report {
    pub(crate) fn of(
        cli: &Cli,
        operand: &std::ffi::OsStr,
        opener: &mut Opener<'_>,
    ) -> Result<Self, Failure> {
        let reference = Reference::parse(operand)?;
        let image = opener.open(&reference).map_err(|error| error.about(&reference))?;
        let reading = Reading {
            trust: Trust::of(&reference, cli.verify),
            max_size: cli.limit.max_size(),
            xattrs: false,
            past: true,
        };
        let inside = Inside::read(image, None, reading).map_err(|error| error.about(&reference))?;
        let waste = Waste::of(&inside, &inside.tree.paths());
        let mut wasted_of_layers = vec![0_u64; inside.layers.len()];
        for it in &waste.list {
            let at = usize::try_from(it.written_by).ok().and_then(|number| number.checked_sub(1));
            if let Some(sum) = at.and_then(|at| wasted_of_layers.get_mut(at)) {
                *sum = sum.saturating_add(it.len_bytes);
            }
        }
        let directories = directories::of(&inside, cli.depth, cli.sort);
        let advice = advice::of(&inside, &waste);
        let is_drawn = cli.html.is_some() || cli.svg.is_some();
        let tiles = if is_drawn { treemap::tiles(&inside, svg::WHOLE) } else { Vec::new() };
        // Trees are large, and there may be many images.
        let Inside { image, layers, .. } = inside;
        Ok(Self { reference, image, layers, directories, waste, wasted_of_layers, advice, tiles })
    }

    /// Returns the size of the files of all layers, in bytes.
    pub(crate) fn content_bytes(&self) -> u64 {
        let sums = self.layers.iter().map(|sums| sums.content_bytes);
        sums.fold(0, u64::saturating_add)
    }

    /// Returns the wasted part of that, in percent.
    pub(crate) fn wasted_percent(&self) -> f64 {
        percent(self.waste.len_bytes, self.content_bytes())
    }

    /// Whether the image keeps within the limits that were given.
    pub(crate) fn is_within(&self, cli: &Cli) -> bool {
        let waste = match cli.max_waste {
            None => true,
            Some(Limit::Bytes(limit)) => self.waste.len_bytes <= limit,
            Some(Limit::Percent(limit)) => self.wasted_percent() <= limit,
        };
        let efficiency = 100.0 * self.waste.efficiency;
        waste && cli.min_efficiency.is_none_or(|least| efficiency >= least)
    }
}
