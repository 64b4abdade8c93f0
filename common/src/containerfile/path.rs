//! Paths in an image, as text: joined and cleaned, nothing looked up.

/// Cleans an absolute path lexically: no `.`, no `..`, no double slash, and none
/// at the end. `..` at the root stays at the root.
#[must_use]
pub fn clean_absolute(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// `path` seen from the directory `from`, cleaned.
#[must_use]
pub fn join(from: &str, path: &str) -> String {
    if path.starts_with('/') {
        return clean_absolute(path);
    }
    clean_absolute(&format!("{from}/{path}"))
}

/// The working directory after WORKDIR: an absolute path as it is written, as docker and
/// BuildKit keep it; any other seen from the one before.
#[must_use]
pub fn working_dir(before: &str, path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { join(before, path) }
}

#[cfg(test)]
mod tests {
    use super::join;

    #[test]
    fn relative_paths_are_joined_and_all_are_cleaned() {
        for (from, path, expected) in [
            ("/", "a", "/a"),
            ("", "a", "/a"),
            ("/x/y", "../a/./b//", "/x/a/b"),
            ("/x", "/a/", "/a"),
            ("/x", "../../..", "/"),
        ] {
            assert_eq!(join(from, path), expected, "{from} {path}");
        }
    }
}
