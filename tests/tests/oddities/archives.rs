//! Oddities of archives: names, links, order, what of two forms is there.

use std::fs;

use common::digest::{Algorithm, Digest, Hasher};
use layerutils_tests::place::layer;
use layerutils_tests::sandbox::Sandbox;
use serde_json::{Value, json};

use crate::documents::{Making, plain};
use crate::table::{Oddity, Read, Refuse, all, check};

/// A member of an archive.
enum Member {
    File(Vec<u8>, Vec<u8>),
    Link(&'static str, &'static str),
}

use Member::{File, Link};

fn file(name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Member {
    File(name.as_ref().to_vec(), content.as_ref().to_vec())
}

/// Writes `odd.tar` by hand: no library takes all these names.
fn archive(sandbox: &Sandbox, members: &[Member]) {
    let mut bytes = Vec::new();
    for member in members {
        let mut header = [0_u8; 512];
        let (name, kind, link, content): (&[u8], u8, &str, &[u8]) = match member {
            File(name, content) => (name, b'0', "", content),
            Link(name, target) => (name.as_bytes(), b'2', target, b""),
        };
        header[..name.len()].copy_from_slice(name);
        header[100..108].copy_from_slice(b"0000644\0");
        header[108..116].copy_from_slice(b"0000000\0");
        header[116..124].copy_from_slice(b"0000000\0");
        header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
        header[136..148].copy_from_slice(b"00000000000\0");
        header[148..156].copy_from_slice(b"        ");
        header[156] = kind;
        header[157..157 + link.len()].copy_from_slice(link.as_bytes());
        header[257..265].copy_from_slice(b"ustar\x0000");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        bytes.extend(header);
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    sandbox.write("odd.tar", bytes);
}

fn config(layers: &[&[u8]]) -> Vec<u8> {
    let diff_ids: Vec<String> = layers.iter().map(|layer| Digest::of(layer).to_string()).collect();
    let history: Vec<Value> = layers.iter().map(|_| json!({ "created_by": "x" })).collect();
    let config = json!({ "architecture": "amd64", "os": "linux", "config": {}, "history": history,
        "rootfs": { "type": "layers", "diff_ids": diff_ids } });
    serde_json::to_vec(&config).unwrap()
}

fn list(config: &str, tags: Value, layers: &[&str]) -> Vec<u8> {
    serde_json::to_vec(&json!([{ "Config": config, "RepoTags": tags, "Layers": layers }])).unwrap()
}

/// As `docker save` before version 25 has it, changed.
fn docker(sandbox: &Sandbox, change: impl FnOnce(&mut Vec<Member>)) -> String {
    let mut members = vec![
        file("c.json", config(&[&plain()])),
        file("1/VERSION", "1.0"),
        file("1/json", "{}"),
        file("1/layer.tar", plain()),
        file("manifest.json", list("c.json", json!(["app:1"]), &["1/layer.tar"])),
        file("repositories", r#"{"app":{"1":"1"}}"#),
    ];
    change(&mut members);
    archive(sandbox, &members);
    "docker-archive:odd.tar".into()
}

/// A layout as an archive.
fn layout(sandbox: &Sandbox, change: impl FnOnce(&mut Vec<Member>)) -> String {
    let mut making = Making::new(sandbox);
    let image = making.image();
    making.of(&[image]);
    let mut members = Vec::new();
    for name in ["oci-layout", "index.json"] {
        members.push(file(name, fs::read(making.dir.join(name)).unwrap()));
    }
    for entry in fs::read_dir(making.dir.join("blobs/sha256")).unwrap() {
        let entry = entry.unwrap();
        let name = format!("blobs/sha256/{}", entry.file_name().into_string().unwrap());
        members.push(file(name, fs::read(entry.path()).unwrap()));
    }
    change(&mut members);
    archive(sandbox, &members);
    "oci-archive:odd.tar".into()
}

/// A layout whose blobs all have names of SHA-512.
fn sha512(sandbox: &Sandbox) -> String {
    let folder = sandbox.path("odd/blobs/sha512");
    fs::create_dir_all(&folder).unwrap();
    let add = |media_type: &str, bytes: &[u8]| {
        let mut hasher = Hasher::new(Algorithm::Sha512);
        hasher.update(bytes);
        let digest = hasher.finish();
        fs::write(folder.join(digest.hex()), bytes).unwrap();
        json!({ "mediaType": media_type, "digest": digest.to_string(), "size": bytes.len() })
    };
    let layer = add("application/vnd.oci.image.layer.v1.tar", &plain());
    let config = add("application/vnd.oci.image.config.v1+json", &config(&[&plain()]));
    let manifest = json!({ "schemaVersion": 2, "config": config, "layers": [layer] });
    let manifest = serde_json::to_vec(&manifest).unwrap();
    let image = add("application/vnd.oci.image.manifest.v1+json", &manifest);
    let index = json!({ "schemaVersion": 2, "manifests": [image] });
    fs::write(sandbox.path("odd/index.json"), serde_json::to_vec(&index).unwrap()).unwrap();
    fs::write(sandbox.path("odd/oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    let _ = sandbox.sh("tar -C odd -cf odd.tar .").succeeds();
    "oci-archive:odd.tar".into()
}

/// The members with other names.
fn rename(members: &mut [Member], rename: impl Fn(&[u8]) -> Vec<u8>) {
    for member in members {
        if let File(name, _) = member {
            *name = rename(name);
        }
    }
}

fn compressed(sandbox: &Sandbox, by: &str) -> String {
    let reference = docker(sandbox, |_| {});
    let _ = sandbox.sh(&format!("{by} < odd.tar > packed && mv packed odd.tar")).succeeds();
    reference
}

const TABLE: &[Oddity] = &[
    Oddity { name: "docker's old form", make: |s| docker(s, |_| {}), expected: all(Read) },
    Oddity { name: "a layout", make: |s| layout(s, |_| {}), expected: all(Read) },
    Oddity {
        name: "a layout of another minor version",
        make: |s| layout(s, |m| m[0] = file("oci-layout", r#"{"imageLayoutVersion":"1.1.0"}"#)),
        expected: all(Read),
    },
    Oddity {
        name: "a layout of a later version",
        make: |s| layout(s, |m| m[0] = file("oci-layout", r#"{"imageLayoutVersion":"9.9"}"#)),
        expected: all(Refuse("image layout version '9.9' is not supported")),
    },
    Oddity { name: "digests of SHA-512", make: sha512, expected: all(Read) },
    Oddity {
        name: "docker's new form, which is a layout too",
        make: |s| {
            layout(s, |members| {
                let config = config(&[&plain()]);
                let path = format!("blobs/sha256/{}", Digest::of(&config).hex());
                let layer = format!("blobs/sha256/{}", Digest::of(&plain()).hex());
                members.push(file(&path, &config));
                members.push(file("manifest.json", list(&path, json!(["app:1"]), &[&layer])));
            });
            "docker-archive:odd.tar".into()
        },
        expected: all(Read),
    },
    Oddity { name: "gzip", make: |s| compressed(s, "gzip"), expected: all(Read) },
    Oddity { name: "xz", make: |s| compressed(s, "xz"), expected: all(Read) },
    Oddity { name: "zstd", make: |s| compressed(s, "zstd"), expected: all(Read) },
    Oddity {
        name: "names that begin with ./",
        make: |s| layout(s, |members| rename(members, |name| [b"./", name].concat())),
        expected: all(Read),
    },
    Oddity {
        name: "members with names that are not UTF-8, or hostile",
        make: |s| {
            docker(s, |members| {
                members.insert(0, file(b"\xff\xfe", "x"));
                members.insert(0, file(b"esc\x1b]52;c;aGk=\x07", "x"));
                members.push(file("../../../../tmp/outside", "x"));
                members.push(file("/etc/outside", "x"));
            })
        },
        expected: all(Read),
    },
    Oddity {
        name: "one name twice, of which the last counts",
        make: |s| {
            docker(s, |members| {
                members.insert(0, file("manifest.json", "garbage"));
                members.insert(0, file("1/layer.tar", "garbage"));
            })
        },
        expected: all(Read),
    },
    Oddity {
        name: "layers that are links, as docker had them",
        make: |s| {
            docker(s, |members| {
                members[0] = file("c.json", config(&[&plain(), &plain()]));
                members[4] = file(
                    "manifest.json",
                    list("c.json", Value::Null, &["1/layer.tar", "2/layer.tar"]),
                );
                members.push(Link("2/layer.tar", "../1/layer.tar"));
            })
        },
        expected: all(Read),
    },
    Oddity {
        name: "a layer that is a link out of the archive",
        make: |s| {
            docker(s, |members| members[3] = Link("1/layer.tar", "../../../../../../etc/passwd"))
        },
        expected: all(Refuse("1/layer.tar is listed but missing")),
    },
    Oddity {
        name: "a layer that is a link to itself",
        make: |s| docker(s, |members| members[3] = Link("1/layer.tar", "layer.tar")),
        expected: all(Refuse("1/layer.tar is listed but missing")),
    },
    Oddity {
        name: "a listed layer that is missing",
        make: |s| docker(s, |members| drop(members.remove(3))),
        expected: all(Refuse("1/layer.tar is listed but missing")),
    },
    Oddity {
        name: "a listed config that is missing",
        make: |s| docker(s, |members| drop(members.remove(0))),
        expected: all(Refuse("c.json is listed but missing")),
    },
    Oddity {
        name: "a layer that is not what the config says",
        make: |s| {
            let other = layer(&[("file", b"CONTENT")]);
            docker(s, |members| members[3] = file("1/layer.tar", other))
        },
        expected: all(Refuse("digest mismatch: expected sha256:")),
    },
    Oddity {
        name: "no names",
        make: |s| {
            docker(s, |members| {
                members[4] = file("manifest.json", list("c.json", Value::Null, &["1/layer.tar"]));
            })
        },
        expected: all(Read),
    },
    Oddity {
        name: "a list that is none",
        make: |s| docker(s, |members| members[4] = file("manifest.json", "{}")),
        expected: all(Refuse("manifest.json: not a valid list of images")),
    },
    Oddity {
        name: "a list of nothing",
        make: |s| docker(s, |members| members[4] = file("manifest.json", "[]")),
        expected: all(Refuse("holds no image")),
    },
    Oddity {
        name: "older than docker 1.10",
        make: |s| docker(s, |members| drop(members.remove(4))),
        expected: all(Refuse("saved by docker older than 1.10")),
    },
    Oddity {
        name: "an archive of something else",
        make: |s| {
            archive(s, &[file("README", "x")]);
            "oci-archive:odd.tar".into()
        },
        expected: all(Refuse("not an image archive: ")),
    },
    Oddity {
        name: "an archive that is cut short",
        make: |s| {
            let reference = layout(s, |_| {});
            let _ = s.sh("truncate -s 1300 odd.tar").succeeds();
            reference
        },
        expected: all(Refuse("the archive is truncated")),
    },
    Oddity {
        name: "no archive",
        make: |s| {
            s.write("odd.tar", "x".repeat(3000));
            "docker-archive:odd.tar".into()
        },
        expected: all(Refuse("not a valid archive")),
    },
    Oddity {
        name: "an empty file",
        make: |s| {
            s.write("odd.tar", "");
            "docker-archive:odd.tar".into()
        },
        expected: all(Refuse("odd.tar: ")),
    },
    Oddity {
        name: "a blob of another digest",
        make: |s| {
            layout(s, |members| {
                let content = members.iter_mut().find_map(|member| match member {
                    File(_, content) if content.len() == 2048 => Some(content),
                    _ => None,
                });
                content.unwrap()[520] ^= 1;
            })
        },
        expected: all(Refuse("digest mismatch: expected sha256:")),
    },
];

#[test]
fn odd_archives_are_read_or_refused_with_one_line() {
    check(TABLE);
}
