//! Law 3 on layers made of whatever members, in whatever order.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::error::Error as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use common::compression::MaxSize;
use common::layer::apply;
use common::layer::merge::{self, Error, Source};
use common::root::Root;
use common::stream::{Input, Payload};
use common::tar::{Entry, Whole, Writer};

use crate::support::members;
use crate::support::model::{Node, Tree, make};
use crate::support::snapshot::{Seen, compare, snapshot};

/// The layers as one.
pub(crate) fn merged(at: &Path, layers: &[&[u8]]) -> Result<Vec<u8>, Error> {
    let mut writer = Writer::new(Vec::new());
    merge::merge(&sources(at, layers), &mut writer)?;
    Ok(writer.finish().unwrap())
}

fn sources(at: &Path, layers: &[&[u8]]) -> Vec<Source> {
    layers
        .iter()
        .enumerate()
        .map(|(index, layer)| {
            let path = at.join(format!("layer{index}"));
            fs::write(&path, layer).unwrap();
            let input = Input::open(path.as_os_str(), Payload::Binary).unwrap();
            Source::new(input, MaxSize::default(), Whole::ByMarker).unwrap()
        })
        .collect()
}

/// Checks that the model of the layers in memory is what they make of an empty directory,
/// names, attributes and content, and that what is refused is refused in the same words.
///
/// # Errors
/// What is not the same.
pub(crate) fn law_7(layers: &[&[u8]], scratch: &Path) -> Result<(), String> {
    let at = |name: &str| {
        let path = scratch.join(name);
        fs::create_dir(&path).unwrap();
        File::open(&path).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        path
    };
    let mut writer = Writer::new(Vec::new());
    let model = merge::flatten(&sources(scratch, layers), &mut writer);
    let directory = at("directory");
    let applied = apply_all(&directory, layers);
    match (model, applied) {
        (Ok(_), Ok(())) => {
            let layer = writer.finish().unwrap();
            let written = at("written");
            apply_all(&written, &[&layer]).map_err(|error| format!("not a layer: {error:?}"))?;
            let differences = compare(&snapshot(&written), &snapshot(&directory));
            match differences.is_empty() {
                true => Ok(()),
                false => Err(format!("{differences:#?} {:?}", members(&layer))),
            }
        }
        (Err(model), Err(applied)) => {
            // The first line of a merge's error names the layer.
            let model = model.source().map_or_else(String::new, said);
            let applied = match &applied {
                apply::Error::Entry { problem, .. } => said(problem),
                error => said(error),
            };
            match model == applied {
                true => Ok(()),
                false => Err(format!("refused as '{model}', and as '{applied}'")),
            }
        }
        (Ok(_), Err(error)) if depends_on_the_file_system(&error) => Ok(()),
        (model, applied) => Err(format!("{model:?}, and {applied:?}")),
    }
}

/// An error and its causes, as they are shown.
fn said(error: &(dyn std::error::Error + 'static)) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        // A transparent wrapper says the same words twice.
        if !said.ends_with(&words) {
            said = format!("{said}: {words}");
        }
        cause = error.source();
    }
    said
}

/// Whether another file system might have taken it.
fn depends_on_the_file_system(error: &apply::Error) -> bool {
    use apply::Problem;
    let apply::Error::Entry { problem, .. } = error else { return false };
    matches!(problem, Problem::Owner { .. } | Problem::Xattr { .. } | Problem::Device(_))
        || matches!(problem, Problem::System { action, .. } if *action != "open its directory")
}

/// Checks that the layers do the same to a tree at once and in turn, and are refused
/// alike, unless they lead through a symbolic link of the tree.
///
/// # Errors
/// What is not the same.
pub(crate) fn law_3(base: &Tree, layers: &[&[u8]], scratch: &Path) -> Result<(), String> {
    let at = |name: &str, tree: &Tree| {
        let path = scratch.join(name);
        make(tree, &path);
        path
    };
    let merged = merged(scratch, layers);
    let in_turn = at("in-turn", base);
    let applied = apply_all(&in_turn, layers);
    let in_turn = snapshot(&in_turn);
    let links_apart = without_links(base);
    if links_apart != *base
        && leads_through_a_link(&at("without-links", &links_apart), layers, &in_turn)
    {
        return Ok(());
    }
    let layer = match merged {
        Ok(layer) => layer,
        // Applying says no, too, but for what one layer cannot say.
        Err(Error::LostLink { .. }) => return Ok(()),
        Err(_) if applied.is_err() => return Ok(()),
        Err(error) => return Err(format!("not merged: {error:?}")),
    };
    let at_once = at("at-once", base);
    let outcome = apply_all(&at_once, &[&layer]);
    let names = || members(&layer);
    match (applied, outcome) {
        (Ok(()), Ok(())) => {
            let differences = compare(&snapshot(&at_once), &in_turn);
            match differences.is_empty() {
                true => Ok(()),
                false => Err(format!("{differences:#?} {:?}", names())),
            }
        }
        (Ok(()), Err(error)) => Err(format!("refused: {error:?} {:?}", names())),
        // A later layer may have replaced it.
        (Err(error), _) if depends_on_the_tree(&error) => Ok(()),
        (Err(error), _) => Err(format!("not refused: {error:?} {:?}", names())),
    }
}

/// Whether another tree, or another file system, might have been taken.
fn depends_on_the_tree(error: &apply::Error) -> bool {
    use apply::Problem;
    let apply::Error::Entry { problem, .. } = error else { return false };
    match problem {
        Problem::ClimbsFromNowhere
        | Problem::LinkTargetMissing(_)
        | Problem::LinkToDirectory(_)
        | Problem::Owner { .. }
        | Problem::Xattr { .. } => true,
        Problem::System { source, .. } => source.raw_os_error() != Some(40 /* ELOOP */),
        _ => false,
    }
}

fn apply_all(directory: &Path, layers: &[&[u8]]) -> Result<(), apply::Error> {
    let options =
        apply::Options { ownership: apply::Ownership::of_process(), ..apply::Options::default() };
    let root = Root::open(directory).unwrap();
    layers.iter().try_for_each(|layer| apply::apply(&root, *layer, &options).map(drop))
}

const WAS_A_LINK: &[u8] = b"once a link to ";

/// A tree with a file in the place of each symbolic link.
pub(crate) fn without_links(tree: &Tree) -> Tree {
    fn without(node: &Node) -> Node {
        match node {
            Node::Symlink(meta, target) => {
                let mut meta = meta.clone();
                meta.mode = 0o777;
                meta.xattrs.retain(|name, _| !name.starts_with("user."));
                Node::File(meta, [WAS_A_LINK, target].concat())
            }
            Node::Directory(meta, children) => {
                let children = children.iter().map(|(name, node)| (name.clone(), without(node)));
                Node::Directory(meta.clone(), children.collect())
            }
            node => node.clone(),
        }
    }
    Tree { root: without(&tree.root), inodes: tree.inodes.iter().map(without).collect() }
}

/// Whether the layers go through a link of the tree, as the result tells where there
/// is a file in its place: what is beyond it is then another matter.
fn leads_through_a_link(
    without_links: &Path,
    layers: &[&[u8]],
    expected: &BTreeMap<PathBuf, Seen>,
) -> bool {
    let _ = apply_all(without_links, layers);
    let mut seen = snapshot(without_links);
    seen.values_mut().for_each(|seen| seen.become_link(WAS_A_LINK));
    !compare(&seen, expected).is_empty()
}

/// Members in whatever order, shown as their names.
pub(crate) struct OddLayer(pub(crate) Vec<(Entry, Vec<u8>)>);

impl OddLayer {
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new());
        for (entry, content) in &self.0 {
            writer.append(entry, content.as_slice()).unwrap();
        }
        writer.finish().unwrap()
    }
}

impl std::fmt::Debug for OddLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", members(&self.write()))
    }
}
