//! The way to the directory of a member: through the links of the layers, which never
//! lead out of the tree. Of the tree below it is taken that it has directories, and no
//! links, where layers walk.

use rustix::io::Errno;

use super::{NodeId, Own, Tree};
use crate::layer::apply::Problem;
use crate::layer::place;
use crate::root::{self, Ahead};
use crate::tar::Kind;

/// Where the search for a directory ended.
#[derive(Debug)]
pub(super) enum Find {
    /// At what is a directory, or is one if the tree below has any there; and its path,
    /// links resolved.
    Found(NodeId, Vec<u8>),
    /// At a directory that has no such directory.
    Missing(NodeId, Vec<u8>),
}

/// What to do about a directory that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parents {
    /// It is made, in place of whatever else is there.
    Make,
    /// The walk ends.
    Find,
}

impl<C: Clone> Tree<C> {
    /// The directory that `names` lead to, made where it is not there.
    pub(super) fn make_directory_of(&mut self, names: &[&[u8]]) -> Result<NodeId, Problem> {
        let (Find::Found(at, _) | Find::Missing(at, _)) = self.walk(names, Parents::Make)?;
        Ok(at)
    }

    /// The directory that `names` lead to, or where it ends that they do.
    pub(super) fn find_directory(&mut self, names: &[&[u8]]) -> Result<Find, Problem> {
        self.walk(names, Parents::Find)
    }

    fn walk(&mut self, names: &[&[u8]], parents: Parents) -> Result<Find, Problem> {
        let refused =
            |errno: Errno| Problem::System { action: "open its directory", source: errno.into() };
        let (mut at, mut path) = (NodeId::ROOT, Vec::new());
        let mut names = names;
        // Nearly always there are directories all the way.
        while let Some((name, rest)) = names.split_first() {
            match self.known(at, name).filter(|id| self.node(*id).own.is_directory()) {
                Some(id) => at = id,
                None => break,
            }
            root::push(&mut path, name);
            names = rest;
        }
        if names.is_empty() {
            return Ok(Find::Found(at, path));
        }
        let mut ahead = Ahead::of(names);
        while let Some(name) = ahead.pop() {
            if name == b".." {
                at = self.node(at).parent;
                path.truncate(path.iter().rposition(|&byte| byte == b'/').unwrap_or(0));
                continue;
            }
            if name.len() > root::MAX_NAME_LEN_BYTES {
                return Err(refused(Errno::NAMETOOLONG));
            }
            let known = self.known(at, &name);
            if let Some(target) = known.and_then(|id| self.link_of(id)) {
                if ahead.follow(target).map_err(refused)? {
                    at = NodeId::ROOT;
                    path.clear();
                }
                continue;
            }
            let can_be = place::check_parent(&name);
            let is_there = match known {
                Some(id) => self.node(id).own.is_directory(),
                None => can_be.is_ok() && !self.is_hidden(at),
            };
            if !is_there {
                if parents == Parents::Find {
                    return Ok(Find::Missing(at, name));
                }
                can_be?;
                if ahead.climbs() {
                    return Err(Problem::ClimbsFromNowhere);
                }
            }
            at = self.child(at, &name);
            if !is_there {
                self.put(at, Own::Made);
            }
            root::push(&mut path, &name);
        }
        Ok(Find::Found(at, path))
    }

    /// Where a symbolic link leads, if the node is one.
    pub(super) fn link_of(&self, id: NodeId) -> Option<&[u8]> {
        let Own::Inode(inode) = self.node(id).own else { return None };
        match &self.inode(inode).kind {
            Kind::Symlink { target } => Some(target),
            _ => None,
        }
    }
}
