//! `--squash`: one layer, and the history of all.

use std::fs;

use layerutils_tests::place;
use layerutils_tests::place::Place;

use crate::{commit, gzip, history, layer, layer_bytes, members, refuse};

/// Three layers, the last of which changes one file, deletes another and hides a folder.
fn three(place: &Place) {
    commit(place, &["-t", "base", "-m", "one", "scratch"], &layer(&["a", "b", "d/x", "d/y"]));
    commit(place, &["-t", "two", "-m", "two", "base"], &gzip(&layer(&["c"])));
    let last = place::layer(&[
        ("a", b"new"),
        (".wh.b", b""),
        ("d/.wh..wh..opq", b""),
        ("d/z", b"z"),
        (".wh.never", b""),
    ]);
    commit(place, &["-t", "app", "-m", "three", "-c", "CMD [\"x\"]", "two"], &last);
}

#[test]
fn all_layers_become_one_without_a_whiteout() {
    let place = crate::place();
    three(&place);
    let digest = commit(&place, &["-t", "flat", "--squash", "--config-only", "app"], b"");
    let image = place.image("flat");
    assert_eq!((image.id().to_string(), image.manifest.layers.len()), (digest, 1));
    // No layer describes `d`, and it is in the image all the same.
    assert_eq!(members(&layer_bytes(&place, "flat", 0)), ["a", "c", "d/", "d/z"]);
    let app = place.image("app");
    let last = format!("|merge {} to scratch|false", app.id());
    assert_eq!(history(&place, "flat"), ["|one|true", "|two|true", "|three|true", &last]);
    assert_eq!(image.config.config, app.config.config);
    assert!(image.base().is_none() && image.manifest.annotations.is_empty());
    // In one step, with a new layer, from an archive: the same tree.
    let archive = place.run(&["-o", "-", "--config-only", "two"], b"").stdout;
    fs::write(place.path("two.tar"), archive).unwrap();
    let new = layer(&["e", "d/x"]);
    commit(&place, &["-t", "more", "--squash", "-m", "M", "oci-archive:two.tar"], &new);
    assert_eq!(members(&layer_bytes(&place, "more", 0)), ["a", "b", "c", "d/", "d/x", "d/y", "e"]);
    assert_eq!(history(&place, "more"), ["|one|true", "|two|true", "||true", "|M|false"]);
}

#[test]
fn a_squash_is_the_same_however_its_layers_are_kept() {
    let place = crate::place();
    three(&place);
    let plain = commit(&place, &["--squash", "--config-only", "app"], b"");
    let zipped = ["-o", "oci:zipped:x", "--compress", "gzip", "--config-only", "app"];
    commit(&place, &zipped, b"");
    assert_eq!(
        place.image("oci:zipped:x").manifest.layers[0].media_type.rsplit('+').next(),
        Some("gzip")
    );
    let args = ["-t", "again", "--squash", "-m", "", "--config-only", "oci:zipped:x"];
    commit(&place, &args, b"");
    let first = format!("sha256:{}", plain.trim_start_matches("sha256:"));
    assert_eq!(layer_bytes(&place, &first, 0), layer_bytes(&place, "again", 0));
    let zstd = ["-t", "zstd", "--squash", "--compress", "zstd", "--config-only", "app"];
    commit(&place, &zstd, b"");
    assert_eq!(
        place.image("zstd").manifest.layers[0].media_type,
        "application/vnd.oci.image.layer.v1.tar+zstd"
    );
    assert_eq!(layer_bytes(&place, "zstd", 0), layer_bytes(&place, "again", 0));
}

#[test]
fn a_damaged_layer_is_not_squashed() {
    let place = crate::place();
    three(&place);
    let app = place.image("app");
    for at in [0, 1] {
        let path = place.store().blob_path(&app.manifest.layers[at].digest);
        let sound = fs::read(&path).unwrap();
        let mut damaged = sound.clone();
        damaged[600] ^= 1;
        fs::write(&path, damaged).unwrap();
        let said = refuse(&place, &["-t", "flat", "--squash", "--config-only", "app"], b"");
        assert!(said.contains("digest mismatch"), "{said}");
        fs::write(&path, sound).unwrap();
    }
    commit(&place, &["-t", "flat", "--squash", "--config-only", "app"], b"");
}
