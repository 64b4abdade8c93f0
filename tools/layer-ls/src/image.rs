//! The tree of an image, or the past of its paths, listed.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use common::cli::{Failure, Status};
use common::image::Reference;
use common::inside::{self, Inside, Past, Reading, Selection, Trust};
use common::name::show;
use common::stream::{self, Output, Payload};

use crate::cli::Cli;
use crate::rows::{Row, Rows};

/// Opens an image and reads the headers of its layers.
pub(crate) fn open(cli: &Cli, image: &OsStr, xattrs: bool) -> Result<(Reference, Inside), Failure> {
    let reference = Reference::parse(image)?;
    let options = cli.registries.options([image])?;
    let opened = registry::open(&reference, cli.platform.as_ref(), &cli.location, options);
    let opened = opened.map_err(|error| error.about(&reference))?;
    let reading = Reading {
        trust: Trust::of(&reference, cli.verify),
        max_size: cli.bare.max_size(),
        xattrs,
        past: cli.all,
    };
    let inside = Inside::read(opened, cli.at, reading).map_err(|error| error.about(&reference))?;
    Ok((reference, inside))
}

pub(crate) fn list(cli: &Cli, image: &OsStr) -> Result<Status, Failure> {
    let (reference, inside) = open(cli, image, cli.long || cli.json)?;
    let texts: Vec<&[u8]> = cli.operands.iter().map(|path| path.as_bytes()).collect();
    let selection =
        inside::select(&inside.tree, &texts).map_err(|error| Failure::about(&reference, error))?;
    let mut output = Output::standard(Payload::Text)?;
    let mut found = vec![false; texts.len()];
    let mut rows = Rows::new(cli, &inside, &mut output);
    let written = match cli.all {
        false => tree(&inside, &selection, &mut found, &mut rows),
        true => past(&inside, &selection, &mut found, &mut rows),
    };
    written.and_then(|()| rows.finish()).map_err(stream::Error::StandardOutput)?;
    output.commit()?;
    let mut status = Status::DONE;
    for (path, _) in cli.operands.iter().zip(&found).filter(|(_, found)| !**found) {
        nothing(&reference, path).report();
        status = Status::FAILED;
    }
    Ok(status)
}

fn nothing(reference: &Reference, path: &OsString) -> Failure {
    Failure::new(format!("{reference}: {}: no such path in the image", show(path.as_bytes())))
}

/// Lists the final tree.
fn tree(
    inside: &Inside,
    selection: &Selection,
    found: &mut [bool],
    rows: &mut Rows<'_>,
) -> std::io::Result<()> {
    inside::walk(&inside.tree, |path, node| {
        // A root that no layer describes is nothing that anybody wrote.
        if path.is_empty() && node.inode().is_none() || !chosen(selection, path, found) {
            return Ok(());
        }
        rows.write(&Row { layer: node.layer(), change: None, path, inode: node.inode() })
    })
}

/// All that there ever was, by path.
fn past(
    inside: &Inside,
    selection: &Selection,
    found: &mut [bool],
    rows: &mut Rows<'_>,
) -> std::io::Result<()> {
    let past = Past::of(inside);
    inside.tree.paths().walk(|node, path| {
        if !chosen(selection, path, found) {
            return Ok(());
        }
        past.of_node(node).iter().try_for_each(|event| {
            let change = Some(event.change);
            rows.write(&Row { layer: event.layer, change, path, inode: event.inode })
        })
    })
}

fn chosen(selection: &Selection, path: &[u8], found: &mut [bool]) -> bool {
    selection.takes(path, |at| {
        if let Some(found) = found.get_mut(at) {
            *found = true;
        }
    })
}
