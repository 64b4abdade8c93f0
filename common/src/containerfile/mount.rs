//! `RUN --mount=type=…,key=value,…`.

use super::error::Problem;
use super::expand::{Expander, NoVariables, Total, Variables};
use crate::human::parse_docker_size;

/// A mount that a RUN asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// What is mounted.
    pub kind: MountKind,
    /// Where; empty only for a secret that is a variable.
    pub target: String,
    /// Whether it cannot be written to.
    pub is_read_only: bool,
    /// Permissions of what is made for the mount.
    pub mode: Option<u32>,
    /// Owner of what is made for the mount.
    pub uid: Option<u32>,
    /// Group of what is made for the mount.
    pub gid: Option<u32>,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountKind {
    /// Part of the context, of a stage or of an image.
    Bind {
        /// Stage or image, `None` for the context.
        from: Option<String>,
        /// Path in it.
        source: String,
    },
    /// A directory that outlives the build.
    Cache {
        /// What it is called.
        id: String,
        /// Who may have it at once.
        sharing: Sharing,
        /// Where its first content comes from.
        from: Option<String>,
        /// Path in it.
        source: String,
    },
    /// Memory.
    Tmpfs {
        /// Its size in bytes.
        size_bytes: Option<u64>,
    },
    /// A file that does not end up in the layer.
    Secret {
        /// What it is called.
        id: String,
        /// The variable that holds it.
        variable: Option<String>,
        /// Whether its absence is an error.
        is_required: bool,
    },
    /// The agent's socket.
    Ssh {
        /// The name of the secret or agent.
        id: String,
        /// Whether its absence is an error.
        is_required: bool,
    },
}

/// The number of steps that may have a cache at once; the strictest comes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sharing {
    /// All who want.
    Shared,
    /// Another for each who comes while it is taken.
    Private,
    /// One after the other.
    Locked,
}

impl Mount {
    /// The length of its texts, in bytes.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        let len = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let kind = match &self.kind {
            MountKind::Bind { from, source } => len(from) + source.len(),
            MountKind::Cache { id, from, source, .. } => id.len() + len(from) + source.len(),
            MountKind::Tmpfs { .. } => 0,
            MountKind::Secret { id, variable, .. } => id.len() + len(variable),
            MountKind::Ssh { id, .. } => id.len(),
        };
        self.target.len() + kind
    }
}

/// The fields as they are given, before they are weighed against each other.
#[derive(Debug, Default)]
struct Fields {
    kind: Option<String>,
    from: Option<String>,
    source: Option<String>,
    target: Option<String>,
    id: Option<String>,
    variable: Option<String>,
    sharing: Option<Sharing>,
    size_bytes: Option<u64>,
    mode: Option<u32>,
    uid: Option<u32>,
    gid: Option<u32>,
    is_read_only: Option<bool>,
    is_required: Option<bool>,
}

/// Checks what cannot wait for the variables' values: `from` takes none.
pub(super) fn check_from(text: &str) -> Result<(), Problem> {
    for field in split(text)? {
        if let Some((key, value)) = field.split_once('=') {
            if key.eq_ignore_ascii_case("from") && value.contains('$') {
                return Err(Problem::VariableInFrom("--mount=from="));
            }
        }
    }
    Ok(())
}

/// The stages and images that the text of a `--mount` names with `from`, whatever else is in
/// it. Variables have no part in that.
#[must_use]
pub fn mount_sources(text: &str) -> Vec<String> {
    let from = |field: String| {
        let (key, value) = field.split_once('=')?;
        let value = Expander::new('\\').word(value, &NoVariables).ok()?;
        (key.eq_ignore_ascii_case("from") && !value.is_empty()).then_some(value)
    };
    split(text).unwrap_or_default().into_iter().filter_map(from).collect()
}

impl Mount {
    pub(super) fn parse(
        text: &str,
        expander: Expander,
        total: &Total,
        variables: &dyn Variables,
    ) -> Result<Self, Problem> {
        let mut fields = Fields::default();
        for field in split(text)? {
            let (key, value) = match field.split_once('=') {
                Some((key, value)) => (key, Some(total.count(expander.word(value, variables)?)?)),
                None => (field.as_str(), None),
            };
            fields.set(&key.to_ascii_lowercase(), value)?;
        }
        fields.into_mount()
    }
}

impl Fields {
    fn set(&mut self, key: &str, value: Option<String>) -> Result<(), Problem> {
        let switch = |value: &Option<String>| match value.as_deref() {
            None => Ok(true),
            Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
            Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
            Some(other) => Err(invalid(key, other)),
        };
        match key {
            "ro" | "readonly" => self.is_read_only = Some(switch(&value)?),
            "rw" | "readwrite" => self.is_read_only = Some(!switch(&value)?),
            "required" => self.is_required = Some(switch(&value)?),
            _ => {
                let Some(value) = value else {
                    return Err(Problem::InvalidMount(format!("'{key}' must be KEY=VALUE")));
                };
                self.set_value(key, value)?;
            }
        }
        Ok(())
    }

    fn set_value(&mut self, key: &str, value: String) -> Result<(), Problem> {
        let number = |radix| u32::from_str_radix(&value, radix).map_err(|_| invalid(key, &value));
        match key {
            "type" => self.kind = Some(value.to_ascii_lowercase()),
            "from" => self.from = Some(value).filter(|from| !from.is_empty()),
            "source" | "src" => self.source = Some(value),
            "target" | "dst" | "destination" => self.target = Some(value),
            "id" => self.id = Some(value),
            "env" => self.variable = Some(value),
            "mode" => self.mode = Some(number(8)?),
            "uid" => self.uid = Some(number(10)?),
            "gid" => self.gid = Some(number(10)?),
            "size" => {
                self.size_bytes =
                    Some(parse_docker_size(&value).ok_or_else(|| invalid(key, &value))?);
            }
            "sharing" => {
                self.sharing = Some(match value.to_ascii_lowercase().as_str() {
                    "shared" => Sharing::Shared,
                    "private" => Sharing::Private,
                    "locked" => Sharing::Locked,
                    _ => return Err(invalid(key, &value)),
                });
            }
            _ => return Err(Problem::InvalidMount(format!("unknown key '{key}'"))),
        }
        Ok(())
    }

    fn into_mount(self) -> Result<Mount, Problem> {
        let name = self.kind.clone().unwrap_or_else(|| "bind".into());
        let refuse =
            |key: &str| Err(Problem::InvalidMount(format!("'{key}' does not go with type={name}")));
        let takes_owner = matches!(name.as_str(), "cache" | "secret" | "ssh");
        for (key, is_given, fits) in [
            ("mode", self.mode.is_some(), takes_owner),
            ("uid", self.uid.is_some(), takes_owner),
            ("gid", self.gid.is_some(), takes_owner),
            ("size", self.size_bytes.is_some(), name == "tmpfs"),
            ("sharing", self.sharing.is_some(), name == "cache"),
            ("env", self.variable.is_some(), name == "secret"),
            ("required", self.is_required.is_some(), matches!(name.as_str(), "secret" | "ssh")),
            ("from", self.from.is_some(), matches!(name.as_str(), "bind" | "cache")),
        ] {
            if is_given && !fits {
                return refuse(key);
            }
        }
        let mut target = self.target.unwrap_or_default();
        let source = self.source.unwrap_or_default();
        let kind = match name.as_str() {
            "bind" => MountKind::Bind { from: self.from, source },
            "cache" => MountKind::Cache {
                id: match self.id {
                    Some(id) => id,
                    None => match super::path::clean_absolute(&target) {
                        id if target.starts_with('/') => id,
                        id => id.trim_start_matches('/').to_owned(),
                    },
                },
                sharing: self.sharing.unwrap_or(Sharing::Shared),
                from: self.from,
                source,
            },
            "tmpfs" => MountKind::Tmpfs { size_bytes: self.size_bytes },
            "secret" => {
                let id = match (self.id.unwrap_or_default(), source) {
                    (id, source) if source.is_empty() => id,
                    (id, source) if id.is_empty() => source,
                    _ => return refuse("source' and 'id"),
                };
                let id = if id.is_empty() { base(&target).to_owned() } else { id };
                if id.is_empty() {
                    return Err(Problem::InvalidMount("a secret needs an id or a target".into()));
                }
                if target.is_empty() && self.variable.is_none() {
                    target = format!("/run/secrets/{}", base(&id));
                }
                let variable = self.variable;
                MountKind::Secret { id, variable, is_required: self.is_required == Some(true) }
            }
            "ssh" => MountKind::Ssh {
                id: self.id.filter(|id| !id.is_empty()).unwrap_or_else(|| "default".into()),
                is_required: self.is_required == Some(true),
            },
            _ => return Err(Problem::InvalidMount(format!("unknown type '{name}'"))),
        };
        if target.is_empty() && !matches!(kind, MountKind::Secret { .. } | MountKind::Ssh { .. }) {
            return Err(Problem::InvalidMount(format!("type={name} needs a target")));
        }
        let default = !matches!(kind, MountKind::Cache { .. } | MountKind::Tmpfs { .. });
        let is_read_only = self.is_read_only.unwrap_or(default);
        Ok(Mount { kind, target, is_read_only, mode: self.mode, uid: self.uid, gid: self.gid })
    }
}

fn invalid(key: &str, value: &str) -> Problem {
    Problem::InvalidValue { flag: format!("--mount {key}"), value: value.to_owned() }
}

fn base(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

/// The fields of a line of CSV: a field in double quotes may hold commas.
fn split(text: &str) -> Result<Vec<String>, Problem> {
    let mut fields = vec![String::new()];
    let mut chars = text.chars().peekable();
    let mut is_quoted = false;
    while let Some(char) = chars.next() {
        let Some(field) = fields.last_mut() else { break };
        match char {
            '"' if is_quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' if is_quoted || field.is_empty() => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(String::new()),
            _ => field.push(char),
        }
    }
    if is_quoted {
        return Err(Problem::InvalidMount("a quote is not closed".into()));
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::{Mount, MountKind, Sharing};
    use crate::containerfile::{Expander, NoVariables, Total};

    fn parse(text: &str) -> Result<Mount, super::Problem> {
        Mount::parse(text, Expander::new('\\'), &Total::default(), &NoVariables)
    }

    #[test]
    fn mounts_have_their_types_defaults() {
        let bind = parse("target=/x,source=a").unwrap();
        assert!(bind.is_read_only);
        assert_eq!(bind.kind, MountKind::Bind { from: None, source: "a".into() });
        let cache = parse("type=cache,target=/root/.cache/,sharing=locked").unwrap();
        assert!(!cache.is_read_only);
        assert!(matches!(cache.kind,
            MountKind::Cache { id, sharing: Sharing::Locked, .. } if id == "/root/.cache"));
        assert_eq!(parse("type=secret,id=key").unwrap().target, "/run/secrets/key");
        assert_eq!(parse("type=secret,id=key,env=KEY").unwrap().target, "");
        assert!(matches!(parse("type=secret,target=/a/key").unwrap().kind,
            MountKind::Secret { id, .. } if id == "key"));
        let tmpfs = parse("type=tmpfs,\"target=/a,b\",size=64m").unwrap();
        assert_eq!(tmpfs.target, "/a,b");
        assert_eq!(tmpfs.kind, MountKind::Tmpfs { size_bytes: Some(64 << 20) });
    }

    #[test]
    fn keys_of_another_type_are_refused() {
        for bad in [
            "type=bind",
            "type=foo,target=/x",
            "target=/x,size=1",
            "type=tmpfs,target=/x,mode=1",
            "type=secret",
            "type=secret,id=a,source=b",
            "type=secret,id=a,from=b",
            "target=/x,what",
            "target=/x,ro=maybe",
            "type=cache,target=/x,sharing=no",
            "target=/x,what=1",
            "\"target=/x",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
