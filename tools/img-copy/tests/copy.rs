//! `img-copy` through its binary.

mod support;

use std::fs;
use std::process::Stdio;

use support::Place;

#[test]
fn an_image_stays_the_same_wherever_it_goes() {
    let place = Place::new();
    let image = place.image(&["app"], "2001-01-01T00:00:00Z", &[1000, 5, 1000]);
    let printed = format!("{image}\n");
    assert_eq!(place.done(&["app", "oci:layout:x"]), printed);
    assert_eq!(place.done(&["oci:layout:x", "docker-archive:a.tar"]), printed);
    assert_eq!(place.done(&["docker-archive:a.tar", "oci-archive:b.tar:named:1"]), printed);
    assert_eq!(place.done(&["oci-archive:b.tar:named:1", "copy:2"]), printed);
    let archive = place.run(&["copy:2", "-"], Stdio::null());
    assert_eq!(archive.status.code(), Some(0));
    assert!(fs::write(place.path("c.tar"), &archive.stdout).is_ok());
    let input = fs::File::open(place.path("c.tar")).map_or_else(|_| Stdio::null(), Stdio::from);
    let copied = place.run(&["-", "again"], input);
    assert_eq!(String::from_utf8_lossy(&copied.stdout), printed);
    let store = place.store();
    for name in ["app", "copy:2", "again"] {
        assert_eq!(store.resolve(name).map(|found| found.digest).ok().as_ref(), Some(&image));
    }
    for bad in [
        &["nope", "x"][..],
        &["app", "docker://x"],
        &["app", "Bad"],
        &["docker://x", "y"],
        &["app"],
        &[],
    ] {
        let (printed, _) = place.failed(bad);
        assert_eq!(printed, "");
    }
}
