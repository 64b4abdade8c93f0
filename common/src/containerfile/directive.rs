//! Directives: `# escape=…`, `# syntax=…` and `# check=…` at the very top.

use super::error::Problem;

/// What the directives say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directives {
    /// What joins lines and escapes characters: `\` or `` ` ``.
    pub escape: char,
    /// An image with a frontend for another syntax; we know only our own.
    pub syntax: Option<String>,
    /// Which checks to skip.
    pub check: Option<String>,
    /// No directive can come any more.
    is_over: bool,
    escape_is_set: bool,
}

impl Default for Directives {
    fn default() -> Self {
        Self { escape: '\\', syntax: None, check: None, is_over: false, escape_is_set: false }
    }
}

impl Directives {
    /// Looks at a line, stripped of leading blanks; the first that is no
    /// directive ends them.
    ///
    /// # Errors
    /// A directive given twice, an escape character that cannot be one.
    pub(super) fn take(&mut self, line: &[u8]) -> Result<(), Problem> {
        if self.is_over {
            return Ok(());
        }
        let pair = line.strip_prefix(b"#").and_then(|rest| pair(std::str::from_utf8(rest).ok()?));
        let Some((key, value)) = pair else {
            self.is_over = true;
            return Ok(());
        };
        let slot = match key.to_ascii_lowercase().as_str() {
            "escape" => {
                let mut chars = value.chars();
                let escape = match (chars.next(), chars.next()) {
                    (Some(char @ ('\\' | '`')), None) => char,
                    _ => return Err(Problem::InvalidEscape(value.to_owned())),
                };
                if std::mem::replace(&mut self.escape_is_set, true) {
                    return Err(Problem::DuplicateDirective("escape"));
                }
                self.escape = escape;
                return Ok(());
            }
            "syntax" => (&mut self.syntax, "syntax"),
            "check" => (&mut self.check, "check"),
            _ => {
                self.is_over = true;
                return Ok(());
            }
        };
        match slot.0.replace(value.to_owned()) {
            None => Ok(()),
            Some(_) => Err(Problem::DuplicateDirective(slot.1)),
        }
    }
}

/// `KEY = VALUE`, with a key of letters and digits.
fn pair(comment: &str) -> Option<(&str, &str)> {
    let (key, value) = comment.split_once('=')?;
    let (key, value) = (key.trim(), value.trim());
    let begins_well = key.starts_with(|char: char| char.is_ascii_alphabetic());
    let is_key = begins_well && key.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (is_key && !value.is_empty()).then_some((key, value))
}

#[cfg(test)]
mod tests {
    use super::Directives;

    fn take(lines: &[&str]) -> Result<Directives, super::Problem> {
        let mut directives = Directives::default();
        for line in lines {
            directives.take(line.as_bytes())?;
        }
        Ok(directives)
    }

    #[test]
    fn directives_end_at_the_first_line_that_is_none() {
        let directives = take(&["# Syntax = docker/dockerfile:1 ", "#escape=`"]).unwrap();
        assert_eq!(directives.syntax.as_deref(), Some("docker/dockerfile:1"));
        assert_eq!(directives.escape, '`');
        for before in ["# a comment", "# unknown=1", "", "FROM x"] {
            assert_eq!(take(&[before, "# escape=`"]).unwrap().escape, '\\', "{before}");
        }
    }

    #[test]
    fn bad_directives_are_refused() {
        assert!(take(&["# escape=`", "# escape=`"]).is_err());
        assert!(take(&["# escape=^"]).is_err());
        assert!(take(&["# check=a", "# CHECK=b"]).is_err());
    }
}
