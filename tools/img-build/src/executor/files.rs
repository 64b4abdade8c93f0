//! COPY, ADD and WORKDIR: from trees to a layer, without a container.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use common::compression::MaxSize;
use common::containerfile::path;
use common::glob::has_wildcards;
use common::message;
use common::time::Timestamp;

use super::progress::Progress;
use super::{At, Made, Run};
use crate::cache::{Outcome, Record};
use crate::context::Patterns;
use crate::error::Error;
use crate::git::is_git;
use crate::graph::{TransferWork, Verb, is_remote};
use crate::step::transfer::{Copying, Found, Rules, find};
use crate::step::{owner, unpack};
use crate::tree::{
    Attributes, File, Item, Last, Names, Node, Planned, Tree, components, file_of, fingerprints,
    planned, write_layer,
};

impl Run<'_> {
    /// COPY or ADD.
    pub(super) fn transfer(
        &self,
        progress: &mut Progress,
        at: &At<'_>,
        work: &TransferWork,
    ) -> Result<Option<Outcome>, Error> {
        let TransferWork { verb, transfer, .. } = work;
        let (now, max_size) = (self.executor.clock.now, self.executor.place.max_size);
        let mut source = None;
        let place = self.place_of(work.source, transfer.from.as_deref());
        let mut tree = progress.lend_tree(self.executor.place.reading())?;
        let target = Arc::make_mut(&mut tree);
        let owner = transfer.chown.as_deref().map(|owner| owner::resolve(owner, target));
        let rules = Rules {
            owner: owner.transpose()?,
            chmod: work.chmod.clone(),
            excludes: Patterns::list(&transfer.excludes)?,
            now,
        };
        let mut changed = BTreeSet::new();
        // They are read when the layer is written.
        let mut remotes = Vec::new();
        let mut copying = Copying::new(target, &mut changed, &rules);
        let destination = destination(&work.directory, &transfer.destination);
        for text in &transfer.sources {
            if is_remote(text) {
                let checksum = transfer.checksum.as_deref();
                let remote = match is_git(text) {
                    true => self.repository(text, checksum, transfer.keep_git_dir)?,
                    false => self.remote(text, checksum)?,
                };
                let unpacks = transfer.unpack == Some(true);
                let (tree, found) = (&remote.tree, &remote.found);
                if !(unpacks && add_archive(&mut copying, tree, found, &destination, max_size)?) {
                    copying.copy(tree, found, &destination)?;
                }
                remotes.push(remote);
                continue;
            }
            let source = match &source {
                Some(source) => Arc::clone(source),
                None => Arc::clone(source.insert(self.tree(work.source)?)),
            };
            let found = find(&source, text, transfer.parents)?;
            if found.is_empty() && !has_wildcards(text.as_bytes()) {
                return Err(Error::NotFound { path: text.clone(), place });
            }
            if found.is_empty() {
                message::warning(format!("{} {text}: nothing in {place} matches", verb.keyword()));
                if transfer.parents {
                    copying.make_destination(&destination)?;
                }
            }
            for one in found {
                let unpacks = transfer.unpack.unwrap_or(*verb == Verb::Add);
                if !(unpacks && add_archive(&mut copying, &source, &one, &destination, max_size)?) {
                    copying.copy(&source, &one, &destination)?;
                }
            }
        }
        for heredoc in &transfer.heredocs {
            let (given, found) = inline(&heredoc.name, &heredoc.body, now)?;
            copying.copy(&given, &found, &destination)?;
        }
        self.commit_files(progress, at, tree, &changed)
    }

    /// WORKDIR: makes the directory, its owner being the stage's user.
    pub(super) fn workdir(
        &self,
        progress: &mut Progress,
        at: &At<'_>,
        path: &str,
        user: &str,
    ) -> Result<Option<Outcome>, Error> {
        let mut tree = progress.lend_tree(self.executor.place.reading())?;
        let target = Arc::make_mut(&mut tree);
        let names = target.resolve(path.as_bytes(), Last::Followed)?;
        let mut attributes = Attributes::implied(self.executor.clock.now);
        if !target.get(&names).is_some_and(Node::is_directory) && !user.is_empty() {
            (attributes.uid, attributes.gid) = owner::resolve(user, target)?;
        }
        let changed = target.make_directories(&names, &attributes)?.into_iter().collect();
        self.commit_files(progress, at, tree, &changed)
    }

    /// Makes a layer of what changed in a stage's tree, or finds it in the cache.
    fn commit_files(
        &self,
        progress: &mut Progress,
        at: &At<'_>,
        tree: Arc<Tree>,
        changed: &BTreeSet<Names>,
    ) -> Result<Option<Outcome>, Error> {
        let epoch = self.executor.clock.epoch;
        let planned = planned(&tree, changed, epoch)?;
        let outcome = if !planned.is_empty() {
            let record = Record::new(serde_json::json!({
                "operation": "files",
                "epoch": epoch.map(|epoch| epoch.seconds),
            }))
            .with_entries(&fingerprints(&planned)?);
            Some(self.cached(at, &record, || self.write(&planned))?)
        } else {
            self.executor.reporter.about(at.step.number, "nothing to change");
            None
        };
        progress.return_tree(tree);
        Ok(outcome)
    }

    fn write(&self, planned: &[Planned<'_>]) -> Result<Made, Error> {
        let mut writer = self.executor.place.store.writer()?;
        write_layer(planned, &mut writer)?;
        let (digest, len_bytes) = writer.commit_layer()?;
        let created = self.executor.clock.now.to_string();
        Ok(Made { outcome: Outcome::of_layer(created, digest, len_bytes), is_lasting: true })
    }
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
fn inline(name: &str, body: &[u8], mtime: Timestamp) -> Result<(Tree, Found), Error> {
    let mut tree = Tree::new();
    let attributes = Attributes { mode: 0o644, ..Attributes::implied(mtime) };
    let file = File::of_bytes(body);
    let names: Names = components(name.as_bytes()).collect();
    let [_] = names.as_slice() else {
        return Err(Error::Other(format!("'{name}' is not a file name")));
    };
    tree.put(&names, Item::file(attributes, file));
    Ok((tree, Found::exactly(names)))
}
