//! A store with images, and one tool run on it: for the tests beside each tool of
//! images, which know their binary from cargo and need no other.
//!
//! Tests of several tools together use a [`crate::sandbox`].

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use common::digest::{DiffId, Digest};
use common::image::{Image, Reference};
use common::oci::{Descriptor, History, ImageConfig, Manifest, media_type};
use common::store::{Location, Store};
use common::tar::{Entry, Kind, Writer, Xattrs};
use common::time::Timestamp;

/// A folder with a store, and the tool under test.
#[derive(Debug)]
pub struct Place {
    folder: tempfile::TempDir,
    tool: PathBuf,
}

impl Place {
    /// An empty place for the tool whose binary is `tool`: `env!("CARGO_BIN_EXE_...")`.
    #[must_use]
    pub fn new(tool: &str) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap(), tool: tool.into() };
        fs::create_dir(place.path("tmp")).unwrap();
        place
    }

    /// `name` in the folder, which commands start in.
    #[must_use]
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The store, made where it is not there yet.
    #[must_use]
    pub fn store(&self) -> Store {
        Store::create(&self.path("store")).unwrap()
    }

    /// The image that `reference` names as the tool would take it: in the store, or at a
    /// path from the folder on.
    #[must_use]
    pub fn image(&self, reference: &str) -> Image {
        let transports = ["oci:", "oci-archive:", "docker-archive:"];
        let path = transports.iter().find_map(|transport| {
            let path = reference.strip_prefix(transport).filter(|path| !path.starts_with('/'))?;
            Some(format!("{transport}{}", self.path(path).display()))
        });
        let reference = path.as_deref().unwrap_or(reference);
        let reference = Reference::parse(reference.as_ref()).unwrap();
        common::image::open(&reference, None, &Location::at(self.path("store"))).unwrap()
    }

    /// The tool with `args`, which reads nothing, in an environment that is all its own.
    #[must_use]
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.tool);
        command.args(args).current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command.env("LAYERUTILS_STORE", self.path("store"));
        command.env("XDG_CACHE_HOME", self.path("cache"));
        command.env("TMPDIR", self.path("tmp"));
        command.env("TZ", "UTC").env("SOURCE_DATE_EPOCH", "1700000000");
        command
    }

    /// Runs the tool on `input`.
    ///
    /// # Panics
    /// If it leaves something in TMPDIR.
    #[must_use]
    pub fn run(&self, args: &[&str], input: &[u8]) -> Output {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut pipe = child.stdin.take().unwrap();
        let output = std::thread::scope(|scope| {
            // A tool that refuses its arguments does not read.
            scope.spawn(move || pipe.write_all(input));
            child.wait_with_output().unwrap()
        });
        assert_eq!(fs::read_dir(self.path("tmp")).unwrap().count(), 0, "TMPDIR is empty again");
        output
    }

    /// Runs, expects success and silence, and returns what was printed.
    ///
    /// # Panics
    /// If it fails, or says anything.
    #[must_use]
    #[track_caller]
    pub fn done(&self, args: &[&str]) -> String {
        self.done_with(args, b"")
    }

    /// As [`Place::done`], on `input`.
    ///
    /// # Panics
    /// If it fails, or says anything.
    #[must_use]
    #[track_caller]
    pub fn done_with(&self, args: &[&str], input: &[u8]) -> String {
        let output = self.run(args, input);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs, expects status 2, and returns what was printed and what was said.
    ///
    /// # Panics
    /// If it ends otherwise.
    #[track_caller]
    pub fn failed(&self, args: &[&str]) -> (String, String) {
        let output = self.run(args, b"");
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    }

    /// Puts an image of one layer for each length into the store, each with a file of
    /// that length.
    pub fn put_image(&self, names: &[&str], created: &str, lens: &[usize]) -> Digest {
        let mut config = ImageConfig::scratch(&"linux/amd64".parse().unwrap());
        config.created = Some(created.into());
        config.config.env = vec!["A=1".into()];
        let layers: Vec<Vec<u8>> = lens.iter().map(|&len| layer_of(len)).collect();
        let layers: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
        self.put(names, config, &layers, |_| {})
    }

    /// Puts an image into the store whose history has these steps, each with its layer or
    /// without one.
    pub fn put_steps(
        &self,
        name: &str,
        mut config: ImageConfig,
        steps: &[(&str, Option<&[u8]>)],
    ) -> Digest {
        let step = |(created_by, layer): &(&str, Option<&[u8]>)| History {
            created_by: (*created_by).into(),
            empty_layer: layer.is_none(),
            ..History::default()
        };
        config.history = steps.iter().map(step).collect();
        let layers: Vec<&[u8]> = steps.iter().filter_map(|(_, layer)| *layer).collect();
        self.put(&[name], config, &layers, |_| {})
    }

    /// Puts an image into the store: a config that is yet without its layers, and what
    /// `change` makes of the manifest.
    pub fn put(
        &self,
        names: &[&str],
        mut config: ImageConfig,
        layers: &[&[u8]],
        change: impl FnOnce(&mut Manifest),
    ) -> Digest {
        let store = self.store();
        let put = |media_type: &str, bytes: &[u8]| {
            let (digest, len_bytes) = store.put(bytes).unwrap();
            Descriptor::new(media_type, digest, len_bytes)
        };
        config.rootfs.diff_ids = layers.iter().map(|layer| DiffId(Digest::of(layer))).collect();
        let layers = layers.iter().map(|layer| put(media_type::LAYER, layer)).collect();
        let config = put(media_type::CONFIG, &config.to_bytes().unwrap());
        let mut manifest = Manifest::new(config, layers);
        change(&mut manifest);
        let image = put(media_type::MANIFEST, &manifest.to_bytes().unwrap());
        let names: Vec<_> = names.iter().map(|name| name.parse().unwrap()).collect();
        store.tag(&names, &image).unwrap();
        image.digest
    }

    /// Puts an image into the store whose only layer is the blob `bytes`, which the config
    /// says inflates to something of the digest `diff_id`.
    pub fn put_claim(&self, name: &str, bytes: &[u8], diff_id: &Digest) -> Digest {
        let store = self.store();
        let put = |media_type: &str, bytes: &[u8]| {
            let (digest, len_bytes) = store.put(bytes).unwrap();
            Descriptor::new(media_type, digest, len_bytes)
        };
        let mut config = ImageConfig::scratch(&"linux/amd64".parse().unwrap());
        config.rootfs.diff_ids = vec![DiffId(diff_id.clone())];
        let layer = put(media_type::LAYER_GZIP, bytes);
        let config = put(media_type::CONFIG, &config.to_bytes().unwrap());
        let manifest = Manifest::new(config, vec![layer]);
        let image = put(media_type::MANIFEST, &manifest.to_bytes().unwrap());
        store.tag(&[name.parse().unwrap()], &image).unwrap();
        image.digest
    }
}

/// A layer with these files.
#[must_use]
pub fn layer(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (name, content) in files {
        let entry = Entry {
            path: (*name).into(),
            kind: Kind::File,
            mode: 0o644,
            uid: 0,
            gid: 0,
            mtime: Timestamp::EPOCH,
            len_bytes: content.len() as u64,
            xattrs: Xattrs::new(),
        };
        writer.append(&entry, *content).unwrap();
    }
    writer.finish().unwrap()
}

/// A layer with one file of this length.
#[must_use]
pub fn layer_of(len: usize) -> Vec<u8> {
    layer(&[("file", &vec![b'x'; len])])
}
