//! The two ways to read a pattern.

use super::{BadPattern, DoubleStar, SLASH, Token, Unit};

/// Reads a pattern of bytes; every text is one.
pub(super) fn bytes(pattern: &[u8]) -> Vec<Token> {
    let mut rest = pattern;
    let mut tokens = Vec::new();
    while !rest.is_empty() {
        let (token, after) = match rest {
            [b'*', b'*', b'/', after @ ..] => (Token::Directories, after),
            [b'*', b'*', after @ ..] => (Token::Anything, after),
            [b'*', after @ ..] => (Token::Star, after),
            [b'?', after @ ..] => (Token::Any, after),
            [b'\\', byte, after @ ..] => (Token::One(Unit::from(*byte)), after),
            [b'[', body @ ..] => byte_class(body).unwrap_or((Token::One(Unit::from(b'[')), body)),
            [byte, after @ ..] => (Token::One(Unit::from(*byte)), after),
            [] => break,
        };
        tokens.push(token);
        rest = after;
    }
    tokens
}

/// The class that `body` begins with, after its bracket, and what follows it; `None` if it
/// is not closed. A bracket that comes first is a member.
fn byte_class(body: &[u8]) -> Option<(Token, &[u8])> {
    let is_negated = matches!(body.first(), Some(b'!' | b'^'));
    let body = body.get(usize::from(is_negated)..)?;
    let end = 1 + body.iter().skip(1).position(|&byte| byte == b']')?;
    let (mut members, after) = (body.get(..end)?, body.get(end + 1..)?);
    let mut ranges = Vec::new();
    while let Some((&low, rest)) = members.split_first() {
        let (high, rest) = match rest {
            [b'-', high, rest @ ..] => (*high, rest),
            rest => (low, rest),
        };
        ranges.push((Unit::from(low), Unit::from(high)));
        members = rest;
    }
    Some((Token::Class { ranges, is_negated }, after))
}

/// Reads a pattern of characters as Go does.
pub(super) fn characters(
    pattern: &[Unit],
    double_star: DoubleStar,
) -> Result<Vec<Token>, BadPattern> {
    let mut rest = pattern;
    let mut tokens = Vec::new();
    while let Some((&unit, after)) = rest.split_first() {
        rest = after;
        let is_star = |unit: Option<&Unit>| unit == Some(&Unit::from(b'*'));
        tokens.push(match u8::try_from(unit) {
            Ok(b'*') if double_star == DoubleStar::AnyDepth && is_star(rest.first()) => {
                rest = rest.get(1..).unwrap_or_default();
                match rest.split_first() {
                    Some((&SLASH, after)) => {
                        rest = after;
                        Token::Directories
                    }
                    _ => Token::Anything,
                }
            }
            Ok(b'*') => Token::Star,
            Ok(b'?') => Token::Any,
            Ok(b'[') => character_class(&mut rest)?,
            Ok(b'\\') => Token::One(take(&mut rest)?),
            _ => Token::One(unit),
        });
    }
    Ok(tokens)
}

fn take(rest: &mut &[Unit]) -> Result<Unit, BadPattern> {
    let (&unit, after) = rest.split_first().ok_or(BadPattern)?;
    *rest = after;
    Ok(unit)
}

/// The class whose bracket has been taken.
fn character_class(rest: &mut &[Unit]) -> Result<Token, BadPattern> {
    let is = |unit: Option<&Unit>, byte: u8| unit == Some(&Unit::from(byte));
    let is_negated = is(rest.first(), b'^');
    if is_negated {
        take(rest)?;
    }
    let bound = |rest: &mut &[Unit]| match take(rest)? {
        unit if unit == Unit::from(b'\\') => take(rest),
        unit if unit == Unit::from(b'-') || unit == Unit::from(b']') => Err(BadPattern),
        unit => Ok(unit),
    };
    let mut ranges = Vec::new();
    while ranges.is_empty() || !is(rest.first(), b']') {
        let low = bound(rest)?;
        let high = match is(rest.first(), b'-') {
            true => {
                take(rest)?;
                bound(rest)?
            }
            false => low,
        };
        ranges.push((low, high));
    }
    take(rest)?;
    Ok(Token::Class { ranges, is_negated })
}
