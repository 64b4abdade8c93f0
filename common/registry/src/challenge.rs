//! `WWW-Authenticate` (RFC 9110, section 11.6.1): what a registry wants to see.

/// One challenge, as far as it concerns us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A user and a password with every request.
    Basic,
    /// A token that `realm` gives out (distribution's "Token Authentication").
    Bearer { realm: String, service: Option<String> },
}

/// The challenge to answer among those of an answer's headers: a token rather than a
/// password.
pub(super) fn choose<'h>(headers: impl Iterator<Item = &'h str>) -> Option<Challenge> {
    let all: Vec<Challenge> = headers.flat_map(parse).collect();
    all.iter().find(|one| matches!(one, Challenge::Bearer { .. })).or(all.first()).cloned()
}

/// The challenges in one header; what cannot be parsed ends it.
fn parse(header: &str) -> Vec<Challenge> {
    let mut challenges = Vec::new();
    let mut rest = header;
    while let Some((scheme, after)) = token(rest.trim_start_matches([' ', '\t', ','])) {
        let (parameters, after) = parameters(after);
        rest = after;
        let get = |name: &str| {
            let same = |(key, _): &&(String, String)| key.eq_ignore_ascii_case(name);
            parameters.iter().find(same).map(|(_, value)| value.clone())
        };
        if scheme.eq_ignore_ascii_case("basic") {
            challenges.push(Challenge::Basic);
        } else if let (true, Some(realm)) = (scheme.eq_ignore_ascii_case("bearer"), get("realm")) {
            challenges.push(Challenge::Bearer { realm, service: get("service") });
        }
    }
    challenges
}

/// `name=value` pairs up to the next scheme.
fn parameters(text: &str) -> (Vec<(String, String)>, &str) {
    let mut parameters = Vec::new();
    let mut rest = text;
    loop {
        let next = rest.trim_start_matches([' ', '\t', ',']);
        let Some((name, after)) = token(next) else { return (parameters, next) };
        let Some(after) = after.trim_start().strip_prefix('=') else { return (parameters, next) };
        let Some((value, after)) = value(after.trim_start()) else { return (parameters, "") };
        parameters.push((name.to_owned(), value));
        rest = after;
    }
}

/// A token and what follows it.
fn token(text: &str) -> Option<(&str, &str)> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~/:".contains(&byte);
    let len = text.bytes().take_while(|&byte| is_part(byte)).count();
    if len == 0 { None } else { text.split_at_checked(len) }
}

/// A value, quoted or not, and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        return token(text).map(|(value, rest)| (value.to_owned(), rest));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, quoted.get(at + 1..)?)),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Challenge, choose};

    fn bearer(realm: &str, service: Option<&str>) -> Option<Challenge> {
        Some(Challenge::Bearer { realm: realm.into(), service: service.map(Into::into) })
    }

    #[test]
    fn challenges_as_registries_send_them_are_understood() {
        for (headers, expected) in [
            (
                &[r#"Bearer realm="https://auth/token",service="r.example",scope="a:b:pull,push""#]
                    [..],
                bearer("https://auth/token", Some("r.example")),
            ),
            (&[r#"bearer service="a, b" , Realm = "x\"y""#], bearer("x\"y", Some("a, b"))),
            (&[r#"Basic realm="Registry Realm", charset="UTF-8""#], Some(Challenge::Basic)),
            (&["Basic realm=x", r#"Bearer realm="y""#], bearer("y", None)),
            (&[r#"Basic realm="x", Bearer realm="y""#], bearer("y", None)),
            (&["Basic"], Some(Challenge::Basic)),
        ] {
            assert_eq!(choose(headers.iter().copied()), expected, "{headers:?}");
        }
    }

    #[test]
    fn nonsense_is_no_challenge() {
        for header in [
            "",
            ",,,",
            "Bearer",
            "Bearer realm=\"x",
            "Negotiate abc=",
            "=",
            "\u{e9}",
            "Bearer realm=",
        ] {
            assert_eq!(choose([header].into_iter()), None, "{header}");
        }
    }
}
