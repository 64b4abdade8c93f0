//! `img-commit`: add a layer and configuration to an image.
//!
//! What a commit starts from is in `start`, or with `--onto` in `rebase`; the layer's
//! way into the store is in `layer`, or with `--squash` in `squash`; what becomes of the
//! config in `config`; here they are put together.

mod cli;
mod config;
mod layer;
mod rebase;
mod scratch;
mod squash;
mod start;

use std::io::Write as _;
use std::sync::Arc;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};
use common::cli::{Failure, Status};
use common::compression::Format;
use common::digest::Digest;
use common::image::{BASE_DIGEST, Destination, Found, Image};
use common::oci::{self, Descriptor, ImageConfig, Manifest, ManifestFormat, media_type};
use common::options::Compress;
use common::store::Store;
use common::stream::{self, Output, Payload};
use common::time;

use self::cli::Cli;
use self::config::Added;
use self::layer::{Layer, Source};
use self::scratch::{Assembled, Scratch};
use self::squash::Below;
use self::start::{Placed, Start};

/// The arguments, for parsing and for completions.
#[must_use]
pub fn command() -> clap::Command {
    cli::Cli::command()
}

/// Runs the tool on parsed arguments.
///
/// # Errors
/// Whatever keeps it from doing all that was asked.
///
/// # Streams
/// Reads the layer, or the parent, from standard input where it is not named; writes
/// the manifest's digest, or with `-o -` the image, to standard output.
pub fn run(matches: &ArgMatches) -> Result<Status, Failure> {
    let cli = Cli::from_arg_matches(matches)?;
    if cli.upper.is_some() {
        // The status of a runner is for tools that run a command.
        let again = cli.users.apply().map_err(|failure| failure.with_status(Status::FAILED))?;
        if let Some(status) = again {
            return Ok(status);
        }
    }
    let plan = Plan::new(&cli)?;
    let destination = plan.destination.clone();
    let digest = plan.run()?;
    if !destination.is_some_and(|destination| destination.is_standard()) {
        let mut output = Output::standard(Payload::Text)?;
        writeln!(output, "{digest}").map_err(stream::Error::StandardOutput)?;
        output.commit()?;
    }
    Ok(Status::DONE)
}

/// What is going to be done. Nothing is written before it stands.
struct Plan<'c> {
    cli: &'c Cli,
    start: Start,
    layer: Source<'c>,
    /// The new image's, but for its new layer and the history of it.
    config: ImageConfig,
    compress: Compress,
    destination: Option<Destination>,
}

impl<'c> Plan<'c> {
    fn new(cli: &'c Cli) -> Result<Self, Failure> {
        let compress = cli.compress.checked()?;
        let is_stored = cli.destination.is_none();
        if compress.format() != Format::None && cli.config_only && !cli.squash && is_stored {
            return Err(Failure::usage("--compress: there is no layer to compress"));
        }
        if cli.format == ManifestFormat::Docker && compress.format() == Format::Zstd {
            return Err(oci::Error::DockersZstd.into());
        }
        if cli.format == ManifestFormat::Docker && !cli.annotations.is_empty() {
            return Err(Failure::usage("--annotation: docker's format has no annotations"));
        }
        let destination = cli.destination.as_deref().map(Destination::parse).transpose()?;
        if let Some(destination) = &destination {
            destination.check()?;
        }
        let layer = Source::new(cli)?;
        let start = Start::new(cli)?;
        let config = config::changed(cli, start.config.clone())?;
        Ok(Self { cli, start, layer, config, compress, destination })
    }

    /// Makes the image, puts it where it belongs, and says what its manifest's digest is.
    fn run(self) -> Result<Digest, Failure> {
        let cli = self.cli;
        match self.destination.clone() {
            None => {
                let store = cli.location.create()?;
                // This copies several layers at a time, so that the loop finds them there.
                if let Some(base) = self.recorded_base() {
                    base.copy_to(&store)?;
                }
                for Placed { layer, image } in self.kept() {
                    image.copy_layer_to(layer, &store)?;
                }
                let image = self.make(&store)?;
                store.tag(&cli.names, &image)?;
                Ok(image.digest)
            }
            Some(destination) => {
                let scratch = Scratch::new()?;
                let others = self.kept().iter();
                let others = others.map(|placed| {
                    (placed.layer.descriptor.digest.clone(), Arc::clone(&placed.image))
                });
                let others = others.collect();
                let image = self.make(&scratch.store)?;
                let digest = image.digest.clone();
                let origin = Assembled { new: Arc::clone(&scratch.store), others };
                let image = Found::in_origin(Arc::new(origin), image).image(None)?;
                destination.write(&image.into(), &cli.names)?;
                Ok(digest)
            }
        }
    }

    /// The layers that stay as they are.
    fn kept(&self) -> &[Placed] {
        let kept = if self.cli.squash { self.start.base_layers } else { self.start.layers.len() };
        self.start.layers.get(..kept).unwrap_or_default()
    }

    /// The image that the manifest is to name as its base: none for one layer of all.
    fn recorded_base(&self) -> Option<&Image> {
        let is_above = !self.cli.squash || self.cli.onto.is_some();
        self.start.base.as_deref().filter(|_| is_above)
    }

    /// Puts what is new of layers, config and manifest into `store`.
    fn make(mut self, store: &Store) -> Result<Descriptor, Failure> {
        let mut layers = self.kept_descriptors(store)?;
        let base = self.recorded_base().map(|base| base.descriptor.digest.to_string());
        let kept = layers.len();
        let source = std::mem::replace(&mut self.layer, Source::Nothing);
        let new = match self.cli.squash {
            true => self.squash(source, kept, store)?,
            false => layer::store(source, self.cli.bare, self.compress, store)?,
        };
        let added = match (&new, self.cli.squash) {
            (Some(_), true) => Added::Squashed(kept),
            (Some(_), false) => Added::Layer,
            (None, _) => Added::Nothing,
        };
        self.config.rootfs.diff_ids.truncate(kept);
        if let Some(Layer { descriptor, diff_id }) = new {
            layers.push(descriptor);
            self.config.rootfs.diff_ids.push(diff_id);
        }
        config::record(self.cli, &self.start, added, time::now()?, &mut self.config);
        let (digest, len_bytes) = store.put(&self.config.to_bytes()?)?;
        let config = Descriptor::new(media_type::CONFIG, digest, len_bytes);
        let mut manifest = Manifest::new(config, layers);
        manifest.annotations.extend(base.map(|base| (BASE_DIGEST.to_owned(), base)));
        manifest.annotations.extend(self.cli.annotations.iter().cloned());
        let manifest = self.cli.format.manifest(&manifest)?;
        let (digest, len_bytes) = store.put(&manifest.to_bytes()?)?;
        let media_type = manifest.media_type.unwrap_or_default();
        Ok(Descriptor::new(media_type, digest, len_bytes))
    }

    /// The layers that stay; on their way out of the store, our own are compressed.
    fn kept_descriptors(&self, store: &Store) -> Result<Vec<Descriptor>, Failure> {
        let is_changed = self.destination.is_some() && self.compress.format() != Format::None;
        let kept = self.kept().iter().map(|placed| match is_changed {
            true => layer::compressed(placed, self.compress, store),
            false => Ok(placed.layer.descriptor.clone()),
        });
        kept.collect()
    }

    /// Makes one layer of those that do not stay, and the new one.
    fn squash(
        &self,
        new: Source<'_>,
        kept: usize,
        store: &Store,
    ) -> Result<Option<Layer>, Failure> {
        let scratch = Scratch::new()?;
        let max_size = self.cli.bare.max_size();
        let new = layer::store(new, self.cli.bare, Compress::NONE, &scratch.store)?;
        let old = self.start.layers.get(kept..).unwrap_or_default().iter();
        let mut sources =
            old.map(|placed| squash::source(placed, max_size)).collect::<Result<Vec<_>, _>>()?;
        if let Some(Layer { descriptor, .. }) = new {
            sources.push(squash::in_place(&scratch.store, &descriptor, max_size)?);
        }
        let below = if kept == 0 { Below::Nothing } else { Below::Layers };
        squash::squash(&sources, below, self.compress, store)
    }
}
