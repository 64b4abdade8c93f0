//! Tests of sparse files: all four formats, and how they are read.

use std::io::{BufRead, Read};

use proptest::prelude::*;

use super::{AheadParser, MapBuilder};
use crate::tar::testing::{Raw, names, problem, raw, read_all};
use crate::tar::{Limits, Problem, Reader, Segment, Whole};

/// `..ab....cd..` in a file of 12 bytes.
const EXPECTED: &[u8] = b"\0\0ab\0\0\0\0cd\0\0";

fn old_gnu() -> Vec<u8> {
    let member = Raw::gnu(b'S', "sparse", b"abcd").set(|header| {
        let gnu = header.as_gnu_mut().unwrap();
        for (slot, (offset, len)) in gnu.sparse.iter_mut().zip([(2, 2), (8, 2), (12, 0)]) {
            slot.set_offset(offset);
            slot.set_length(len);
        }
        gnu.set_real_size(12);
    });
    raw([member, Raw::ustar(b'0', "next", b"")])
}

fn pax(records: &[(&str, &[u8])], body: &[u8]) -> Vec<u8> {
    raw([
        Raw::pax(b'x', records),
        Raw::ustar(b'0', "GNUSparseFile.0/sparse", body),
        Raw::ustar(b'0', "next", b""),
    ])
}

fn version_0_0() -> Vec<u8> {
    let records: [(&str, &[u8]); 7] = [
        ("GNU.sparse.size", b"12"),
        ("GNU.sparse.numblocks", b"2"),
        ("GNU.sparse.offset", b"2"),
        ("GNU.sparse.numbytes", b"2"),
        ("GNU.sparse.offset", b"8"),
        ("GNU.sparse.numbytes", b"2"),
        ("path", b"sparse"),
    ];
    pax(&records, b"abcd")
}

fn version_0_1() -> Vec<u8> {
    let records: [(&str, &[u8]); 4] = [
        ("GNU.sparse.size", b"12"),
        ("GNU.sparse.numblocks", b"2"),
        ("GNU.sparse.map", b"2,2,8,2"),
        ("GNU.sparse.name", b"sparse"),
    ];
    pax(&records, b"abcd")
}

const RECORDS_1_0: [(&str, &[u8]); 4] = [
    ("GNU.sparse.major", b"1"),
    ("GNU.sparse.minor", b"0"),
    ("GNU.sparse.name", b"sparse"),
    ("GNU.sparse.realsize", b"12"),
];

fn version_1_0() -> Vec<u8> {
    let mut body = b"2\n2\n2\n8\n2\n".to_vec();
    body.resize(512, 0);
    body.extend_from_slice(b"abcd");
    pax(&RECORDS_1_0, &body)
}

fn all() -> [Vec<u8>; 4] {
    [old_gnu(), version_0_0(), version_0_1(), version_1_0()]
}

#[test]
fn all_four_formats_read_as_the_file_they_were() {
    for archive in all() {
        let members = read_all(&archive).unwrap();
        assert_eq!(members.len(), 2);
        let (entry, content) = &members[0];
        assert_eq!((entry.path.as_slice(), entry.len_bytes), (&b"sparse"[..], 12));
        assert_eq!(content, EXPECTED);
    }
}

#[test]
fn segments_are_told_and_what_is_not_read_of_them_is_skipped() {
    for archive in all() {
        for take in 0..3 {
            let mut reader = Reader::new(&archive[..], Limits::default(), Whole::ByMarker);
            reader.next_entry().unwrap().unwrap();
            let mut content = reader.content();
            assert!(content.is_sparse());
            let mut read = Vec::new();
            let mut segments = Vec::new();
            while let Some(segment) = content.next_segment().unwrap() {
                segments.push(segment);
                content.by_ref().take(take).read_to_end(&mut read).unwrap();
            }
            let segment = |offset| Segment { offset, len_bytes: 2 };
            assert_eq!(segments, [segment(2), segment(8)]);
            let expected: &[u8] = [&b""[..], b"ac", b"abcd"][usize::try_from(take).unwrap()];
            assert_eq!(read, expected);
            assert_eq!(reader.next_entry().unwrap().unwrap().path, b"next");
        }
    }
}

#[test]
fn a_plain_file_is_one_segment_and_an_empty_one_none() {
    let archive = raw([Raw::ustar(b'0', "a", b"abc"), Raw::ustar(b'0', "b", b"")]);
    let mut reader = Reader::new(&archive[..], Limits::default(), Whole::ByMarker);
    reader.next_entry().unwrap();
    let mut content = reader.content();
    assert!(!content.is_sparse());
    assert_eq!(content.next_segment().unwrap(), Some(Segment { offset: 0, len_bytes: 3 }));
    content.consume(1);
    assert_eq!(content.left_bytes(), 2);
    assert_eq!(content.next_segment().unwrap(), None);
    reader.next_entry().unwrap();
    assert_eq!(reader.content().next_segment().unwrap(), None);
}

#[test]
fn a_file_may_be_nothing_but_a_hole() {
    let archive = pax(
        &[
            ("GNU.sparse.size", b"9223372036854775807"),
            ("GNU.sparse.numblocks", b"0"),
            ("GNU.sparse.map", b""),
        ],
        b"",
    );
    let mut reader = Reader::new(&archive[..], Limits::default(), Whole::ByMarker);
    assert_eq!(reader.next_entry().unwrap().unwrap().len_bytes, i64::MAX as u64);
    let mut content = reader.content();
    assert_eq!(content.read(&mut [1; 16]).unwrap(), 16);
    assert_eq!(content.next_segment().unwrap(), None);
    assert!(reader.next_entry().unwrap().is_some());
}

#[test]
fn a_truncated_sparse_file_is_an_error() {
    for archive in all() {
        let data = archive.windows(4).position(|bytes| bytes == b"abcd").unwrap();
        let mut reader = Reader::new(&archive[..data + 3], Limits::default(), Whole::ByMarker);
        reader.next_entry().unwrap();
        let error = reader.content().read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
        let mut reader = Reader::new(&archive[..data + 3], Limits::default(), Whole::ByMarker);
        reader.next_entry().unwrap();
        assert!(reader.next_entry().is_err());
    }
}

#[test]
fn maps_that_cannot_be_are_refused() {
    let with_map = |size: &str, map: &str| {
        let count = (map.split(',').count() / 2).to_string();
        let records: [(&str, &[u8]); 3] = [
            ("GNU.sparse.size", size.as_bytes()),
            ("GNU.sparse.numblocks", count.as_bytes()),
            ("GNU.sparse.map", map.as_bytes()),
        ];
        pax(&records, b"abcd")
    };
    for (size, map) in [
        ("12", "8,2,2,2"),
        ("12", "2,2,3,2"),
        ("9", "2,2,8,2"),
        ("12", "2,2,8"),
        ("12", "2,2,,2"),
        ("12", "2,2,-8,2"),
        ("18446744073709551615", "2,2,18446744073709551614,2"),
        ("9223372036854775808", "2,2,8,2"),
    ] {
        assert_eq!(problem(&with_map(size, map)), Problem::Malformed("sparse map"), "{map}");
    }
    // More or less than is stored.
    for map in ["2,2", "2,2,8,3"] {
        assert!(matches!(problem(&with_map("12", map)), Problem::Invalid(_)));
    }
}

#[test]
fn records_that_contradict_each_other_are_refused() {
    let size: (&str, &[u8]) = ("GNU.sparse.size", b"12");
    let map: (&str, &[u8]) = ("GNU.sparse.map", b"2,2,8,2");
    for records in [
        vec![map],
        vec![size, ("GNU.sparse.realsize", b"13"), map],
        vec![size, map, ("GNU.sparse.numblocks", b"3")],
        vec![size, map, ("GNU.sparse.offset", b"2"), ("GNU.sparse.numbytes", b"4")],
        vec![size, ("GNU.sparse.numbytes", b"4"), ("GNU.sparse.offset", b"2")],
        vec![size, map, ("GNU.sparse.major", b"1"), ("GNU.sparse.minor", b"0")],
        vec![size, ("GNU.sparse.major", b"2"), ("GNU.sparse.minor", b"0")],
        vec![size, map, ("GNU.sparse.more", b"1")],
    ] {
        assert!(read_all(&pax(&records, b"abcd")).is_err(), "{records:?}");
    }
    // A map for what has no content.
    let archive = raw([Raw::pax(b'x', &[size, map]), Raw::ustar(b'5', "d", b"")]);
    assert!(matches!(problem(&archive), Problem::Invalid(_)));
}

#[test]
fn maps_before_the_data_are_strict_decimal() {
    for map in ["2\n2\n2\n8\n2 \n", "2\r\n", "x", "2\n2\n-2\n", "\n", "99999999999999999999\n"] {
        let mut body = map.as_bytes().to_vec();
        body.resize(512, 0);
        body.extend_from_slice(b"abcd");
        assert_eq!(problem(&pax(&RECORDS_1_0, &body)), Problem::Malformed("sparse map"), "{map:?}");
    }
}

// GNU tar finds the next header right after a map that has ended, all others after
// the block that the header announces; of a map with gaps Python reads all.
#[test]
fn an_old_map_has_neither_gaps_nor_more_after_its_end() {
    let member = |slots: [Option<u64>; 4], more: u8| {
        let member = Raw::gnu(b'S', "sparse", b"").set(|header| {
            let gnu = header.as_gnu_mut().unwrap();
            for (slot, offset) in gnu.sparse.iter_mut().zip(slots) {
                if let Some(offset) = offset {
                    slot.set_offset(offset);
                    slot.set_length(0);
                }
            }
            gnu.isextended = [more];
            gnu.set_real_size(12);
        });
        let mut bytes = member.bytes();
        bytes.resize(bytes.len() + 512 * usize::from(more), 0);
        [bytes, raw([Raw::ustar(b'0', "next", b"")])].concat()
    };
    let full = [Some(1), Some(2), Some(3), Some(4)];
    for sound in [member([Some(1), Some(12), None, None], 0), member(full, 0), member(full, 1)] {
        assert_eq!(names(&sound).unwrap(), ["sparse", "next"]);
    }
    for unsound in
        [member([Some(12), None, None, None], 1), member([None, Some(12), None, None], 0)]
    {
        assert!(matches!(problem(&unsound), Problem::Ambiguous(_)));
    }
    let half = raw([Raw::gnu(b'S', "sparse", b"").set(|header| {
        header.as_gnu_mut().unwrap().sparse[0].set_length(0);
    })]);
    assert!(matches!(problem(&half), Problem::Ambiguous(_)));
}

// Python then reads the map as content.
#[test]
fn version_1_0_needs_both_its_numbers() {
    let mut body = b"0\n".to_vec();
    body.resize(512, 0);
    for left_out in 0..2 {
        let mut records = RECORDS_1_0.to_vec();
        records.remove(left_out);
        assert!(matches!(problem(&pax(&records, &body)), Problem::Invalid(_)));
    }
    assert_eq!(read_all(&pax(&RECORDS_1_0, &body)).unwrap()[0].1, [0; 12]);
}

// GNU tar, which made the format, takes the length of the file for what is stored.
#[test]
fn a_map_in_records_needs_a_header_of_posix() {
    let records: [(&str, &[u8]); 2] = [("GNU.sparse.size", b"12"), ("GNU.sparse.map", b"2,2,8,2")];
    let archive = |header| raw([Raw::pax(b'x', &records), header]);
    assert_eq!(read_all(&archive(Raw::ustar(b'0', "a", b"abcd"))).unwrap()[0].1, EXPECTED);
    let v7 = Raw::ustar(b'0', "a", b"abcd").set(|header| header.as_old_mut().pad.fill(0));
    for header in [v7, Raw::gnu(b'0', "a", b"abcd")] {
        assert!(matches!(problem(&archive(header)), Problem::Ambiguous(_)));
    }
}

proptest! {
    #[test]
    fn a_map_in_blocks_is_the_map_that_was_written(
        gaps in prop::collection::vec((0..5000_u64, 1..5000_u64), 0..400)
    ) {
        let mut end = 0;
        let mut segments = Vec::new();
        for (gap, len_bytes) in gaps {
            segments.push(Segment { offset: end + gap, len_bytes });
            end += gap + len_bytes;
        }
        let mut text = format!("{}\n", segments.len());
        for segment in &segments {
            text += &format!("{}\n{}\n", segment.offset, segment.len_bytes);
        }
        let mut bytes = text.into_bytes();
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        let mut parser = AheadParser::new(&Limits::default());
        let mut blocks = bytes.chunks_exact(512).peekable();
        while let Some(block) = blocks.next() {
            let is_last = parser.block(block.try_into().unwrap()).unwrap();
            prop_assert_eq!(is_last, blocks.peek().is_none());
        }
        let stored = segments.iter().map(|segment| segment.len_bytes).sum();
        let map = parser.into_map().finish(end, stored).unwrap();
        prop_assert_eq!(map.segments, segments);
    }

    #[test]
    fn no_map_panics(pairs in prop::collection::vec((any::<u64>(), any::<u64>()), 0..8)) {
        let mut map = MapBuilder::new(&Limits::default());
        for (offset, len_bytes) in pairs {
            if map.push(offset, len_bytes).is_err() {
                return Ok(());
            }
        }
        let _ = map.finish(u64::MAX / 2, 0);
    }
}
