//! A layer on its way into a directory: what it is applied to, and all that is
//! remembered meanwhile. The files beside this one say what becomes of an entry.

use super::options::{Form, Options, Ownership, SetId};
use super::remembered::{Directory, LinkStore, Links, Names};
use super::small::SmallFiles;
use super::summary::Summary;
use crate::privilege;
use crate::root::{DirId, Root, Tree};

/// A layer on its way into a directory.
#[derive(Debug)]
pub(super) struct Engine<'a> {
    pub(super) options: &'a Options,
    pub(super) root: &'a Root,
    pub(super) tree: Tree<'a>,
    pub(super) directories: Vec<Directory>,
    /// What the layer made that is no directory, in directories that it did not make.
    pub(super) touched: Names,
    /// Devices that the layer has and we may not make.
    pub(super) left_out: Names,
    /// Whiteouts that were written, in overlay form.
    pub(super) whiteouts: Names,
    /// Devices for whiteouts were refused: files with marks stand in for them.
    pub(super) marks_whiteouts: bool,
    pub(super) links: Links,
    pub(super) link_store: Option<LinkStore<'a>>,
    /// Files that have their names, and wait for the rest.
    pub(super) small_files: SmallFiles,
    pub(super) summary: Summary,
    /// The parent of the last entry: entries come by directory.
    pub(super) last_parent: Option<(Vec<u8>, DirId)>,
    pub(super) umask: u32,
    pub(super) ourselves: (u32, u32),
    /// Whether what only the host's root may do is an error where it is refused;
    /// otherwise it is left out, and counted.
    pub(super) is_privileged: bool,
    /// Whether file capabilities, which we could set, are not to be.
    pub(super) drops_capabilities: bool,
}

impl<'a> Engine<'a> {
    pub(super) fn new(root: &'a Root, options: &'a Options) -> Self {
        Self {
            options,
            root,
            tree: Tree::new(root),
            directories: Vec::new(),
            touched: Names::default(),
            left_out: Names::default(),
            whiteouts: Names::default(),
            marks_whiteouts: false,
            links: Links::default(),
            link_store: None,
            small_files: SmallFiles::default(),
            summary: Summary::default(),
            last_parent: None,
            umask: umask(),
            is_privileged: options.ownership == Ownership::Keep
                && privilege::in_initial_user_namespace(),
            drops_capabilities: options.set_id == SetId::Drop
                && rustix::process::geteuid().is_root()
                && privilege::in_initial_user_namespace(),
            ourselves: (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw()),
        }
    }

    pub(super) fn records_deletions(&self) -> bool {
        matches!(self.options.form, Form::Overlay { .. })
    }
}

/// The process's mask of permission bits, read without changing it, as other
/// threads may be creating files. Where it cannot be read all bits count as masked.
fn umask() -> u32 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    mask.and_then(|text| u32::from_str_radix(text.trim(), 8).ok()).unwrap_or(0o777)
}
