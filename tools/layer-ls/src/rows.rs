//! A line of a listing: a name with its layer and the step that made the layer.

use std::io::{self, Write};

use common::human::{count, ellipsis};
use common::inside::{Change, Inside, LayerSums, Place, entry};
use common::json::{self, insert_name};
use common::layer::listing::{insert_entry, long_line};
use common::layer::tree::Inode;
use common::stream::Output;
use serde_json::Map;

use crate::cli::Cli;
use crate::list::write_name;

/// The width to which steps are cut.
const STEP_WIDTH: usize = 60;

/// A name, as one layer left it.
pub(crate) struct Row<'a> {
    /// The layer, counted from 1.
    pub(crate) layer: u32,
    /// The change that the layer made, if several versions are listed.
    pub(crate) change: Option<Change>,
    pub(crate) path: &'a [u8],
    /// The inode, if a layer describes it.
    pub(crate) inode: Option<&'a Inode<Place>>,
}

/// The form of the rows, and where they go.
pub(crate) struct Rows<'a> {
    cli: &'a Cli,
    inside: &'a Inside,
    /// The text of each layer's step, and what the history has for it, both cut.
    steps: Vec<(String, String)>,
    output: &'a mut Output,
    is_terminal: bool,
    names: u64,
    content_bytes: u64,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(cli: &'a Cli, inside: &'a Inside, output: &'a mut Output) -> Self {
        let of = |sums: &LayerSums| {
            (ellipsis(&sums.step.text(), STEP_WIDTH), sums.step.brief_created_by())
        };
        let steps = inside.layers.iter().map(of).collect();
        let is_terminal = output.is_terminal();
        Self { cli, inside, steps, output, is_terminal, names: 0, content_bytes: 0 }
    }

    pub(crate) fn write(&mut self, row: &Row<'_>) -> io::Result<()> {
        self.names += 1;
        let path: &[u8] = if row.path.is_empty() { b"./" } else { row.path };
        if self.cli.null {
            self.output.write_all(path)?;
            return self.output.write_all(&[0]);
        }
        if self.cli.json {
            return self.write_json(row, path);
        }
        let is_deleted = row.change == Some(Change::Deleted);
        let mut line = path.to_vec();
        if self.cli.long && !is_deleted {
            let entry = entry(path.to_vec(), row.inode);
            self.content_bytes = self.content_bytes.saturating_add(entry.len_bytes);
            line = long_line(&entry);
        }
        if let Some(change) = row.change {
            write!(self.output, "{}\t", change.letter())?;
        }
        write!(self.output, "{}\t", row.layer)?;
        write_name(self.output, &line, self.is_terminal)?;
        self.output.write_all(b"\t")?;
        let at = usize::try_from(row.layer).ok().and_then(|number| number.checked_sub(1));
        let step = at.and_then(|at| self.steps.get(at)).map_or("", |(text, _)| text);
        write_name(self.output, step.as_bytes(), self.is_terminal)?;
        self.output.write_all(b"\n")
    }

    /// The step of a layer, counted from 1.
    fn step(&self, layer: u32) -> Option<&(String, String)> {
        self.steps.get(usize::try_from(layer).ok()?.checked_sub(1)?)
    }

    fn write_json(&mut self, row: &Row<'_>, path: &[u8]) -> io::Result<()> {
        let mut object = Map::new();
        object.insert("layer".into(), row.layer.into());
        if let Some((sums, step)) = self.inside.layer(row.layer).zip(self.step(row.layer)) {
            object.insert("diff_id".into(), sums.layer.diff_id.to_string().into());
            object.insert("created_by".into(), step.1.as_str().into());
        }
        if let Some(change) = row.change {
            object.insert("change".into(), change.word().into());
        }
        insert_name(&mut object, "path", path);
        if row.change != Some(Change::Deleted) {
            insert_entry(&mut object, &entry(Vec::new(), row.inode));
        }
        writeln!(self.output, "{}", json::line(&object)?)
    }

    /// The total, where lines are long.
    pub(crate) fn finish(self) -> io::Result<()> {
        if !self.cli.long {
            return Ok(());
        }
        let names = match self.cli.all {
            true => count(self.names, "version", "versions"),
            false => count(self.names, "name", "names"),
        };
        let bytes = count(self.content_bytes, "byte", "bytes");
        writeln!(self.output, "total {names}, {bytes}")
    }
}
