//! Images compared without unpacking them.

use common::cli::Failure;
use common::compression::MaxSize;
use common::image::{Image, Opener, Reference};
use common::inside::{Both, Inside, Layers, Reading, Side, Trust, read_two};
use common::layer::diff::{self, Options, Sink, Summary};
use common::oci::Platform;
use common::store::Location;
use common::stream;
use registry::Client;

use crate::cli::Cli;

/// Images, and how they are to be read.
#[derive(Debug)]
pub(crate) struct Images {
    /// None, if all of the other is new.
    old: Option<Reference>,
    new: Reference,
    location: Location,
    platform: Option<Platform>,
    verify: bool,
    max_size: MaxSize,
    client: Client,
}

impl Images {
    pub(crate) fn new(cli: &Cli) -> Result<Self, Failure> {
        stream::at_most_one_standard(cli.trees.iter().map(|operand| operand.as_os_str()))?;
        let parse = |operand: &std::path::PathBuf| Reference::parse(operand.as_os_str());
        let (old, new) = match cli.trees.as_slice() {
            [new] => (None, parse(new)?),
            [old, new] => (Some(parse(old)?), parse(new)?),
            _ => return Err(Failure::usage("no image was given")),
        };
        let (location, platform) = (cli.location.clone(), cli.platform.clone());
        let (verify, max_size) = (cli.verify, cli.limit.max_size());
        let operands = cli.trees.iter().map(|operand| operand.as_os_str());
        let client = Client::new(cli.registries.options(operands)?);
        Ok(Self { old, new, location, platform, verify, max_size, client })
    }

    /// Tells `sink` what turns the one into the other.
    pub(crate) fn tell(
        &self,
        options: &Options,
        sink: &mut dyn Sink,
    ) -> Result<Result<Summary, diff::Error>, Failure> {
        let mut opener =
            Opener::new(&self.location, self.platform.clone()).with_registries(self.client.clone());
        let mut open = |reference: &Reference| -> Result<(Image, Reading), Failure> {
            let image = opener.open(reference).map_err(|error| error.about(reference))?;
            let trust = Trust::of(reference, self.verify);
            Ok((image, Reading { trust, max_size: self.max_size, xattrs: true, past: false }))
        };
        let Some(old) = &self.old else {
            let (image, reading) = open(&self.new)?;
            let new = Inside::read(image, None, reading);
            let new = new.map_err(|error| error.about(&self.new))?;
            let mut both = Both { lower: None, upper: Layers::of(&new) };
            return Ok(diff::models(None, &new.tree, options, &mut both, sink));
        };
        let (one, other) = (open(old)?, open(&self.new)?);
        let (one, other) = read_two(one, other).map_err(|(side, error)| match side {
            Side::Old => error.about(old),
            Side::New => error.about(&self.new),
        })?;
        let mut both = Both { lower: Some(Layers::of(&one)), upper: Layers::of(&other) };
        Ok(diff::models(Some(&one.tree), &other.tree, options, &mut both, sink))
    }
}
