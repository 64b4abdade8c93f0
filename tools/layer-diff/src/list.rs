//! Changes as lines: for people and pipes as `docker diff` prints them, for
//! programs as JSON.

use std::io::Write;

use common::json::insert_name;
use common::layer::diff::{Change, ChangeKind, Sink, SinkError};
use common::layer::listing::insert_entry;
use common::name::show;
use serde_json::{Map, Value};

/// Prints `A`, `C` or `D` and the path from the root.
#[derive(Debug)]
pub(crate) struct Lines<W> {
    pub(crate) stream: W,
    /// What ends a line.
    pub(crate) end: u8,
    /// Whether a person reads this directly, so that names are to be escaped.
    pub(crate) is_terminal: bool,
}

impl<W: Write> Sink for Lines<W> {
    fn change(&mut self, change: Change<'_>) -> Result<(), SinkError> {
        let letter = match change.kind {
            ChangeKind::Added => b'A',
            ChangeKind::Changed => b'C',
            ChangeKind::Deleted => b'D',
            // The directory has a line of its own.
            ChangeKind::Opaque => return Ok(()),
        };
        self.stream.write_all(&[letter, b' ', b'/'])?;
        if self.is_terminal {
            write!(self.stream, "{}", show(change.path))?;
        } else {
            self.stream.write_all(change.path)?;
        }
        Ok(self.stream.write_all(&[self.end])?)
    }
}

/// Prints one JSON object for each change.
#[derive(Debug)]
pub(crate) struct Json<W>(pub(crate) W);

impl<W: Write> Sink for Json<W> {
    fn change(&mut self, change: Change<'_>) -> Result<(), SinkError> {
        let mut object = Map::new();
        let kind = match change.kind {
            ChangeKind::Added => "added",
            ChangeKind::Changed => "changed",
            ChangeKind::Deleted => "deleted",
            ChangeKind::Opaque => "opaque",
        };
        object.insert("kind".into(), kind.into());
        insert_name(&mut object, "path", &[b"/", change.path].concat());
        if matches!(change.kind, ChangeKind::Added | ChangeKind::Changed) {
            insert_entry(&mut object, change.entry);
        }
        if change.kind == ChangeKind::Changed {
            let names = change.differences.names().map(Value::from);
            object.insert("differs".into(), names.collect::<Vec<_>>().into());
        }
        serde_json::to_writer(&mut self.0, &object)?;
        Ok(self.0.write_all(b"\n")?)
    }
}
