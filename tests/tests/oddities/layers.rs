//! Oddities of layers: how they are compressed, what they say they are, where they are.

use std::fs;
use std::io::Write as _;

use common::compression::{Encoder, Format};
use common::digest::Digest;
use layerutils_tests::place::layer;
use layerutils_tests::sandbox::Sandbox;
use serde_json::{Value, json};

use crate::documents::{Making, changed, plain};
use crate::table::{Expected, Oddity, Read, Refuse, all, check};

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
const FOREIGN: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";

fn compressed(format: Format, bytes: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new(), format, None).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An image whose layer is this blob, which inflates to `inflated`.
fn with_layer(sandbox: &Sandbox, media_type: &str, bytes: &[u8], inflated: &[u8]) -> String {
    changed(sandbox, |m| set_layer(m, media_type, bytes, inflated))
}

fn set_layer(making: &mut Making, media_type: &str, bytes: &[u8], inflated: &[u8]) {
    making.manifest["layers"] = json!([making.blob(media_type, bytes)]);
    making.config["rootfs"]["diff_ids"] = json!([Digest::of(inflated).to_string()]);
}

/// gzip as estargz has it: a member for each entry, then the table of contents, then a
/// footer whose extra field says where that is (stargz-snapshotter, docs/estargz.md).
fn estargz() -> (Vec<u8>, Vec<u8>) {
    let toc = br#"{"version":1,"entries":[{"name":"file","type":"reg","size":7}]}"#;
    let archive = layer(&[("file", b"content"), ("stargz.index.json", toc)]);
    let mut bytes = Vec::new();
    for part in [&archive[..1024], &archive[1024..2048], &archive[2048..]] {
        bytes.extend(compressed(Format::Gzip, part));
    }
    // ID1 ID2 CM FLG(FEXTRA) MTIME XFL OS XLEN SI1 SI2 LEN "%016xSTARGZ", then an empty
    // stored block, CRC32 and ISIZE.
    bytes.extend(b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x1a\0SG\x16\0");
    bytes.extend(b"0000000000000400STARGZ");
    bytes.extend(b"\x01\0\0\xff\xff\0\0\0\0\0\0\0\0");
    (bytes, archive)
}

/// zstd with the table of contents in a skippable frame, as zstd:chunked has it.
fn zstd_chunked() -> Vec<u8> {
    let mut bytes = compressed(Format::Zstd, &plain()[..1024]);
    bytes.extend(compressed(Format::Zstd, &plain()[1024..]));
    bytes.extend(b"\x50\x2a\x4d\x18\x08\0\0\0contents");
    bytes
}

fn damaged(sandbox: &Sandbox, damage: impl FnOnce(&Making, &Value)) -> String {
    let mut making = Making::new(sandbox);
    let image = making.image();
    damage(&making, &making.manifest["layers"][0]);
    making.of(&[image])
}

const TABLE: &[Oddity] = &[
    Oddity {
        name: "gzip",
        make: |s| with_layer(s, LAYER_GZIP, &compressed(Format::Gzip, &plain()), &plain()),
        expected: all(Read),
    },
    Oddity {
        name: "zstd",
        make: |s| with_layer(s, LAYER_ZSTD, &compressed(Format::Zstd, &plain()), &plain()),
        expected: all(Read),
    },
    Oddity {
        name: "estargz",
        make: |s| {
            let (bytes, archive) = estargz();
            with_layer(s, LAYER_GZIP, &bytes, &archive)
        },
        expected: all(Read),
    },
    Oddity {
        name: "zstd:chunked",
        make: |s| with_layer(s, LAYER_ZSTD, &zstd_chunked(), &plain()),
        expected: all(Read),
    },
    // Docker goes by the bytes too; what they inflate to is checked.
    Oddity {
        name: "plain tar that says it is gzip",
        make: |s| with_layer(s, LAYER_GZIP, &plain(), &plain()),
        expected: all(Read),
    },
    Oddity {
        name: "gzip that says it is plain tar",
        make: |s| with_layer(s, LAYER, &compressed(Format::Gzip, &plain()), &plain()),
        expected: all(Read),
    },
    Oddity {
        name: "gzip that is cut short",
        make: |s| {
            let whole = compressed(Format::Gzip, &plain());
            with_layer(s, LAYER_GZIP, &whole[..whole.len() - 9], &plain())
        },
        expected: all(Refuse("the gzip stream is truncated")),
    },
    Oddity {
        name: "a tar archive that is cut short",
        make: |s| with_layer(s, LAYER, &plain()[..516], &plain()[..516]),
        expected: all(Refuse("the archive is truncated")),
    },
    Oddity {
        name: "no tar archive",
        make: |s| with_layer(s, LAYER, &[b'\x01'; 2048], &[b'\x01'; 2048]),
        expected: all(Refuse("archive member at byte 0")),
    },
    Oddity {
        name: "text",
        make: |s| with_layer(s, LAYER, &[b'x'; 2048], &[b'x'; 2048]),
        expected: all(Refuse("not a tar archive: it is text")),
    },
    // The content takes 7 bytes of its block. umoci writes such layers, and the others
    // read them.
    Oddity {
        name: "a layer without its marker",
        make: |s| with_layer(s, LAYER, &plain()[..1024], &plain()[..1024]),
        expected: all(Read),
    },
    Oddity {
        name: "a layer without its marker and the padding before it",
        make: |s| {
            let cut = &plain()[..519];
            with_layer(s, LAYER_GZIP, &compressed(Format::Gzip, cut), cut)
        },
        expected: all(Read),
    },
    Oddity {
        name: "a layer with padding in part",
        make: |s| with_layer(s, LAYER, &plain()[..600], &plain()[..600]),
        expected: all(Read),
    },
    Oddity {
        name: "a layer with one zero block",
        make: |s| with_layer(s, LAYER, &plain()[..1536], &plain()[..1536]),
        expected: all(Read),
    },
    Oddity {
        name: "a layer with half a zero block",
        make: |s| with_layer(s, LAYER, &plain()[..1280], &plain()[..1280]),
        expected: all(Read),
    },
    Oddity {
        name: "a layer of no bytes",
        make: |s| with_layer(s, LAYER, b"", b""),
        expected: all(Read),
    },
    Oddity {
        name: "a layer with something behind its marker",
        make: |s| {
            let trailed = [&plain()[..], b"behind"].concat();
            with_layer(s, LAYER, &trailed, &trailed)
        },
        expected: all(Read),
    },
    Oddity {
        name: "a layer with a header in part behind it",
        make: |s| {
            let trailed = [&plain()[..1024], &plain()[..100]].concat();
            with_layer(s, LAYER, &trailed, &trailed)
        },
        expected: all(Refuse("the archive is truncated")),
    },
    Oddity {
        name: "an archive of nothing",
        make: |s| with_layer(s, LAYER, &[0; 1024], &[0; 1024]),
        expected: all(Read),
    },
    Oddity {
        name: "a wrong DiffID",
        make: |s| with_layer(s, LAYER_GZIP, &compressed(Format::Gzip, &plain()), b"other"),
        expected: all(Refuse("DiffID mismatch: expected sha256:")),
    },
    Oddity {
        name: "fewer DiffIDs than layers",
        make: |s| changed(s, |m| m.config["rootfs"]["diff_ids"] = json!([])),
        expected: all(Refuse("the manifest has 1 layer, the config 0 DiffIDs")),
    },
    Oddity {
        name: "one layer twice",
        make: |s| {
            changed(s, |m| {
                let (layer, diff_id) =
                    (m.manifest["layers"][0].clone(), m.config["rootfs"]["diff_ids"][0].clone());
                m.manifest["layers"].as_array_mut().unwrap().push(layer);
                m.config["rootfs"]["diff_ids"].as_array_mut().unwrap().push(diff_id);
            })
        },
        expected: all(Read),
    },
    Oddity {
        name: "a flipped bit",
        make: |s| {
            damaged(s, |m, layer| {
                let mut bytes = fs::read(m.file(layer)).unwrap();
                bytes[520] ^= 1;
                fs::write(m.file(layer), bytes).unwrap();
            })
        },
        expected: all(Refuse("digest mismatch: expected sha256:")),
    },
    Oddity {
        name: "a layer of another length",
        make: |s| damaged(s, |m, layer| fs::write(m.file(layer), "short").unwrap()),
        expected: all(Refuse("size mismatch: expected 2048 bytes, got 5")),
    },
    Oddity {
        name: "a missing layer",
        make: |s| damaged(s, |m, layer| fs::remove_file(m.file(layer)).unwrap()),
        expected: all(Refuse("is missing")),
    },
    Oddity {
        name: "a layer that is a folder",
        make: |s| {
            damaged(s, |m, layer| {
                fs::remove_file(m.file(layer)).unwrap();
                fs::create_dir(m.file(layer)).unwrap();
            })
        },
        expected: all(Refuse("is a directory")),
    },
    Oddity {
        name: "a foreign layer that is elsewhere",
        make: |s| {
            changed(s, |m| {
                set_layer(m, FOREIGN, &compressed(Format::Gzip, &plain()), &plain());
                m.manifest["layers"][0]["urls"] = json!(["https://example.org/layer"]);
                fs::remove_file(m.file(&m.manifest["layers"][0])).unwrap();
            })
        },
        expected: Expected { apply: Refuse("is missing"), ..all(Read) },
    },
    Oddity {
        name: "a foreign layer that is there",
        make: |s| with_layer(s, FOREIGN, &compressed(Format::Gzip, &plain()), &plain()),
        expected: all(Read),
    },
    Oddity {
        name: "a layer of an unknown type",
        make: |s| with_layer(s, "application/x-squashfs", &plain(), &plain()),
        expected: all(Refuse("'application/x-squashfs' is not a layer's media type")),
    },
    Oddity {
        name: "an encrypted layer",
        make: |s| {
            let media_type = "application/vnd.oci.image.layer.v1.tar+gzip+encrypted";
            with_layer(s, media_type, b"secret", &plain())
        },
        expected: all(Refuse("is not a layer's media type")),
    },
];

#[test]
fn odd_layers_are_read_or_refused_with_one_line() {
    check(TABLE);
}

#[test]
fn a_layer_without_its_marker_is_mounted_run_built_on_and_squashed() {
    let sandbox = Sandbox::new();
    for cut in [&plain()[..1024], &plain()[..519], b""] {
        let reference = with_layer(&sandbox, LAYER, cut, cut);
        sandbox.run(&["img-copy", &reference, "odd"]).succeeds();
        fs::write(sandbox.path("Containerfile"), "FROM odd\nCOPY --from=odd / /copied/\n").unwrap();
        for argv in [
            &["union-mount", "--driver", "copy", "--image", "odd", "seen"][..],
            &["layer-apply", "--image", "odd", "applied"],
            &["img-build", "-q", "-t", "built", "."],
            &["img-commit", "--squash", "--config-only", "-t", "squashed", "odd"],
            &["img-ls"],
            &["img-ls", "--check"],
        ] {
            for name in ["seen", "applied"] {
                let _ = fs::remove_dir_all(sandbox.path(name));
                fs::create_dir(sandbox.path(name)).unwrap();
                sandbox.own(&sandbox.path(name));
            }
            sandbox.run(argv).succeeds();
            let content = fs::read(sandbox.path(argv[argv.len() - 1]).join("file"));
            if ["seen", "applied"].contains(&argv[argv.len() - 1]) && !cut.is_empty() {
                assert_eq!(content.unwrap(), b"content", "{argv:?}");
            }
        }
    }
}

#[test]
fn no_tool_lets_a_layer_grow_beyond_its_limit() {
    let sandbox = Sandbox::new();
    let big = layer(&[("file", &vec![0; 8 << 20])]);
    let reference = with_layer(&sandbox, LAYER_GZIP, &compressed(Format::Gzip, &big), &big);
    // While it is checked on its way.
    for destination in ["big", "docker-archive:big.tar"] {
        let refused = sandbox.run(&["img-copy", "--max-size=1M", &reference, destination]);
        let refused = refused.outcome();
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status, 2, "{said}");
        assert!(said.contains("limit of 1048576 bytes"), "{said}");
        assert!(said.ends_with("img-copy: hint: allow more with --max-size SIZE\n"), "{said}");
    }
    sandbox.run(&["img-copy", &reference, "big"]).succeeds();
    fs::write(sandbox.path("Containerfile"), "FROM scratch\nCOPY --from=big / /\n").unwrap();
    fs::write(sandbox.path("Run"), "FROM big\nRUN true\n").unwrap();
    fs::create_dir(sandbox.path("seen")).unwrap();
    sandbox.own(&sandbox.path("seen"));
    for (argv, status) in [
        (&["img-inspect", "big"][..], 2),
        (&["img-history", "big"], 2),
        (&["img-ls"], 2),
        (&["img-ls", "--check"], 1),
        (&["img-copy", "--compress", "zstd", "big", "copy"], 2),
        (&["layer-apply", "--image", "big", "new"], 2),
        (&["union-mount", "--driver", "copy", "--image", "big", "seen"], 2),
        (&["img-run", "--isolation", "chroot", "big", "/file"], 125),
        (&["img-build", "-q", "."], 2),
        (&["img-build", "-q", "-f", "Run", "."], 2),
        (&["img-commit", "--squash", "--config-only", "big"], 2),
    ] {
        let (tool, rest) = argv.split_first().unwrap();
        let with = |size: &str| {
            let option = format!("--max-size={size}");
            sandbox.run(&[&[*tool, &option], rest].concat()).outcome()
        };
        let refused = with("1M");
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status, status, "{argv:?}: {said}");
        assert!(said.contains("limit of 1048576 bytes"), "{argv:?}: {said}");
        let hint = format!("{tool}: hint: allow more with --max-size SIZE\n");
        assert!(said.ends_with(&hint), "{argv:?}: {said}");
        assert!(!sandbox.path("new").exists(), "{argv:?}");
        assert!(fs::read_dir(sandbox.path("seen")).unwrap().next().is_none(), "{argv:?}");
    }
    for argv in [
        &["img-inspect", "--max-size=9M", "big"][..],
        &["img-build", "-q", "--max-size=9M", "."],
        &["layer-apply", "--max-size=9M", "--image", "big", "new"],
    ] {
        sandbox.run(argv).succeeds();
    }
}
