//! Layers applied to one directory, one after the other.

use std::error::Error as StdError;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::thread;

use super::Error;
use crate::compression::MaxSize;
use crate::image::Image;
use crate::layer::apply::{Expected, Options, Ownership, apply_stream, apply_verified};
use crate::layer::diff::{self, LayerWriter};
use crate::mount::upper::{copy_attributes, copy_xattrs};
use crate::root::Root;

/// How much of a layer is gathered before it is handed over.
const BUFFER_LEN_BYTES: usize = 256 << 10;

/// Applies the first `count` layers of an image, or all, to what is in `root`.
///
/// # Errors
/// A layer that cannot be read or applied, or is not what the image says.
pub fn apply_image(
    root: &Root,
    image: &Image,
    count: Option<usize>,
    max_size: MaxSize,
) -> Result<(), Error> {
    let options = Options { max_size, ..options() };
    for layer in image.layers().take(count.unwrap_or(usize::MAX)) {
        let expected = Expected::in_image(&layer.diff_id, layer.descriptor.len_bytes);
        apply_verified(root, image.layer(&layer)?, &options, &expected)
            .map_err(Error::layer(&layer.diff_id))?;
    }
    Ok(())
}

/// Applies a layer directory in overlay form to what is in `root`, as `layer-diff
/// --overlay DIR | layer-apply ROOT` does; the root itself becomes what the
/// directory is, as in an overlay.
///
/// # Errors
/// A directory that cannot be read, or cannot be applied.
pub fn apply_directory(root: &Root, dir: &Path) -> Result<(), Error> {
    apply_overlay_form(root, dir)
        .map_err(|source| Error::Directory { path: dir.to_owned(), source })
}

type AnyError = Box<dyn StdError + Send + Sync>;

fn apply_overlay_form(root: &Root, dir: &Path) -> Result<(), AnyError> {
    use std::os::fd::AsFd as _;
    let pipe = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let (reader, writer) = (File::from(pipe.0), File::from(pipe.1));
    thread::scope(|scope| {
        let write = move || -> Result<(), AnyError> {
            let mut layer = LayerWriter::new(BufWriter::with_capacity(BUFFER_LEN_BYTES, writer));
            diff::overlay(dir, &[], &diff::Options::default(), &mut layer)?;
            layer.finish()?.flush()?;
            Ok(())
        };
        let written = thread::Builder::new().name("diff".into()).spawn_scoped(scope, write)?;
        // The reader is gone when this is done: no writer waits for it in vain.
        let applied = apply_stream(root, reader, &options());
        match (written.join().map_err(|_| "a thread has panicked")?, applied) {
            // What is wrong with the directory is the cause of what the reader says;
            // a pipe that is closed, of what the writer says.
            (Err(error), Err(applied)) => {
                Err(if is_closed_pipe(&*error) { applied.into() } else { error })
            }
            (Err(error), Ok(_)) => Err(error),
            (Ok(()), applied) => Ok(applied.map(drop)?),
        }
    })?;
    let top = File::open(dir)?;
    copy_xattrs(top.as_fd(), root.as_fd())?;
    Ok(copy_attributes(top.as_fd(), root.as_fd())?)
}

fn is_closed_pipe(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            if error.kind() == std::io::ErrorKind::BrokenPipe {
                return true;
            }
        }
        next = error.source();
    }
    false
}

fn options() -> Options {
    Options { ownership: Ownership::of_process(), ..Options::default() }
}
