//! One directory of both trees: its names in layer order, and what each is in either.
//! Nothing is decided here, so that directories can be read before the walk comes to
//! them, on all processors.

use std::sync::Arc;

use rustix::fs::FileType;

use super::Error;
use super::pool::Work;
use super::stack::{Found, Lookup, Name, PartId, Stack};
use super::walk::Same;
use crate::glob::Pattern;
use crate::layer::inode;
use crate::root;

/// The trees, and what of them is looked at.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) upper: Arc<Stack>,
    /// The tree that it is compared with, if there is one.
    pub(super) lower: Option<Arc<Stack>>,
    pub(super) exclude: Vec<Pattern>,
    pub(super) same: Same,
}

/// A directory that is to be read.
#[derive(Debug)]
pub(super) struct Scan {
    scope: Arc<Scope>,
    path: Vec<u8>,
    upper: Vec<PartId>,
    lower: Option<Vec<PartId>>,
}

/// What was found in a directory.
#[derive(Debug)]
pub(super) struct Scanned {
    /// The names; after one that cannot be looked up there is no other.
    pub(super) names: Vec<Result<Both, Error>>,
    /// Whether any were left out as the same in both trees.
    pub(super) skipped: bool,
}

/// A name in both trees.
#[derive(Debug)]
pub(super) struct Both {
    pub(super) name: Vec<u8>,
    pub(super) upper: Lookup,
    pub(super) lower: Option<Found>,
}

impl Scan {
    /// The directory `upper` at `path`, and `lower` if that is one too.
    pub(super) fn new(
        scope: &Arc<Scope>,
        path: &[u8],
        upper: &Found,
        lower: Option<&Found>,
    ) -> Self {
        let lower = lower.filter(|lower| lower.inode.kind == FileType::Directory);
        Self {
            scope: Arc::clone(scope),
            path: path.to_vec(),
            upper: upper.parts().to_vec(),
            lower: lower.map(|lower| lower.parts().to_vec()),
        }
    }

    /// Reads it.
    ///
    /// # Errors
    /// A directory that cannot be opened or listed.
    pub(super) fn read(self) -> Result<Scanned, Error> {
        let Self { scope, mut path, upper, lower } = self;
        let lower = match (&scope.lower, lower) {
            (Some(stack), Some(parts)) => Some((stack, stack.open(&parts, &path)?)),
            _ => None,
        };
        let directory = scope.upper.open(&upper, &path)?;
        let upper_names = scope.upper.names(&directory, &path)?;
        let lower_names = match &lower {
            Some((stack, directory)) => stack.names(directory, &path)?,
            None => Vec::new(),
        };
        // From this part on, both trees have the same directories.
        let shared = match (scope.same, &lower) {
            (Same::Skipped, Some((_, lower))) => directory.above(lower),
            _ => None,
        };
        let mut names = Vec::with_capacity(upper_names.len());
        let mut skipped = false;
        let path_len = path.len();
        for (name, upper_part, lower_part) in merge(upper_names, lower_names) {
            if upper_part.zip(shared).is_some_and(|(part, shared)| part >= shared) {
                skipped = true;
                continue;
            }
            path.truncate(path_len);
            root::push(&mut path, &name);
            if scope.exclude.iter().any(|pattern| pattern.matches(&path)) {
                continue;
            }
            let look_up = || {
                let in_upper = match upper_part {
                    Some(part) => scope.upper.lookup(&directory, &name, part, &path)?,
                    None => Lookup::Absent,
                };
                let in_lower = match (&lower, lower_part) {
                    (Some((stack, directory)), Some(part)) => {
                        stack.lookup(directory, &name, part, &path)?.found()
                    }
                    _ => None,
                };
                Ok((in_upper, in_lower))
            };
            let looked_up = look_up();
            let is_last = looked_up.is_err();
            names.push(looked_up.map(|(mut upper, mut lower)| {
                read_attributes(&mut upper, lower.as_mut());
                Both { name, upper, lower }
            }));
            if is_last {
                break;
            }
        }
        Ok(Scanned { names, skipped })
    }
}

impl Work for Box<Scan> {
    type Result = Result<Scanned, Error>;
    type Scratch = ();

    fn run(self, (): &mut ()) -> Self::Result {
        self.read()
    }
}

/// Reads what will be asked for next, if it will be. What cannot be read is asked for
/// again, by whoever can tell of it.
fn read_attributes(upper: &mut Lookup, lower: Option<&mut Found>) {
    let Lookup::Found(upper) = upper else { return };
    let is_same = lower.as_ref().is_some_and(|lower| upper.is_same(lower));
    let is_left_out = is_same && upper.inode.links == 1;
    if upper.inode.kind == FileType::Socket || is_left_out {
        return;
    }
    for found in [Some(upper), lower.filter(|_| !is_same)].into_iter().flatten() {
        let (at, name) = (found.place.directory(), found.place.name());
        if found.xattrs.is_none() {
            found.xattrs = inode::xattrs(at, name).ok();
        }
        if found.inode.kind == FileType::Symlink {
            found.target = inode::link_target(at, name).ok();
        }
    }
}

/// All names of both, sorted, each with its part in either.
fn merge(
    upper: Vec<Name>,
    lower: Vec<Name>,
) -> impl Iterator<Item = (Vec<u8>, Option<usize>, Option<usize>)> {
    let mut upper = upper.into_iter().peekable();
    let mut lower = lower.into_iter().peekable();
    std::iter::from_fn(move || {
        let order = match (upper.peek(), lower.peek()) {
            (Some(one), Some(other)) => one.name.cmp(&other.name),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (None, None) => return None,
        };
        let one = if order.is_le() { upper.next() } else { None };
        let other = if order.is_ge() { lower.next() } else { None };
        let parts = (one.as_ref().map(|one| one.part), other.as_ref().map(|other| other.part));
        let name = one.or(other)?.name;
        Some((name, parts.0, parts.1))
    })
}
