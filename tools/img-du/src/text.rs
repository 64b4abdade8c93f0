//! Reports for people: tables as docker aligns them.

use std::io::{self, Write};

use common::human::{columns, count, ellipsis, size};
use common::name::show;
use common::stream::Output;

use crate::cli::Cli;
use crate::report::Report;
use crate::sharing::Sharing;

/// The width to which steps are cut.
const STEP_WIDTH: usize = 60;

/// Sizes as the user wants them.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    bytes: bool,
}

impl Sizes {
    fn of(self, len_bytes: u64) -> String {
        if self.bytes { len_bytes.to_string() } else { size(len_bytes) }
    }
}

/// Rows whose last cell is a name or text of the image: raw in a pipe, harmless on a
/// terminal.
struct Table {
    cells: Vec<String>,
    last: Vec<Vec<u8>>,
    is_terminal: bool,
}

impl Table {
    fn new(headers: &[&str], last: &str, is_terminal: bool) -> Self {
        let mut table = Self { cells: Vec::new(), last: Vec::new(), is_terminal };
        let headers: Vec<String> = headers.iter().map(|&header| header.to_owned()).collect();
        table.row(&headers, last.as_bytes());
        table
    }

    fn row(&mut self, cells: &[String], last: &[u8]) {
        self.cells.push(cells.join("\t") + "\t");
        self.last.push(shown(last, self.is_terminal));
    }

    fn write(&self, output: &mut impl Write) -> io::Result<()> {
        let aligned = columns(&self.cells);
        for (cells, last) in aligned.lines().zip(&self.last) {
            output.write_all(cells.as_bytes())?;
            output.write_all(last)?;
            output.write_all(b"\n")?;
        }
        Ok(())
    }
}

fn shown(bytes: &[u8], is_terminal: bool) -> Vec<u8> {
    if is_terminal { show(bytes).to_string().into_bytes() } else { bytes.to_vec() }
}

/// All of one image.
pub(crate) fn one(cli: &Cli, report: &Report, output: &mut Output) -> io::Result<()> {
    let sizes = Sizes { bytes: cli.bytes };
    let is_terminal = output.is_terminal();
    layers(sizes, report, is_terminal).write(output)?;
    output.write_all(b"\n")?;
    directories(sizes, report, is_terminal).write(output)?;
    output.write_all(b"\n")?;
    if !report.waste.list.is_empty() {
        let shown = if cli.top == 0 { usize::MAX } else { cli.top };
        waste(sizes, report, shown, is_terminal).write(output)?;
        if let Some(left @ 1..) = report.waste.list.len().checked_sub(shown) {
            writeln!(output, "({} not shown)", count(left as u64, "row", "rows"))?;
        }
        output.write_all(b"\n")?;
    }
    writeln!(
        output,
        "wasted {} of {} ({:.1}%), efficiency {:.1}%",
        sizes.of(report.waste.len_bytes),
        sizes.of(report.content_bytes()),
        report.wasted_percent(),
        100.0 * report.waste.efficiency
    )?;
    for advice in &report.advice {
        let saving = advice.saves_bytes.map_or("time".into(), |saves| sizes.of(saves));
        writeln!(output, "layer {}: save {saving}: {}", advice.layer, advice.text)?;
    }
    Ok(())
}

fn layers(sizes: Sizes, report: &Report, is_terminal: bool) -> Table {
    let headers = ["LAYER", "STORED", "UNPACKED", "CONTENT", "FILES", "WHITEOUTS", "WASTED"];
    let mut table = Table::new(&headers, "STEP", is_terminal);
    let mut totals = [0_u64; 6];
    for ((number, sums), wasted) in (1..).zip(&report.layers).zip(&report.wasted_of_layers) {
        let numbers = [
            sums.layer.descriptor.len_bytes,
            sums.len_bytes,
            sums.content_bytes,
            sums.files,
            sums.whiteouts,
            *wasted,
        ];
        for (total, number) in totals.iter_mut().zip(numbers) {
            *total = total.saturating_add(number);
        }
        let step = ellipsis(&sums.step.text(), STEP_WIDTH);
        table.row(&cells(sizes, &number.to_string(), numbers), step.as_bytes());
    }
    table.row(&cells(sizes, "total", totals), b"");
    table
}

fn cells(sizes: Sizes, first: &str, numbers: [u64; 6]) -> [String; 7] {
    let [stored, unpacked, content, files, whiteouts, wasted] = numbers;
    let [stored, unpacked, content, wasted] =
        [stored, unpacked, content, wasted].map(|len_bytes| sizes.of(len_bytes));
    let [files, whiteouts] = [files, whiteouts].map(|number| number.to_string());
    [first.to_owned(), stored, unpacked, content, files, whiteouts, wasted]
}

fn directories(sizes: Sizes, report: &Report, is_terminal: bool) -> Table {
    let mut table = Table::new(&["SIZE", "FILES"], "DIRECTORY", is_terminal);
    for it in &report.directories {
        let path: &[u8] = if it.path.is_empty() { b"/" } else { &it.path };
        table.row(&[sizes.of(it.len_bytes), it.files.to_string()], path);
    }
    table
}

fn waste(sizes: Sizes, report: &Report, shown: usize, is_terminal: bool) -> Table {
    let headers = ["WASTED", "FILES", "HOW", "WRITTEN BY", "WASTED BY"];
    let mut table = Table::new(&headers, "PATH", is_terminal);
    for it in report.waste.list.iter().take(shown) {
        let cells = [
            sizes.of(it.len_bytes),
            it.files.to_string(),
            it.how.word().to_owned(),
            it.written_by.to_string(),
            it.wasted_by.to_string(),
        ];
        table.row(&cells, &it.path);
    }
    table
}

/// Several images, one a line.
pub(crate) fn several(
    cli: &Cli,
    reports: &[Report],
    sharing: &[Sharing],
    output: &mut Output,
) -> io::Result<()> {
    let sizes = Sizes { bytes: cli.bytes };
    let headers = ["CONTENT", "STORED", "SHARED", "ADDED", "OWN", "WASTED", "EFFICIENCY"];
    let mut table = Table::new(&headers, "IMAGE", output.is_terminal());
    let mut total: u64 = 0;
    for (report, it) in reports.iter().zip(sharing) {
        total = total.saturating_add(it.added_bytes);
        let cells = [
            sizes.of(report.content_bytes()),
            sizes.of(it.stored_bytes),
            sizes.of(it.shared_bytes),
            sizes.of(it.added_bytes),
            sizes.of(it.own_bytes()),
            sizes.of(report.waste.len_bytes),
            format!("{:.1}%", 100.0 * report.waste.efficiency),
        ];
        table.row(&cells, report.reference.to_string().as_bytes());
    }
    table.write(output)?;
    writeln!(output, "\n{} in all", sizes.of(total))
}
