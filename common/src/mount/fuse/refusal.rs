//! Refusals on the way to a mount of fuse-overlayfs.

use std::io;

use super::super::error::Error;

/// The name of the file system in errors.
pub(super) const KIND: &str = "fuse-overlayfs";

/// A step that was refused.
pub(super) fn refused(step: &str, source: impl Into<io::Error>) -> Error {
    Error::refused(KIND, step, source.into(), String::new())
}
