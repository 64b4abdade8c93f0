//! `img-copy` and archives as others write them, and with several images.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::fs;

use common::digest::Digest;
use common::oci::{Descriptor, ImageConfig, Index, Manifest, media_type};
use common::store::Store;
use layerutils_tests::place::{Place, layer};
use serde_json::{Value, json};

use support::place;

const WHEN: &str = "2001-01-01T00:00:00Z";

/// The files of an archive that we wrote, by name.
fn files(place: &Place, archive: &str) -> BTreeMap<String, Vec<u8>> {
    let bytes = fs::read(place.path(archive)).unwrap();
    let mut reader = common::tar::Reader::new(
        &bytes[..],
        common::tar::Limits::default(),
        common::tar::Whole::ByDigest,
    );
    let mut files = BTreeMap::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut reader.content(), &mut content).unwrap();
        if matches!(entry.kind, common::tar::Kind::File) {
            files.insert(String::from_utf8(entry.path).unwrap(), content);
        }
    }
    files
}

fn write(place: &Place, archive: &str, files: &BTreeMap<String, Vec<u8>>) {
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    fs::write(place.path(archive), layer(&files)).unwrap();
}

fn value(files: &BTreeMap<String, Vec<u8>>, name: &str) -> Value {
    serde_json::from_slice(&files[name]).unwrap()
}

fn set(files: &mut BTreeMap<String, Vec<u8>>, name: &str, value: &Value) {
    files.insert(name.to_owned(), value.to_string().into_bytes());
}

fn names_of(store: &Store) -> Vec<String> {
    let entries = store.entries().unwrap();
    let mut names: Vec<String> =
        entries.iter().filter_map(|entry| entry.name.map(str::to_owned)).collect();
    names.sort();
    names
}

#[test]
fn several_images_go_into_one_archive_and_come_out_under_their_names() {
    let place = place();
    let one = place.put_image(&["one:1", "also:1"], WHEN, &[10]);
    let two = place.put_image(&["example.org/two:2"], WHEN, &[10, 20]);
    let printed = format!("{one}\n{two}\n");
    assert_eq!(place.done(&["one:1", "example.org/two:2", "docker-archive:all.tar"]), printed);
    for (from, to) in [("docker-archive:all.tar", "a"), ("oci-archive:all.tar", "b")] {
        assert_eq!(place.done(&[from, "store:", "--store", to]), printed, "{from}");
        let store = Store::open(&place.path(to)).unwrap();
        assert_eq!(names_of(&store), ["example.org/two:2", "one:1"]);
        assert_eq!(store.resolve("one:1").unwrap().digest, one);
    }
    // One of them, by name or position.
    for (name, digest) in [("one:1", &one), ("@0", &one), ("@1", &two), ("example.org/two:2", &two)]
    {
        for transport in ["docker-archive", "oci-archive"] {
            let from = format!("{transport}:all.tar:{name}");
            assert_eq!(place.done(&[&from, "oci:x:x"]), format!("{digest}\n"), "{from}");
        }
    }
    let (_, said) = place.failed(&["docker-archive:all.tar:@2", "oci:x:x"]);
    assert!(said.contains("has no image at position 2: it has 2 images"), "{said}");
    // A layout, and all images of it again.
    assert_eq!(place.done(&["docker-archive:all.tar", "oci:layout"]), printed);
    assert_eq!(place.done(&["oci:layout", "oci-archive:again.tar"]), printed);
    assert_eq!(
        fs::read(place.path("again.tar")).unwrap(),
        fs::read(place.path("all.tar")).unwrap()
    );
    let (_, said) = place.failed(&["docker-archive:all.tar", "name"]);
    assert!(said.contains("holds 2 images") && said.contains("one:1, example.org/two:2"), "{said}");
    let (_, said) = place.failed(&["docker-archive:all.tar:nope", "name"]);
    assert!(said.contains("no image 'nope' there: there is one:1, example.org/two:2"), "{said}");
    let (_, said) = place.failed(&["one:1", "example.org/two:2", "name"]);
    assert!(said.contains("several images cannot have one name"), "{said}");
    // Two images of one name in one place would be one.
    place.put_image(&["one:1"], WHEN, &[30]);
    let (_, said) = place.failed(&["one:1", "docker-archive:all.tar", "docker-archive:new.tar"]);
    assert!(said.contains("one:1: two images have this name"), "{said}");
    assert!(fs::metadata(place.path("new.tar")).is_err());
}

#[test]
fn docker_s_list_counts_where_there_is_a_layout_too() {
    let place = place();
    let one = place.put_image(&["one:1"], WHEN, &[10]);
    let two = place.put_image(&["two:2"], WHEN, &[10, 20]);
    place.done(&["one:1", "two:2", "docker-archive:all.tar"]).pop();
    let whole = files(&place, "all.tar");
    let read = |files: &BTreeMap<String, Vec<u8>>| {
        write(&place, "odd.tar", files);
        let _ = fs::remove_dir_all(place.path("odd"));
        let printed = place.done(&["docker-archive:odd.tar", "store:", "--store", "odd"]);
        assert_eq!(printed.lines().count(), 2);
        let piped = place.run(&["-", "oci:piped"], &fs::read(place.path("odd.tar")).unwrap());
        assert_eq!(piped.status.code(), Some(0), "{piped:?}");
        assert_eq!(names_of(&Store::open(&place.path("odd")).unwrap()), ["one:1", "two:2"]);
        printed
    };
    assert_eq!(read(&whole), format!("{one}\n{two}\n"));
    // An index without images, or with fewer of them.
    for manifests in [json!(null), json!([]), json!([value(&whole, "index.json")["manifests"][1]])]
    {
        let mut odd = whole.clone();
        let mut index = value(&odd, "index.json");
        index["manifests"] = manifests;
        set(&mut odd, "index.json", &index);
        // A manifest that has to be made is what we would have made.
        assert_eq!(read(&odd), format!("{one}\n{two}\n"));
    }
    // Keys as old versions of Jib write them.
    let mut odd = whole.clone();
    let list = String::from_utf8(odd["manifest.json"].clone()).unwrap();
    let list = list.replace("Config", "config").replace("RepoTags", "repoTags");
    odd.insert("manifest.json".into(), list.replace("Layers", "layers").into_bytes());
    assert_eq!(read(&odd), format!("{one}\n{two}\n"));
    // A manifest whose layers are elsewhere in the archive, under other names.
    let mut odd = whole.clone();
    let mut list = value(&odd, "manifest.json");
    let name = list[1]["Layers"][1].as_str().unwrap().to_owned();
    let moved = odd.remove(&name).unwrap();
    odd.insert("layer.tar".into(), moved);
    list[1]["Layers"][1] = json!("layer.tar");
    set(&mut odd, "manifest.json", &list);
    read(&odd);
}

#[test]
fn docker_s_names_of_an_image_are_whole() {
    let place = place();
    let image = place.put_image(&["app"], WHEN, &[10]);
    place.done(&["app", "docker-archive:plain.tar"]).pop();
    let mut odd = files(&place, "plain.tar");
    let mut index = value(&odd, "index.json");
    index["manifests"][0]["annotations"] = json!({
        "io.containerd.image.name": "example.org/team/app:v1",
        "org.opencontainers.image.ref.name": "v1",
    });
    set(&mut odd, "index.json", &index);
    odd.remove("manifest.json");
    write(&place, "odd.tar", &odd);
    let printed = format!("{image}\n");
    for name in ["", ":example.org/team/app:v1", ":v1"] {
        let from = format!("oci-archive:odd.tar{name}");
        assert_eq!(place.done(&[&from, "docker-archive:out.tar"]), printed, "{from}");
        let out = files(&place, "out.tar");
        assert_eq!(value(&out, "manifest.json")[0]["RepoTags"], json!(["example.org/team/app:v1"]));
        let name = &value(&out, "index.json")["manifests"][0]["annotations"];
        assert_eq!(name["io.containerd.image.name"], "example.org/team/app:v1");
    }
    // The same in a layout, which img-ls and the like read as a store.
    place.done(&["oci-archive:odd.tar", "oci:layout"]).pop();
    fs::write(place.path("layout/index.json"), &odd["index.json"]).unwrap();
    assert_eq!(place.done(&["oci:layout", "store:"]), printed);
    assert!(place.store().resolve("example.org/team/app:v1").is_ok());
}

#[test]
fn artifacts_and_embedded_content_are_copied() {
    let place = place();
    let store = place.store();
    let put = |bytes: &[u8], media_type: &str| {
        let (digest, len_bytes) = store.put(bytes).unwrap();
        Descriptor::new(media_type, digest, len_bytes)
    };
    // The empty config is nowhere but in the manifest.
    let mut config = Descriptor::new(media_type::EMPTY, Digest::of(b"{}"), 2);
    config.extra.insert("data".into(), "e30=".into());
    let layer = put(b"a chart", "application/vnd.example.chart");
    let mut manifest = Manifest::new(config, vec![layer]);
    manifest.artifact_type = Some("application/vnd.example".into());
    let artifact = put(&manifest.to_bytes().unwrap(), media_type::MANIFEST);
    store.tag(&["chart:1".parse().unwrap()], &artifact).unwrap();
    let printed = format!("{}\n", artifact.digest);
    assert_eq!(place.done(&["chart:1", "oci:layout:x"]), printed);
    assert_eq!(place.done(&["oci:layout:x", "oci-archive:chart.tar:chart:1"]), printed);
    assert_eq!(place.done(&["oci-archive:chart.tar", "again"]), printed);
    let copied = Store::open(&place.path("layout")).unwrap();
    assert!(copied.len_of(&Digest::of(b"{}")).is_some(), "written where others look for it");
    let (_, said) = place.failed(&["chart:1", "x", "--platform", "linux/amd64"]);
    assert!(said.contains("an artifact, not an image"), "{said}");
    // Embedded content that is not what the digest says is of no use.
    manifest.config.extra.insert("data".into(), "e3s=".into());
    let bad = put(&manifest.to_bytes().unwrap(), media_type::MANIFEST);
    store.tag(&["bad:1".parse().unwrap()], &bad).unwrap();
    fs::remove_file(store.blob_path(&Digest::of(b"{}"))).unwrap();
    let (_, said) = place.failed(&["bad:1", "oci:bad:x"]);
    assert!(said.contains("digest mismatch"), "{said}");
}

#[test]
fn digests_of_sha512_are_kept() {
    let place = place();
    let store = place.store();
    let put = |bytes: &[u8], media_type: &str| {
        let algorithm = common::digest::Algorithm::Sha512;
        let (digest, len_bytes) = store.put_by(algorithm, bytes).unwrap();
        Descriptor::new(media_type, digest, len_bytes)
    };
    let plain = layer(&[("file", b"x")]);
    let mut config = ImageConfig::scratch(&"linux/amd64".parse().unwrap());
    config.rootfs.diff_ids = vec![common::digest::DiffId(Digest::of(&plain))];
    let manifest = Manifest::new(
        put(&config.to_bytes().unwrap(), media_type::CONFIG),
        vec![put(&plain, media_type::LAYER)],
    );
    let image = put(&manifest.to_bytes().unwrap(), media_type::MANIFEST);
    let mut entry = image.clone();
    entry.platform = Some("linux/amd64".parse().unwrap());
    let index = put(&Index::new(vec![entry]).to_bytes().unwrap(), media_type::INDEX);
    store.tag(&["app".parse().unwrap()], &image).unwrap();
    store.tag(&["many".parse().unwrap()], &index).unwrap();
    for (name, descriptor) in [("app", &image), ("many", &index)] {
        let printed = format!("{}\n", descriptor.digest);
        assert_eq!(place.done(&[name, "oci:layout:x"]), printed);
        assert_eq!(place.done(&["oci:layout:x", "docker-archive:a.tar"]), printed);
        assert_eq!(place.done(&["docker-archive:a.tar", "oci-archive:b.tar:b"]), printed);
        assert_eq!(place.done(&["oci-archive:b.tar", "back"]), printed);
        assert_eq!(place.done(&[descriptor.digest.to_string().as_str(), "back"]), printed);
        assert_eq!(
            place.done(&[&format!("sha512:{}", &descriptor.digest.hex()[..8]), "x"]),
            printed
        );
    }
    store.check(common::compression::MaxSize::default(), |finding| panic!("{finding}")).unwrap();
}

#[test]
fn zstd_is_not_put_into_docker_s_format() {
    let place = place();
    place.put_image(&["app"], WHEN, &[10]);
    place.done(&["app", "zstd", "--compress=zstd"]).pop();
    let hint = "img-copy: hint: use --compress gzip, or --format oci\n";
    for args in [
        &["app", "oci:x:x", "--compress=zstd", "--format=docker"][..],
        &["zstd", "oci:x:x", "--format=docker"],
    ] {
        let (_, said) = place.failed(args);
        assert!(said.contains("docker's format has no layers compressed with zstd"), "{said}");
        assert!(said.ends_with(hint), "{said}");
    }
    place.done(&["zstd", "oci:x:x", "--compress=gzip", "--format=docker"]).pop();
}

#[test]
fn transports_that_we_do_not_have_are_refused_by_name() {
    let place = place();
    place.put_image(&["app"], WHEN, &[10]);
    for other in ["dir:x", "docker-daemon:x:1", "containers-storage:x", "ostree:x", "sif:x.sif"] {
        for args in [["app", other], [other, "y"]] {
            let (_, said) = place.failed(&args);
            let transport = other.split(':').next().unwrap();
            let line = format!("img-copy: {other}: transport '{transport}:' is not supported\n");
            assert!(said.starts_with(&line), "{said}");
            let all = "hint: there are docker://, oci:, oci-archive:, docker-archive: and -";
            assert!(said.contains(all), "{said}");
        }
    }
    let (_, said) = place.failed(&["127.0.0.1:5000/x", "y"]);
    let hint = "hint: pull it first: img-copy docker://127.0.0.1:5000/x 127.0.0.1:5000/x\n";
    assert!(said.ends_with(hint), "{said}");
}

#[test]
fn what_the_other_side_has_is_left_out_and_completed_there() {
    let place = place();
    place.put_image(&["base"], WHEN, &[10, 200_000]);
    let app = place.put_image(&["app"], WHEN, &[10, 200_000, 30]);
    let layers = place.image("base").manifest.layers;
    let printed = format!("{app}\n");
    place.done(&["base", "oci-archive:base.tar:base"]).pop();
    assert_eq!(place.done(&["--since", "base", "app", "oci-archive:delta.tar:app"]), printed);
    let delta = files(&place, "delta.tar");
    for layer in &layers {
        let name = format!("blobs/sha256/{}", layer.digest.hex());
        assert!(!delta.contains_key(&name), "{name}");
    }
    assert!(!delta.contains_key("manifest.json"), "docker cannot load it");
    // The same from a list, in a file or on standard input, with more in it than there is.
    let list: String = layers.iter().map(|layer| format!("{}\n", layer.digest)).collect();
    let list = format!("{}\n\n{list}", Digest::of(b"other"));
    fs::write(place.path("have"), &list).unwrap();
    assert_eq!(place.done(&["--have", "have", "app", "oci-archive:had.tar:app"]), printed);
    assert_eq!(
        fs::read(place.path("had.tar")).unwrap(),
        fs::read(place.path("delta.tar")).unwrap()
    );
    let piped = place.run(&["--have", "-", "app", "-"], list.as_bytes());
    assert_eq!(piped.status.code(), Some(0));

    // Without the layers it is refused, and each of them named; with them it is whole.
    let (_, said) = place.failed(&["oci-archive:delta.tar", "app", "--store", "other"]);
    assert!(said.starts_with("img-copy: 2 blobs are missing: "), "{said}");
    assert!(layers.iter().all(|layer| said.contains(&layer.digest.to_string())), "{said}");
    assert!(fs::metadata(place.path("other")).is_err(), "an empty store is left behind");
    place.done(&["oci-archive:base.tar", "store:", "--store", "other"]).pop();
    assert_eq!(place.done(&["oci-archive:delta.tar", "app", "--store", "other"]), printed);
    let again = place.run(&["-", "again", "--store", "other"], &piped.stdout);
    assert_eq!(String::from_utf8_lossy(&again.stdout), printed);
    let other = Store::open(&place.path("other")).unwrap();
    other.check(common::compression::MaxSize::default(), |finding| panic!("{finding}")).unwrap();

    fs::write(place.path("bad"), "sha256:0\n").unwrap();
    let (_, said) = place.failed(&["--have", "bad", "app", "-"]);
    assert!(said.starts_with("img-copy: bad:1: not a sha256 or sha512 digest"), "{said}");
    let (_, said) = place.failed(&["--have", "have", "app", "oci:dir:x"]);
    assert!(said.contains("--have and --since leave layers out of archives alone"), "{said}");
    let (_, said) = place.failed(&["--since", "nope", "app", "-"]);
    assert!(said.contains("nope: no such image in "), "{said}");
}
