//! Image names as docker defines them (github.com/distribution/reference):
//! `[HOST/]PATH[:TAG]`, of which `latest` is the tag that goes without saying.

use std::fmt;
use std::str::FromStr;

/// Names longer than this are refused by registries.
const MAX_NAME_LEN: usize = 255;
const MAX_TAG_LEN: usize = 128;

/// A name with its tag, in docker's familiar form: `docker.io/library/x` is `x`.
///
/// It is what a layout's index holds as `org.opencontainers.image.ref.name`, so that
/// `skopeo inspect oci:STORE:NAME:TAG` and `umoci stat --image STORE:NAME:TAG` find it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    repository: String,
    tag: String,
}

/// A text that is not an image name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an image name: '{}': {reason}", crate::name::show(.text))]
pub struct InvalidName {
    text: String,
    reason: &'static str,
}

impl Name {
    /// The name without the tag, in familiar form.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// The name with host and namespace, as archives for docker carry it:
    /// `docker.io/library/x:latest`.
    #[must_use]
    pub fn canonical(&self) -> String {
        let Self { repository, tag } = self;
        match repository.split_once('/') {
            None => format!("docker.io/library/{repository}:{tag}"),
            Some((host, _)) if is_host(host) => format!("{repository}:{tag}"),
            Some(_) => format!("docker.io/{repository}:{tag}"),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.repository, self.tag)
    }
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let invalid = |reason| InvalidName { text: text.to_owned(), reason };
        // A colon before the last slash belongs to the host's port.
        let (repository, tag) = match text.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => (repository, tag),
            _ => (text, "latest"),
        };
        if !is_tag(tag) {
            return Err(invalid(
                "a tag is up to 128 of A-Z a-z 0-9 _ . -, not beginning with . or -",
            ));
        }
        let (host, path) = match repository.split_once('/') {
            Some((host, path)) if is_host(host) => (Some(host), path),
            _ => (None, repository),
        };
        if host.is_some_and(|host| !is_valid_host(host)) {
            return Err(invalid("malformed host"));
        }
        if path.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(invalid("a name is written in lower case"));
        }
        if !path.split('/').all(is_component) {
            return Err(invalid("a name is made of a-z 0-9, separated by . _ __ - or /"));
        }
        if host.is_none() && path.len() == 64 && path.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(invalid("64 hexadecimal digits are a digest"));
        }
        let repository = familiar(host, path);
        if repository.len() > MAX_NAME_LEN {
            return Err(invalid("longer than 255 characters"));
        }
        Ok(Self { repository, tag: tag.to_owned() })
    }
}

/// The name that docker and BuildKit write in full, in familiar form; `None` if it is none.
pub(crate) fn whole_name(text: &str) -> Option<String> {
    text.parse::<Name>().map(|name| name.to_string()).ok()
}

/// Leaves out what docker puts in.
fn familiar(host: Option<&str>, path: &str) -> String {
    match host {
        None | Some("docker.io" | "index.docker.io") => match path.strip_prefix("library/") {
            Some(short) if !short.contains('/') => short.to_owned(),
            _ => path.to_owned(),
        },
        Some(host) => format!("{host}/{path}"),
    }
}

/// Whether a first component names a host: docker's rule.
fn is_host(component: &str) -> bool {
    component == "localhost"
        || component.contains(['.', ':'])
        || component.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn is_valid_host(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let digits = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    if port.is_some_and(|port| !digits(port)) {
        return false;
    }
    if let Some(address) = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    name.split('.').all(|label| {
        let alphanumeric_or_dash = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(alphanumeric_or_dash)
    })
}

fn is_tag(tag: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=MAX_TAG_LEN).contains(&tag.len())
        && tag.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'-'))
        && tag.bytes().next().is_some_and(word)
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`.
fn is_component(component: &str) -> bool {
    let separator = |character: char| matches!(character, '.' | '_' | '-');
    let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if component.is_empty() || component.starts_with(separator) || component.ends_with(separator) {
        return false;
    }
    component.as_bytes().split(alphanumeric).all(|between| {
        matches!(between, b"" | b"." | b"_" | b"__") || between.iter().all(|&byte| byte == b'-')
    })
}

#[cfg(test)]
mod tests {
    use super::Name;

    #[test]
    fn names_are_completed_and_made_familiar() {
        for (given, meant, canonical) in [
            ("app", "app:latest", "docker.io/library/app:latest"),
            ("docker.io/library/app:1", "app:1", "docker.io/library/app:1"),
            ("index.docker.io/me/app", "me/app:latest", "docker.io/me/app:latest"),
            ("localhost/app", "localhost/app:latest", "localhost/app:latest"),
            ("host:5000/a/b", "host:5000/a/b:latest", "host:5000/a/b:latest"),
            ("[::1]:5000/a:x", "[::1]:5000/a:x", "[::1]:5000/a:x"),
            ("e/a__b--c.d:V1.2-x", "e/a__b--c.d:V1.2-x", "docker.io/e/a__b--c.d:V1.2-x"),
        ] {
            let name: Name = given.parse().unwrap();
            assert_eq!(name.to_string(), meant);
            assert_eq!(name.canonical(), canonical);
            assert_eq!(meant.parse::<Name>().unwrap(), name);
        }
    }

    #[test]
    fn what_docker_refuses_is_refused() {
        let hex = "a".repeat(64);
        let long = "a".repeat(256);
        for bad in [
            "",
            ":",
            ":x",
            "a:",
            "App",
            "a//b",
            "/a",
            "a/",
            "-a",
            "a-",
            "a..b",
            "a___b",
            "a._b",
            "a b",
            "a:-x",
            "a\n",
            "a:x/y:",
            "ho st/a",
            "-host.x/a",
            "h.x:port/a",
            "../a",
            "a/../b",
            "é",
            &hex,
            &long,
        ] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?}");
        }
    }
}
