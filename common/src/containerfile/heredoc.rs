//! Heredocs: `<<EOF` in RUN, COPY and ADD, and the lines that belong to them.

use super::error::{Error, Problem};
use super::expand::{Expander, Keep, NoVariables};
use super::lines::Lines;

/// A heredoc with its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heredoc {
    /// The delimiter, without quotes: also the name of the file that COPY makes.
    pub name: String,
    /// Whether variables in it are expanded (the delimiter was not quoted).
    pub expands: bool,
    /// Whether leading tabs are stripped (`<<-`).
    pub strips_tabs: bool,
    /// The lines between, as they are in the file, in any encoding.
    pub body: Vec<u8>,
}

impl Heredoc {
    /// The body as the writer means it: without leading tabs for `<<-`.
    #[must_use]
    pub fn content(&self) -> Vec<u8> {
        if !self.strips_tabs {
            return self.body.clone();
        }
        let mut content = Vec::with_capacity(self.body.len());
        for line in self.body.split_inclusive(|byte| *byte == b'\n') {
            let tabs = line.iter().take_while(|byte| **byte == b'\t').count();
            content.extend_from_slice(line.get(tabs..).unwrap_or_default());
        }
        content
    }
}

/// Recognises `<<NAME` in a single word, without its body.
pub(super) fn opening(word: &str) -> Result<Option<Heredoc>, Problem> {
    // A file descriptor may precede it.
    let word = word.trim_start_matches(|char: char| char.is_ascii_digit());
    let Some(rest) = word.strip_prefix("<<") else { return Ok(None) };
    let (strips_tabs, rest) = match rest.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let rest = rest.trim_start();
    if rest.is_empty() || rest.contains('<') {
        return Ok(None);
    }
    let keep = Keep { unset: true, ..Keep::default() };
    let plain = Expander::keeping('\\', keep).words(rest, &NoVariables)?;
    let quoted =
        Expander::keeping('\\', Keep { quotes: true, ..keep }).words(rest, &NoVariables)?;
    let (Ok([name]), Ok([raw])) = (<[String; 1]>::try_from(plain), <[String; 1]>::try_from(quoted))
    else {
        return Ok(None);
    };
    let expands = quotes(&name) == quotes(&raw);
    Ok(Some(Heredoc { name, expands, strips_tabs, body: Vec::new() }))
}

fn quotes(text: &str) -> usize {
    text.matches(['\'', '"']).count()
}

/// Reads the bodies of all heredocs that `text`, a logical line, opens.
pub(super) fn read(text: &str, start: u32, lines: &mut Lines<'_>) -> Result<Vec<Heredoc>, Error> {
    if !text.contains("<<") {
        return Ok(Vec::new());
    }
    let keep = Keep { quotes: true, escapes: true, unset: true, ..Keep::default() };
    // A line that cannot be split (`echo "`) has no heredocs; the shell will complain.
    let words = Expander::keeping('\\', keep).words(text, &NoVariables).unwrap_or_default();
    let mut found = Vec::new();
    for word in words {
        if let Some(mut heredoc) = opening(&word).map_err(|problem| problem.at(start))? {
            heredoc.body = body(&heredoc, start, lines)?;
            found.push(heredoc);
        }
    }
    Ok(found)
}

fn body(heredoc: &Heredoc, start: u32, lines: &mut Lines<'_>) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    while let Some(line) = lines.physical() {
        let bare = line.strip_suffix(b"\n").unwrap_or(line);
        let bare = bare.strip_suffix(b"\r").unwrap_or(bare);
        let tabs = match heredoc.strips_tabs {
            true => bare.iter().take_while(|byte| **byte == b'\t').count(),
            false => 0,
        };
        let bare = bare.get(tabs..).unwrap_or_default();
        if bare == heredoc.name.as_bytes() {
            return Ok(body);
        }
        body.extend_from_slice(line);
    }
    Err(Problem::UnterminatedHeredoc(heredoc.name.clone()).at(start))
}

#[cfg(test)]
mod tests {
    use super::{Lines, opening, read};

    #[test]
    fn openings_are_told_from_other_words() {
        for (word, expected) in [
            ("<<EOF", Some(("EOF", true, false))),
            ("3<<-EOF", Some(("EOF", true, true))),
            ("<<'EOF'", Some(("EOF", false, false))),
            ("<<\"E F\"", Some(("E F", false, false))),
            ("<<E\"O\"F", Some(("EOF", false, false))),
            ("<<$EOF", Some(("$EOF", true, false))),
            ("<<<EOF", None),
            ("<<", None),
            ("<<a<<b", None),
            ("EOF", None),
            ("a<<b", None),
        ] {
            let found = opening(word).unwrap();
            let found = found.as_ref().map(|doc| (doc.name.as_str(), doc.expands, doc.strips_tabs));
            assert_eq!(found, expected, "{word}");
        }
    }

    #[test]
    fn bodies_are_read_in_order() {
        let text = "first\n\tA\nA\n\tsecond\n\tB\nRUN next";
        let mut lines = Lines::new(text.as_bytes()).unwrap();
        let found = read("RUN cat <<A > x && cat <<-B > y", 1, &mut lines).unwrap();
        assert_eq!(found[0].content(), b"first\n\tA\n");
        assert_eq!(found[1].content(), b"second\n");
        assert_eq!(lines.logical().unwrap().unwrap().text, "RUN next");
        let mut lines = Lines::new(b"x\n").unwrap();
        let error = read("RUN <<A", 7, &mut lines).unwrap_err();
        assert_eq!(error.to_string(), "7: heredoc 'A' is not terminated");
    }
}
