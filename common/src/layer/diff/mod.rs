//! The changeset between two trees (image-spec layer.md, "Determining Changes"),
//! or that an overlay's upper directory holds.
//!
//! Both are one comparison: an upper directory on its lower ones is a tree, read
//! without mounting it (`stack`). The comparison has two halves. The walk
//! compares metadata, and content where they cannot decide, and makes a plan; the
//! plan is then told to a [`Sink`] in layer order. All that is wrong with a tree
//! and can be seen from its metadata is so reported before the first byte of a
//! layer.
//!
//! What is told is chosen so that applying the layer to the lower tree gives the
//! upper one: bytes, types, modes, owners, times, attributes and hard-link groups.
//! No file is left out silently: what cannot be read is an error, what a layer
//! cannot hold is an error or in the [`Summary`].
//!
//! Writing the archive is [`crate::tar`]'s part, compressing it
//! [`crate::compression`]'s.

mod change;
mod compare;
mod content;
mod contents;
mod emit;
mod error;
mod links;
mod models;
mod node;
mod options;
mod owner;
mod piped;
mod plan;
mod pool;
mod record;
pub(super) mod rootless;
mod route;
mod scan;
mod stack;
mod times;
mod walk;
mod writer;
mod xattrs;

use std::path::Path;
use std::sync::Arc;

pub use change::{Change, ChangeKind, Content, Differences, PassedOver, Reason, Sink, Summary};
pub use error::{Error, SinkError};
pub use models::{Contents, models};
pub use options::{ContentPolicy, Mounts, Options, OverlayRoot, Parents, Precision, Sockets};
pub use owner::{IdMap, IdRange, Owner};
pub use piped::PipedLayer;
pub use writer::LayerWriter;
pub use xattrs::XattrRules;

use plan::Plan;
use stack::Stack;
use walk::{Lower, Same};

/// Tells `sink` what turns the tree at `lower` into the tree at `upper`, in layer
/// order; without a lower tree, everything is added.
///
/// The root directory itself is part of the comparison.
///
/// # Errors
/// Whatever cannot be read, or cannot be in a layer; what the sink says.
pub fn trees(
    lower: Option<&Path>,
    upper: &Path,
    options: &Options,
    sink: &mut dyn Sink,
) -> Result<Summary, Error> {
    let upper = Arc::new(Stack::plain(upper)?);
    let lower = match lower {
        Some(lower) => Lower::Known(Arc::new(Stack::plain(lower)?)),
        None => Lower::Empty,
    };
    let plan = plan(&lower, &upper, options)?;
    tell(plan, &upper, options, sink)
}

/// Tells `sink` what the upper directory of an overlay mount changes, in layer
/// order. `lowers` are the mount's lower directories, base first.
///
/// Without them, what the upper directory says can only be repeated: a deletion of
/// a name that may not be there, an opaque directory, a file that may be as it was.
/// With them the result is the comparison of what the mounts with and without it
/// show.
///
/// The root directory is part of it only if the options say so: the upper directory's
/// own owner and mode may be those of whoever made it.
///
/// # Errors
/// Whatever cannot be read, or cannot be in a layer; a renamed directory or a
/// metadata-only copy where `lowers` are not given, and files that the mount shows
/// under names that `upper` has not where its work directory is not; what the sink
/// says.
pub fn overlay(
    upper: &Path,
    lowers: &[&Path],
    options: &Options,
    sink: &mut dyn Sink,
) -> Result<Summary, Error> {
    let prefixes = options.overlay_xattrs;
    let below = || lowers.iter().rev().copied();
    let mut merged = Stack::overlay(std::iter::once(upper).chain(below()), prefixes)?;
    if let Some(work) = &options.overlay_work {
        merged = merged.with_work(work)?;
    }
    let merged = Arc::new(merged);
    let lower = if lowers.is_empty() {
        Lower::Unknown
    } else {
        Lower::Known(Arc::new(Stack::overlay(below(), prefixes)?))
    };
    let mut plan = plan(&lower, &merged, options)?;
    match options.overlay_root {
        OverlayRoot::Recorded if lowers.is_empty() => plan.mark(Plan::ROOT),
        OverlayRoot::Recorded => {}
        OverlayRoot::PassedOver => {
            if plan.leave_out_root() {
                let path = merged.label(0, b"");
                plan.passed_over.push(PassedOver { path, reason: Reason::OverlayRoot });
            }
        }
    }
    tell(plan, &merged, options, sink)
}

fn plan(lower: &Lower, upper: &Arc<Stack>, options: &Options) -> Result<Plan, Error> {
    let keeps_links = upper.keeps_links()?;
    let may_hide = keeps_links && !upper.knows_links();
    if may_hide && matches!(lower, Lower::Unknown) {
        return Err(Error::HiddenNames { path: upper.label(0, b"") });
    }
    let same = if keeps_links { Same::Walked } else { Same::Skipped };
    let mut walked = walk::walk(lower, upper, options, same)?;
    if walked.skipped && walked.links.are_incomplete() {
        // Rare: a group of hard links has names where both trees are the same.
        walked = walk::walk(lower, upper, options, Same::Walked)?;
    }
    let mut plan = walked.plan;
    let torn = if may_hide { walked.links.torn() } else { None };
    if let Some(item) = walked.links.hidden().or(torn) {
        return Err(Error::HiddenNames { path: upper.label(0, &plan.path(item)) });
    }
    walked.links.resolve(&mut plan);
    plan.choose_parents(options.parents);
    Ok(plan)
}

fn tell(
    plan: Plan,
    upper: &Stack,
    options: &Options,
    sink: &mut dyn Sink,
) -> Result<Summary, Error> {
    let summary = emit::emit(&plan, upper, options, sink)?;
    Ok(Summary { passed_over: plan.passed_over, ..summary })
}
