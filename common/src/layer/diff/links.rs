//! Hard links: which names must be recorded so that applying the layer gives the
//! upper tree's groups of names, and only those.
//!
//! A layer records names, and applying it unlinks and makes anew. So a group of
//! the upper tree is left alone only where its names are unchanged, were all one
//! inode in the lower tree too, and no other group claims that inode. Any other
//! group is recorded in full: the first of its names with the content, the others
//! as links to that name. A link to a name that only a lower layer records would
//! be shorter, but image-spec does not promise that it works.

use std::collections::{HashMap, HashSet};

use super::plan::{ItemId, Plan};
use super::stack::Found;
use crate::layer::inode::InodeId;

/// The names that may be links.
#[derive(Debug, Default)]
pub(super) struct Links {
    names: Vec<Link>,
    /// Lower inodes that have lost a name.
    lost: HashSet<InodeId>,
}

/// One name of an inode that has, or had, others.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) item: ItemId,
    /// The inode in the upper tree.
    pub(super) upper: Source,
    /// Whether the upper inode can only have names that are visited.
    pub(super) is_complete: bool,
    /// How many names overlay says it has in the merged tree.
    pub(super) merged_links: Option<u32>,
    /// The inode in the lower tree where the name itself did not change.
    pub(super) unchanged_from: Option<Source>,
}

/// An inode that a name leads to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    pub(super) id: InodeId,
    /// How many names it has anywhere.
    pub(super) links: u32,
}

impl Source {
    pub(super) fn of(found: &Found) -> Self {
        Self { id: found.inode.id, links: found.inode.links }
    }
}

impl Links {
    pub(super) fn push(&mut self, link: Link) {
        self.names.push(link);
    }

    /// Notes that a name no longer leads to the lower inode `source`.
    pub(super) fn lose(&mut self, source: Source) {
        if source.links > 1 {
            self.lost.insert(source.id);
        }
    }

    /// Whether some names of a group may be where the walk did not go.
    pub(super) fn are_incomplete(&self) -> bool {
        let mut upper: HashMap<InodeId, u32> = HashMap::new();
        let mut lower: HashMap<InodeId, u32> = HashMap::new();
        for link in &self.names {
            *upper.entry(link.upper.id).or_default() += 1;
            if let Some(source) = link.unchanged_from {
                *lower.entry(source.id).or_default() += 1;
            }
        }
        let seen = |all: &HashMap<InodeId, u32>, id| all.get(&id).copied().unwrap_or(0);
        self.names.iter().any(|link| {
            let upper_missing = !link.is_complete && seen(&upper, link.upper.id) < link.upper.links;
            let lower_missing =
                link.unchanged_from.is_some_and(|source| seen(&lower, source.id) < source.links);
            upper_missing || lower_missing
        })
    }

    /// The first name of an inode that overlay says has more names than were met.
    pub(super) fn hidden(&self) -> Option<ItemId> {
        let mut seen: HashMap<InodeId, u32> = HashMap::new();
        for link in &self.names {
            *seen.entry(link.upper.id).or_default() += 1;
        }
        let hides = |link: &&Link| link.merged_links > seen.get(&link.upper.id).copied();
        self.names.iter().find(hides).map(|link| link.item)
    }

    /// The first name of a lower inode that has lost others. A mount that keeps links
    /// copies such an inode up; what it shows under this name is that copy.
    pub(super) fn torn(&self) -> Option<ItemId> {
        let is_torn = |link: &&Link| !link.is_complete && self.lost.contains(&link.upper.id);
        self.names.iter().find(is_torn).map(|link| link.item)
    }

    /// Tells the plan which names to record, and how.
    pub(super) fn resolve(self, plan: &mut Plan) {
        let groups = self.groups();
        let kept = keepers(&groups);
        for (index, group) in groups.iter().enumerate() {
            if kept.get(index).copied().unwrap_or(false) {
                continue;
            }
            let mut names = group.iter().map(|link| link.item);
            let Some(first) = names.next() else { continue };
            plan.tell(first, None);
            for other in names {
                plan.tell(other, Some(first));
            }
        }
    }

    /// The names by upper inode, in the order of their first names.
    fn groups(self) -> Vec<Vec<Link>> {
        let mut places: HashMap<InodeId, usize> = HashMap::new();
        let mut groups: Vec<Vec<Link>> = Vec::new();
        for link in self.names {
            let place = *places.entry(link.upper.id).or_insert(groups.len());
            match groups.get_mut(place) {
                Some(group) => group.push(link),
                None => groups.push(vec![link]),
            }
        }
        groups
    }
}

/// Which groups stay as they are: for each lower inode, the largest that is
/// nothing but names of it, and of several such the first.
fn keepers(groups: &[Vec<Link>]) -> Vec<bool> {
    let mut best: HashMap<InodeId, usize> = HashMap::new();
    for (index, group) in groups.iter().enumerate() {
        let Some(source) = common_source(group) else { continue };
        let len = |index: usize| groups.get(index).map_or(0, Vec::len);
        let place = best.entry(source).or_insert(index);
        if len(index) > len(*place) {
            *place = index;
        }
    }
    let mut kept = vec![false; groups.len()];
    for index in best.into_values() {
        if let Some(kept) = kept.get_mut(index) {
            *kept = true;
        }
    }
    kept
}

/// The one lower inode that all names of the group are unchanged from.
fn common_source(group: &[Link]) -> Option<InodeId> {
    let mut sources = group.iter().map(|link| link.unchanged_from.map(|source| source.id));
    let first = sources.next()??;
    sources.all(|source| source == Some(first)).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::{Link, Links, Source, keepers};
    use crate::layer::inode::InodeId;

    fn inode(number: u64) -> InodeId {
        InodeId { device: (8, 1), number }
    }

    /// Names as (upper inode, lower inode where unchanged).
    fn links(names: &[(u64, Option<u64>)]) -> Links {
        let mut links = Links::default();
        for (item, &(upper, lower)) in names.iter().enumerate() {
            let source = |number| Source { id: inode(number), links: 2 };
            let unchanged_from = lower.map(source);
            let upper = source(upper);
            links.push(Link {
                item,
                upper,
                is_complete: false,
                merged_links: None,
                unchanged_from,
            });
        }
        links
    }

    fn kept(names: &[(u64, Option<u64>)]) -> Vec<bool> {
        keepers(&links(names).groups())
    }

    #[test]
    fn an_unchanged_group_stays() {
        assert_eq!(kept(&[(1, Some(7)), (1, Some(7))]), [true]);
    }

    #[test]
    fn a_new_name_brings_its_group_along() {
        assert_eq!(kept(&[(1, Some(7)), (1, None)]), [false]);
    }

    #[test]
    fn a_broken_group_keeps_its_largest_part() {
        let names = [(1, Some(7)), (2, Some(7)), (2, Some(7))];
        assert_eq!(kept(&names), [false, true]);
        assert_eq!(kept(&[(1, Some(7)), (2, Some(7))]), [true, false]);
    }

    #[test]
    fn files_that_became_one_are_recorded() {
        assert_eq!(kept(&[(1, Some(7)), (1, Some(8))]), [false]);
    }

    #[test]
    fn names_elsewhere_are_missed() {
        assert!(!links(&[(1, Some(7)), (1, Some(7))]).are_incomplete());
        assert!(links(&[(1, Some(7))]).are_incomplete());
        assert!(links(&[(1, None)]).are_incomplete());
    }
}
