//! `img-ls --check` through its binary: every kind of damage, planted and found.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use common::digest::{DiffId, Digest};
use common::image::Image;
use common::oci::{Descriptor, Index, media_type};
use layerutils_tests::place::Place;

fn place() -> Place {
    Place::new(env!("CARGO_BIN_EXE_img-ls"))
}

/// What a check finds wrong, one line each.
#[track_caller]
fn findings(place: &Place) -> Vec<String> {
    let output = place.run(&["--check"], b"");
    let said = String::from_utf8(output.stderr).unwrap();
    let status = if said.is_empty() { 0 } else { 1 };
    assert_eq!(
        (output.status.code(), output.stdout.as_slice()),
        (Some(status), &b""[..]),
        "{said}"
    );
    said.lines().map(|line| line.strip_prefix("img-ls: ").unwrap().to_owned()).collect()
}

fn blob(place: &Place, blob: &Descriptor) -> PathBuf {
    place.store().blob_path(&blob.digest)
}

/// Replaces the manifest of the image `app`.
fn replace(place: &Place, change: impl FnOnce(&mut Image)) -> Image {
    let mut image = place.image("app");
    change(&mut image);
    let store = place.store();
    let (digest, len_bytes) = store.put(&image.manifest.to_bytes().unwrap()).unwrap();
    let manifest = Descriptor::new(media_type::MANIFEST, digest, len_bytes);
    store.tag(&["app".parse().unwrap()], &manifest).unwrap();
    image
}

/// Replaces the config of the image `app`.
fn replace_config(place: &Place, change: impl FnOnce(&mut common::oci::ImageConfig)) {
    replace(place, |image| {
        change(&mut image.config);
        let bytes = image.config.to_bytes().unwrap();
        let (digest, len_bytes) = place.store().put(&bytes).unwrap();
        (image.manifest.config.digest, image.manifest.config.len_bytes) = (digest, len_bytes);
    });
}

fn write_index(place: &Place, text: impl AsRef<[u8]>) {
    fs::write(place.path("store/index.json"), text).unwrap();
}

/// A kind of damage, how it is done, and what is told of it, in order.
type Damage = (&'static str, fn(&Place, &Image), &'static [&'static str]);

const DAMAGE: &[Damage] = &[
    ("nothing", |_, _| {}, &[]),
    (
        "a flipped bit in a layer",
        |place, image| {
            let path = blob(place, &image.manifest.layers[0]);
            let mut bytes = fs::read(&path).unwrap();
            bytes[700] ^= 1;
            fs::write(path, bytes).unwrap();
        },
        &["digest mismatch: expected "],
    ),
    (
        "a flipped bit in a manifest",
        |place, image| {
            let path = blob(place, &image.descriptor);
            let mut bytes = fs::read(&path).unwrap();
            bytes[20] ^= 1;
            fs::write(path, bytes).unwrap();
        },
        &["digest mismatch: expected "],
    ),
    (
        "a truncated layer",
        |place, image| {
            let path = blob(place, &image.manifest.layers[0]);
            let bytes = fs::read(&path).unwrap();
            fs::write(path, &bytes[..100]).unwrap();
        },
        &["digest mismatch: expected "],
    ),
    (
        "a missing layer",
        |place, image| fs::remove_file(blob(place, &image.manifest.layers[0])).unwrap(),
        &["app:latest: blob sha256:"],
    ),
    (
        "a missing config",
        |place, image| fs::remove_file(blob(place, &image.manifest.config)).unwrap(),
        &["app:latest: blob sha256:"],
    ),
    (
        "a dangling reference",
        |place, image| fs::remove_file(blob(place, &image.descriptor)).unwrap(),
        &["app:latest: blob sha256:"],
    ),
    (
        "a blob that is a folder",
        |place, image| {
            let path = blob(place, &image.manifest.layers[0]);
            fs::remove_file(&path).unwrap();
            fs::create_dir(path).unwrap();
        },
        &["STORE/blobs/sha256/"],
    ),
    (
        "a wrong size in a descriptor",
        |place, _| {
            replace(place, |image| image.manifest.layers[0].len_bytes += 1);
        },
        &["app:latest: blob sha256:"],
    ),
    (
        "a wrong media type in a descriptor",
        |place, _| {
            replace(place, |image| image.manifest.config.media_type = media_type::INDEX.into());
        },
        &["app:latest: sha256:"],
    ),
    (
        "a wrong DiffID",
        |place, _| {
            replace_config(place, |config| {
                config.rootfs.diff_ids[0] = DiffId(Digest::of(b"other"));
            });
        },
        &["app:latest: layer sha256:"],
    ),
    (
        "fewer DiffIDs than layers",
        |place, _| {
            replace_config(place, |config| config.rootfs.diff_ids.clear());
        },
        &["app:latest: sha256:"],
    ),
    (
        "a config that is none",
        |place, _| {
            replace(place, |image| {
                let (digest, len_bytes) = place.store().put(b"[]").unwrap();
                (image.manifest.config.digest, image.manifest.config.len_bytes) =
                    (digest, len_bytes);
            });
        },
        &["app:latest: sha256:"],
    ),
    ("an index that is none", |place, _| write_index(place, "{"), &["STORE/index.json: "]),
    (
        "an index with a digest that is none",
        |place, _| {
            write_index(
                place,
                r#"{"schemaVersion":2,"manifests":[{"digest":"sha256:../x","size":1}]}"#,
            );
        },
        &["STORE/index.json: "],
    ),
    (
        "one name for two images",
        |place, image| {
            let mut index = Index::new(place.store().images().unwrap());
            let mut again = index.manifests[0].clone();
            again.digest = image.manifest.config.digest.clone();
            again.len_bytes = image.manifest.config.len_bytes;
            index.manifests.push(again);
            write_index(place, index.to_bytes().unwrap());
        },
        &[
            "app:latest: several images in the index have this name: app:latest",
            "app:latest: sha256:",
        ],
    ),
];

#[test]
fn every_kind_of_damage_is_found_and_told_in_one_line() {
    for (kind, damage, told) in DAMAGE {
        let place = place();
        place.put_image(&["app"], "2001-01-01T00:00:00Z", &[5, 1000]);
        place.put_image(&["other"], "2001-01-01T00:00:00Z", &[7]);
        damage(&place, &place.image("app"));
        let found = findings(&place);
        assert_eq!(found.len(), told.len(), "{kind}: {found:#?}");
        for (found, told) in found.iter().zip(*told) {
            let told = told.replace("STORE", place.path("store").to_str().unwrap());
            assert!(found.contains(&told), "{kind}: {found}");
        }
    }
}

#[test]
fn a_damaged_image_is_named_and_the_others_are_listed() {
    let place = place();
    let image = place.put_image(&["app"], "2001-01-01T00:00:00Z", &[5]);
    let other = place.put_image(&["other"], "2001-01-01T00:00:00Z", &[6]);
    fs::write(place.store().blob_path(&image), "damaged").unwrap();
    let (listed, said) = place.failed(&["-q"]);
    assert_eq!(listed, format!("{}\n", other.short()));
    assert!(said.starts_with("img-ls: app:latest: "), "{said}");
}

#[test]
fn a_store_that_cannot_be_written_can_be_checked() {
    layerutils_tests::require!(Root, Peer("setpriv"));
    let place = place();
    place.put_image(&["app"], "2001-01-01T00:00:00Z", &[5]);
    let folder = place.path("");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    // The build's folder may be out of that user's reach.
    let tool = place.path("img-ls");
    fs::copy(env!("CARGO_BIN_EXE_img-ls"), &tool).unwrap();
    for lock in ["kept", "removed"] {
        if lock == "removed" {
            fs::remove_file(place.path("store/.layerutils-blobs.lock")).unwrap();
        }
        let mut command = std::process::Command::new("setpriv");
        command.args(["--reuid=54321", "--regid=54321", "--clear-groups"]).arg(&tool);
        command.arg("--check").env_clear().env("LAYERUTILS_STORE", place.path("store"));
        command.env("PATH", "/usr/bin:/bin");
        let output = command.output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{lock}");
        assert_eq!(output.status.code(), Some(0));
    }
}
