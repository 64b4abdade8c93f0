//! How a member is shown.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt as _;

use common::human::count;
use common::json::{self, insert_name};
use common::layer::listing::{insert_entry, long_line};
use common::layer::whiteout::{self, Basename};
use common::name::show;
use common::tar::Entry;
use serde_json::Map;

/// The form of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Names, each with this behind it.
    Names { end: u8 },
    /// As `tar -tv` does.
    Long,
    /// JSON objects.
    Json,
}

/// What a layer held.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Total {
    entries: u64,
    content_bytes: u64,
    whiteouts: u64,
}

impl Total {
    pub(crate) fn add(&mut self, entry: &Entry) {
        self.entries += 1;
        match Role::of(&entry.path) {
            Role::Entry => self.content_bytes += entry.len_bytes,
            Role::Whiteout(_) | Role::Opaque(_) => self.whiteouts += 1,
        }
    }
}

impl std::fmt::Display for Total {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let entries = count(self.entries, "entry", "entries");
        let bytes = count(self.content_bytes, "byte", "bytes");
        let whiteouts = count(self.whiteouts, "whiteout", "whiteouts");
        write!(f, "total {entries}, {bytes}, {whiteouts}")
    }
}

/// What a member does.
enum Role {
    Entry,
    /// Deletes this.
    Whiteout(Vec<u8>),
    /// Hides what this directory has below.
    Opaque(Vec<u8>),
}

impl Role {
    fn of(path: &[u8]) -> Self {
        let path = path.strip_suffix(b"/").unwrap_or(path);
        let name_at = path.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
        let (parent, name) = path.split_at(name_at);
        match whiteout::classify(name) {
            Basename::Whiteout(hidden) => Self::Whiteout([parent, hidden].concat()),
            Basename::Opaque if parent.is_empty() => Self::Opaque(b"./".to_vec()),
            Basename::Opaque => Self::Opaque(parent.to_vec()),
            Basename::Plain | Basename::Aufs | Basename::Invalid => Self::Entry,
        }
    }
}

/// Shows one member. On a terminal, what could drive it is escaped. In JSON, `layer`
/// is told where it is one of several.
pub(crate) fn write(
    stream: &mut impl Write,
    entry: &Entry,
    form: Form,
    layer: Option<&OsStr>,
    is_terminal: bool,
) -> io::Result<()> {
    match form {
        Form::Names { end } => {
            write_name(stream, &entry.path, is_terminal)?;
            stream.write_all(&[end])
        }
        Form::Long => {
            let line = match Role::of(&entry.path) {
                Role::Entry => long_line(entry),
                Role::Whiteout(hidden) => {
                    [b"whiteout   ".as_slice(), &hidden, b" (deleted)"].concat()
                }
                Role::Opaque(hidden) => {
                    [b"opaque     ".as_slice(), &hidden, b" (nothing below shows)"].concat()
                }
            };
            write_name(stream, &line, is_terminal)?;
            stream.write_all(b"\n")
        }
        Form::Json => {
            let mut object = Map::new();
            if let Some(layer) = layer {
                insert_name(&mut object, "layer", layer.as_bytes());
            }
            let (kind, hidden) = match Role::of(&entry.path) {
                Role::Entry => ("entry", None),
                Role::Whiteout(hidden) => ("whiteout", Some(hidden)),
                Role::Opaque(hidden) => ("opaque", Some(hidden)),
            };
            object.insert("kind".into(), kind.into());
            insert_name(&mut object, "path", &entry.path);
            match hidden {
                Some(hidden) => insert_name(&mut object, "hides", &hidden),
                None => insert_entry(&mut object, entry),
            }
            writeln!(stream, "{}", json::line(&object)?)
        }
    }
}

pub(crate) fn write_name(
    stream: &mut impl Write,
    name: &[u8],
    is_terminal: bool,
) -> io::Result<()> {
    if is_terminal { write!(stream, "{}", show(name)) } else { stream.write_all(name) }
}
