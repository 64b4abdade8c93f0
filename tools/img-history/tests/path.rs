//! `img-history --path`: the steps that had to do with a path.

#![allow(clippy::unwrap_used)]

use common::oci::ImageConfig;
use common::tar::{Entry, Kind, Writer, Xattrs};
use common::time::Timestamp;
use layerutils_tests::place::Place;

fn layer(paths: &[&str]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for path in paths {
        let (path, xattrs) = (path.as_bytes().to_vec(), Xattrs::new());
        let (mtime, len_bytes, kind) = (Timestamp::EPOCH, 0, Kind::File);
        let entry = Entry { path, kind, mode: 0o644, uid: 0, gid: 0, mtime, len_bytes, xattrs };
        writer.append(&entry, std::io::empty()).unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn only_the_steps_that_touched_the_path_are_shown() {
    let place = Place::new(env!("CARGO_BIN_EXE_img-history"));
    let layers = [layer(&["d/f", "g"]), layer(&["g"]), layer(&["d/e"]), layer(&["d/.wh.f"])];
    let config = ImageConfig::scratch(&"linux/amd64".parse().unwrap());
    let [one, two, three, four] = layers.each_ref().map(|layer| Some(layer.as_slice()));
    let steps = [("one", one), ("nothing", None), ("two", two), ("three", three), ("four", four)];
    place.put_steps("app", config, &steps);
    let steps = |path: &str| place.done(&["--format", "{{.CreatedBy}}", "--path", path, "app"]);
    assert_eq!(steps("/d/f"), "four\none\n");
    assert_eq!(steps("d"), "four\nthree\none\n");
    assert_eq!(steps("g"), "two\none\n");
    assert_eq!(steps("*"), "four\nthree\ntwo\none\n");
    let refused = place.failed(&["--path", "x", "app"]).1;
    assert_eq!(refused, "img-history: app: x: no layer of the image has it\n");
}
