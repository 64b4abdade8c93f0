//! The build cache: what a step was, and the layer that came of it.
//!
//! A step is described by a record: everything that its result depends on, and
//! nothing else. The key is the digest of the record. A file of that name holds the
//! outcome as its first line, which is all that a hit reads, and the record as its
//! second, so that `--explain` can say what became different. Files are described by
//! what ends up in the layer, so the same COPY hits on another base, too, as long as it
//! reads the same of it. Deleting the cache costs time only.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use common::cache;
use common::digest::{DiffId, Digest};
use common::document;
use common::image::Layer;
use common::oci::{Descriptor, media_type};
use common::store::Store;
use rustix::fs::CWD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Error;

/// Changes whenever the same record would make another layer.
const VERSION: u32 = 1;

/// What a step depends on, in an order that does not matter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    facts: Facts,
    /// The files of the layer, as the text of a JSON array: there may be a great many, and
    /// only a difference is looked for in them.
    entries: Option<Vec<u8>>,
}

type Facts = serde_json::Map<String, Value>;

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

/// The longest outcome.
const MAX_OUTCOME_LEN_BYTES: u64 = 64 << 10;

/// The longest file of the cache that is read whole: a record of a million files.
const MAX_LEN_BYTES: u64 = 256 << 20;

/// A record as it is kept, and its digest.
#[derive(Debug)]
pub(crate) struct Key {
    json: Vec<u8>,
    digest: Digest,
}

impl Key {
    pub(crate) fn digest(&self) -> &Digest {
        &self.digest
    }
}

impl Record {
    /// A record of these facts, an object.
    pub(crate) fn new(facts: Value) -> Self {
        let mut map = match facts {
            Value::Object(map) => map,
            other => [("facts".to_owned(), other)].into_iter().collect(),
        };
        map.insert("version".into(), VERSION.into());
        Self { facts: map, entries: None }
    }

    /// The record with the files of a layer, each as JSON, with commas between them.
    pub(crate) fn with_entries(self, entries: &[u8]) -> Self {
        Self { entries: Some([b"[", entries, b"]"].concat()), ..self }
    }

    /// The record with one more fact.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.facts.insert(name.into(), value.into());
        self
    }

    pub(crate) fn key(&self) -> Result<Key, Error> {
        let facts = to_json(&self.facts)?;
        let json = match (&self.entries, facts.split_first()) {
            (Some(entries), Some((_, facts))) => {
                [b"{\"entries\":", entries.as_slice(), b",", facts].concat()
            }
            _ => facts,
        };
        let digest = Digest::of(&json);
        Ok(Key { json, digest })
    }
}

fn to_json(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|error| Error::Other(error.to_string()))
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
    pub(crate) fn find(&self, key: &Key, store: &Store) -> Option<Outcome> {
        if self.is_ignored {
            return None;
        }
        let file = document::open_at(CWD, &self.path(&key.digest)?).ok()?;
        let mut line = Vec::new();
        let mut reader = BufReader::new(file.take(MAX_OUTCOME_LEN_BYTES));
        reader.read_until(b'\n', &mut line).ok()?;
        // A crash may have left less than a line.
        let outcome: Outcome = serde_json::from_slice(line.strip_suffix(b"\n")?).ok()?;
        let is_there = outcome.layer().is_none_or(|layer| store.contains(&layer.descriptor));
        is_there.then_some(outcome)
    }

    /// Keeps what came of a step. A cache that cannot be written costs time only.
    pub(crate) fn keep(&self, key: &Key, outcome: &Outcome) -> Result<(), Error> {
        if let Some(path) = self.path(&key.digest) {
            let _ = cache::write(&path, &[&to_json(outcome)?, b"\n", &key.json]);
        }
        Ok(())
    }

    /// Remembers which record a step of a Containerfile had, for [`Cache::difference`].
    pub(crate) fn remember(&self, step: &str, key: &Key) {
        let Some(path) = self.step(step) else { return };
        let (hex, limit) = (key.digest.hex().as_bytes(), MAX_OUTCOME_LEN_BYTES);
        if document::found(&path, limit).is_ok_and(|kept| kept == hex) {
            return;
        }
        let _ = cache::write(&path, &[hex]);
    }

    /// What became different since a step was last built; `None` if it never was.
    pub(crate) fn difference(&self, step: &str, now: &Record) -> Option<String> {
        let hex = document::found(&self.step(step)?, MAX_OUTCOME_LEN_BYTES).ok()?;
        let path =
            self.path(&format!("sha256:{}", std::str::from_utf8(&hex).ok()?).parse().ok()?)?;
        let kept = document::found(&path, MAX_LEN_BYTES).ok()?;
        let at = kept.iter().position(|byte| *byte == b'\n')?;
        let before = serde_json::from_slice(kept.get(at..)?).ok()?;
        let mut facts = now.facts.clone();
        if let Some(entries) = &now.entries {
            facts.insert("entries".into(), serde_json::from_slice(entries).ok()?);
        }
        Some(difference(&before, &facts))
    }

    fn path(&self, key: &Digest) -> Option<PathBuf> {
        let folder = key.hex().get(..2)?;
        Some(self.dir.as_ref()?.join("keys").join(folder).join(key.hex()))
    }

    fn step(&self, step: &str) -> Option<PathBuf> {
        Some(self.dir.as_ref()?.join("steps").join(Digest::of(step.as_bytes()).hex()))
    }
}

/// What of a step is not as it was.
fn difference(before: &Facts, now: &Facts) -> String {
    let mut changed = Vec::new();
    for (name, value) in now {
        match before.get(name) {
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
    let texts = |values: &[Value]| values.iter().map(Value::to_string).collect::<Vec<_>>();
    let (old, new) = (texts(old), texts(new));
    let only = |these: &[String], those: &[String], sign: &str| {
        let those: HashSet<&String> = those.iter().collect();
        let only = these.iter().filter(|item| !those.contains(item));
        only.map(|item| format!("{sign}{item}")).collect::<Vec<_>>()
    };
    let words = [only(&old, &new, "-"), only(&new, &old, "+")].concat();
    if words.is_empty() { "another order".into() } else { first(words) }
}

/// Lists of files, by their paths.
fn entries(old: &[Value], new: &[Value]) -> String {
    fn by_path(entries: &[Value]) -> HashMap<&str, &Value> {
        entries.iter().map(|entry| (path(entry), entry)).collect()
    }
    fn path(entry: &Value) -> &str {
        entry.get(0).and_then(Value::as_str).unwrap_or_default()
    }
    let (before, after) = (by_path(old), by_path(new));
    let changed = new.iter().filter_map(|entry| match before.get(path(entry)) {
        None => Some(format!("+{}", path(entry))),
        Some(before) => (*before != entry).then(|| path(entry).to_owned()),
    });
    let gone = old.iter().map(path).filter(|path| !after.contains_key(path));
    format!("files: {}", first(changed.chain(gone.map(|path| format!("-{path}"))).collect()))
}

/// How many words are named before the rest is counted.
const SHOWN: usize = 5;

fn first(mut words: Vec<String>) -> String {
    let rest = words.len().saturating_sub(SHOWN);
    words.truncate(SHOWN);
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    format!("{}{more}", words.join(" "))
}
