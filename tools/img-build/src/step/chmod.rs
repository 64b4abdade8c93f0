//! `--chmod`: an octal mode, or a symbolic one as chmod(1) takes it.

use crate::error::Error;

/// A parsed mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Chmod {
    Octal(u32),
    Symbolic(Vec<Clause>),
}

/// `WHO OPERATOR PERMISSIONS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Clause {
    /// As bits of the mode: `u` is 04700, `g` 02070, `o` 01007.
    who: u32,
    operator: char,
    permissions: Vec<char>,
}

const USER: u32 = 0o4700;
const GROUP: u32 = 0o2070;
const OTHER: u32 = 0o1007;

impl Chmod {
    /// Parses the value of the flag.
    ///
    /// # Errors
    /// Neither octal up to 07777 nor symbolic.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let invalid = || {
            Error::Other(format!(
                "invalid --chmod: '{}': it must be octal up to 07777, or symbolic",
                common::name::show(text)
            ))
        };
        if text.starts_with(|char: char| char.is_ascii_digit()) {
            return match u32::from_str_radix(text, 8) {
                Ok(mode) if mode <= 0o7777 => Ok(Self::Octal(mode)),
                _ => Err(invalid()),
            };
        }
        let mut clauses = Vec::new();
        for part in text.split(',') {
            parse_clauses(part, &mut clauses).ok_or_else(invalid)?;
        }
        Ok(Self::Symbolic(clauses))
    }

    /// What a file's mode becomes.
    pub(crate) fn apply(&self, mode: u32, is_directory: bool) -> u32 {
        match self {
            Self::Octal(mode) => *mode,
            Self::Symbolic(clauses) => {
                clauses.iter().fold(mode, |mode, clause| clause.apply(mode, is_directory))
            }
        }
    }
}

fn parse_clauses(text: &str, clauses: &mut Vec<Clause>) -> Option<()> {
    let end = text.find(['+', '-', '='])?;
    let (who_text, mut rest) = text.split_at(end);
    let mut who = 0;
    for char in who_text.chars() {
        who |= match char {
            'u' => USER,
            'g' => GROUP,
            'o' => OTHER,
            'a' => 0o7777,
            _ => return None,
        };
    }
    if who == 0 {
        who = 0o7777;
    }
    while let Some(operator) = rest.chars().next() {
        let tail = rest.get(1..)?;
        let end = tail.find(['+', '-', '=']).unwrap_or(tail.len());
        let (permissions, after) = tail.split_at(end);
        if !permissions.chars().all(|char| "rwxXstugo".contains(char)) {
            return None;
        }
        clauses.push(Clause { who, operator, permissions: permissions.chars().collect() });
        rest = after;
    }
    Some(())
}

impl Clause {
    fn apply(&self, mode: u32, is_directory: bool) -> u32 {
        let mut bits = 0;
        for permission in &self.permissions {
            bits |= match permission {
                'r' => 0o444,
                'w' => 0o222,
                'x' => 0o111,
                'X' if is_directory || mode & 0o111 != 0 => 0o111,
                's' => 0o6000,
                't' => 0o1000,
                'u' => ((mode >> 6) & 7) * 0o111,
                'g' => ((mode >> 3) & 7) * 0o111,
                'o' => (mode & 7) * 0o111,
                _ => 0,
            };
        }
        let bits = bits & self.who;
        match self.operator {
            '+' => mode | bits,
            '-' => mode & !bits,
            _ => (mode & !(self.who & 0o777)) & !(self.who & 0o6000) | bits,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Chmod;

    #[test]
    fn modes_are_octal_or_symbolic() {
        for (text, mode, is_directory, expected) in [
            ("755", 0o600, false, 0o755),
            ("4755", 0o600, false, 0o4755),
            ("u=rwX,go=rX", 0o644, false, 0o644),
            ("u=rwX,go=rX", 0o700, false, 0o755),
            ("u=rwX,go=rX", 0o600, true, 0o755),
            ("+x", 0o644, false, 0o755),
            ("a-w", 0o666, false, 0o444),
            ("g=u", 0o640, false, 0o660),
            ("u+s", 0o755, false, 0o4755),
            ("o+t", 0o777, true, 0o1777),
            ("u+x-w", 0o644, false, 0o544),
            ("go=", 0o777, false, 0o700),
        ] {
            let chmod = Chmod::parse(text).unwrap();
            assert_eq!(chmod.apply(mode, is_directory), expected, "{text}");
        }
        for bad in ["", "888", "10000", "u", "z+x", "u+q", "u=rwx,"] {
            assert!(Chmod::parse(bad).is_err(), "{bad}");
        }
    }
}
