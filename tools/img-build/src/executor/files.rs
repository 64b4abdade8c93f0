//! COPY, ADD and WORKDIR: from trees to a layer, without a container.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use common::cli::message;
use common::compression::MaxSize;
use common::containerfile::{Transfer, history, path};
use common::time::{self, Timestamp};

use super::chmod::Chmod;
use super::transfer::{Copying, Found, Rules, find};
use super::{owner, unpack};
use crate::build::Builder;
use crate::cache::{Outcome, Record};
use crate::context::Patterns;
use crate::error::Error;
use crate::glob::has_wildcards;
use crate::state::State;
use crate::tree::{
    Attributes, File, Item, Last, Names, Node, Planned, Tree, components, file_of, planned,
    write_layer,
};

/// COPY or ADD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Copy,
    Add,
}

impl Verb {
    fn keyword(self) -> &'static str {
        match self {
            Self::Copy => "COPY",
            Self::Add => "ADD",
        }
    }
}

impl Builder {
    /// COPY or ADD, expanded.
    pub(crate) fn transfer(
        &mut self,
        state: &mut State,
        verb: Verb,
        transfer: &Transfer,
        index: usize,
    ) -> Result<(), Error> {
        refuse(verb, transfer)?;
        let source = match &transfer.from {
            Some(from) => self.tree_of(from, index)?,
            None => self.context.tree()?,
        };
        let place = match &transfer.from {
            Some(from) => format!("'{from}'"),
            None => self.context.label().to_owned(),
        };
        let mut tree = state.lend_tree(self.reading())?;
        let target = Arc::make_mut(&mut tree);
        let owner = transfer.chown.as_deref().map(|owner| owner::resolve(owner, target));
        let rules = Rules {
            owner: owner.transpose()?,
            chmod: transfer.chmod.as_deref().map(Chmod::parse).transpose()?,
            excludes: Patterns::list(&transfer.excludes)?,
            now: self.now,
        };
        let mut changed = BTreeSet::new();
        let mut copying = Copying::new(target, &mut changed, &rules);
        let destination = destination(&state.image.config.working_dir, &transfer.destination);
        for text in &transfer.sources {
            let found = find(&source, text, transfer.parents)?;
            if found.is_empty() && !has_wildcards(text.as_bytes()) {
                return Err(Error::NotFound { path: text.clone(), place });
            }
            if found.is_empty() {
                message::warning(format!("{} {text}: nothing in {place} matches", verb.keyword()));
            }
            for one in found {
                let unpacks = transfer.unpack.unwrap_or(verb == Verb::Add);
                let max_size = self.max_size;
                if !(unpacks && add_archive(&mut copying, &source, &one, &destination, max_size)?) {
                    copying.copy(&source, &one, &destination)?;
                }
            }
        }
        for heredoc in &transfer.heredocs {
            let (given, found) = inline(&heredoc.name, &heredoc.body, self.now)?;
            copying.copy(&given, &found, &destination)?;
        }
        let created_by = history::of_transfer(verb.keyword(), transfer);
        self.commit_files(state, tree, &changed, created_by)
    }

    /// WORKDIR: makes the directory, its owner being the stage's user.
    pub(crate) fn workdir(&mut self, state: &mut State, created_by: String) -> Result<(), Error> {
        let mut tree = state.lend_tree(self.reading())?;
        let target = Arc::make_mut(&mut tree);
        let names = target.resolve(state.image.config.working_dir.as_bytes(), Last::Followed)?;
        let mut attributes = Attributes::implied(self.now);
        if !target.get(&names).is_some_and(Node::is_directory)
            && !state.image.config.user.is_empty()
        {
            (attributes.uid, attributes.gid) = owner::resolve(&state.image.config.user, target)?;
        }
        let changed = target.make_directories(&names, &attributes)?.into_iter().collect();
        self.commit_files(state, tree, &changed, created_by)
    }

    /// Makes a layer of what changed in a stage's tree, or finds it in the cache.
    fn commit_files(
        &mut self,
        state: &mut State,
        tree: Arc<Tree>,
        changed: &BTreeSet<Names>,
        created_by: String,
    ) -> Result<(), Error> {
        let epoch = time::source_date_epoch()?;
        let planned = planned(&tree, changed, epoch)?;
        if !planned.is_empty() {
            let entries =
                planned.iter().map(Planned::fingerprint).collect::<Result<Vec<_>, _>>()?;
            let record = Record::new(serde_json::json!({
                "operation": "files",
                "entries": entries,
                "epoch": epoch.map(|epoch| epoch.seconds),
            }));
            let outcome = self.cached(&record, |builder| builder.write(&planned))?;
            state.return_tree(tree);
            let layer = outcome.layer().map(|layer| (layer, outcome.created.clone()));
            state.record(created_by, layer);
        } else {
            state.return_tree(tree);
            self.progress("nothing to change");
            state.record(created_by, None);
        }
        Ok(())
    }

    fn write(&self, planned: &[Planned<'_>]) -> Result<Outcome, Error> {
        let mut writer = self.store.writer()?;
        write_layer(planned, &mut writer)?;
        let (digest, len_bytes) = writer.commit_layer()?;
        Ok(Outcome::of_layer(self.now.to_string(), digest, len_bytes))
    }
}

/// What needs the network, or means something only there.
fn refuse(verb: Verb, transfer: &Transfer) -> Result<(), Error> {
    let remote = ["http://", "https://", "git://", "git@", "ssh://"];
    if let Some(url) = transfer
        .sources
        .iter()
        .find(|source| remote.iter().any(|scheme| source.starts_with(scheme)))
    {
        return Err(match verb {
            Verb::Copy => Error::Other(format!("'{url}': COPY takes no URL")),
            Verb::Add => Error::Unsupported(format!("'{url}': a remote source")),
        });
    }
    for (flag, is_given) in [
        ("--checksum", transfer.checksum.is_some()),
        ("--keep-git-dir", transfer.keep_git_dir.is_some()),
    ] {
        if is_given {
            return Err(Error::Other(format!(
                "{flag} is for remote sources, which are not supported"
            )));
        }
    }
    Ok(())
}

/// Unpacks what was found if it is an archive; tells whether it was.
fn add_archive(
    copying: &mut Copying<'_>,
    source: &Tree,
    found: &Found,
    destination: &[u8],
    max_size: MaxSize,
) -> Result<bool, Error> {
    let Some(file) = source.get(&found.names).and_then(file_of) else { return Ok(false) };
    let failed = |source: io::Error| Error::Read { path: found.base.clone(), source };
    let Some(scanned) = unpack::open(file, max_size).map_err(failed)? else { return Ok(false) };
    copying.unpack(scanned, destination)?;
    Ok(true)
}

/// The destination as an absolute path; a slash at the end is kept, it means
/// something.
fn destination(working_dir: &str, destination: &str) -> Vec<u8> {
    let is_directory = matches!(destination, "" | "." | "..")
        || ["/", "/.", "/.."].iter().any(|end| destination.ends_with(end));
    let mut path = path::join(working_dir, destination).into_bytes();
    if is_directory && !path.ends_with(b"/") {
        path.push(b'/');
    }
    path
}

/// A tree of one file, and the way to find it there.
fn inline(name: &str, body: &str, mtime: Timestamp) -> Result<(Tree, Found), Error> {
    let mut tree = Tree::new();
    let attributes = Attributes { mode: 0o644, ..Attributes::implied(mtime) };
    let file = File::of_bytes(body.as_bytes());
    let names: Names = components(name.as_bytes()).collect();
    let [_] = names.as_slice() else {
        return Err(Error::Other(format!("'{name}' is not a file name")));
    };
    tree.put(&names, Item::file(attributes, file));
    Ok((tree, Found::exactly(names)))
}
