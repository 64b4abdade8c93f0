//! The image copied out, for places where nothing can be mounted.

use std::fs::{self, DirBuilder};
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use common::cli::{Failure, cleanup};
use common::image::Image;
use common::layer::apply::{Options, Ownership, apply_stream};
use common::root::{self, Root};
use common::unpacked::Cache;

/// A tree that is removed with the guard.
#[derive(Debug)]
pub(crate) struct Copy {
    pub(crate) dir: PathBuf,
    _guard: cleanup::Guard,
}

/// Applies the layers to a new directory in the cache.
pub(crate) fn copy(image: &Image) -> Result<Copy, Failure> {
    let about = |path: &Path, error| Failure::about(common::name::show_path(path), error);
    let parent = Cache::open()?.dir().join("run");
    let dir = parent.join(std::process::id().to_string());
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&parent)
        .and_then(|()| DirBuilder::new().mode(0o755).create(&dir))
        .map_err(|error| about(&dir, error))?;
    let (held, name) = (parent.clone(), dir.file_name().unwrap_or_default().to_owned());
    let guard = cleanup::register(move || {
        if let Ok(parent) = fs::File::open(&held) {
            let _ = root::remove(parent.as_fd(), name.as_bytes());
        }
    });
    let root = Root::open(&dir).map_err(|error| about(&dir, error))?;
    let options = Options { ownership: Ownership::of_process(), ..Options::default() };
    for layer in image.layers() {
        let applied = apply_stream(&root, image.layer(&layer)?, &options)?;
        if applied.diff_id != layer.diff_id {
            let text = format!("layer {}: its content has another DiffID", layer.diff_id);
            return Err(Failure::new(text));
        }
    }
    Ok(Copy { dir, _guard: guard })
}
