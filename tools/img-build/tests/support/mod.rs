//! A context, a store and a home that vanish; the tool run in a cleared
//! environment; and what it made, in a form that can be compared.

#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub)]
#![allow(dead_code)] // Each test file uses its part.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use common::oci::{ImageConfig, Manifest};
use common::tar;

pub(crate) struct Bench {
    pub(crate) dir: tempfile::TempDir,
    /// `setpriv` in front of the tool, for a test as an ordinary user.
    prefix: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
}

/// What a build printed.
pub(crate) struct Built {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) status: i32,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("img-build-test-").tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["ctx", "home", "tmp"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        let at = |name: &str| dir.path().join(name).display().to_string();
        let env = [
            ("PATH", std::env::var("PATH").unwrap()),
            ("LC_ALL", "C".into()),
            ("TZ", "UTC".into()),
            ("HOME", at("home")),
            ("TMPDIR", at("tmp")),
            ("XDG_CACHE_HOME", at("cache")),
            ("LAYERUTILS_STORE", at("store")),
            ("BUILDKIT_PROGRESS", "none".into()),
            ("LAYERUTILS_PULL", "never".into()),
        ];
        let env = env.map(|(name, value)| (name.to_owned(), value)).into();
        let bench = Self { dir, prefix: Vec::new(), env };
        // What no other context has.
        bench.write("nonce", &format!("{:?}", bench.dir.path()));
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file of the context, its parents made.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path("ctx").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn chmod(&self, name: &str, mode: u32) {
        let path = self.path("ctx").join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(crate) fn link(&self, name: &str, target: &str) {
        std::os::unix::fs::symlink(target, self.path("ctx").join(name)).unwrap();
    }

    pub(crate) fn run(&self, arguments: &[&str], stdin: &[u8]) -> Built {
        let output = self.output(arguments, stdin);
        let left: Vec<_> = fs::read_dir(self.path("tmp")).unwrap().collect();
        assert!(left.is_empty(), "left in TMPDIR: {left:?}");
        Built {
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            status: output.status.code().unwrap_or(-1),
        }
    }

    /// The command line.
    pub(crate) fn words(&self, arguments: &[&str]) -> Vec<String> {
        let tool = env!("CARGO_BIN_EXE_img-build").to_owned();
        let arguments = arguments.iter().map(|word| (*word).to_owned());
        self.prefix.iter().cloned().chain([tool]).chain(arguments).collect()
    }

    pub(crate) fn output(&self, arguments: &[&str], stdin: &[u8]) -> Output {
        let words = self.words(arguments);
        let mut child = Command::new(&words[0])
            .args(&words[1..])
            .env_clear()
            .envs(&self.env)
            .current_dir(self.dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let _ = child.stdin.take().unwrap().write_all(stdin);
        child.wait_with_output().unwrap()
    }

    /// Builds the context; the image.
    pub(crate) fn build(&self, containerfile: &str) -> Image {
        self.build_with(containerfile, &[])
    }

    pub(crate) fn build_with(&self, containerfile: &str, arguments: &[&str]) -> Image {
        self.write("Containerfile", containerfile);
        let built = self.run(&[arguments, &["ctx"]].concat(), b"");
        assert_eq!((built.stderr.as_str(), built.status), ("", 0), "{containerfile}");
        self.image(built.stdout.trim())
    }

    /// Builds something that must fail; the message.
    pub(crate) fn fail(&self, containerfile: &str) -> String {
        self.write("Containerfile", containerfile);
        let built = self.run(&["ctx"], b"");
        assert_eq!((built.stdout.as_str(), built.status), ("", 2), "{containerfile}");
        let index = fs::read_to_string(self.path("store/index.json")).unwrap_or_default();
        assert!(!index.contains("digest"), "an image came of a failure: {index}");
        built.stderr
    }

    /// The same with images in the store that were built before.
    pub(crate) fn fail_in(&self, containerfile: &str) -> String {
        self.write("Containerfile", containerfile);
        let built = self.run(&["ctx"], b"");
        assert_eq!((built.stdout.as_str(), built.status), ("", 2), "{containerfile}");
        built.stderr
    }

    /// The cache mounts that there are.
    pub(crate) fn caches(&self) -> Vec<PathBuf> {
        let caches = fs::read_dir(self.path("cache/layerutils/mounts")).into_iter().flatten();
        caches.map(|entry| entry.unwrap().path()).collect()
    }

    /// Builds and tells of each step that can be cached whether it was.
    pub(crate) fn hits(&self, arguments: &[&str]) -> Vec<bool> {
        let built = self.run(&[arguments, &["--explain", "ctx"]].concat(), b"");
        assert_eq!(built.status, 0, "{}", built.stderr);
        let lines = built.stderr.lines();
        let outcomes = lines.filter_map(|line| {
            line.split_once(": STEP ")?.1.split_once(": ").map(|(_, text)| text)
        });
        outcomes
            .filter_map(|text| match text {
                "cached" => Some(true),
                _ if text.starts_with("miss: ") => Some(false),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn image(&self, digest: &str) -> Image {
        let blob = |digest: &str| {
            let (kind, hex) = digest.split_once(':').unwrap();
            fs::read(self.path("store/blobs").join(kind).join(hex)).unwrap()
        };
        let manifest: Manifest = serde_json::from_slice(&blob(digest)).unwrap();
        let config = ImageConfig::parse(&blob(&manifest.config.digest.to_string())).unwrap();
        let layers = manifest.layers.iter().map(|layer| blob(&layer.digest.to_string())).collect();
        Image { digest: digest.to_owned(), config, layers }
    }

    /// The same bench, which ends a build that takes longer than a minute.
    pub(crate) fn in_time(mut self) -> Self {
        self.prefix.splice(0..0, ["timeout".to_owned(), "60".to_owned()]);
        self
    }

    /// Whether the tool is run as an ordinary user.
    pub(crate) fn is_user(&self) -> bool {
        self.prefix.iter().any(|word| word == "setpriv") || !nix::unistd::geteuid().is_root()
    }

    /// The same bench for an ordinary user of one id, `None` where there can be none.
    pub(crate) fn for_user(self) -> Option<Self> {
        match nix::unistd::geteuid().is_root() {
            true => self.for_ids(54321, 54321),
            false => Some(self),
        }
    }

    /// The same bench for another user, `None` where root does not run it.
    pub(crate) fn for_ids(mut self, uid: u32, gid: u32) -> Option<Self> {
        let (uid, gid) = (uid.to_string(), gid.to_string());
        let own = format!("{uid}:{gid}");
        let own = Command::new("chown").args(["-R", &own]).arg(self.dir.path()).status();
        if !own.is_ok_and(|status| status.success()) {
            return None;
        }
        // The build directory may be out of the user's reach.
        let tool = self.path("img-build");
        let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_img-build")).arg(&tool).status();
        assert!(copied.unwrap().success());
        let script = r#"shift; exec "$0" "$@""#;
        self.prefix =
            ["setpriv", "--reuid", &uid, "--regid", &gid, "--clear-groups", "sh", "-c", script]
                .map(str::to_owned)
                .into();
        self.prefix.push(tool.display().to_string());
        Some(self)
    }
}

/// What a build made.
pub(crate) struct Image {
    pub(crate) digest: String,
    pub(crate) config: ImageConfig,
    pub(crate) layers: Vec<Vec<u8>>,
}

impl Image {
    /// The members of a layer: `TYPE MODE UID:GID PATH`, and what tells more.
    pub(crate) fn list(&self, layer: usize) -> Vec<String> {
        let mut reader = tar::Reader::new(
            self.layers[layer].as_slice(),
            tar::Limits::default(),
            tar::Whole::ByMarker,
        );
        let mut lines = Vec::new();
        while let Some(entry) = reader.next_entry().unwrap() {
            let mut text = String::new();
            let path = String::from_utf8_lossy(&entry.path).into_owned();
            let (kind, more) = match &entry.kind {
                tar::Kind::File => {
                    reader.content().read_to_string(&mut text).unwrap();
                    ('f', format!(" {:?}", text))
                }
                tar::Kind::Directory => ('d', String::new()),
                tar::Kind::Symlink { target } => {
                    ('l', format!(" -> {}", String::from_utf8_lossy(target)))
                }
                tar::Kind::HardLink { target } => {
                    ('h', format!(" => {}", String::from_utf8_lossy(target)))
                }
                other => ('?', format!(" {other:?}")),
            };
            lines.push(format!(
                "{kind} {:04o} {}:{} {path}{more}",
                entry.mode, entry.uid, entry.gid
            ));
        }
        lines
    }

    /// The last layer.
    pub(crate) fn last(&self) -> Vec<String> {
        self.list(self.layers.len() - 1)
    }

    pub(crate) fn history(&self) -> Vec<String> {
        let entries = self.config.history.iter();
        entries
            .map(|entry| match entry.empty_layer {
                true => format!("- {}", entry.created_by),
                false => format!("+ {}", entry.created_by),
            })
            .collect()
    }
}

/// Records that the test, or what is left of it, did not run.
pub(crate) fn skip(why: &str) {
    layerutils_tests::requirement::skip("", why);
}

/// A busybox that needs no libraries.
pub(crate) fn busybox() -> Option<&'static Path> {
    let path = Path::new("/bin/busybox");
    let output = Command::new("ldd").arg(path).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).contains("not a dynamic executable").then_some(path)
}

/// A bench with a static busybox as /bin/sh in the image `bb`.
pub(crate) fn with_busybox() -> Option<Bench> {
    let busybox = busybox()?;
    let bench = Bench::new();
    std::fs::copy(busybox, bench.path("ctx/busybox")).unwrap();
    bench.write("Base", "FROM scratch\nCOPY busybox /bin/sh\nCOPY busybox /bin/busybox\n");
    let built = bench.run(&["-t", "bb", "-f", "ctx/Base", "ctx"], b"");
    assert_eq!((built.stderr.as_str(), built.status), ("", 0));
    Some(bench)
}
