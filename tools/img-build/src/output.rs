//! `-o`: an image as an archive or a layout, or its files in a directory; in our words or in
//! docker's.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufWriter, Seek as _, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use common::cli::Failure;
use common::compression::Decoder;
use common::image::{self, Destination, Image, Product};
use common::layer::apply::{self, Ownership, SetId};
use common::layer::merge;
use common::message;
use common::oci::{Descriptor, Platform};
use common::root::Root;
use common::store::Name;
use common::stream::{Output, Payload};
use common::tar;

use crate::error::Error;
use crate::handover;
use crate::place::Place;
use crate::scratch;

/// A place for what was built, other than the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Image(Destination),
    /// The files of the image, all the caller's.
    Directory(PathBuf),
    /// The files of the image as one plain archive, `-` for standard output.
    Tar(PathBuf),
    /// The registries of its names.
    Registry,
    /// docker on this machine.
    Docker,
}

impl Target {
    /// Parses what follows `-o`: a destination, the path of a directory, or docker's
    /// `type=TYPE,dest=PATH`.
    ///
    /// # Errors
    /// A text that is no destination.
    pub(crate) fn parse(text: &OsStr) -> Result<Self, Failure> {
        if let Some(fields) = text.to_str().and_then(|text| text.strip_prefix("type=")) {
            return of_type(fields);
        }
        let bytes = text.as_bytes();
        let is_path = bytes.starts_with(b"/") || bytes.starts_with(b".") || !bytes.contains(&b':');
        if is_path && bytes != b"-" && !bytes.is_empty() {
            return Ok(Self::Directory(text.into()));
        }
        Ok(Self::Image(Destination::parse(text)?))
    }

    /// Whether the image itself goes to standard output, so that nothing else may.
    pub(crate) fn is_standard(&self) -> bool {
        match self {
            Self::Image(destination) => destination.is_standard(),
            Self::Tar(file) => file == Path::new("-"),
            Self::Directory(_) | Self::Registry | Self::Docker => false,
        }
    }

    /// Refuses, before any work is done, what can be seen to fail for that many platforms.
    ///
    /// # Errors
    /// A terminal for an archive, a file in the place of a directory, one archive of files for
    /// several platforms; a program that is not there.
    pub(crate) fn check(&self, platforms: usize, names: &[Name]) -> Result<(), Failure> {
        match self {
            Self::Registry => handover::check_push(names),
            Self::Docker => handover::check_load(),
            Self::Image(destination) => Ok(destination.check()?),
            Self::Directory(dir) => match fs::metadata(dir) {
                Ok(metadata) if !metadata.is_dir() => {
                    let error = std::io::Error::from(std::io::ErrorKind::NotADirectory);
                    Err(Error::file(dir)(error).into())
                }
                _ => Ok(()),
            },
            Self::Tar(_) if platforms > 1 => Err(Failure::usage(
                "--output type=tar: the files of several platforms are several archives",
            )
            .hint("--output type=local makes a directory for each")),
            Self::Tar(_) if self.is_standard() => {
                Output::standard(Payload::Binary)?;
                Ok(())
            }
            Self::Tar(_) => Ok(()),
        }
    }

    /// Puts there what was made.
    ///
    /// # Errors
    /// A place that cannot be written.
    pub(crate) fn write(
        &self,
        made: &Descriptor,
        names: &[Name],
        place: &Place,
    ) -> Result<(), Error> {
        let store = &place.store;
        match self {
            Self::Registry => handover::push(made, names, place),
            Self::Docker => handover::load(made, names, place),
            Self::Image(destination) => {
                Ok(destination.write(&Product::in_store(store, made)?, names)?)
            }
            Self::Directory(dir) => {
                let images = image::all(store, made)?;
                let of_several = images.len() > 1;
                for image in images {
                    match of_several {
                        true => unpack(&image, &dir.join(folder(&image.config.platform())), place)?,
                        false => unpack(&image, dir, place)?,
                    }
                }
                Ok(())
            }
            Self::Tar(file) => {
                let images = image::all(store, made)?;
                let [image] = images.as_slice() else {
                    let text = "--output type=tar: there are images for several platforms";
                    return Err(Error::Other(text.into()));
                };
                let mut output = Output::open(Some(file.as_os_str()), Payload::Binary)?;
                flatten(image, &mut output, place)?;
                Ok(output.commit()?)
            }
        }
    }
}

/// docker's `type=TYPE[,dest=PATH]...`.
fn of_type(text: &str) -> Result<Target, Failure> {
    let mut fields = text.split(',');
    let kind = fields.next().unwrap_or_default();
    let refuse = |why: &str| Failure::new(format!("--output type={text}: {why}"));
    let mut options = BTreeMap::new();
    for field in fields {
        let (name, value) = field.split_once('=').unwrap_or((field, "true"));
        options.insert(name, value);
    }
    let dest = options.remove("dest").filter(|dest| !dest.is_empty());
    let tar = options.remove("tar").unwrap_or("true");
    let push = options.remove("push").unwrap_or("false");
    if let Some(option) = options.keys().next() {
        return Err(refuse(&format!("'{option}' is not supported")));
    }
    let pushes = match push {
        "true" if !matches!(kind, "image" | "registry") => {
            return Err(refuse("only type=image can be pushed").hint("give --push, too"));
        }
        "true" | "false" => push == "true",
        _ => return Err(refuse("push must be true or false")),
    };
    // A path of docker's is one as a whole, colons and all.
    let archive = |file: &str| Destination::Archive { file: file.into(), name: None };
    Ok(match (kind, dest, tar) {
        ("registry", None, "true") => Target::Registry,
        ("image", None, "true") if pushes => Target::Registry,
        ("docker", None, "true") => Target::Docker,
        ("local", Some(dest), "true") => Target::Directory(dest.into()),
        ("tar", Some(dest), "true") => Target::Tar(dest.into()),
        ("oci", Some(dest), "false") => {
            Target::Image(Destination::Layout { dir: dest.into(), name: None })
        }
        ("oci" | "docker", Some(dest), "true") => Target::Image(archive(dest)),
        ("local" | "tar" | "oci", None, _) => return Err(refuse("dest=PATH is missing")),
        ("image", None, "true") => {
            return Err(refuse("the image is in the store anyway").hint("leave it out"));
        }
        _ => return Err(refuse("there are local, tar, oci, docker and registry")),
    })
}

/// The name of a platform's directory beside others, as BuildKit has it.
fn folder(platform: &Platform) -> String {
    platform.to_string().replace('/', "_")
}

/// Unpacks an image into a directory, which is made if it is missing. Everything belongs to
/// the caller, as docker says of its local exporter.
fn unpack(image: &Image, dir: &Path, place: &Place) -> Result<(), Error> {
    fs::create_dir_all(dir).map_err(Error::file(dir))?;
    let root = Root::open(dir).map_err(Error::file(dir))?;
    // In one layer without whiteouts: what else is in the directory stays.
    let mut file = scratch::file(place.cache.as_deref())?;
    flatten(image, &mut file, place)?;
    file.rewind().map_err(Error::file("temporary file"))?;
    let options = apply::Options {
        ownership: Ownership::Drop,
        set_id: SetId::Drop,
        max_size: place.max_size,
        ..apply::Options::default()
    };
    let summary = apply::apply(&root, file, &options)?;
    for line in summary.not_kept.lines() {
        message::verbose(line);
    }
    Ok(())
}

/// Writes the files of an image as one layer.
fn flatten(image: &Image, out: &mut impl Write, place: &Place) -> Result<(), Error> {
    let mut sources = Vec::new();
    for layer in image.layers() {
        let growth = place.max_size.growth(Some(layer.descriptor.len_bytes));
        let failed = |source| Error::Layer { layer: layer.descriptor.digest.clone(), source };
        let mut plain =
            Decoder::new(image.verified_layer(&layer)?, growth.clone()).map_err(failed)?;
        let mut file = scratch::file(place.cache.as_deref())?;
        io::copy(&mut plain, &mut file).map_err(failed)?;
        let label = format!("layer {}", layer.descriptor.digest);
        sources.push(merge::Source::of_copy(label, file, growth));
    }
    let mut writer = tar::Writer::new(BufWriter::new(out));
    merge::flatten(&sources, &mut writer)?;
    writer.finish()?.flush().map_err(Error::file("output"))
}
