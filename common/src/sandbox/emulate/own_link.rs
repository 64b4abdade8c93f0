//! Links in /proc and /dev that lead to what the caller itself has open.

/// The link in the caller's directory of /proc that a path begins with, and the rest of the
/// path. The kernel's links to what is open are never followed in a path, as they lead
/// anywhere; these lead where the caller itself is.
pub(super) fn own_link(path: &[u8]) -> Option<(String, &[u8])> {
    let standard: [(&[u8], i32); 3] =
        [(b"/dev/stdin", 0), (b"/dev/stdout", 1), (b"/dev/stderr", 2)];
    if let Some((_, fd)) = standard.iter().find(|(name, _)| *name == path) {
        return Some((format!("fd/{fd}"), b""));
    }
    if let Some(rest) = path.strip_prefix(b"/dev/fd/") {
        return descriptor(rest);
    }
    let own: [&[u8]; 2] = [b"/proc/self/", b"/proc/thread-self/"];
    let rest = own.iter().find_map(|prefix| path.strip_prefix(*prefix))?;
    match first_name(rest) {
        (b"cwd", rest) => Some(("cwd".into(), rest)),
        (b"root", rest) => Some(("root".into(), rest)),
        (b"exe", b"") => Some(("exe".into(), b"")),
        (b"fd", rest) => descriptor(rest),
        _ => None,
    }
}

fn descriptor(path: &[u8]) -> Option<(String, &[u8])> {
    let (name, rest) = first_name(path);
    let is_number = !name.is_empty() && name.len() < 10 && name.iter().all(u8::is_ascii_digit);
    is_number.then(|| (format!("fd/{}", String::from_utf8_lossy(name)), rest))
}

/// The first name of a path, and what is behind its slashes.
fn first_name(path: &[u8]) -> (&[u8], &[u8]) {
    let end = path.iter().position(|byte| *byte == b'/').unwrap_or(path.len());
    let (name, rest) = path.split_at(end);
    let start = rest.iter().position(|byte| *byte != b'/').unwrap_or(rest.len());
    (name, rest.get(start..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::own_link;

    #[test]
    fn links_to_what_the_caller_has_open_are_its_own() {
        for (path, expected) in [
            ("/proc/self/fd/3", Some(("fd/3", ""))),
            ("/proc/self/fd/3/a//b", Some(("fd/3", "a//b"))),
            ("/dev/fd/10//x", Some(("fd/10", "x"))),
            ("/dev/stdin", Some(("fd/0", ""))),
            ("/proc/self/cwd", Some(("cwd", ""))),
            ("/proc/thread-self/root/etc", Some(("root", "etc"))),
            ("/proc/self/fd/", None),
            ("/proc/self/fd/+3", None),
            ("/proc/self/fd/99999999999", None),
            ("/proc/self/exe", Some(("exe", ""))),
            ("/proc/self/exe/x", None),
            ("/proc/1/cwd", None),
            ("/dev/null", None),
        ] {
            let found = own_link(path.as_bytes());
            let found = found.as_ref().map(|(name, rest)| (name.as_str(), *rest));
            assert_eq!(found, expected.map(|(name, rest)| (name, rest.as_bytes())), "{path}");
        }
    }
}
