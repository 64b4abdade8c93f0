//! `img-copy` and images for several platforms: a name means all that it names.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;

use common::compression::MaxSize;
use common::digest::Digest;
use common::oci::{Descriptor, ImageConfig, Index, Platform, media_type};
use common::store::{Pruning, Store};
use layerutils_tests::place::{Place, layer_of};
use layerutils_tests::registry::{Registry, Setup};
use layerutils_tests::require;

use support::place;

/// The platform that the tests run on comes first.
fn platforms() -> [Platform; 3] {
    let host = Platform::host();
    let others = ["linux/arm64", "linux/riscv64", "linux/s390x"].map(|text| text.parse().unwrap());
    let mut others = others.into_iter().filter(|other| *other != host);
    [host.clone(), others.next().unwrap(), others.next().unwrap()]
}

/// An index of three images, the first with an attestation; returns the index's digest and
/// those of its images.
fn put_index(place: &Place, name: &str) -> (Digest, Vec<Digest>) {
    let store = place.store();
    let mut entries = Vec::new();
    for (at, platform) in platforms().into_iter().enumerate() {
        let digest = place.put(&[], ImageConfig::scratch(&platform), &[&layer_of(10 + at)], |_| {});
        let len_bytes = store.len_of(&digest).unwrap();
        let mut entry = Descriptor::new(media_type::MANIFEST, digest, len_bytes);
        entry.platform = Some(platform);
        entry.annotations.insert("note".into(), at.to_string());
        entries.push(entry);
    }
    let images: Vec<Digest> = entries.iter().map(|entry| entry.digest.clone()).collect();
    let note = place.put(&[], ImageConfig::default(), &[b"{}"], |manifest| {
        manifest.layers[0].media_type = "application/vnd.in-toto+json".into();
    });
    let len_bytes = store.len_of(&note).unwrap();
    let mut note = Descriptor::new(media_type::MANIFEST, note, len_bytes);
    note.platform = Some(Platform::new("unknown", "unknown", None));
    note.annotations.insert("vnd.docker.reference.type".into(), "attestation-manifest".into());
    note.annotations.insert("vnd.docker.reference.digest".into(), images[0].to_string());
    entries.push(note);
    let mut index = Index::new(entries);
    index.annotations.insert("about".into(), "all".into());
    let (digest, len_bytes) = store.put(&index.to_bytes().unwrap()).unwrap();
    let index = Descriptor::new(media_type::INDEX, digest.clone(), len_bytes);
    store.tag(&[name.parse().unwrap()], &index).unwrap();
    // Images without a name are removed from the index file.
    for image in images.iter().map(ToString::to_string) {
        let _ = store.remove(&[image], Pruning::Remove).unwrap();
    }
    (digest, images)
}

#[test]
fn copies_on_this_machine_keep_every_platform() {
    let place = place();
    let (index, _) = put_index(&place, "mp");
    let printed = format!("{index}\n");
    assert_eq!(place.done(&["mp", "again"]), printed);
    assert_eq!(place.done(&["mp", "mp"]), printed);
    assert_eq!(place.done(&["mp", "oci:layout:x"]), printed);
    assert_eq!(place.done(&["oci:layout:x", "oci-archive:a.tar"]), printed);
    assert_eq!(place.done(&["oci-archive:a.tar", "docker-archive:b.tar:y"]), printed);
    assert_eq!(place.done(&["docker-archive:b.tar", "back"]), printed);
    let archive = place.run(&["back", "-"], b"");
    assert_eq!(place.done_with(&["-", "piped"], &archive.stdout), printed);
    let store = place.store();
    for name in ["mp", "again", "back", "piped"] {
        assert_eq!(store.resolve(name).unwrap().digest, index, "{name}");
    }
    store.check(MaxSize::default(), |finding| panic!("{finding}")).unwrap();
    Store::open(&place.path("layout"))
        .unwrap()
        .check(MaxSize::default(), |finding| panic!("{finding}"))
        .unwrap();
}

#[test]
fn registries_keep_every_platform_and_a_pull_takes_this_machines() {
    require!(Peer("docker-registry"));
    let (place, registry) = (place(), Registry::start(Setup::default()));
    let (index, images) = put_index(&place, "mp");
    let printed = format!("{index}\n");
    let (one, two) = (registry.name("a/mp:1"), registry.name("b/mp:1"));
    assert_eq!(place.done(&["mp", &one, "--compress=none"]), printed);
    assert_eq!(place.done(&[&one, &two]), printed);
    assert_eq!(place.done(&[&two, "oci:all:x"]), printed);

    // Into a store of its own, this machine's alone.
    let pulled = |args: &[&str]| {
        let output = place.run(&[args, &["--store", "other"]].concat(), b"");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{said}");
        (String::from_utf8(output.stdout).unwrap(), said)
    };
    let host = platforms()[0].to_string();
    let (digest, said) = pulled(&[&two, "pulled"]);
    assert_eq!(digest, format!("{}\n", images[0]));
    let note = format!("img-copy: {two}: {host}, one platform of 3; --all takes all\n");
    assert_eq!(said, note);
    let store = Store::open(&place.path("other")).unwrap();
    assert_eq!(store.resolve("pulled").unwrap().digest, images[0]);
    // The index's digest finds it, also when nothing else is left, and offline.
    assert_eq!(store.prune(Pruning::Remove).unwrap().blobs.len(), 0);
    store.check(MaxSize::default(), |finding| panic!("{finding}")).unwrap();
    let pinned = format!("whatever:1@{index}");
    let (digest, _) = pulled(&[&pinned, "oci:from-pinned:x"]);
    assert_eq!(digest, format!("{}\n", images[0]));
    let (digest, _) = pulled(&[&pinned, "again"]);
    assert_eq!(digest, format!("{}\n", images[0]));
    // A copy in the store is still the index's.
    store.remove(&["pulled".into()], Pruning::Remove).unwrap().pop().unwrap().unwrap();
    drop(store.prune(Pruning::Remove).unwrap());
    assert_eq!(store.resolve(&index.to_string()).unwrap().digest, index);
    for entry in store.entries().unwrap().iter() {
        assert!(store.contains(&entry.descriptor().unwrap()), "{entry:?}");
    }

    // The push sends one platform, and says so.
    let (digest, said) = pulled(&["again", &registry.name("c/mp:1"), "--compress=none"]);
    assert_eq!(digest, format!("{}\n", images[0]));
    assert_eq!(said, format!("img-copy: again: {host}, one platform of 3\n"));

    // More on demand: all, or some, with what is attached to them.
    assert_eq!(pulled(&[&two, "all", "--all"]), (printed, String::new()));
    let wanted = format!("{host},{}", platforms()[2]);
    let (digest, said) = pulled(&[&two, "some", "--platform", &wanted]);
    assert_eq!(said, "");
    let some = store.resolve("some").unwrap();
    assert_eq!(digest, format!("{}\n", some.digest));
    let bytes = store.document(&some).unwrap();
    let some: Index = serde_json::from_slice(&bytes).unwrap();
    let digests: Vec<&Digest> = some.manifests.iter().map(|entry| &entry.digest).collect();
    assert_eq!(digests[..2], [&images[0], &images[2]]);
    assert_eq!(some.manifests.len(), 3, "the attestation of the first goes with it");
    assert_eq!(some.manifests[1].annotations["note"], "2");
    assert_eq!(some.annotations["about"], "all");
    let (printed, said) = place.failed(&[&two, "none", "--platform", "plan9/amd64"]);
    assert_eq!(printed, "");
    assert!(said.contains("no image for platform plan9/amd64: there is "), "{said}");
}

#[test]
fn of_an_index_the_platforms_that_are_there_are_copied() {
    let place = place();
    let (index, images) = put_index(&place, "mp");
    fs::remove_file(place.store().blob_path(&images[1])).unwrap();
    let output = place.run(&["mp", "oci:new:x"], b"");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, "img-copy: mp: 3 manifests of its index, which is not all there\n");
    let new = Store::open(&place.path("new")).unwrap();
    let copy = new.resolve("x").unwrap();
    assert_ne!(copy.digest, index);
    new.check(MaxSize::default(), |finding| panic!("{finding}")).unwrap();
    let copy: Index = serde_json::from_slice(&new.document(&copy).unwrap()).unwrap();
    let digests: Vec<&Digest> = copy.manifests.iter().map(|entry| &entry.digest).collect();
    assert_eq!(digests[..2], [&images[0], &images[2]]);
    // --all copies all platforms or fails.
    let (_, said) = place.failed(&["mp", "oci:newer:x", "--all"]);
    assert!(said.contains(&format!("blob {} is missing", images[1])), "{said}");
    // The other platform is not offered.
    let (_, said) = place.failed(&["mp", "x", "--platform", &platforms()[1].to_string()]);
    assert!(!said.contains("is missing"), "{said}");
    assert!(said.contains("no image for platform"), "{said}");
}
