//! `img-diff` through its binary.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use common::oci::ImageConfig;
use common::tar::{Entry, Kind, Writer, Xattrs};
use common::time::Timestamp;
use layerutils_tests::place::Place;
use serde_json::{Value, json};

/// A layer of files with this time; the content `/` makes a directory, `->TARGET` a
/// symbolic link.
fn layer(seconds: i64, members: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (path, content) in members {
        let (kind, content) = match *content {
            "/" => (Kind::Directory, ""),
            content => match content.strip_prefix("->") {
                Some(target) => (Kind::Symlink { target: target.into() }, ""),
                None => (Kind::File, content),
            },
        };
        let entry = Entry {
            path: path.as_bytes().to_vec(),
            kind,
            mode: 0o644,
            uid: 0,
            gid: 0,
            mtime: Timestamp::from_seconds(seconds),
            len_bytes: content.len() as u64,
            xattrs: Xattrs::new(),
        };
        writer.append(&entry, content.as_bytes()).unwrap();
    }
    writer.finish().unwrap()
}

fn put(place: &Place, name: &str, env: &[&str], steps: &[(&str, Vec<u8>)]) {
    let mut config = ImageConfig::scratch(&"linux/amd64".parse().unwrap());
    config.config.env = env.iter().map(|&variable| variable.to_owned()).collect();
    let steps: Vec<_> = steps.iter().map(|(by, layer)| (*by, Some(layer.as_slice()))).collect();
    place.put_steps(name, config, &steps);
}

const STATUS: &str = "Package: a\nStatus: install ok installed\nVersion: 1\n\n\
                      Package: b\nStatus: install ok installed\nVersion: 1\n\n";

fn base() -> Vec<u8> {
    layer(
        60,
        &[
            ("etc/conf", "one\ntwo\nthree\n"),
            ("etc/same", "same"),
            ("opt/x/1", "1"),
            ("opt/x/2", "22"),
            ("var/lib/dpkg/status", STATUS),
            ("usr/lib/python3/site-packages/six-1.0.dist-info/METADATA", "Name: six"),
        ],
    )
}

fn place() -> Place {
    let place = Place::new(env!("CARGO_BIN_EXE_img-diff"));
    put(&place, "old", &["A=1", "B=1"], &[("ADD", base())]);
    let status = STATUS.replacen("Version: 1", "Version: 2", 1).replace("Package: b", "Package: c");
    let change = layer(
        60,
        &[
            ("etc/conf", "one\nTWO\nthree\n"),
            ("etc/same", "same"),
            ("opt/.wh.x", ""),
            ("new/d/f", "new"),
            ("var/lib/dpkg/status", &status),
            ("usr/lib/python3/site-packages/.wh.six-1.0.dist-info", ""),
            ("usr/lib/python3/site-packages/six-1.1.dist-info/METADATA", "Name: six"),
            ("app/node_modules/@s/m/package.json", "{\"name\":\"@s/m\",\"version\":\"3.0\"}"),
        ],
    );
    put(&place, "new", &["A=2", "B=1"], &[("ADD", base()), ("RUN change", change)]);
    place
}

#[test]
fn a_reviewer_sees_what_changed_on_one_screen() {
    let place = place();
    let text = place.done(&["old", "new"]);
    let (_, sections) = text.split_once("\n\n").unwrap();
    let layer = sections.lines().find(|line| line.ends_with("RUN change") && line.contains(':'));
    let layer = layer.unwrap().split_whitespace().nth(1).unwrap();
    let expected = format!(
        "\
config:
- Env.A: 1
+ Env.A: 2

history:
+ RUN change

layers: 1 layer in both
+ {layer} 165B: RUN change

packages:
! deb a 1 -> 2
- deb b 1
+ deb c 1
+ npm @s/m 3.0
! pip six 1.0 -> 1.1

files: 3 added, 2 changed, 3 removed, +31B
        +31B  +1 !0 -0           app/
          0B  +0 !1 -0           etc/
         +3B  +1 !0 -0           new/
         -3B  +0 !0 -2           opt/
          0B  +1 !0 -1           usr/
          0B  +0 !1 -0           var/

A       +31B  app/ (1 file)
C         0B  etc/conf [content]
A        +3B  new/ (1 file)
D        -3B  opt/x/ (2 files)
D        -9B  usr/lib/python3/site-packages/six-1.0.dist-info/ (1 file)
A        +9B  usr/lib/python3/site-packages/six-1.1.dist-info/ (1 file)
C         0B  var/lib/dpkg/status [content]
"
    );
    assert_eq!(sections, expected);
    let content = place.done(&["--content", "--only", "files", "old", "new"]);
    let hunk = "C         0B  etc/conf [content]\n    @@ -1,3 +1,3 @@\n     one\n    -two\n    +TWO\n     three\n";
    assert!(content.contains(hunk), "{content}");
    let top = place.done(&["--top", "2", "--depth=0", "--only=files", "old", "new"]);
    assert!(top.ends_with("etc/conf [content]\n(5 names not shown)\n"), "{top}");
}

#[test]
fn json_has_every_name_with_both_sides() {
    let place = place();
    let report: Value = serde_json::from_str(&place.done(&["--json", "old", "new"])).unwrap();
    let of = |path: &str| {
        let files = report["files"].as_array().unwrap();
        files.iter().find(|file| file["path"] == path).unwrap().clone()
    };
    let expected = json!({
        "path": "opt/x/2", "change": "removed", "differs": [],
        "old": { "type": "file", "size": 2 }, "new": null,
    });
    assert_eq!(of("opt/x/2"), expected);
    assert_eq!(of("etc/conf")["differs"], json!(["content"]));
    assert_eq!(report["config"], json!([{ "key": "Env.A", "old": "1", "new": "2" }]));
    let packages = &report["packages"][0];
    assert_eq!(*packages, json!({ "kind": "deb", "name": "a", "old": ["1"], "new": ["2"] }));
    assert_eq!(report["layers"]["shared"], 1);
    assert_eq!(report["not_read"], json!([]));
}

#[test]
fn the_same_content_in_another_layer_is_the_same() {
    let place = place();
    put(
        &place,
        "cut",
        &["B=1", "A=1"],
        &[("other", base()), ("same", layer(60, &[("etc/same", "same")]))],
    );
    assert_eq!(place.done(&["--only", "files", "--exit-code", "old", "cut"]), "");
    let files = place.done(&["--only", "config", "old", "cut"]);
    assert!(files.contains("- Env: [\"A=1\",\"B=1\"]\n+ Env: [\"B=1\",\"A=1\"]\n"), "{files}");
    let status = |args: &[&str]| place.run(args, b"").status.code().unwrap();
    assert_eq!(status(&["--exit-code", "old", "cut"]), 1);
    assert_eq!(status(&["--exit-code", "--only=files", "--only=packages", "old", "cut"]), 0);
    assert_eq!(status(&["old", "cut"]), 0);
    assert_eq!(place.done(&["old", "old"]), "");
}

#[test]
fn a_rebuild_with_other_times_is_semantically_the_same() {
    let place = place();
    let again = |seconds| {
        layer(seconds, &[("etc/a", "x"), ("etc/log", if seconds == 1 { "l" } else { "L" })])
    };
    put(&place, "one", &["A=1", "B=1"], &[("ADD", again(1))]);
    put(&place, "two", &["B=1", "A=1"], &[("ADD", again(2))]);
    let status = |args: &[&str]| {
        place.run(&[&["--exit-code"], args, &["one", "two"]].concat(), b"").status.code().unwrap()
    };
    assert_eq!(status(&[]), 1);
    assert_eq!(status(&["--semantic"]), 1);
    assert_eq!(status(&["--ignore", "log"]), 1);
    assert_eq!(status(&["--semantic", "--ignore", "etc/log"]), 0);
}

#[test]
fn databases_that_nothing_reads_are_told() {
    let place = place();
    let rpm = |content| layer(60, &[("var/lib/rpm/rpmdb.sqlite", content)]);
    put(&place, "one", &[], &[("ADD", rpm("1"))]);
    put(&place, "two", &[], &[("ADD", rpm("2"))]);
    let text = place.done(&["--only", "packages", "one", "two"]);
    assert!(text.ends_with("\npackages:\n? var/lib/rpm/rpmdb.sqlite: differs, and is not read\n"));
    let refused = place.failed(&["one", "nothing"]).1;
    assert!(refused.starts_with("img-diff: nothing: no such image"), "{refused}");
}

#[test]
fn damage_is_told_of_the_image_that_has_it() {
    let place = place();
    let bad = layer(60, &[("x/.wh.", "")]);
    put(&place, "bad", &[], &[("ADD", base()), ("bad", bad)]);
    for operands in [["old", "bad"], ["bad", "old"]] {
        let refused = place.failed(&operands).1;
        assert!(refused.starts_with("img-diff: bad: layer sha256:"), "{refused}");
    }
}

#[test]
fn no_name_of_a_label_makes_a_line_of_the_report() {
    let place = place();
    let label = ("a\nfiles: 9 added\r", "b\nc");
    let mut config = ImageConfig::scratch(&"linux/amd64".parse().unwrap());
    place.put_steps("plain", config.clone(), &[]);
    config.config.labels.insert(label.0.into(), label.1.into());
    place.put_steps("label", config, &[]);
    let text = place.done(&["plain", "label"]);
    let lines: Vec<&str> = text.lines().skip(2).collect();
    assert_eq!(lines, ["", "config:", "+ Labels.a files: 9 added : b c"]);
}

#[test]
fn databases_that_are_too_large_are_told() {
    let place = place();
    let module = format!("{{\"name\":\"a\",\"version\":\"1\"}}{}", " ".repeat(1 << 20));
    let path = "app/node_modules/a/package.json";
    put(&place, "none", &[], &[]);
    put(&place, "large", &[], &[("ADD", layer(1, &[(path, &module)]))]);
    let text = place.done(&["--only=packages", "none", "large"]);
    assert!(text.ends_with(&format!("? {path}: differs, and is not read\n")), "{text}");
}

#[test]
fn what_was_in_a_directory_of_another_type_is_shown() {
    let place = place();
    let one = layer(60, &[("lib", "->usr/lib"), ("d/a", "1"), ("d/e/b", "2"), ("g/h/i", "3")]);
    let two = layer(60, &[("lib/x", "12"), ("lib/y/z", "3"), ("d", "four"), ("g/h", "->i")]);
    put(&place, "one", &[], &[("ADD", one)]);
    put(&place, "two", &[], &[("ADD", two)]);
    let names = |old: &str, new: &str| {
        let text = place.done(&["--only", "files", "--depth=0", old, new]);
        let rows = text.lines().skip(5).map(|line| {
            let mut words = line.split_whitespace();
            let (letter, name) = (words.next().unwrap(), words.nth(1).unwrap());
            format!("{letter} {name}")
        });
        rows.collect::<Vec<_>>()
    };
    let expected = ["C d", "D d/a", "D d/e/", "C g/h", "D g/h/i", "C lib/", "A lib/x", "A lib/y/"];
    assert_eq!(names("one", "two"), expected);
    let expected = ["C d/", "A d/a", "A d/e/", "C g/h/", "A g/h/i", "C lib", "D lib/x", "D lib/y/"];
    assert_eq!(names("two", "one"), expected);
}
