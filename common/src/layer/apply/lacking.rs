//! The attributes that a new file gets after its content.

use super::error::{Problem, Tried as _};
use crate::root::attributes::{self, Target};
use crate::time::Timestamp;

/// The attributes that a new file gets after its content.
#[derive(Debug)]
pub(super) struct Lacking {
    pub(super) owner: Option<(u32, u32)>,
    pub(super) mode: Option<u32>,
    pub(super) mtime: Timestamp,
}

impl Lacking {
    /// Owner, mode, time: in the order that keeps them all.
    pub(super) fn give(&self, target: Target<'_>) -> Result<(), Problem> {
        if let Some((uid, gid)) = self.owner {
            set_owner(target, uid, gid)?;
        }
        if let Some(mode) = self.mode {
            attributes::set_mode(target, mode).tried("set its mode")?;
        }
        attributes::set_mtime(target, self.mtime, true).tried("set its time")
    }
}

/// Changes the owner, and says whose it should have been.
pub(super) fn set_owner(target: Target<'_>, uid: u32, gid: u32) -> Result<(), Problem> {
    attributes::set_owner(target, uid, gid).map_err(|errno| Problem::Owner {
        uid,
        gid,
        source: errno.into(),
    })
}
