//! A logical line split up: keyword, flags, words, pairs, JSON arrays.

use super::error::Problem;

/// The blanks that separate words (Go's `[\t\v\f\r ]+`).
pub(super) fn is_blank(char: char) -> bool {
    matches!(char, '\t' | '\x0b' | '\x0c' | '\r' | ' ')
}

/// The first word, and the rest without the blanks before it.
pub(super) fn split_first(text: &str) -> (&str, &str) {
    match text.split_once(is_blank) {
        Some((first, rest)) => (first, rest.trim_start_matches(is_blank)),
        None => (text, ""),
    }
}

/// Words separated by blanks, no quotes.
pub(super) fn plain(text: &str) -> Vec<String> {
    text.split(is_blank).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Takes the `--flags` off the front of an instruction's arguments. Quotes and
/// escapes in them are resolved; `--` ends them.
pub(super) fn flags(text: &str, escape: char) -> (Vec<String>, &str) {
    let mut flags = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if !rest.starts_with("--") {
            return (flags, rest);
        }
        let mut word = String::new();
        let mut quote = None;
        let mut end = rest.len();
        let mut chars = rest.char_indices();
        while let Some((at, char)) = chars.next() {
            match quote {
                None if char.is_whitespace() => {
                    end = at;
                    break;
                }
                None if matches!(char, '\'' | '"') => quote = Some(char),
                Some(open) if char == open => quote = None,
                _ if char == escape => word.extend(chars.next().map(|(_, escaped)| escaped)),
                _ => word.push(char),
            }
        }
        rest = rest.get(end..).unwrap_or_default();
        if word == "--" {
            return (flags, rest.trim_start());
        }
        flags.push(word);
    }
}

/// Words separated by blanks outside quotes; quotes and escapes stay, for
/// the expansion to resolve.
pub(super) fn quoted(text: &str, escape: char) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        if quote.is_none() && char.is_whitespace() {
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
            continue;
        }
        match quote {
            None if matches!(char, '\'' | '"') => quote = Some(char),
            Some(open) if char == open => quote = None,
            _ if char == escape && quote != Some('\'') => {
                // At the very end it escapes nothing and is dropped.
                if let Some(escaped) = chars.next() {
                    word.push(char);
                    word.push(escaped);
                }
                continue;
            }
            _ => {}
        }
        word.push(char);
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// `NAME=VALUE` words, or the old `NAME the rest of the line`.
pub(super) fn pairs(
    text: &str,
    escape: char,
    keyword: &'static str,
) -> Result<Vec<(String, String)>, Problem> {
    let words = quoted(text, escape);
    let Some(first) = words.first() else { return Err(Problem::AtLeastOne(keyword)) };
    if !first.contains('=') {
        let (name, value) = split_first(text);
        if value.is_empty() {
            return Err(Problem::TwoArguments(keyword));
        }
        return Ok(vec![(name.to_owned(), value.to_owned())]);
    }
    words
        .into_iter()
        .map(|word| match word.split_once('=') {
            Some(("", _)) => Err(Problem::BlankName(keyword)),
            Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
            None => Err(Problem::NotPair(word)),
        })
        .collect()
}

/// A JSON array of strings, `None` for what is not even a JSON array.
pub(super) fn json(text: &str) -> Result<Option<Vec<String>>, Problem> {
    let text = text.trim_start();
    if !text.starts_with('[') {
        return Ok(None);
    }
    let Ok(values) = serde_json::from_str::<Vec<serde_json::Value>>(text) else { return Ok(None) };
    values
        .into_iter()
        .map(|value| match value {
            serde_json::Value::String(text) => Ok(text),
            _ => Err(Problem::NotStringArray),
        })
        .collect::<Result<_, _>>()
        .map(Some)
}

#[cfg(test)]
mod tests {
    use super::{flags, json, pairs, quoted};

    #[test]
    fn flags_end_at_the_first_other_word() {
        for (text, expected, rest) in [
            ("--a=b --c d --e", vec!["--a=b", "--c"], "d --e"),
            ("--a='b c' \"--d\"", vec!["--a=b c"], "\"--d\""),
            ("--a=b\\ c x", vec!["--a=b c"], "x"),
            ("--a -- --b", vec!["--a"], "--b"),
            ("--a", vec!["--a"], ""),
            ("-a", vec![], "-a"),
        ] {
            let (found, left) = flags(text, '\\');
            assert_eq!(
                (found, left),
                (expected.into_iter().map(Into::into).collect(), rest),
                "{text}"
            );
        }
    }

    #[test]
    fn quotes_hold_words_together() {
        assert_eq!(quoted("a 'b c'd \"e f\"", '\\'), ["a", "'b c'd", "\"e f\""]);
        assert_eq!(
            quoted("a\\ b \"c\\\" d\" 'e\\' f", '\\'),
            ["a\\ b", "\"c\\\" d\"", "'e\\'", "f"]
        );
        assert_eq!(quoted("a\\", '\\'), ["a"]);
    }

    #[test]
    fn pairs_are_new_or_old_style() {
        let pairs = |text| pairs(text, '\\', "ENV");
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            pairs("a=1 b='x y' c=").unwrap(),
            [pair("a", "1"), pair("b", "'x y'"), pair("c", "")]
        );
        assert_eq!(pairs("a  b = c").unwrap(), [pair("a", "b = c")]);
        for bad in ["", "a", "a=1 b", "=1"] {
            assert!(pairs(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_arrays_of_strings_are_the_json_form() {
        assert_eq!(json("[\"a\", \"b\"]").unwrap().unwrap(), ["a", "b"]);
        assert_eq!(json("[]").unwrap().unwrap(), Vec::<String>::new());
        for shell in ["[a", "['a']", "[\"a\"] b", "{\"a\":1}", "x"] {
            assert_eq!(json(shell).unwrap(), None, "{shell}");
        }
        assert!(json("[\"a\", 1]").is_err());
        assert!(json("[[\"a\"]]").is_err());
    }
}
