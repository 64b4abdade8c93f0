//! `img-rm` through its binary.

use layerutils_tests::place::Place;

#[test]
fn names_go_and_blobs_go_when_no_name_reaches_them() {
    let place = Place::new(env!("CARGO_BIN_EXE_img-rm"));
    place.put_image(&["base"], "2001-01-01T00:00:00Z", &[1000]);
    let app = place.put_image(&["app", "app:1"], "2002-01-01T00:00:00Z", &[1000, 5]);
    let blobs = |place: &Place| place.store().blobs().map(|blobs| blobs.len()).ok();
    assert_eq!(blobs(&place), Some(6));
    let (removed, said) = place.failed(&[&app.to_string()]);
    assert_eq!(removed, "");
    assert_eq!(said, format!("img-rm: {app} has several names: app:latest, app:1\n"));
    assert_eq!(place.done(&["-n", "app"]), "app:latest\n");
    assert_eq!(place.done(&["app"]), "app:latest\n");
    assert_eq!(place.done(&["--prune"]), "", "the image still has a name");
    let told = place.done(&["-n", "--prune", app.short()]);
    assert_eq!(told.lines().count(), 4, "the name, and manifest, config and layer: {told}");
    assert_eq!(blobs(&place), Some(6));
    assert_eq!(place.done(&["--prune", app.short()]), told);
    assert_eq!(blobs(&place), Some(3), "what the other image needs stays");
    let (removed, said) = place.failed(&["-0", "nope", "base"]);
    assert_eq!(removed, "base:latest\0");
    assert!(said.starts_with("img-rm: nope: no such image in "), "{said}");
    place.failed(&[]);
}
