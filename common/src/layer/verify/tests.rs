use std::io::Write as _;

use super::{Error, Verifier, verify};
use crate::compression::{Encoder, Format, MaxSize};
use crate::digest::{DiffId, Digest};

/// A layer of a file that does not compress.
fn layer(len: usize) -> Vec<u8> {
    let mut builder = ::tar::Builder::new(Vec::new());
    let mut header = ::tar::Header::new_ustar();
    header.set_size(len as u64);
    header.set_mode(0o644);
    let mut state = 1_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    let content: Vec<u8> = std::iter::repeat_with(next).take(len).collect();
    builder.append_data(&mut header, "file", &*content).unwrap();
    builder.into_inner().unwrap()
}

fn compressed(bytes: &[u8], format: Format) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new(), format, None).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The verdict of both ways of checking `blob`.
fn verdict(blob: &[u8], diff_id: &DiffId) -> Result<(), Error> {
    let digest = Digest::of(blob);
    let mut passing =
        Verifier::new(digest.clone(), diff_id.clone(), MaxSize::default().growth(None));
    for piece in blob.chunks(70_001) {
        passing.update(piece).unwrap();
    }
    let (passed, read) =
        (passing.finish(), verify(blob, &digest, diff_id, MaxSize::default().growth(None)));
    assert_eq!(format!("{passed:?}"), format!("{read:?}"));
    read
}

#[test]
fn layers_pass_whatever_their_length_and_format() {
    for len in [0, 1, 1 << 20, (3 << 20) + 1] {
        let plain = layer(len);
        let diff_id = DiffId(Digest::of(&plain));
        for format in [Format::None, Format::Gzip, Format::Zstd] {
            assert!(verdict(&compressed(&plain, format), &diff_id).is_ok(), "{len} {format}");
        }
        // The wild has layers without the blocks that end an archive.
        let unended = plain.get(..plain.len() - 1024).unwrap();
        assert!(verdict(unended, &DiffId(Digest::of(unended))).is_ok(), "{len}");
    }
}

#[test]
fn another_layer_and_what_is_no_layer_are_told() {
    for len in [1, 3 << 20] {
        let plain = layer(len);
        let other = DiffId(Digest::of(b"other"));
        for format in [Format::None, Format::Gzip] {
            let told = verdict(&compressed(&plain, format), &other);
            assert!(matches!(told, Err(Error::DiffId { .. })), "{len} {format}: {told:?}");
        }
        let cut = plain.get(..512 + len / 2).unwrap();
        for bytes in [&vec![b'x'; plain.len()][..], cut] {
            let diff_id = DiffId(Digest::of(bytes));
            for format in [Format::None, Format::Gzip] {
                let told = verdict(&compressed(bytes, format), &diff_id);
                assert!(matches!(told, Err(Error::Tar(_))), "{len} {format}: {told:?}");
            }
        }
        let gzip = compressed(&plain, Format::Gzip);
        let told = verdict(gzip.get(..gzip.len() - 9).unwrap(), &DiffId(Digest::of(&plain)));
        assert!(matches!(told, Err(Error::Tar(_))), "{len}: {told:?}");
    }
}

#[test]
fn a_check_that_is_given_up_ends() {
    let plain = layer(3 << 20);
    let mut passing =
        Verifier::new(Digest::of(b"x"), DiffId(Digest::of(b"y")), MaxSize::default().growth(None));
    passing.update(&plain).unwrap();
    drop(passing);
}
