//! `img-copy` through its binary.

use layerutils_tests::place::Place;

#[test]
fn an_image_stays_the_same_wherever_it_goes() {
    let place = Place::new(env!("CARGO_BIN_EXE_img-copy"));
    let image = place.put_image(&["app"], "2001-01-01T00:00:00Z", &[1000, 5, 1000]);
    let printed = format!("{image}\n");
    assert_eq!(place.done(&["app", "oci:layout:x"]), printed);
    assert_eq!(place.done(&["oci:layout:x", "docker-archive:a.tar"]), printed);
    assert_eq!(place.done(&["docker-archive:a.tar", "oci-archive:b.tar:named:1"]), printed);
    assert_eq!(place.done(&["oci-archive:b.tar:named:1", "copy:2"]), printed);
    let archive = place.run(&["copy:2", "-"], b"");
    assert_eq!(archive.status.code(), Some(0));
    assert_eq!(place.done_with(&["-", "again"], &archive.stdout), printed);
    let store = place.store();
    for name in ["app", "copy:2", "again"] {
        assert_eq!(store.resolve(name).map(|found| found.digest).ok().as_ref(), Some(&image));
    }
    for bad in [
        &["nope", "x"][..],
        &["app", "docker://X"],
        &["app", "Bad"],
        &["docker://", "y"],
        &["app"],
        &[],
    ] {
        let (printed, _) = place.failed(bad);
        assert_eq!(printed, "");
    }
}
