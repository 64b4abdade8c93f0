//! `img-inspect` through its binary.

use common::digest::Digest;
use layerutils_tests::place::Place;

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
