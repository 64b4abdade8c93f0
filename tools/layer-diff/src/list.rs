//! Changes as lines: for people and pipes as `docker diff` prints them, for
//! programs as JSON.

use std::io::Write;

use common::json::{insert_name, line};
use common::layer::diff::{Change, ChangeKind, Differences, Sink, SinkError};
use common::layer::listing::insert_entry;
use common::name::show;
use serde_json::{Map, Value};

/// Prints `A`, `C` or `D` and the path from the root.
///
/// `docker diff` has no line for the root. Here it has one where its own attributes
/// changed, or where its time is all that did.
#[derive(Debug)]
pub(crate) struct Lines<W> {
    stream: W,
    /// What ends a line.
    end: u8,
    /// Whether a person reads this directly, so that names are to be escaped.
    is_terminal: bool,
    /// Whether the root changed in nothing but what changes below it bring about.
    root_is_due: bool,
}

impl<W: Write> Lines<W> {
    pub(crate) fn new(stream: W, end: u8, is_terminal: bool) -> Self {
        Self { stream, end, is_terminal, root_is_due: false }
    }

    /// The end of the changes.
    pub(crate) fn finish(mut self) -> std::io::Result<()> {
        match self.root_is_due {
            true => self.line(b'C', b""),
            false => Ok(()),
        }
    }

    fn line(&mut self, letter: u8, path: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(&[letter, b' ', b'/'])?;
        if self.is_terminal {
            write!(self.stream, "{}", show(path))?;
        } else {
            self.stream.write_all(path)?;
        }
        self.stream.write_all(&[self.end])
    }
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
        let is_root = change.path.is_empty() && change.kind == ChangeKind::Changed;
        self.root_is_due = is_root && Differences::MTIME.contains(change.differences);
        match self.root_is_due {
            true => Ok(()),
            false => Ok(self.line(letter, change.path)?),
        }
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
        let line = line(&object).map_err(std::io::Error::from)?;
        Ok(writeln!(self.0, "{line}")?)
    }
}
