//! Overlay mounts by the new mount API (fsopen, fsconfig, fsmount), or by
//! fuse-overlayfs where the kernel refuses them.
//!
//! Owns what an overlay is made of and who is asked for it, in which order. What a
//! layer directory holds is `unpacked`'s affair; where the mount goes and who
//! sees it is the sandbox's, or union-mount's.
//!
//! Nothing is decided by kernel version: each form is tried, and the kernel's
//! own message, read from the file system context, is what the user gets.

mod allowed;
mod branches;
pub(crate) mod context;
mod directory;
mod driver;
mod error;
mod fuse;
mod legacy;
mod marks;
mod namespace;
mod overlay;
mod point;
mod spec;
mod table;
pub(crate) mod upper;
pub(crate) mod work;

pub use allowed::Allowed;
pub use driver::{Audience, Driver, Server};
pub use error::Error;
pub use marks::{directory_keeps_marks, memory_keeps_marks};
pub use namespace::Namespace;
pub use point::unmount_union;
pub use spec::{Durability, Overlay, SOURCE, Upper};
