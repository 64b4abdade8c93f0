//! A place for trees that are made and removed a thousand times a minute.

use std::path::Path;

/// A folder in memory, where there is one.
pub(crate) fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let builder = || {
        let mut builder = tempfile::Builder::new();
        builder.prefix("layerutils-fuzz-");
        builder
    };
    builder().tempdir_in(memory).or_else(|_| builder().tempdir()).expect("a folder")
}
