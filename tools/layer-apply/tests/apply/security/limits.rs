//! Archives that ask for more than anybody has.

use crate::support::{self, Archive, Scratch, Way, member};

#[test]
fn bombs_meet_limits() {
    // CVE-2017-14992 and CVE-2025-58183.
    let mut encoder =
        common::compression::Encoder::new(Vec::new(), common::compression::Format::Gzip, None)
            .unwrap();
    let bomb = Archive::new().file("x", vec![0; 32 << 20]).bytes();
    std::io::Write::write_all(&mut encoder, &bomb).unwrap();
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 100_000);
    let scratch = Scratch::new(Way::Tool);
    let new = scratch.path("new");
    let output = support::run(&["--max-size=1M".as_ref(), new.as_os_str()], &bomb);
    assert_eq!(output.status.code(), Some(2));
    let line = "layer-apply: x: cannot read its content: \
                the layer grows to more than the limit of 1048576 bytes\n\
                layer-apply: hint: allow more with --max-size SIZE\n";
    assert_eq!(String::from_utf8(output.stderr).unwrap(), line);
    assert!(!scratch.has("new"));

    // Of a sparse file the holes are made, not written.
    let sparse = member("sparse", b'0')
        .pax("GNU.sparse.size", "1099511627776")
        .pax("GNU.sparse.numblocks", "1")
        .pax("GNU.sparse.map", "0,20")
        .content(vec![b'x'; 20]);
    let sparse = Archive::new().with(sparse).bytes();
    let output = support::run(&["--max-size=1M".as_ref(), new.as_os_str()], &sparse);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    std::fs::remove_dir_all(&new).unwrap();

    let many = (0..100).fold(Archive::new(), |layer, number| layer.dir(format!("{number}")));
    let output = support::run(&["--max-entries=99".as_ref(), new.as_os_str()], &many.bytes());
    assert_eq!(output.status.code(), Some(2));
    let status = |arguments: &[&str], layer: &Archive| {
        let arguments = arguments.iter().map(AsRef::as_ref).chain([new.as_os_str()]);
        support::run(&arguments.collect::<Vec<_>>(), &layer.bytes()).status.code()
    };
    assert_eq!(status(&["--max-entries=100"], &many), Some(0));
    // Twenty segments of one byte each, of which the map is all there is to see.
    let map: Vec<_> = (0..20).map(|segment| format!("{},1", 512 * segment)).collect();
    let sparse = member("sparse", b'0')
        .pax("GNU.sparse.size", "10240")
        .pax("GNU.sparse.numblocks", "20")
        .pax("GNU.sparse.map", map.join(","))
        .content(vec![b'x'; 20]);
    let sparse = Archive::new().with(sparse);
    assert_eq!(status(&["--max-segments=19"], &sparse), Some(2));
    assert_eq!(status(&["--max-segments=20"], &sparse), Some(0));
    let long = Archive::new().with(member("x", b'0').pax("comment", vec![b'c'; 2 << 20]));
    let output = support::run(&[new.as_os_str()], &long.bytes());
    assert_eq!(output.status.code(), Some(2));
    let output = support::run(&["--max-metadata=4M".as_ref(), new.as_os_str()], &long.bytes());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}
