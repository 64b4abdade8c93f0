//! Archives of images, which are given where a layer is expected: refused before anything
//! of them is taken for files.
//!
//! They are known by the name of their first member that is no directory. A tree that holds
//! a layout of images has such names too, but tar(1) and `layer-diff` put the root of a tree
//! before them, which no writer of images does.

use super::{Entry, Kind};

/// The verdict so far, from the first members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Directories at most have been seen.
    First,
    /// It is a layer, or whatever the caller says.
    Over,
}

impl Look {
    /// Looks at the next member; whether the archive is that of an image.
    pub(super) fn is_image(&mut self, entry: &Entry) -> bool {
        if *self == Self::Over {
            return false;
        }
        let parts: Vec<&[u8]> = entry.path.split(|&byte| byte == b'/').collect();
        let mut parts = parts.as_slice();
        while let [b"" | b".", rest @ ..] = parts {
            parts = rest;
        }
        if entry.kind == Kind::Directory && !parts.is_empty() {
            return false;
        }
        *self = Self::Over;
        entry.kind == Kind::File && is_of_image(parts)
    }
}

fn is_of_image(parts: &[&[u8]]) -> bool {
    match parts {
        [b"oci-layout"] => true,
        [b"blobs", b"sha256", hex] => is_hex(hex, 64),
        [b"blobs", b"sha512", hex] => is_hex(hex, 128),
        // Docker before version 25.
        [hex, b"VERSION" | b"json" | b"layer.tar"] => is_hex(hex, 64),
        // Podman, skopeo, and what go-containerregistry makes.
        [name] => {
            let suffixes: [&[u8]; 3] = [b".json", b".tar", b".tar.gz"];
            let hex = suffixes.iter().find_map(|suffix| name.strip_suffix(*suffix));
            let hex = hex.or_else(|| name.strip_prefix(b"sha256:"));
            hex.is_some_and(|hex| is_hex(hex, 64))
        }
        _ => false,
    }
}

fn is_hex(text: &[u8], len: usize) -> bool {
    text.len() == len && text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
