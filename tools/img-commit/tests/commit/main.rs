//! `img-commit` through its binary: what it prints, and what is in the layout then.

#![allow(clippy::unwrap_used)]

mod basics;
mod changes;
mod many;
mod onto;
mod output;
mod squash;

use std::fs;
use std::io::Write as _;

use common::compression::{Encoder, Format};
use common::digest::Digest;
use layerutils_tests::place::Place;

fn place() -> Place {
    Place::new(env!("CARGO_BIN_EXE_img-commit"))
}

/// Runs, expects success and silence, and returns the digest printed.
#[track_caller]
fn commit(place: &Place, args: &[&str], input: &[u8]) -> String {
    let text = place.done_with(args, input);
    text.strip_suffix('\n').unwrap().parse::<Digest>().unwrap().to_string()
}

/// Runs, expects a refusal that leaves the store as it was, and returns the message.
#[track_caller]
fn refuse(place: &Place, args: &[&str], input: &[u8]) -> String {
    let index = || fs::read(place.path("store/index.json")).ok();
    let before = index();
    let output = place.run(args, input);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &b""[..]), "{args:?}");
    assert_eq!(index(), before, "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// A layer with files that hold their own names.
fn layer(names: &[&str]) -> Vec<u8> {
    let files: Vec<_> = names.iter().map(|name| (*name, name.as_bytes())).collect();
    layerutils_tests::place::layer(&files)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new(), Format::Gzip, None).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// What a layer, or an image's first layer, says of each of its members: its name, or
/// with a directory or whiteout as it stands in the archive.
fn members(archive: &[u8]) -> Vec<String> {
    let mut reader = common::tar::Reader::new(
        archive,
        common::tar::Limits::default(),
        common::tar::Whole::ByMarker,
    );
    let mut names = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        names.push(String::from_utf8(entry.path.clone()).unwrap());
    }
    names
}

/// The bytes of an image's layer, inflated.
fn layer_bytes(place: &Place, reference: &str, at: usize) -> Vec<u8> {
    let image = place.image(reference);
    let layer = image.layers().nth(at).unwrap();
    let mut bytes = Vec::new();
    let mut plain = {
        let growth = common::compression::MaxSize::default().growth(None);
        common::compression::Decoder::new(image.layer(&layer).unwrap(), growth).unwrap()
    };
    std::io::copy(&mut plain, &mut bytes).unwrap();
    assert_eq!(Digest::of(&bytes), layer.diff_id.0);
    bytes
}

/// The history as `CREATED_BY|COMMENT|EMPTY`.
fn history(place: &Place, reference: &str) -> Vec<String> {
    let steps = place.image(reference).config.history;
    let line = |step: &common::oci::History| {
        format!("{}|{}|{}", step.created_by, step.comment, step.empty_layer)
    };
    steps.iter().map(line).collect()
}
