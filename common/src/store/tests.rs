//! What the store promises, on a real file system.

#[path = "hostile_tests.rs"]
mod hostile;
#[path = "naming_tests.rs"]
mod naming;

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::thread;

use super::{Error, Name, Pruning, Removed, Store, lock};
use crate::digest::Digest;
use crate::oci::{Descriptor, Manifest, media_type};

/// A config that is told apart by `text`.
fn config(text: &str) -> Vec<u8> {
    format!("{{\"author\":\"{text}\"}}").into_bytes()
}

fn image(store: &Store, text: &str) -> Descriptor {
    let (digest, len) = store.put(&config(text)).unwrap();
    let config = Descriptor::new(media_type::CONFIG, digest, len);
    let manifest = Manifest::new(config, Vec::new()).to_bytes().unwrap();
    let (digest, len) = store.put(&manifest).unwrap();
    Descriptor::new(media_type::MANIFEST, digest, len)
}

/// The digest of what [`image`] puts into a store.
fn manifest_of(text: &str) -> Digest {
    let config = config(text);
    let config = Descriptor::new(media_type::CONFIG, Digest::of(&config), config.len() as u64);
    Digest::of(&Manifest::new(config, Vec::new()).to_bytes().unwrap())
}

fn remove(store: &Store, text: &str, pruning: Pruning) -> Result<Removed, Error> {
    store.remove(&[text.to_owned()], pruning)?.pop().unwrap()
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn names(store: &Store) -> Vec<String> {
    let images = store.images().unwrap();
    images.iter().map(|image| image.ref_name().unwrap_or("-").to_owned()).collect()
}

#[test]
fn a_new_store_in_which_nothing_was_put_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let (top, dir) = (folder.path().join("a"), folder.path().join("a/b/store"));
    drop(Store::create(&dir).unwrap().unmade_if_empty());
    assert!(fs::symlink_metadata(top).is_err());
    // A directory that was there stays, without the layout.
    fs::create_dir_all(&dir).unwrap();
    drop(Store::create(&dir).unwrap().unmade_if_empty());
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
    // So does a store that was there, one that somebody else uses, and one with a blob.
    drop(Store::create(&dir).unwrap());
    drop(Store::create(&dir).unwrap().unmade_if_empty());
    assert!(dir.join("oci-layout").is_file());
    fs::remove_dir_all(&dir).unwrap();
    let first = Store::create(&dir).unwrap().unmade_if_empty();
    let second = Store::create(&dir).unwrap();
    drop(first);
    image(&second, "x");
    drop(second);
    fs::remove_dir_all(&dir).unwrap();
    let store = Store::create(&dir).unwrap().unmade_if_empty();
    image(&store, "x");
    drop(store);
    assert_eq!(Store::open(&dir).unwrap().blobs().unwrap().len(), 2);
}

#[test]
fn a_new_store_that_another_still_uses_stays_and_one_that_is_gone_takes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let store = Store::create(dir).unwrap().unmade_if_empty();
    let other = Store::open(dir).unwrap();
    let lock = lock::index(&other.dir).unwrap();
    drop(store);
    assert!(dir.join("oci-layout").is_file());
    // A thread that waits for the lock of a removed index gets the lock of the new one.
    thread::scope(|scope| {
        let waiting = scope.spawn(|| lock::index(&other.dir).unwrap());
        thread::sleep(std::time::Duration::from_millis(200));
        fs::remove_file(dir.join(lock::INDEX)).unwrap();
        drop(lock);
        assert_eq!(waiting.join().unwrap().metadata().unwrap().nlink(), 1);
    });
    fs::remove_file(dir.join("oci-layout")).unwrap();
    assert!(matches!(other.put(b"x"), Err(Error::Io { .. })));
    assert_eq!(fs::read_dir(dir.join("blobs/sha256")).unwrap().count(), 0);
}

#[test]
fn who_opens_a_store_while_another_removes_it_gets_a_whole_one() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("a/store");
    thread::scope(|scope| {
        for number in 0..8 {
            let dir = &dir;
            scope.spawn(move || {
                for turn in 0..100 {
                    let store = Store::create(dir).unwrap().unmade_if_empty();
                    if turn == 99 {
                        let image = image(&store, &number.to_string());
                        store.tag(&[name(&format!("n{number}"))], &image).unwrap();
                    }
                }
            });
        }
    });
    let store = Store::open(&dir).unwrap();
    assert_eq!(names(&store).len(), 8);
    store.check(crate::compression::MaxSize::default(), |finding| panic!("{finding}")).unwrap();
}

#[test]
fn a_new_store_is_a_layout_and_only_an_empty_folder_becomes_one() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("a/store");
    assert!(matches!(Store::open(&dir), Err(Error::Missing(_))));
    let store = Store::create(&dir).unwrap();
    assert_eq!(store.images().unwrap(), []);
    assert_eq!(fs::read(dir.join("oci-layout")).unwrap(), br#"{"imageLayoutVersion":"1.0.0"}"#);
    assert!(dir.join("blobs/sha256").is_dir());

    fs::remove_file(dir.join("oci-layout")).unwrap();
    Store::create(&dir).expect("an interrupted creation is finished");
    let full = folder.path().join("full");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("x"), "").unwrap();
    assert!(matches!(Store::create(&full), Err(Error::NotALayout(_))));
    assert_eq!(fs::read_dir(&full).unwrap().count(), 1);
    fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"2.0.0"}"#).unwrap();
    assert!(matches!(Store::open(&dir), Err(Error::Document { .. })));
}

#[test]
fn a_blob_is_there_only_once_it_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path()).unwrap();
    let files = |dir: &str| fs::read_dir(folder.path().join(dir)).unwrap().count();
    let before = files(".");
    let mut dropped = store.writer().unwrap();
    dropped.write_all(b"half").unwrap();
    drop(dropped);
    assert_eq!((files("."), files("blobs/sha256")), (before, 0));

    let first = store.put(b"whole").unwrap();
    assert_eq!(store.put(b"whole").unwrap(), first);
    assert_eq!((files("."), files("blobs/sha256")), (before, 1));
    assert_eq!(first, (Digest::of(b"whole"), 5));

    fs::write(store.blob_path(&first.0), "whol").unwrap();
    store.put(b"whole").unwrap();
    assert_eq!(
        fs::read(store.blob_path(&first.0)).unwrap(),
        b"whole",
        "a damaged blob is replaced"
    );
    assert_eq!(files("."), before);
}

#[test]
fn damaged_blobs_are_found_before_their_last_byte_is_given_out() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path()).unwrap();
    let (digest, len) = store.put(b"content").unwrap();
    let blob = Descriptor::new(media_type::LAYER, digest.clone(), len);
    let mut text = String::new();
    store.blob(&blob).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "content");

    fs::write(store.blob_path(&digest), "CONTENT").unwrap();
    let mut exact = [0; 7];
    let error = store.blob(&blob).unwrap().read_exact(&mut exact).unwrap_err();
    assert!(error.to_string().starts_with("digest mismatch: expected sha256:"), "{error}");
    fs::write(store.blob_path(&digest), "content and more").unwrap();
    assert!(matches!(store.blob(&blob), Err(Error::Size { expected: 7, actual: 16, .. })));
    fs::remove_file(store.blob_path(&digest)).unwrap();
    assert!(matches!(store.blob(&blob), Err(Error::NoBlob(_))));
}

#[test]
fn names_move_and_what_loses_its_name_stays_by_digest() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path()).unwrap();
    let (one, two) = (image(&store, "1"), image(&store, "2"));
    store.add(&one).unwrap();
    store.tag(&[name("app"), name("docker.io/library/app:1")], &one).unwrap();
    assert_eq!(names(&store), ["app:latest", "app:1"]);
    store.tag(&[name("app")], &two).unwrap();
    assert_eq!(names(&store), ["app:1", "app:latest"], "the first image still has a name");
    store.tag(&[name("app:1")], &two).unwrap();
    assert_eq!(names(&store), ["app:latest", "-", "app:1"]);

    assert_eq!(store.resolve("app").unwrap().digest, two.digest);
    assert_eq!(store.resolve("docker.io/library/app:1").unwrap().digest, two.digest);
    assert_eq!(store.resolve(&one.digest.to_string()).unwrap().digest, one.digest);
    assert_eq!(store.resolve(one.digest.short()).unwrap().digest, one.digest);
    assert_eq!(
        store.resolve(Digest::of(&config("1")).short()).unwrap().digest,
        one.digest,
        "by its config"
    );
    assert!(matches!(store.resolve("sha256:"), Err(Error::Name(_))));
    assert!(matches!(store.resolve("nope"), Err(Error::NoImage { .. })));
    assert!(matches!(store.resolve("No Pe"), Err(Error::Name(_))));

    assert!(matches!(
        remove(&store, &two.digest.to_string(), Pruning::Remove),
        Err(Error::SeveralNames { .. })
    ));
    assert_eq!(remove(&store, "app", Pruning::Tell).unwrap(), Removed::Name("app:latest".into()));
    assert_eq!(remove(&store, "app", Pruning::Remove).unwrap(), Removed::Name("app:latest".into()));
    assert!(matches!(remove(&store, "app", Pruning::Remove), Err(Error::NoImage { .. })));
    assert_eq!(names(&store), ["-", "app:1"]);
    // It could be a name: an image must not go because its digest begins so.
    let bare = remove(&store, one.digest.short(), Pruning::Remove);
    assert!(matches!(bare, Err(Error::NoImage { .. })));
    assert_eq!(
        remove(&store, &format!("sha256:{}", one.digest.short()), Pruning::Remove).unwrap(),
        Removed::Image(one.digest)
    );
    assert_eq!(
        remove(&store, &format!("sha256:{}", two.digest.short()), Pruning::Remove).unwrap(),
        Removed::Name("app:1".into())
    );
    assert_eq!(names(&store), Vec::<String>::new());
}

#[test]
fn names_of_other_tools_are_found_as_they_stand() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path()).unwrap();
    let one = image(&store, "1");
    store.tag_as(&["1.2+rc".into(), "latest".into()], &one).unwrap();
    assert_eq!(store.resolve("1.2+rc").unwrap().digest, one.digest);
    assert_eq!(store.resolve("latest").unwrap().digest, one.digest);
}

#[test]
fn what_another_process_names_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path()).unwrap();
    let (one, other) = (image(&store, "one"), image(&store, "other"));
    store.tag(&[name("a")], &one).unwrap();
    let reader = Store::open(folder.path()).unwrap();
    for _ in 0..3 {
        assert_eq!(reader.resolve("a").unwrap().digest, one.digest);
        assert_eq!(reader.entries().unwrap().with_digest(&one.digest.to_string()).len(), 1);
    }
    store.tag(&[name("a")], &other).unwrap();
    for _ in 0..3 {
        assert_eq!(reader.resolve("a").unwrap().digest, other.digest);
        assert_eq!(reader.entries().unwrap().with_digest(&one.digest.to_string()).len(), 1);
    }
    assert!(reader.resolve("b").is_err());
}

#[test]
fn nothing_is_lost_when_many_tag_at_once() {
    let folder = tempfile::tempdir().unwrap();
    Store::create(folder.path()).unwrap();
    let add = |dir: &Path, worker: usize| {
        for number in 0..8 {
            let store = Store::create(dir).unwrap();
            let text = format!("{worker}-{number}");
            let image = image(&store, &text);
            store.tag(&[name(&text)], &image).unwrap();
        }
    };
    let dir = folder.path();
    thread::scope(|scope| {
        for worker in 0..8 {
            scope.spawn(move || add(dir, worker));
        }
    });
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(store.images().unwrap().len(), 64);
    for image in store.images().unwrap() {
        store.document(&image).unwrap();
    }
}

#[test]
fn a_hostile_index_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path()).unwrap();
    for text in [
        "",
        "{}",
        r#"{"schemaVersion":2,"manifests":[{"mediaType":"x","digest":"sha256:../../x","size":1}]}"#,
        r#"{"schemaVersion":2,"manifests":[{"mediaType":"x","digest":"sha256:00","size":-1}]}"#,
        r#"{"schemaVersion":2,"manifests":[],"layers":[]}"#,
    ] {
        fs::write(folder.path().join("index.json"), text).unwrap();
        assert!(store.images().is_err(), "{text}");
        assert!(store.tag(&[name("a")], &image(&store, "1")).is_err());
        assert_eq!(fs::read(folder.path().join("index.json")).unwrap(), text.as_bytes());
    }
}

#[test]
fn pruning_keeps_what_names_reach() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path()).unwrap();
    let (kept, lost) = (image(&store, "kept"), image(&store, "lost"));
    store.tag(&[name("kept")], &kept).unwrap();
    store.add(&lost).unwrap();
    store.put(b"stray").unwrap();
    fs::write(folder.path().join("blobs/sha256/notes.txt"), "").unwrap();
    drop(store);
    let store = Store::open(folder.path()).unwrap();
    let told = store.prune(Pruning::Tell).unwrap();
    assert_eq!((told.images.as_slice(), told.blobs.len()), (&[lost.digest.clone()][..], 3));
    assert!(store.contains(&lost));
    assert_eq!(store.prune(Pruning::Remove).unwrap(), told);
    store.put(b"stray").unwrap();
    assert_eq!(store.prune(Pruning::Remove).unwrap().len_bytes(), 5, "not kept by its own lock");
    assert_eq!((store.contains(&kept), store.contains(&lost)), (true, false));
    assert_eq!(store.blobs().unwrap().len(), 2);
    assert!(folder.path().join("blobs/sha256/notes.txt").is_file());
    assert_eq!(names(&store), ["kept:latest"]);

    fs::remove_file(store.blob_path(&kept.digest)).unwrap();
    drop(store);
    let store = Store::open(folder.path()).unwrap();
    assert!(store.prune(Pruning::Remove).is_err(), "what the image needs is not known");
}

#[test]
fn pruning_waits_for_those_who_add() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path()).unwrap();
    let added = image(&store, "new");
    let dir = folder.path();
    thread::scope(|scope| {
        let pruned = scope.spawn(move || Store::open(dir).unwrap().prune(Pruning::Remove).unwrap());
        thread::sleep(std::time::Duration::from_millis(50));
        assert!(!pruned.is_finished());
        store.tag(&[name("new")], &added).unwrap();
        drop(store);
        assert_eq!(pruned.join().unwrap(), super::Pruned::default());
    });
}

#[test]
fn pruning_does_not_wait_for_ever_for_its_own_process() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path()).unwrap();
    let added = image(&store, "new");
    let other = Store::open(folder.path()).unwrap();
    assert!(matches!(other.prune(Pruning::Remove), Err(Error::Busy(_))));
    // Nor does one that adds itself, which goes on adding where it has to give up.
    let third = Store::create(folder.path()).unwrap();
    assert!(matches!(third.prune(Pruning::Remove), Err(Error::Busy(_))));
    store.tag(&[name("new")], &added).unwrap();
    drop(store);
    assert!(matches!(other.prune(Pruning::Remove), Err(Error::Busy(_))), "the third still adds");
    drop(third);
    assert_eq!(other.prune(Pruning::Remove).unwrap(), super::Pruned::default());
}
