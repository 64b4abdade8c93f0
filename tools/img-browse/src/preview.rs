//! A name in full: what is recorded of it, its past, and the beginning of its content.

use std::io::Read as _;

use common::inside::{Wanted, entry};
use common::layer::listing::long_line;
use common::name::show;
use common::tar::Kind;

use crate::model::Model;

/// The most that is read of a file, in bytes.
const MAX_LEN_BYTES: u64 = 64 << 10;

/// Bytes in a line of a dump.
const DUMP_WIDTH: usize = 16;

/// The lines that tell of a name as it is after layer `to`, or was before it was deleted.
pub(crate) fn lines(model: &Model, number: usize, to: u32) -> Vec<String> {
    let Some(name) = model.names.get(number) else { return Vec::new() };
    let mut lines = Vec::new();
    let last = || model.events(name, 0, to).rev().find_map(|event| model.state(name, event.layer));
    let Some(state) = model.state(name, to).or_else(last) else { return lines };
    let described = entry(model.path(number), state.inode);
    lines.push(show(&long_line(&described)).to_string());
    for event in model.events(name, 0, to) {
        let step = usize::try_from(event.layer).ok().and_then(|at| model.layers.get(at - 1));
        let step = step.map_or("", |layer| layer.step.as_str());
        lines.push(format!("{} layer {}: {step}", event.change.letter(), event.layer));
    }
    lines.push(String::new());
    let Some(inode) = state.inode.filter(|inode| inode.kind == Kind::File) else { return lines };
    let mut wanted = Wanted::default();
    wanted.add(&inode.content);
    let mut content = Vec::new();
    let read = model.inside.visit(&wanted, |_, _, _, from| {
        from.take(MAX_LEN_BYTES).read_to_end(&mut content).map(|_| ())
    });
    match read {
        Ok(()) => lines.extend(text(&content).unwrap_or_else(|| dump(&content))),
        Err(error) => lines.push(show(&common::errors::line(&error)).to_string()),
    }
    if inode.len_bytes > MAX_LEN_BYTES {
        lines.push(format!("(the first {MAX_LEN_BYTES} of {} bytes)", inode.len_bytes));
    }
    lines
}

/// The lines of a text; nothing if it is none.
fn text(content: &[u8]) -> Option<Vec<String>> {
    let text = match std::str::from_utf8(content) {
        Ok(text) => text,
        // The last character may have been cut.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(content.get(..error.valid_up_to())?).ok()?
        }
        Err(_) => return None,
    };
    if text.contains('\0') {
        return None;
    }
    Some(text.lines().map(|line| show(&line.replace('\t', "    ")).to_string()).collect())
}

/// Bytes as `hexdump -C` shows them.
fn dump(content: &[u8]) -> Vec<String> {
    let line = |(at, bytes): (usize, &[u8])| {
        let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let text: String = bytes
            .iter()
            .map(|&byte| if (0x20..0x7f).contains(&byte) { char::from(byte) } else { '.' })
            .collect();
        format!("{:08x}  {:<47}  |{text}|", at * DUMP_WIDTH, hex.join(" "))
    };
    content.chunks(DUMP_WIDTH).enumerate().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::{dump, text};

    #[test]
    fn text_is_harmless_and_all_else_is_dumped() {
        assert_eq!(text(b"a\tb\n\x1b[2Jc").unwrap(), ["a    b", "\\033[2Jc"]);
        assert_eq!(text("é".as_bytes().split_last().unwrap().1).unwrap(), [""; 0]);
        assert_eq!(text(b"a\0"), None);
        assert_eq!(text(b"\xffa"), None);
        let lines = dump(b"\x00abc\x7f\xff0123456789XY");
        assert_eq!(
            lines[0],
            "00000000  00 61 62 63 7f ff 30 31 32 33 34 35 36 37 38 39  |.abc..0123456789|"
        );
        assert_eq!(lines[1], format!("00000010  58 59{}  |XY|", " ".repeat(42)));
    }
}
