//! `img-index` through its binary.

#![allow(clippy::unwrap_used)]

use common::compression::MaxSize;
use common::digest::Digest;
use common::oci::{Descriptor, ImageConfig, Index, Platform, media_type};
use common::store::Pruning;
use layerutils_tests::place::{Place, layer_of};

fn place() -> Place {
    Place::new(env!("CARGO_BIN_EXE_img-index"))
}

fn put(place: &Place, name: &str, platform: &str, len: usize) -> Digest {
    let config = ImageConfig::scratch(&platform.parse().unwrap());
    place.put(&[name], config, &[&layer_of(len)], |_| {})
}

fn index(place: &Place, name: &str) -> Index {
    let store = place.store();
    let found = store.resolve(name).unwrap();
    assert_eq!(found.media_type, media_type::INDEX);
    serde_json::from_slice(&store.document(&found).unwrap()).unwrap()
}

/// The platforms of an index and their images.
fn entries(index: &Index) -> Vec<(String, &Digest)> {
    let platform = |platform: &Option<Platform>| platform.as_ref().unwrap().to_string();
    index.manifests.iter().map(|entry| (platform(&entry.platform), &entry.digest)).collect()
}

#[test]
fn images_become_one_name_and_stay_themselves() {
    let place = place();
    let amd64 = put(&place, "amd", "linux/amd64", 1);
    let arm64 = put(&place, "arm", "linux/arm64", 2);
    let v6 = put(&place, "v6", "linux/arm/v6", 3);
    let printed =
        place.done(&["-t", "app", "-t", "app:1", "--annotation", "a=b", "amd", "arm", "v6"]);
    let app = index(&place, "app");
    assert_eq!(printed, format!("{}\n", place.store().resolve("app:1").unwrap().digest));
    let amd = ("linux/amd64".to_owned(), &amd64);
    let arm = ("linux/arm64".to_owned(), &arm64);
    assert_eq!(entries(&app), [amd.clone(), arm.clone(), ("linux/arm/v6".to_owned(), &v6)]);
    assert_eq!(app.annotations["a"], "b");
    // The same from anywhere else, into a store that has none of it, and needs no other.
    let store = place.path("store");
    let from = |name: &str| format!("oci:{}:{name}", store.display());
    let (first, second) = (from("amd:latest"), from("arm:latest"));
    let again = place.done(&[
        "-t",
        "x",
        "--store",
        "new",
        &first,
        &second,
        &from("v6:latest"),
        "--annotation",
        "a=b",
    ]);
    assert_eq!(again, printed);
    let new = common::store::Store::open(&place.path("new")).unwrap();
    new.check(MaxSize::default(), |finding| panic!("{finding}")).unwrap();
    assert_eq!(new.prune(Pruning::Remove).unwrap().blobs.len(), 0);

    // An index in an index is what it has; an image is taken out, added, replaced.
    assert_eq!(place.done(&["-t", "copy", "app"]).len(), printed.len());
    assert_eq!(entries(&index(&place, "copy")), entries(&app));
    place.done(&["-t", "app", "--remove", "linux/arm/v6"]).pop();
    assert_eq!(entries(&index(&place, "app")), [amd.clone(), arm.clone()]);
    assert_eq!(index(&place, "app").annotations["a"], "b");
    let newer = put(&place, "newer", "linux/amd64", 5);
    place.done(&["-t", "app", "--add", "newer"]).pop();
    assert_eq!(entries(&index(&place, "app")), [arm, ("linux/amd64".to_owned(), &newer)]);
}

#[test]
fn what_makes_no_index_is_refused_and_changes_nothing() {
    let place = place();
    put(&place, "amd", "linux/amd64", 1);
    put(&place, "other", "linux/x86_64", 2);
    let before = place.done(&["-t", "app", "amd"]);
    for (args, words) in [
        (&["-t", "app", "amd", "other"][..], "other: a second image for linux/amd64"),
        (&["-t", "app", "amd", "nope"], "nope: no such image in "),
        (&["-t", "app", "--remove", "linux/arm64"], "--remove linux/arm64: no such image"),
        (&["-t", "none", "--add", "amd"], "none:latest: no such image in "),
        (&["-t", "app"], "required arguments"),
        (&["amd"], "required arguments"),
    ] {
        let (printed, said) = place.failed(args);
        assert_eq!(printed, "", "{args:?}");
        assert!(said.starts_with("img-index: ") && said.contains(words), "{said}");
    }
    assert_eq!(format!("{}\n", place.store().resolve("app").unwrap().digest), before);
    let from = |name: &str| format!("oci:{}:{name}:latest", place.path("store").display());
    place.failed(&["--store", "none", "-t", "app", &from("amd"), &from("other")]);
    assert!(std::fs::metadata(place.path("none")).is_err());
}

/// Puts an index of images with these platforms, as its entries say them.
fn put_index(place: &Place, name: &str, images: &[(&Digest, Platform)]) {
    let store = place.store();
    let entry = |(digest, platform): &(&Digest, Platform)| {
        let len_bytes = store.len_of(digest).unwrap();
        let mut entry = Descriptor::new(media_type::MANIFEST, (*digest).clone(), len_bytes);
        entry.platform = Some(platform.clone());
        entry
    };
    let index = Index::new(images.iter().map(entry).collect());
    let (digest, len_bytes) = store.put(&index.to_bytes().unwrap()).unwrap();
    let root = Descriptor::new(media_type::INDEX, digest, len_bytes);
    store.tag(&[name.parse().unwrap()], &root).unwrap();
}

#[test]
fn a_platform_is_the_same_however_it_is_written() {
    let place = place();
    let old = put(&place, "old", "linux/arm64", 1);
    // BuildKit writes the variant that arm64 always has.
    let mut v8: Platform = "linux/arm64".parse().unwrap();
    v8.variant = Some("v8".into());
    put_index(&place, "app", &[(&old, v8)]);
    let new = put(&place, "new", "linux/arm64", 2);
    let (_, said) = place.failed(&["-t", "both", "app", "new"]);
    assert!(said.contains("a second image for linux/arm64"), "{said}");
    place.done(&["-t", "app", "--add", "new"]).pop();
    assert_eq!(entries(&index(&place, "app")), [("linux/arm64".to_owned(), &new)]);
    // Windows has an image for each version of its kernel.
    let version = |version: &str| {
        let mut platform: Platform = "windows/amd64".parse().unwrap();
        platform.os_version = Some(version.into());
        platform
    };
    put_index(&place, "windows", &[(&old, version("10.0.1")), (&new, version("10.0.2"))]);
    place.done(&["-t", "copy", "windows"]).pop();
    assert_eq!(index(&place, "copy").manifests.len(), 2);
}

#[test]
fn attestations_stay_with_their_images() {
    let place = place();
    let image = put(&place, "amd", "linux/amd64", 1);
    let note = place.put(&[], ImageConfig::default(), &[b"{}"], |manifest| {
        manifest.layers[0].media_type = "application/vnd.in-toto+json".into();
    });
    let store = place.store();
    let entry = |digest: &Digest, platform: &str| {
        let len_bytes = store.len_of(digest).unwrap();
        let mut entry = Descriptor::new(media_type::MANIFEST, digest.clone(), len_bytes);
        entry.platform = Some(platform.parse().unwrap());
        entry
    };
    let mut attestation = entry(&note, "unknown/unknown");
    let annotations = &mut attestation.annotations;
    annotations.insert("vnd.docker.reference.type".into(), "attestation-manifest".into());
    annotations.insert("vnd.docker.reference.digest".into(), image.to_string());
    let both = Index::new(vec![entry(&image, "linux/amd64"), attestation]).to_bytes().unwrap();
    let (digest, len_bytes) = store.put(&both).unwrap();
    let root = Descriptor::new(media_type::INDEX, digest, len_bytes);
    store.tag(&["built".parse().unwrap()], &root).unwrap();
    put(&place, "arm", "linux/arm64", 2);
    let from = format!("oci:{}:built:latest", place.path("store").display());
    place.done(&["--store", "new", "-t", "app", &from]).pop();
    let new = common::store::Store::open(&place.path("new")).unwrap();
    assert!(new.len_of(&note).is_some() && new.len_of(&Digest::of(b"{}")).is_some());
    place.done(&["-t", "app", "built", "arm"]).pop();
    assert_eq!(index(&place, "app").manifests.len(), 3);
    place.done(&["-t", "app", "--remove", "linux/amd64"]).pop();
    assert_eq!(index(&place, "app").manifests.len(), 1);
    // Of an image that is not there, the attestation is not taken either.
    let mut list = index(&place, "built");
    list.manifests.push(entry(&put(&place, "s390x", "linux/s390x", 3), "linux/s390x"));
    let (digest, len_bytes) = store.put(&list.to_bytes().unwrap()).unwrap();
    let root = Descriptor::new(media_type::INDEX, digest, len_bytes);
    store.tag(&["built".parse().unwrap()], &root).unwrap();
    std::fs::remove_file(store.blob_path(&image)).unwrap();
    place.done(&["-t", "app", "built"]).pop();
    let app = index(&place, "app");
    let platforms: Vec<String> = entries(&app).into_iter().map(|(platform, _)| platform).collect();
    assert_eq!(platforms, ["linux/s390x"]);
}
