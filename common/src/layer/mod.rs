//! A layer is a changeset: what was added, changed and deleted.
//!
//! What a member means is decided in three places: [`whiteout`] knows the names that
//! stand for deletions, `place` what a header alone tells, and then [`tree`] carries it
//! out in memory and [`apply`] in directories. Law 7 of the tests compares the two.
//! Everything else reads one of them.
//!
//! | module | owns |
//! |---|---|
//! | [`apply`] | layers applied to directories, plain or for overlay mounts |
//! | [`diff`] | layers computed from directories |
//! | [`index`] | what a layer holds, kept in a file |
//! | [`listing`] | what a layer holds, one line a member |
//! | [`merge`] | several layers as one |
//! | [`overlay`] | deletions as overlay file systems record them |
//! | [`recorded`] | owners and devices that an ordinary user's files only record |
//! | [`tree`] | the model of a layer stack in memory |
//! | [`whiteout`] | the names that stand for deletions |

mod acl;
pub mod apply;
pub mod diff;
pub mod index;
mod inode;
pub mod listing;
pub mod merge;
pub mod overlay;
pub(crate) mod place;
pub mod recorded;
pub mod tree;
pub mod verify;
pub mod whiteout;
