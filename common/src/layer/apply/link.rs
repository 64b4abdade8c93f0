//! Hard links: within the root, to what the layer has made, to what it is yet to
//! make, or to what a lower layer has.
//!
//! Which of the last two is meant shows only at the end of the layer, so a link to
//! anything that the layer has not made yet waits until then.

use std::cmp::Reverse;
use std::collections::HashMap;

use rustix::fs::{AtFlags, FileType};
use rustix::io::Errno;

use super::engine::Engine;
use super::error::{Error, Problem, Tried as _};
use super::remembered::{NameIn, Waiting};
use crate::layer::place::{LinkTarget, link_target};
use crate::layer::whiteout::LINK_STORE;
use crate::root::{DirId, Walk};
use crate::tar::Entry;

/// Whose files a link may name now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Targets {
    /// Those of this layer.
    Own,
    /// All.
    All,
}

/// What came of a link.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// It is there, or left out with the device that it names.
    Made,
    /// Its target is not there, nor will be before something has this name.
    Missing(NameIn),
}

impl Engine<'_> {
    pub(super) fn put_link(
        &mut self,
        at: DirId,
        name: &[u8],
        entry: &Entry,
        target: &[u8],
    ) -> Result<(), Problem> {
        if self.link(at, name, target, Targets::Own)? != Outcome::Made {
            // What it replaces goes now, so that an entry for this name that is yet
            // to come is seen to be the last, and lower layers lack it from here on.
            self.clear(at, name)?;
            self.write_whiteout(at, name)?;
            self.links.arrived += 1;
            let order = self.links.arrived;
            let waiting = Waiting { order, path: entry.path.clone(), target: target.to_vec() };
            self.links.waiting.insert((at, name.to_vec()), waiting);
        }
        self.touch(at);
        Ok(())
    }

    /// Makes the links that waited: each is tried again only once what it lacked is
    /// there, so that a long chain of them, in whatever order, is no work.
    pub(super) fn finish_links(&mut self) -> Result<(), Error> {
        let mut ready: Vec<_> = std::mem::take(&mut self.links.waiting).into_iter().collect();
        ready.sort_unstable_by_key(|(_, link)| Reverse(link.order));
        let mut lacking: HashMap<NameIn, Vec<(NameIn, Waiting)>> = HashMap::new();
        while let Some((own, link)) = ready.pop() {
            let (at, name) = &own;
            // Where a later entry took its place, there is nothing left to do.
            if self.tree.is_gone(*at)
                || self.is_touched(*at, name).map_err(|problem| problem.at(&link.path))?
            {
                continue;
            }
            match self.link(*at, name, &link.target, Targets::All) {
                Ok(Outcome::Made) => ready.extend(lacking.remove(&own).unwrap_or_default()),
                Ok(Outcome::Missing(lacks)) => lacking.entry(lacks).or_default().push((own, link)),
                Err(problem) => return Err(problem.at(&link.path)),
            }
        }
        match lacking.into_values().flatten().min_by_key(|(_, link)| link.order) {
            None => Ok(()),
            Some((_, link)) => Err(Problem::LinkTargetMissing(link.target).at(&link.path)),
        }
    }

    fn link(
        &mut self,
        at: DirId,
        name: &[u8],
        target: &[u8],
        targets: Targets,
    ) -> Result<Outcome, Problem> {
        let (target_at, target_name) = match link_target(target)? {
            LinkTarget::Path(parents, name) => match self.find_directory(&parents)? {
                Walk::Found(id) => (id, name),
                Walk::Missing { at, name } | Walk::Blocked { at, name } => {
                    return Ok(Outcome::Missing((at, name)));
                }
            },
            LinkTarget::Store(name) => match &self.link_store {
                Some(store) => (store.id, name),
                None => return Ok(Outcome::Missing((DirId::ROOT, LINK_STORE.to_vec()))),
            },
        };
        let missing = || Ok(Outcome::Missing((target_at, target_name.to_vec())));
        let target_fd = self.tree.fd(target_at).tried("open the directory of its target")?;
        // Looked at first, since what is in the way of the link is removed only for
        // a target that will do.
        let stat = rustix::fs::statat(&target_fd, target_name, AtFlags::SYMLINK_NOFOLLOW);
        if stat.is_err() || !self.is_own(target_at, target_name) {
            if self.left_out.contains(target_at, target_name) {
                self.leave_out(at, name)?;
                return Ok(Outcome::Made);
            }
            if targets == Targets::Own {
                return missing();
            }
        }
        let mut is_whiteout = self.whiteouts.contains(target_at, target_name);
        match stat {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
                return Err(Problem::LinkToDirectory(target.to_vec()));
            }
            Ok(_) => {}
            Err(Errno::NOENT) => {
                if !self.copy_up(target_at, target_name, target)? {
                    return missing();
                }
                is_whiteout = false;
            }
            Err(error) => return Err(error).tried("look at its target"),
        }
        if is_whiteout {
            return missing();
        }
        if (target_at, target_name) == (at, name) {
            // A link to itself changes nothing.
            return Ok(Outcome::Made);
        }
        if self.tree.child(at, name).is_some_and(|id| self.tree.is_within(target_at, id)) {
            // Its target would go with what is in its way.
            return Err(Problem::LinkTargetMissing(target.to_vec()));
        }
        self.make(at, name, "create a hard link", |fd| {
            // No AT_SYMLINK_FOLLOW: a link may have a second name, too.
            rustix::fs::linkat(&target_fd, target_name, fd, name, AtFlags::empty())
        })?;
        self.made(at, name);
        Ok(Outcome::Made)
    }
}
