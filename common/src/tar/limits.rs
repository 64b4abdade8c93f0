//! What a reader accepts before it says no: bounds on memory and on work.

/// Bounds on what an archive may ask of its reader.
///
/// The memory of a [`Reader`](super::Reader) is a small multiple of
/// `metadata_bytes` and `sparse_segments`, whatever the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Members in one archive.
    pub entries: u64,
    /// Extended headers, long names and sparse maps of one member, in bytes.
    pub metadata_bytes: u64,
    /// Length of a name or a link target in bytes.
    pub path_bytes: usize,
    /// Data segments of one sparse file.
    pub sparse_segments: usize,
}

impl Default for Limits {
    /// What no honest layer exceeds. The metadata bound is that of Go's
    /// `archive/tar`, which docker and containerd read with.
    fn default() -> Self {
        Self {
            entries: 16 << 20,
            metadata_bytes: 1 << 20,
            path_bytes: 64 << 10,
            sparse_segments: 128 << 10,
        }
    }
}
