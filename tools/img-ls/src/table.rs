//! Docker's table of images, with platforms and shared sizes, and `--format`.

use common::cli::Failure;
use common::human;
use common::name;
use common::template::Format;
use common::time::{self, Timestamp};
use serde_json::{Map, Value};

use crate::cli::Cli;
use crate::rows::Row;

const FIELDS: [&str; 10] = [
    "Repository",
    "Tag",
    "ID",
    "Digest",
    "Platform",
    "CreatedSince",
    "CreatedAt",
    "Size",
    "SharedSize",
    "UniqueSize",
];
const HEADERS: [&str; 10] = [
    "REPOSITORY",
    "TAG",
    "IMAGE ID",
    "DIGEST",
    "PLATFORM",
    "CREATED",
    "CREATED AT",
    "SIZE",
    "SHARED SIZE",
    "UNIQUE SIZE",
];
const DEFAULT: &str = "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.Platform}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}";

/// How images are to be shown.
pub(crate) struct Table {
    format: Format,
    ids_only: bool,
    no_trunc: bool,
    terminal: bool,
    now: Timestamp,
}

impl Table {
    pub(crate) fn new(cli: &Cli, terminal: bool) -> Result<Self, Failure> {
        let format = Format::parse(cli.format.as_deref().unwrap_or_default(), DEFAULT, &FIELDS)
            .map_err(|error| Failure::usage(format!("--format: {error}")))?;
        let ids_only = cli.output.quiet && format.is_table();
        Ok(Self { format, ids_only, no_trunc: cli.no_trunc, terminal, now: time::clock() })
    }

    pub(crate) fn of(&self, rows: &[Row]) -> String {
        let mut lines = Vec::new();
        if self.format.is_table() && !self.ids_only {
            let headers = FIELDS.iter().zip(HEADERS);
            let headers = headers.map(|(field, header)| ((*field).into(), header.into())).collect();
            lines.push(self.format.headers(&headers));
        }
        for row in rows {
            let fields = self.fields(row);
            lines.push(if self.ids_only { self.id(row) } else { self.format.line(&fields) });
        }
        match self.format.is_table() {
            true => human::columns(&lines),
            false => lines.into_iter().map(|line| line + "\n").collect(),
        }
    }

    fn fields(&self, row: &Row) -> Map<String, Value> {
        let (repository, tag) = row.repository_and_tag();
        let values = [
            self.shown(repository),
            self.shown(tag),
            self.id(row),
            row.image.digest.to_string(),
            self.shown(row.image.platform.as_deref().unwrap_or("-")),
            human::since(row.image.created, self.now),
            human::local_time(row.image.created),
            human::size(row.image.size),
            human::size(row.shared),
            human::size(row.image.size - row.shared),
        ];
        FIELDS.iter().zip(values).map(|(field, value)| ((*field).into(), value.into())).collect()
    }

    fn id(&self, row: &Row) -> String {
        if self.no_trunc { row.image.digest.to_string() } else { row.image.digest.short().into() }
    }

    /// Raw in a pipe, harmless on a terminal.
    fn shown(&self, text: &str) -> String {
        if self.terminal { name::show(text).to_string() } else { text.to_owned() }
    }
}
