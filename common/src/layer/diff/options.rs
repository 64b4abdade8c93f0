//! What the caller of a comparison decides.

use std::path::PathBuf;

use super::owner::Owner;
use super::xattrs::XattrRules;
use crate::glob::Pattern;
use crate::layer::overlay::Prefixes;
use crate::time::Timestamp;

/// How two trees are compared, and what goes into the layer.
///
/// The default makes a layer that turns the lower tree into the upper one
/// exactly, times to the nanosecond.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// When files of equal metadata are read and compared.
    pub content: ContentPolicy,
    /// How precisely times are compared and recorded.
    pub precision: Precision,
    /// No later time is recorded; times before it stay (`SOURCE_DATE_EPOCH`).
    pub clamp_mtime: Option<Timestamp>,
    /// Whose the entries are. Both trees are seen this way.
    pub owner: Owner,
    /// Names that are left out of both trees, with all below them.
    pub exclude: Vec<Pattern>,
    /// Which extended attributes belong to the layer.
    pub xattrs: XattrRules,
    /// Which directories are recorded beside the changed ones.
    pub parents: Parents,
    /// Whether the comparison goes into what is mounted below the trees.
    pub mounts: Mounts,
    /// What to do about sockets, which no layer can hold.
    pub sockets: Sockets,
    /// The extended attributes that mark whiteouts and opaque directories in
    /// overlay's directories.
    pub overlay_xattrs: Prefixes,
    /// The work directory of an overlay mount, for the hard links that it keeps there
    /// if it is one with `index=on`.
    pub overlay_work: Option<PathBuf>,
    /// Whether the root of an upper directory is recorded.
    pub overlay_root: OverlayRoot,
}

/// The root of an upper directory: what a command does to `/` is done to it, but so
/// is what whoever made it chose, or did not choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OverlayRoot {
    /// It is left out; if its mode, owner or attributes are not those of the lower
    /// root, that is told (see [`super::Summary::passed_over`]).
    #[default]
    PassedOver,
    /// It is recorded like any directory.
    Recorded,
}

/// When the content of two files of equal metadata is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ContentPolicy {
    /// When their times cannot tell: they are a whole second, as archives and coarse
    /// file systems have them, or the files were stamped within one tick of the clock.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never: equal metadata mean equal files.
    Never,
}

/// Precision of times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// To the nanosecond, which costs an extended header for each entry.
    #[default]
    Nanoseconds,
    /// Whole seconds, rounded down, as most other implementations have them.
    Seconds,
}

/// Which directories are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Parents {
    /// The changed ones and all above a change, so that the layer stands alone:
    /// many implementations unpack each layer by itself, and make up the
    /// attributes of directories that it does not record.
    #[default]
    All,
    /// The changed ones only.
    Changed,
}

/// What is mounted below the trees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mounts {
    /// Stay out, and tell (see [`super::Summary::passed_over`]).
    #[default]
    PassOver,
    /// Go in.
    Enter,
}

/// What to do about sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sockets {
    /// Leave them out, and tell (see [`super::Summary::passed_over`]).
    #[default]
    PassOver,
    /// Fail.
    Refuse,
}
