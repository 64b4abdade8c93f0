//! `img-copy` and layers that are not what the image's config says: refused wherever they
//! come from and go to, with nothing half-made, unless `--no-verify-layers` says otherwise.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::io::Write as _;

use common::compression::{Encoder, Format};
use common::digest::Digest;
use layerutils_tests::place::{Place, layer};

use support::fake::{Fake, Reply};
use support::{noise, place};

/// Long enough that several threads are busy with it.
const LEN: usize = 3 << 20;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new(), Format::Gzip, None).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Blobs that are no good layers, each with its DiffID and what is said of it.
fn bad() -> Vec<(Vec<u8>, Digest, &'static str)> {
    let mut cases = Vec::new();
    for len in [10, LEN] {
        let content = noise(len);
        let whole = layer(&[("noise", &content)]);
        let cut = &whole[..512 + len / 2];
        cases.push((gzip(&whole), Digest::of(b"other"), "DiffID mismatch: expected sha256:"));
        cases.push((whole.clone(), Digest::of(b"other"), "DiffID mismatch: expected sha256:"));
        cases.push((content.clone(), Digest::of(&content), "not a valid layer: "));
        cases.push((gzip(&content), Digest::of(&content), "not a valid layer: "));
        cases.push((gzip(cut), Digest::of(cut), "the archive is truncated"));
    }
    cases
}

/// Fails in one line, which is returned with the hint after it.
#[track_caller]
fn fails(place: &Place, args: &[&str], words: &str) -> (String, Option<String>) {
    let output = place.run(args, b"");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
    assert!(said.contains(words), "{args:?}: {said}");
    let mut lines = said.lines().map(str::to_owned);
    let (line, hint) = (lines.next().unwrap(), lines.next());
    assert_eq!(lines.next(), None, "{said}");
    (line, hint)
}

#[track_caller]
fn refused(place: &Place, args: &[&str], words: &str) {
    let (_, hint) = fails(place, args, words);
    let expected = "img-copy: hint: --no-verify-layers copies the image as it is";
    assert_eq!(hint.as_deref(), Some(expected), "{args:?}");
}

/// Nothing of the image is in the layout `name`, which goes if nothing was put into it
/// before the layer was refused.
fn is_empty(place: &Place, name: &str, blob: &Digest) {
    if fs::metadata(place.path(name)).is_err() {
        return;
    }
    let layout = common::store::Store::open(&place.path(name)).unwrap();
    assert!(layout.images().unwrap().is_empty());
    assert!(fs::metadata(layout.blob_path(blob)).is_err());
}

#[test]
fn bad_layers_are_copied_nowhere() {
    for (bytes, diff_id, words) in bad() {
        let place = place();
        let image = place.put_claim("bad", &bytes, &diff_id);
        let blob = Digest::of(&bytes);
        // Out of the store as into one: from a layout, an archive and a registry.
        let source = format!("oci:{}:bad", place.path("store").display());
        let exact = place.done(&["bad", "oci-archive:bad.tar", "--no-verify-layers"]);
        assert_eq!(exact, format!("{image}\n"));
        let fake = Fake::start(&place, &image, |_| None);
        for from in [source.as_str(), "oci-archive:bad.tar", &fake.name("bad"), "bad"] {
            refused(&place, &[from, "oci:new:x"], words);
            is_empty(&place, "new", &blob);
            for compress in ["--compress=none", "--compress=zstd"] {
                let compressed = [from, "oci:new:x", compress];
                let (_, hint) = fails(&place, &compressed, words);
                assert_eq!(hint, None);
            }
            refused(&place, &[from, "docker-archive:new.tar"], words);
            assert!(fs::metadata(place.path("new.tar")).is_err());
            refused(&place, &[from, "-"], words);
        }
        refused(&place, &["bad", "name"], words);
        refused(&place, &["--all", "bad", "name"], words);
        refused(&place, &["bad", &fake.name("pushed")], words);
        assert_eq!(fake.asked("PUT", "/manifests/").len(), 0);
        assert!(fs::metadata(place.path("cache/layerutils/verified")).is_err());
    }
}

#[test]
fn layers_are_taken_on_trust_where_that_is_asked_for() {
    let place = place();
    let bytes = gzip(&layer(&[("file", b"x")]));
    let image = place.put_claim("bad", &bytes, &Digest::of(b"other"));
    let source = format!("oci:{}:bad", place.path("store").display());
    assert_eq!(place.done(&["--no-verify-layers", &source, "oci:new:x"]), format!("{image}\n"));
    // Not known to be good for that.
    refused(&place, &["oci:new:x", "docker-archive:new.tar"], "DiffID mismatch");
    refused(&place, &["oci:new:x", "oci:new:y"], "DiffID mismatch");
    // Between registries no layer is looked at.
    let fake = Fake::start(&place, &image, |request| {
        request.is("HEAD", "/v2/to/").then(|| Reply::status(404))
    });
    let (from, to) = (fake.name("bad"), fake.name("to"));
    assert_eq!(place.done(&[&from, &to]), format!("{image}\n"));
}

#[test]
fn a_layer_is_checked_once() {
    let place = place();
    let plain = layer(&[("noise", &noise(LEN))]);
    let (bytes, diff_id) = (gzip(&plain), Digest::of(&plain));
    let image = place.put_claim("good", &bytes, &diff_id);
    let exact = format!("{image}\n");
    assert_eq!(place.done(&["good", "oci:new:x"]), exact);
    let name = format!("cache/layerutils/verified/sha256-{}", Digest::of(&bytes).hex());
    assert_eq!(fs::read_to_string(place.path(&name)).unwrap(), format!("{diff_id}\n"));
    // Of a layer that is known, no byte is read where none has to be: damage stays unseen.
    let blob = place.path("new/blobs/sha256").join(Digest::of(&bytes).hex());
    fs::write(&blob, vec![0; bytes.len()]).unwrap();
    assert_eq!(place.done(&["oci:new:x", "oci:new:y"]), exact);
    // Deleting what is known costs time only.
    fs::remove_dir_all(place.path("cache")).unwrap();
    let (_, said) = place.failed(&["oci:new:x", "oci:new:z"]);
    assert!(said.contains("digest mismatch"), "{said}");
    fs::write(&blob, &bytes).unwrap();
    assert_eq!(place.done(&["oci:new:x", "oci:new:z"]), exact);
    assert!(fs::metadata(place.path(&name)).is_ok());
}

#[test]
fn a_known_layer_is_no_other_one() {
    let place = place();
    let plain = layer(&[("noise", &noise(LEN))]);
    let bytes = gzip(&plain);
    let good = place.put_claim("good", &bytes, &Digest::of(&plain));
    assert_eq!(place.done(&["good", "oci:new:x"]), format!("{good}\n"));
    let _ = place.put_claim("bad", &bytes, &Digest::of(b"other"));
    // The blob is there already, and known to be good, but not for this image.
    for to in ["oci:new:y", "oci:other:y", "other", "docker-archive:other.tar"] {
        refused(&place, &["bad", to], "DiffID mismatch");
    }
}

#[test]
fn an_image_with_too_few_diff_ids_is_not_copied_with_all_platforms_either() {
    let place = place();
    let mut config = common::oci::ImageConfig::scratch(&"linux/amd64".parse().unwrap());
    config.rootfs.diff_ids = Vec::new();
    let good = place.put_image(&["good"], "2001-01-01T00:00:00Z", &[5]);
    let store = place.store();
    let mut manifest = place.image("good").manifest;
    let (digest, len_bytes) = store.put(&config.to_bytes().unwrap()).unwrap();
    (manifest.config.digest, manifest.config.len_bytes) = (digest, len_bytes);
    let (digest, len_bytes) = store.put(&manifest.to_bytes().unwrap()).unwrap();
    assert_ne!(digest, good);
    let image = common::oci::Descriptor::new(common::oci::media_type::MANIFEST, digest, len_bytes);
    store.tag(&["bad".parse().unwrap()], &image).unwrap();
    let (_, said) = place.failed(&["--all", "bad", "oci:new:x"]);
    assert!(said.contains("the manifest has 1 layer, the config 0 DiffIDs"), "{said}");
}
