//! Removal of entries from an image's config, for which there is no instruction.

use std::str::FromStr;

use super::port;
use crate::oci::ImageConfig;

/// A thing that an image's config may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unset {
    /// `ENV=NAME`: a variable.
    Env(String),
    /// `LABEL=NAME`.
    Label(String),
    /// `PORT=NUMBER[/PROTOCOL]`, or a range of them: ports that are exposed.
    Port(Vec<String>),
    /// `VOLUME=PATH`.
    Volume(String),
    /// `CMD`: the command.
    Cmd,
    /// `HEALTHCHECK`.
    Healthcheck,
}

/// A text that names no such thing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not ENV=NAME, LABEL=NAME, PORT=NUMBER, VOLUME=PATH, CMD or HEALTHCHECK")]
pub struct InvalidUnset;

impl FromStr for Unset {
    type Err = InvalidUnset;

    fn from_str(text: &str) -> Result<Self, InvalidUnset> {
        let (thing, name) = match text.split_once('=') {
            Some((thing, name)) if !name.is_empty() => (thing, Some(name)),
            Some(_) => return Err(InvalidUnset),
            None => (text, None),
        };
        match (thing.to_ascii_uppercase().as_str(), name) {
            ("ENV", Some(name)) => Ok(Self::Env(name.into())),
            ("LABEL", Some(name)) => Ok(Self::Label(name.into())),
            ("PORT", Some(ports)) => {
                let ports = port::parse(&[ports.to_owned()]).map_err(|_| InvalidUnset)?;
                Ok(Self::Port(ports.into_iter().collect()))
            }
            ("VOLUME", Some(path)) => Ok(Self::Volume(path.into())),
            ("CMD", None) => Ok(Self::Cmd),
            ("HEALTHCHECK", None) => Ok(Self::Healthcheck),
            _ => Err(InvalidUnset),
        }
    }
}

impl Unset {
    /// Takes it out of `image`; whether it was there.
    pub fn apply(&self, image: &mut ImageConfig) -> bool {
        let config = &mut image.config;
        match self {
            Self::Env(name) => {
                let before = config.env.len();
                config.env.retain(|entry| entry.split('=').next() != Some(name));
                config.env.len() != before
            }
            Self::Label(name) => config.labels.remove(name).is_some(),
            Self::Port(ports) => {
                let mut removed = false;
                for port in ports {
                    removed |= config.exposed_ports.remove(port).is_some();
                }
                removed
            }
            Self::Volume(path) => config.volumes.remove(path).is_some(),
            Self::Cmd => {
                config.args_escaped = false;
                config.cmd.take().is_some()
            }
            Self::Healthcheck => config.healthcheck.take().is_some(),
        }
    }
}
