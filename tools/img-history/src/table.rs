//! Docker's table of a history: its columns, words, truncation, and `--format`.

use common::cli::Failure;
use common::digest::Digest;
use common::human;
use common::name;
use common::template::Format;
use common::time::{self, Timestamp};
use serde_json::{Map, Value};

use crate::cli::Cli;
use crate::steps::Step;

const FIELDS: [&str; 6] = ["ID", "CreatedSince", "CreatedAt", "CreatedBy", "Size", "Comment"];
const DEFAULT: &str = "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}";
/// The width to which docker cuts commands.
const COMMAND_WIDTH: usize = 45;

/// How histories are to be shown.
pub(crate) struct Table {
    format: Format,
    /// Nothing but IDs.
    ids_only: bool,
    no_trunc: bool,
    human: bool,
    /// Whether a person sees what is written.
    terminal: bool,
    now: Timestamp,
}

impl Table {
    pub(crate) fn new(cli: &Cli, terminal: bool) -> Result<Self, Failure> {
        let format = Format::parse(cli.format.as_deref().unwrap_or_default(), DEFAULT, &FIELDS)
            .map_err(|error| Failure::usage(format!("--format: {error}")))?;
        // As docker does it, a template of one's own has the last word.
        let ids_only = cli.output.quiet && format.is_table();
        Ok(Self {
            format,
            ids_only,
            no_trunc: cli.no_trunc,
            human: cli.human,
            terminal,
            now: time::clock(),
        })
    }

    pub(crate) fn has_headers(&self) -> bool {
        self.format.is_table() && !self.ids_only
    }

    /// Whether it is worth measuring layers.
    pub(crate) fn shows_sizes(&self) -> bool {
        !self.ids_only
    }

    pub(crate) fn of(&self, steps: &[Step]) -> String {
        let mut lines = Vec::new();
        if self.has_headers() {
            lines.push(self.format.headers(&self.headers()));
        }
        for step in steps {
            lines.push(match self.ids_only {
                true => self.id(step.image.as_ref()),
                false => self.harmless(&self.format.line(&self.fields(step))),
            });
        }
        match self.format.is_table() {
            true => human::columns(&lines),
            false => lines.into_iter().map(|line| line + "\n").collect(),
        }
    }

    fn headers(&self) -> Map<String, Value> {
        let since = if self.human { "CREATED" } else { "CREATED AT" };
        let headers = ["IMAGE", since, "CREATED AT", "CREATED BY", "SIZE", "COMMENT"];
        FIELDS.iter().zip(headers).map(|(field, header)| ((*field).into(), header.into())).collect()
    }

    fn fields(&self, step: &Step) -> Map<String, Value> {
        let values = [
            self.id(step.image.as_ref()),
            self.since(step),
            human::local_time(step.entry.created_time()),
            self.created_by(step),
            self.size(step),
            self.comment(step),
        ];
        FIELDS.iter().zip(values).map(|(field, value)| ((*field).into(), value.into())).collect()
    }

    fn id(&self, image: Option<&Digest>) -> String {
        match image {
            None => "<missing>".into(),
            Some(digest) if self.no_trunc => digest.to_string(),
            Some(digest) => digest.short().into(),
        }
    }

    fn since(&self, step: &Step) -> String {
        let created = step.entry.created_time();
        if self.human { human::since(created, self.now) } else { human::local_time(created) }
    }

    fn created_by(&self, step: &Step) -> String {
        // Docker replaces tabs.
        let line = self.unbroken(&step.entry.created_by.replace('\t', " "));
        if self.no_trunc { line } else { human::ellipsis(&line, COMMAND_WIDTH) }
    }

    fn comment(&self, step: &Step) -> String {
        self.unbroken(&step.entry.comment)
    }

    /// A line of a table is a line, also where a heredoc or a message is more.
    fn unbroken(&self, text: &str) -> String {
        match self.format.is_table() {
            true => text.replace(['\n', '\r'], " "),
            false => text.to_owned(),
        }
    }

    fn size(&self, step: &Step) -> String {
        let size = match &step.layer {
            None => 0,
            Some(layer) => match layer.size {
                Some(size) => size,
                None => return "N/A".into(),
            },
        };
        if self.human { human::size(size) } else { size.to_string() }
    }

    /// What the image says is raw in a pipe and harmless on a terminal.
    fn harmless(&self, line: &str) -> String {
        if !self.terminal {
            return line.to_owned();
        }
        let mut harmless = String::new();
        for part in line.split_inclusive(['\t', '\n']) {
            let text = part.trim_end_matches(['\t', '\n']);
            harmless += &name::show(text).to_string();
            harmless += part.get(text.len()..).unwrap_or_default();
        }
        harmless
    }
}
