//! The tree as its readers see it: what is there, and where a path leads.

use super::{Inode, InodeId, NodeId, Own, Tree};
use crate::root::Ahead;
use crate::tar::Kind;

/// The longest path that is followed: what Linux calls `PATH_MAX`.
const MAX_PATH_LEN_BYTES: usize = 4096;

/// Why a path leads nowhere.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// A loop of symbolic links.
    #[error("{}: too many levels of symbolic links", crate::name::show(.0))]
    Loop(Vec<u8>),
    /// Something on the way that is no directory.
    #[error("{}: not a directory", crate::name::show(.0))]
    NotADirectory(Vec<u8>),
    /// A path beyond `PATH_MAX`, or a symbolic link to one.
    #[error("a path is longer than {MAX_PATH_LEN_BYTES} bytes")]
    TooLong,
}

/// Whether a link at the end of a path is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Last {
    /// It is.
    Followed,
    /// It stands for itself.
    NotFollowed,
}

/// A name that is there, or that the tree below may have.
#[derive(Debug)]
pub struct NodeRef<'t, C> {
    tree: &'t Tree<C>,
    id: NodeId,
}

impl<C> Clone for NodeRef<'_, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C> Copy for NodeRef<'_, C> {}

impl<'t, C> NodeRef<'t, C> {
    /// Its number.
    #[must_use]
    pub fn id(self) -> NodeId {
        self.id
    }

    /// The layer that last said what it is, counted from 1; 0 for none.
    #[must_use]
    pub fn layer(self) -> u32 {
        self.tree.node(self.id).own_layer
    }

    /// Whether it is a directory.
    #[must_use]
    pub fn is_directory(self) -> bool {
        self.tree.node(self.id).own.is_directory()
    }

    /// The number of its inode; none if it is a directory that no layer describes.
    #[must_use]
    pub fn inode_id(self) -> Option<InodeId> {
        self.tree.node(self.id).own.inode()
    }

    /// Its inode; none if it is a directory that no layer describes.
    #[must_use]
    pub fn inode(self) -> Option<&'t Inode<C>> {
        self.inode_id().map(|id| self.tree.inode(id))
    }

    /// What it is.
    #[must_use]
    pub fn kind(self) -> &'t Kind {
        self.inode().map_or(&Kind::Directory, |inode| &inode.kind)
    }

    /// What is in it, in the order of names.
    pub fn children(self) -> impl Iterator<Item = (&'t [u8], Self)> {
        let children = self.tree.node(self.id).children.iter();
        children
            .map(move |(name, &id)| (&**name, self.at(id)))
            .filter(|(_, child)| child.is_there())
    }

    /// What is in it under this name.
    #[must_use]
    pub fn child(self, name: &[u8]) -> Option<Self> {
        self.tree.known(self.id, name).map(|id| self.at(id)).filter(|child| child.is_there())
    }

    fn at(self, id: NodeId) -> Self {
        Self { tree: self.tree, id }
    }

    fn is_there(self) -> bool {
        !matches!(self.tree.node(self.id).own, Own::Deleted | Own::Waiting)
    }
}

impl<C> Tree<C> {
    /// The root directory.
    #[must_use]
    pub fn root(&self) -> NodeRef<'_, C> {
        self.at(NodeId::ROOT)
    }

    /// The node of this number.
    #[must_use]
    pub fn at(&self, id: NodeId) -> NodeRef<'_, C> {
        NodeRef { tree: self, id }
    }

    /// What these names lead to, links not followed.
    pub fn get<N: AsRef<[u8]>>(&self, names: &[N]) -> Option<NodeRef<'_, C>> {
        names.iter().try_fold(self.root(), |node, name| node.child(name.as_ref()))
    }

    /// The names that `path` stands for once links are followed, as chroot(2) would see
    /// it. What is not there stands for itself.
    ///
    /// # Errors
    /// A loop, a path that is too long, or that leads through a file.
    pub fn resolve(&self, path: &[u8], last: Last) -> Result<Vec<Vec<u8>>, ResolveError> {
        self.resolve_below(&[], path, last)
    }

    /// As [`Tree::resolve`], with the directory at the names `top` as the root, which
    /// neither `..` nor a link leads out of. The names begin with those of `top`.
    ///
    /// # Errors
    /// As [`Tree::resolve`].
    pub fn resolve_below(
        &self,
        top: &[Vec<u8>],
        path: &[u8],
        last: Last,
    ) -> Result<Vec<Vec<u8>>, ResolveError> {
        // Some room for what a working directory and a destination make together.
        if path.len() > 2 * MAX_PATH_LEN_BYTES {
            return Err(ResolveError::TooLong);
        }
        let mut ahead = Ahead::along(path);
        let mut here: Vec<Vec<u8>> = top.to_vec();
        // The nodes on the way: `top`, then one for each name in `here`.
        let mut nodes = vec![self.get(top)];
        while let Some(name) = ahead.pop() {
            if name == b".." {
                if here.len() > top.len() {
                    here.pop();
                    nodes.pop();
                }
                continue;
            }
            let node = nodes.last().copied().flatten().and_then(|parent| parent.child(&name));
            match node.map(NodeRef::kind) {
                Some(Kind::Symlink { target }) if last == Last::Followed || !ahead.is_empty() => {
                    if target.len() > MAX_PATH_LEN_BYTES {
                        return Err(ResolveError::TooLong);
                    }
                    let followed = ahead.follow(target);
                    if followed.map_err(|_| ResolveError::Loop(path.to_vec()))? {
                        here.truncate(top.len());
                        nodes.truncate(1);
                    }
                    continue;
                }
                None | Some(Kind::Directory) => {}
                Some(_) if ahead.is_empty() => {}
                Some(_) => {
                    here.push(name);
                    return Err(ResolveError::NotADirectory(here.join(&b'/')));
                }
            }
            here.push(name);
            nodes.push(node);
        }
        Ok(here)
    }
}

#[cfg(test)]
mod tests {
    use super::{Last, ResolveError};
    use crate::layer::tree::{Below, Tree};
    use crate::tar::Kind;
    use crate::tar::testing::entry;

    #[test]
    fn links_are_followed_and_never_lead_out() {
        let mut tree = Tree::new(Below::Nothing);
        let mut layer = tree.begin();
        layer.apply(&entry("usr/lib", Kind::Directory), ()).unwrap();
        layer.apply(&entry("file", Kind::File), ()).unwrap();
        for (path, target) in [
            ("lib", "usr/lib"),
            ("usr/lib/up", "../../../../etc"),
            ("abs", "/usr"),
            ("loop", "loop"),
        ] {
            layer.apply(&entry(path, Kind::Symlink { target: target.into() }), ()).unwrap();
        }
        layer.end().unwrap();
        let resolve =
            |path: &str, last| tree.resolve(path.as_bytes(), last).map(|names| names.join(&b'/'));
        assert_eq!(resolve("/lib/x", Last::Followed).unwrap(), b"usr/lib/x");
        assert_eq!(resolve("lib", Last::NotFollowed).unwrap(), b"lib");
        assert_eq!(resolve("lib/up/passwd", Last::Followed).unwrap(), b"etc/passwd");
        assert_eq!(resolve("abs/lib/../x/", Last::Followed).unwrap(), b"usr/x");
        assert_eq!(resolve("../../x", Last::Followed).unwrap(), b"x");
        assert_eq!(resolve("none/../lib/x", Last::Followed).unwrap(), b"usr/lib/x");
        assert!(matches!(resolve("loop/x", Last::Followed), Err(ResolveError::Loop(_))));
        assert!(matches!(resolve("file/x", Last::Followed), Err(ResolveError::NotADirectory(_))));
        assert!(matches!(resolve(&"a/".repeat(5000), Last::Followed), Err(ResolveError::TooLong)));
    }
}
