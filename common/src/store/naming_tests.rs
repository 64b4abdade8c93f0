//! Lookup of images: by name, digest, beginning of a digest, and by names of other tools.

use std::fs;
use std::path::PathBuf;

use super::{image, manifest_of, name, names, remove};
use crate::digest::Digest;
use crate::oci::{Descriptor, media_type};
use crate::store::{Error, Pruning, Store};

/// A store with the image `app`, and the path of its index.
fn with_app() -> (tempfile::TempDir, Store, Descriptor, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path()).unwrap();
    let one = image(&store, "1");
    store.tag(&[name("app")], &one).unwrap();
    let path = folder.path().join("index.json");
    (folder, store, one, path)
}

#[test]
fn an_ambiguous_beginning_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path()).unwrap();
    // Two images whose digests begin with the same four digits.
    let mut seen = std::collections::HashMap::new();
    let (first, second) = (0..)
        .find_map(|number: u32| {
            let text = number.to_string();
            let prefix = manifest_of(&text).hex()[..4].to_owned();
            Some((seen.insert(prefix, text.clone())?, text))
        })
        .unwrap();
    let one = image(&store, &first);
    store.add(&one).unwrap();
    let prefix = &one.digest.hex()[..4];
    for found in [prefix.to_owned(), format!("sha256:{prefix}")] {
        assert_eq!(store.resolve(&found).unwrap().digest, one.digest);
        // Too short to mean anything, and never enough where a digest has to be whole.
        assert!(matches!(store.resolve(&found[..found.len() - 1]), Err(Error::NoImage { .. })));
        assert!(matches!(store.resolve_exactly(&found), Err(Error::NoImage { .. })));
    }
    assert_eq!(store.resolve_exactly(&one.digest.to_string()).unwrap().digest, one.digest);
    store.add(&image(&store, &second)).unwrap();
    for prefix in [prefix.to_owned(), format!("sha256:{prefix}")] {
        let found = store.resolve(&prefix);
        assert!(matches!(found, Err(Error::AmbiguousDigest { count: 2, .. })), "{found:?}");
    }
    // An exact name wins, and a pinned digest over the name before it.
    store.tag(&[name(prefix)], &one).unwrap();
    assert_eq!(store.resolve(prefix).unwrap().digest, one.digest);
    let pinned = format!("other:1@{}", one.digest);
    assert_eq!(store.resolve(&pinned).unwrap().digest, one.digest);
    assert!(store.resolve(&format!("other@{}", Digest::of(b"no"))).is_err());
    assert!(store.resolve("other@sha256:0").is_err());
}

#[test]
fn the_index_of_an_image_is_found_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path()).unwrap();
    let one = image(&store, "1");
    let absent = Descriptor::new(media_type::MANIFEST, Digest::of(b"absent"), 6);
    let bytes = crate::oci::Index::new(vec![one.clone(), absent]).to_bytes().unwrap();
    let index = Digest::of(&bytes);
    let kept = store.keep_index(&one, &index, &bytes).unwrap();
    store.tag(&[name("app")], &kept).unwrap();
    assert_eq!(store.prune(Pruning::Remove).unwrap(), crate::store::Pruned::default());
    for text in [index.to_string(), format!("app:9@{index}")] {
        assert_eq!(store.resolve(&text).unwrap().digest, index, "{text}");
        assert_eq!(store.resolve_exactly(&text).unwrap().digest, index, "{text}");
    }
    // With the last name of the image, the index goes too.
    remove(&store, "app", Pruning::Remove).unwrap();
    let pruned = store.prune(Pruning::Remove).unwrap();
    assert!(pruned.blobs.contains_key(&index), "{pruned:?}");
    assert!(store.resolve(&index.to_string()).is_err());
}

#[test]
fn docker_s_annotations_name_an_image() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path()).unwrap();
    let (mut one, two) = (image(&store, "1"), image(&store, "2"));
    one.annotations.insert("io.containerd.image.name".into(), "example.org/team/app:v1".into());
    one.annotations.insert(crate::oci::REF_NAME.into(), "v1".into());
    let index = crate::oci::Index::new(vec![one.clone()]).to_bytes().unwrap();
    fs::write(folder.path().join("index.json"), index).unwrap();
    assert_eq!(store.resolve("example.org/team/app:v1").unwrap().digest, one.digest);
    store.tag(&[name("example.org/team/app:v1")], &two).unwrap();
    assert_eq!(store.resolve("example.org/team/app:v1").unwrap().digest, two.digest);
    assert_eq!(names(&store), ["-", "example.org/team/app:v1"]);
}

#[test]
fn a_digest_of_another_algorithm_is_in_nobodys_way() {
    let (_folder, store, one, path) = with_app();
    let text = fs::read_to_string(&path).unwrap();
    let foreign = r#"{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"blake3:abc","size":1,"annotations":{"org.opencontainers.image.ref.name":"other:1"}},"#;
    let text = text.replacen("\"manifests\":[", &format!("\"manifests\":[{foreign}"), 1);
    fs::write(&path, &text).unwrap();
    assert_eq!(store.resolve("app").unwrap().digest, one.digest);
    assert!(store.resolve("other:1").is_err());
    store.check(crate::compression::MaxSize::default(), |finding| panic!("{finding}")).unwrap();
    let pruned = store.prune(Pruning::Remove).unwrap();
    assert_eq!(pruned, crate::store::Pruned::default());
    assert!(fs::read_to_string(&path).unwrap().contains("blake3:abc"));
    for bad in ["blake3:", "blake3:../x", "sha256:zz", "Blake:ab", ":ab", "blake3"] {
        fs::write(&path, text.replace("blake3:abc", bad)).unwrap();
        assert!(store.resolve("app").is_err(), "{bad}");
    }
}

#[test]
fn docker_s_list_is_an_index_too() {
    let (_folder, store, one, path) = with_app();
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace(media_type::INDEX, media_type::DOCKER_INDEX)).unwrap();
    assert_eq!(store.resolve("app").unwrap().digest, one.digest);
    store.tag(&[name("more")], &one).unwrap();
    assert_eq!(store.resolve("more").unwrap().digest, one.digest);
}
