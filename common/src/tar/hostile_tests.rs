//! What archives have done to other readers: each advisory and each known fault
//! of the field, by name.

use std::io::{self, Read};

use super::BUFFER_LEN;
use crate::tar::testing::{Raw, names, problem, raw, read_all};
use crate::tar::{Error, Kind, Limits, Problem, Reader, Whole, Xattrs};
use crate::time::Timestamp;

/// The member that must not be seen, as content.
fn smuggled() -> Vec<u8> {
    Raw::ustar(b'0', "SMUGGLED", b"").bytes()
}

// CVE-2025-62518 (tokio-tar and its forks): a PAX size over a header size of 0.
#[test]
fn pax_size_frames_where_the_header_says_zero() {
    let hidden = smuggled();
    let size = hidden.len().to_string();
    let carrier = Raw::ustar(b'0', "carrier", &hidden).set(|header| header.set_size(0));
    let archive =
        raw([Raw::pax(b'x', &[("size", size.as_bytes())]), carrier, Raw::ustar(b'0', "last", b"")]);
    assert_eq!(names(&archive).unwrap(), ["carrier", "last"]);
}

// CVE-2026-33055 (tar before 0.4.45): a PAX size over another header size.
#[test]
fn pax_size_frames_where_the_header_says_something_else() {
    let hidden = smuggled();
    let carrier = Raw::ustar(b'0', "carrier", &hidden);
    let archive = raw([Raw::pax(b'x', &[("size", b"0")]), carrier]);
    assert_eq!(names(&archive).unwrap(), ["carrier", "SMUGGLED"], "as GNU tar lists it");
}

// tar 0.4.46 and RUSTSEC-2026-0112: a PAX size before a long name is the member's.
#[test]
fn pax_size_does_not_apply_to_intermediate_headers() {
    let hidden = smuggled();
    let size = hidden.len().to_string();
    for typeflag in [b'L', b'K', b'g'] {
        let between = match typeflag {
            b'g' => Raw::pax(b'g', &[("comment", b"long-name")]),
            b'K' => Raw::gnu(b'K', "././@LongLink", b"long-name\0"),
            _ => Raw::gnu(b'L', "././@LongLink", b"carrier\0"),
        };
        let carrier = Raw::gnu(b'0', "carrier", &hidden).set(|header| header.set_size(0));
        let archive = raw([
            Raw::pax(b'x', &[("size", size.as_bytes())]),
            between,
            carrier,
            Raw::ustar(b'0', "last", b""),
        ]);
        assert_eq!(names(&archive).unwrap(), ["carrier", "last"], "{}", char::from(typeflag));
    }
}

// Open in tar 0.4.46: a newline in a value ends the record, and what follows it is
// taken for another record, or the size after it is lost.
#[test]
fn a_newline_in_a_record_neither_forges_nor_hides_records() {
    let hidden = smuggled();
    let size = hidden.len().to_string();
    let carrier = Raw::ustar(b'0', "carrier", &hidden).set(|header| header.set_size(0));
    let archive = raw([
        Raw::pax(
            b'x',
            &[
                ("SCHILY.xattr.user.x", b"\n22 linkpath=/etc/evil\n"),
                ("path", b"car\nrier"),
                ("size", size.as_bytes()),
            ],
        ),
        carrier,
        Raw::ustar(b'0', "last", b""),
    ]);
    let members = read_all(&archive).unwrap();
    assert_eq!(names(&archive).unwrap(), ["car\nrier", "last"]);
    let (carrier, _) = &members[0];
    assert_eq!(carrier.kind, Kind::File);
    assert_eq!(carrier.xattrs[&b"user.x"[..]], b"\n22 linkpath=/etc/evil\n");
}

// tar 0.4.46 takes the first.
#[test]
fn the_last_of_two_records_counts() {
    let records: [(&str, &[u8]); 2] = [("path", b"first"), ("path", b"last")];
    let archive = raw([Raw::pax(b'x', &records), Raw::ustar(b'0', "none", b"")]);
    assert_eq!(names(&archive).unwrap(), ["last"]);
}

// RUSTSEC-2026-0066: malformed records are skipped in silence.
#[test]
fn malformed_records_are_errors() {
    for body in [&b"99 path=evil\n"[..], b"path=evil\n", b"12 path=evil", b"12 path=evil\n\0\0"] {
        let archive = raw([Raw::ustar(b'x', "PaxHeaders.0/x", body), Raw::ustar(b'0', "a", b"")]);
        assert_eq!(problem(&archive), Problem::Malformed("extended header record"));
    }
}

// CVE-2025-58183 (Go): sparse maps without bound.
#[test]
fn sparse_maps_are_bounded() {
    let limits = Limits { sparse_segments: 100, ..Limits::default() };
    let map: Vec<_> = (0..101).map(|index| format!("{},1", index * 2)).collect();
    let archive = raw([
        Raw::pax(
            b'x',
            &[
                ("GNU.sparse.size", b"1000"),
                ("GNU.sparse.numblocks", b"101"),
                ("GNU.sparse.map", map.join(",").as_bytes()),
            ],
        ),
        Raw::ustar(b'0', "a", &[1; 101]),
    ]);
    let error = Reader::new(&archive[..], limits, Whole::ByMarker).next_entry().unwrap_err();
    assert!(error.to_string().contains("limit of 100"), "{error}");
    // A map before the data may say that it goes on for ever.
    let endless = "9223372036854775807\n".to_owned() + &"1\n0\n".repeat(1 << 20);
    let archive = raw([
        Raw::pax(
            b'x',
            &[
                ("GNU.sparse.major", b"1"),
                ("GNU.sparse.minor", b"0"),
                ("GNU.sparse.realsize", b"1000"),
            ],
        ),
        Raw::ustar(b'0', "a", endless.as_bytes()),
    ]);
    assert!(read_all(&archive).is_err());
    // And so may blocks after an old GNU header.
    let mut block = vec![b'0'; 505];
    block.resize(512, 0);
    let header = Raw::gnu(b'S', "a", b"").set(|header| {
        let pad = &mut header.as_old_mut().pad;
        pad[386 - 257..483 - 257].fill(b'0');
    });
    let endless = header.bytes().into_iter().chain(std::iter::repeat_n(block, 1 << 14).flatten());
    let error = read_all(&endless.collect::<Vec<_>>()).unwrap_err();
    assert!(error.to_string().contains("limit of 1048576"), "{error}");
}

// tar 0.4.46 reads a header of 200 MB into memory.
#[test]
fn metadata_is_bounded_before_it_is_read() {
    struct Endless;
    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            buffer.fill(b'x');
            Ok(buffer.len())
        }
    }
    for typeflag in [b'x', b'g', b'L', b'K'] {
        for size in [(1 << 20) + 1, 1 << 40, i64::MAX as u64] {
            let header = Raw::gnu(typeflag, "x", b"").set(|header| header.set_size(size));
            let stream = io::Cursor::new(header.bytes()).chain(Endless);
            let error =
                Reader::new(stream, Limits::default(), Whole::ByMarker).next_entry().unwrap_err();
            assert!(error.to_string().contains("limit of 1048576"), "{error}");
        }
    }
    // Nor do many small ones add up.
    let one = Raw::pax(b'g', &[("comment", &[b'c'; 400])]).bytes();
    let error = read_all(&one.repeat(3000)).unwrap_err();
    assert!(error.to_string().contains("limit of 1048576"), "{error}");
}

#[test]
fn members_and_names_are_bounded() {
    let limits = Limits { entries: 2, path_bytes: 20, ..Limits::default() };
    let read = |archive: &[u8]| {
        let mut reader = Reader::new(archive, limits, Whole::ByMarker);
        while reader.next_entry()?.is_some() {}
        Ok::<_, Error>(())
    };
    let small = || Raw::ustar(b'0', "a", b"");
    assert!(read(&raw([small(), small()])).is_ok());
    assert!(read(&raw([small(), small(), small()])).is_err());
    let long = |len: usize, keyword| {
        let text = vec![b'a'; len];
        raw([
            Raw::pax(b'x', &[(keyword, &text)]),
            Raw::ustar(b'2', "a", b"").set(|header| header.as_old_mut().linkname[0] = b't'),
        ])
    };
    for keyword in ["path", "linkpath"] {
        assert!(read(&long(20, keyword)).is_ok());
        assert!(read(&long(21, keyword)).is_err());
    }
}

#[test]
fn names_with_a_nul_are_refused() {
    for keyword in ["path", "linkpath", "GNU.sparse.name"] {
        let archive = raw([Raw::pax(b'x', &[(keyword, b"a\0b")]), Raw::ustar(b'0', "a", b"")]);
        assert!(matches!(problem(&archive), Problem::Nul(_)), "{keyword}");
    }
}

#[test]
fn names_and_targets_must_be_there() {
    assert_eq!(problem(&raw([Raw::ustar(b'0', "", b"")])), Problem::Empty("name"));
    for typeflag in [b'1', b'2'] {
        let archive = raw([Raw::ustar(typeflag, "link", b"")]);
        assert_eq!(problem(&archive), Problem::Empty("link target"));
    }
}

// Ids that other readers let wrap round.
#[test]
fn ids_that_linux_does_not_have_are_refused() {
    for (keyword, value, fits) in [
        ("uid", "4294967294", true),
        ("uid", "4294967295", false),
        ("gid", "4294967296", false),
        ("gid", "18446744073709551615", false),
    ] {
        let archive =
            raw([Raw::pax(b'x', &[(keyword, value.as_bytes())]), Raw::ustar(b'0', "a", b"")]);
        assert_eq!(read_all(&archive).is_ok(), fits, "{keyword} {value}");
    }
    let negative = Raw::gnu(b'0', "a", b"").set(|header| header.as_old_mut().uid = [0xff; 8]);
    assert_eq!(problem(&raw([negative])), Problem::OutOfRange("uid"));
    let large = Raw::gnu(b'0', "a", b"").set(|header| header.set_uid(3_000_000_000));
    assert_eq!(read_all(&raw([large])).unwrap()[0].0.uid, 3_000_000_000);
}

// containerd truncated these before 2026-07.
#[test]
fn device_numbers_that_linux_does_not_have_are_refused() {
    let device = |major: u32, minor: u32| {
        raw([Raw::ustar(b'3', "null", b"").set(|header| {
            header.set_device_major(major).unwrap();
            header.set_device_minor(minor).unwrap();
        })])
    };
    let members = read_all(&device(4095, 1_048_575)).unwrap();
    assert_eq!(members[0].0.kind, Kind::CharDevice { major: 4095, minor: 1_048_575 });
    assert_eq!(problem(&device(4096, 0)), Problem::OutOfRange("device major number"));
    assert_eq!(problem(&device(0, 1_048_576)), Problem::OutOfRange("device minor number"));
}

// -5.5 is not -6.5 (umoci), 0 is not 1 (tar 0.4.46), -1 is not 1.8e19.
#[test]
fn times_are_what_the_archive_says() {
    let pax = |value: &str| {
        let records: [(&str, &[u8]); 1] = [("mtime", value.as_bytes())];
        let archive = raw([Raw::pax(b'x', &records), Raw::ustar(b'0', "a", b"")]);
        read_all(&archive).unwrap()[0].0.mtime
    };
    assert_eq!(pax("-5.5"), Timestamp { seconds: -6, nanoseconds: 500_000_000 });
    assert_eq!(pax("4294967296.000000001"), Timestamp { seconds: 1 << 32, nanoseconds: 1 });
    let header = |mtime| {
        let member = Raw::gnu(b'0', "a", b"").set(|header| header.as_old_mut().mtime = mtime);
        read_all(&raw([member])).unwrap()[0].0.mtime.seconds
    };
    assert_eq!(header([0xff; 12]), -1);
    assert_eq!(header(*b"00000000000\0"), 0);
    assert_eq!(header([0x80, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0]), 5 << 32);
}

// tar 0.4.46 unpacks these as empty files.
#[test]
fn special_files_are_what_they_are() {
    let kind =
        |typeflag| read_all(&raw([Raw::ustar(typeflag, "a", b"")])).unwrap().remove(0).0.kind;
    assert_eq!(kind(b'3'), Kind::CharDevice { major: 0, minor: 0 });
    assert_eq!(kind(b'4'), Kind::BlockDevice { major: 0, minor: 0 });
    assert_eq!(kind(b'5'), Kind::Directory);
    assert_eq!(kind(b'6'), Kind::Fifo);
    assert_eq!(kind(b'7'), Kind::File);
    assert_eq!(kind(0), Kind::File);
}

#[test]
fn other_types_are_refused_by_name() {
    for typeflag in [b'A', b'D', b'E', b'M', b'N', b'V', b'8', b's', 0xff] {
        assert_eq!(problem(&raw([Raw::ustar(typeflag, "a", b"")])), Problem::Type(typeflag));
    }
    // Sparse files of the old format are GNU's alone.
    assert_eq!(problem(&raw([Raw::ustar(b'S', "a", b"")])), Problem::Type(b'S'));
    let error = read_all(&raw([Raw::ustar(b'V', "label", b"")])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "label: unsupported member type 'V' (GNU volume label) (archive member at byte 0)"
    );
}

#[test]
fn a_slash_makes_a_directory_of_an_old_file_only() {
    let old = raw([Raw::with_v7("dir/")]);
    assert_eq!(read_all(&old).unwrap()[0].0.kind, Kind::Directory);
    for file in [Raw::ustar(b'0', "dir/", b""), Raw::gnu(b'S', "dir/", b"")] {
        assert!(matches!(problem(&raw([file])), Problem::Ambiguous(_)));
    }
}

#[test]
fn what_has_no_content_has_none_whatever_its_size_says() {
    for typeflag in [b'2', b'3', b'4', b'5', b'6'] {
        let member = Raw::ustar(typeflag, "a", b"").set(|header| {
            header.set_size(4096);
            header.as_old_mut().linkname[0] = b't';
        });
        let archive = raw([member, Raw::ustar(b'0', "b", b"")]);
        assert_eq!(names(&archive).unwrap(), ["a", "b"], "{}", char::from(typeflag));
    }
}

// Most writers mean nothing by the size of a hard link, POSIX lets it count.
#[test]
fn a_hard_link_has_content_only_where_no_header_follows() {
    let link = |size, body: &[u8]| {
        Raw::ustar(b'1', "link", body).set(|header| {
            header.set_size(size);
            header.as_old_mut().linkname[0] = b't';
        })
    };
    let archive = raw([link(4096, b""), Raw::ustar(b'0', "b", b"")]);
    assert_eq!(names(&archive).unwrap(), ["link", "b"]);
    let archive = raw([link(4096, b"")]);
    assert_eq!(names(&archive).unwrap(), ["link"]);
    let archive = raw([link(600, &[b'c'; 600]), Raw::ustar(b'0', "b", b"")]);
    let members = read_all(&archive).unwrap();
    assert_eq!((members[0].1.len(), members.len()), (600, 2));
}

#[test]
fn what_readers_resolve_differently_is_refused() {
    let long = |typeflag, text: &[u8]| Raw::gnu(typeflag, "././@LongLink", text);
    let member = || Raw::gnu(b'2', "a", b"").set(|header| header.as_old_mut().linkname[0] = b't');
    for archive in [
        [Raw::pax(b'x', &[("uid", b"1")]), Raw::pax(b'x', &[]), member()],
        [Raw::pax(b'x', &[("path", b"a")]), Raw::pax(b'x', &[("path", b"b")]), member()],
        [long(b'L', b"one"), Raw::pax(b'x', &[("path", b"two")]), member()],
        [long(b'K', b"one"), Raw::pax(b'x', &[("linkpath", b"two")]), member()],
        [long(b'L', b"one"), long(b'L', b"two"), member()],
    ] {
        assert!(matches!(problem(&raw(archive)), Problem::Ambiguous(_)));
    }
    // Twice the same is the same to all.
    for doubled in [
        [long(b'L', b"one"), long(b'L', b"one\0"), member()],
        [Raw::pax(b'x', &[("path", b"one")]), Raw::pax(b'x', &[("path", b"one")]), member()],
    ] {
        assert_eq!(names(&raw(doubled)).unwrap(), ["one"]);
    }
    let same = [long(b'L', b"one\0"), Raw::pax(b'x', &[("path", b"one")]), member()];
    assert_eq!(names(&raw(same)).unwrap(), ["one"]);
    let global = [Raw::pax(b'g', &[("size", b"1")]), member()];
    assert!(matches!(problem(&raw(global)), Problem::Ambiguous(_)));
}

// docker and containerd ignore them; git archive writes one.
#[test]
fn global_headers_change_nothing() {
    let archive = raw([
        Raw::pax(b'g', &[("comment", b"0123abc"), ("path", b"evil"), ("uid", b"7")]),
        Raw::ustar(b'0', "a", b""),
    ]);
    let (entry, _) = read_all(&archive).unwrap().remove(0);
    assert_eq!((entry.path.as_slice(), entry.uid, entry.xattrs), (&b"a"[..], 0, Xattrs::new()));
}

#[test]
fn names_are_bytes() {
    let name = b"caf\xe9/\xff\n\x01";
    let archive = raw([
        Raw::pax(b'x', &[("hdrcharset", b"BINARY"), ("path", name)]),
        Raw::ustar(b'0', "a", b""),
        Raw::gnu(b'L', "././@LongLink", name),
        Raw::gnu(b'0', "b", b""),
    ]);
    for (entry, _) in read_all(&archive).unwrap() {
        assert_eq!(entry.path, name);
    }
}

#[test]
fn long_names_and_targets_of_gnu_tar() {
    let (name, target) = ("n".repeat(300), "t".repeat(300));
    let archive = raw([
        Raw::gnu(b'K', "././@LongLink", format!("{target}\0").as_bytes()),
        Raw::gnu(b'L', "././@LongLink", format!("{name}\0").as_bytes()),
        Raw::gnu(b'2', "nnn", b""),
        Raw::gnu(b'0', "next", b""),
    ]);
    let members = read_all(&archive).unwrap();
    assert_eq!(members[0].0.path, name.as_bytes());
    assert_eq!(members[0].0.kind, Kind::Symlink { target: target.into_bytes() });
    assert_eq!(members[1].0.path, b"next");
}

#[test]
fn extended_headers_must_extend_something() {
    assert_eq!(problem(&raw([Raw::pax(b'x', &[("path", b"a")])])), Problem::Dangling);
    assert_eq!(problem(&raw([Raw::gnu(b'L', "././@LongLink", b"a\0")])), Problem::Dangling);
    assert_eq!(names(&raw([Raw::pax(b'g', &[("comment", b"a")])])).unwrap(), [""; 0]);
}

// umoci#360: a DiffID covers what trails the archive.
#[test]
fn finish_drains_what_trails_the_archive() {
    let mut archive = raw([Raw::ustar(b'0', "a", b"x")]);
    // More than the reader takes in ahead of what it is asked for.
    archive.resize(3 * BUFFER_LEN, 0);
    archive.extend_from_slice(b"trailing");
    let mut reader =
        Reader::new(crate::digest::Hashing::new(&archive[..]), Limits::default(), Whole::ByMarker);
    while reader.next_entry().unwrap().is_some() {}
    let (_, digest, len_bytes) = reader.finish().unwrap().into_inner().finish();
    assert_eq!((digest, len_bytes), (crate::digest::Digest::of(&archive), archive.len() as u64));
}

#[test]
fn errors_name_the_member_and_the_place() {
    let bad = Raw::ustar(b'0', "dir/bad", b"").set(|header| header.as_old_mut().uid[0] = b'z');
    let error = read_all(&raw([Raw::ustar(b'0', "good", b"x"), bad])).unwrap_err();
    assert_eq!(error.to_string(), "dir/bad: malformed uid (archive member at byte 1024)");
}

impl Raw {
    /// A header from before POSIX.
    fn with_v7(name: &str) -> Self {
        let ustar = Self::ustar(0, name, b"");
        Self { body: ustar.body, header: ustar.header }.set(|header| {
            header.as_old_mut().pad = [0; 255];
        })
    }
}
