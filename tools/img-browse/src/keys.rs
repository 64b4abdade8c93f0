//! Keys, from the bytes that terminals send for them (ECMA-48, xterm).

/// A key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    PageUp,
    PageDown,
    Enter,
    Tab,
    Escape,
    Backspace,
    Char(char),
    Ctrl(char),
}

/// Sequences that stand for a key.
const SEQUENCES: [(&[u8], Key); 19] = [
    (b"\x1b[A", Key::Up),
    (b"\x1b[B", Key::Down),
    (b"\x1b[C", Key::Right),
    (b"\x1b[D", Key::Left),
    (b"\x1bOA", Key::Up),
    (b"\x1bOB", Key::Down),
    (b"\x1bOC", Key::Right),
    (b"\x1bOD", Key::Left),
    (b"\x1b[H", Key::Home),
    (b"\x1b[F", Key::End),
    (b"\x1bOH", Key::Home),
    (b"\x1bOF", Key::End),
    (b"\x1b[1~", Key::Home),
    (b"\x1b[4~", Key::End),
    (b"\x1b[7~", Key::Home),
    (b"\x1b[8~", Key::End),
    (b"\x1b[5~", Key::PageUp),
    (b"\x1b[6~", Key::PageDown),
    (b"\x1b[Z", Key::Tab),
];

/// Takes the keys from `bytes`. The beginning of a longer sequence stays, unless
/// nothing `follows`.
pub(crate) fn take(bytes: &mut Vec<u8>, follows: bool) -> Vec<Key> {
    let mut keys = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some((key, len)) = first(rest, follows) {
        keys.extend(key);
        rest = rest.get(len.max(1)..).unwrap_or_default();
    }
    *bytes = rest.to_vec();
    keys
}

/// The first key, if it is one, and its length in bytes; nothing if more has to come.
fn first(bytes: &[u8], follows: bool) -> Option<(Option<Key>, usize)> {
    let &byte = bytes.first()?;
    match byte {
        0x1b => {
            if let Some((sequence, key)) = SEQUENCES.iter().find(|(it, _)| bytes.starts_with(it)) {
                return Some((Some(*key), sequence.len()));
            }
            let len = unknown_len(bytes);
            match (len, follows) {
                (Some(2), _) if bytes.starts_with(b"\x1b\x1b") => Some((Some(Key::Escape), 2)),
                (Some(len), _) => Some((None, len)),
                (None, true) => None,
                (None, false) => Some((Some(Key::Escape), bytes.len())),
            }
        }
        b'\r' | b'\n' => Some((Some(Key::Enter), 1)),
        b'\t' => Some((Some(Key::Tab), 1)),
        0x08 | 0x7f => Some((Some(Key::Backspace), 1)),
        1..=26 => Some((Some(Key::Ctrl(char::from(byte - 1 + b'a'))), 1)),
        0..=31 => Some((None, 1)),
        _ => {
            let len = match byte {
                0xf0.. => 4,
                0xe0.. => 3,
                0xc0.. => 2,
                _ => 1,
            };
            match bytes.get(..len).map(std::str::from_utf8) {
                Some(Ok(text)) => Some((text.chars().next().map(Key::Char), len)),
                Some(Err(_)) => Some((None, 1)),
                None if follows => None,
                None => Some((None, 1)),
            }
        }
    }
}

/// The length of a sequence that stands for no key here, if it is whole.
fn unknown_len(bytes: &[u8]) -> Option<usize> {
    match bytes.get(1)? {
        // Alt and a key that has a sequence.
        0x1b if matches!(bytes.get(2)?, b'[' | b'O') => Some(1 + unknown_len(bytes.get(1..)?)?),
        // A function key of Linux's console.
        b'[' if bytes.get(2) == Some(&b'[') => bytes.get(3).map(|_| 4),
        b'[' => {
            let end = bytes.iter().skip(2).position(|byte| (0x40..=0x7e).contains(byte))?;
            Some(end + 3)
        }
        b'O' => bytes.get(2).map(|_| 3),
        // Alt and a key.
        _ => Some(2),
    }
}

#[cfg(test)]
mod tests {
    use super::{Key, take};

    #[test]
    fn keys_are_what_terminals_send() {
        let keys = |bytes: &[u8]| take(&mut bytes.to_vec(), false);
        assert_eq!(keys(b"q\x1b[A\x1bOB\r"), [Key::Char('q'), Key::Up, Key::Down, Key::Enter]);
        assert_eq!(
            keys("\u{e9}\x06\x7f".as_bytes()),
            [Key::Char('\u{e9}'), Key::Ctrl('f'), Key::Backspace]
        );
        assert_eq!(keys(b"\x1b"), [Key::Escape]);
        // Sequences of no key are passed over whole.
        assert_eq!(keys(b"\x1b[1;5Cx\xff\x00"), [Key::Char('x')]);
        assert_eq!(keys(b"\x1b\x1b[Ax\x1b\x1bOBy"), [Key::Char('x'), Key::Char('y')]);
        assert_eq!(keys(b"\x1b[[Ax"), [Key::Char('x')]);
        assert_eq!(keys(b"\x1b\x1b"), [Key::Escape]);
        assert_eq!(keys(b"\x1b\x1bx"), [Key::Escape, Key::Char('x')]);
    }

    #[test]
    fn a_sequence_may_come_in_pieces() {
        let mut bytes = b"a\x1b[".to_vec();
        assert_eq!(take(&mut bytes, true), [Key::Char('a')]);
        bytes.push(b'A');
        assert_eq!(take(&mut bytes, true), [Key::Up]);
        assert!(bytes.is_empty());
    }
}
