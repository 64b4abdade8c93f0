//! Hard links: within the root, to what the layer has made, to what it is yet to
//! make, or to what a lower layer has.
//!
//! Which of the last two is meant shows only at the end of the layer, so a link to
//! anything that the layer has not made yet waits until then.

use std::collections::BTreeMap;

use rustix::fs::{AtFlags, FileType};
use rustix::io::Errno;

use super::engine::{Engine, Parents};
use super::error::{Error, Problem, Tried as _};
use crate::layer::whiteout::{self, Basename};
use crate::root::{self, DirId};
use crate::tar::Entry;

/// How often the links that wait are gone through: the longest chain of links
/// that point forward, one to the next, in the worst order.
const MAX_PASSES: usize = 40;

/// What is remembered of hard links.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// By the name they will have, of which the last entry counts.
    waiting: BTreeMap<(DirId, Vec<u8>), Waiting>,
}

/// A link whose target was not there when it came.
#[derive(Debug)]
struct Waiting {
    path: Vec<u8>,
    target: Vec<u8>,
}

/// Whose files a link may name now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Targets {
    /// Those of this layer.
    Own,
    /// All.
    All,
}

/// What came of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Made,
    TargetMissing,
}

impl Engine<'_> {
    pub(super) fn put_link(
        &mut self,
        at: DirId,
        name: &[u8],
        entry: &Entry,
        target: &[u8],
    ) -> Result<(), Problem> {
        if self.link(at, name, target, Targets::Own)? == Outcome::TargetMissing {
            // What it replaces goes now, so that an entry for this name that is yet
            // to come is seen to be the last.
            self.clear(at, name)?;
            let waiting = Waiting { path: entry.path.clone(), target: target.to_vec() };
            self.links.waiting.insert((at, name.to_vec()), waiting);
        }
        self.touch(at);
        Ok(())
    }

    /// Makes the links that waited.
    pub(super) fn finish_links(&mut self) -> Result<(), Error> {
        for _ in 0..MAX_PASSES {
            let waiting = std::mem::take(&mut self.links.waiting);
            let before = waiting.len();
            for ((at, name), link) in waiting {
                if self.tree.is_gone(at) || self.is_touched(at, &name) {
                    // A later entry took its place.
                    continue;
                }
                match self.link(at, &name, &link.target, Targets::All) {
                    Ok(Outcome::Made) => {}
                    Ok(Outcome::TargetMissing) => {
                        self.links.waiting.insert((at, name), link);
                    }
                    Err(problem) => return Err(problem.at(&link.path)),
                }
            }
            if self.links.waiting.is_empty() || self.links.waiting.len() == before {
                break;
            }
        }
        match self.links.waiting.values().next() {
            None => Ok(()),
            Some(link) => Err(Problem::LinkTargetMissing(link.target.clone()).at(&link.path)),
        }
    }

    fn link(
        &mut self,
        at: DirId,
        name: &[u8],
        target: &[u8],
        targets: Targets,
    ) -> Result<Outcome, Problem> {
        let invalid = |source| Problem::TargetPath { target: target.to_vec(), source };
        let components = root::split(target).map_err(invalid)?;
        let Some((target_name, parents)) = components.split_last() else {
            return Err(Problem::LinkToDirectory(target.to_vec()));
        };
        for component in &components {
            match whiteout::classify(component) {
                Basename::Plain => {}
                Basename::Aufs => return Err(Problem::LinkToAufs(target.to_vec())),
                _ => return Err(Problem::WhiteoutComponent(component.to_vec())),
            }
        }
        let Some(target_at) = self.parent(parents, Parents::Find)? else {
            return Ok(Outcome::TargetMissing);
        };
        if targets == Targets::Own && !self.is_touched(target_at, target_name) {
            return Ok(Outcome::TargetMissing);
        }
        let target_fd = self.tree.fd(target_at).tried("open the directory of its target")?;
        // Looked at first, since what is in the way of the link is removed only for
        // a target that will do.
        let stat = rustix::fs::statat(&target_fd, *target_name, AtFlags::SYMLINK_NOFOLLOW);
        let mut is_whiteout = self.whiteouts.contains(target_at, target_name);
        match stat {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
                return Err(Problem::LinkToDirectory(target.to_vec()));
            }
            Ok(_) => {}
            Err(Errno::NOENT) => {
                if !self.copy_up(target_at, target_name)? {
                    return Ok(Outcome::TargetMissing);
                }
                is_whiteout = false;
            }
            Err(error) => return Err(error).tried("look at its target"),
        }
        if is_whiteout {
            return Ok(Outcome::TargetMissing);
        }
        if (target_at, *target_name) == (at, name) {
            // A link to itself changes nothing.
            return Ok(Outcome::Made);
        }
        self.make(at, name, "create a hard link", |fd| {
            // No AT_SYMLINK_FOLLOW: a link may have a second name, too.
            rustix::fs::linkat(&target_fd, *target_name, fd, name, AtFlags::empty())
        })?;
        self.touched.insert(at, name);
        Ok(Outcome::Made)
    }
}
