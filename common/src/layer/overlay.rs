//! How overlayfs and its kin record deletions, opaque directories, redirects and metadata-only copies.
