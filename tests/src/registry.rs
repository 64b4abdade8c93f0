//! Debian's `docker-registry`, with storage of its own, for one test.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// What `htpasswd -B` makes of the password `secret`.
pub const HTPASSWD: &str = "me:$2b$04$g9xmoqIxuMChMuR/K6vFue.5wQrQVDe4m6srgmyyeufgbjvTtANau\n";

/// A running registry; it ends with the test.
#[derive(Debug)]
pub struct Registry {
    child: Child,
    folder: tempfile::TempDir,
    port: u16,
}

/// How the registry is set up.
#[derive(Debug, Default, Clone, Copy)]
pub struct Setup<'s> {
    /// Whether it wants the user `me` with the password `secret`.
    pub password: bool,
    /// Whether it takes away manifests.
    pub deletes: bool,
    /// A folder with `cert.pem` and `key.pem`.
    pub tls: Option<&'s Path>,
}

impl Registry {
    /// Starts one.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(setup: Setup<'_>) -> Self {
        // Another process may take the port between the search and the registry.
        for _ in 0..10 {
            if let Some(registry) = Self::start_on(free_port(), setup) {
                return registry;
            }
        }
        panic!("docker-registry does not start");
    }

    fn start_on(port: u16, setup: Setup<'_>) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let mut config = format!(
            "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n\
             storage: {{filesystem: {{rootdirectory: {}}}, delete: {{enabled: {}}}}}\n\
             validation: {{manifests: {{urls: {{allow: ['^https://example\\.org/']}}}}}}\n\
             http:\n  addr: 127.0.0.1:{port}\n",
            path("data"),
            setup.deletes
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
        let mut registry = Self { child: command.spawn().unwrap(), folder, port };
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if registry.child.try_wait().unwrap().is_some() {
                return None;
            }
            assert!(Instant::now() < deadline, "nobody listens on port {port}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(registry)
    }

    /// Where it keeps what it has.
    #[must_use]
    pub fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    /// The port that it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `docker://` and the registry, to be followed by a name.
    #[must_use]
    pub fn name(&self, name: &str) -> String {
        format!("docker://localhost:{}/{name}", self.port)
    }
}

/// A port that nobody listens on, of those that the kernel gives to nobody who does
/// not ask for one by number.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 12_000 + (std::process::id() % 1_000) as u16 * 16;
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let ports = std::iter::repeat_with(|| first + NEXT.fetch_add(1, Ordering::Relaxed) % 4_000);
    ports.take(4_000).find(is_free).unwrap()
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
