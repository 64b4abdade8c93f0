//! The report for people: what a reviewer wants, section after section, lines that went
//! and came marked as `diff` does.

use std::io::{self, Write};

use common::human::{count, ellipsis, signed, size};
use common::inside::compare::{Change, File};
use common::inside::{LayerSums, Step};
use common::name::show;
use common::oci::History;
use common::stream::Output;
use serde_json::Value;

use crate::cli::{Cli, Part};
use crate::report::Report;

/// The width to which steps are cut.
const STEP_WIDTH: usize = 100;

pub(crate) fn write(cli: &Cli, report: &Report, output: &mut Output) -> io::Result<()> {
    let is_terminal = output.is_terminal();
    let mut text = Text { cli, report, output, is_terminal };
    if report.is_empty() {
        return Ok(());
    }
    writeln!(text.output, "--- {} {}", report.old, report.ids.0)?;
    writeln!(text.output, "+++ {} {}", report.new, report.ids.1)?;
    text.config()?;
    text.history()?;
    text.layers()?;
    text.packages()?;
    text.files()
}

struct Text<'a> {
    cli: &'a Cli,
    report: &'a Report,
    output: &'a mut Output,
    is_terminal: bool,
}

impl Text<'_> {
    /// A line: what an image says is raw in a pipe, harmless on a terminal.
    fn line(&mut self, mark: char, line: &[u8]) -> io::Result<()> {
        write!(self.output, "{mark} ")?;
        self.raw(line)?;
        self.output.write_all(b"\n")
    }

    fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.is_terminal {
            true => write!(self.output, "{}", show(bytes)),
            false => self.output.write_all(bytes),
        }
    }

    fn heading(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.output, "\n{text}")
    }

    fn config(&mut self) -> io::Result<()> {
        if self.report.config.is_empty() {
            return Ok(());
        }
        self.heading("config:")?;
        for field in &self.report.config {
            for (mark, value) in [('-', &field.old), ('+', &field.new)] {
                if let Some(value) = value {
                    let value = match value {
                        Value::String(text) => text.clone(),
                        value => value.to_string(),
                    };
                    // Neither the name of a label nor a value is more than a line.
                    let line = format!("{}: {value}", field.key).replace(['\n', '\r'], " ");
                    self.line(mark, line.as_bytes())?;
                }
            }
        }
        Ok(())
    }

    fn history(&mut self) -> io::Result<()> {
        let history = &self.report.history;
        if history.old.is_empty() && history.new.is_empty() {
            return Ok(());
        }
        self.heading("history:")?;
        for (mark, steps) in [('-', &history.old), ('+', &history.new)] {
            for entry in steps {
                self.line(mark, step(entry).as_bytes())?;
            }
        }
        Ok(())
    }

    fn layers(&mut self) -> io::Result<()> {
        let layers = &self.report.layers;
        if layers.old.is_empty() && layers.new.is_empty() {
            return Ok(());
        }
        let shared = count(self.report.shared_layers as u64, "layer", "layers");
        self.heading(&format!("layers: {shared} in both"))?;
        for (mark, list) in [('-', &layers.old), ('+', &layers.new)] {
            for sums in list {
                let LayerSums { layer, step, content_bytes, .. } = sums;
                let line = format!(
                    "{} {}: {}",
                    layer.diff_id.0.short(),
                    size(*content_bytes),
                    ellipsis(&step.text(), STEP_WIDTH)
                );
                self.line(mark, line.as_bytes())?;
            }
        }
        Ok(())
    }

    fn packages(&mut self) -> io::Result<()> {
        let packages = &self.report.packages;
        if packages.list.is_empty() && packages.not_read.is_empty() {
            return Ok(());
        }
        self.heading("packages:")?;
        for it in &packages.list {
            let versions = |of: &std::collections::BTreeSet<String>| {
                of.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
            };
            let (old, new) = (versions(&it.old), versions(&it.new));
            let (mark, versions) = match (it.old.is_empty(), it.new.is_empty()) {
                (true, _) => ('+', new),
                (_, true) => ('-', old),
                (false, false) => ('!', format!("{old} -> {new}")),
            };
            self.line(mark, format!("{} {} {versions}", it.kind, it.name).as_bytes())?;
        }
        for path in &packages.not_read {
            self.line('?', &[path, &b": differs, and is not read"[..]].concat())?;
        }
        Ok(())
    }

    fn files(&mut self) -> io::Result<()> {
        let report = self.report;
        if report.files.is_empty() || !self.cli.wants(Part::Files) {
            return Ok(());
        }
        let total = report.directories.get(&b""[..]).copied().unwrap_or_default();
        self.heading(&format!(
            "files: {} added, {} changed, {} removed, {}",
            total.added,
            total.changed,
            total.removed,
            signed(total.growth)
        ))?;
        for (path, sum) in report.directories.iter().filter(|(path, _)| !path.is_empty()) {
            let counts = format!("+{} !{} -{}", sum.added, sum.changed, sum.removed);
            let line = format!("{:>10}  {counts:<18} ", signed(sum.growth));
            self.line(' ', &[line.as_bytes(), path, b"/"].concat())?;
        }
        self.output.write_all(b"\n")?;
        let shown: Vec<&File> = report.files.iter().filter(|file| !file.is_within).collect();
        let most = if self.cli.top == 0 { usize::MAX } else { self.cli.top };
        for file in shown.iter().take(most) {
            self.file(file)?;
        }
        if let Some(left @ 1..) = shown.len().checked_sub(most) {
            writeln!(self.output, "({} not shown)", count(left as u64, "name", "names"))?;
        }
        Ok(())
    }

    fn file(&mut self, file: &File) -> io::Result<()> {
        let (mut growth, mut inside) = (file.growth(), String::new());
        if file.is_directory() && file.change != Change::Changed {
            let within = self.within(file);
            growth = within.iter().map(|file| file.growth()).sum();
            let files = within.iter().filter(|file| !file.is_directory()).count();
            inside = format!(" ({})", count(files as u64, "file", "files"));
        }
        if !file.differs.is_empty() {
            inside = format!(" [{}]", file.differs.join(" "));
        }
        let path: &[u8] = if file.path.is_empty() { b"./" } else { &file.path };
        let slash: &[u8] = if file.is_directory() && !file.path.is_empty() { b"/" } else { b"" };
        let line = format!("{:>10}  ", signed(growth));
        let line = [line.as_bytes(), path, slash, inside.as_bytes()].concat();
        self.line(file.change.letter(), &line)?;
        let Some(text) = self.report.texts.get(&file.path) else { return Ok(()) };
        for line in text.lines() {
            self.output.write_all(b"    ")?;
            self.raw(line.as_bytes())?;
            self.output.write_all(b"\n")?;
        }
        Ok(())
    }

    /// Returns the files that were added or removed with a directory: they follow it in the list.
    fn within(&self, directory: &File) -> &[File] {
        let files = &self.report.files;
        let start = files.partition_point(|file| !is_after(&file.path, &directory.path));
        let rest = files.get(start..).unwrap_or_default();
        let is_below = |file: &File| {
            let rest = file.path.strip_prefix(&*directory.path);
            rest.is_some_and(|rest| rest.first() == Some(&b'/'))
        };
        let len = rest.iter().take_while(|file| is_below(file)).count();
        rest.get(..len).unwrap_or_default()
    }
}

/// Whether `path` comes after `other` in the order of a tree.
fn is_after(path: &[u8], other: &[u8]) -> bool {
    let names = |path: &'_ [u8]| -> Vec<Vec<u8>> {
        path.split(|&byte| byte == b'/').map(<[u8]>::to_vec).collect()
    };
    path != other && (other.is_empty() || names(path) > names(other))
}

fn step(entry: &History) -> String {
    let step = Step { entry: entry.clone() };
    ellipsis(&step.text(), STEP_WIDTH)
}
