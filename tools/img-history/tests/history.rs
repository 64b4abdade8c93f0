//! `img-history` through its binary: tables as docker prints them.

#![allow(clippy::unwrap_used)]

use std::fs;

use common::digest::Digest;
use common::oci::{History, ImageConfig};
use layerutils_tests::place::{Place, layer_of};

/// Puts an image made of `steps` and their layers into the store.
fn put(
    place: &Place,
    name: &str,
    steps: &[(History, Option<&[u8]>)],
    base: Option<&Digest>,
) -> Digest {
    let mut config = ImageConfig::scratch(&"linux/amd64".parse().unwrap());
    config.history = steps.iter().map(|(entry, _)| entry.clone()).collect();
    let layers: Vec<&[u8]> = steps.iter().filter_map(|(_, layer)| *layer).collect();
    place.put(&[name], config, &layers, |manifest| {
        let base = base.map(|base| (common::image::BASE_DIGEST.to_owned(), base.to_string()));
        manifest.annotations.extend(base);
    })
}

fn step(created: &str, created_by: &str, comment: &str, empty_layer: bool) -> History {
    History {
        created: Some(created.into()),
        created_by: created_by.into(),
        comment: comment.into(),
        empty_layer,
        ..History::default()
    }
}

/// A base, and an image made from it.
fn example(place: &Place) -> (Digest, Digest) {
    let (one, two) = (layer_of(1_234_005), layer_of(4));
    let import = (step("2000-01-01T00:00:00Z", "", "Import\nit", false), Some(one.as_slice()));
    let base = put(place, "base", std::slice::from_ref(&import), None);
    let long = "/bin/sh -c #(nop) COPY file:bbf286434faa07dcdf5b2fd615a0437f959c3179a2cf3a6aff25c187bc0cdc23\tin /x ";
    let app = put(
        place,
        "app",
        &[
            import,
            (step("2001-02-03T04:05:06.789Z", long, "", false), Some(&two)),
            (step("2001-02-03T04:05:07+01:00", "CMD [\"x\"]", "", true), None),
        ],
        Some(&base),
    );
    (base, app)
}

#[test]
fn the_table_is_dockers() {
    let place = Place::new(env!("CARGO_BIN_EXE_img-history"));
    let (base, app) = example(&place);
    let years = |text: String| {
        let line = text.lines().find(|line| line.contains("years ago")).unwrap();
        let at = line.find(" years ago").unwrap();
        line[at - 2..at + 10].to_owned()
    };
    let age = years(place.done(&["app"]));
    let expected = format!(
        "IMAGE          CREATED        CREATED BY                                      SIZE      COMMENT\n\
         {}   {age}   CMD [\"x\"]                                       0B        \n\
         <missing>      {age}   /bin/sh -c #(nop) COPY file:bbf286434faa07dc…   4B        \n\
         {}   N/A                                                            1.23MB    Import it\n",
        app.short(),
        base.short(),
    );
    assert_eq!(place.done(&["app"]), expected);
    let expected = format!(
        "IMAGE                                                                     CREATED AT             \
         CREATED BY   SIZE      COMMENT\n\
         {base}   2000-01-01T00:00:00Z                1234005   Import it\n"
    );
    assert_eq!(place.done(&["--no-trunc", "-H=false", "base"]), expected);
}

#[test]
fn formats_are_dockers() {
    let place = Place::new(env!("CARGO_BIN_EXE_img-history"));
    let (base, app) = example(&place);
    assert_eq!(
        place.done(&["-q", "app"]),
        format!("{}\n<missing>\n{}\n", app.short(), base.short())
    );
    assert_eq!(place.done(&["--quiet", "--no-trunc", "base"]), format!("{base}\n"));
    assert_eq!(place.done(&["-q", "--format", "{{.Size}}", "base"]), "1.23MB\n");
    assert_eq!(
        place.done(&["--human=0", "--format", "json", "base"]),
        format!(
            "{{\"Comment\":\"Import\\nit\",\"CreatedAt\":\"2000-01-01T00:00:00Z\",\"CreatedBy\":\"\",\
             \"CreatedSince\":\"2000-01-01T00:00:00Z\",\"ID\":\"{}\",\"Size\":\"1234005\"}}\n",
            base.short()
        )
    );
    let table = place.done(&["--format", "table {{upper .ID}}\\t{{.CreatedAt}}", "base"]);
    let id = base.short().to_uppercase();
    assert_eq!(table, format!("IMAGE          CREATED AT\n{id}   2000-01-01T00:00:00Z\n"));
    let first = place.done(&["--json", "app"]).lines().nth(1).unwrap().to_owned();
    let object: serde_json::Value = serde_json::from_str(&first).unwrap();
    assert_eq!(object["layer"]["size_bytes"], 4);
    assert_eq!(object["layer"]["diff_id"], Digest::of(&layer_of(4)).to_string());
    assert_eq!(object["image"], serde_json::Value::Null);
}

#[test]
fn sizes_are_remembered_so_that_the_second_time_nothing_is_read() {
    let place = Place::new(env!("CARGO_BIN_EXE_img-history"));
    let (_, app) = example(&place);
    let first = place.done(&["app"]);
    let image = place.image(&app.to_string());
    for layer in &image.manifest.layers {
        fs::remove_file(place.store().blob_path(&layer.digest)).unwrap();
    }
    assert_eq!(place.done(&["app"]), first);
    fs::remove_dir_all(place.path("cache")).unwrap();
    assert!(
        place.failed(&["app"]).1.contains(" is missing"),
        "without the cache it has to be read"
    );
}

#[test]
fn a_bad_image_does_not_keep_the_others() {
    let place = Place::new(env!("CARGO_BIN_EXE_img-history"));
    example(&place);
    let output = place.run(&["base", "nope", "Bad Name", "app"], b"");
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.matches("IMAGE ").count(), 2);
    assert_eq!(text.matches("\n\n").count(), 1);
    let said = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("img-history: nope: no such image in "), "{said}");
    assert_eq!(lines[1], "img-history: hint: pull it first: img-copy docker://nope nope");
    assert!(lines[2].starts_with("img-history: not an image name: 'Bad Name': "), "{said}");
    assert_eq!(lines.len(), 3);
}

#[test]
fn layers_without_history_are_shown_and_history_without_layers_is_refused() {
    let place = Place::new(env!("CARGO_BIN_EXE_img-history"));
    let one = layer_of(7);
    put(&place, "mute", &[(History::default(), Some(&one))], None);
    assert_eq!(place.done(&["--format", "{{.CreatedSince}} {{.Size}}", "mute"]), "N/A 7B\n");
    put(&place, "many", &[(History::default(), Some(&one)), (History::default(), None)], None);
    let output = place.run(&["many"], b"");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, "img-history: many: the history has 2 layers, the image 1\n");
}

#[test]
fn a_damaged_layer_is_an_error_and_not_a_size() {
    let place = Place::new(env!("CARGO_BIN_EXE_img-history"));
    let one = layer_of(99);
    put(&place, "app", &[(History::default(), Some(&one))], None);
    let path = place.store().blob_path(&Digest::of(&one));
    let mut damaged = one.clone();
    damaged[600] = b'y';
    fs::write(path, damaged).unwrap();
    let output = place.run(&["app"], b"");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(output.stdout, b"");
    assert!(
        String::from_utf8(output.stderr).unwrap().contains("digest mismatch: expected sha256:")
    );
    assert_eq!(place.run(&["-q", "app"], b"").status.code(), Some(0), "IDs need no layers");
}

#[test]
fn bad_arguments_are_refused() {
    let place = Place::new(env!("CARGO_BIN_EXE_img-history"));
    for args in [
        &["--format", "{{.Nope}}", "x"][..],
        &["--format", "{{if .ID}}x{{end}}", "x"],
        &["--human=maybe", "x"],
        &["--json", "-q", "x"],
        &["--json", "--format", "json", "x"],
        &["--platform", "a/b/c/d", "x"],
        &["-", "-"],
        &["docker://x"],
    ] {
        let output = place.run(args, b"");
        assert_eq!(
            (output.status.code(), output.stdout.as_slice()),
            (Some(2), &b""[..]),
            "{args:?}"
        );
    }
}
