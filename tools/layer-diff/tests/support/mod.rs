//! Trees made from a description, trees described again by another reader than the
//! one under test, and layers made and applied in this process.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

pub(crate) mod law;
pub(crate) mod model;
pub(crate) mod mounts;
pub(crate) mod snapshot;
pub(crate) mod trees;

use std::path::Path;

use common::layer::apply;
use common::layer::diff::{self, LayerWriter, Options, Summary};
use common::root::Root;

/// The layer from `lower` to `upper`.
pub(crate) fn try_diff(
    lower: Option<&Path>,
    upper: &Path,
    options: &Options,
) -> Result<(Vec<u8>, Summary), diff::Error> {
    let mut layer = LayerWriter::new(Vec::new());
    let summary = diff::trees(lower, upper, options, &mut layer)?;
    Ok((layer.finish().unwrap(), summary))
}

/// The layer from `lower` to `upper`, which must be possible.
pub(crate) fn diff(lower: Option<&Path>, upper: &Path, options: &Options) -> Vec<u8> {
    try_diff(lower, upper, options).unwrap().0
}

/// The layer of an upper directory.
pub(crate) fn try_overlay(
    upper: &Path,
    lowers: &[&Path],
    options: &Options,
) -> Result<(Vec<u8>, Summary), diff::Error> {
    let mut layer = LayerWriter::new(Vec::new());
    let summary = diff::overlay(upper, lowers, options, &mut layer)?;
    Ok((layer.finish().unwrap(), summary))
}

/// Applies a layer.
pub(crate) fn apply_to(directory: &Path, layer: &[u8]) {
    let options =
        apply::Options { ownership: apply::Ownership::of_process(), ..apply::Options::default() };
    apply::apply(&Root::open(directory).unwrap(), layer, &options).unwrap();
}

/// The members of a layer: name, type letter and link target.
pub(crate) fn members(layer: &[u8]) -> Vec<String> {
    use common::tar::{Kind, Limits, Reader, Whole};
    let mut reader = Reader::new(layer, Limits::default(), Whole::ByMarker);
    let mut members = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        let path = String::from_utf8_lossy(&entry.path).into_owned();
        members.push(match entry.kind {
            Kind::HardLink { target } => format!("{path} = {}", String::from_utf8_lossy(&target)),
            Kind::Symlink { target } => format!("{path} -> {}", String::from_utf8_lossy(&target)),
            Kind::Directory => format!("{}/", path.trim_end_matches('/')),
            _ => path,
        });
    }
    members
}

/// The names of the changes that a listing shows.
pub(crate) fn changes(lower: Option<&Path>, upper: &Path, options: &Options) -> Vec<String> {
    let mut list = List::default();
    diff::trees(lower, upper, options, &mut list).unwrap();
    list.0
}

/// Collects changes as `A path`, with the differences behind a changed one.
#[derive(Debug, Default)]
pub(crate) struct List(pub(crate) Vec<String>);

impl diff::Sink for List {
    fn change(&mut self, change: diff::Change<'_>) -> Result<(), diff::SinkError> {
        let path = String::from_utf8_lossy(change.path).into_owned();
        let names: Vec<_> = change.differences.names().collect();
        let letter = match change.kind {
            diff::ChangeKind::Added => "A",
            diff::ChangeKind::Changed => "C",
            diff::ChangeKind::Deleted => "D",
            diff::ChangeKind::Opaque => "O",
        };
        let line = format!("{letter} {path} {}", names.join(","));
        self.0.push(line.trim_end().to_owned());
        Ok(())
    }
}

/// Whether this process is root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
