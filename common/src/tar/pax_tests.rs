//! Tests of the extended header records.

use proptest::prelude::*;

use super::{Extended, check_global, decimal, records, time};
use crate::tar::Problem;
use crate::tar::records::push_record;
use crate::time::Timestamp;

fn body(pairs: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (keyword, value) in pairs {
        push_record(&mut body, keyword.as_bytes(), value);
    }
    body
}

#[test]
fn a_newline_in_a_value_does_not_end_the_record() {
    let capability = b"\x01\0\0\x02\x0a\0\0\0\n22 linkpath=/etc/evil\n";
    let parsed = Extended::parse(&body(&[
        ("SCHILY.xattr.security.capability", capability),
        ("path", b"a\nb"),
        ("size", b"7"),
    ]))
    .unwrap();
    assert_eq!(parsed.xattrs[&b"security.capability"[..]], capability);
    assert_eq!(parsed.path.as_deref(), Some(&b"a\nb"[..]));
    assert_eq!((parsed.size, parsed.linkpath), (Some(7), None));
}

#[test]
fn the_last_record_of_a_keyword_counts() {
    let parsed = Extended::parse(&body(&[("path", b"one"), ("path", b"two")])).unwrap();
    assert_eq!(parsed.path.as_deref(), Some(&b"two"[..]));
}

#[test]
fn an_empty_value_takes_the_keyword_back_but_stays_an_attribute() {
    let parsed = Extended::parse(&body(&[
        ("path", b"one"),
        ("path", b""),
        ("mtime", b"1"),
        ("mtime", b""),
        ("SCHILY.xattr.user.empty", b""),
    ]))
    .unwrap();
    assert_eq!((parsed.path, parsed.mtime), (None, None));
    assert_eq!(parsed.xattrs[&b"user.empty"[..]], b"");
}

#[test]
fn malformed_records_are_errors() {
    for bad in [
        &b"11 path=ab"[..],
        b"99 path=a\n",
        b"10 path=a\nx",
        b"6 path\n",
        b"5 =a\n",
        b" 10 path=a\n",
        b"+10 path=a\n",
        b"0 path=a\n",
        b"2 path=a\n",
        b"99999999999999999999999 path=a\n",
        b"\0\0\0\0",
        b"path=a\n",
    ] {
        let error = Extended::parse(bad).unwrap_err();
        assert_eq!(error, Problem::Malformed("extended header record"), "{bad:?}");
    }
}

#[test]
fn malformed_values_are_errors() {
    for (keyword, value) in [
        ("size", &b"-1"[..]),
        ("size", b"1.0"),
        ("size", b"9223372036854775808"),
        ("uid", b"-1"),
        ("uid", b" 1"),
        ("gid", b"0x1"),
        ("mtime", b"nan"),
        ("mtime", b"1e9"),
        ("mtime", b".5"),
        ("mtime", b"--1"),
        ("mtime", b"9223372036854775808"),
        ("path", b"a\0b"),
        ("linkpath", b"a\0b"),
        ("SCHILY.xattr.", b"x"),
        ("SCHILY.xattr.user.\0", b"x"),
        ("LIBARCHIVE.xattr.user.a", b"****"),
    ] {
        assert!(Extended::parse(&body(&[(keyword, value)])).is_err(), "{keyword} {value:?}");
    }
}

#[test]
fn times_round_down_to_the_nanosecond() {
    let at = |seconds, nanoseconds| Some(Timestamp { seconds, nanoseconds });
    assert_eq!(time(b"12"), at(12, 0));
    assert_eq!(time(b"12."), at(12, 0));
    assert_eq!(time(b"12.5"), at(12, 500_000_000));
    assert_eq!(time(b"12.0000000019"), at(12, 1));
    assert_eq!(time(b"-5.5"), at(-6, 500_000_000));
    assert_eq!(time(b"-5"), at(-5, 0));
    assert_eq!(time(b"-0.000000001"), at(-1, 999_999_999));
    assert_eq!(time(b"-5.9999999999"), at(-6, 0));
    assert_eq!(time(b"9223372036854775807"), at(i64::MAX, 0));
}

#[test]
fn libarchive_attributes_are_read_and_not_doubled() {
    let parsed = Extended::parse(&body(&[
        ("LIBARCHIVE.xattr.user.caf%C3%A9", b"aGk"),
        ("SCHILY.xattr.user.caf%C3%A9", b"hi"),
        ("LIBARCHIVE.xattr.user.only", b"AAE="),
    ]))
    .unwrap();
    let names: Vec<_> = parsed.xattrs.keys().map(Vec::as_slice).collect();
    assert_eq!(names, ["user.café".as_bytes(), b"user.only"]);
    assert_eq!(parsed.xattrs["user.café".as_bytes()], b"hi");
    assert_eq!(parsed.xattrs[&b"user.only"[..]], [0, 1]);
}

#[test]
fn gnu_escapes_in_attribute_names_are_undone() {
    let parsed = Extended::parse(&body(&[("SCHILY.xattr.user.a%3Db%25%41", b"x")])).unwrap();
    assert_eq!(parsed.xattrs.keys().next().unwrap(), b"user.a=b%%41");
}

#[test]
fn global_headers_may_say_anything_but_sizes() {
    assert_eq!(check_global(&body(&[("comment", b"abc"), ("path", b"x")])), Ok(()));
    assert!(check_global(&body(&[("size", b"1")])).is_err());
    assert!(check_global(&body(&[("GNU.sparse.major", b"1")])).is_err());
    assert!(check_global(b"10 comment").is_err());
}

proptest! {
    #[test]
    fn records_read_back_as_written(
        pairs in prop::collection::vec(("[a-zA-Z.]{1,12}", prop::collection::vec(any::<u8>(), 0..120)), 0..8)
    ) {
        let mut body = Vec::new();
        for (keyword, value) in &pairs {
            push_record(&mut body, keyword.as_bytes(), value);
        }
        let read: Result<Vec<_>, _> = records(&body).collect();
        let read: Vec<_> = read.unwrap().iter().map(|(k, v)| (k.to_vec(), v.to_vec())).collect();
        let expected: Vec<_> = pairs.into_iter().map(|(k, v)| (k.into_bytes(), v)).collect();
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn no_body_panics(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Extended::parse(&body);
        let _ = check_global(&body);
    }

    #[test]
    fn decimal_agrees_with_the_standard_library(text in "[0-9]{0,24}") {
        prop_assert_eq!(decimal(text.as_bytes()), text.parse().ok());
    }
}
