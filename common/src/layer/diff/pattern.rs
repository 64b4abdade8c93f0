//! Patterns for names: `*`, `?`, `[a-z]` and `**`, matched byte by byte.
//!
//! As in gitignore(5), a pattern with a slash before its end is for whole paths
//! from the root, one without for the last component wherever it is. A slash at
//! the end is ignored: what is left out goes with all below it.

/// One pattern, kept as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: Vec<u8>,
    /// For whole paths, and not only for the last component.
    anchored: bool,
}

impl Pattern {
    /// Takes a pattern; every text is one.
    #[must_use]
    pub fn new(text: &[u8]) -> Self {
        let text = text.strip_suffix(b"/").unwrap_or(text);
        let anchored = text.contains(&b'/');
        let text = text.strip_prefix(b"./").or_else(|| text.strip_prefix(b"/")).unwrap_or(text);
        Self { text: text.to_vec(), anchored }
    }

    /// Whether it matches `path`, relative to the root.
    #[must_use]
    pub fn matches(&self, path: &[u8]) -> bool {
        let subject = if self.anchored {
            path
        } else {
            path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)
        };
        matches(&self.text, subject)
    }
}

/// Whether `pattern` matches all of `text`. `*` and `?` stop at a slash, `**`
/// does not.
///
/// Where a `*` cannot go on, only the last one is tried again, and likewise for
/// `**`, so that no pattern takes exponential time.
pub(super) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut read) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    let mut stars: Option<(usize, usize)> = None;
    loop {
        let rest = pattern.get(at..).unwrap_or_default();
        if let Some(after) = rest.strip_prefix(b"**") {
            // `**/` is also no directory at all.
            let after = after.strip_prefix(b"/").unwrap_or(after);
            at = pattern.len() - after.len();
            stars = Some((at, read));
            star = None;
            continue;
        }
        if rest.first() == Some(&b'*') {
            at += 1;
            star = Some((at, read));
            continue;
        }
        match (text.get(read), one(rest)) {
            (None, None) => return true,
            (Some(&byte), Some((token, len))) if token.takes(byte) => {
                at += len;
                read += 1;
                continue;
            }
            _ => {}
        }
        // Let the last star take one byte more, or the last pair of them.
        match (star, stars) {
            (Some((after, from)), _) if text.get(from).is_some_and(|&byte| byte != b'/') => {
                star = Some((after, from + 1));
                (at, read) = (after, from + 1);
            }
            (_, Some((after, from))) if from < text.len() => {
                // What follows `**/` begins a component.
                let step = if pattern.get(..after).is_some_and(|before| before.ends_with(b"/")) {
                    let rest = text.get(from..).unwrap_or_default();
                    match rest.iter().position(|&byte| byte == b'/') {
                        Some(slash) => slash + 1,
                        None => return false,
                    }
                } else {
                    1
                };
                star = None;
                stars = Some((after, from + step));
                (at, read) = (after, from + step);
            }
            _ => return false,
        }
    }
}

/// What one byte of the text is held against.
enum Token<'a> {
    Byte(u8),
    Any,
    Set { negated: bool, members: &'a [u8] },
}

impl Token<'_> {
    fn takes(&self, byte: u8) -> bool {
        match self {
            Self::Byte(own) => *own == byte,
            Self::Any => byte != b'/',
            Self::Set { negated, members } => byte != b'/' && (in_set(members, byte) != *negated),
        }
    }
}

fn in_set(mut members: &[u8], byte: u8) -> bool {
    while let Some((&low, rest)) = members.split_first() {
        if let [b'-', high, after @ ..] = rest {
            if (low..=*high).contains(&byte) {
                return true;
            }
            members = after;
        } else {
            if low == byte {
                return true;
            }
            members = rest;
        }
    }
    false
}

/// The token at the start of `pattern`, and its length there.
fn one(pattern: &[u8]) -> Option<(Token<'_>, usize)> {
    match pattern {
        [] => None,
        [b'?', ..] => Some((Token::Any, 1)),
        [b'\\', byte, ..] => Some((Token::Byte(*byte), 2)),
        [b'[', rest @ ..] => {
            let negated = matches!(rest.first(), Some(b'!' | b'^'));
            let body = rest.get(usize::from(negated)..).unwrap_or_default();
            // A bracket that comes first is a member; one that never closes is a byte.
            match body.iter().skip(1).position(|&byte| byte == b']') {
                Some(position) => {
                    let members = body.get(..=position).unwrap_or_default();
                    let len = 1 + usize::from(negated) + members.len() + 1;
                    Some((Token::Set { negated, members }, len))
                }
                None => Some((Token::Byte(b'['), 1)),
            }
        }
        [byte, ..] => Some((Token::Byte(*byte), 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Pattern, matches};

    #[test]
    fn stars_stop_at_slashes_and_pairs_do_not() {
        for (pattern, text, expected) in [
            ("*.o", "a.o", true),
            ("*.o", "d/a.o", false),
            ("**.o", "d/a.o", true),
            ("a/**/z", "a/z", true),
            ("a/**/z", "a/b/c/z", true),
            ("a/**/z", "a/bz", false),
            ("**/z", "z", true),
            ("a/**", "a/b/c", true),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]]x", "]x", true),
            ("[x", "[x", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("", "", true),
            ("*", "", true),
            ("*a*b", "xaxxb", true),
            ("**/a*/b", "x/ac/q/ad/b", true),
            ("**/a*b/c*d", "ab/x/aab/cxd", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_slash_anchors_a_pattern() {
        assert!(Pattern::new(b"*.pyc").matches(b"usr/lib/x.pyc"));
        assert!(Pattern::new(b"/tmp").matches(b"tmp"));
        assert!(!Pattern::new(b"/tmp").matches(b"var/tmp"));
        assert!(Pattern::new(b"tmp/").matches(b"var/tmp"));
        assert!(Pattern::new(b"./a/b").matches(b"a/b"));
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let pattern = "a*".repeat(40) + "b";
        assert!(!matches(pattern.as_bytes(), "a".repeat(400).as_bytes()));
    }
}
