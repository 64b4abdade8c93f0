//! Prefixes and locations of containers-registries.conf(5), each in one spelling.

use super::reference::{DOCKER_HUB, DOCKER_HUB_INDEX, DOCKER_HUB_REGISTRY, RegistryReference};

/// Returns a prefix or location in the spelling for comparisons: the host in lower case, and
/// no slash at the end.
///
/// # Errors
/// The problem with it, in words.
pub(super) fn spelled(text: &str) -> Result<String, String> {
    let trimmed = text.trim_end_matches('/');
    if text.contains("://") || trimmed.is_empty() != text.is_empty() {
        return Err(format!("'{text}' is not a location: it begins with a host"));
    }
    let (host, path) = trimmed.split_at(trimmed.find('/').unwrap_or(trimmed.len()));
    let host = host.to_ascii_lowercase();
    let host = if host == DOCKER_HUB_INDEX { DOCKER_HUB } else { &host };
    Ok(format!("{host}{path}"))
}

/// Refuses a prefix that would cover no name.
///
/// # Errors
/// The problem with it, in words.
pub(super) fn check(prefix: &str) -> Result<(), String> {
    let refused = |what| Err(format!("'{prefix}' is not a prefix: {what}"));
    let (host, path) = prefix.split_once('/').unwrap_or((prefix, ""));
    let is_domain = prefix.starts_with("*.") && !prefix.contains('/');
    let rest = if is_domain { &prefix[1..] } else { prefix };
    if rest.contains('*') {
        return refused("a '*' stands for a host's first labels, as in '*.example.com'");
    }
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let has_port = split_port(host).1.is_none_or(is_port);
    if prefix.contains('@') || path.contains(':') || !has_port {
        return refused("tags and digests are not supported");
    }
    Ok(())
}

/// Returns true if `reference` is below `prefix`. With `any_spelling`, the prefix may use
/// another name of the host, and covers all ports if it has none.
pub(super) fn covers(prefix: &str, reference: &RegistryReference, any_spelling: bool) -> bool {
    if let Some(domain) = prefix.strip_prefix('*') {
        let host = reference.host.as_str();
        return host.ends_with(domain) || split_port(host).0.ends_with(domain);
    }
    let is_below = |host: &str| {
        let name = format!("{host}/{}", reference.path);
        name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    match any_spelling {
        true => spellings(&reference.host).iter().any(|host| is_below(host)),
        false => is_below(&reference.host),
    }
}

/// Returns the names that reach the same host, and its name without a port.
fn spellings(host: &str) -> Vec<String> {
    let (name, port) = split_port(host);
    let mut all = vec![host.to_owned(), name.to_owned()];
    if port.is_none() {
        all.push(format!("{host}:443"));
    }
    let hub = [DOCKER_HUB, DOCKER_HUB_INDEX, DOCKER_HUB_REGISTRY];
    if hub.contains(&name) {
        all.extend(hub.map(str::to_owned));
    }
    all
}

/// Splits a host into its name and its port.
fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    }
}

#[cfg(test)]
mod tests {
    use super::{check, covers, spelled};
    use crate::RegistryReference;
    use std::ffi::OsStr;

    #[test]
    fn a_prefix_covers_whole_parts_of_names() {
        for (prefix, name, is_covered, is_blocked) in [
            ("a.example", "docker://a.example/x", true, true),
            ("a.example", "docker://A.Example/x", true, true),
            ("A.Example/", "docker://a.example/x", true, true),
            ("a.example/x", "docker://a.example/x:1", true, true),
            ("a.example/x", "docker://a.example/x/y", true, true),
            ("a.example/x/", "docker://a.example/x:1", true, true),
            ("a.example/x", "docker://a.example/xy", false, false),
            ("a.example/x", "docker://a.example:443/x", false, true),
            ("a.example", "docker://a.example:80/x", false, true),
            ("a.example:443", "docker://a.example/x", false, true),
            ("a.example:5000", "docker://a.example/x", false, false),
            ("a.example", "docker://a.example.test/x", false, false),
            ("*.example", "docker://b.a.example/x", true, true),
            ("*.example", "docker://b.a.example:443/x", true, true),
            ("*.example", "docker://aexample.test/x", false, false),
            ("docker.io", "docker://registry-1.docker.io/library/x", false, true),
            ("index.docker.io", "docker://x", true, true),
        ] {
            let reference = RegistryReference::parse(OsStr::new(name)).unwrap().unwrap();
            let prefix = spelled(prefix).unwrap();
            check(&prefix).unwrap();
            assert_eq!(covers(&prefix, &reference, false), is_covered, "{prefix} {name}");
            assert_eq!(covers(&prefix, &reference, true), is_blocked, "{prefix} {name}");
        }
    }

    #[test]
    fn what_would_cover_nothing_is_refused() {
        for text in ["https://a.example", "/", "a://b/"] {
            assert!(spelled(text).is_err(), "{text}");
        }
        for prefix in
            ["a.example/x:1", "a.example:v1", "a.example/x@sha256:0", "*.a/x", "*a.b", "*.a.*", "*"]
        {
            assert!(check(prefix).is_err(), "{prefix}");
        }
        for prefix in ["a.example:80/x", "[::1]:80/x", "[::1]", "*.a:80", "localhost"] {
            check(prefix).unwrap();
        }
    }
}
