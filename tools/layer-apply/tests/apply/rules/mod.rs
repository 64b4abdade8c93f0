//! What a layer means: one test for each rule of applying one.

mod archive;
mod links;
mod metadata;
mod parents;
mod replacing;
mod whiteouts;
mod xattrs;

use crate::support::Archive;

/// A lower layer with a little of everything.
fn base() -> Archive {
    Archive::new()
        .dir("a")
        .file("a/old", "lower")
        .dir("a/sub")
        .file("a/sub/old", "lower")
        .dir("b")
        .file("b/old", "lower")
        .file("c", "lower")
}

/// Where a directory keeps the ACL that new files in it inherit.
const ACL_DEFAULT: &str = "system.posix_acl_default";

/// An ACL by which owner and root may do all, the group read and enter, others nothing.
/// One that names somebody is inherited as an attribute, not as permission bits only.
fn default_acl() -> &'static [u8] {
    b"\x02\0\0\0\
      \x01\0\x07\0\xff\xff\xff\xff\
      \x02\0\x07\0\0\0\0\0\
      \x04\0\x05\0\xff\xff\xff\xff\
      \x10\0\x07\0\xff\xff\xff\xff\
      \x20\0\0\0\xff\xff\xff\xff"
}
