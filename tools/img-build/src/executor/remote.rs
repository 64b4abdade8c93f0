//! ADD of a URL: the file behind it, kept in the cache as long as the server says that it is
//! the same.

use std::fs::{self, File as HostFile};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use common::compression::Growth;
use common::digest::{Algorithm, Digest, Hasher, Hashing};
use common::root::Root;
use common::time::Timestamp;
use common::{cache, document};
use registry::{Download, Fetched, fetch};
use serde::{Deserialize, Serialize};

use super::Run;
use super::snapshot::Snapshot;
use crate::context;
use crate::error::Error;
use crate::git::{self, Repository};
use crate::scratch::Scratch;
use crate::step::transfer::Found;
use crate::tree::{Attributes, Content, File, HostRoot, Item, Tree};

/// The longest record of a download.
const MAX_RECORD_LEN_BYTES: u64 = 64 << 10;

/// The name of the file in its snapshot.
const FILE: &str = "file";

/// The number of files that are kept beside those in use.
const KEPT: usize = 64;

/// The record of a URL.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Record {
    etag: Option<String>,
    /// In seconds.
    last_modified: Option<i64>,
    /// By sha256.
    digest: Digest,
    /// By another algorithm, if a checksum asked for it.
    #[serde(default)]
    checked: Option<Digest>,
}

/// A file that was fetched, and what must stay while it is read.
pub(super) struct Remote {
    pub(super) tree: Tree,
    pub(super) found: Found,
    _snapshot: Option<Snapshot>,
    _scratch: Scratch,
}

impl Record {
    fn is(&self, checksum: &Digest) -> bool {
        [Some(&self.digest), self.checked.as_ref()].contains(&Some(checksum))
    }
}

impl Run<'_> {
    /// The file at a URL, as a tree of one file.
    ///
    /// # Errors
    /// A server that fails, a content without that checksum.
    pub(super) fn remote(&self, url: &str, checksum: Option<&str>) -> Result<Remote, Error> {
        let scratch = Scratch::new(self.executor.place.cache.as_deref())?;
        let checksum = checksum.map(str::parse::<Digest>).transpose().map_err(|_| {
            Error::Other(format!("--checksum={}: not a digest", checksum.unwrap_or_default()))
        })?;
        let checksum = checksum.as_ref();
        // Without a cache it is there for this step alone.
        let base = self.executor.place.cache.as_deref().unwrap_or_else(|| scratch.path());
        let path = base.join("downloads").join(Digest::of(url.as_bytes()).hex());
        let known = document::found(&path, MAX_RECORD_LEN_BYTES).ok();
        let known: Option<Record> = known.and_then(|json| serde_json::from_slice(&json).ok());
        let file = scratch.path().join(FILE);
        let fetch = |etag: Option<String>| self.fetch(url, etag, checksum, &file);
        let record = match known {
            // A file with this checksum is the right one, whatever the URL serves now.
            Some(record) if checksum.is_some_and(|checksum| record.is(checksum)) => record,
            Some(record) if checksum.is_none() && record.etag.is_some() => {
                fetch(record.etag.clone())?.unwrap_or(record)
            }
            _ => fetch(None)?.ok_or_else(|| no_content(url))?,
        };
        if let Some(expected) = checksum.filter(|checksum| !record.is(checksum)) {
            let actual = record.checked.as_ref().unwrap_or(&record.digest);
            return Err(Error::Other(format!(
                "'{url}': checksum mismatch: expected {expected}, got {actual}"
            )));
        }
        let key = Digest::of(format!("download {}", record.digest).as_bytes());
        let snapshot = Snapshot::open(base, "downloads-kept", KEPT, &key, &self.schedule, |dir| {
            // It may have been removed since it was recorded.
            if !file.try_exists().map_err(Error::file(&file))?
                && fetch(None)?.ok_or_else(|| no_content(url))?.digest != record.digest
            {
                return Err(Error::Other(format!("'{url}': changed while it was fetched")));
            }
            fs::rename(&file, dir.join(FILE)).map_err(Error::file(&file))
        })?;
        // A cache that cannot be written costs time only.
        if let Ok(json) = serde_json::to_vec(&record) {
            let _ = cache::write(&path, &[&json]);
        }
        let (tree, found) = tree(url, &snapshot.dir, &record)?;
        Ok(Remote { tree, found, _snapshot: Some(snapshot), _scratch: scratch })
    }

    /// A commit of a git repository, as a tree of its files.
    ///
    /// # Errors
    /// A git that fails, a commit without that checksum.
    pub(super) fn repository(
        &self,
        text: &str,
        checksum: Option<&str>,
        keeps_git_dir: Option<bool>,
    ) -> Result<Remote, Error> {
        let place = self.executor.place;
        let scratch = Scratch::new(place.cache.as_deref()).or_else(|_| Scratch::new(None))?;
        let into = scratch.path().join("repository");
        let keeps_git_dir = keeps_git_dir.unwrap_or(false);
        let agent = self.executor.agents.get(git::AGENT).map(PathBuf::as_path);
        let settings = git::Settings { max_size: place.max_size, agent };
        let repository = Repository::parse(text)?;
        let dir = repository.check_out(&into, keeps_git_dir, checksum, settings)?;
        let tree = context::whole(&dir)?;
        let found = Found::exactly(Vec::new());
        Ok(Remote { tree, found, _snapshot: None, _scratch: scratch })
    }

    /// Fetches a URL to the file at `path`; its record, or `None` if it still has the entity
    /// tag `etag`. A failed build does not wait for the server.
    fn fetch(
        &self,
        url: &str,
        etag: Option<String>,
        checksum: Option<&Digest>,
        path: &Path,
    ) -> Result<Option<Record>, Error> {
        let (url, path) = (url.to_owned(), path.to_owned());
        let other = checksum.map(Digest::algorithm).filter(|kind| *kind != Algorithm::Sha256);
        let growth = self.executor.place.max_size.growth(None);
        self.schedule.run_aside(move || match fetch(&url, etag.as_deref())? {
            Fetched::Unchanged => Ok(None),
            Fetched::File(download) => receive(download, other, growth, &path).map(Some),
        })
    }
}

fn no_content(url: &str) -> Error {
    Error::Other(format!("'{url}': no content"))
}

/// Writes a download to a new file; its record.
fn receive(
    download: Download,
    other: Option<Algorithm>,
    mut growth: Growth,
    path: &Path,
) -> Result<Record, Error> {
    let Download { etag, last_modified, content } = download;
    let mut file = HostFile::create_new(path).map_err(Error::file(path))?;
    let mut other = other.map(Hasher::new);
    let mut content = Hashing::new(content);
    let mut buffer = vec![0; 128 * 1024];
    loop {
        let len = io::Read::read(&mut content, &mut buffer).map_err(Error::file("download"))?;
        if len == 0 {
            break;
        }
        growth.add(len as u64).map_err(|error| Error::Other(error.to_string()))?;
        let part = buffer.get(..len).unwrap_or_default();
        file.write_all(part).map_err(Error::file(path))?;
        if let Some(hasher) = &mut other {
            hasher.update(part);
        }
    }
    let (_, digest, _) = content.finish();
    let last_modified = last_modified.map(|time| time.seconds);
    Ok(Record { etag, last_modified, digest, checked: other.map(Hasher::finish) })
}

/// A tree of the file, with the name that the URL gives it: 0600, root's, as in BuildKit.
fn tree(url: &str, dir: &Path, record: &Record) -> Result<(Tree, Found), Error> {
    let len = fs::metadata(dir.join(FILE)).map_err(Error::file(dir))?.len();
    let root = HostRoot(Root::open(dir).map_err(Error::file(dir))?);
    let content = Content::Host { root: Arc::new(root), path: FILE.into() };
    let digest = Arc::new(OnceLock::from(record.digest.clone()));
    let file = File { len_bytes: len, content, digest };
    let mtime = Timestamp::from_seconds(record.last_modified.unwrap_or(0));
    let attributes = Attributes { mode: 0o600, ..Attributes::implied(mtime) };
    let names = vec![file_name(url)];
    let mut tree = Tree::new();
    tree.put(&names, Item::file(attributes, file));
    Ok((tree, Found::exactly(names)))
}

/// The last name in a URL's path.
fn file_name(url: &str) -> Vec<u8> {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let path = path.split_once("://").map_or(path, |(_, rest)| rest);
    let path = path.split_once('/').map_or("", |(_, path)| path);
    let name = decoded(path.trim_end_matches('/').rsplit('/').next().unwrap_or_default());
    match name.as_slice() {
        b"" | b"." | b".." => b"__unnamed__".to_vec(),
        name if name.contains(&b'/') || name.contains(&0) => b"__unnamed__".to_vec(),
        _ => name,
    }
}

/// `%20` and the like as the bytes that they stand for.
fn decoded(text: &str) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(escaped) if byte == b'%' => {
                decoded.push(escaped);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                decoded.push(byte);
                rest = after;
            }
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn a_file_has_the_last_name_of_its_url() {
        for (url, name) in [
            ("https://h/a/b.tar.gz", "b.tar.gz"),
            ("https://h/a/b?x=/c#d/e", "b"),
            ("https://h/a%20b", "a b"),
            ("https://h/a/", "a"),
            ("https://h/", "__unnamed__"),
            ("https://h", "__unnamed__"),
            ("https://h/..", "__unnamed__"),
            ("https://h/%2e%2e", "__unnamed__"),
            ("https://h/a%2fb", "__unnamed__"),
            ("https://h/a%00", "__unnamed__"),
            ("https://h/50%", "50%"),
        ] {
            assert_eq!(file_name(url), name.as_bytes(), "{url}");
        }
    }
}
