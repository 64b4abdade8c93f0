//! The names between two layers: the tree after the later one, with what changed since the
//! earlier one, filtered and sorted.

use std::cmp::Reverse;
use std::collections::HashSet;

use common::inside::Change;
use common::tar::Kind;

use crate::model::Model;

/// The layers that are compared: the tree after `to`, and what changed after `from`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) from: u32,
    pub(crate) to: u32,
}

/// The order of names in a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    Name,
    Size,
}

/// The kinds of names that are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kinds {
    All,
    Files,
    Links,
    Others,
}

impl Kinds {
    pub(crate) fn next(self) -> Self {
        match self {
            Self::All => Self::Files,
            Self::Files => Self::Links,
            Self::Links => Self::Others,
            Self::Others => Self::All,
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::All => "all kinds",
            Self::Files => "files",
            Self::Links => "symbolic links",
            Self::Others => "devices and the like",
        }
    }

    fn has(self, kind: &Kind) -> bool {
        match self {
            Self::All => true,
            Self::Files => *kind == Kind::File,
            Self::Links => matches!(kind, Kind::Symlink { .. }),
            Self::Others => !matches!(kind, Kind::File | Kind::Directory | Kind::Symlink { .. }),
        }
    }
}

/// The names that are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    /// A part of a path, in small letters; all if it is empty.
    pub(crate) text: String,
    pub(crate) kinds: Kinds,
    /// Set if only changes are shown.
    pub(crate) changes: bool,
}

impl Filter {
    /// Returns true if it leaves anything out.
    pub(crate) fn is_narrow(&self) -> bool {
        !self.text.is_empty() || self.kinds != Kinds::All || self.changes
    }
}

/// A name as it is between two layers.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mark {
    /// Set if it is there, or was before.
    pub(crate) is_shown: bool,
    pub(crate) change: Option<Change>,
    /// The size of it, and of all that is in it, in bytes.
    pub(crate) len_bytes: u64,
    /// The layer that last wrote it.
    pub(crate) layer: u32,
    pub(crate) is_directory: bool,
    /// Set if something in it changed.
    pub(crate) has_changes: bool,
    /// Set if the filter takes it, or something in it.
    is_taken: bool,
}

/// A line of the tree.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) number: usize,
    pub(crate) is_open: bool,
}

/// Marks every name of a model.
pub(crate) fn marks(model: &Model, range: Range, filter: &Filter) -> Vec<Mark> {
    let mut marks = vec![Mark::default(); model.names.len()];
    let (mut counted, mut counted_before) = (HashSet::new(), HashSet::new());
    let (mut path, mut ends): (Vec<u8>, Vec<usize>) = (Vec::new(), Vec::new());
    for (number, name) in model.names.iter().enumerate() {
        ends.truncate(name.depth);
        path.truncate(ends.last().copied().unwrap_or(0));
        common::root::push(&mut path, &name.name);
        ends.push(path.len());
        let (before, after) = (model.state(name, range.from), model.state(name, range.to));
        let Some(state) = after.or(before) else { continue };
        let Some(mark) = marks.get_mut(number) else { continue };
        let events = model.events(name, range.from, range.to).map(|event| event.change);
        mark.change = match (before.is_some(), after.is_some()) {
            (false, _) => Some(Change::Added),
            (true, false) => Some(Change::Deleted),
            (true, true) => events.fold(None, |all, change| match change {
                Change::Metadata if all != Some(Change::Changed) => Some(change),
                _ => Some(Change::Changed),
            }),
        };
        if name.depth == 0 {
            mark.change = None;
        }
        mark.is_shown = true;
        mark.layer = state.layer;
        mark.is_directory = *state.kind() == Kind::Directory;
        mark.len_bytes = state.len_bytes();
        let is_named = filter.text.is_empty()
            || String::from_utf8_lossy(&path).to_lowercase().contains(&filter.text);
        let is_changed = mark.change.is_some() || !filter.changes;
        mark.is_taken = is_named && is_changed && filter.kinds.has(state.kind());
    }
    // The entries of a directory come after it.
    for number in (1..marks.len()).rev() {
        let Some(name) = model.names.get(number) else { continue };
        let Some(&mark) = marks.get(number) else { continue };
        let is_deleted = mark.change == Some(Change::Deleted);
        // A deleted directory keeps the size that it had.
        let (layer, counted) = match is_deleted {
            true => (range.from, &mut counted_before),
            false => (range.to, &mut counted),
        };
        if let Some(above) = marks.get_mut(name.parent) {
            let is_in = !is_deleted || above.change == Some(Change::Deleted);
            // A file of several names is counted once.
            let id = model.state(name, layer).and_then(|state| state.id);
            let counts = is_in && (mark.is_directory || id.is_some_and(|id| counted.insert(id)));
            above.len_bytes =
                above.len_bytes.saturating_add(if counts { mark.len_bytes } else { 0 });
            above.has_changes |= mark.has_changes || mark.change.is_some();
            above.is_taken |= mark.is_taken;
        }
    }
    marks
}

/// The lines of the tree: what is in the directories that are `toggled`; if a filter is
/// narrow, all that it takes, but for what is in those.
pub(crate) fn rows(
    model: &Model,
    marks: &[Mark],
    filter: &Filter,
    toggled: &HashSet<usize>,
    sort: Sort,
) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut pending = vec![0];
    while let Some(number) = pending.pop() {
        let (Some(name), Some(mark)) = (model.names.get(number), marks.get(number)) else {
            continue;
        };
        if number > 0 && !(mark.is_shown && mark.is_taken) {
            continue;
        }
        let is_open = number == 0 || toggled.contains(&number) != filter.is_narrow();
        if number > 0 {
            rows.push(Row { number, is_open });
        }
        if is_open {
            let mut children = name.children.clone();
            if sort == Sort::Size {
                let size = |child: &usize| marks.get(*child).map_or(0, |mark| mark.len_bytes);
                children.sort_by_key(|child| Reverse(size(child)));
            }
            pending.extend(children.into_iter().rev());
        }
    }
    rows
}
