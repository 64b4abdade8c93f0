//! Programs that an image is handed to: img-copy pushes it (`--push`), and docker loads it
//! (`--load`).

use std::ffi::OsStr;
use std::fs::File;
use std::process::{Command, Stdio};

use common::cli::Failure;
use common::image::{Destination, Product};
use common::oci::Descriptor;
use common::store::Name;
use registry::ReachOptions;

use crate::error::Error;
use crate::place::Place;
use crate::program::{find, run};
use crate::scratch::Scratch;

/// The program that pushes: it compresses layers, and knows registries and credentials.
const COPY: &str = "img-copy";

const DOCKER: &str = "docker";

/// Refuses, before any work is done, a push that cannot be.
///
/// # Errors
/// An image without a name, or no img-copy.
pub(crate) fn check_push(names: &[Name]) -> Result<(), Failure> {
    if names.is_empty() {
        let failure = Failure::usage("--push: the image has no name");
        return Err(failure.hint("name it as its registry does: -t HOST/NAME:TAG"));
    }
    find(COPY).map(drop).map_err(|error| Failure::from(error).hint("install img-copy"))
}

/// Refuses, before any work is done, to load an image that nobody loads.
///
/// # Errors
/// No docker.
pub(crate) fn check_load() -> Result<(), Failure> {
    let hint = "write an archive for another machine: -o docker-archive:FILE";
    find(DOCKER).map(drop).map_err(|error| Failure::from(error).hint(hint))
}

/// Pushes an image of the store under each of its names.
///
/// # Errors
/// A push that fails; img-copy has said why.
pub(crate) fn push(made: &Descriptor, names: &[Name], place: &Place) -> Result<(), Error> {
    for name in names {
        let mut command = Command::new(find(COPY)?);
        command.arg("--quiet").arg("--store").arg(place.store.path());
        let ReachOptions { authfile, tls_verify, cert_dir } = &place.registries;
        for (option, path) in [("--authfile", authfile), ("--cert-dir", cert_dir)] {
            command.args(path.iter().flat_map(|path| [OsStr::new(option), path.as_os_str()]));
        }
        command.args(tls_verify.map(|verify| format!("--tls-verify={verify}")));
        command.arg(made.digest.to_string()).arg(format!("docker://{}", name.canonical()));
        hand(command.stdin(Stdio::null()), COPY)?;
    }
    Ok(())
}

/// Has docker load an image.
///
/// # Errors
/// An archive that cannot be written; a docker that fails, and has said why.
pub(crate) fn load(made: &Descriptor, names: &[Name], place: &Place) -> Result<(), Error> {
    let scratch = Scratch::new(place.cache.as_deref()).or_else(|_| Scratch::new(None))?;
    let path = scratch.path().join("image.tar");
    let destination = Destination::Archive { file: path.clone(), name: None };
    destination.write(&Product::in_store(&place.store, made)?, names)?;
    let archive = File::open(&path).map_err(Error::file(&path))?;
    hand(Command::new(find(DOCKER)?).arg("load").stdin(archive), DOCKER)
}

/// Runs a program that says itself what is wrong.
fn hand(command: &mut Command, name: &str) -> Result<(), Error> {
    match run(command.stdout(Stdio::null()), name)? {
        status if status.success() => Ok(()),
        status => Err(Error::Other(format!("{name} failed: {status}"))),
    }
}
