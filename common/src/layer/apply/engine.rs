//! One entry after the other: where it belongs, and who carries it out.

use std::io::BufRead;

use super::device::Device;
use super::error::{Error, Problem};
use super::link;
use super::options::{Form, Options, Ownership, SetId};
use super::small::SmallFiles;
use super::state::{Directory, Names};
use super::store::LinkStore;
use super::summary::Summary;
use crate::layer::place::{Place, What};
use crate::privilege;
use crate::root::{DirId, Root, Tree};
use crate::tar::{Content, Entry, Kind};

/// What eStargz puts beside an image's files: its index, and where prefetching ends.
const ESTARGZ: [&[u8]; 3] = [b"stargz.index.json", b".prefetch.landmark", b".no.prefetch.landmark"];

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
    pub(super) links: link::Links,
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
            links: link::Links::default(),
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

    /// Applies one entry. What is left of its content is the caller's to skip.
    pub(super) fn entry<R: BufRead>(
        &mut self,
        entry: &Entry,
        content: &mut Content<'_, R>,
    ) -> Result<(), Error> {
        self.summary.entries += 1;
        self.summary.len_bytes = self.summary.len_bytes.saturating_add(entry.len_bytes);
        self.place(entry, content).map_err(|problem| problem.at(&entry.path))?;
        self.small_files.pass_on()
    }

    fn place<R: BufRead>(
        &mut self,
        entry: &Entry,
        content: &mut Content<'_, R>,
    ) -> Result<(), Problem> {
        let Place { parents, what } = Place::of(entry)?;
        match what {
            What::Root => self.describe(DirId::ROOT, entry)?,
            What::Nothing => {}
            What::Store(name) => self.store(name, entry, content)?,
            What::Put(name) => {
                let is_estargz = parents.is_empty() && ESTARGZ.contains(&name);
                if !(is_estargz && self.options.drop_estargz) {
                    let at = self.directory_of(&parents)?;
                    self.put(at, name, entry, content)?;
                }
            }
            What::Hide(name) => {
                self.summary.whiteouts += 1;
                self.hide_name(&parents, name)?;
            }
            What::HideAll => {
                self.summary.whiteouts += 1;
                self.summary.opaque_root |= parents.is_empty();
                self.hide_content(&parents)?;
            }
        }
        Ok(())
    }

    fn put<R: BufRead>(
        &mut self,
        at: DirId,
        name: &[u8],
        entry: &Entry,
        content: &mut Content<'_, R>,
    ) -> Result<(), Problem> {
        self.left_out.remove(at, name);
        match &entry.kind {
            Kind::Directory => self.put_directory(at, name, entry),
            Kind::File => self.put_file(at, name, entry, content),
            Kind::Symlink { target } => self.put_symlink(at, name, entry, target),
            Kind::HardLink { target } => self.put_link(at, name, entry, target),
            kind => match Device::of(kind)? {
                Some(device) => self.put_device(at, name, entry, device),
                None => Ok(()),
            },
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
