//! Who we are at a registry: from the command line, from the files that docker and
//! podman keep (containers-auth.json(5)), or from the helpers that those name.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use common::{document, json};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

use super::reference::{DOCKER_HUB, DOCKER_HUB_INDEX, RegistryReference};
use super::{Error, helper};

/// The most bytes of a file or of a helper's answer.
pub(super) const MAX_LEN_BYTES: u64 = 1 << 20;
/// How docker's files call its own registry.
pub(super) const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

/// A user and what proves it. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A user and a password.
    Password {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
    /// A refresh token of OAuth 2.
    Identity(String),
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials")
    }
}

/// A text that is no credentials. It is not repeated: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not of the form USER:PASSWORD")]
pub struct InvalidCredentials;

impl FromStr for Credentials {
    type Err = InvalidCredentials;

    fn from_str(text: &str) -> Result<Self, InvalidCredentials> {
        let (user, password) = text.split_once(':').ok_or(InvalidCredentials)?;
        Self::of(user, password)
    }
}

impl Credentials {
    /// Returns the credentials of a user and a password.
    ///
    /// # Errors
    /// A user that is empty or has a colon; a control character.
    pub fn of(user: &str, password: &str) -> Result<Self, InvalidCredentials> {
        if user.is_empty()
            || user.contains(':')
            || format!("{user}{password}").contains(char::is_control)
        {
            return Err(InvalidCredentials);
        }
        Ok(Self::Password { user: user.into(), password: password.into() })
    }

    /// The value of `Authorization` for a password.
    pub(super) fn basic(&self) -> Option<String> {
        match self {
            Self::Password { user, password } => {
                Some(format!("Basic {}", json::base64(format!("{user}:{password}").as_bytes())))
            }
            Self::Identity(_) => None,
        }
    }
}

/// A file of credentials, docker's or podman's.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AuthFile {
    auths: BTreeMap<String, Entry>,
    #[serde(rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
    #[serde(rename = "credsStore")]
    store: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Entry {
    auth: String,
    username: String,
    password: String,
    #[serde(rename = "identitytoken")]
    identity: String,
}

impl AuthFile {
    /// Returns the helper that keeps the credentials of a registry, if there is one.
    pub(super) fn helper(&self, registry: &RegistryReference) -> Option<String> {
        let own = keys(registry).iter().find_map(|key| self.helpers.get(key).cloned());
        let any = Some(self.store.clone()).filter(|name| !name.is_empty());
        own.or(any)
    }

    /// Returns the keys of all entries for a whole registry, in each spelling.
    pub(super) fn host_keys(&self, registry: &RegistryReference) -> Vec<String> {
        let keys = keys(registry);
        let is_same =
            |name: &&String| keys.iter().any(|key| key == *name || bare(name) == Some(key));
        self.auths.keys().filter(is_same).cloned().collect()
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Entry")
    }
}

/// What there is for `reference`: in `file`, or in the usual files, of which the first
/// that knows the registry decides.
pub(super) fn find(
    reference: &RegistryReference,
    file: Option<&Path>,
) -> Result<Option<Credentials>, Error> {
    if let Some(path) = file {
        let bytes = document::named(path, MAX_LEN_BYTES);
        let bytes = bytes.map_err(|source| Error::File { path: path.into(), source })?;
        return in_file(path, &bytes, reference);
    }
    for path in usual_files() {
        match read(&path) {
            Ok(bytes) => {
                if let Some(found) = in_file(&path, &bytes, reference)? {
                    return Ok(Some(found));
                }
            }
            Err(error) if is_absent(&error) => {}
            Err(source) => return Err(Error::File { path, source }),
        }
    }
    Ok(None)
}

/// Podman's files, then docker's.
pub(super) fn usual_files() -> Vec<PathBuf> {
    let dir = directory;
    if let Some(file) = dir("REGISTRY_AUTH_FILE") {
        return vec![file];
    }
    let home = dir("HOME");
    let config = dir("XDG_CONFIG_HOME").or(home.as_ref().map(|home| home.join(".config")));
    let docker = dir("DOCKER_CONFIG").or(home.map(|home| home.join(".docker")));
    [
        dir("XDG_RUNTIME_DIR").map(|dir| dir.join("containers/auth.json")),
        config.map(|dir| dir.join("containers/auth.json")),
        docker.map(|dir| dir.join("config.json")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Returns the path in an environment variable, if it is set and not empty.
pub(super) fn directory(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from)
}

pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Reads one of the usual files, which may be a link.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    document::found(&fs::canonicalize(path)?, MAX_LEN_BYTES)
}

/// Parses a file of credentials. An empty one, as podman makes it, holds none.
pub(super) fn parse<T: DeserializeOwned + Default>(path: &Path, bytes: &[u8]) -> Result<T, Error> {
    if bytes.trim_ascii().is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(bytes).map_err(|error| Error::Malformed {
        path: path.into(),
        what: format!("not a file of credentials: {error}"),
    })
}

fn in_file(
    path: &Path,
    bytes: &[u8],
    reference: &RegistryReference,
) -> Result<Option<Credentials>, Error> {
    let malformed = |what: String| Error::Malformed { path: path.into(), what };
    let file: AuthFile = parse(path, bytes)?;
    let keys = keys(reference);
    if let Some(helper) = keys.iter().find_map(|key| file.helpers.get(key)) {
        return helper::ask(helper, reference);
    }
    if !file.store.is_empty() {
        if let Some(found) = helper::ask(&file.store, reference)? {
            return Ok(Some(found));
        }
    }
    let Some((key, entry)) = keys.iter().find_map(|key| Some((key, entry(&file, key)?))) else {
        return Ok(None);
    };
    if !entry.identity.is_empty() {
        return Ok(Some(Credentials::Identity(entry.identity.clone())));
    }
    if entry.auth.is_empty() {
        let (user, password) = (entry.username.clone(), entry.password.clone());
        return Ok((!user.is_empty()).then_some(Credentials::Password { user, password }));
    }
    let decoded = json::from_base64(entry.auth.trim().as_bytes())
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let parsed = decoded.and_then(|text| text.trim_end_matches('\0').parse().ok());
    parsed.map(Some).ok_or_else(|| malformed(format!("the entry for {key} is malformed")))
}

/// What an entry may be called, the most specific first: podman's files know
/// repositories, docker's only hosts.
fn keys(reference: &RegistryReference) -> Vec<String> {
    let mut keys = Vec::new();
    let mut path = reference.path.as_str();
    loop {
        keys.push(format!("{}/{path}", reference.host));
        match path.rsplit_once('/') {
            Some((parent, _)) => path = parent,
            None => break,
        }
    }
    keys.push(reference.host.clone());
    if reference.host == DOCKER_HUB {
        keys.extend([DOCKER_HUB_KEY.into(), DOCKER_HUB_INDEX.into(), reference.authority().into()]);
    }
    keys
}

/// Returns the host of a key that is a URL.
fn bare(name: &str) -> Option<&str> {
    let name = name.strip_prefix("https://").or(name.strip_prefix("http://"))?;
    Some(name.trim_end_matches('/').trim_end_matches("/v1").trim_end_matches("/v2"))
}

/// The entry of this name, which old files write as a URL.
fn entry<'f>(file: &'f AuthFile, key: &str) -> Option<&'f Entry> {
    let same = |(name, _): &(&'f String, &'f Entry)| bare(name).is_some_and(|name| name == key);
    file.auths.get(key).or_else(|| file.auths.iter().find(same).map(|(_, entry)| entry))
}

#[cfg(test)]
mod tests {
    use super::{Credentials, in_file};
    use crate::RegistryReference;
    use common::json::base64;
    use std::ffi::OsStr;
    use std::path::Path;

    fn password(user: &str, password: &str) -> Option<Credentials> {
        Some(Credentials::Password { user: user.into(), password: password.into() })
    }

    fn look_up(file: &str, reference: &str) -> Option<Credentials> {
        let reference = RegistryReference::parse(OsStr::new(reference)).unwrap().unwrap();
        in_file(Path::new("auth.json"), file.as_bytes(), &reference).unwrap()
    }

    #[test]
    fn the_most_specific_entry_counts() {
        let file = format!(
            r#"{{"auths":{{"r.example":{{"auth":"{}"}},"r.example/team":{{"auth":"{}"}},
                "https://old.example/v1/":{{"username":"o","password":"p:q"}},
                "https://index.docker.io/v1/":{{"identitytoken":"t"}},"empty.example":{{}}}}}}"#,
            base64(b"a:1"),
            base64(b"b:2:3")
        );
        assert_eq!(look_up(&file, "docker://r.example/x"), password("a", "1"));
        assert_eq!(look_up(&file, "docker://r.example/team/x"), password("b", "2:3"));
        assert_eq!(look_up(&file, "docker://r.example/teams"), password("a", "1"));
        assert_eq!(look_up(&file, "docker://old.example/x"), password("o", "p:q"));
        assert_eq!(look_up(&file, "docker://x"), Some(Credentials::Identity("t".into())));
        assert_eq!(look_up(&file, "docker://empty.example/x"), None);
        assert_eq!(look_up(&file, "docker://other.example/x"), None);
        for empty in ["{}", "", " \n"] {
            assert_eq!(look_up(empty, "docker://x"), None);
        }
    }

    #[test]
    fn malformed_files_and_texts_are_refused() {
        let reference = RegistryReference::parse(OsStr::new("docker://r.example/x"));
        let reference = reference.unwrap().unwrap();
        for file in [
            "7",
            r#"{"auths":{"r.example":{"auth":"!"}}}"#,
            r#"{"auths":{"r.example":{"auth":"YQ=="}}}"#,
        ] {
            let error = in_file(Path::new("auth.json"), file.as_bytes(), &reference).unwrap_err();
            assert!(error.to_string().starts_with("auth.json: "), "{error}");
        }
        for text in ["", "user", ":x", "a:b\n"] {
            assert!(text.parse::<Credentials>().is_err(), "{text:?}");
        }
    }
}
