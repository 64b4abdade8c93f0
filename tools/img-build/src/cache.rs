//! The build cache: what a step was, and the layer that came of it.
//!
//! A step is described by a record: everything that its result depends on, and
//! nothing else. The key is the digest of the record, and the record is kept with
//! the result, so that a miss can be explained. Files are described by what ends up
//! in the layer, so the same COPY hits on another base, too, as long as it reads the
//! same of it. Deleting the cache costs time only.

use std::fs;
use std::path::{Path, PathBuf};

use common::cache;
use common::digest::{DiffId, Digest};
use common::image::Layer;
use common::oci::{Descriptor, media_type};
use common::store::Store;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Error;

/// Changes whenever the same record would make another layer.
const VERSION: u32 = 1;

/// What a step depends on, in an order that does not matter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record(serde_json::Map<String, Value>);

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// When, RFC 3339.
    pub(crate) created: String,
    /// The layer as plain tar, `None` if nothing changed.
    layer: Option<Blob>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Blob {
    digest: Digest,
    len_bytes: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    record: Record,
    outcome: Outcome,
}

impl Record {
    /// A record of these facts, an object.
    pub(crate) fn new(facts: Value) -> Self {
        let mut map = match facts {
            Value::Object(map) => map,
            other => [("facts".to_owned(), other)].into_iter().collect(),
        };
        map.insert("version".into(), VERSION.into());
        Self(map)
    }

    fn key(&self) -> Result<Digest, Error> {
        let json = serde_json::to_vec(self).map_err(|error| Error::Other(error.to_string()))?;
        Ok(Digest::of(&json))
    }
}

impl Outcome {
    pub(crate) fn of_layer(created: String, digest: Digest, len_bytes: u64) -> Self {
        Self { created, layer: Some(Blob { digest, len_bytes }) }
    }

    pub(crate) fn of_nothing(created: String) -> Self {
        Self { created, layer: None }
    }

    /// The layer, as an image lists it.
    pub(crate) fn layer(&self) -> Option<Layer> {
        let Blob { digest, len_bytes } = self.layer.clone()?;
        let descriptor = Descriptor::new(media_type::LAYER, digest.clone(), len_bytes);
        Some(Layer { descriptor, diff_id: DiffId(digest) })
    }
}

/// The cache of a user. Without a place for it, nothing is ever found.
#[derive(Debug)]
pub(crate) struct Cache {
    dir: Option<PathBuf>,
    /// `--no-cache`: results are kept, but none is taken.
    pub(crate) is_ignored: bool,
}

impl Cache {
    /// Below `base`, for one store: another does not have the layers.
    pub(crate) fn new(base: Option<&Path>, store: &Path, is_ignored: bool) -> Self {
        use std::os::unix::ffi::OsStrExt as _;
        let store = fs::canonicalize(store).unwrap_or_else(|_| store.to_owned());
        let store = Digest::of(store.as_os_str().as_bytes());
        Self { dir: base.map(|base| base.join("build").join(store.short())), is_ignored }
    }

    /// What came of the step before, if the store still has it.
    pub(crate) fn find(&self, record: &Record, store: &Store) -> Result<Option<Outcome>, Error> {
        if self.is_ignored {
            return Ok(None);
        }
        let Some(path) = self.path(&record.key()?) else { return Ok(None) };
        let kept = load(&path).filter(|kept| kept.record == *record);
        Ok(kept.map(|kept| kept.outcome).filter(|outcome| {
            outcome.layer().is_none_or(|layer| store.contains(&layer.descriptor))
        }))
    }

    /// Keeps what came of a step. A cache that cannot be written costs time only.
    pub(crate) fn keep(&self, record: &Record, outcome: &Outcome) -> Result<(), Error> {
        if let Some(path) = self.path(&record.key()?) {
            let kept = Kept { record: record.clone(), outcome: outcome.clone() };
            let json =
                serde_json::to_vec(&kept).map_err(|error| Error::Other(error.to_string()))?;
            let _ = cache::write(&path, &[&json]);
        }
        Ok(())
    }

    /// Remembers which record a step of a Containerfile had, to say next time what
    /// became different; tells what it was.
    pub(crate) fn remember(&self, step: &str, record: &Record) -> Result<Option<Record>, Error> {
        let Some(dir) = &self.dir else { return Ok(None) };
        let path = dir.join("steps").join(Digest::of(step.as_bytes()).hex());
        let before = fs::read(&path).ok().and_then(|json| serde_json::from_slice(&json).ok());
        let json = serde_json::to_vec(record).map_err(|error| Error::Other(error.to_string()))?;
        let _ = cache::write(&path, &[&json]);
        Ok(before)
    }

    fn path(&self, key: &Digest) -> Option<PathBuf> {
        let folder = key.hex().get(..2)?;
        Some(self.dir.as_ref()?.join("keys").join(folder).join(key.hex()))
    }
}

/// `None` for what is not there or not whole: the step is executed again.
fn load(path: &Path) -> Option<Kept> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// What of a step is not as it was: for `--explain`.
pub(crate) fn difference(before: &Record, now: &Record) -> String {
    let mut changed = Vec::new();
    for (name, value) in &now.0 {
        match before.0.get(name) {
            Some(old) if old == value => {}
            Some(Value::Array(old)) if name == "entries" => {
                changed.push(entries(old, value.as_array().map_or(&[], Vec::as_slice)));
            }
            Some(Value::Array(old)) => {
                let new = value.as_array().map_or(&[][..], Vec::as_slice);
                changed.push(format!("{name}: {}", items(old, new)));
            }
            Some(old) => changed.push(format!("{name}: was {old}, is {value}")),
            None => changed.push(format!("{name} is new")),
        }
    }
    match changed.is_empty() {
        true => "nothing differs, but there is no result".into(),
        false => changed.join("; "),
    }
}

/// Lists of words: which are new, which are gone.
fn items(old: &[Value], new: &[Value]) -> String {
    let only = |these: &[Value], those: &[Value], sign: &str| {
        let only = these.iter().filter(|item| !those.contains(item));
        only.map(|item| format!("{sign}{item}")).collect::<Vec<_>>()
    };
    let words = [only(old, new, "-"), only(new, old, "+")].concat();
    if words.is_empty() { "another order".into() } else { words.join(" ") }
}

/// How many paths are named before the rest is counted.
const SHOWN: usize = 5;

/// Lists of files, by their paths.
fn entries(old: &[Value], new: &[Value]) -> String {
    let path = |entry: &Value| entry.get(0).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut words = Vec::new();
    for entry in new {
        match old.iter().find(|before| path(before) == path(entry)) {
            None => words.push(format!("+{}", path(entry))),
            Some(before) if before != entry => words.push(path(entry)),
            Some(_) => {}
        }
    }
    let gone = old.iter().filter(|before| !new.iter().any(|entry| path(entry) == path(before)));
    words.extend(gone.map(|entry| format!("-{}", path(entry))));
    let rest = words.len().saturating_sub(SHOWN);
    words.truncate(SHOWN);
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    format!("files: {}{more}", words.join(" "))
}
