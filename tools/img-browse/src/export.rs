//! A name with all that is in it, written to a file: as JSON, one object a line, or as tar.

use std::cell::Cell;
use std::collections::HashMap;
use std::error::Error;
use std::io::{self, Write};
use std::path::Path;

use common::cli::Failure;
use common::inside::{Inside, Wanted, entry};
use common::json::{self, insert_name};
use common::layer::listing::insert_entry;
use common::layer::tree::InodeId;
use common::stream::Output;
use common::tar::{Entry, Kind, Writer};
use serde_json::Map;

use crate::model::{Model, State};
use crate::view::{Mark, Range};

/// Writes what is at or below `top` after the layer of `range`, as the suffix of `file` says,
/// and returns the number of names.
pub(crate) fn write(
    model: &Model,
    marks: &[Mark],
    range: Range,
    top: usize,
    file: &str,
) -> Result<u64, Failure> {
    // A key is pressed sooner than an option is written.
    if std::fs::symlink_metadata(file).is_ok() {
        return Err(Failure::new(format!("{file}: is there already")));
    }
    let names = below(model, top);
    let states = names
        .into_iter()
        .filter_map(|number| Some((number, model.state(model.names.get(number)?, range.to)?)));
    match file.rsplit_once('.').map(|(_, suffix)| suffix) {
        Some("json") => {
            let mut output = Output::create(Path::new(file))?;
            let mut count = 0;
            for (number, state) in states {
                let line = object(model, marks, number, &state)?;
                writeln!(output, "{line}").map_err(|error| Failure::about(file, error))?;
                count += 1;
            }
            output.commit()?;
            Ok(count)
        }
        Some("tar") => {
            let output = Output::create(Path::new(file))?;
            let states = states.map(|(number, state)| (model.path(number), state));
            tar(&model.inside, states, output, file)
        }
        _ => Err(Failure::new(format!("{file}: neither .json nor .tar"))),
    }
}

/// The numbers of a name and of all below it, a directory before what is in it.
fn below(model: &Model, top: usize) -> Vec<usize> {
    let mut numbers = Vec::new();
    let mut pending = vec![top];
    while let Some(number) = pending.pop() {
        numbers.push(number);
        if let Some(name) = model.names.get(number) {
            pending.extend(name.children.iter().rev());
        }
    }
    numbers
}

fn object(
    model: &Model,
    marks: &[Mark],
    number: usize,
    state: &State<'_>,
) -> serde_json::Result<String> {
    let mut object = Map::new();
    object.insert("layer".into(), state.layer.into());
    if let Some(change) = marks.get(number).and_then(|mark| mark.change) {
        object.insert("change".into(), change.word().into());
    }
    let path = model.path(number);
    insert_name(&mut object, "path", if path.is_empty() { b"./" } else { &path });
    insert_entry(&mut object, &entry(Vec::new(), state.inode));
    json::line(&object)
}

/// An output that notes if writing failed.
struct Noting<'o> {
    output: &'o mut Output,
    has_failed: &'o Cell<bool>,
}

impl Write for Noting<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.output.write(buffer).inspect_err(|_| self.has_failed.set(true))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush().inspect_err(|_| self.has_failed.set(true))
    }
}

fn root_cause<'e>(error: &'e (dyn Error + 'static)) -> &'e (dyn Error + 'static) {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause
}

/// Writes what has no content in the order of names, then files in the order of layers, then
/// their other names.
fn tar<'m>(
    inside: &Inside,
    states: impl Iterator<Item = (Vec<u8>, State<'m>)>,
    mut output: Output,
    file: &str,
) -> Result<u64, Failure> {
    let mut wanted = Wanted::default();
    let mut files: HashMap<(u32, u64), Entry> = HashMap::new();
    let mut first: HashMap<InodeId, Vec<u8>> = HashMap::new();
    let mut links = Vec::new();
    let mut count = 0;
    let is_unwritable = Cell::new(false);
    let mut writer = Writer::new(Noting { output: &mut output, has_failed: &is_unwritable });
    for (path, state) in states {
        count += 1;
        let path = if path.is_empty() { b"./".to_vec() } else { path };
        let member = entry(path.clone(), state.inode);
        let Some((id, inode)) = state.id.zip(state.inode).filter(|_| member.kind == Kind::File)
        else {
            writer.append(&member, io::empty()).map_err(|error| Failure::about(file, error))?;
            continue;
        };
        if let Some(target) = first.get(&id) {
            let kind = Kind::HardLink { target: target.clone() };
            links.push(Entry { kind, len_bytes: 0, ..member });
            continue;
        }
        first.insert(id, path);
        wanted.add(&inode.content);
        files.insert((inode.content.layer, inode.content.position), member);
    }
    let visited = inside.visit(&wanted, |layer, position, _, content| {
        let Some(member) = files.get(&(layer, position)) else { return Ok(()) };
        writer.append(member, content).map_err(io::Error::other)
    });
    visited.map_err(|error| match is_unwritable.get() {
        // The layer is not to blame.
        true => Failure::new(format!("{file}: {}", common::errors::line(root_cause(&error)))),
        false => Failure::new(common::errors::line(&error)),
    })?;
    for link in links {
        writer.append(&link, io::empty()).map_err(|error| Failure::about(file, error))?;
    }
    writer.finish().map_err(|error| Failure::about(file, error))?;
    output.commit()?;
    Ok(count)
}
