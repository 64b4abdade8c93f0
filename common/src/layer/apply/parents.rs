//! The directory that an entry belongs to: links among its parents resolved, what
//! is missing made.

use super::engine::Engine;
use super::error::{Problem, Tried as _};
use super::lower;
use crate::root::{self, Ahead, DirId, Walk};

/// What is done where the parents of an entry are not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parents {
    /// They are made, and what is in their way is removed.
    Make,
    /// They are copied up if the layers below have them; otherwise there is nothing.
    Find,
}

impl Engine<'_> {
    /// The directory that `components` lead to, which the layer thereby has: it is
    /// made where it is not there, and what is in its way is removed.
    pub(super) fn directory_of(&mut self, components: &[&[u8]]) -> Result<DirId, Problem> {
        let at = match self.walk(components, Parents::Make)? {
            Walk::Found(id) => id,
            Walk::Missing { at, .. } | Walk::Blocked { at, .. } => at,
        };
        self.touch(at);
        Ok(at)
    }

    /// The directory that `components` lead to, or where it ends that they do.
    pub(super) fn find_directory(&mut self, components: &[&[u8]]) -> Result<Walk, Problem> {
        self.walk(components, Parents::Find)
    }

    /// Goes where `components` lead, links resolved.
    fn walk(&mut self, components: &[&[u8]], parents: Parents) -> Result<Walk, Problem> {
        let key = root::join(components);
        if let Some((last, id)) = &self.last_parent {
            if *last == key {
                return Ok(Walk::Found(*id));
            }
        }
        let mut ahead = Ahead::of(components);
        let mut at = DirId::ROOT;
        let found = loop {
            match self.tree.walk(at, &mut ahead).tried("open its directory")? {
                Walk::Found(id) => break id,
                Walk::Missing { at: above, name } => {
                    let below = self.look_below(above, &name)?;
                    if let Some(lower::Found::Link(_, target)) = &below {
                        at = root::follow(above, target, &mut ahead).tried("open its directory")?;
                        continue;
                    }
                    let is_lower = matches!(below, Some(lower::Found::Directory(_)));
                    if parents == Parents::Find && !is_lower {
                        return Ok(Walk::Missing { at: above, name });
                    }
                    if !is_lower && ahead.climbs() {
                        return Err(Problem::ClimbsFromNowhere);
                    }
                    at = self.make_parent(above, &name, below)?;
                }
                // What is no directory has nothing below it to link to.
                blocked @ Walk::Blocked { .. } if parents == Parents::Find => return Ok(blocked),
                Walk::Blocked { at: above, name } => {
                    if ahead.climbs() {
                        return Err(Problem::ClimbsFromNowhere);
                    }
                    at = self.make_parent(above, &name, None)?;
                }
            }
        };
        self.last_parent = Some((key, found));
        Ok(Walk::Found(found))
    }
}
