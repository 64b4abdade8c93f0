//! Where layers come from: operands, standard input, an image.

use std::sync::Arc;

use common::cli::Failure;
use common::image::{self, Image, Layer, Reference};
use common::layer::apply::{self, Applied, Expected, Options, apply_verified};
use common::progress::Progress;
use common::root::Root;
use common::stream::{self, Input, Payload};

use crate::cli::Cli;

/// A layer that is ready to be read.
#[derive(Debug)]
pub(crate) struct Source {
    label: String,
    kind: Kind,
    expected: Expected,
}

#[derive(Debug)]
enum Kind {
    Input(Input),
    Layer(Arc<Image>, Box<Layer>),
}

/// Why a layer is not applied.
pub(crate) enum Error {
    /// The layer, or the tree.
    Apply(apply::Error),
    /// The image that holds it.
    Image(image::Error),
}

impl Source {
    /// Opens all that was asked for.
    ///
    /// # Errors
    /// The first that cannot be opened, or that is a terminal.
    pub(crate) fn open_all(cli: &Cli, expected: Vec<Expected>) -> Result<Vec<Self>, Failure> {
        if let Some(reference) = &cli.image {
            let options = cli.registries.options([reference.as_os_str()])?;
            let reference = Reference::parse(reference)?;
            let image = registry::open(&reference, cli.platform.as_ref(), &cli.store, options)
                .map_err(|error| error.about(&reference))?;
            return Ok(Self::of_image(image));
        }
        cli.registries.options([])?;
        stream::at_most_one_standard(cli.layers.iter().map(AsRef::as_ref))?;
        if cli.layers.is_empty() {
            let expected = expected.into_iter().next().unwrap_or_default();
            return Ok(vec![Self::of_input(Input::standard(Payload::Binary)?, expected)]);
        }
        let open = |(operand, expected): (&std::ffi::OsString, Expected)| {
            Ok(Self::of_input(Input::open(operand, Payload::Binary)?, expected))
        };
        cli.layers.iter().zip(expected).map(open).collect()
    }

    fn of_input(input: Input, expected: Expected) -> Self {
        let expected = Expected { stored_bytes: input.len_bytes(), ..expected };
        Self { label: input.label(), kind: Kind::Input(input), expected }
    }

    fn of_image(image: Image) -> Vec<Self> {
        let image = Arc::new(image);
        let of_layer = |layer: Layer| Self {
            label: layer.descriptor.digest.to_string(),
            expected: Expected::in_image(&layer.diff_id, layer.descriptor.len_bytes),
            kind: Kind::Layer(Arc::clone(&image), Box::new(layer)),
        };
        image.layers().map(of_layer).collect()
    }

    /// What messages call it.
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    /// Applies it.
    ///
    /// # Errors
    /// A layer that cannot be read, is not the one expected, or cannot be applied.
    pub(crate) fn apply(self, root: &Root, options: &Options) -> Result<Applied, Error> {
        let expected = &self.expected;
        let applied = match self.kind {
            Kind::Input(input) => {
                let progress = Progress::bytes(&self.label, input.len_bytes());
                apply_verified(root, progress.reading(input), options, expected)
            }
            Kind::Layer(image, layer) => {
                let progress = Progress::bytes(&self.label, Some(layer.descriptor.len_bytes));
                let blob = image.layer(&layer).map_err(Error::Image)?;
                apply_verified(root, progress.reading(blob), options, expected)
            }
        };
        applied.map_err(Error::Apply)
    }
}
