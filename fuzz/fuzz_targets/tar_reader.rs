//! Any bytes as an archive: the reader neither panics nor reads on for ever, what
//! it accepts has names, and what it accepts can be written and read again.

#![no_main]

use std::io::Read as _;

use common::tar::{Entry, Error, Kind, Limits, Reader, Writer};
use libfuzzer_sys::fuzz_target;

/// A sparse file can be far longer than its archive.
const MOST_BYTES: u64 = 1 << 20;

fn read(archive: &[u8]) -> Result<Vec<(Entry, Vec<u8>)>, Error> {
    // Chunks that end in the middle of a block, as a pipe's do.
    let stream = std::io::BufReader::with_capacity(300, archive);
    let mut reader = Reader::buffered(stream, Limits::default());
    let mut members = Vec::new();
    while let Some(entry) = reader.next_entry()? {
        assert!(!entry.path.is_empty() && !entry.path.contains(&0));
        assert!(entry.mode <= 0o7777);
        let mut content = Vec::new();
        if reader.content().take(MOST_BYTES).read_to_end(&mut content).is_err() {
            continue;
        }
        members.push((entry, content));
    }
    reader.finish()?;
    Ok(members)
}

fuzz_target!(|data: &[u8]| {
    let Ok(members) = read(data) else { return };
    // What a writer refuses: a slash where there is no directory, content of links,
    // and what was cut off above.
    let members: Vec<_> = members
        .into_iter()
        .filter(|(entry, content)| {
            let slash = entry.path.ends_with(b"/") && entry.kind != Kind::Directory;
            let content = entry.len_bytes == content.len() as u64
                && (content.is_empty() || entry.kind == Kind::File);
            content && !slash
        })
        .map(|(mut entry, content)| {
            if entry.kind == Kind::Directory && !entry.path.ends_with(b"/") {
                entry.path.push(b'/');
            }
            (entry, content)
        })
        .collect();
    let mut writer = Writer::new(Vec::new());
    for (entry, content) in &members {
        writer.append(entry, &content[..]).expect("what is read can be written");
    }
    let archive = writer.finish().expect("memory takes everything");
    assert_eq!(read(&archive).expect("what is written can be read"), members);
});
