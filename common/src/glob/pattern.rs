//! Patterns that choose files of a tree.

use super::Glob;

/// One pattern for paths, as in gitignore(5): with a slash before its end it is for whole
/// paths from the root, without one for the last component wherever it is. A slash at the
/// end is ignored: what is chosen is chosen with all below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    glob: Glob,
    /// Set for whole paths.
    is_anchored: bool,
}

impl Pattern {
    /// Takes a pattern; every text is one.
    #[must_use]
    pub fn new(text: &[u8]) -> Self {
        let text = text.strip_suffix(b"/").unwrap_or(text);
        let is_anchored = text.contains(&b'/');
        let text = text.strip_prefix(b"./").or_else(|| text.strip_prefix(b"/")).unwrap_or(text);
        Self { glob: Glob::new(text), is_anchored }
    }

    /// Returns true if it matches `path`, relative to the root.
    #[must_use]
    pub fn matches(&self, path: &[u8]) -> bool {
        let subject = if self.is_anchored {
            path
        } else {
            path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)
        };
        self.glob.matches(subject)
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn a_slash_anchors_a_pattern() {
        assert!(Pattern::new(b"*.pyc").matches(b"usr/lib/x.pyc"));
        assert!(Pattern::new(b"/tmp").matches(b"tmp"));
        assert!(!Pattern::new(b"/tmp").matches(b"var/tmp"));
        assert!(Pattern::new(b"tmp/").matches(b"var/tmp"));
        assert!(Pattern::new(b"./a/b").matches(b"a/b"));
    }
}
