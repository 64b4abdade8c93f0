//! The names that stand for deletions (image-spec layer.md, "Whiteouts").

/// Prefix of a whiteout's basename.
pub const PREFIX: &[u8] = b".wh.";

/// Basename of an opaque whiteout: all lower children of its directory are hidden.
pub const OPAQUE: &[u8] = b".wh..wh..opq";

/// The directory in which AUFS keeps the files that have several names. Hard links
/// may name the files in it; the directory itself is never part of the tree.
pub const LINK_STORE: &[u8] = b".wh..wh.plnk";

/// Prefix of AUFS's own metadata, which is no deletion and is skipped.
const AUFS_PREFIX: &[u8] = b".wh..wh.";

/// What a basename means in a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basename<'a> {
    /// An ordinary name.
    Plain,
    /// Hides the lower child of this name.
    Whiteout(&'a [u8]),
    /// Hides all lower children of its directory.
    Opaque,
    /// AUFS's metadata (`.wh..wh.plnk`, `.wh..wh.aufs`, `.wh..wh.orph`).
    Aufs,
    /// A whiteout of nothing, of `.` or of `..`: never valid.
    Invalid,
}

/// Classifies a basename.
#[must_use]
pub fn classify(basename: &[u8]) -> Basename<'_> {
    let Some(hidden) = basename.strip_prefix(PREFIX) else {
        return Basename::Plain;
    };
    if basename == OPAQUE {
        return Basename::Opaque;
    }
    if basename.starts_with(AUFS_PREFIX) {
        return Basename::Aufs;
    }
    match hidden {
        b"" | b"." | b".." => Basename::Invalid,
        _ if hidden.contains(&b'/') => Basename::Invalid,
        _ => Basename::Whiteout(hidden),
    }
}

/// The bytes that a file system must hold of a basename: what a whiteout hides may be as
/// long as a name can be.
#[must_use]
pub fn stored_len(basename: &[u8]) -> usize {
    basename.strip_prefix(PREFIX).unwrap_or(basename).len()
}

#[cfg(test)]
mod tests {
    use super::{Basename, classify, stored_len};

    #[test]
    fn a_whiteout_may_hide_the_longest_name() {
        assert_eq!(stored_len(&[b'a'; 255]), 255);
        assert_eq!(stored_len(&[b".wh.".to_vec(), vec![b'a'; 255]].concat()), 255);
    }

    #[test]
    fn basenames_are_told_apart() {
        assert_eq!(classify(b"a"), Basename::Plain);
        assert_eq!(classify(b".wh.a"), Basename::Whiteout(b"a"));
        assert_eq!(classify(b".wh..wh..opq"), Basename::Opaque);
        assert_eq!(classify(b".wh..wh.plnk"), Basename::Aufs);
        for invalid in [&b".wh."[..], b".wh..", b".wh..."] {
            assert_eq!(classify(invalid), Basename::Invalid);
        }
    }
}
