//! `img-du` through its binary: what is counted, what is wasted, and by which step.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use common::oci::ImageConfig;
use common::tar::{Entry, Kind, Writer, Xattrs};
use common::time::Timestamp;
use layerutils_tests::place::Place;
use serde_json::{Value, json};

/// A layer of files: path, length, time in seconds; a length of `None` is a directory.
fn layer(members: &[(&str, Option<usize>, i64)]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (path, len, mtime) in members {
        let kind = if len.is_some() { Kind::File } else { Kind::Directory };
        let content = vec![b'x'; len.unwrap_or(0)];
        let entry = Entry {
            path: path.as_bytes().to_vec(),
            kind,
            mode: 0o644,
            uid: 0,
            gid: 0,
            mtime: Timestamp::from_seconds(*mtime),
            len_bytes: content.len() as u64,
            xattrs: Xattrs::new(),
        };
        writer.append(&entry, &*content).unwrap();
    }
    writer.finish().unwrap()
}

fn put(place: &Place, name: &str, steps: &[(&str, Vec<u8>)]) {
    let config = ImageConfig::scratch(&"linux/amd64".parse().unwrap());
    let steps: Vec<_> = steps.iter().map(|(by, layer)| (*by, Some(layer.as_slice()))).collect();
    place.put_steps(name, config, &steps);
}

fn steps() -> Vec<(&'static str, Vec<u8>)> {
    let base = layer(&[
        ("usr/lib/big", Some(100_000), 5),
        ("var/lib/apt/lists/a", Some(3000), 5),
        ("var/lib/apt/lists/b", Some(1000), 5),
        ("opt/x/1", Some(20_000), 5),
        ("opt/x/y/2", Some(10_000), 5),
        ("etc/conf", Some(500), 5),
    ]);
    vec![
        ("ADD root /", base),
        ("RUN chmod", layer(&[("usr/lib/big", Some(100_000), 5), ("etc/conf", Some(700), 6)])),
        ("RUN rm", layer(&[("opt/.wh.x", Some(0), 5), ("d/f", Some(10), 5), ("d/f", Some(20), 5)])),
    ]
}

fn place() -> Place {
    let place = Place::new(env!("CARGO_BIN_EXE_img-du"));
    put(&place, "app", &steps());
    place
}

fn report(place: &Place, args: &[&str]) -> Value {
    serde_json::from_str(&place.done(&[&["--json"], args].concat())).unwrap()
}

#[test]
fn waste_names_the_step_that_wrote_it_and_the_step_that_wasted_it() {
    let place = place();
    let report = report(&place, &["app"]);
    let wasted = |path: &str, how: &str, files: u64, len: u64, by: [u64; 2], steps: [&str; 2]| {
        json!({
            "path": path, "how": how, "files": files, "wasted_bytes": len,
            "written_by": by[0], "wasted_by": by[1],
            "written_by_step": steps[0], "wasted_by_step": steps[1],
        })
    };
    let expected = json!([
        wasted("usr/lib/big", "copied", 1, 100_000, [1, 2], ["ADD root /", "RUN chmod"]),
        wasted("opt/x", "deleted", 2, 30_000, [1, 3], ["ADD root /", "RUN rm"]),
        wasted("etc/conf", "replaced", 1, 500, [1, 2], ["ADD root /", "RUN chmod"]),
        wasted("d/f", "twice", 1, 10, [3, 3], ["RUN rm", "RUN rm"]),
    ]);
    assert_eq!(report["waste"], expected);
    assert_eq!(report["wasted_bytes"], 130_510);
    let of_layers: Vec<_> = report["layers"].as_array().unwrap().iter().collect();
    let wasted: Vec<_> = of_layers.iter().map(|layer| &layer["wasted_bytes"]).collect();
    assert_eq!(wasted, [130_500, 0, 10]);
    assert_eq!(of_layers[0]["files"], 6);
    assert_eq!(of_layers[2]["whiteouts"], 1);
}

#[test]
fn the_efficiency_is_dives() {
    let place = place();
    // By path: the least size and the sum of all. The deleted directory counts with what
    // was in it, and so do its files.
    let least = 100_000 + 3000 + 1000 + 20_000 + 10_000 + 500 + 20 + 30_000;
    let all = 200_000 + 3000 + 1000 + 20_000 + 10_000 + 500 + 700 + 20 + 30_000;
    let efficiency = report(&place, &["app"])["efficiency"].as_f64().unwrap();
    assert!((efficiency - f64::from(least) / f64::from(all)).abs() < 1e-9, "{efficiency}");
    put(&place, "clean", &steps()[..1]);
    assert_eq!(report(&place, &["clean"])["efficiency"], 1.0);
}

#[test]
fn a_hard_link_has_no_size_of_its_own_for_the_efficiency() {
    let place = place();
    let entry = |path: &str, kind: Kind, content: &[u8]| Entry {
        path: path.into(),
        kind,
        mode: 0o644,
        uid: 0,
        gid: 0,
        mtime: Timestamp::from_seconds(5),
        len_bytes: content.len() as u64,
        xattrs: Xattrs::new(),
    };
    let mut writer = Writer::new(Vec::new());
    writer.append(&entry("a", Kind::File, &[b'x'; 1000]), &[b'x'; 1000][..]).unwrap();
    for name in ["b", "d/c"] {
        writer.append(&entry(name, Kind::HardLink { target: "a".into() }, b""), &b""[..]).unwrap();
    }
    let base = writer.finish().unwrap();
    let again = layer(&[("a", Some(1000), 5), (".wh.d", Some(0), 5)]);
    put(&place, "links", &[("ADD links", base), ("RUN again", again)]);
    // The file is there twice, and its links have size 0, as has the deleted directory.
    assert_eq!(report(&place, &["links"])["efficiency"], 0.5);
}

#[test]
fn a_long_step_is_cut_where_rows_repeat_it() {
    let place = place();
    let long = format!("RUN {}", "x".repeat(100_000));
    let layers = [layer(&[("f", Some(1000), 5)]), layer(&[("f", Some(2000), 6)])];
    put(&place, "long", &[(&long, layers[0].clone()), (&long, layers[1].clone())]);
    let report = report(&place, &["long"]);
    let cut = report["waste"][0]["written_by_step"].as_str().unwrap();
    assert!(cut.starts_with("RUN xxx") && cut.ends_with("x…"), "{cut}");
    assert_eq!(cut.chars().count(), 500);
    assert_eq!(report["layers"][0]["created_by"], *long);
}

#[test]
fn options_for_one_image_are_refused_for_several() {
    let place = place();
    let refused = place.failed(&["--top=2", "app", "app"]).1;
    assert!(refused.starts_with("img-du: --top: several images"), "{refused}");
    let _ = place.done(&["--json", "--depth=2", "app", "app"]);
}

#[test]
fn directories_are_summed_down_to_a_depth() {
    let place = place();
    let sums = |args: &[&str]| {
        let text = place.done(&[&["-0"], args].concat());
        text.split_terminator('\0').map(str::to_owned).collect::<Vec<_>>()
    };
    let expected = ["104720\t/", "100000\tusr", "4000\tvar", "700\tetc", "20\td", "0\topt"];
    assert_eq!(sums(&["app"]), expected);
    assert_eq!(sums(&["--depth", "0", "app"]), ["104720\t/"]);
    let named = sums(&["--sort", "name", "-d2", "app"]);
    let expected = ["104720\t/", "20\td", "700\tetc", "0\topt", "100000\tusr", "100000\tusr/lib"];
    assert_eq!(named[..6], expected);
    assert_eq!(sums(&["--sort=files", "app"])[1], "2\tvar".replace('2', "4000"));
}

#[test]
fn limits_are_told_by_the_status() {
    let place = place();
    let status = |args: &[&str]| place.run(args, b"").status.code().unwrap();
    for (limit, expected) in
        [("130510", 0), ("130509", 1), ("128K", 0), ("127K", 1), ("56%", 0), ("55%", 1), ("0", 1)]
    {
        assert_eq!(status(&["--max-waste", limit, "app"]), expected, "{limit}");
    }
    assert_eq!(status(&["--min-efficiency", "62", "app"]), 0);
    assert_eq!(status(&["--min-efficiency", "63", "app"]), 1);
    assert_eq!(status(&["--max-waste", "0", "app", "nothing"]), 2);
}

#[test]
fn advice_says_what_it_would_save() {
    let place = place();
    let report = report(&place, &["app"]);
    let advice: Vec<_> = report["advice"].as_array().unwrap().iter().collect();
    let saves: Vec<_> = advice.iter().map(|it| it["saves_bytes"].as_u64()).collect();
    assert_eq!(saves, [Some(100_000), Some(30_000), Some(4000), Some(500)]);
    assert!(advice[2]["text"].as_str().unwrap().starts_with("/var/lib/apt/lists: "));
    let order = [
        ("COPY . /app # buildkit", layer(&[("app/x", Some(1), 1)])),
        ("RUN /bin/sh -c cd app && npm ci # buildkit", layer(&[("app/y", Some(1), 1)])),
    ];
    put(&place, "late", &order);
    let text = place.done(&["late"]);
    assert!(text.contains("layer 2: save time: layer 2 installs after layer 1"), "{text}");
}

#[test]
fn several_images_share_what_both_have() {
    let place = place();
    put(&place, "base", &steps()[..1]);
    let lines = place.done(&["--json", "base", "app"]);
    let reports: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let number = |at: usize, key: &str| reports[at][key].as_u64().unwrap();
    let layer = steps()[0].1.len() as u64;
    assert_eq!((number(0, "shared_bytes"), number(1, "shared_bytes")), (layer, layer));
    assert_eq!(number(0, "added_bytes"), number(0, "stored_bytes"));
    assert_eq!(number(1, "added_bytes"), number(1, "own_bytes"));
    assert_eq!(number(1, "own_bytes"), number(1, "stored_bytes") - layer);
    // One image under two names is shared with nobody.
    let twice = place.done(&["--json", "base", "base"]);
    let twice: Value = serde_json::from_str(twice.lines().nth(1).unwrap()).unwrap();
    assert_eq!((&twice["shared_bytes"], &twice["added_bytes"]), (&json!(0), &json!(0)));
    let table = place.done(&["base", "app"]);
    assert_eq!(table.lines().count(), 5, "{table}");
}

#[test]
fn tables_are_for_people() {
    let place = place();
    let text = place.done(&["app"]);
    let expected = "\
LAYER     STORED    UNPACKED   CONTENT   FILES     WHITEOUTS   WASTED    STEP
1         140kB     140kB      134kB     6         0           130kB     ADD root /
";
    assert!(text.starts_with(expected), "{text}");
    assert!(text.contains("\nwasted 131kB of 235kB (55.5%), efficiency 62.0%\n"), "{text}");
    let bytes = place.done(&["-b", "--top", "1", "app"]);
    assert!(bytes.contains("100000    1         copied    1            2           usr/lib/big\n"));
    assert!(bytes.contains("(3 rows not shown)\n"), "{bytes}");
    let refused = place.failed(&["nothing"]).1;
    assert!(refused.starts_with("img-du: nothing: no such image"), "{refused}");
}
