//! Images listed: which layer wrote what, what was there before, and what is read of it.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::fs;

use common::digest::Digest;
use common::oci::ImageConfig;
use common::tar::{Entry, Kind, Writer, Xattrs};
use common::time::Timestamp;
use layerutils_tests::place::Place;

fn layer(members: &[(&str, Kind, &str)]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (path, kind, content) in members {
        let (path, kind, xattrs) = (path.as_bytes().to_vec(), kind.clone(), Xattrs::new());
        let (mtime, len_bytes) = (Timestamp::from_seconds(60), content.len() as u64);
        let entry = Entry { path, kind, mode: 0o644, uid: 0, gid: 0, mtime, len_bytes, xattrs };
        writer.append(&entry, content.as_bytes()).unwrap();
    }
    writer.finish().unwrap()
}

const FILE: Kind = Kind::File;
const DIRECTORY: Kind = Kind::Directory;

fn layers() -> [Vec<u8>; 3] {
    let link = Kind::Symlink { target: b"usr/lib".to_vec() };
    [
        layer(&[
            ("usr/lib/a.so", FILE, "one"),
            ("lib", link, ""),
            ("var/cache/pkg", FILE, "cached"),
            ("etc", DIRECTORY, ""),
            ("etc/motd", FILE, "hello"),
        ]),
        layer(&[("lib/a.so", FILE, "longer"), ("etc/motd", FILE, "HELLO")]),
        layer(&[("var/.wh.cache", FILE, ""), ("etc/new", FILE, "new")]),
    ]
}

/// The image `app` of three layers, made by steps of which one made no layer.
fn example(place: &Place) -> Digest {
    let layers = layers();
    let config = ImageConfig::scratch(&"linux/amd64".parse().unwrap());
    let [one, two, three] = [0, 1, 2].map(|at| Some(layers[at].as_slice()));
    let steps = [
        ("ADD root /", one),
        ("ENV a=b", None),
        ("/bin/sh -c update  libs", two),
        ("RUN /bin/sh -c clean # buildkit", three),
    ];
    place.put_steps("app", config, &steps)
}

fn place() -> Place {
    let place = Place::new(env!("CARGO_BIN_EXE_layer-ls"));
    example(&place);
    place
}

#[test]
fn each_name_comes_with_its_layer_and_step() {
    let place = place();
    let expected = "\
1\tetc\tADD root /
2\tetc/motd\tRUN update libs
3\tetc/new\tRUN clean
1\tlib\tADD root /
1\tusr\tADD root /
1\tusr/lib\tADD root /
2\tusr/lib/a.so\tRUN update libs
1\tvar\tADD root /
";
    assert_eq!(place.done(&["--image", "app"]), expected);
    let one = "2\tusr/lib/a.so\tRUN update libs\n";
    for chosen in ["/lib/a.so", "*.so", "usr/**/*.s[o]", "usr/lib/a.so"] {
        assert_eq!(place.done(&["--image", "app", chosen]), one, "{chosen}");
    }
    assert_eq!(place.done(&["--image", "app", "-0", "etc"]), "etc\0etc/motd\0etc/new\0");
    let long = place.done(&["-l", "--image", "app", "etc/motd"]);
    let expected = "2\t-rw-r--r--  0/0                 5 1970-01-01 00:01:00 etc/motd\tRUN update libs\n\
                    total 1 name, 5 bytes\n";
    assert_eq!(long, expected);
}

#[test]
fn every_version_of_a_path_is_listed() {
    let place = place();
    let expected = "\
A\t1\tusr/lib/a.so\tADD root /
C\t2\tusr/lib/a.so\tRUN update libs
A\t1\tvar\tADD root /
A\t1\tvar/cache\tADD root /
D\t3\tvar/cache\tRUN clean
A\t1\tvar/cache/pkg\tADD root /
D\t3\tvar/cache/pkg\tRUN clean
";
    assert_eq!(place.done(&["--all", "--image", "app", "lib/a.so", "var"]), expected);
    // As long as before and of the same time: only reading tells whether it is the same.
    let motd = "A\t1\tetc/motd\tADD root /\nM\t2\tetc/motd\tRUN update libs\n";
    assert_eq!(place.done(&["--all", "--image", "app", "etc/motd"]), motd);
    let at = place.done(&["--all", "--at", "1", "--image", "app", "var/cache/*"]);
    assert_eq!(at, "A\t1\tvar/cache/pkg\tADD root /\n");
}

#[test]
fn json_has_the_layer_the_step_and_the_attributes() {
    let place = place();
    let listed = place.done(&["--json", "--image", "app", "etc/new"]);
    let value: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let expected = serde_json::json!({
        "layer": 3, "diff_id": Digest::of(&layers()[2]).to_string(),
        "created_by": "RUN /bin/sh -c clean # buildkit", "path": "etc/new", "type": "file",
        "mode": "0644", "uid": 0, "gid": 0, "mtime": "1970-01-01T00:01:00Z", "size": 3,
    });
    assert_eq!(value, expected);
    let all = place.done(&["--json", "--all", "--image", "app", "var/cache"]);
    let deleted: serde_json::Value =
        serde_json::from_str(all.lines().find(|line| line.contains("\"deleted\"")).unwrap())
            .unwrap();
    assert_eq!(deleted["path"], "var/cache");
    assert!(deleted.get("mode").is_none());
}

#[test]
fn a_file_is_written_as_a_chroot_would_see_it() {
    let place = place();
    assert_eq!(place.done(&["--cat", "app", "/lib/../lib/a.so"]), "longer");
    assert_eq!(place.done(&["--at", "1", "--cat", "app", "lib/a.so"]), "one");
    let refused = failed(&place, &["--cat", "app", "var/cache/pkg"]);
    assert_eq!(refused, "layer-ls: app: var/cache/pkg: no such path in the image\n");
    assert!(failed(&place, &["--cat", "app", "etc"]).contains("etc: not a file but a directory"));
    assert!(failed(&place, &["--cat", "app"]).contains("takes an image and one path"));
}

#[test]
fn a_long_step_is_cut_where_every_name_repeats_it() {
    let place = Place::new(env!("CARGO_BIN_EXE_layer-ls"));
    let long = format!("RUN {}", "x".repeat(100_000));
    let config = ImageConfig::scratch(&"linux/amd64".parse().unwrap());
    place.put_steps("long", config, &[(&long, Some(&layer(&[("f", FILE, "")])))]);
    let listed = place.done(&["--image", "long", "--json"]);
    let row: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let cut = row["created_by"].as_str().unwrap();
    assert!(cut.starts_with("RUN xxx") && cut.ends_with("x…"), "{cut}");
    assert_eq!(cut.chars().count(), 500);
}

#[test]
fn what_is_not_there_is_told_and_the_rest_listed() {
    let place = place();
    let output = place.run(&["--image", "app", "nothing", "etc/new"], b"");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(output.stdout, b"3\tetc/new\tRUN clean\n");
    let expected = "layer-ls: app: nothing: no such path in the image\n";
    assert_eq!(String::from_utf8(output.stderr).unwrap(), expected);
    let refused = failed(&place, &["--image", "app", "--at", "4"]);
    assert!(refused.contains("there is no layer 4: the image has 3 layers"), "{refused}");
}

/// Returns the messages of the tool, which must fail.
fn failed(place: &Place, args: &[&str]) -> String {
    place.failed(args).1
}

/// Changes the content of the last file in a blob of the store, not its length.
fn damage(place: &Place, layer: &[u8]) {
    let blob = place.store().blob_path(&Digest::of(layer));
    let mut bytes = fs::read(&blob).unwrap();
    let at = bytes.windows(3).rposition(|part| part == b"new").unwrap();
    bytes[at] = b'N';
    fs::write(&blob, bytes).unwrap();
}

#[test]
fn content_is_checked_once_and_then_trusted_unless_verify_is_given() {
    let place = place();
    let layer = &layers()[2];
    damage(&place, layer);
    let mismatch = |text: String| assert!(text.contains("digest mismatch"), "{text}");
    mismatch(failed(&place, &["--image", "app"]));
    fs::write(place.store().blob_path(&Digest::of(layer)), layer).unwrap();
    let _ = place.done(&["--image", "app"]);
    damage(&place, layer);
    // Only headers are read now.
    let _ = place.done(&["--image", "app"]);
    assert_eq!(place.done(&["--cat", "app", "etc/new"]), "New");
    mismatch(failed(&place, &["--verify", "--image", "app"]));
    mismatch(failed(&place, &["--verify", "--cat", "app", "etc/new"]));
    // Anybody may have written another layout.
    let layout = format!("oci:{}", place.path("store").display());
    mismatch(failed(&place, &["--image", &layout]));
}

#[test]
fn a_layer_that_no_tree_can_take_is_refused_as_layer_apply_does() {
    let place = place();
    let bad = layer(&[("x/.wh.", FILE, "")]);
    let config = ImageConfig::scratch(&"linux/amd64".parse().unwrap());
    place.put(&["bad"], config, &[&bad], |_| {});
    let refused = failed(&place, &["--image", "bad"]);
    assert!(refused.starts_with("layer-ls: bad: layer sha256:"), "{refused}");
    assert_eq!(refused.lines().count(), 1);
}
