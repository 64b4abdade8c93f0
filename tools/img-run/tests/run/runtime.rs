//! The same by a runtime of the OCI.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::support::{in_each_role, text};

/// Whether an OCI runtime is where the tool looks for one.
pub(crate) fn has_runtime(name: &str) -> bool {
    let folders = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"];
    let found = folders.iter().any(|folder| Path::new(folder).join(name).is_file());
    if !found {
        layerutils_tests::requirement::skip(&format!(" (with {name})"), "it is not installed");
    }
    found
}

#[test]
fn an_oci_runtime_runs_the_same_command() {
    in_each_role(|scratch| {
        let shared = scratch.path("shared");
        fs::create_dir(&shared).unwrap();
        fs::write(shared.join("data"), "data\n").unwrap();
        let volume = format!("{}:/link/deep/er:ro", shared.display());
        let temporary = scratch.path("temporary");
        assert!(scratch.as_role("mkdir").arg(&temporary).status().unwrap().success());
        let bin = scratch.path("runtimes");
        fs::create_dir(&bin).unwrap();
        for name in ["crun", "runc"] {
            if !has_runtime(name) {
                continue;
            }
            let run = |arguments: &[&str]| {
                let mut tool = scratch.as_role("env");
                // runc is looked for in the system's own folders, crun only here.
                let path = if name == "crun" { Path::new("/usr/bin") } else { &bin };
                tool.arg(format!("PATH={}", path.display()));
                tool.arg(format!("TMPDIR={}", temporary.display())).arg(scratch.path("img-run"));
                tool.args(["--isolation", "oci"]).args(arguments);
                tool.stdin(Stdio::null()).output().unwrap()
            };
            let script = "pwd; cat /etc/deep/er/data; touch /etc/deep/er/x 2>/dev/null || \
                          echo -ro; grep -c Seccomp:.2 /proc/self/status; busybox hostname; exit 7";
            let words = ["-v", &volume, "--entrypoint", "", "app", "sh", "-c", script];
            let output = run(&words);
            let expected = "/made\ndata\n-ro\n1\nlayerutils\n";
            assert_eq!(text(&output.stdout), expected, "{name} {output:?}");
            assert_eq!(output.status.code(), Some(7));
            let status =
                |words: &[&str]| run(&[&["--entrypoint", "", "app"], words].concat()).status.code();
            assert_eq!(status(&["/no/such"]), Some(127), "{name}");
            let programs = format!("{}:/programs", scratch.path("base/bin").display());
            let on_volume =
                ["-v", &programs, "--entrypoint", "", "app", "/programs/busybox", "true"];
            assert_eq!(run(&on_volume).status.code(), Some(0), "{name}: a program on a volume");
            assert_eq!(status(&["/etc/passwd"]), Some(126), "{name}");
            assert_eq!(status(&["sh", "-c", "sh -c 'kill -9 $$'; exit $?"]), Some(137), "{name}");
            // The runtime passes on what comes out of its own terminal, and crun 1.8 on a busy
            // machine not always what came last.
            let script = "tty; sleep 0.5; exit 3";
            let terminal = run(&["-t", "--entrypoint", "", "app", "sh", "-c", script]);
            assert!(text(&terminal.stdout).contains("/dev/pts/0\r\n"), "{name} {terminal:?}");
            assert_eq!(terminal.status.code(), Some(3), "{name}");
        }
        let left: Vec<_> = fs::read_dir(temporary).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    });
}
