//! The tar reader: bounded, the same however the stream is cut, and what it reads is
//! what our writer can write.

use std::io::{self, Read};

use common::tar::{Entry, Kind, Limits, Reader, Whole, Writer};

use crate::mend::mend;

const LIMITS: Limits =
    Limits { entries: 2000, metadata_bytes: 64 << 10, path_bytes: 4096, sparse_segments: 1000 };

/// As much content as is looked at; sparse files are as long as they say.
const MAX_CONTENT: u64 = 1 << 20;

pub(crate) fn run(input: &[u8]) {
    let Some((choice, archive)) = input.split_first() else { return };
    let mended = mend(archive);
    check(if choice % 2 == 0 { &mended } else { archive });
}

/// Reads an archive in two ways, which must agree, and writes it again.
pub(crate) fn check(archive: &[u8]) {
    let (members, ended_well) = read(archive);
    let (others, other_end) = read(Dribble(archive));
    assert!(members == others && ended_well == other_end, "the stream was cut another way");
    let mut writer = Writer::new(Vec::new());
    for (entry, content) in &members {
        if content.len() as u64 != entry.len_bytes && !matches!(entry.kind, Kind::HardLink { .. }) {
            return;
        }
        let entry = match &entry.kind {
            // A link may bring content, which is nobody's.
            Kind::HardLink { .. } => Entry { len_bytes: 0, ..entry.clone() },
            _ => entry.clone(),
        };
        let content = if entry.len_bytes == 0 { &[][..] } else { content };
        if writer.append(&entry, content).is_err() {
            return;
        }
    }
    let written = writer.finish().unwrap();
    let (again, ended_well) = read(&written[..]);
    assert!(ended_well && again.len() == members.len());
    for ((one, content), (other, again)) in members.iter().zip(&again) {
        let is_link = matches!(one.kind, Kind::HardLink { .. });
        let mut expected = one.clone();
        expected.path = other.path.clone();
        if is_link {
            // Attributes of a link are those of its target.
            expected.len_bytes = 0;
            expected.xattrs = other.xattrs.clone();
        }
        assert!(expected == *other && (is_link || content == again), "{one:?}, {other:?}");
        let names = |path: &[u8]| common::root::split(path).map(|names| common::root::join(&names));
        assert_eq!(names(&one.path), names(&other.path));
    }
}

/// The members up to the end or the first error, and whether it was the end.
fn read(stream: impl Read) -> (Vec<(Entry, Vec<u8>)>, bool) {
    let mut reader = Reader::new(stream, LIMITS, Whole::ByMarker);
    let (mut members, mut left) = (Vec::new(), MAX_CONTENT);
    loop {
        match reader.next_entry() {
            Ok(Some(entry)) => {
                let mut content = Vec::new();
                let outcome = reader.content().take(left).read_to_end(&mut content);
                left -= content.len() as u64;
                members.push((entry, content));
                if outcome.is_err() {
                    return (members, false);
                }
            }
            Ok(None) => return (members, reader.finish().is_ok()),
            Err(_) => return (members, false),
        }
    }
}

/// A stream that gives little at a time.
pub(crate) struct Dribble<'a>(pub(crate) &'a [u8]);

impl Read for Dribble<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = buffer.len().min(if self.0.len() % 3 == 0 { 1 } else { 100 });
        self.0.read(&mut buffer[..len])
    }
}
