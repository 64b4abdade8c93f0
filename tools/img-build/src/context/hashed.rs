//! What the files of a context were hashed to, so that those which have not changed
//! since need not be read again.
//!
//! A file is taken to be as it was if its device, inode, length and both its times
//! are: the time of its last change cannot be set by programs, so that neither
//! `touch -r` nor a write of the same length deceives it. A file that changed within
//! the second before it was looked at is not remembered: it could change again
//! without its time telling.

use std::collections::HashMap;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use common::codec::{Cursor, put_bytes, read_summed, write_summed};
use common::digest::Digest;
use common::time;

/// Changes whenever the bytes mean something else.
const MAGIC: &[u8; 8] = b"luhash01";

/// All that tells a file from what it becomes: device, inode, length, and the times
/// of modification and change, in seconds and nanoseconds.
type Facts = [u64; 7];

/// Digests by path.
#[derive(Debug)]
pub(crate) struct Hashed {
    /// Where they are kept.
    path: Option<PathBuf>,
    known: HashMap<Vec<u8>, (Facts, Digest)>,
    /// The files of this build.
    seen: Vec<(Vec<u8>, Facts, Arc<OnceLock<Digest>>)>,
    /// When looking began, in seconds.
    began: i64,
}

impl Hashed {
    /// What is known of a context. What cannot be read is not known.
    pub(crate) fn load(cache: Option<&Path>, context: &Path) -> Self {
        let mut hashed = Self::forgotten(cache, context);
        let bytes = hashed.path.as_deref().and_then(|path| read_summed(path, MAGIC));
        hashed.known = bytes.and_then(|bytes| decode(&bytes)).unwrap_or_default();
        hashed
    }

    /// Nothing is known, but it will be.
    pub(crate) fn forgotten(cache: Option<&Path>, context: &Path) -> Self {
        let context = fs::canonicalize(context).unwrap_or_default();
        let name = Digest::of(context.as_os_str().as_bytes());
        let path = cache.map(|cache| cache.join("contexts").join(name.hex()));
        Self { path, known: HashMap::new(), seen: Vec::new(), began: time::clock().seconds }
    }

    /// The digest of a file if it is known, and the place for it if it is not.
    pub(super) fn digest(&mut self, path: &[u8], metadata: &fs::Metadata) -> Arc<OnceLock<Digest>> {
        let facts = [
            metadata.dev(),
            metadata.ino(),
            metadata.len(),
            bits(metadata.mtime()),
            bits(metadata.mtime_nsec()),
            bits(metadata.ctime()),
            bits(metadata.ctime_nsec()),
        ];
        let known = self.known.get(path).filter(|(known, _)| *known == facts);
        let digest =
            Arc::new(known.map_or_else(OnceLock::new, |(_, digest)| digest.clone().into()));
        if metadata.ctime() < self.began - 1 {
            self.seen.push((path.to_vec(), facts, Arc::clone(&digest)));
        }
        digest
    }

    /// Keeps what is known now. A cache that cannot be written costs time only.
    pub(crate) fn save(&self) {
        let is_new = |(path, facts, digest): &(Vec<u8>, Facts, Arc<OnceLock<Digest>>)| {
            digest.get().is_some() && self.known.get(path).is_none_or(|(known, _)| known != facts)
        };
        let Some(path) = self.path.as_deref().filter(|_| self.seen.iter().any(is_new)) else {
            return;
        };
        let mut bytes = Vec::new();
        for (path, facts, digest) in &self.seen {
            if let Some(digest) = digest.get() {
                put_bytes(&mut bytes, path);
                facts.iter().for_each(|fact| bytes.extend(fact.to_le_bytes()));
                put_bytes(&mut bytes, digest.to_string().as_bytes());
            }
        }
        let _ = write_summed(path, MAGIC, &bytes);
    }
}

/// The same bits without a sign: times before 1970 are as good as others.
fn bits(number: i64) -> u64 {
    u64::from_ne_bytes(number.to_ne_bytes())
}

fn decode(bytes: &[u8]) -> Option<HashMap<Vec<u8>, (Facts, Digest)>> {
    let mut rest = Cursor(bytes);
    let mut known = HashMap::new();
    while !rest.0.is_empty() {
        let path = rest.bytes()?;
        let mut facts = Facts::default();
        for fact in &mut facts {
            *fact = rest.number()?;
        }
        let digest = std::str::from_utf8(&rest.bytes()?).ok()?.parse().ok()?;
        known.insert(path, (facts, digest));
    }
    Some(known)
}
