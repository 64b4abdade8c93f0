//! A store with images, and the tool run on it.

#![allow(clippy::unwrap_used, dead_code)]

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use common::digest::{DiffId, Digest};
use common::oci::{Descriptor, ImageConfig, Manifest, media_type};
use common::store::Store;
use common::tar::{Entry, Kind, Writer, Xattrs};
use common::time::Timestamp;

pub(crate) struct Place(tempfile::TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn store(&self) -> Store {
        Store::create(&self.path("store")).unwrap()
    }

    pub(crate) fn run(&self, args: &[&str], input: Stdio) -> Output {
        Command::new(env!("CARGO_BIN_EXE_img-ls"))
            .args(args)
            .current_dir(self.0.path())
            .env_clear()
            .env("LAYERUTILS_STORE", self.path("store"))
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("TZ", "UTC")
            .stdin(input)
            .output()
            .unwrap()
    }

    /// Runs, expects success and silence, and returns what was printed.
    pub(crate) fn done(&self, args: &[&str]) -> String {
        let output = self.run(args, Stdio::null());
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs, expects status 2 and returns what was printed and what was said.
    pub(crate) fn failed(&self, args: &[&str]) -> (String, String) {
        let output = self.run(args, Stdio::null());
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    }

    /// An image of one layer for each length, each with a file of that length.
    pub(crate) fn image(&self, names: &[&str], created: &str, lens: &[usize]) -> Digest {
        let store = self.store();
        let put = |media_type: &str, bytes: &[u8]| {
            let (digest, len_bytes) = store.put(bytes).unwrap();
            Descriptor::new(media_type, digest, len_bytes)
        };
        let mut config = ImageConfig::scratch(&"linux/amd64".parse().unwrap());
        config.created = Some(created.into());
        config.config.env = vec!["A=1".into()];
        let layers: Vec<Vec<u8>> = lens.iter().map(|&len| layer(len)).collect();
        config.rootfs.diff_ids = layers.iter().map(|layer| DiffId(Digest::of(layer))).collect();
        let layers = layers.iter().map(|layer| put(media_type::LAYER, layer)).collect();
        let config = put(media_type::CONFIG, &config.to_bytes().unwrap());
        let image = put(media_type::MANIFEST, &Manifest::new(config, layers).to_bytes().unwrap());
        let names: Vec<_> = names.iter().map(|name| name.parse().unwrap()).collect();
        store.tag(&names, &image).unwrap();
        image.digest
    }
}

fn layer(len: usize) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    let entry = Entry {
        path: b"file".to_vec(),
        kind: Kind::File,
        mode: 0o644,
        uid: 0,
        gid: 0,
        mtime: Timestamp::EPOCH,
        len_bytes: len as u64,
        xattrs: Xattrs::new(),
    };
    writer.append(&entry, vec![b'x'; len].as_slice()).unwrap();
    writer.finish().unwrap()
}
