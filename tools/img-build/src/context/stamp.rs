//! Whether a directory is as it was when it was read.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Stands for the names, types, modes, inodes and times of all that is below a directory, in
/// whatever order they were met. The time of a change cannot be set by programs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Stamp(u64);

impl Stamp {
    /// Adds something at `path`, seen from the directory.
    pub(super) fn add(&mut self, path: &[u8], metadata: &fs::Metadata) {
        let mut hasher = DefaultHasher::new();
        path.hash(&mut hasher);
        let (dev, ino, len, mode) =
            (metadata.dev(), metadata.ino(), metadata.len(), metadata.mode());
        (dev, ino, len, mode, metadata.nlink()).hash(&mut hasher);
        (metadata.mtime(), metadata.mtime_nsec()).hash(&mut hasher);
        (metadata.ctime(), metadata.ctime_nsec()).hash(&mut hasher);
        self.0 = self.0.wrapping_add(hasher.finish());
    }

    /// The stamp of a directory as it is now.
    pub(super) fn of(dir: &Path) -> io::Result<Self> {
        let mut stamp = Self::default();
        stamp.add(b"", &fs::metadata(dir)?);
        stamp.fill(dir, b"")?;
        Ok(stamp)
    }

    fn fill(&mut self, dir: &Path, path: &[u8]) -> io::Result<()> {
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let name = entry.file_name();
            let path = match path {
                b"" => name.as_bytes().to_vec(),
                _ => [path, name.as_bytes()].join(&b'/'),
            };
            let metadata = entry.metadata()?;
            self.add(&path, &metadata);
            if metadata.is_dir() {
                self.fill(&entry.path(), &path)?;
            }
        }
        Ok(())
    }
}
