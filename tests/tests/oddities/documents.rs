//! Oddities of manifests, indexes and configs.

use std::fs;
use std::path::PathBuf;

use layerutils_tests::fixture::image::{self, Layer, blob};
use layerutils_tests::place::layer;
use layerutils_tests::sandbox::Sandbox;
use serde_json::{Value, json};

use crate::table::{Expected, Oddity, Read, Refuse, all, check};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// A layout being made, with the parts of one good image.
pub(crate) struct Making {
    pub(crate) dir: PathBuf,
    pub(crate) config: Value,
    pub(crate) manifest: Value,
}

pub(crate) fn plain() -> Vec<u8> {
    layer(&[("file", b"content")])
}

impl Making {
    pub(crate) fn new(sandbox: &Sandbox) -> Self {
        let dir = sandbox.path("odd");
        let layer = Layer::plain(plain());
        let mut config = image::config();
        config["rootfs"] = json!({ "type": "layers", "diff_ids": [layer.diff_id.to_string()] });
        config["history"] = json!([{ "created": "2024-02-03T04:05:06Z", "created_by": "a step" }]);
        let layers = json!([blob(&dir, LAYER, &layer.blob)]);
        let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "layers": layers });
        Self { dir, config, manifest }
    }

    pub(crate) fn blob(&self, media_type: &str, bytes: &[u8]) -> Value {
        blob(&self.dir, media_type, bytes)
    }

    pub(crate) fn document(&self, media_type: &str, document: &Value) -> Value {
        self.blob(media_type, &serde_json::to_vec(document).unwrap())
    }

    /// The manifest's descriptor, with the config unless the manifest has one.
    pub(crate) fn image(&mut self) -> Value {
        if self.manifest.get("config").is_none() {
            self.manifest["config"] = self.document(CONFIG, &self.config);
        }
        self.document(MANIFEST, &self.manifest)
    }

    pub(crate) fn file(&self, descriptor: &Value) -> PathBuf {
        let digest = descriptor["digest"].as_str().unwrap();
        self.dir.join("blobs").join(digest.replace(':', "/"))
    }

    /// Ends the layout, of these images.
    pub(crate) fn of(&self, images: &[Value]) -> String {
        self.index(&json!({ "schemaVersion": 2, "manifests": images }))
    }

    pub(crate) fn index(&self, index: &Value) -> String {
        fs::write(self.dir.join("index.json"), serde_json::to_vec(index).unwrap()).unwrap();
        fs::write(self.dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        "oci:odd".into()
    }
}

/// An image whose parts are changed before they are put together.
pub(crate) fn changed(sandbox: &Sandbox, change: impl FnOnce(&mut Making)) -> String {
    let mut making = Making::new(sandbox);
    change(&mut making);
    let image = making.image();
    making.of(&[image])
}

/// An image whose descriptor is changed.
fn described(sandbox: &Sandbox, change: impl FnOnce(&mut Value)) -> String {
    let mut making = Making::new(sandbox);
    let mut image = making.image();
    change(&mut image);
    making.of(&[image])
}

/// An image below so many indexes.
fn nested(sandbox: &Sandbox, depth: usize) -> String {
    let mut making = Making::new(sandbox);
    let mut image = making.image();
    for _ in 0..depth {
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [image] });
        image = making.document(INDEX, &index);
    }
    making.of(&[image])
}

/// A file of the layout with one bit changed.
fn flip(path: PathBuf) {
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn with_platforms(sandbox: &Sandbox, platforms: &[(&str, &str)]) -> String {
    let mut making = Making::new(sandbox);
    let mut images = Vec::new();
    for (os, architecture) in platforms {
        let mut image = making.image();
        image["platform"] = json!({ "os": os, "architecture": architecture });
        images.push(image);
        making.manifest["annotations"] = json!({ "number": images.len().to_string() });
    }
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": images });
    let index = making.document(INDEX, &index);
    making.of(&[index])
}

/// The architecture of this machine.
fn host() -> String {
    image::config()["architecture"].as_str().unwrap().to_owned()
}

const TABLE: &[Oddity] = &[
    Oddity { name: "nothing odd", make: |s| changed(s, |_| {}), expected: all(Read) },
    Oddity {
        name: "no history",
        make: |s| changed(s, |m| drop(m.config.as_object_mut().unwrap().remove("history"))),
        expected: all(Read),
    },
    Oddity {
        name: "a history of null, and null in place of what is empty",
        make: |s| {
            changed(s, |m| {
                m.config["history"] = Value::Null;
                m.config["config"] = json!({ "Env": null, "Labels": null, "Volumes": null });
                m.manifest["annotations"] = Value::Null;
            })
        },
        expected: all(Read),
    },
    Oddity {
        name: "empty layers only",
        make: |s| {
            changed(s, |m| {
                m.config["history"] = json!([{ "created_by": "ENV A=1", "empty_layer": true }]);
                m.config["rootfs"]["diff_ids"] = Value::Null;
                m.manifest["layers"] = Value::Null;
            })
        },
        expected: all(Read),
    },
    Oddity {
        name: "a history of more layers than there are",
        make: |s| {
            changed(s, |m| {
                m.config["history"] = json!([{ "created_by": "a" }, { "created_by": "b" }])
            })
        },
        expected: Expected {
            inspect: Read,
            history: Refuse("the history has 2 layers, the image 1"),
            copy: Read,
            apply: Read,
        },
    },
    Oddity {
        name: "a history of fewer layers than there are",
        make: |s| {
            changed(s, |m| {
                m.config["history"] = json!([{ "created_by": "a", "empty_layer": true }])
            })
        },
        expected: all(Read),
    },
    Oddity {
        name: "unknown fields everywhere",
        make: |s| {
            changed(s, |m| {
                m.config["new"] = json!([1, { "a": null }]);
                m.manifest["new"] = json!({});
                m.manifest["artifactType"] = json!("application/x");
                m.manifest["subject"] = m.manifest["layers"][0].clone();
            })
        },
        expected: all(Read),
    },
    Oddity {
        name: "a missing config",
        make: |s| {
            let mut making = Making::new(s);
            let image = making.image();
            fs::remove_file(making.file(&making.manifest["config"])).unwrap();
            making.of(&[image])
        },
        expected: all(Refuse("is missing")),
    },
    Oddity {
        name: "a missing manifest",
        make: |s| {
            let mut making = Making::new(s);
            let image = making.image();
            fs::remove_file(making.file(&image)).unwrap();
            making.of(&[image])
        },
        expected: all(Refuse("is missing")),
    },
    Oddity {
        name: "a manifest of another digest",
        make: |s| {
            let mut making = Making::new(s);
            let image = making.image();
            flip(making.file(&image));
            making.of(&[image])
        },
        expected: all(Refuse("digest mismatch: expected sha256:")),
    },
    Oddity {
        name: "a config of another digest",
        make: |s| {
            let mut making = Making::new(s);
            let image = making.image();
            flip(making.file(&making.manifest["config"]));
            making.of(&[image])
        },
        expected: all(Refuse("digest mismatch: expected sha256:")),
    },
    Oddity {
        name: "a wrong size of a manifest",
        make: |s| described(s, |image| image["size"] = json!(1)),
        expected: all(Refuse("size mismatch: expected 1 byte, got ")),
    },
    Oddity {
        name: "a size beyond all disks",
        make: |s| described(s, |image| image["size"] = json!(u64::MAX)),
        expected: all(Refuse("size mismatch: expected 18446744073709551615 bytes")),
    },
    Oddity {
        name: "a negative size",
        make: |s| described(s, |image| image["size"] = json!(-1)),
        expected: all(Refuse("index.json: not a valid index")),
    },
    Oddity {
        name: "a digest that is a path",
        make: |s| described(s, |image| image["digest"] = json!("sha256:../../../../etc/passwd")),
        expected: all(Refuse("index.json: not a valid index")),
    },
    Oddity {
        name: "a digest in upper case",
        make: |s| {
            described(s, |image| {
                let digest = image["digest"].as_str().unwrap().to_uppercase();
                image["digest"] = json!(digest.replace("SHA", "sha"));
            })
        },
        expected: all(Refuse("index.json: not a valid index")),
    },
    Oddity {
        name: "a digest of an unknown algorithm",
        make: |s| {
            described(s, |image| image["digest"] = json!("md5:d41d8cd98f00b204e9800998ecf8427e"))
        },
        expected: all(Refuse("holds no image with a sha256 or sha512 digest")),
    },
    Oddity {
        name: "a config's digest that is none",
        make: |s| {
            changed(s, |m| {
                m.manifest["config"] =
                    json!({ "mediaType": CONFIG, "digest": "sha256:x", "size": 2 });
            })
        },
        expected: all(Refuse("not a valid manifest")),
    },
    Oddity {
        name: "a DiffID that is none",
        make: |s| changed(s, |m| m.config["rootfs"]["diff_ids"] = json!(["x"])),
        expected: all(Refuse("not a valid image config")),
    },
    Oddity {
        name: "no media type in the index",
        make: |s| described(s, |image| drop(image.as_object_mut().unwrap().remove("mediaType"))),
        expected: all(Read),
    },
    Oddity {
        name: "no media type in the manifest",
        make: |s| changed(s, |m| drop(m.manifest.as_object_mut().unwrap().remove("mediaType"))),
        expected: all(Read),
    },
    Oddity {
        name: "a manifest where an index is promised",
        make: |s| described(s, |image| image["mediaType"] = json!(INDEX)),
        expected: all(Refuse("ambiguous document: media type is ")),
    },
    Oddity {
        name: "a manifest that says it is docker's",
        make: |s| {
            changed(s, |m| {
                m.manifest["mediaType"] =
                    json!("application/vnd.docker.distribution.manifest.v2+json");
            })
        },
        expected: all(Refuse("ambiguous document: media type is ")),
    },
    Oddity {
        name: "a manifest that is an index too",
        make: |s| changed(s, |m| m.manifest["manifests"] = json!([])),
        expected: all(Refuse("ambiguous document: a manifest with the fields of an index")),
    },
    Oddity {
        name: "fields that differ in case",
        make: |s| changed(s, |m| m.manifest["Layers"] = json!([])),
        expected: all(Refuse("differs from a known one in case only")),
    },
    Oddity {
        name: "one field twice",
        make: |s| {
            let mut making = Making::new(s);
            making.image();
            let text = serde_json::to_string(&making.manifest).unwrap();
            let twice = text.replacen('{', r#"{"layers":[],"#, 1);
            let image = making.blob(MANIFEST, twice.as_bytes());
            making.of(&[image])
        },
        expected: all(Refuse("duplicate field `layers`")),
    },
    Oddity {
        name: "docker's schema 2",
        make: |s| {
            let docker = "application/vnd.docker";
            let mut making = Making::new(s);
            let layer = &making.manifest["layers"][0];
            let mut layer = layer.clone();
            layer["mediaType"] = json!(format!("{docker}.image.rootfs.diff.tar"));
            let config = format!("{docker}.container.image.v1+json");
            let manifest = format!("{docker}.distribution.manifest.v2+json");
            let document = json!({ "schemaVersion": 2, "mediaType": manifest, "layers": [layer],
                "config": making.document(&config, &making.config) });
            let image = making.document(&manifest, &document);
            making.manifest = document;
            making.of(&[image])
        },
        expected: all(Read),
    },
    Oddity {
        name: "docker's schema 1",
        make: |s| {
            let making = Making::new(s);
            let media_type = "application/vnd.docker.distribution.manifest.v1+prettyjws";
            let document =
                json!({ "schemaVersion": 1, "name": "x", "fsLayers": [], "history": [] });
            let image = making.document(media_type, &document);
            making.of(&[image])
        },
        expected: all(Refuse("schema version 1 is not supported, only 2")),
    },
    Oddity {
        name: "an artifact",
        make: |s| {
            changed(s, |m| {
                m.manifest["config"] = m.blob("application/vnd.cncf.helm.config.v1+json", b"{}");
            })
        },
        // It can be copied, as whatever it is.
        expected: Expected {
            copy: Read,
            ..all(Refuse("an artifact, not an image: its config is 'application/vnd.cncf.helm"))
        },
    },
    Oddity {
        name: "a manifest that is no JSON",
        make: |s| {
            let making = Making::new(s);
            let image = making.blob(MANIFEST, b"\xff\xfe");
            making.of(&[image])
        },
        expected: all(Refuse("not a valid manifest or index")),
    },
    Oddity {
        name: "a config that is an array",
        make: |s| changed(s, |m| m.config = json!([])),
        expected: all(Refuse("not a valid image config")),
    },
    Oddity {
        name: "a config deeper than any",
        make: |s| {
            changed(s, |m| {
                let text = format!("{{\"x\":{}", "[".repeat(1 << 20));
                m.manifest["config"] = m.blob(CONFIG, text.as_bytes());
            })
        },
        expected: all(Refuse("not a valid image config")),
    },
    Oddity {
        name: "a config longer than any",
        make: |s| changed(s, |m| m.config["author"] = json!("x".repeat(5 << 20))),
        expected: all(Refuse("longer than 4194304 bytes")),
    },
    Oddity { name: "an index in an index", make: |s| nested(s, 2), expected: all(Read) },
    Oddity {
        name: "indexes without end",
        make: |s| nested(s, 9),
        expected: all(Refuse("indexes are nested too deeply")),
    },
    Oddity {
        name: "attestations beside the image, as BuildKit makes them",
        make: |s| with_platforms(s, &[("linux", &host()), ("unknown", "unknown")]),
        expected: all(Read),
    },
    Oddity {
        name: "attestations of an image that is not there",
        make: |s| with_platforms(s, &[("unknown", "unknown")]),
        expected: Expected { copy: Read, ..all(Refuse("no image for platform ")) },
    },
    Oddity {
        name: "other platforms only",
        make: |s| with_platforms(s, &[("windows", "amd64"), ("plan9", "mips")]),
        expected: Expected { copy: Read, ..all(Refuse("there is windows/amd64, plan9/mips")) },
    },
    Oddity {
        name: "an index of nothing",
        make: |s| with_platforms(s, &[]),
        expected: Expected { copy: Read, ..all(Refuse("no image for platform ")) },
    },
    Oddity {
        name: "a layout of nothing",
        make: |s| Making::new(s).of(&[]),
        expected: all(Refuse("holds no image")),
    },
    Oddity {
        name: "two images, and none was named",
        make: |s| {
            let mut making = Making::new(s);
            let one = making.image();
            making.manifest["annotations"] = json!({ "a": "b" });
            let two = making.image();
            making.of(&[one, two])
        },
        expected: all(Refuse("holds 2 images, and none was named")),
    },
    Oddity {
        name: "an index.json that is a manifest",
        make: |s| {
            let mut making = Making::new(s);
            making.image();
            making.index(&making.manifest)
        },
        expected: all(Refuse("ambiguous document: ")),
    },
    Oddity {
        name: "an index.json that is a pipe",
        make: |s| {
            let reference = changed(s, |_| {});
            let _ = s.sh("rm odd/index.json && mkfifo odd/index.json").succeeds();
            reference
        },
        expected: all(Refuse("not a regular file")),
    },
    Oddity {
        name: "a layout of a later version",
        make: |s| {
            let reference = changed(s, |_| {});
            fs::write(s.path("odd/oci-layout"), r#"{"imageLayoutVersion":"2.0.0"}"#).unwrap();
            reference
        },
        expected: all(Refuse("image layout version '2.0.0' is not supported")),
    },
    Oddity {
        name: "a folder that is no layout",
        make: |s| {
            fs::create_dir(s.path("odd")).unwrap();
            "oci:odd".into()
        },
        expected: all(Refuse("not an OCI image layout")),
    },
];

#[test]
fn odd_documents_are_read_or_refused_with_one_line() {
    check(TABLE);
}
