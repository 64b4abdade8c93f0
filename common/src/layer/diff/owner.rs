//! Whose the entries of a layer are.

use std::fs;

use nix::unistd::{User, getegid, geteuid};

/// Owners of the entries.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Owner {
    /// As the file system says.
    #[default]
    Kept,
    /// The same for all.
    Fixed {
        /// User.
        uid: u32,
        /// Group.
        gid: u32,
    },
    /// As a user namespace with these maps sees them. What has no place in it stays
    /// as it is.
    Mapped {
        /// Users.
        uids: IdMap,
        /// Groups.
        gids: IdMap,
    },
}

impl Owner {
    /// What whoever runs this process means: root, all owners as they are; an
    /// ordinary user, those that a command in a user namespace of theirs sees.
    #[must_use]
    pub fn of_caller() -> Self {
        if geteuid().is_root() { Self::Kept } else { Self::mapped_for_caller() }
    }

    /// The owners that a command in a user namespace of the caller's sees: the
    /// caller is root there, and the subordinate identifiers (subuid(5), subgid(5))
    /// follow.
    #[must_use]
    pub fn mapped_for_caller() -> Self {
        let uid = geteuid();
        let name = User::from_uid(uid).ok().flatten().map(|user| user.name);
        let map = |own: u32, file: &str| {
            let text = fs::read_to_string(file).unwrap_or_default();
            IdMap::for_user(own, &text, name.as_deref(), uid.as_raw())
        };
        Self::Mapped {
            uids: map(uid.as_raw(), "/etc/subuid"),
            gids: map(getegid().as_raw(), "/etc/subgid"),
        }
    }

    /// What an owner is recorded as.
    pub(super) fn of(&self, uid: u32, gid: u32) -> (u32, u32) {
        match self {
            Self::Kept => (uid, gid),
            Self::Fixed { uid, gid } => (*uid, *gid),
            Self::Mapped { uids, gids } => {
                (uids.inside(uid).unwrap_or(uid), gids.inside(gid).unwrap_or(gid))
            }
        }
    }
}

/// Ranges of identifiers outside a user namespace and what they are inside, as
/// user_namespaces(7) has them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IdMap(pub Vec<IdRange>);

/// A range of identifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdRange {
    /// First identifier inside.
    pub inside: u32,
    /// First identifier outside.
    pub outside: u32,
    /// How many there are.
    pub count: u32,
}

impl IdMap {
    /// What `outside` is inside, `None` if it has no place there.
    #[must_use]
    pub fn inside(&self, outside: u32) -> Option<u32> {
        self.0.iter().find_map(|range| {
            let offset = outside.checked_sub(range.outside)?;
            if offset < range.count { range.inside.checked_add(offset) } else { None }
        })
    }

    /// `own` becomes 0, and the ranges that `subordinate` (the text of subuid(5))
    /// gives to the user follow. A line that is not understood gives nothing, as
    /// newuidmap(1) has it.
    fn for_user(own: u32, subordinate: &str, name: Option<&str>, uid: u32) -> Self {
        let mut ranges = vec![IdRange { inside: 0, outside: own, count: 1 }];
        let mut inside = 1_u32;
        for line in subordinate.lines() {
            let fields: Vec<&str> = line.trim().split(':').collect();
            let &[owner, first, count] = fields.as_slice() else { continue };
            if Some(owner) != name && owner.parse() != Ok(uid) {
                continue;
            }
            let (Ok(outside), Ok(count)) = (first.parse(), count.parse::<u32>()) else { continue };
            let Some(next) = inside.checked_add(count) else { break };
            ranges.push(IdRange { inside, outside, count });
            inside = next;
        }
        Self(ranges)
    }
}

#[cfg(test)]
mod tests {
    use super::IdMap;

    #[test]
    fn the_caller_is_root_and_subordinates_follow() {
        let text = "root:1:5\nann:100000:65536\n# note\n1000:300000:10\nbob:400000:1\nann:x:y\n";
        let map = IdMap::for_user(1000, text, Some("ann"), 1000);
        for (outside, inside) in [
            (1000, Some(0)),
            (100_000, Some(1)),
            (165_535, Some(65_536)),
            (300_000, Some(65_537)),
            (300_010, None),
            (400_000, None),
            (1, None),
            (0, None),
        ] {
            assert_eq!(map.inside(outside), inside, "{outside}");
        }
    }
}
