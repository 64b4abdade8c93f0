//! Debian's `docker-registry`, with storage of its own, for one test.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{free_port, wait_for};

/// What `htpasswd -B` makes of the password `secret`.
pub(crate) const HTPASSWD: &str =
    "me:$2b$04$g9xmoqIxuMChMuR/K6vFue.5wQrQVDe4m6srgmyyeufgbjvTtANau\n";

/// A running registry; it ends with the test.
pub(crate) struct Registry {
    child: Child,
    folder: tempfile::TempDir,
    port: u16,
}

/// How the registry is set up.
#[derive(Default, Clone, Copy)]
pub(crate) struct Setup<'s> {
    /// Whether it wants the user `me` with the password `secret`.
    pub(crate) password: bool,
    /// A folder with `cert.pem` and `key.pem`.
    pub(crate) tls: Option<&'s Path>,
}

impl Registry {
    pub(crate) fn start(setup: Setup<'_>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let port = free_port();
        let mut config = format!(
            "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n\
             storage: {{filesystem: {{rootdirectory: {}}}}}\n\
             validation: {{manifests: {{urls: {{allow: ['^https://example\\.org/']}}}}}}\n\
             http:\n  addr: 127.0.0.1:{port}\n",
            path("data")
        );
        if let Some(folder) = setup.tls {
            let file = |name: &str| folder.join(name).display().to_string();
            config += &format!(
                "  tls: {{certificate: {}, key: {}}}\n",
                file("cert.pem"),
                file("key.pem")
            );
        }
        if setup.password {
            fs::write(path("htpasswd"), HTPASSWD).unwrap();
            config += &format!("auth: {{htpasswd: {{realm: test, path: {}}}}}\n", path("htpasswd"));
        }
        fs::write(path("config.yml"), config).unwrap();
        let log = fs::File::options().create(true).append(true).open(path("log")).unwrap();
        let mut command = Command::new("docker-registry");
        command.args(["serve", &path("config.yml")]).stdin(Stdio::null());
        command.stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn().unwrap();
        wait_for(port);
        Self { child, folder, port }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// `docker://` and the registry, to be followed by a name.
    pub(crate) fn name(&self, name: &str) -> String {
        format!("docker://localhost:{}/{name}", self.port)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
