//! Docker's `--format`: `table`, `json`, and the part of Go's templates that formats
//! are made of. What is not understood is refused, never passed over.
//!
//! A template is text with actions: `{{.Field}}`, `{{json .}}`, `{{FUNCTION .Field}}`,
//! `{{truncate .Field N}}`, the same with `|`, and `{{"text"}}`. Functions are `json`,
//! `upper`, `lower`, `println` and `truncate`. `{{-` and `-}}` trim blanks.

use serde_json::{Map, Value};

use crate::json;

/// A parsed format.
#[derive(Debug, Clone, PartialEq)]
pub struct Format {
    table: bool,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Action { operand: Operand, functions: Vec<Function> },
}

#[derive(Debug, Clone, PartialEq)]
enum Operand {
    /// `.`
    All,
    /// `.Name`, or `.Name.Name` for what is inside.
    Field(Vec<String>),
    Text(String),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Function {
    Json,
    Upper,
    Lower,
    Println,
    Truncate(usize),
}

/// A template that is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not a template.
    #[error("malformed template: {0}")]
    Malformed(String),
    /// A part of Go's templates that is not supported.
    #[error("not supported in a template: '{}'", crate::name::show(.0))]
    Unsupported(String),
    /// A field that there is not.
    #[error("no field '.{}'; there is {known}", crate::name::show(.field))]
    Field {
        /// What was asked for.
        field: String,
        /// What there is.
        known: String,
    },
}

impl Format {
    /// Parses what follows `--format`. `default` is the template of `table` alone;
    /// `fields` are the names that may be used, all if empty.
    ///
    /// # Errors
    /// What is malformed, not supported, or names no field.
    pub fn parse(text: &str, default: &str, fields: &[&str]) -> Result<Self, Error> {
        let (table, template) = match text.trim().strip_prefix("table") {
            Some(rest) if rest.trim().is_empty() => (true, default),
            Some(rest) => (true, rest.trim()),
            None if text.trim().is_empty() => (true, default),
            None => (false, text.trim()),
        };
        let template = if template == "json" { "{{json .}}" } else { template };
        let template = template.replace("\\t", "\t").replace("\\n", "\n");
        let format = Self { table, parts: parts(&template)? };
        for part in &format.parts {
            let Part::Action { operand: Operand::Field(path), .. } = part else { continue };
            let known = |name: &String| fields.is_empty() || fields.contains(&name.as_str());
            if !path.first().is_some_and(known) {
                let known =
                    fields.iter().map(|field| format!(".{field}")).collect::<Vec<_>>().join(" ");
                return Err(Error::Field { field: path.join("."), known });
            }
        }
        Ok(format)
    }

    /// Whether the output is a table with headers.
    #[must_use]
    pub fn is_table(&self) -> bool {
        self.table
    }

    /// The line for one object.
    #[must_use]
    pub fn line(&self, object: &Map<String, Value>) -> String {
        self.render(object, true)
    }

    /// The line of headers, which functions leave alone.
    #[must_use]
    pub fn headers(&self, headers: &Map<String, Value>) -> String {
        self.render(headers, false)
    }

    fn render(&self, object: &Map<String, Value>, with_functions: bool) -> String {
        let mut line = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => line.push_str(text),
                Part::Action { operand, functions } => {
                    let functions = if with_functions { functions.as_slice() } else { &[] };
                    line.push_str(&evaluate(operand, functions, object));
                }
            }
        }
        line
    }
}

fn evaluate(operand: &Operand, functions: &[Function], object: &Map<String, Value>) -> String {
    let mut value = match operand {
        Operand::All => Value::Object(object.clone()),
        Operand::Text(text) => Value::String(text.clone()),
        Operand::Field(path) => {
            let (first, rest) =
                path.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
            let start = object.get(first).unwrap_or(&Value::Null);
            rest.iter().fold(start, |value, name| value.get(name).unwrap_or(&Value::Null)).clone()
        }
    };
    for function in functions {
        value = Value::String(match function {
            Function::Json => go_json(&value),
            Function::Upper => show(&value).to_uppercase(),
            Function::Lower => show(&value).to_lowercase(),
            Function::Println => show(&value) + "\n",
            Function::Truncate(len) => show(&value).chars().take(*len).collect(),
        });
    }
    show(&value)
}

/// As Go prints a value.
fn show(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "<no value>".into(),
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(show).collect();
            format!("[{}]", values.join(" "))
        }
        Value::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(name, value)| format!("{name}:{}", show(value))).collect();
            format!("map[{}]", fields.join(" "))
        }
        other => other.to_string(),
    }
}

/// JSON as Go writes it: what HTML would take for itself is escaped.
fn go_json(value: &Value) -> String {
    let mut text = String::new();
    for character in json::escaped(value.to_string()).chars() {
        match character {
            '<' | '>' | '&' => {
                text.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            other => text.push(other),
        }
    }
    text
}

fn parts(template: &str) -> Result<Vec<Part>, Error> {
    let mut parts = Vec::new();
    let mut rest = template;
    let mut trim_next = false;
    while let Some((text, after)) = rest.split_once("{{") {
        let (action, after) = split_action(after)?;
        let action = action.strip_prefix("- ").map_or((action, false), |action| (action, true));
        let (action, trim_before) = action;
        let (action, trim_after) = match action.strip_suffix(" -") {
            Some(action) => (action, true),
            None => (action, false),
        };
        let text = if trim_next { text.trim_start() } else { text };
        let text = if trim_before { text.trim_end() } else { text };
        push_text(&mut parts, text);
        if !action.trim().starts_with("/*") {
            parts.push(pipeline(action)?);
        }
        (rest, trim_next) = (after, trim_after);
    }
    push_text(&mut parts, if trim_next { rest.trim_start() } else { rest });
    Ok(parts)
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    if !text.is_empty() {
        parts.push(Part::Text(text.to_owned()));
    }
}

/// What is before the closing braces, quotes respected, and what follows them.
fn split_action(text: &str) -> Result<(&str, &str), Error> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '}' if !quoted => {
                let (action, rest) = text.split_at(at);
                if let Some(after) = rest.strip_prefix("}}") {
                    return Ok((action, after));
                }
            }
            _ => {}
        }
    }
    Err(Error::Malformed("unclosed action".into()))
}

/// `OPERAND`, `FUNCTION OPERAND`, and further functions after `|`.
fn pipeline(text: &str) -> Result<Part, Error> {
    let unsupported = || Error::Unsupported(text.trim().to_owned());
    let mut operand = None;
    let mut functions = Vec::new();
    for (at, command) in split_pipes(text).into_iter().enumerate() {
        let words = words(command)?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match (at, words.as_slice()) {
            (0, [word]) => operand = Some(parse_operand(word).ok_or_else(unsupported)?),
            (0, [name @ ("json" | "upper" | "lower" | "println"), word]) => {
                operand = Some(parse_operand(word).ok_or_else(unsupported)?);
                functions.push(function(name).ok_or_else(unsupported)?);
            }
            (0, ["truncate", word, len]) => {
                operand = Some(parse_operand(word).ok_or_else(unsupported)?);
                functions.push(Function::Truncate(len.parse().map_err(|_| unsupported())?));
            }
            (1.., [name]) => functions.push(function(name).ok_or_else(unsupported)?),
            _ => return Err(unsupported()),
        }
    }
    let operand = operand.ok_or_else(|| Error::Malformed("empty action".into()))?;
    // Only JSON can show the whole.
    if operand == Operand::All && functions.first() != Some(&Function::Json) {
        return Err(unsupported());
    }
    Ok(Part::Action { operand, functions })
}

fn function(name: &str) -> Option<Function> {
    Some(match name {
        "json" => Function::Json,
        "upper" => Function::Upper,
        "lower" => Function::Lower,
        "println" => Function::Println,
        _ => return None,
    })
}

fn parse_operand(word: &str) -> Option<Operand> {
    if word == "." {
        return Some(Operand::All);
    }
    if word.starts_with('"') {
        return serde_json::from_str(word).ok().map(Operand::Text);
    }
    let path: Vec<String> = word.strip_prefix('.')?.split('.').map(str::to_owned).collect();
    let is_name = |name: &String| {
        !name.is_empty()
            && name.chars().all(|character| character.is_alphanumeric() || character == '_')
    };
    path.iter().all(is_name).then_some(Operand::Field(path))
}

fn split_pipes(text: &str) -> Vec<&str> {
    let mut quoted = false;
    text.split(|character| {
        quoted ^= character == '"';
        character == '|' && !quoted
    })
    .collect()
}

/// Words, strings in double quotes being one.
fn words(text: &str) -> Result<Vec<String>, Error> {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut quoted, mut escaped) = (false, false);
    for character in text.chars() {
        if character.is_whitespace() && !quoted {
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
            continue;
        }
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        word.push(character);
    }
    if quoted {
        return Err(Error::Malformed("unterminated string".into()));
    }
    if !word.is_empty() {
        words.push(word);
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::{Error, Format};
    use serde_json::{Map, Value, json};

    fn object() -> Map<String, Value> {
        let Value::Object(object) =
            json!({"ID": "abcdef", "Size": "1.98MB", "By": "a > b", "In": {"K": [1]}})
        else {
            unreachable!()
        };
        object
    }

    fn line(template: &str) -> Result<String, Error> {
        Ok(Format::parse(template, "{{.ID}}\t{{.Size}}", &["ID", "Size", "By", "In"])?
            .line(&object()))
    }

    #[test]
    fn what_docker_renders_is_rendered() {
        for (template, rendered) in [
            ("{{.ID}}|{{ .Size }}", "abcdef|1.98MB"),
            ("json", r#"{"By":"a \u003e b","ID":"abcdef","In":{"K":[1]},"Size":"1.98MB"}"#),
            ("{{json .By}}", r#""a \u003e b""#),
            (r"a\tb{{upper .ID}}", "a\tbABCDEF"),
            ("{{.ID | upper | json}}", "\"ABCDEF\""),
            ("{{truncate .ID 3}}{{\"}}|\"}}", "abc}}|"),
            ("x {{- .ID -}} y", "xabcdefy"),
            ("{{json .In.K}}{{/* note */}}", "[1]"),
            ("{{.In}} {{.In.K}} {{.In.No}}", "map[K:[1]] [1] <no value>"),
            ("raw", "raw"),
            ("table", "abcdef\t1.98MB"),
            ("table {{.Size}}", "1.98MB"),
            ("", "abcdef\t1.98MB"),
        ] {
            assert_eq!(line(template).as_deref(), Ok(rendered), "{template}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for template in [
            "{{",
            "{{}}",
            "{{.}}",
            "{{if .ID}}x{{end}}",
            "{{.Nope}}",
            "{{.id}}",
            "{{range .ID}}",
            "{{.ID .Size}}",
            "{{truncate .ID}}",
            "{{printf \"%s\" .ID}}",
            "{{\"x}}",
            "{{.ID|}}",
            "{{|json}}",
            "{{.ID.}}",
        ] {
            assert!(line(template).is_err(), "{template}");
        }
    }

    #[test]
    fn headers_are_left_alone_by_functions() {
        let format = Format::parse("table {{json .ID}}\\t{{upper .Size}}", "", &[]).unwrap();
        assert!(format.is_table());
        assert_eq!(format.headers(&object()), "abcdef\t1.98MB");
    }
}
