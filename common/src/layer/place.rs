//! What a member of a layer speaks of, as far as its header tells: the rules that hold
//! for every tree, decided once for the directory that a layer is applied to
//! ([`crate::layer::apply`]) and for the model of it in memory ([`crate::layer::tree`]).

use crate::layer::apply::{Problem, check_device};
use crate::layer::whiteout::{self, Basename};
use crate::root;
use crate::tar::{Entry, Kind, Xattrs};
use crate::time::Timestamp;

/// The longest target of a symbolic link: `PATH_MAX` with its final NUL.
const MAX_TARGET_LEN_BYTES: usize = 4095;

/// Where a member belongs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    /// The names that lead to its directory.
    pub(crate) parents: Vec<&'a [u8]>,
    /// What it does there.
    pub(crate) what: What<'a>,
}

/// What a member does in its directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What<'a> {
    /// Describes the root.
    Root,
    /// Puts something under this name.
    Put(&'a [u8]),
    /// Hides what lower layers have under this name.
    Hide(&'a [u8]),
    /// Hides all that lower layers have.
    HideAll,
    /// Keeps a file for hard links of this layer, under this name in AUFS's link store.
    Store(&'a [u8]),
    /// Nothing: it is metadata of AUFS.
    Nothing,
}

/// The file that a hard link names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LinkTarget<'a> {
    /// The name in the directory that these names lead to.
    Path(Vec<&'a [u8]>, &'a [u8]),
    /// The file of this name in AUFS's link store.
    Store(&'a [u8]),
}

impl<'a> Place<'a> {
    /// Where `entry` belongs.
    ///
    /// # Errors
    /// What no tree could take.
    pub(crate) fn of(entry: &'a Entry) -> Result<Self, Problem> {
        let mut parents = root::split_measured(&entry.path, whiteout::stored_len)?;
        let Some(name) = parents.pop() else {
            return match entry.kind {
                Kind::Directory => Ok(Self { parents, what: What::Root }),
                _ => Err(Problem::RootIsNoDirectory),
            };
        };
        for parent in &parents {
            match whiteout::classify(parent) {
                Basename::Plain => {}
                Basename::Aufs => {
                    let what = match (stored(&parents, name), &entry.kind) {
                        (true, Kind::File) => What::Store(name),
                        _ => What::Nothing,
                    };
                    return Ok(Self { parents, what });
                }
                _ => return Err(Problem::WhiteoutComponent(parent.to_vec())),
            }
        }
        let what = match whiteout::classify(name) {
            Basename::Plain => {
                check_kind(&entry.kind)?;
                What::Put(name)
            }
            Basename::Whiteout(hidden) => What::Hide(hidden),
            Basename::Opaque => What::HideAll,
            Basename::Aufs => What::Nothing,
            Basename::Invalid => return Err(Problem::InvalidWhiteout),
        };
        Ok(Self { parents, what })
    }
}

fn check_kind(kind: &Kind) -> Result<(), Problem> {
    match kind {
        Kind::Symlink { target } if target.len() > MAX_TARGET_LEN_BYTES => {
            Err(Problem::SymlinkTarget { len_bytes: target.len() })
        }
        Kind::HardLink { target } => link_target(target).map(drop),
        kind => check_device(kind),
    }
}

/// Whether a parent that is not there may be made under this name. The path of a member
/// has no other; the target of a link may.
///
/// # Errors
/// The name of a whiteout.
pub(crate) fn check_parent(name: &[u8]) -> Result<(), Problem> {
    match whiteout::classify(name) {
        Basename::Plain => Ok(()),
        _ => Err(Problem::WhiteoutComponent(name.to_vec())),
    }
}

/// A directory that no layer describes: what tar(1) as root would make, and the same
/// whenever it is made.
pub(crate) fn undescribed() -> Entry {
    Entry {
        path: Vec::new(),
        kind: Kind::Directory,
        mode: 0o755,
        uid: 0,
        gid: 0,
        mtime: Timestamp::EPOCH,
        len_bytes: 0,
        xattrs: Xattrs::new(),
    }
}

/// Whether a name is that of a file in the link store: as in docker, one directly in it.
fn stored(parents: &[&[u8]], name: &[u8]) -> bool {
    parents == [whiteout::LINK_STORE] && whiteout::classify(name) == Basename::Plain
}

/// Where a hard link leads.
///
/// # Errors
/// A target that no hard link can have.
pub(crate) fn link_target(target: &[u8]) -> Result<LinkTarget<'_>, Problem> {
    let invalid = |source| Problem::TargetPath { target: target.to_vec(), source };
    let mut parents = root::split_measured(target, whiteout::stored_len).map_err(invalid)?;
    let Some(name) = parents.pop() else {
        return Err(Problem::LinkToDirectory(target.to_vec()));
    };
    if stored(&parents, name) {
        return Ok(LinkTarget::Store(name));
    }
    for component in parents.iter().chain([&name]) {
        match whiteout::classify(component) {
            Basename::Plain => {}
            Basename::Aufs => return Err(Problem::LinkToAufs(target.to_vec())),
            _ => return Err(Problem::WhiteoutComponent(component.to_vec())),
        }
    }
    Ok(LinkTarget::Path(parents, name))
}

#[cfg(test)]
mod tests {
    use super::{MAX_TARGET_LEN_BYTES, Place, Problem};
    use crate::tar::Kind;
    use crate::tar::testing::entry;

    fn problem(kind: Kind) -> Option<Problem> {
        Place::of(&entry("x", kind)).err()
    }

    // The kernel takes the numbers and keeps part of them; the tar reader refuses them,
    // too, but layers have other readers.
    #[test]
    fn what_linux_would_cut_off_is_refused() {
        for (major, minor) in [(0x1000, 0), (0, 0x10_0000), (u32::MAX, u32::MAX)] {
            for kind in [Kind::CharDevice { major, minor }, Kind::BlockDevice { major, minor }] {
                assert!(matches!(problem(kind), Some(Problem::DeviceNumber { .. })));
            }
        }
        assert!(problem(Kind::BlockDevice { major: 0xfff, minor: 0xf_ffff }).is_none());
        let link = |len| problem(Kind::Symlink { target: vec![b'x'; len] });
        assert!(link(MAX_TARGET_LEN_BYTES).is_none());
        assert!(matches!(link(4096), Some(Problem::SymlinkTarget { len_bytes: 4096 })));
    }
}
