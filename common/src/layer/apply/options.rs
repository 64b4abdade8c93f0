//! How a layer is applied.

use super::lowers::Lowers;
use crate::compression::MaxSize;
use crate::layer::diff::XattrRules;
use crate::mount::Namespace;
use crate::tar;

/// How a layer is applied.
#[derive(Debug)]
pub struct Options {
    /// Whether files belong to whom the layer says.
    pub ownership: Ownership,
    /// Whether files keep their set-id bits and capabilities.
    pub set_id: SetId,
    /// Whether devices are made.
    pub devices: Devices,
    /// Which extended attributes are taken from the layer.
    pub xattrs: XattrRules,
    /// What deletions become.
    pub form: Form,
    /// A directory entry over a link to a directory keeps the link, and describes
    /// the directory it leads to; otherwise it replaces the link.
    pub keep_dirlinks: bool,
    /// What eStargz adds to a layer (its table of contents and landmarks) is left out.
    pub drop_estargz: bool,
    /// What the archive may ask of us.
    pub limits: tar::Limits,
    /// The most that a layer may grow to when it is inflated. Holes do not count: they
    /// are made, not written.
    pub max_size: MaxSize,
    /// What shows that a layer is whole of which no digest is expected.
    pub whole: tar::Whole,
}

impl Options {
    /// The default, with owners as this process can set them.
    #[must_use]
    pub fn of_process() -> Self {
        Self { ownership: Ownership::of_process(), ..Self::default() }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ownership: Ownership::Keep,
            set_id: SetId::Keep,
            devices: Devices::Make,
            xattrs: XattrRules::default(),
            form: Form::Plain,
            keep_dirlinks: false,
            drop_estargz: false,
            limits: tar::Limits::default(),
            max_size: MaxSize::Usual,
            whole: tar::Whole::ByMarker,
        }
    }
}

/// Whether files belong to whom the layer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// To whom the layer says; what is not permitted is an error. In a user
    /// namespace, whose root has no power over the host, what takes that power
    /// (devices, `trusted.` attributes) is left out, and counted in
    /// [`super::NotKept`].
    Keep,
    /// To ourselves; whatever else needs a privilege (devices, capabilities) is
    /// left out, and counted in [`super::NotKept`].
    Drop,
    /// To ourselves, with a record of whom they belong to and of the device they stand
    /// for (see [`crate::layer::recorded`]); the rest as with `Drop`.
    Record,
}

impl Ownership {
    /// What the process can do: keep owners as root, drop them otherwise.
    #[must_use]
    pub fn of_process() -> Self {
        if rustix::process::geteuid().is_root() { Self::Keep } else { Self::Drop }
    }
}

/// Whether files keep the set-id bits and capabilities that let others run them with
/// their owner's rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetId {
    /// Yes: the tree is out of others' reach, or is to be as the layer says.
    Keep,
    /// No: the bits are recorded in an attribute, and counted in [`super::NotKept`].
    Drop,
}

/// Whether devices are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Devices {
    /// As far as we may.
    Make,
    /// No: they are counted in [`super::NotKept`].
    LeaveOut,
}

/// What deletions become.
#[derive(Debug)]
pub enum Form {
    /// They are carried out: the directory holds the layers below.
    Plain,
    /// They are recorded as overlayfs does: the directory holds this layer alone,
    /// and becomes a lower directory of an overlay mount.
    Overlay {
        /// Where overlayfs keeps its extended attributes.
        namespace: Namespace,
        /// The layers below, uppermost first, in plain or in overlay form: links
        /// among the parents of an entry are looked up there, and so are the
        /// attributes of parents that the layer does not describe. Without them
        /// such a parent becomes a plain directory and hides the link.
        lowers: Lowers,
    },
}
