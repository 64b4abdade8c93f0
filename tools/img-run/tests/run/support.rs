//! A store with an image, for root and for an ordinary user.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use common::oci::Descriptor;
use common::store::{Name, Store};
use layerutils_tests::requirement::{Requirement, is_root, skip};

/// An id that nobody has.
pub(crate) const USER: u32 = 54_322;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Root,
    User,
}

/// A scratch directory with a store that holds the image `app`.
pub(crate) struct Scratch {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) role: Role,
    /// The ordinary user's ids.
    pub(crate) ids: (u32, u32),
}

pub(crate) fn copy(from: &str, to: &Path) {
    assert!(Command::new("cp").arg(from).arg(to).status().unwrap().success());
}

/// A static busybox.
pub(crate) fn busybox() -> Option<&'static str> {
    let found = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| {
        Command::new(path).arg("--list").output().is_ok_and(|output| output.status.success())
    });
    if found.is_none() {
        skip("", "no busybox (Debian: busybox-static)");
    }
    found
}

/// The ids of a user of this machine that has subordinate ones.
pub(crate) fn subordinate_user() -> Option<(u32, u32)> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let (passwd, subuid, subgid) = (read("/etc/passwd"), read("/etc/subuid"), read("/etc/subgid"));
    passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let prefix = format!("{}:", fields.first()?);
        let has = |table: &str| table.lines().any(|line| line.starts_with(&prefix));
        (has(&subuid) && has(&subgid))
            .then_some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
    })
}

/// Runs `test` as root and as an ordinary user, as far as that can be had.
pub(crate) fn in_each_role(test: impl Fn(&Scratch)) {
    let Some(busybox) = busybox() else { return };
    if is_root() {
        test(&Scratch::new(Role::Root, busybox, (0, 0)));
    } else {
        skip(" (as root)", "this process is not root");
    }
    let scratch = Scratch::new(Role::User, busybox, (USER, USER));
    match Requirement::UserNamespace.check() {
        Ok(()) => test(&scratch),
        Err(reason) => skip(" (as an ordinary user)", &reason),
    }
}

impl Scratch {
    pub(crate) fn new(role: Role, busybox: &str, ids: (u32, u32)) -> Self {
        let dir = tempfile::Builder::new().prefix("img-run-test.").tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let scratch = Self { dir, role, ids };
        copy(env!("CARGO_BIN_EXE_img-run"), &scratch.path("img-run"));
        let base = scratch.path("base");
        for name in ["bin", "etc", "srv"] {
            fs::create_dir_all(base.join(name)).unwrap();
        }
        copy(busybox, &base.join("bin/busybox"));
        for name in ["sh", "ls", "cat", "id", "env", "pwd", "tty", "grep", "touch", "stat", "ip"] {
            symlink("busybox", base.join("bin").join(name)).unwrap();
        }
        for name in ["unshare", "mount", "sleep", "mkdir", "rm", "echo"] {
            symlink("busybox", base.join("bin").join(name)).unwrap();
        }
        fs::write(base.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\napp:x:7:8::/srv:\n")
            .unwrap();
        fs::write(base.join("etc/group"), "app:x:8:\nmore:x:9:app\n").unwrap();
        symlink("/etc", base.join("link")).unwrap();
        scratch.store(&base);
        if role == Role::User && is_root() {
            chown(scratch.dir.path(), Some(ids.0), Some(ids.1)).unwrap();
        }
        scratch
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn store(&self, base: &Path) {
        let tar = Command::new("tar")
            .args(["--owner=0", "--group=0", "--numeric-owner"])
            .args(["--xattrs", "--xattrs-include=security.capability", "-C"])
            .arg(base)
            .args(["-cf", "-", "."])
            .output()
            .unwrap();
        let store = Store::create(&self.path("store")).unwrap();
        let (layer, layer_len) = store.put(&tar.stdout).unwrap();
        let config = format!(
            r#"{{"architecture":"{}","os":"linux","config":{{"Entrypoint":["echo","hello"],
            "Cmd":["world"],"Env":["FROM=image","A=image"],"WorkingDir":"/made"}},
            "rootfs":{{"type":"layers","diff_ids":["{layer}"]}}}}"#,
            common::oci::Platform::host().architecture,
        );
        let (config, config_len) = store.put(config.as_bytes()).unwrap();
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
            "config":{{"mediaType":"application/vnd.oci.image.config.v1+json",
            "digest":"{config}","size":{config_len}}},
            "layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar",
            "digest":"{layer}","size":{layer_len}}}]}}"#,
        );
        let (manifest, len) = store.put(manifest.as_bytes()).unwrap();
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let name: Name = "app".parse().unwrap();
        store.tag(&[name], &Descriptor::new(media_type, manifest, len)).unwrap();
    }

    pub(crate) fn as_role(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = if self.role == Role::User && is_root() {
            let mut command = Command::new("setpriv");
            let ids = [format!("--reuid={}", self.ids.0), format!("--regid={}", self.ids.1)];
            command.args(ids).args(["--clear-groups", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(self.dir.path()).env_clear().env("PATH", "/usr/bin:/bin:/usr/sbin");
        command.env("HOME", self.dir.path()).env("XDG_CACHE_HOME", self.path("cache"));
        command.env("LAYERUTILS_STORE", self.path("store"));
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let mut tool = self.as_role(self.path("img-run"));
        tool.args(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// What a shell script prints that must succeed in silence.
    #[track_caller]
    pub(crate) fn sh(&self, options: &[&str], script: &str) -> String {
        let words = [options, &["--entrypoint", "", "app", "sh", "-c", script]].concat();
        let output = self.run(&words);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*stderr), (Some(0), ""), "{script}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Makes a copy of busybox insist on capabilities of the first 32, as setcap(8) would.
pub(crate) fn insist(program: &Path, capabilities: u32) {
    copy(busybox().unwrap(), program);
    let words = [0x0200_0001, capabilities, 0, 0, 0].map(u32::to_le_bytes).concat();
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(program, "security.capability", &words, flags).unwrap();
}

pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}
