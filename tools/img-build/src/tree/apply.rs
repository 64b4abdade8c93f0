//! A layer applied to a tree, by the rules of layer.md, contents left alone.

use std::sync::Arc;

use common::layer::whiteout::{self, Basename};
use common::root::split;
use common::tar;
use common::time::Timestamp;

use crate::error::Error;

use super::{
    Archive, Attributes, Content, File, Kind, Last, Member, Names, Node, Tree, check_depth,
    components,
};

impl Tree {
    /// Applies the members of a layer. Whiteouts go first: they hide what lies below
    /// the layer, in whatever order they come.
    ///
    /// # Errors
    /// A name that climbs, or that no file system can hold.
    pub(crate) fn apply(
        &mut self,
        members: &[Member],
        archive: &Arc<Archive>,
    ) -> Result<(), Error> {
        for member in members {
            let path = &member.entry.path;
            split(path).map_err(|source| Error::InvalidPath { path: path.clone(), source })?;
            self.hide(path);
        }
        for member in members {
            self.add(member, archive)?;
        }
        Ok(())
    }

    fn hide(&mut self, path: &[u8]) {
        let mut names: Names = components(path).collect();
        let Some(last) = names.pop() else { return };
        let hidden = match whiteout::classify(&last) {
            Basename::Whiteout(hidden) => Some(hidden.to_vec()),
            Basename::Opaque => None,
            _ => return,
        };
        let parent = self.resolve(&super::join(&names), Last::Followed);
        let Some(children) =
            parent.ok().and_then(|names| self.get_mut(&names)).and_then(Node::children_mut)
        else {
            return;
        };
        match hidden {
            Some(name) => drop(children.remove(&name)),
            None => children.clear(),
        }
    }

    fn add(&mut self, member: &Member, archive: &Arc<Archive>) -> Result<(), Error> {
        let entry = &member.entry;
        let attributes = Attributes::of(entry);
        let mut names: Names = components(&entry.path).collect();
        let Some(last) = names.pop() else {
            self.root.attributes = attributes;
            return Ok(());
        };
        if whiteout::classify(&last) != Basename::Plain {
            return Ok(());
        }
        let mut at = self.parent(&names)?;
        at.push(last);
        let kind = match &entry.kind {
            tar::Kind::Directory => {
                if let Some(existing) = self.get_mut(&at).filter(|node| node.is_directory()) {
                    existing.attributes = attributes;
                    return Ok(());
                }
                Kind::Directory(std::collections::BTreeMap::new())
            }
            tar::Kind::File => Kind::File(File {
                len_bytes: entry.len_bytes,
                content: Content::Member {
                    archive: Arc::clone(archive),
                    position: member.position,
                },
                group: None,
                digest: Arc::new(member.digest.clone().map(Into::into).unwrap_or_default()),
            }),
            tar::Kind::Symlink { target } => Kind::Symlink(target.clone()),
            tar::Kind::CharDevice { major, minor } => {
                Kind::CharDevice { major: *major, minor: *minor }
            }
            tar::Kind::BlockDevice { major, minor } => {
                Kind::BlockDevice { major: *major, minor: *minor }
            }
            tar::Kind::Fifo => Kind::Fifo,
            tar::Kind::HardLink { target } => {
                if let Some(node) = self.linked(target) {
                    self.put(&at, node);
                }
                return Ok(());
            }
        };
        self.put(&at, Node { attributes, kind });
        Ok(())
    }

    /// The directory that a path below it goes into: links are followed, and what is
    /// missing or in the way is replaced by a directory.
    pub(crate) fn parent(&mut self, names: &[Vec<u8>]) -> Result<Names, Error> {
        if let Ok(real) = self.resolve(&super::join(names), Last::Followed) {
            self.make_directories(&real, &Attributes::implied(Timestamp::EPOCH))?;
            return Ok(real);
        }
        // Something is in the way: name by name.
        let mut real = Names::new();
        for name in names {
            real.push(name.clone());
            real = self.resolve(&super::join(&real), Last::Followed)?;
            check_depth(&real)?;
            if !self.get(&real).is_some_and(Node::is_directory) {
                let directory = Node::directory(Attributes::implied(Timestamp::EPOCH));
                self.put(&real, directory);
            }
        }
        Ok(real)
    }

    /// The file that a hard link names again, now one of a group.
    fn linked(&mut self, target: &[u8]) -> Option<Node> {
        let names = self.resolve(target, Last::NotFollowed).ok()?;
        let group = self.next_group + 1;
        let node = self.get_mut(&names)?;
        match &mut node.kind {
            Kind::Directory(_) => return None,
            Kind::File(file) => {
                file.group.get_or_insert(group);
            }
            _ => {}
        }
        let node = node.clone();
        self.next_group = group;
        Some(node)
    }
}
