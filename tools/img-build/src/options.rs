//! Values of options that are weighed beyond what their type says.

use std::collections::BTreeMap;
use std::path::PathBuf;

use common::cli::Failure;
use common::oci::Platform;

use crate::cli::Cli;
use crate::error::Error;
use crate::executor::secret::{Secret, SecretOrigin};
use crate::result::{self, Annotation};

/// The platforms to build for, each once.
pub(crate) fn platforms(cli: &Cli) -> Vec<Platform> {
    let mut platforms: Vec<Platform> = Vec::new();
    for platform in &cli.platforms {
        if !platforms.contains(platform) {
            platforms.push(platform.clone());
        }
    }
    if platforms.is_empty() { vec![Platform::host()] } else { platforms }
}

pub(crate) fn pair(option: &str, text: &str) -> Result<(String, String), Failure> {
    match text.split_once('=') {
        Some(("", _)) => Err(Failure::usage(format!("{option} '{text}': the name is missing"))),
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Ok((text.to_owned(), String::new())),
    }
}

/// `[TYPE[,TYPE]...:]NAME=VALUE`, as docker takes it: an annotation for each type, which is
/// `manifest` if there is none, `manifest[PLATFORM]` or `index`.
pub(crate) fn annotation(text: &str) -> Result<Vec<Annotation>, Failure> {
    let (types, rest) = match text.split_once(':') {
        Some((types, rest)) if types.split(',').all(|kind| place(kind).is_some()) => (types, rest),
        _ => ("manifest", text),
    };
    let (name, value) = pair("--annotation", rest)?;
    let annotation = |kind: &str| {
        let (place, platform) = place(kind).flatten().ok_or_else(|| {
            Failure::usage(format!(
                "--annotation '{text}': only the manifest and the index have annotations here"
            ))
        })?;
        let platform = platform.map(str::parse).transpose();
        let platform =
            platform.map_err(|error| Failure::usage(format!("--annotation '{text}': {error}")))?;
        Ok(Annotation { place, platform, name: name.clone(), value: value.clone() })
    };
    types.split(',').map(annotation).collect()
}

/// A type of annotation and its platform; `Some(None)` for one that is docker's and not ours.
fn place(kind: &str) -> Option<Option<(result::Place, Option<&str>)>> {
    let (word, platform) = match kind.strip_suffix(']').and_then(|kind| kind.split_once('[')) {
        Some((word, platform)) => (word, Some(platform)),
        None => (kind, None),
    };
    match (word, platform) {
        ("manifest", platform) => Some(Some((result::Place::Manifest, platform))),
        ("index", None) => Some(Some((result::Place::Index, None))),
        ("index" | "manifest-descriptor" | "index-descriptor", _) => Some(None),
        _ => None,
    }
}

/// `id=ID,src=FILE` or `id=ID,env=NAME`, as docker takes it. With an id alone, the variable
/// of that name if it is set, else the file.
pub(crate) fn secret(text: &str) -> Result<(String, Secret), Failure> {
    let fields: BTreeMap<&str, &str> =
        text.split(',').map(|field| field.split_once('=').unwrap_or((field, ""))).collect();
    let known = ["id", "src", "source", "env", "type"];
    let path = fields.get("src").or_else(|| fields.get("source")).copied();
    let variable = fields.get("env").copied();
    let id = fields.get("id").copied().filter(|id| !id.is_empty());
    let origin = match (fields.get("type").copied(), path, variable, id) {
        (None | Some("file"), Some(path), None, _) => Some(SecretOrigin::File(path.into())),
        (Some("env"), Some(name), None, _) | (None | Some("env"), None, Some(name), _) => {
            Some(SecretOrigin::Variable(name.into()))
        }
        (None, None, None, Some(id)) if std::env::var_os(id).is_some() => {
            Some(SecretOrigin::Variable(id.into()))
        }
        (None | Some("file"), None, None, Some(id)) => Some(SecretOrigin::File(id.into())),
        (Some("env"), None, None, Some(id)) => Some(SecretOrigin::Variable(id.into())),
        _ => None,
    };
    match (id, origin) {
        (Some(id), Some(origin)) if fields.keys().all(|key| known.contains(key)) => {
            Ok((id.to_owned(), Secret::new(origin)))
        }
        _ => Err(Failure::usage(format!(
            "--secret '{text}': it must be id=ID, id=ID,src=FILE or id=ID,env=NAME"
        ))),
    }
}

/// `ID[=SOCKET]`, as docker takes it, but for keys: they would need an agent of ours.
pub(crate) fn agent(text: &str) -> Result<(String, PathBuf), Failure> {
    use std::os::unix::fs::FileTypeExt as _;
    let (id, socket) = match text.split_once('=') {
        Some((id, socket)) => (id, PathBuf::from(socket)),
        None => match std::env::var_os("SSH_AUTH_SOCK").filter(|socket| !socket.is_empty()) {
            Some(socket) => (text, socket.into()),
            None => return Err(Failure::usage(format!("--ssh {text}: SSH_AUTH_SOCK is not set"))),
        },
    };
    let shown = common::name::show_path(&socket).to_string();
    match std::fs::metadata(&socket) {
        Err(error) => Err(Error::file(&socket)(error).into()),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            Err(Failure::new(format!("--ssh {text}: {shown}: not a socket"))
                .hint("add the key to an agent: ssh-add FILE"))
        }
        Ok(_) if id.is_empty() => Err(Failure::usage(format!("--ssh '{text}': the id is missing"))),
        Ok(_) => Ok((id.to_owned(), socket)),
    }
}
