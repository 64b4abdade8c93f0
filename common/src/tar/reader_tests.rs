//! Tests of the reader.

use proptest::prelude::*;

use crate::tar::testing::{Raw, archive, entry, file, member, names, problem, raw, read_all};
use crate::tar::{Kind, Limits, Problem, Reader, Whole};

#[test]
fn one_zero_block_ends_an_archive() {
    let mut bytes = archive(&[file("a", b"x")]);
    bytes.truncate(1024 + 512);
    let more = archive(&[(entry("hidden", Kind::Fifo), Vec::new())]);
    assert_eq!(names(&[&bytes[..], &more].concat()).unwrap(), ["a"]);
}

#[test]
fn an_archive_without_a_marker_is_truncated_unless_a_digest_vouches_for_it() {
    let bytes = archive(&[file("a", b"x")]);
    let read = |len: usize, whole: Whole| {
        let mut reader = Reader::new(&bytes[..len], Limits::default(), whole);
        while reader.next_entry().map_err(|error| error.to_string())?.is_some() {}
        Ok::<_, String>(())
    };
    // Nothing at all; all but the marker; as umoci leaves it, not even padding; padding or
    // the marker in part.
    for len in [0, 1024, 513, 514, 1023, 1025, 1535] {
        let error = read(len, Whole::ByMarker).unwrap_err();
        let expected = if len == 0 { "it is empty" } else { "end-of-archive marker" };
        assert!(error.contains(expected), "{len}: {error}");
        read(len, Whole::ByDigest).unwrap();
        read(len, Whole::Assumed).unwrap();
    }
    // Half a marker is one.
    read(1536, Whole::ByMarker).unwrap();
    // A header or content in part is never the end.
    for len in [200, 511, 512] {
        for whole in [Whole::ByMarker, Whole::ByDigest, Whole::Assumed] {
            assert!(read(len, whole).unwrap_err().contains("truncated"), "{len}");
        }
    }
}

#[test]
fn a_digest_vouches_for_no_part_of_a_header() {
    let bytes = archive(&[file("a", b"x"), file("b", b"y")]);
    for len in [1025, 1500, 1535] {
        let mut reader = Reader::new(&bytes[..len], Limits::default(), Whole::ByDigest);
        reader.next_entry().unwrap();
        assert!(reader.next_entry().unwrap_err().to_string().contains("truncated"), "{len}");
    }
}

#[test]
fn a_failed_archive_stays_failed() {
    let mut bytes = archive(&[file("a", b"x"), file("b", b"y")]);
    bytes[0] ^= 1;
    let mut reader = Reader::new(&bytes[..], Limits::default(), Whole::ByMarker);
    let first = reader.next_entry().unwrap_err();
    assert!(matches!(first, crate::tar::Error::Member { problem: Problem::Checksum, .. }));
    assert!(reader.next_entry().is_err());
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(members in prop::collection::vec(member(), 0..6)) {
        prop_assert_eq!(read_all(&archive(&members)).unwrap(), members);
    }

    #[test]
    fn a_truncated_archive_is_an_error(
        members in prop::collection::vec(member(), 1..4), at in any::<prop::sample::Index>()
    ) {
        let whole = archive(&members);
        // One zero block is a marker already.
        let cut = at.index(whole.len() - 1023);
        prop_assert!(read_all(&whole[..cut]).is_err());
    }

    #[test]
    fn a_mutated_archive_never_panics(
        members in prop::collection::vec(member(), 1..4),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        sealed in any::<bool>(),
    ) {
        let mut bytes = archive(&members);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if sealed {
                seal(&mut bytes, at);
            }
        }
        let _ = read_all(&bytes);
    }
}

/// Makes the block around `at` a header with a right checksum.
fn seal(bytes: &mut [u8], at: usize) {
    let block = &mut bytes[at / 512 * 512..][..512];
    let mut header = ::tar::Header::new_old();
    header.as_mut_bytes().copy_from_slice(block);
    header.set_cksum();
    block.copy_from_slice(header.as_bytes());
}

// Python makes a directory of what has the slash in its header, all others of what
// has it in the record.
#[test]
fn a_slash_is_in_both_names_of_an_old_file_or_in_none() {
    for (own, record, kind) in [
        ("a/", "b/", Some(Kind::Directory)),
        ("a", "b", Some(Kind::File)),
        ("a/", "b", None),
        ("a", "b/", None),
    ] {
        let records: [(&str, &[u8]); 1] = [("path", record.as_bytes())];
        let archive = raw([Raw::pax(b'x', &records), Raw::ustar(0, own, b"")]);
        match kind {
            Some(kind) => assert_eq!(read_all(&archive).unwrap()[0].0.kind, kind),
            None => assert!(matches!(problem(&archive), Problem::Ambiguous(_))),
        }
    }
}

#[test]
fn records_end_with_the_length_of_them_all() {
    let records: [(&str, &[u8]); 2] = [("path", b"one"), ("path", b"two")];
    let first = "12 path=one\n".len() as u64;
    for typeflag in [b'x', b'g'] {
        let header = Raw::pax(typeflag, &records).set(|header| header.set_size(first));
        let archive = raw([header, Raw::ustar(b'0', "a", b"")]);
        assert!(matches!(problem(&archive), Problem::Ambiguous(_)));
    }
}

#[test]
fn a_long_name_ends_with_a_nul_or_with_its_length() {
    let member = |name: &[u8], size| {
        raw([
            Raw::gnu(b'L', "././@LongLink", name).set(|header| header.set_size(size)),
            Raw::gnu(b'0', "a", b""),
        ])
    };
    for name in [&b"long"[..], b"long\0", b"long\0er"] {
        assert_eq!(names(&member(name, name.len() as u64)).unwrap(), ["long"]);
    }
    assert_eq!(names(&member(&[b'n'; 512], 512)).unwrap(), ["n".repeat(512)]);
    assert!(matches!(problem(&member(b"longer", 4)), Problem::Ambiguous(_)));
}

#[test]
fn content_that_is_passed_over_is_not_missed() {
    let mut members = vec![file("a", b"x"), file("big", &[b'y'; 100_000])];
    members.extend([file("c", b""), file("d", &[b'z'; 512]), file("e", b"end")]);
    let bytes = archive(&members);
    let read = |bytes: &[u8], all: &[u8]| {
        let stream = std::io::BufReader::with_capacity(600, std::io::Cursor::new(bytes.to_vec()));
        let mut reader = Reader::buffered(stream, Limits::default(), Whole::ByDigest);
        let mut names = Vec::new();
        while let Some(entry) = reader.next_entry().map_err(|error| error.to_string())? {
            if all.contains(&entry.path[0]) {
                let mut content = Vec::new();
                std::io::Read::read_to_end(&mut reader.content(), &mut content).unwrap();
                assert_eq!(content.len() as u64, entry.len_bytes);
            }
            let len_bytes = bytes.len() as u64;
            reader.seek_over_content(len_bytes).map_err(|error| error.to_string())?;
            names.push(String::from_utf8(entry.path).unwrap());
        }
        Ok::<_, String>(names)
    };
    for all in [&b""[..], b"ace", b"b", b"abcde"] {
        assert_eq!(read(&bytes, all).unwrap(), ["a", "big", "c", "d", "e"]);
    }
    // A file may have been cut since it was measured.
    let cut = read(&bytes[..50_000], b"").unwrap_err();
    assert!(cut.contains("truncated"), "{cut}");
}
