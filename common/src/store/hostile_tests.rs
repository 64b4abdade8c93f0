//! A layout that somebody else filled leads nobody out of it, and keeps nobody waiting.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType};

use super::super::{Location, Pruning, Store};
use super::{image, name};
use crate::compression::MaxSize;
use crate::oci::Descriptor;

/// A store with an image, and a stray blob that pruning would remove.
fn victim(folder: &Path) -> (PathBuf, Descriptor) {
    let dir = folder.join("victim");
    let store = Store::create(&dir).unwrap();
    let image = image(&store, "victim");
    store.tag(&[name("victim")], &image).unwrap();
    store.put(b"stray").unwrap();
    (dir, image)
}

/// Every name below a directory, with its length and link count.
fn snapshot(dir: &Path) -> Vec<(PathBuf, u64, u64)> {
    let mut found = Vec::new();
    let mut waiting = vec![dir.to_path_buf()];
    while let Some(path) = waiting.pop() {
        let metadata = path.symlink_metadata().unwrap();
        if metadata.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            found.push((path, metadata.len(), metadata.nlink()));
        }
    }
    found.sort();
    found
}

#[test]
fn links_for_directories_lead_nowhere() {
    for linked in ["blobs", "blobs/sha256", "blobs/sha512"] {
        let folder = tempfile::tempdir().unwrap();
        let (victim, _) = victim(folder.path());
        fs::create_dir_all(victim.join("blobs/sha512")).unwrap();
        fs::write(victim.join("blobs/sha512").join("0".repeat(128)), "stray").unwrap();
        let before = snapshot(&victim);
        let dir = folder.path().join("hostile");
        let store = Store::create(&dir).unwrap();
        let kept = image(&store, "1");
        store.tag(&[name("hostile")], &kept).unwrap();
        drop(store);
        let _ = fs::remove_dir_all(dir.join(linked));
        symlink(victim.join(linked), dir.join(linked)).unwrap();

        let open = || Store::open(&dir).unwrap();
        for pruning in [Pruning::Tell, Pruning::Remove] {
            let error = open().prune(pruning).unwrap_err();
            let source = std::error::Error::source(&error).unwrap().to_string();
            assert!(source.starts_with("a symbolic link"), "{linked}: {source}");
            assert!(open().prune_without(&["hostile:latest".into()], pruning).is_err());
        }
        assert!(open().check(MaxSize::default(), |_| {}).is_err(), "{linked}");
        if linked != "blobs/sha512" {
            assert!(open().put(b"new").is_err(), "{linked}");
            assert!(open().tag(&[name("other")], &kept).is_err(), "{linked}");
        }
        assert_eq!(snapshot(&victim), before, "{linked}");
        // Names need no blobs.
        assert!(open().remove(&["hostile".into()], Pruning::Remove).unwrap()[0].is_ok());
    }
}

#[test]
fn links_to_blobs_are_read_and_only_the_links_removed() {
    let folder = tempfile::tempdir().unwrap();
    let (victim, image) = victim(folder.path());
    let dir = folder.path().join("linked");
    fs::create_dir_all(dir.join("blobs/sha256")).unwrap();
    for name in ["oci-layout", "index.json"] {
        symlink(victim.join(name), dir.join(name)).unwrap();
    }
    for blob in fs::read_dir(victim.join("blobs/sha256")).unwrap() {
        let blob = blob.unwrap();
        symlink(blob.path(), dir.join("blobs/sha256").join(blob.file_name())).unwrap();
    }
    let before = snapshot(&victim);
    let store = Store::open(&dir).unwrap();
    assert_eq!(store.resolve("victim").unwrap().digest, image.digest);
    store.document(&image).unwrap();
    assert!(store.tag(&[name("a")], &image).is_err(), "an index from elsewhere is not changed");
    assert!(store.prune(Pruning::Remove).is_err());
    fs::remove_file(dir.join("index.json")).unwrap();
    fs::copy(victim.join("index.json"), dir.join("index.json")).unwrap();
    let (stray, _) = store.put(b"stray").unwrap();
    let own = store.blob_path(&stray);
    assert!(own.symlink_metadata().unwrap().is_file(), "our own blobs are ours");
    assert_eq!(store.prune(Pruning::Remove).unwrap().blobs.len(), 1);
    assert!(own.symlink_metadata().is_err());
    assert_eq!(snapshot(&victim), before);
}

#[test]
fn nothing_is_written_through_what_was_planted() {
    for planted in [".layerutils-index.json", ".layerutils-reserve"] {
        for is_hard in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let outside = folder.path().join("outside");
            fs::write(&outside, "precious").unwrap();
            let dir = folder.path().join("store");
            let store = Location::at(dir.clone()).create().unwrap();
            let _ = fs::remove_file(dir.join(planted));
            match is_hard {
                true => fs::hard_link(&outside, dir.join(planted)).unwrap(),
                false => symlink(&outside, dir.join(planted)).unwrap(),
            }
            let image = image(&store, "1");
            store.tag(&[name("a")], &image).unwrap();
            store.remove(&["a".into()], Pruning::Remove).unwrap();
            assert_eq!(fs::read(&outside).unwrap(), b"precious", "{planted}");
        }
    }
}

#[test]
fn locks_are_files_of_the_store() {
    for lock in [".layerutils-index.lock", ".layerutils-blobs.lock"] {
        let folder = tempfile::tempdir().unwrap();
        let outside = folder.path().join("outside");
        let dir = folder.path().join("store");
        let kept = image(&Store::create(&dir).unwrap(), "1");
        fs::remove_file(dir.join(lock)).unwrap();
        symlink(&outside, dir.join(lock)).unwrap();
        let add = || {
            let store = Store::create(&dir)?;
            store.add(&kept)
        };
        assert!(add().is_err(), "{lock}");
        assert!(outside.symlink_metadata().is_err(), "{lock} made a file outside");
        fs::remove_file(dir.join(lock)).unwrap();
        rustix::fs::mknodat(CWD, dir.join(lock), FileType::Fifo, 0o600.into(), 0).unwrap();
        assert!(add().is_err(), "{lock}");
        fs::remove_file(dir.join(lock)).unwrap();
        add().unwrap();
    }
}

#[test]
fn special_files_keep_nobody_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("store");
    let store = Store::create(&dir).unwrap();
    let (digest, len_bytes) = store.put(b"content").unwrap();
    let image = image(&store, "1");
    store.tag(&[name("a")], &image).unwrap();
    drop(store);
    let blob = Descriptor::new("", digest.clone(), len_bytes);
    let blob_name = format!("blobs/sha256/{}", digest.hex());
    for name in ["oci-layout", "index.json", &blob_name] {
        let path = dir.join(name);
        let original = fs::read(&path).unwrap();
        for plant in ["fifo", "zero", "directory", "socket"] {
            fs::remove_file(&path).unwrap();
            match plant {
                "fifo" => {
                    rustix::fs::mknodat(CWD, &path, FileType::Fifo, 0o600.into(), 0).unwrap();
                }
                "zero" => symlink("/dev/zero", &path).unwrap(),
                "socket" => drop(std::os::unix::net::UnixListener::bind(&path).unwrap()),
                _ => fs::create_dir(&path).unwrap(),
            }
            let read = || {
                let store = Store::open(&dir)?;
                store.resolve("a")?;
                store.blob(&blob)?.read_to_end(&mut Vec::new()).map_err(super::Error::io("blob"))
            };
            assert!(read().is_err(), "{plant} for {name}");
            match plant {
                "directory" => fs::remove_dir(&path).unwrap(),
                _ => fs::remove_file(&path).unwrap(),
            }
            fs::write(&path, &original).unwrap();
        }
    }
}
