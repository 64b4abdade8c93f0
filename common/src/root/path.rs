//! Paths as archives store them: bytes, cut into the names of components.

/// The longest path that is taken: what Linux calls `PATH_MAX`.
const MAX_LEN_BYTES: usize = 4096;

/// The longest component: what Linux calls `NAME_MAX`.
pub(crate) const MAX_NAME_LEN_BYTES: usize = 255;

/// Why a path is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPath {
    /// It climbs.
    #[error("the path holds '..'")]
    ParentComponent,
    /// No file system can hold it.
    #[error("the path holds a NUL byte")]
    Nul,
    /// A path beyond `PATH_MAX`.
    #[error("the path is longer than {MAX_LEN_BYTES} bytes")]
    TooLong,
    /// A component beyond `NAME_MAX`.
    #[error("a component of the path is longer than {MAX_NAME_LEN_BYTES} bytes")]
    NameTooLong,
}

/// The names in a path, links and `..` not resolved.
pub fn components(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|&byte| byte == b'/').filter(|name| !matches!(*name, b"" | b"."))
}

/// Cuts a path that is relative to a root into its components: slashes at either
/// end, doubled ones and `.` mean nothing. The root itself has none.
///
/// # Errors
/// A path that holds `..` or NUL, or that is too long. `..` is refused and not
/// resolved: no honest archive needs it, and what `link/..` means depends on who reads.
pub fn split(path: &[u8]) -> Result<Vec<&[u8]>, InvalidPath> {
    split_measured(path, <[u8]>::len)
}

/// As [`split`], for names of which `name_len` counts the bytes that a file system must hold.
///
/// # Errors
/// As [`split`].
pub fn split_measured(
    path: &[u8],
    name_len: impl Fn(&[u8]) -> usize,
) -> Result<Vec<&[u8]>, InvalidPath> {
    if path.len() > MAX_LEN_BYTES {
        return Err(InvalidPath::TooLong);
    }
    if path.contains(&0) {
        return Err(InvalidPath::Nul);
    }
    let mut components = Vec::new();
    for name in path.split(|&byte| byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." => return Err(InvalidPath::ParentComponent),
            _ if name_len(name) > MAX_NAME_LEN_BYTES => return Err(InvalidPath::NameTooLong),
            _ => components.push(name),
        }
    }
    Ok(components)
}

/// Goes on from `path` to `name` in it; from the root to itself where it is empty.
pub fn push(path: &mut Vec<u8>, name: &[u8]) {
    if name.is_empty() {
        return;
    }
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
}

/// The components with slashes between them.
#[must_use]
pub fn join(components: &[&[u8]]) -> Vec<u8> {
    components.join(&b'/')
}

#[cfg(test)]
mod tests {
    use super::{InvalidPath, join, split, split_measured};

    #[test]
    fn slashes_and_dots_mean_nothing() {
        for path in [&b"usr/bin/x"[..], b"/usr//bin/./x", b"./usr/bin/x/", b"//usr/bin/x/."] {
            assert_eq!(join(&split(path).unwrap()), b"usr/bin/x");
        }
        for root in [&b""[..], b".", b"/", b"./", b"//", b"/."] {
            assert!(split(root).unwrap().is_empty());
        }
    }

    #[test]
    fn climbing_and_unholdable_paths_are_refused() {
        assert_eq!(split(b"a/../b"), Err(InvalidPath::ParentComponent));
        assert_eq!(split(b".."), Err(InvalidPath::ParentComponent));
        assert_eq!(split(b"a\0b"), Err(InvalidPath::Nul));
        assert_eq!(split(&[b'a'; 256]), Err(InvalidPath::NameTooLong));
        let last = |name: &[u8]| name.len().min(255);
        assert!(split_measured(&[b'a'; 256], last).is_ok());
        assert_eq!(split(&b"a/".repeat(2049)), Err(InvalidPath::TooLong));
        assert!(split(b"..a/...").is_ok());
    }
}
