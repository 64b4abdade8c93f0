//! Archives laid out as other writers lay them out: each is read as its writer meant.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::io::Write as _;

use common::compression::{Encoder, Format};
use common::digest::{DiffId, Digest};
use common::image::Image;
use common::oci::ImageConfig;
use common::tar::{Entry, Kind, Writer, Xattrs};
use common::time::Timestamp;
use layerutils_tests::place::layer;
use serde_json::{Value, json};

use support::place;

/// A member of an archive: its name, and its content or where it links to.
type Member = (String, Content);

#[derive(Clone)]
enum Content {
    File(Vec<u8>),
    Link(Kind),
}

/// The image that all writers are given.
struct Parts {
    config: Vec<u8>,
    layers: [Vec<u8>; 2],
    gzipped: [Vec<u8>; 2],
}

impl Parts {
    fn new() -> Self {
        let layers = [layer(&[("a", b"one")]), layer(&[("b", b"two")])];
        let gzipped = layers.clone().map(|layer| {
            let mut encoder = Encoder::new(Vec::new(), Format::Gzip, None).unwrap();
            encoder.write_all(&layer).unwrap();
            encoder.finish().unwrap()
        });
        let mut config = ImageConfig::scratch(&"linux/amd64".parse().unwrap());
        config.rootfs.diff_ids = layers.iter().map(|layer| DiffId(Digest::of(layer))).collect();
        Self { config: config.to_bytes().unwrap(), layers, gzipped }
    }
}

fn file(name: impl Into<String>, bytes: &[u8]) -> Member {
    (name.into(), Content::File(bytes.to_vec()))
}

fn list(config: &str, tags: &Value, layers: &[String]) -> Member {
    let list = json!([{"Config": config, "RepoTags": tags, "Layers": layers}]);
    file("manifest.json", list.to_string().as_bytes())
}

fn archive(members: &[Member]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (name, content) in members {
        let (kind, bytes) = match content {
            Content::File(bytes) => (Kind::File, bytes.as_slice()),
            Content::Link(kind) => (kind.clone(), &b""[..]),
        };
        let entry = Entry {
            path: name.clone().into_bytes(),
            kind,
            mode: 0o644,
            uid: 0,
            gid: 0,
            mtime: Timestamp::EPOCH,
            len_bytes: bytes.len() as u64,
            xattrs: Xattrs::new(),
        };
        writer.append(&entry, bytes).unwrap();
    }
    writer.finish().unwrap()
}

/// Layers named by their digests: go-containerregistry (crane, kaniko, ko, apko), and Jib,
/// whose config is called otherwise.
fn by_digest(parts: &Parts, config: &str, tags: &Value) -> Vec<Member> {
    let name = |bytes: &Vec<u8>| format!("{}.tar.gz", Digest::of(bytes).hex());
    let names: Vec<String> = parts.gzipped.iter().map(name).collect();
    let mut members = vec![file(config, &parts.config)];
    members.extend(parts.gzipped.iter().map(|bytes| file(name(bytes), bytes)));
    members.push(list(config, tags, &names));
    members
}

/// A directory for each layer: docker before version 25, rules_docker, Nix.
fn by_directory(parts: &Parts, prefix: &str) -> Vec<Member> {
    let config = format!("{}.json", Digest::of(&parts.config).hex());
    let mut members = Vec::new();
    for (id, layer) in ["x", "y"].iter().zip(&parts.layers) {
        members.push(file(format!("{prefix}{id}/VERSION"), b"1.0"));
        members.push(file(format!("{prefix}{id}/json"), b"{}"));
        members.push(file(format!("{prefix}{id}/layer.tar"), layer));
    }
    members.push(file(format!("{prefix}{config}"), &parts.config));
    let layers = ["x/layer.tar".to_owned(), "y/layer.tar".to_owned()];
    let (_, content) = list(&config, &json!(["app:1"]), &layers);
    members.push((format!("{prefix}manifest.json"), content));
    members.push(file(format!("{prefix}repositories"), br#"{"app":{"1":"y"}}"#));
    members
}

fn checked(image: &Image, parts: &Parts, form: &str) {
    assert_eq!(image.config_bytes, parts.config, "{form}");
    for (at, layer) in image.layers().enumerate() {
        let mut stored = Vec::new();
        let mut reader = image.verified_layer(&layer).unwrap();
        std::io::Read::read_to_end(&mut reader, &mut stored).unwrap();
        assert!(stored == parts.layers[at] || stored == parts.gzipped[at], "{form}: layer {at}");
    }
}

#[test]
fn docker_archives_of_other_writers_are_read() {
    let (place, parts) = (place(), Parts::new());
    let tag = json!(["app:1"]);
    let id = Digest::of(&parts.config).to_string();
    let with = |mut members: Vec<Member>, more: Member| {
        members.push(more);
        members
    };
    let reversed = |mut members: Vec<Member>| {
        members.reverse();
        members
    };
    // As podman and skopeo write it: the directories of old readers link to the layers.
    let podman: Vec<Member> = by_directory(&parts, "")
        .into_iter()
        .flat_map(|(name, content)| match name.strip_suffix("/layer.tar") {
            Some(id) => {
                let target = format!("../{id}.tar").into_bytes();
                vec![
                    (name.clone(), Content::Link(Kind::Symlink { target })),
                    (format!("{id}.tar"), content),
                ]
            }
            None => vec![(name, content)],
        })
        .collect();
    let hard = vec![
        file("x/layer.tar", &parts.layers[0]),
        file("first", &parts.layers[1]),
        ("y/layer.tar".into(), Content::Link(Kind::HardLink { target: b"first".to_vec() })),
        file("c.json", &parts.config),
        list("c.json", &tag, &["x/layer.tar".into(), "y/layer.tar".into()]),
    ];
    let old_jib = json!([{
        "config": "config.json",
        "repoTags": ["app:1"],
        "layers": parts.gzipped.clone().map(|bytes| format!("{}.tar.gz", Digest::of(&bytes).hex())),
    }]);
    let mut lower_case = by_digest(&parts, "config.json", &tag);
    *lower_case.last_mut().unwrap() = file("manifest.json", old_jib.to_string().as_bytes());
    let sources = file("unknown", b"x");
    for (form, members, is_named) in [
        ("Jib", by_digest(&parts, "config.json", &tag), true),
        ("old Jib", lower_case, true),
        ("kaniko", by_digest(&parts, &id, &tag), true),
        ("ko", by_digest(&parts, &id, &Value::Null), false),
        ("no tags", by_digest(&parts, &id, &json!([])), false),
        ("another member", with(by_digest(&parts, &id, &tag), sources), true),
        ("docker", by_directory(&parts, ""), true),
        ("rules_docker", by_directory(&parts, "./"), true),
        ("list first", reversed(by_directory(&parts, "")), true),
        ("podman", podman.clone(), true),
        ("link first", reversed(podman), true),
        ("hard links", hard, true),
    ] {
        fs::write(place.path("form.tar"), archive(&members)).unwrap();
        checked(&place.image("docker-archive:form.tar"), &parts, form);
        let store = format!("--store={form}");
        let printed = place.done(&[&store, "docker-archive:form.tar", "store:"]);
        let piped = place.run(&[&store, "-", "store:"], &archive(&members));
        assert_eq!(String::from_utf8(piped.stdout).unwrap(), printed, "{form}");
        let store = common::store::Store::open(&place.path(form)).unwrap();
        let names: Vec<_> = store.images().unwrap();
        let named = names.iter().any(|image| image.ref_name() == Some("app:1"));
        assert_eq!((names.len(), named), (1, is_named), "{form}");
    }
}

#[test]
fn layouts_of_other_writers_are_read_from_archives() {
    let (place, parts) = (place(), Parts::new());
    let describe = |media_type: &str, bytes: &[u8]| json!({"mediaType": media_type, "digest": Digest::of(bytes), "size": bytes.len()});
    let layers = parts.gzipped.clone();
    let layers = layers.map(|bytes| describe(common::oci::media_type::LAYER_GZIP, &bytes));
    let manifest = json!({
        "schemaVersion": 2,
        "config": describe(common::oci::media_type::CONFIG, &parts.config),
        "layers": layers,
    });
    let manifest = manifest.to_string().into_bytes();
    let index = json!({
        "schemaVersion": 2,
        "manifests": [describe(common::oci::media_type::MANIFEST, &manifest)],
    });
    let members = |prefix: &str| {
        let blob = |bytes: &Vec<u8>| {
            file(format!("{prefix}blobs/sha256/{}", Digest::of(bytes).hex()), bytes)
        };
        let mut members: Vec<Member> = parts.gzipped.iter().map(blob).collect();
        members.extend([blob(&manifest), blob(&parts.config)]);
        members.push(file(format!("{prefix}index.json"), index.to_string().as_bytes()));
        members
    };
    let mark = |prefix: &str| file(format!("{prefix}oci-layout"), common::oci::LAYOUT);
    let marked = |prefix: &str| [vec![mark(prefix)], members(prefix)].concat();
    for (form, members) in
        [("plain", marked("")), ("prefix", marked("./")), ("without its mark", members(""))]
    {
        fs::write(place.path("form.tar"), archive(&members)).unwrap();
        checked(&place.image("oci-archive:form.tar"), &parts, form);
        let printed = place.done(&["oci-archive:form.tar", "app"]);
        let piped = place.run(&["-", "app"], &archive(&members));
        let said = String::from_utf8_lossy(&piped.stderr).into_owned();
        assert_eq!((String::from_utf8(piped.stdout).unwrap(), said), (printed, String::new()));
    }
}
