//! The packages that are in one of two images and not in the other, as far as databases
//! and names of files tell. Only what differs between the images is read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, BufRead as _, BufReader, Read as _};

use common::inside::compare::{Facts, File};
use common::inside::{Error, Inside, Side, Wanted};
use common::name::show;

/// The longest database and the longest small file that are read, and the most that is read
/// of an image, in bytes.
const MAX_DATABASE_LEN_BYTES: u64 = 64 << 20;
const MAX_FILE_LEN_BYTES: u64 = 1 << 20;
const MAX_ALL_LEN_BYTES: u64 = 512 << 20;

/// The most packages of an image that are compared.
const MAX_PACKAGES: usize = 200_000;

/// The longest line, name or version that is taken, in bytes.
const MAX_LINE_LEN_BYTES: u64 = 64 << 10;
const MAX_WORD_LEN: usize = 256;

/// A package that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Package {
    /// `deb`, `apk`, `pip`, `npm` or `gem`.
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    /// The versions that only this side has.
    pub(crate) old: BTreeSet<String>,
    pub(crate) new: BTreeSet<String>,
}

/// The differences between the packages of two images.
#[derive(Debug, Default)]
pub(crate) struct Packages {
    pub(crate) list: Vec<Package>,
    /// Databases that differ and are not read, or not to their end, by path.
    pub(crate) not_read: BTreeSet<Vec<u8>>,
}

/// The kinds of package databases.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    Dpkg,
    Apk,
    Npm,
    /// Its own name says it.
    Named(&'static str, String, String),
    /// A database that nothing here reads.
    Rpm,
}

impl Source {
    /// Returns the longest file of this kind that is read.
    fn max_len_bytes(&self) -> u64 {
        match self {
            Self::Npm => MAX_FILE_LEN_BYTES,
            _ => MAX_DATABASE_LEN_BYTES,
        }
    }
}

/// The versions of the packages of one image.
#[derive(Debug)]
struct Found {
    packages: BTreeMap<(&'static str, String), BTreeSet<String>>,
    /// The number of versions that may still be added.
    left: usize,
}

impl Default for Found {
    fn default() -> Self {
        Self { packages: BTreeMap::new(), left: MAX_PACKAGES }
    }
}

impl Found {
    /// Adds a package, unless there are too many.
    fn add(&mut self, kind: &'static str, name: String, version: String) -> Read {
        let key = (kind, name);
        if self.packages.get(&key).is_some_and(|versions| versions.contains(&version)) {
            return Read::Whole;
        }
        let Some(left) = self.left.checked_sub(1) else { return Read::InPart };
        self.left = left;
        self.packages.entry(key).or_default().insert(version);
        Read::Whole
    }
}

/// The part of a database that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Read {
    Whole,
    InPart,
}

pub(crate) fn compare(
    old: &Inside,
    new: &Inside,
    files: &[File],
) -> Result<Packages, (Side, Error)> {
    let mut packages = Packages::default();
    let mut side = |inside: &Inside, side: Side| {
        let sides = files.iter().filter_map(|file| {
            let facts = match side {
                Side::Old => file.old.as_ref(),
                Side::New => file.new.as_ref(),
            };
            Some((&*file.path, facts?))
        });
        let found = found(inside, sides, &mut packages.not_read);
        found.map(|found| found.packages).map_err(|error| (side, error))
    };
    let (one, other) = (side(old, Side::Old)?, side(new, Side::New)?);
    let keys: BTreeSet<_> = one.keys().chain(other.keys()).cloned().collect();
    let none = BTreeSet::new();
    for key in keys {
        let (one, other) = (one.get(&key).unwrap_or(&none), other.get(&key).unwrap_or(&none));
        let only = |own: &BTreeSet<String>, others| own.difference(others).cloned().collect();
        let (old, new): (BTreeSet<String>, BTreeSet<String>) = (only(one, other), only(other, one));
        if !old.is_empty() || !new.is_empty() {
            packages.list.push(Package { kind: key.0, name: key.1, old, new });
        }
    }
    Ok(packages)
}

/// The packages of one side, as far as its files differ.
fn found<'f>(
    inside: &Inside,
    files: impl Iterator<Item = (&'f [u8], &'f Facts)>,
    not_read: &mut BTreeSet<Vec<u8>>,
) -> Result<Found, Error> {
    let mut found = Found::default();
    let mut wanted = Wanted::default();
    let mut sources: HashMap<(u32, u64), (Source, &[u8])> = HashMap::new();
    let mut left_bytes = MAX_ALL_LEN_BYTES;
    for (path, facts) in files {
        let Some(place) = &facts.place else { continue };
        let read = match source(path) {
            None => Read::Whole,
            Some(Source::Rpm) => Read::InPart,
            Some(Source::Named(kind, name, version)) => found.add(kind, name, version),
            Some(source) => {
                let is_small = facts.len_bytes <= source.max_len_bytes();
                match left_bytes.checked_sub(facts.len_bytes).filter(|_| is_small) {
                    None => Read::InPart,
                    Some(left) => {
                        left_bytes = left;
                        wanted.add(place);
                        sources.insert((place.layer, place.position), (source, path));
                        Read::Whole
                    }
                }
            }
        };
        if read == Read::InPart {
            not_read.insert(path.to_vec());
        }
    }
    inside.visit(&wanted, |layer, position, _, content| {
        let Some((source, path)) = sources.get(&(layer, position)) else { return Ok(()) };
        let read = match source {
            Source::Dpkg => paragraphs(content, ["Package:", "Version:"], "deb", &mut found)?,
            Source::Apk => paragraphs(content, ["P:", "V:"], "apk", &mut found)?,
            Source::Npm => npm(content, &mut found)?,
            Source::Named(..) | Source::Rpm => Read::Whole,
        };
        if read == Read::InPart {
            not_read.insert(path.to_vec());
        }
        Ok(())
    })?;
    Ok(found)
}

/// Returns the kind of package database that the file at `path` is, if any.
fn source(path: &[u8]) -> Option<Source> {
    let text = std::str::from_utf8(path).ok()?;
    let (above, name) = text.rsplit_once('/')?;
    let parent = above.rsplit('/').next().unwrap_or_default();
    match (above, name) {
        ("var/lib/dpkg", "status") => return Some(Source::Dpkg),
        ("var/lib/dpkg/status.d", name) if !name.ends_with(".md5sums") => {
            return Some(Source::Dpkg);
        }
        ("lib/apk/db" | "usr/lib/apk/db", "installed") => return Some(Source::Apk),
        (
            "var/lib/rpm" | "usr/lib/sysimage/rpm" | "usr/share/rpm",
            "rpmdb.sqlite" | "Packages" | "Packages.db",
        ) => return Some(Source::Rpm),
        _ => {}
    }
    if let (Some(stem), "METADATA") = (parent.strip_suffix(".dist-info"), name) {
        return named("pip", stem);
    }
    if let (Some(stem), "PKG-INFO") = (parent.strip_suffix(".egg-info"), name) {
        return named("pip", stem);
    }
    if let (Some(stem), "specifications") = (name.strip_suffix(".gemspec"), parent) {
        return named("gem", stem);
    }
    let mut components = above.rsplit('/').skip(1);
    let is_module = match components.next() {
        Some("node_modules") => true,
        Some(scope) => scope.starts_with('@') && components.next() == Some("node_modules"),
        None => false,
    };
    (name == "package.json" && is_module).then_some(Source::Npm)
}

/// `NAME-VERSION`, the version beginning with the last digit that follows a dash.
fn named(kind: &'static str, stem: &str) -> Option<Source> {
    let mut dashes = stem.match_indices('-').map(|(at, _)| at).collect::<Vec<_>>();
    dashes.reverse();
    let begins = |at: &usize| stem.as_bytes().get(at + 1).is_some_and(u8::is_ascii_digit);
    let at = dashes.into_iter().find(begins)?;
    let (name, version) = (stem.get(..at)?, stem.get(at + 1..)?);
    Some(Source::Named(kind, word(name), word(version)))
}

fn word(text: &str) -> String {
    show(text.trim()).to_string().chars().take(MAX_WORD_LEN).collect()
}

/// Paragraphs of `KEY VALUE` with an empty line between them: of each, the name and the
/// version of what is installed.
fn paragraphs(
    content: &mut dyn io::Read,
    [name_key, version_key]: [&str; 2],
    kind: &'static str,
    found: &mut Found,
) -> io::Result<Read> {
    let mut lines = BufReader::new(content);
    let (mut name, mut version, mut is_installed) = (String::new(), String::new(), true);
    let mut is_rest_of_line = false;
    loop {
        let mut line = Vec::new();
        let len = (&mut lines).take(MAX_LINE_LEN_BYTES).read_until(b'\n', &mut line)?;
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        let was_rest_of_line = is_rest_of_line;
        is_rest_of_line = len > 0 && line.last() != Some(&b'\n');
        if was_rest_of_line && len > 0 {
            continue;
        }
        if text.is_empty() {
            if !name.is_empty() && is_installed {
                let (name, version) = (std::mem::take(&mut name), std::mem::take(&mut version));
                if found.add(kind, name, version) == Read::InPart {
                    return Ok(Read::InPart);
                }
            }
            (name, version, is_installed) = (String::new(), String::new(), true);
        } else if let Some(value) = text.strip_prefix(name_key) {
            name = word(value);
        } else if let Some(value) = text.strip_prefix(version_key) {
            version = word(value);
        } else if let Some(value) = text.strip_prefix("Status:") {
            is_installed = value.trim_end().ends_with(" installed");
        }
        if len == 0 {
            return Ok(Read::Whole);
        }
    }
}

/// A module's own description of itself.
fn npm(content: &mut dyn io::Read, found: &mut Found) -> io::Result<Read> {
    let mut bytes = Vec::new();
    content.read_to_end(&mut bytes)?;
    // Some modules hold files of this name that are no descriptions.
    let parsed = serde_json::from_slice::<serde_json::Value>(&bytes);
    let Ok(value) = parsed else { return Ok(Read::Whole) };
    let field = |key: &str| value.get(key).and_then(serde_json::Value::as_str).map(word);
    Ok(match field("name").zip(field("version")) {
        Some((name, version)) => found.add("npm", name, version),
        None => Read::Whole,
    })
}

#[cfg(test)]
mod tests {
    use super::{Found, MAX_LINE_LEN_BYTES, Read, Source, npm, paragraphs, source};

    fn named(kind: &'static str, name: &str, version: &str) -> Option<Source> {
        Some(Source::Named(kind, name.into(), version.into()))
    }

    #[test]
    fn paths_tell_of_packages() {
        let of = |path: &str| source(path.as_bytes());
        assert_eq!(of("var/lib/dpkg/status"), Some(Source::Dpkg));
        assert_eq!(of("var/lib/dpkg/status.d/base"), Some(Source::Dpkg));
        assert_eq!(of("lib/apk/db/installed"), Some(Source::Apk));
        assert_eq!(of("var/lib/rpm/rpmdb.sqlite"), Some(Source::Rpm));
        let site = "usr/lib/python3/site-packages";
        assert_eq!(of(&format!("{site}/a_b-1.0.dist-info/METADATA")), named("pip", "a_b", "1.0"));
        assert_eq!(of(&format!("{site}/a_b-1.0.dist-info/RECORD")), None);
        let gem = "var/lib/gems/3.1.0/specifications/net-smtp-0.3.1-x86.gemspec";
        assert_eq!(of(gem), named("gem", "net-smtp", "0.3.1-x86"));
        assert_eq!(of("app/node_modules/a/package.json"), Some(Source::Npm));
        assert_eq!(of("app/node_modules/@s/a/package.json"), Some(Source::Npm));
        for other in ["app/package.json", "app/node_modules/a/test/package.json", "x", "status"] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn databases_are_read_as_far_as_they_make_sense() {
        let mut found = Found::default();
        let status = b"Package: a\nStatus: install ok installed\nVersion: 1\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 2\n\nVersion: 3\n\nPackage: b\nVersion: 1:2-3";
        paragraphs(&mut &status[..], ["Package:", "Version:"], "deb", &mut found).unwrap();
        paragraphs(&mut &b"P:musl\nV:1.2\nF:lib\n\n"[..], ["P:", "V:"], "apk", &mut found).unwrap();
        npm(&mut &br#"{"name":"left\u001b-pad","version":"1.3.0"}"#[..], &mut found).unwrap();
        npm(&mut &b"not json"[..], &mut found).unwrap();
        let list: Vec<_> = found
            .packages
            .iter()
            .map(|((kind, name), versions)| (*kind, name.as_str(), versions.len()))
            .collect();
        let expected =
            [("apk", "musl", 1), ("deb", "a", 1), ("deb", "b", 1), ("npm", "left\\033-pad", 1)];
        assert_eq!(list, expected);
        let endless = vec![b'x'; 10 << 20];
        paragraphs(&mut &endless[..], ["P:", "V:"], "apk", &mut found).unwrap();
    }

    #[test]
    fn no_part_of_a_long_line_is_a_line() {
        let mut found = Found::default();
        let padding = "x".repeat(usize::try_from(MAX_LINE_LEN_BYTES).unwrap());
        let text = format!("P:a\n{padding}P:forged\nV:1\n");
        paragraphs(&mut text.as_bytes(), ["P:", "V:"], "apk", &mut found).unwrap();
        assert_eq!(found.packages.keys().collect::<Vec<_>>(), [&("apk", "a".to_owned())]);
    }

    #[test]
    fn no_database_has_more_packages_than_are_allowed() {
        let mut found = Found { left: 2, ..Found::default() };
        let mut read =
            |text: &str| paragraphs(&mut text.as_bytes(), ["P:", "V:"], "apk", &mut found).unwrap();
        assert_eq!(read("P:a\nV:1\n\nP:a\nV:1\n\nP:b\nV:1\n"), Read::Whole);
        assert_eq!(read("P:c\nV:1\n"), Read::InPart);
        assert_eq!(read("P:b\nV:1\n"), Read::Whole);
        assert_eq!(found.packages.len(), 2);
    }
}
