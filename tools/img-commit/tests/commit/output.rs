//! `-o`: the form and the compression of what is written out.

use common::oci::media_type;

use crate::{commit, gzip, layer, layer_bytes, place, refuse};

#[test]
fn dockers_format_is_dockers_throughout() {
    let place = place();
    commit(&place, &["-t", "base", "scratch"], &layer(&["a"]));
    for (transport, name) in [("oci:dir", "x"), ("docker-archive:a.tar", "x:1")] {
        let dest = format!("{transport}:{name}");
        let args = ["-o", &dest, "--format", "docker", "--compress", "gzip", "base"];
        let digest = commit(&place, &args, &gzip(&layer(&["b"])));
        let image = place.image(&dest);
        assert_eq!(image.descriptor.digest.to_string(), digest);
        assert_eq!(image.descriptor.media_type, media_type::DOCKER_MANIFEST);
        assert_eq!(image.manifest.media_type.as_deref(), Some(media_type::DOCKER_MANIFEST));
        assert_eq!(image.manifest.config.media_type, media_type::DOCKER_CONFIG);
        for (at, name) in ["a", "b"].into_iter().enumerate() {
            assert_eq!(image.manifest.layers[at].media_type, media_type::DOCKER_LAYER_GZIP);
            assert_eq!(layer_bytes(&place, &dest, at), layer(&[name]));
        }
        assert!(image.manifest.annotations.is_empty(), "docker's manifests have none");
    }
    let said = refuse(&place, &["--format", "docker", "base"], &layer(&["b"]));
    assert!(said.contains("--output"), "{said}");
    let args = ["-o", "oci:dir", "--format", "docker", "--annotation", "a=b", "base"];
    let said = refuse(&place, &args, &layer(&["b"]));
    assert!(said.starts_with("img-commit: --annotation: docker's format has no "), "{said}");
}

#[test]
fn what_is_written_out_is_compressed_but_what_was_compressed_is_left_alone() {
    let place = place();
    commit(&place, &["-t", "base", "scratch"], &layer(&["a"]));
    commit(&place, &["-t", "zipped", "--compress", "gzip", "base"], &layer(&["b"]));
    let args = ["-o", "oci:dir:x", "--compress", "zstd", "--level", "19", "zipped"];
    commit(&place, &args, &layer(&["c"]));
    let image = place.image("oci:dir:x");
    let types: Vec<_> = image.manifest.layers.iter().map(|layer| &layer.media_type).collect();
    assert_eq!(types, [media_type::LAYER_ZSTD, media_type::LAYER_GZIP, media_type::LAYER_ZSTD]);
    for (at, name) in ["a", "b", "c"].into_iter().enumerate() {
        assert_eq!(layer_bytes(&place, "oci:dir:x", at), layer(&[name]));
    }
    for args in [
        &["--level", "3", "base"][..],
        &["--compress", "gzip", "--level", "10", "base"],
        &["--compress", "gzip", "--config-only", "base"],
        &["--compress", "xz", "base"],
    ] {
        refuse(&place, args, b"");
    }
}
