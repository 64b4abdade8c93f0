//! `img-inspect` through its binary.

#![allow(clippy::unwrap_used)]

use std::io::Write as _;

use common::compression::{Encoder, Format};
use common::digest::Digest;
use common::image::Destination;
use layerutils_tests::place::{Place, layer};

#[test]
fn an_image_is_shown_in_dockers_shape_or_as_it_is() {
    let place = Place::new(env!("CARGO_BIN_EXE_img-inspect"));
    let image = place.put_image(&["app", "x.y/other:1"], "2001-01-01T00:00:00Z", &[1000, 5]);
    let shown: serde_json::Value = serde_json::from_str(&place.done(&["app"])).unwrap_or_default();
    assert_eq!(shown[0]["Id"], image.to_string());
    assert_eq!(shown[0]["RepoTags"], serde_json::json!(["app:latest", "x.y/other:1"]));
    assert_eq!(shown[0].get("Variant"), None);
    assert_eq!(shown[0]["Size"], 1005);
    assert_eq!(shown[0]["Config"]["Env"][0], "A=1");
    assert_eq!(shown[0]["RootFS"]["Layers"].as_array().map(Vec::len), Some(2));
    assert_eq!(Digest::of(place.done(&["--raw", "app"]).as_bytes()), image);
    assert!(place.done(&["--config", "app"]).contains("\"os\":\"linux\""));
    assert_eq!(
        place.done(&["-f", "{{.Os}} {{.Config.Env}}", "app", "app"]),
        "linux [A=1]\nlinux [A=1]\n"
    );
    let (shown, said) = place.failed(&["-f", "{{.Os}}", "nope", "app"]);
    assert_eq!(shown, "linux\n");
    assert!(said.starts_with("img-inspect: nope: no such image in "), "{said}");
    for bad in [
        &["-f", "{{.Nope}}", "app"][..],
        &["-f", "table {{.Os}}", "app"],
        &["--raw", "--config", "app"],
        &[],
    ] {
        place.failed(bad);
    }
}

/// An archive with the image `app`, and one with nothing but a member of zeros, compressed.
fn packed(place: &Place) -> (Vec<u8>, Vec<u8>) {
    let destination = Destination::parse("oci-archive:plain.tar".as_ref()).unwrap();
    let Destination::Archive { name, .. } = destination else { panic!("not an archive") };
    let destination = Destination::Archive { file: place.path("plain.tar"), name };
    destination.write(&place.image("app").into(), &["app".parse().unwrap()]).unwrap();
    let image = std::fs::read(place.path("plain.tar")).unwrap();
    (gzip(&image), gzip(&layer(&[("layer.tar", &vec![0; 50 << 20])])))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new(), Format::Gzip, None).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn documents_of_a_compressed_archive_are_read_without_a_copy_of_it() {
    let place = Place::new(env!("CARGO_BIN_EXE_img-inspect"));
    let image = place.put_image(&["app"], "2001-01-01T00:00:00Z", &[20 << 20]);
    let (archive, bomb) = packed(&place);
    std::fs::write(place.path("app.tgz"), &archive).unwrap();
    std::fs::write(place.path("bomb.tgz"), &bomb).unwrap();
    // Nowhere to write to.
    let run = |args: &[&str]| {
        let mut command = place.command(args);
        command.env("TMPDIR", "/nonexistent").output().unwrap()
    };
    for transport in ["oci-archive", "docker-archive"] {
        let raw = run(&["--raw", &format!("{transport}:app.tgz")]);
        assert_eq!(Digest::of(&raw.stdout), image, "{raw:?}");
        let config = run(&["--config", &format!("{transport}:app.tgz")]);
        assert!(String::from_utf8_lossy(&config.stdout).contains("\"os\":\"linux\""), "{config:?}");
    }
    let refused = run(&["docker-archive:bomb.tgz"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.ends_with("not an image archive: no manifest.json in it\n"), "{said}");
    // What comes through a pipe is kept as it comes, and not inflated.
    let limited = |shell: &str| {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", shell]).current_dir(place.path("."));
        command.env("IMG_INSPECT", env!("CARGO_BIN_EXE_img-inspect"));
        let output = command.env("TMPDIR", place.path("tmp")).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr)
    };
    // 2,048 blocks of 512 or 1,024 bytes.
    let said = limited("ulimit -f 2048; cat bomb.tgz | $IMG_INSPECT -");
    let nothing = "not an image archive: neither index.json nor manifest.json in it\n";
    assert!(said.ends_with(nothing), "{said}");
    let said = limited("ulimit -f 2048; cat app.tgz | $IMG_INSPECT --raw -");
    assert_eq!(Digest::of(said.as_bytes()), image, "{said}");
    // What holds nothing may have no end.
    let said = limited("ulimit -f 2048; timeout 30 $IMG_INSPECT - < /dev/zero");
    assert!(said.ends_with(nothing), "{said}");
}

#[test]
fn layers_of_a_compressed_archive_are_measured() {
    let place = Place::new(env!("CARGO_BIN_EXE_img-inspect"));
    let _ = place.put_image(&["app"], "2001-01-01T00:00:00Z", &[3 << 20, 5]);
    let (archive, _) = packed(&place);
    std::fs::write(place.path("app.tgz"), &archive).unwrap();
    for (args, input) in [
        (["-f", "{{.Size}}", "oci-archive:app.tgz"], &b""[..]),
        (["-f", "{{.Size}}", "-"], &archive),
    ] {
        assert_eq!(place.done_with(&args, input), format!("{}\n", (3 << 20) + 5));
        std::fs::remove_dir_all(place.path("cache")).unwrap();
    }
}

#[test]
fn what_a_name_stands_for_is_shown_and_what_is_no_image() {
    let place = Place::new(env!("CARGO_BIN_EXE_img-inspect"));
    let config = common::oci::ImageConfig::default();
    let chart = place.put(&["chart:1"], config, &[b"a chart"], |manifest| {
        manifest.config.media_type = "application/vnd.cncf.helm.config.v1+json".into();
    });
    assert_eq!(place.done(&["--digest", "chart:1"]), format!("{chart}\n"));
    let raw = place.done(&["--raw", "chart:1"]);
    assert_eq!(common::digest::Digest::of(raw.as_bytes()), chart);
    let (_, said) = place.failed(&["chart:1"]);
    assert!(said.contains("an artifact, not an image"), "{said}");

    let image = place.put_image(&["app"], "2001-01-01T00:00:00Z", &[10]);
    let store = place.store();
    let mut entry = store.resolve("app").unwrap();
    entry.annotations.clear();
    entry.platform = Some("linux/amd64".parse().unwrap());
    let index = common::oci::Index::new(vec![entry]).to_bytes().unwrap();
    let (digest, len_bytes) = store.put(&index).unwrap();
    let root = common::oci::Descriptor::new(common::oci::media_type::INDEX, digest, len_bytes);
    store.tag(&["many".parse().unwrap()], &root).unwrap();
    assert_eq!(place.done(&["--raw", "many"]).as_bytes(), index);
    assert_eq!(place.done(&["--digest", "many"]), format!("{}\n", root.digest));
    let one = ["--digest", "--platform", "linux/amd64", "many"];
    assert_eq!(place.done(&one), format!("{image}\n"));
    assert_eq!(place.done(&["--manifest", "many"]), place.done(&["--raw", "app"]));
}
