//! `img-ls` through its binary.

#![allow(clippy::unwrap_used)]

use layerutils_tests::place::Place;

#[test]
fn images_are_listed_newest_first_with_what_they_share() {
    let place = Place::new(env!("CARGO_BIN_EXE_img-ls"));
    assert_eq!(place.done(&["-q"]), "");
    let old = place.put_image(&["base"], "1999-01-01T00:00:00Z", &[1000]);
    let new = place.put_image(&["x.y/app:1", "app"], "2000-01-01T00:00:00Z", &[1000, 234]);
    let table = place.done(&[]);
    let expected = format!(
        "REPOSITORY   TAG       IMAGE ID       PLATFORM      CREATED   SIZE      SHARED SIZE\n\
         app          latest    {new}   linux/amd64   N/A       1.23kB    1kB\n\
         x.y/app      1         {new}   linux/amd64   N/A       1.23kB    1kB\n\
         base         latest    {old}   linux/amd64   N/A       1kB       1kB\n",
        new = new.short(),
        old = old.short(),
    );
    assert_eq!(table, expected);
    assert_eq!(place.done(&["-q", "--no-trunc", "base"]), format!("{old}\n"));
    assert_eq!(place.done(&["--format", "{{.Tag}} {{.UniqueSize}}", "x.y/app"]), "1 234B\n");
    let line = place.done(&["--json", "base:latest"]);
    let object: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
    assert_eq!(object["size_bytes"], 1000);
    let (listed, said) = place.failed(&["-q", "nope", "base"]);
    assert_eq!(
        (listed, said.as_str()),
        (format!("{}\n", old.short()), "img-ls: nope: no such image\n")
    );
}

#[test]
fn an_image_whose_digest_cannot_be_checked_is_passed_over() {
    let place = Place::new(env!("CARGO_BIN_EXE_img-ls"));
    place.put_image(&["app"], "2001-01-01T00:00:00Z", &[10]);
    let path = place.path("store/index.json");
    let foreign = r#""manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"blake3:abc","size":1},"#;
    let text = std::fs::read_to_string(&path).unwrap().replacen("\"manifests\":[", foreign, 1);
    std::fs::write(&path, text).unwrap();
    assert_eq!(place.done(&["--format", "{{.Repository}}"]), "app\n");
}

#[test]
fn what_is_no_image_is_listed_without_a_platform() {
    let place = Place::new(env!("CARGO_BIN_EXE_img-ls"));
    place.put_image(&["app"], "2001-01-01T00:00:00Z", &[10]);
    let config = common::oci::ImageConfig::default();
    let chart = place.put(&["chart:1"], config, &[b"a chart"], |manifest| {
        manifest.config.media_type = "application/vnd.cncf.helm.config.v1+json".into();
        manifest.layers[0].media_type = "application/vnd.cncf.helm.chart.content.v1.tar".into();
    });
    let table = place.done(&["chart:1"]);
    let row: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row[..4], ["chart", "1", chart.short(), "-"]);
    let json = place.done(&["--json", "chart:1"]);
    assert!(json.contains(r#""platform":null"#), "{json}");
    assert_eq!(place.done(&[]).lines().count(), 3);
}

#[test]
fn the_blobs_of_the_store_or_of_images_are_listed() {
    let place = Place::new(env!("CARGO_BIN_EXE_img-ls"));
    assert_eq!(place.done(&["--blobs"]), "");
    place.put_image(&["one"], "2001-01-01T00:00:00Z", &[10]);
    place.put_image(&["two"], "2001-01-01T00:00:00Z", &[10, 20]);
    let all = place.done(&["--blobs"]);
    let digests: Vec<String> =
        place.store().blobs().unwrap().into_keys().map(|digest| digest.to_string()).collect();
    assert_eq!(all.lines().collect::<Vec<_>>(), digests);
    assert_eq!(place.done(&["--blobs", "one"]).lines().count(), 3);
    assert_eq!(place.done(&["--blobs", "one", "two"]), all);
    let (some, said) = place.failed(&["--blobs", "one", "nope"]);
    assert_eq!(some, place.done(&["--blobs", "one"]));
    assert!(said.starts_with("img-ls: nope: no such image in "), "{said}");
}
