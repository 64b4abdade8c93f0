//! Layers applied to one directory, one after the other.

use std::error::Error as StdError;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::thread;

use super::Error;
use crate::image::Image;
use crate::layer::apply::{Expected, NotKept, Options, apply_stream, apply_verified};
use crate::layer::diff::{self, LayerWriter};
use crate::mount::upper::{copy_attributes, copy_xattrs};
use crate::root::Root;

/// How much of a layer is gathered before it is handed over.
const BUFFER_LEN_BYTES: usize = 256 << 10;

/// Applies the first `count` layers of an image, or all, to what is in `root`. Tells
/// what was not kept.
///
/// # Errors
/// A layer that cannot be read or applied, or is not what the image says.
pub fn apply_image(
    root: &Root,
    image: &Image,
    count: Option<usize>,
    options: &Options,
) -> Result<NotKept, Error> {
    let mut not_kept = NotKept::default();
    for layer in image.layers().take(count.unwrap_or(usize::MAX)) {
        let expected = Expected::in_image(&layer.diff_id, layer.descriptor.len_bytes);
        let applied = apply_verified(root, image.layer(&layer)?, options, &expected)
            .map_err(Error::layer(&layer.diff_id))?;
        not_kept.add(&applied.summary.not_kept);
    }
    Ok(not_kept)
}

/// Applies a layer directory in overlay form to what is in `root`, as `layer-diff
/// --overlay DIR | layer-apply ROOT` does; the root itself becomes what the
/// directory is, as in an overlay. Tells what was not kept.
///
/// # Errors
/// A directory that cannot be read, or cannot be applied.
pub fn apply_directory(root: &Root, dir: &Path, options: &Options) -> Result<NotKept, Error> {
    apply_overlay_form(root, dir, options)
        .map_err(|source| Error::Directory { path: dir.to_owned(), source })
}

type AnyError = Box<dyn StdError + Send + Sync>;

fn apply_overlay_form(root: &Root, dir: &Path, options: &Options) -> Result<NotKept, AnyError> {
    use std::os::fd::AsFd as _;
    let pipe = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let (reader, writer) = (File::from(pipe.0), File::from(pipe.1));
    let not_kept = thread::scope(|scope| {
        let write = move || -> Result<(), AnyError> {
            let mut layer = LayerWriter::new(BufWriter::with_capacity(BUFFER_LEN_BYTES, writer));
            diff::overlay(dir, &[], &diff::Options::default(), &mut layer)?;
            layer.finish()?.flush()?;
            Ok(())
        };
        let written = thread::Builder::new().name("diff".into()).spawn_scoped(scope, write)?;
        // The reader is gone when this is done: no writer waits for it in vain.
        let applied = apply_stream(root, reader, options);
        match (written.join().map_err(|_| "a thread has panicked")?, applied) {
            // What is wrong with the directory is the cause of what the reader says;
            // a pipe that is closed, of what the writer says.
            (Err(error), Err(applied)) => {
                Err(if is_closed_pipe(&*error) { applied.into() } else { error })
            }
            (Err(error), Ok(_)) => Err(error),
            (Ok(()), applied) => Ok(applied?.summary.not_kept),
        }
    })?;
    let top = File::open(dir)?;
    copy_xattrs(top.as_fd(), root.as_fd())?;
    copy_attributes(top.as_fd(), root.as_fd())?;
    Ok(not_kept)
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
