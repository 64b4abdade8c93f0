//! The image config (image-spec config.md), with docker's own fields beside the
//! specification's: Healthcheck, OnBuild, Shell and ArgsEscaped change what an
//! image does, so they are fields here; all others are kept as they came.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::json::{Extra, is_default, null_as_default};
use super::{Error, Platform, from_json, to_json};
use crate::digest::DiffId;
use crate::time::Timestamp;

/// Docker's and BuildKit's notes on how one image was made, false for its children.
const OF_ONE_IMAGE: [&str; 8] = [
    "id",
    "parent",
    "container",
    "container_config",
    "docker_version",
    "comment",
    "moby.buildkit.buildinfo.v1",
    "moby.buildkit.cache.v0",
];

/// What an image is, how it is run, and how it came to be.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ImageConfig {
    /// When it was made, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Who made it.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub author: String,
    /// CPU, by Go's name.
    #[serde(default, deserialize_with = "null_as_default")]
    pub architecture: String,
    /// Variant of the CPU.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub variant: String,
    /// Operating system, by Go's name.
    #[serde(default, deserialize_with = "null_as_default")]
    pub os: String,
    /// Version of a Windows kernel.
    #[serde(rename = "os.version", default, skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// What the system must offer.
    #[serde(
        rename = "os.features",
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "is_default"
    )]
    pub os_features: Vec<String>,
    /// How it is run.
    #[serde(default, deserialize_with = "null_as_default")]
    pub config: ContainerConfig,
    /// Its layers.
    #[serde(default, deserialize_with = "null_as_default")]
    pub rootfs: RootFs,
    /// How it came to be, oldest first.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub history: Vec<History>,
    /// Fields that we do not know, docker's `container_config` among them.
    #[serde(flatten)]
    pub extra: Extra,
}

impl ImageConfig {
    /// A config for `platform` with no layers, no history and nothing set.
    #[must_use]
    pub fn scratch(platform: &Platform) -> Self {
        let platform = platform.clone().normalised();
        Self {
            architecture: platform.architecture,
            variant: platform.variant.unwrap_or_default(),
            os: platform.os,
            os_version: platform.os_version,
            os_features: platform.os_features,
            ..Self::default()
        }
    }

    /// The config to begin an image with that is made from this one: without what
    /// tells how this one was made.
    #[must_use]
    pub fn child(&self) -> Self {
        let mut child = self.clone();
        child.created = None;
        child.author.clear();
        for stale in OF_ONE_IMAGE {
            child.extra.remove(stale);
        }
        child
    }

    /// Parses a config, bounded in size.
    ///
    /// # Errors
    /// See [`from_json`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let config: Self = from_json(bytes, "image config")?;
        // Elsewhere the entry would be no variable, or one without a name.
        let is_variable = |entry: &&String| entry.find('=').is_some_and(|at| at > 0);
        match config.config.env.iter().find(|entry| !is_variable(entry)) {
            Some(entry) => Err(Error::Invalid(format!("variable '{entry}': not NAME=VALUE"))),
            None => Ok(config),
        }
    }

    /// The bytes of this config, the same everywhere.
    ///
    /// # Errors
    /// See [`to_json`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        to_json(self, "image config")
    }

    /// What the image runs on, normalised.
    #[must_use]
    pub fn platform(&self) -> Platform {
        let mut platform = Platform::new(&self.os, &self.architecture, Some(&self.variant));
        platform.os_version.clone_from(&self.os_version);
        platform.os_features.clone_from(&self.os_features);
        platform
    }

    /// When it was made, `None` if it does not say so in RFC 3339.
    #[must_use]
    pub fn created_time(&self) -> Option<Timestamp> {
        Timestamp::parse_rfc3339(self.created.as_deref()?).ok()
    }
}

/// How an image is run: `config` in the image config.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ContainerConfig {
    /// `USER[:GROUP]`; empty is the superuser.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub user: String,
    /// `PORT/PROTO` as keys.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub exposed_ports: BTreeMap<String, Empty>,
    /// `NAME=VALUE`, in the order they were set.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub env: Vec<String>,
    /// What is always run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// What is run, or the entrypoint's arguments, unless the user says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmd: Option<Vec<String>>,
    /// Docker's note that `Cmd` is one command line; meaningful on Windows only.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub args_escaped: bool,
    /// Paths that hold data apart from the image, as keys.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub volumes: BTreeMap<String, Empty>,
    /// Where it is run; empty is `/`.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub working_dir: String,
    /// Notes on the image.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub labels: BTreeMap<String, String>,
    /// What asks it to stop, as name or number; empty is SIGTERM.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub stop_signal: String,
    /// Docker's: how to see whether it works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
    /// Docker's: instructions for a build that starts from this image.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub on_build: Vec<String>,
    /// Docker's: what runs shell forms; empty is `/bin/sh -c`.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub shell: Vec<String>,
    /// Fields that we do not know, docker's `Hostname` and such among them.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Go's `struct{}`: the value of a map that is meant as a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Empty;

impl Serialize for Empty {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        serializer.serialize_map(Some(0))?.end()
    }
}

impl<'de> Deserialize<'de> for Empty {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

/// Docker's health check; durations are nanoseconds, 0 leaves the default.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Healthcheck {
    /// `["NONE"]`, `["CMD", ARG...]` or `["CMD-SHELL", COMMAND]`.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub test: Vec<String>,
    /// Between two checks.
    #[serde(
        rename = "Interval",
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "is_default"
    )]
    pub interval_ns: i64,
    /// For one check.
    #[serde(
        rename = "Timeout",
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "is_default"
    )]
    pub timeout_ns: i64,
    /// While a failure does not count.
    #[serde(
        rename = "StartPeriod",
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "is_default"
    )]
    pub start_period_ns: i64,
    /// Between two checks in the start period.
    #[serde(
        rename = "StartInterval",
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "is_default"
    )]
    pub start_interval_ns: i64,
    /// Failures in a row that make it unhealthy.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub retries: i64,
    /// Fields that we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// The layers of an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RootFs {
    /// Always `layers`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Base first.
    #[serde(default, deserialize_with = "null_as_default")]
    pub diff_ids: Vec<DiffId>,
    /// Fields that we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Default for RootFs {
    fn default() -> Self {
        Self { kind: "layers".into(), diff_ids: Vec::new(), extra: Extra::new() }
    }
}

/// One step of how an image came to be.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct History {
    /// When, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// By which instruction or command.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub created_by: String,
    /// By whom.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub author: String,
    /// What they had to say.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub comment: String,
    /// Whether this step has no layer in `rootfs`.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub empty_layer: bool,
    /// Fields that we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

impl History {
    /// When, `None` if it does not say so in RFC 3339.
    #[must_use]
    pub fn created_time(&self) -> Option<Timestamp> {
        Timestamp::parse_rfc3339(self.created.as_deref()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::ImageConfig;

    #[test]
    fn dockers_fields_and_unknown_ones_survive() {
        let text = r#"{"created":"2024-01-02T03:04:05Z","architecture":"amd64","os":"linux",
            "docker_version":"20.10","container_config":{"Hostname":"h"},
            "config":{"Hostname":"h","ExposedPorts":{"80/tcp":{}},"Env":["B=1","A=2"],"Cmd":["sh"],
              "Entrypoint":null,"Volumes":null,"Labels":null,"OnBuild":["RUN x"],"Shell":["/bin/bash","-c"],
              "Healthcheck":{"Test":["CMD-SHELL","true"],"Interval":5000000000,"Later":1},"ArgsEscaped":true},
            "rootfs":{"type":"layers","diff_ids":null},"history":null}"#;
        let config = ImageConfig::parse(text.as_bytes()).unwrap();
        assert_eq!(config.config.env, ["B=1", "A=2"]);
        assert_eq!(config.config.on_build, ["RUN x"]);
        assert_eq!(config.config.entrypoint, None);
        let healthcheck = config.config.healthcheck.as_ref().unwrap();
        assert_eq!(healthcheck.interval_ns, 5_000_000_000);
        let written = String::from_utf8(config.to_bytes().unwrap()).unwrap();
        for kept in [
            r#""container_config":{"Hostname":"h"}"#,
            r#""docker_version":"20.10""#,
            r#""Hostname":"h""#,
            r#""Later":1"#,
            r#""ExposedPorts":{"80/tcp":{}}"#,
            r#""ArgsEscaped":true"#,
            r#""rootfs":{"type":"layers","diff_ids":[]}"#,
        ] {
            assert!(written.contains(kept), "{kept} in {written}");
        }
        assert_eq!(ImageConfig::parse(written.as_bytes()).unwrap(), config);
    }

    #[test]
    fn a_variable_has_a_name_and_a_value() {
        let parse = |entry: &str| {
            ImageConfig::parse(format!(r#"{{"config":{{"Env":["A=1","{entry}"]}}}}"#).as_bytes())
        };
        for good in ["B=", "B=x=y", "lower=1", "a b=c"] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for bad in ["B", "", "=x"] {
            assert!(parse(bad).unwrap_err().to_string().ends_with("not NAME=VALUE"), "{bad}");
        }
    }

    #[test]
    fn an_invalid_diff_id_is_refused() {
        let text = r#"{"rootfs":{"type":"layers","diff_ids":["../../etc/passwd"]}}"#;
        assert!(ImageConfig::parse(text.as_bytes()).is_err());
    }
}
