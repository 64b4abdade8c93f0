//! Tar archives as layers use them: entries, a reader and a writer.

mod entry;

pub use entry::{Entry, Kind, Xattrs};
