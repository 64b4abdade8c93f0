//! `img-history` through its binary: tables as docker prints them.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use common::digest::{DiffId, Digest};
use common::oci::{Descriptor, History, ImageConfig, Manifest, media_type};
use common::store::Store;
use common::tar::{Entry, Kind, Writer, Xattrs};
use common::time::Timestamp;

struct Place {
    folder: tempfile::TempDir,
    store: Store,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(&folder.path().join("store")).unwrap();
        Self { folder, store }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, args: &[&str], input: Stdio) -> Output {
        Command::new(env!("CARGO_BIN_EXE_img-history"))
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("LAYERUTILS_STORE", self.store.path())
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("TZ", "UTC")
            .stdin(input)
            .output()
            .unwrap()
    }

    fn show(&self, args: &[&str]) -> String {
        let output = self.run(args, Stdio::null());
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Puts an image made of `steps` and their layers into the store.
    fn image(
        &self,
        name: &str,
        steps: &[(History, Option<&[u8]>)],
        base: Option<&Digest>,
    ) -> Digest {
        let put = |media_type: &str, bytes: &[u8]| {
            let (digest, len_bytes) = self.store.put(bytes).unwrap();
            Descriptor::new(media_type, digest, len_bytes)
        };
        let mut config = ImageConfig::scratch(&"linux/amd64".parse().unwrap());
        let mut layers = Vec::new();
        for (entry, layer) in steps {
            config.history.push(entry.clone());
            if let Some(layer) = layer {
                config.rootfs.diff_ids.push(DiffId(Digest::of(layer)));
                layers.push(put(media_type::LAYER, layer));
            }
        }
        let config = put(media_type::CONFIG, &config.to_bytes().unwrap());
        let mut manifest = Manifest::new(config, layers);
        if let Some(base) = base {
            manifest
                .annotations
                .insert("org.opencontainers.image.base.digest".into(), base.to_string());
        }
        let image = put(media_type::MANIFEST, &manifest.to_bytes().unwrap());
        self.store.tag(&[name.parse().unwrap()], &image).unwrap();
        image.digest
    }
}

fn layer(len: usize) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    let entry = Entry {
        path: b"file".to_vec(),
        kind: Kind::File,
        mode: 0o644,
        uid: 0,
        gid: 0,
        mtime: Timestamp::EPOCH,
        len_bytes: len as u64,
        xattrs: Xattrs::new(),
    };
    writer.append(&entry, vec![b'x'; len].as_slice()).unwrap();
    writer.finish().unwrap()
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
    let (one, two) = (layer(1_234_005), layer(4));
    let import = (step("2000-01-01T00:00:00Z", "", "Import\nit", false), Some(one.as_slice()));
    let base = place.image("base", std::slice::from_ref(&import), None);
    let long = "/bin/sh -c #(nop) COPY file:bbf286434faa07dcdf5b2fd615a0437f959c3179a2cf3a6aff25c187bc0cdc23\tin /x ";
    let app = place.image(
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
    let place = Place::new();
    let (base, app) = example(&place);
    let years = |text: String| {
        let line = text.lines().find(|line| line.contains("years ago")).unwrap();
        let at = line.find(" years ago").unwrap();
        line[at - 2..at + 10].to_owned()
    };
    let age = years(place.show(&["app"]));
    let expected = format!(
        "IMAGE          CREATED        CREATED BY                                      SIZE      COMMENT\n\
         {}   {age}   CMD [\"x\"]                                       0B        \n\
         <missing>      {age}   /bin/sh -c #(nop) COPY file:bbf286434faa07dc…   4B        \n\
         {}   N/A                                                            1.23MB    Import it\n",
        app.short(),
        base.short(),
    );
    assert_eq!(place.show(&["app"]), expected);
    let expected = format!(
        "IMAGE                                                                     CREATED AT             \
         CREATED BY   SIZE      COMMENT\n\
         {base}   2000-01-01T00:00:00Z                1234005   Import it\n"
    );
    assert_eq!(place.show(&["--no-trunc", "-H=false", "base"]), expected);
}

#[test]
fn formats_are_dockers() {
    let place = Place::new();
    let (base, app) = example(&place);
    assert_eq!(
        place.show(&["-q", "app"]),
        format!("{}\n<missing>\n{}\n", app.short(), base.short())
    );
    assert_eq!(place.show(&["--quiet", "--no-trunc", "base"]), format!("{base}\n"));
    assert_eq!(place.show(&["-q", "--format", "{{.Size}}", "base"]), "1.23MB\n");
    assert_eq!(
        place.show(&["--human=0", "--format", "json", "base"]),
        format!(
            "{{\"Comment\":\"Import\\nit\",\"CreatedAt\":\"2000-01-01T00:00:00Z\",\"CreatedBy\":\"\",\
             \"CreatedSince\":\"2000-01-01T00:00:00Z\",\"ID\":\"{}\",\"Size\":\"1234005\"}}\n",
            base.short()
        )
    );
    let table = place.show(&["--format", "table {{upper .ID}}\\t{{.CreatedAt}}", "base"]);
    let id = base.short().to_uppercase();
    assert_eq!(table, format!("IMAGE          CREATED AT\n{id}   2000-01-01T00:00:00Z\n"));
    let first = place.show(&["--json", "app"]).lines().nth(1).unwrap().to_owned();
    let object: serde_json::Value = serde_json::from_str(&first).unwrap();
    assert_eq!(object["layer"]["size_bytes"], 4);
    assert_eq!(object["layer"]["diff_id"], Digest::of(&layer(4)).to_string());
    assert_eq!(object["image"], serde_json::Value::Null);
}

#[test]
fn a_bad_image_does_not_keep_the_others() {
    let place = Place::new();
    example(&place);
    let output = place.run(&["base", "nope", "Bad Name", "app"], Stdio::null());
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.matches("IMAGE ").count(), 2);
    assert_eq!(text.matches("\n\n").count(), 1);
    let said = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("img-history: nope: no such image in "), "{said}");
    assert!(lines[1].starts_with("img-history: not an image name: 'Bad Name': "), "{said}");
    assert_eq!(lines.len(), 2);
}

#[test]
fn layers_without_history_are_shown_and_history_without_layers_is_refused() {
    let place = Place::new();
    let one = layer(7);
    place.image("mute", &[(History::default(), Some(&one))], None);
    assert_eq!(place.show(&["--format", "{{.CreatedSince}} {{.Size}}", "mute"]), "N/A 7B\n");
    place.image("many", &[(History::default(), Some(&one)), (History::default(), None)], None);
    let output = place.run(&["many"], Stdio::null());
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, "img-history: many: the history has 2 layers, the image 1\n");
}

#[test]
fn a_damaged_layer_is_an_error_and_not_a_size() {
    let place = Place::new();
    let one = layer(99);
    place.image("app", &[(History::default(), Some(&one))], None);
    let path = place.store.blob_path(&Digest::of(&one));
    let mut damaged = one.clone();
    damaged[600] = b'y';
    fs::write(path, damaged).unwrap();
    let output = place.run(&["app"], Stdio::null());
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(output.stdout, b"");
    assert!(
        String::from_utf8(output.stderr).unwrap().contains("digest mismatch: expected sha256:")
    );
    assert_eq!(
        place.run(&["-q", "app"], Stdio::null()).status.code(),
        Some(0),
        "IDs need no layers"
    );
}

#[test]
fn bad_arguments_are_refused() {
    let place = Place::new();
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
        let output = place.run(args, Stdio::null());
        assert_eq!(
            (output.status.code(), output.stdout.as_slice()),
            (Some(2), &b""[..]),
            "{args:?}"
        );
    }
}
