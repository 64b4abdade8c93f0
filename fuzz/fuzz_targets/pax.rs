//! Any bytes as the records of an extended header, with a member after it: the
//! framing of that member is never in doubt.

#![no_main]

use common::tar::{Entry, Kind, Limits, Reader, Writer, Xattrs};
use common::time::Timestamp;
use libfuzzer_sys::fuzz_target;

/// The blocks of a member, without an end-of-archive marker.
fn blocks(path: &[u8], content: &[u8]) -> Vec<u8> {
    let entry = Entry {
        path: path.to_vec(),
        kind: Kind::File,
        mode: 0o644,
        uid: 0,
        gid: 0,
        mtime: Timestamp::EPOCH,
        len_bytes: content.len() as u64,
        xattrs: Xattrs::new(),
    };
    let mut writer = Writer::new(Vec::new());
    writer.append(&entry, content).expect("a plain member can be written");
    let mut archive = writer.finish().expect("memory takes everything");
    archive.truncate(archive.len() - 1024);
    archive
}

/// Makes the member that begins `blocks` an extended header.
fn into_extended(blocks: &mut [u8]) {
    blocks[156] = b'x';
    blocks[148..156].fill(b' ');
    let sum: u32 = blocks[..512].iter().copied().map(u32::from).sum();
    blocks[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

fuzz_target!(|data: &[u8]| {
    let mut archive = blocks(b"PaxHeaders.0/x", data);
    into_extended(&mut archive);
    archive.extend(blocks(b"member", b"content"));
    archive.extend(blocks(b"next", b""));
    archive.extend([0; 1024]);
    let mut reader = Reader::buffered(&archive[..], Limits::default());
    let Ok(Some(first)) = reader.next_entry() else { return };
    assert!(!first.path.contains(&0));
    assert!(first.xattrs.keys().all(|name| !name.is_empty() && !name.contains(&0)));
    // The member is one block of content and padding long unless a record says else.
    let says_size = data.windows(5).any(|bytes| bytes == b" size");
    let is_sparse = data.windows(11).any(|bytes| bytes == b"GNU.sparse.");
    if !says_size && !is_sparse {
        assert_eq!(first.len_bytes, 7);
        let next = reader.next_entry().expect("framed").expect("there");
        assert_eq!(next.path, b"next");
        assert!(next.xattrs.is_empty());
    }
});
