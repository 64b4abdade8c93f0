//! Login: credentials are checked with a registry, and kept in the files of docker and
//! podman (containers-auth.json(5)).

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown,
};
use std::path::{Path, PathBuf};

use common::image::DOCKER;
use common::json;
use common::lock::{Lock, Mode};
use serde_json::{Map, Value, json};

use super::configured::Configured;
use super::credentials::{self, AuthFile};
use super::reference::{DOCKER_HUB, DOCKER_HUB_INDEX, DOCKER_HUB_REGISTRY};
use super::{Access, Credentials, Error, Options, RegistryReference, Repository, helper};

/// A file of credentials: its whole content, and the part that we understand.
type Known = (Map<String, Value>, AuthFile);

/// Logs in to the registry at `host`, and keeps the credentials in the file that `options`
/// name, or else in the first usual file that knows the registry, or else in docker's.
///
/// # Errors
/// A host without a registry; credentials that it does not accept; a file that cannot be read
/// or written.
pub fn log_in(host: &str, credentials: &Credentials, options: &Options) -> Result<(), Error> {
    let invalid = || Error::protocol("--login", format!("'{host}' is not a registry's name"));
    let is_hub = [DOCKER_HUB_INDEX, DOCKER_HUB_REGISTRY].contains(&host);
    let name = if is_hub { DOCKER_HUB } else { host };
    let registry = RegistryReference::catalog(OsStr::new(&format!("{DOCKER}{name}/")));
    let registry = registry.ok_or_else(invalid)?;
    let place = Configured::of(&registry)?.own(&registry)?.reference.host;
    if place != registry.host {
        // The password is for the named registry only.
        let what = format!("registries.conf says that it is at {place}: log in there");
        return Err(Error::protocol(&registry.host, what));
    }
    let given = Options { credentials: Some(credentials.clone()), ..options.clone() };
    Repository::connect(&registry, Access::LogIn, &[], &given).map_err(|error| match error {
        // The hint of that error is to log in.
        Error::Denied { host, detail, .. } => {
            Error::protocol(&host, format!("the credentials are not accepted{detail}"))
        }
        other => other,
    })?;
    let path = match &options.authfile {
        Some(path) => path.clone(),
        None => usual_file(&registry)?,
    };
    keep(&path, &registry, credentials)
}

/// Returns the first of the usual files that knows the registry, or else docker's.
fn usual_file(registry: &RegistryReference) -> Result<PathBuf, Error> {
    let mut files = credentials::usual_files();
    let knows = |path: &PathBuf| -> Result<bool, Error> {
        let Some((_, known)) = read(path)? else { return Ok(false) };
        Ok(known.helper(registry).is_some() || !known.host_keys(registry).is_empty())
    };
    for path in &files {
        if knows(path)? {
            return Ok(path.clone());
        }
    }
    let no_home = || Error::protocol(&registry.host, "there is no HOME to keep credentials in");
    files.pop().ok_or_else(no_home)
}

fn keep(path: &Path, registry: &RegistryReference, given: &Credentials) -> Result<(), Error> {
    let helper = read(path)?.and_then(|(_, known)| known.helper(registry));
    if let Some(helper) = helper {
        return helper::store(&helper, registry, given);
    }
    let path = &real(path)?;
    let failed = |source| Error::File { path: path.into(), source };
    // Without the lock, a login that another process writes meanwhile would be lost.
    let _lock = lock(path).map_err(failed)?;
    let (mut file, known) = read(path)?.unwrap_or_default();
    let Credentials::Password { user, password } = given else { return Ok(()) };
    let is_dockers = path.file_name() == Some(OsStr::new("config.json"));
    let key = match registry.host == DOCKER_HUB && is_dockers {
        true => credentials::DOCKER_HUB_KEY,
        false => &registry.host,
    };
    let auths = file.entry("auths").or_insert_with(|| json!({}));
    let malformed = || Error::Malformed { path: path.into(), what: "'auths' is no object".into() };
    let auths = auths.as_object_mut().ok_or_else(malformed)?;
    for old in known.host_keys(registry) {
        auths.remove(&old);
    }
    let auth = json::base64(format!("{user}:{password}").as_bytes());
    auths.insert(key.into(), json!({ "auth": auth }));
    let mut bytes = serde_json::to_vec_pretty(&file).map_err(|error| failed(error.into()))?;
    bytes.push(b'\n');
    replace(path, &bytes).map_err(failed)
}

/// Reads a file of credentials; `None` if there is none.
fn read(path: &Path) -> Result<Option<Known>, Error> {
    let bytes = match credentials::read(path) {
        Err(error) if credentials::is_absent(&error) => return Ok(None),
        read => read.map_err(|source| Error::File { path: path.into(), source })?,
    };
    Ok(Some((credentials::parse(path, &bytes)?, credentials::parse(path, &bytes)?)))
}

/// Resolves links, so that a file that is linked from its usual place is changed itself.
fn real(path: &Path) -> Result<PathBuf, Error> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => match path.is_symlink() {
            true => {
                let what = "a link that leads nowhere".into();
                Err(Error::Malformed { path: path.into(), what })
            }
            false => Ok(path.to_owned()),
        },
        real => real.map_err(|source| Error::File { path: path.into(), source }),
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Locks the file for a change, with a lock file beside it; waits for other processes.
fn lock(path: &Path) -> io::Result<Lock> {
    let mut name = OsString::from(".layerutils-");
    name.push(path.file_name().unwrap_or_default());
    name.push(".lock");
    DirBuilder::new().recursive(true).mode(0o700).create(folder(path))?;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY);
    Lock::wait(options.open(folder(path).join(name))?, Mode::Exclusive)
}

/// Replaces the file atomically. Only its owner can read a new file; an old one keeps its
/// owner and mode.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut new = tempfile::Builder::new().prefix(".layerutils-").tempfile_in(folder(path))?;
    new.write_all(bytes)?;
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        old => {
            let (old, ours) = (old?, new.as_file().metadata()?);
            if (old.uid(), old.gid()) != (ours.uid(), ours.gid()) {
                fchown(new.as_file(), Some(old.uid()), Some(old.gid()))?;
            }
            let mode = Permissions::from_mode(old.mode() & 0o777);
            new.as_file().set_permissions(mode)?;
        }
    }
    new.as_file().sync_all()?;
    new.persist(path).map_err(|error| error.error)?;
    Ok(())
}
