//! Wasted content of layers: files that a later layer replaced,
//! deleted, or wrote again, each with the layer that wrote it and the one that wasted it.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Change, Event, Inside, Past};
use crate::layer::tree::{InodeId, NodeId, Paths, Version};
use crate::tar::Kind;

/// The reason for which content shows no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// The name, or a directory above it, was deleted or hidden.
    Deleted,
    /// Something else took its place.
    Replaced,
    /// A file as long and as old took its place: it was copied for another mode or owner.
    Copied,
    /// The same layer has the name twice.
    Twice,
}

impl How {
    /// A word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::Replaced => "replaced",
            Self::Copied => "copied",
            Self::Twice => "twice",
        }
    }
}

/// Content that is wasted: a file's, or that of a directory that was deleted as a whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wasted {
    /// The path; the root's is empty.
    pub path: Vec<u8>,
    /// The reason why it shows no more.
    pub how: How,
    /// The layer that wrote it, counted from 1.
    pub written_by: u32,
    /// The layer that made it useless.
    pub wasted_by: u32,
    /// The number of files.
    pub files: u64,
    /// The size of their content, in bytes.
    pub len_bytes: u64,
}

/// All that is wasted in an image.
#[derive(Debug, Default)]
pub struct Waste {
    /// The largest first.
    pub list: Vec<Wasted>,
    /// The size of all, in bytes.
    pub len_bytes: u64,
    /// As dive counts it: 1 for an image without waste.
    pub efficiency: f64,
}

impl Waste {
    /// The waste of an image that was read with its past.
    #[must_use]
    pub fn of(inside: &Inside, paths: &Paths<'_>) -> Self {
        let mut deletions = Deletions::of(inside, paths);
        let past = Past::of(inside);
        let mut groups: BTreeMap<(NodeId, How, u32, u32), (u64, u64)> = BTreeMap::new();
        let changes = changes_of_losers(inside, &past);
        for loss in inside.tree.losses() {
            let inode = inside.tree.inode(loss.inode);
            if inode.kind != Kind::File || inode.len_bytes == 0 {
                continue;
            }
            let written_by = inode.content.layer;
            let how = match changes.get(&(loss.node, loss.layer)) {
                _ if written_by == loss.layer => How::Twice,
                Some(Change::Metadata) => How::Copied,
                Some(Change::Deleted) | None => How::Deleted,
                Some(Change::Added | Change::Changed) => How::Replaced,
            };
            let top = match how {
                How::Deleted => deletions.top(loss.node, loss.layer),
                _ => loss.node,
            };
            let (files, len_bytes) = groups.entry((top, how, written_by, loss.layer)).or_default();
            *files += 1;
            *len_bytes = len_bytes.saturating_add(inode.len_bytes);
        }
        let wasted = |((node, how, written_by, wasted_by), (files, len_bytes))| {
            let path = paths.of(node)?;
            Some(Wasted { path, how, written_by, wasted_by, files, len_bytes })
        };
        let mut list: Vec<Wasted> = groups.into_iter().filter_map(wasted).collect();
        list.sort_by(|one, other| other.len_bytes.cmp(&one.len_bytes).then(one.cmp(other)));
        let len_bytes = list.iter().fold(0, |sum: u64, it| sum.saturating_add(it.len_bytes));
        Self { list, len_bytes, efficiency: efficiency(inside, &past, &mut deletions) }
    }
}

/// Returns the change that each layer made to the names that lost content by it.
fn changes_of_losers(inside: &Inside, past: &Past<'_>) -> HashMap<(NodeId, u32), Change> {
    let losers: HashSet<NodeId> = inside.tree.losses().iter().map(|loss| loss.node).collect();
    let mut changes = HashMap::new();
    for (node, events) in past.nodes() {
        if losers.contains(&node) {
            changes.extend(events.iter().map(|event| ((node, event.layer), event.change)));
        }
    }
    changes
}

/// The names that layers deleted.
struct Deletions<'p> {
    all: HashSet<(NodeId, u32)>,
    paths: &'p Paths<'p>,
    /// The tops that were found, so that no way up is gone twice.
    tops: HashMap<(NodeId, u32), NodeId>,
}

impl<'p> Deletions<'p> {
    fn of(inside: &Inside, paths: &'p Paths<'p>) -> Self {
        let changes = inside.tree.changes().iter();
        let deleted = changes.filter(|change| change.version == Version::Deleted);
        let all = deleted.map(|change| (change.node, change.layer)).collect();
        Self { all, paths, tops: HashMap::new() }
    }

    /// The highest directory that went with `node`.
    fn top(&mut self, node: NodeId, layer: u32) -> NodeId {
        let (mut top, mut way) = (node, Vec::new());
        while let Some(parent) = self.paths.parent(top) {
            if let Some(&known) = self.tops.get(&(top, layer)) {
                top = known;
                break;
            }
            if !self.all.contains(&(parent, layer)) {
                break;
            }
            way.push(top);
            top = parent;
        }
        self.tops.extend(way.into_iter().map(|node| ((node, layer), top)));
        top
    }
}

/// Dive's figure (`dive/filetree/efficiency.go`): for each path, the least size that a
/// layer has under it, and the sum of all; then the sum of the former over that of the
/// latter. A file that is deleted has size 0 there, a deleted directory that of what was
/// in it. The sizes are those of headers, so that a hard link has size 0.
fn efficiency(inside: &Inside, past: &Past<'_>, deletions: &mut Deletions<'_>) -> f64 {
    let mut members: HashMap<InodeId, (NodeId, u32)> = HashMap::new();
    for change in inside.tree.changes() {
        if let Version::Inode(id) = change.version {
            members.entry(id).or_insert((change.node, change.layer));
        }
    }
    let size = |node: NodeId, event: &Event<'_>| {
        let (Some(inode), Some(id)) = (event.inode, event.id) else { return 0 };
        let is_member = members.get(&id) == Some(&(node, event.layer));
        if inode.kind == Kind::File && is_member { inode.len_bytes } else { 0 }
    };
    let (mut least, mut all) = (0_u128, 0_u128);
    let mut directories: BTreeMap<(NodeId, u32), u64> = BTreeMap::new();
    for (node, events) in past.nodes() {
        let (mut min, mut sum, mut last) = (u64::MAX, 0_u128, 0);
        for event in &events {
            let seen = match event.change {
                Change::Deleted => {
                    let top = deletions.top(node, event.layer);
                    if top != node {
                        let whole = directories.entry((top, event.layer)).or_default();
                        *whole = whole.saturating_add(last);
                        continue;
                    }
                    0
                }
                _ => size(node, event),
            };
            last = size(node, event);
            min = min.min(seen);
            sum += u128::from(seen);
        }
        if min != u64::MAX {
            least += u128::from(min);
            all += sum;
        }
    }
    let mut by_path: BTreeMap<NodeId, (u64, u128)> = BTreeMap::new();
    for ((node, _), len_bytes) in directories {
        let (min, sum) = by_path.entry(node).or_insert((u64::MAX, 0));
        *min = (*min).min(len_bytes);
        *sum += u128::from(len_bytes);
    }
    for (min, sum) in by_path.into_values() {
        least += u128::from(min);
        all += sum;
    }
    ratio(least, all)
}

/// Of nothing, all is used.
fn ratio(part: u128, whole: u128) -> f64 {
    // A share needs no more digits than a float has.
    #[allow(clippy::cast_precision_loss)]
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

/// Returns the part of `whole`, in percent.
#[must_use]
pub fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { 100.0 * ratio(part.into(), whole.into()) }
}
