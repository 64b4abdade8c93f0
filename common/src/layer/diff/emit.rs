//! Tells the sink what the plan holds.

use super::content::FileContent;
use super::contents::{self, Contents};
use super::node;
use super::plan::{Item, Plan, State};
use super::route::Route;
use super::stack::Stack;
use super::{Change, Content, Error, Options, Sink, Summary};
use crate::layer::whiteout;
use crate::root;
use crate::tar::Entry;

/// Tells `sink` of everything in `plan`. The summary is without what was passed over.
pub(super) fn emit(
    plan: &Plan,
    upper: &Stack,
    options: &Options,
    sink: &mut dyn Sink,
) -> Result<Summary, Error> {
    let contents = Contents::new(plan, upper, sink.reads_content());
    let route = Route::default();
    let mut emitter = Emitter { plan, options, contents, route };
    let mut summary = Summary::default();
    for (id, item) in plan.items().iter().enumerate() {
        emitter.route.move_to(id, item);
        if item.told {
            emitter.tell(item, sink)?;
            summary.count(item.kind());
        }
    }
    Ok(summary)
}

struct Emitter<'a> {
    plan: &'a Plan,
    options: &'a Options,
    contents: Contents<'a>,
    route: Route,
}

impl Emitter<'_> {
    fn tell(&mut self, item: &Item, sink: &mut dyn Sink) -> Result<(), Error> {
        let path = self.route.path();
        let entry = entry(self.plan, item, path, self.options);
        let mut content = match contents::has_content(item) {
            true => self.contents.next()?,
            false => None,
        };
        let change = Change {
            kind: item.kind(),
            path,
            entry: &entry,
            differences: item.differences(),
            content: Content::of(content.as_mut()),
        };
        sink.change(change).map_err(|error| {
            let failure = content.as_mut().and_then(FileContent::take_failure);
            failure.unwrap_or_else(|| Error::of_sink(error))
        })
    }
}

/// Returns the entry that a layer records for an item at `path`.
pub(super) fn entry(plan: &Plan, item: &Item, path: &[u8], options: &Options) -> Entry {
    match &item.state {
        State::Deleted => node::whiteout_entry(beside(path, &item.name)),
        State::Opaque => node::whiteout_entry(below(path, whiteout::OPAQUE)),
        State::Present { node, .. } => {
            let link = item.link.map(|id| plan.path(id));
            let path = match path {
                b"" => b"./".to_vec(),
                path => path.to_vec(),
            };
            node.entry(path, options.clamp_mtime, link.as_deref())
        }
    }
}

/// The path of the whiteout for `name`, which is the last of `path`.
fn beside(path: &[u8], name: &[u8]) -> Vec<u8> {
    let parent = path.get(..path.len() - name.len()).unwrap_or_default();
    [parent, whiteout::PREFIX, name].concat()
}

fn below(path: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = path.to_vec();
    root::push(&mut path, name);
    path
}
