//! `img-commit`: add a layer and configuration to an image.
//!
//! The layer's way into the store is in `layer`, what becomes of the config in
//! `config`; here they are put together.

mod cli;
mod config;
mod layer;

use std::ffi::OsStr;
use std::io::Write as _;
use std::sync::Arc;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};
use common::cli::{Compress, Failure, Status, cleanup};
use common::digest::Digest;
use common::image::{BASE_DIGEST, Destination, Image, InvalidReference, Reference};
use common::oci::{Descriptor, ImageConfig, Manifest, Platform, media_type};
use common::store::Store;
use common::stream::{self, Output, Payload};
use common::time;

use self::cli::Cli;
use self::layer::{Layer, Source};

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
    parent: Option<Image>,
    layer: Source<'c>,
    /// The child's, but for its layer and the history of it.
    config: ImageConfig,
    destination: Option<Destination>,
    compress: Compress,
}

impl<'c> Plan<'c> {
    fn new(cli: &'c Cli) -> Result<Self, Failure> {
        let destination = cli.destination.as_deref().map(Destination::parse).transpose()?;
        if let Some(destination) = &destination {
            destination.check()?;
        }
        let compress = cli.compress.checked()?;
        let layer = Source::new(cli)?;
        let parent = parent(cli)?;
        let before = match &parent {
            Some(parent) => parent.config.child(),
            None => ImageConfig::scratch(&cli.platform.clone().unwrap_or_else(Platform::host)),
        };
        let config = config::changed(cli, before)?;
        Ok(Self { cli, parent, layer, config, destination, compress })
    }

    /// Makes the image, puts it where it belongs, and says what its manifest's digest is.
    fn run(self) -> Result<Digest, Failure> {
        let cli = self.cli;
        match self.destination.clone() {
            None => {
                let store = cli.location.create()?;
                if let Some(parent) = &self.parent {
                    parent.copy_to(&store)?;
                }
                let image = self.make(&store)?;
                store.tag(&cli.names, &image)?;
                Ok(image.digest)
            }
            Some(destination) => {
                // What is new is kept apart until it is written out with the rest.
                let folder = tempfile::Builder::new().prefix("layerutils-").tempdir();
                let folder = folder.map_err(|error| Failure::about("temporary folder", error))?;
                let leftover = folder.path().to_path_buf();
                let guard = cleanup::register(move || {
                    let _ = std::fs::remove_dir_all(leftover);
                });
                let parent = self.parent.clone();
                let store = Arc::new(Store::create(folder.path())?);
                let image = self.make(&store)?;
                let image = Image::made_from(parent.as_ref(), store, &image)?;
                destination.write(&image, &cli.names)?;
                drop(guard);
                Ok(image.descriptor.digest)
            }
        }
    }

    /// Puts layer, config and manifest into `store`.
    fn make(mut self, store: &Store) -> Result<Descriptor, Failure> {
        let mut layers: Vec<Descriptor> =
            self.parent.iter().flat_map(|parent| parent.manifest.layers.clone()).collect();
        let layer = layer::store(self.layer, self.compress, store)?;
        let empty_layer = layer.is_none();
        if let Some(Layer { descriptor, diff_id }) = layer {
            layers.push(descriptor);
            self.config.rootfs.diff_ids.push(diff_id);
        }
        let parent = self.parent.as_ref();
        config::record(self.cli, parent, empty_layer, time::now()?, &mut self.config);
        let config = self.config.to_bytes()?;
        let (digest, len_bytes) = store.put(&config)?;
        let mut manifest =
            Manifest::new(Descriptor::new(media_type::CONFIG, digest, len_bytes), layers);
        if let Some(parent) = parent {
            manifest.annotations.insert(BASE_DIGEST.into(), parent.descriptor.digest.to_string());
        }
        manifest.annotations.extend(self.cli.annotations.iter().cloned());
        let (digest, len_bytes) = store.put(&manifest.to_bytes()?)?;
        Ok(Descriptor::new(media_type::MANIFEST, digest, len_bytes))
    }
}

/// The image to start from; none for `scratch`, the name that docker reserves for it.
fn parent(cli: &Cli) -> Result<Option<Image>, Failure> {
    if cli.parent == OsStr::new("scratch") {
        return Ok(None);
    }
    let reference = Reference::parse(&cli.parent).map_err(InvalidReference::into_failure)?;
    let opened = common::image::open(&reference, cli.platform.as_ref(), &cli.location);
    opened.map(Some).map_err(|error| error.about(&reference))
}
