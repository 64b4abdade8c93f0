//! A layer is a changeset: what was added, changed and deleted.

mod acl;
pub mod apply;
pub mod diff;
mod inode;
pub mod listing;
pub mod merge;
pub mod overlay;
pub mod verify;
pub mod whiteout;
