//! The tool through its binary, as root and as an ordinary user.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use common::oci::Descriptor;
use common::store::{Name, Store};

/// An id that nobody has.
const USER: u32 = 54_322;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Root,
    User,
}

/// A scratch directory with a store that holds the image `app`.
struct Scratch {
    dir: tempfile::TempDir,
    role: Role,
    /// The ordinary user's ids.
    ids: (u32, u32),
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

fn copy(from: &str, to: &Path) {
    assert!(Command::new("cp").arg(from).arg(to).status().unwrap().success());
}

/// A static busybox.
fn busybox() -> Option<&'static str> {
    let found = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| {
        Command::new(path).arg("--list").output().is_ok_and(|output| output.status.success())
    });
    if found.is_none() {
        layerutils_tests::requirement::skip("", "no busybox (Debian: busybox-static)");
    }
    found
}

/// The ids of a user of this machine that has subordinate ones.
fn subordinate_user() -> Option<(u32, u32)> {
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
fn in_each_role(test: impl Fn(&Scratch)) {
    let Some(busybox) = busybox() else { return };
    if is_root() {
        test(&Scratch::new(Role::Root, busybox, (0, 0)));
    } else {
        layerutils_tests::requirement::skip(" (as root)", "this process is not root");
    }
    let scratch = Scratch::new(Role::User, busybox, (USER, USER));
    let probe = scratch.as_role("unshare").args(["--user", "--map-root-user", "true"]).output();
    match probe {
        Ok(output) if output.status.success() => test(&scratch),
        _ => layerutils_tests::requirement::skip(
            " (as an ordinary user)",
            "no user namespaces, or no unshare(1)",
        ),
    }
}

impl Scratch {
    fn new(role: Role, busybox: &str, ids: (u32, u32)) -> Self {
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

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn store(&self, base: &Path) {
        let tar = Command::new("tar")
            .args(["--owner=0", "--group=0", "--numeric-owner", "-C"])
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

    fn as_role(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = if self.role == Role::User && is_root() {
            let mut command = Command::new("setpriv");
            let ids = [format!("--reuid={}", self.ids.0), format!("--regid={}", self.ids.1)];
            command.args(ids).args(["--clear-groups", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(self.dir.path()).env_clear().env("PATH", "/usr/bin:/bin:/usr/sbin");
        command.env("HOME", self.dir.path()).env("LAYERUTILS_STORE", self.path("store"));
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut tool = self.as_role(self.path("img-run"));
        tool.args(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// What a shell script prints that must succeed in silence.
    #[track_caller]
    fn sh(&self, options: &[&str], script: &str) -> String {
        let words = [options, &["--entrypoint", "", "app", "sh", "-c", script]].concat();
        let output = self.run(&words);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*stderr), (Some(0), ""), "{script}");
        String::from_utf8(output.stdout).unwrap()
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn the_images_own_command_runs() {
    in_each_role(|scratch| {
        assert_eq!(text(&scratch.run(&["app"]).stdout), "hello world\n");
        assert_eq!(text(&scratch.run(&["app", "you", "--help"]).stdout), "hello you --help\n");
        assert_eq!(text(&scratch.run(&["--entrypoint", "pwd", "app"]).stdout), "/made\n");
        let none = scratch.run(&["--entrypoint", "", "app"]);
        assert_eq!(none.status.code(), Some(125));
        let missing = scratch.run(&["no-such-image"]);
        assert_eq!(missing.status.code(), Some(125));
    });
}

#[test]
fn environment_directory_and_streams() {
    in_each_role(|scratch| {
        fs::write(scratch.path("file"), "F=file\nA=file\n").unwrap();
        let env = scratch.sh(&["--env-file", "file", "-e", "A=option", "-e", "HOME=/x"], "env");
        for line in ["FROM=image", "F=file", "A=option", "HOME=/x", "HOSTNAME=layerutils"] {
            assert!(env.lines().any(|found| found == line), "{line} in {env}");
        }
        assert_eq!(scratch.sh(&["-w", "new/one"], "pwd; echo $HOME"), "/made/new/one\n/root\n");
        let mut tool = scratch.as_role(scratch.path("img-run"));
        tool.args(["--entrypoint", "cat", "app"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = tool.spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"through").unwrap();
        assert_eq!(child.wait_with_output().unwrap().stdout, b"through");
    });
}

#[test]
fn changes_are_discarded_kept_or_refused() {
    in_each_role(|scratch| {
        assert_eq!(scratch.sh(&[], "echo x > /new; rm -r /srv; mkdir /srv; ls -A /srv"), "");
        assert_eq!(scratch.sh(&[], "ls -d /new /srv 2>&1 | grep -c such"), "1\n");
        scratch.sh(&["--upper", "up"], "echo x > /new");
        let mut kept: Vec<_> = fs::read_dir(scratch.path("up"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        kept.sort();
        // The working directory was made for the command.
        assert_eq!(kept, ["made", "new"]);
        let script = "touch /new 2>/dev/null || echo refused; touch /t/new && echo written";
        let options = ["--read-only", "-w", "/", "--tmpfs", "/t:size=64k,mode=700"];
        assert_eq!(scratch.sh(&options, script), "refused\nwritten\n");
    });
}

#[test]
fn device_nodes_of_the_host_cannot_be_changed() {
    in_each_role(|scratch| {
        // Root that may not make nodes of its own has the host's, as an ordinary user does.
        let mut tool = match scratch.role {
            Role::Root => {
                let mut tool = scratch.as_role("setpriv");
                tool.args(["--bounding-set=-mknod", "--inh-caps=-mknod"]);
                tool.arg(scratch.path("img-run"));
                tool
            }
            Role::User => scratch.as_role(scratch.path("img-run")),
        };
        // To the mode that it has.
        let script = "echo x >/dev/null && busybox chmod 666 /dev/null 2>&1";
        let words = ["--entrypoint", "", "app", "sh", "-c", script];
        let output = tool.args(words).stdin(Stdio::null()).output().unwrap();
        assert_eq!(text(&output.stdout), "chmod: /dev/null: Read-only file system\n");
    });
}

#[test]
fn without_proc_it_says_so_and_unpacks_nothing() {
    in_each_role(|scratch| {
        if scratch.role == Role::User {
            // Who is not root cannot take /proc away.
            return;
        }
        let mut shell = scratch.as_role("unshare");
        shell.args(["--mount", "sh", "-c", "umount -l /proc && exec \"$0\" app"]);
        let output = shell.arg(scratch.path("img-run")).output().unwrap();
        assert_eq!(output.status.code(), Some(125));
        let said = "img-run: cannot start a sandbox: No such file or directory\n\
                    img-run: hint: /proc must be mounted: ";
        assert!(text(&output.stderr).starts_with(said), "{output:?}");
    });
}

#[test]
fn no_device_of_a_volume_or_a_tmpfs_opens_unless_it_is_named() {
    in_each_role(|scratch| {
        if scratch.role == Role::User {
            // Who is not root has no devices.
            return;
        }
        let devices = scratch.path("devices");
        fs::create_dir(&devices).unwrap();
        let zero = devices.join("zero");
        let made = Command::new("mknod").arg(&zero).args(["c", "1", "5"]).status().unwrap();
        assert!(made.success());
        let volumes = [format!("{}:/all", devices.display()), format!("{}:/one", zero.display())];
        let options = ["-v", &volumes[0], "-v", &volumes[1], "--tmpfs", "/t"];
        let script = "busybox mknod /t/zero c 1 5; for device in /all/zero /t/zero /one; do \
                      busybox head -c 1 $device 2>&1 | busybox wc -c | grep -c '^1$'; done; true";
        assert_eq!(scratch.sh(&options, script), "0\n0\n1\n");
    });
}

#[test]
fn programs_on_a_tmpfs_run_where_they_are_let() {
    in_each_role(|scratch| {
        let script = "cp /bin/busybox /t/echo 2>/dev/null || cat /bin/busybox > /t/echo; \
                      busybox chmod 755 /t/echo; stat -c %a /t; /t/echo runs 2>/dev/null || echo refused";
        assert_eq!(scratch.sh(&["--tmpfs", "/t"], script), "1777\nrefused\n");
        let options = ["--tmpfs", "/t:exec,mode=755,nosuid,nodev"];
        assert_eq!(scratch.sh(&options, script), "755\nruns\n");
        let refused = scratch.run(&["--tmpfs", "/t:dev", "app"]);
        assert_eq!(refused.status.code(), Some(2));
    });
}

#[test]
fn what_is_no_place_for_a_mount_is_named() {
    in_each_role(|scratch| {
        let file = scratch.path("file");
        fs::write(&file, "").unwrap();
        let on = |source: &Path, target: &str| {
            let volume = format!("{}:{target}", source.display());
            let refused = scratch.run(&["-v", &volume, "app"]);
            assert_eq!(refused.status.code(), Some(125));
            text(&refused.stderr).to_owned()
        };
        let said = on(&file, "/srv");
        assert_eq!(said, "img-run: cannot mount on /srv: it is a directory\n");
        let said = on(scratch.dir.path(), "/etc/passwd");
        assert_eq!(said, "img-run: cannot mount on /etc/passwd: it is no directory\n");
        let names = scratch.run(&["--hostname", "a\n127.0.0.1 example.org", "app"]);
        assert_eq!(names.status.code(), Some(2), "{names:?}");
    });
}

#[test]
fn volumes_follow_links_inside_and_only_there() {
    in_each_role(|scratch| {
        let shared = scratch.path("shared");
        fs::create_dir(&shared).unwrap();
        fs::write(shared.join("data"), "data").unwrap();
        if scratch.role == Role::User && is_root() {
            chown(&shared, Some(USER), Some(USER)).unwrap();
        }
        let volume = format!("{}:/link/deep/er:ro", shared.display());
        let script = "cat /etc/deep/er/data; touch /etc/deep/er/new 2>/dev/null || echo -ro";
        assert_eq!(scratch.sh(&["-v", &volume], script), "data-ro\n");
        let volume = format!("{}:/srv", shared.display());
        scratch.sh(&["-v", &volume], "echo from inside > /srv/new");
        assert_eq!(fs::read_to_string(shared.join("new")).unwrap(), "from inside\n");
        let missing = scratch.run(&["-v", "/no/such:/x", "app"]);
        assert_eq!(missing.status.code(), Some(125));
        assert!(text(&missing.stderr).starts_with("img-run: /no/such: "), "{missing:?}");
    });
}

#[test]
fn users_are_the_images() {
    in_each_role(|scratch| {
        if scratch.role == Role::Root {
            let id = |user: &str| scratch.sh(&["-u", user], "id -u; id -g; id -G; echo $HOME");
            assert_eq!(id("app"), "7\n8\n8 9\n/srv\n");
            assert_eq!(id("app:more"), "7\n9\n9\n/srv\n");
            assert_eq!(id("1234"), "1234\n0\n0\n/\n");
            // As docker has it, its own group is among the supplementary ones.
            let groups = |user: &str| scratch.sh(&["-u", user], "grep Groups: /proc/self/status");
            assert_eq!(groups("0"), "Groups:\t0 \n");
            assert_eq!(groups("app"), "Groups:\t8 9 \n");
            assert_eq!(groups("app:more"), "Groups:\t9 \n");
            // To become the last number would be to stay root.
            assert_eq!(scratch.run(&["-u", "4294967295", "app"]).status.code(), Some(125));
        } else {
            // The one id has the name that the image's user has.
            let script = "id -u; id -g; echo $HOME; touch /mine; stat -c %u:%g /mine /bin";
            let id = |user: &str| scratch.sh(&["-u", user], script);
            assert_eq!(id("0"), "0\n0\n/root\n0:0\n0:0\n");
            assert_eq!(id("app:app"), "7\n8\n/srv\n7:8\n7:8\n");
            assert_eq!(id("1234"), "1234\n0\n/\n1234:0\n1234:0\n");
            // Another id there is not, and the command is told so.
            let script = "busybox chown 5 /srv 2>&1; id -G";
            let refused = scratch.sh(&["-u", "app:app"], script);
            assert_eq!(refused, "chown: /srv: Invalid argument\n8\n");
            // Nor is there a lie in what is kept.
            let kept = scratch.run(&["-u", "app:app", "--upper", "up", "app"]);
            assert_eq!(kept.status.code(), Some(125));
            let what = "img-run: cannot become user 7:8: there is one id, and what it writes \
                        would be kept as root's\nimg-run: hint: have subordinate ids (/etc/subuid";
            assert!(text(&kept.stderr).starts_with(what), "{kept:?}");
            let groups = scratch.run(&["-u", "app", "--entrypoint", "id", "app", "-u"]);
            let warning = "img-run: warning: with one id the user is in no supplementary groups\n";
            assert_eq!((text(&groups.stdout), text(&groups.stderr)), ("7\n", warning));
        }
        let unknown = scratch.run(&["-u", "nobody-here", "app"]);
        let line = "img-run: no user \"nobody-here\" in the image's /etc/passwd\n";
        assert_eq!((unknown.status.code(), text(&unknown.stderr)), (Some(125), line));
    });
}

#[test]
fn capabilities_are_dockers() {
    in_each_role(|scratch| {
        let script = "grep -E '^(Cap|NoNewPrivs)' /proc/self/status";
        let docker = "CapInh:\t0000000000000000\nCapPrm:\t00000000a80425fb\n\
                      CapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb\n\
                      CapAmb:\t0000000000000000\nNoNewPrivs:\t";
        assert_eq!(scratch.sh(&[], script), format!("{docker}0\n"));
        assert_eq!(scratch.sh(&["--no-new-privs"], script), format!("{docker}1\n"));
        let tried = "mount -t tmpfs t /srv 2>/dev/null || echo no mount; \
                     echo 1 2>/dev/null > /proc/sys/kernel/panic || echo no sysctl; \
                     echo x 2>/dev/null > /sys/power/state || echo no sysfs";
        assert_eq!(scratch.sh(&[], tried), "no mount\nno sysctl\nno sysfs\n");
    });
}

#[test]
fn system_calls_are_filtered_as_docker_filters_them() {
    in_each_role(|scratch| {
        let script = "grep Seccomp: /proc/self/status; unshare -U true 2>&1 || echo no namespace; \
                      sh -c 'exit 3' || echo $?";
        let expected = "Seccomp:\t2\nunshare: unshare(0x10000000): Operation not permitted\n\
                        no namespace\n3\n";
        assert_eq!(scratch.sh(&[], script), expected);
    });
}

#[test]
fn without_a_network_there_is_a_loopback() {
    in_each_role(|scratch| {
        let script = "ip -o link | grep -c .; ip -o link | grep -c 'lo: <LOOPBACK,UP'; \
                      cat /etc/resolv.conf";
        assert_eq!(scratch.sh(&["--network", "none"], script), "1\n1\n");
    });
}

#[test]
fn a_terminal_of_its_own() {
    in_each_role(|scratch| {
        let script = "tty; test -t 0 && test -t 1 && test -t 2 && echo all; exec 3</dev/tty && \
                      echo controlling; exit 5";
        let words = ["-t", "--entrypoint", "", "app", "sh", "-c", script];
        let output = scratch.run(&words);
        assert_eq!(text(&output.stdout), "/dev/pts/0\r\nall\r\ncontrolling\r\n", "{output:?}");
        assert_eq!(output.status.code(), Some(5));
    });
}

#[test]
fn a_chroot_where_nothing_can_be_mounted() {
    in_each_role(|scratch| {
        // Root as docker has it: it may chroot and not mount.
        let mut tool = match scratch.role {
            Role::Root => {
                let mut tool = scratch.as_role("setpriv");
                let without = ["--bounding-set=-sys_admin", "--inh-caps=-sys_admin"];
                tool.args(without).arg(scratch.path("img-run"));
                tool
            }
            Role::User => scratch.as_role(scratch.path("img-run")),
        };
        let word = format!("5{}66", std::process::id());
        let script = format!("pwd; id -u; echo x > /new; sleep {word} & exit 6");
        let words = ["--isolation", "chroot", "--entrypoint", "", "app", "sh", "-c", &script];
        let output = tool.args(words).stdin(Stdio::null()).output().unwrap();
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(6), "/made\n0\n"));
        let left = Command::new("pgrep").args(["-f", &format!("sleep {word}")]).output().unwrap();
        assert!(left.stdout.is_empty(), "a process is left");
        let refused = scratch.run(&["--isolation", "chroot", "-t", "app"]);
        assert_eq!(refused.status.code(), Some(125));
    });
}

#[test]
fn fixed_privileges_take_none_for_a_filter() {
    in_each_role(|scratch| {
        if scratch.role == Role::User {
            return;
        }
        let run = |options: &[&str]| {
            let mut tool = scratch.as_role("setpriv");
            tool.args(["--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]);
            tool.arg(scratch.path("img-run")).args(["--isolation", "chroot"]).args(options);
            let script = "unshare -U true 2>/dev/null && echo open || echo filtered";
            let words = ["--entrypoint", "", "app", "sh", "-c", script];
            tool.args(words).stdin(Stdio::null()).output().unwrap()
        };
        let fixed = run(&["--no-new-privs"]);
        assert_eq!(text(&fixed.stdout), "filtered\n", "{fixed:?}");
        assert!(!text(&fixed.stderr).contains("system call"), "{fixed:?}");
        // Else there can be none, and that is said.
        let other = run(&[]);
        assert!(text(&other.stderr).contains("the command can make any system call"), "{other:?}");
    });
}

#[test]
fn subordinate_ids_keep_the_owners_of_files() {
    let (Some(busybox), true) = (busybox(), is_root()) else {
        layerutils_tests::requirement::skip(
            "",
            "this process is not root, to become a user with subordinate ids",
        );
        return;
    };
    let Some(ids) = subordinate_user() else {
        layerutils_tests::requirement::skip(
            "",
            "nobody in /etc/subuid and /etc/subgid (useradd makes one)",
        );
        return;
    };
    let scratch = Scratch::new(Role::User, busybox, ids);
    let script = "id -u; touch /mine; busybox chown 7:8 /mine; stat -c %u:%g /mine; exit 4";
    let run = |user: &str| {
        scratch.run(&["--map-users", "-u", user, "--entrypoint", "", "app", "sh", "-c", script])
    };
    let root = run("0");
    assert_eq!((root.status.code(), text(&root.stdout)), (Some(4), "0\n7:8\n"), "{root:?}");
    assert_eq!(text(&run("app").stdout).lines().next(), Some("7"));
    let none = Scratch::new(Role::User, busybox, (USER, USER));
    let refused = none.run(&["--map-users", "app"]);
    assert_eq!(refused.status.code(), Some(125));
    assert!(text(&refused.stderr).contains("no subordinate ids for 54322"), "{refused:?}");
    // What belongs to subordinate ids is removed by root.
    drop(scratch);
}

#[test]
fn an_ended_input_ends_a_shell_on_a_terminal() {
    in_each_role(|scratch| {
        // Interactive, so it discards what was typed before its prompt.
        let output = scratch.run(&["-t", "--entrypoint", "", "app", "sh", "-i"]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let twice = ["-t", "--entrypoint", "", "app", "sh", "-c", "cat; echo one; cat; echo two"];
        assert_eq!(text(&scratch.run(&twice).stdout), "one\r\ntwo\r\n");
    });
}

#[test]
fn the_third_termination_kills_a_command_that_ignores_it() {
    in_each_role(|scratch| {
        let script = "trap 'echo asked' TERM; echo ready; while :; do sleep 0.05; done";
        let mut tool = scratch.as_role(scratch.path("img-run"));
        tool.args(["--entrypoint", "", "app", "sh", "-c", script]);
        let mut child = tool.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let pid = child.id().to_string();
        for expected in ["ready", "asked", "asked"] {
            assert_eq!(lines.next().unwrap().unwrap(), expected);
            assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        }
        assert_eq!(child.wait().unwrap().code(), Some(137));
    });
}

/// Whether an OCI runtime is where the tool looks for one.
fn has_runtime(name: &str) -> bool {
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
                tool.arg(format!("PATH={}", path.display())).arg(scratch.path("img-run"));
                tool.args(["--isolation", "oci"]).args(arguments);
                tool.stdin(Stdio::null()).output().unwrap()
            };
            let script = "pwd; cat /etc/deep/er/data; touch /etc/deep/er/x 2>/dev/null || \
                          echo -ro; grep -c Seccomp:.2 /proc/self/status; hostname; exit 7";
            let script = script.replace("hostname", "cat /etc/hostname");
            let words = ["-v", &volume, "--entrypoint", "", "app", "sh", "-c", &script];
            let output = run(&words);
            let expected = "/made\ndata\n-ro\n1\nlayerutils\n";
            assert_eq!(text(&output.stdout), expected, "{name} {output:?}");
            assert_eq!(output.status.code(), Some(7));
            let status =
                |words: &[&str]| run(&[&["--entrypoint", "", "app"], words].concat()).status.code();
            assert_eq!(status(&["/no/such"]), Some(127), "{name}");
            assert_eq!(status(&["/etc/passwd"]), Some(126), "{name}");
            assert_eq!(status(&["sh", "-c", "sh -c 'kill -9 $$'; exit $?"]), Some(137), "{name}");
            let terminal = run(&["-t", "--entrypoint", "", "app", "sh", "-c", "tty; exit 3"]);
            assert!(text(&terminal.stdout).contains("/dev/pts/0\r\n"), "{name} {terminal:?}");
            assert_eq!(terminal.status.code(), Some(3), "{name}");
        }
        let left = fs::read_dir("/tmp").unwrap().map(|entry| entry.unwrap().file_name());
        let own = |name: &str| name.starts_with("layerutils-bundle.");
        let left: Vec<_> = left.filter(|name| name.to_str().is_some_and(own)).collect();
        assert!(left.is_empty(), "{left:?}");
    });
}

#[test]
fn capabilities_and_measures_by_dockers_names() {
    in_each_role(|scratch| {
        let script = "grep CapBnd /proc/self/status";
        let none = scratch.sh(&["--cap-drop", "all"], script);
        assert_eq!(none, "CapBnd:\t0000000000000000\n");
        let one = scratch.sh(&["--cap-drop=ALL", "--cap-add=CAP_NET_RAW"], script);
        assert_eq!(one, "CapBnd:\t0000000000002000\n");
        assert_eq!(scratch.run(&["--cap-add", "FLY", "app"]).status.code(), Some(2));
        // A capability comes with its system calls.
        let admin = "mount -t tmpfs none /made 2>&1 && unshare -u true && echo mounted || true";
        assert!(scratch.sh(&[], admin).contains("denied"), "mount without the capability");
        assert_eq!(scratch.sh(&["--cap-add=SYS_ADMIN"], admin), "mounted\n");
        let seccomp = ["--security-opt", "seccomp=unconfined"];
        assert_eq!(scratch.sh(&seccomp, "grep Seccomp: /proc/self/status"), "Seccomp:\t0\n");
        let fixed = ["--security-opt", "no-new-privileges"];
        assert_eq!(scratch.sh(&fixed, "grep NoNew /proc/self/status"), "NoNewPrivs:\t1\n");
        let paths = ["--security-opt", "systempaths=unconfined"];
        assert_eq!(scratch.sh(&paths, "grep -c /proc/ /proc/mounts || true"), "0\n");
    });
}

#[test]
fn limits_hold_or_are_refused() {
    in_each_role(|scratch| {
        for bad in [["--memory", "5m"], ["--cpus", "0"], ["--pids-limit", "-2"]] {
            assert_eq!(scratch.run(&[&bad[..], &["app"]].concat()).status.code(), Some(2));
        }
        let eat = "x=xxxxxxxx; while :; do x=$x$x; done";
        let output = scratch.run(&["--memory", "16m", "--entrypoint", "", "app", "sh", "-c", eat]);
        match output.status.code() {
            Some(137) => {}
            Some(125) => {
                let stderr = text(&output.stderr);
                assert!(stderr.starts_with("img-run: cannot limit memory: "), "{stderr}");
                layerutils_tests::requirement::skip(&format!(" (for {:?})", scratch.role), stderr);
            }
            other => panic!("{other:?} {output:?}"),
        }
    });
}

#[test]
fn a_sandbox_within_a_sandbox() {
    in_each_role(|scratch| {
        let outer = |options: &[&str], inner: &str| {
            let bind = format!("{}:{}", scratch.dir.path().display(), scratch.dir.path().display());
            let home = scratch.dir.path().display();
            // The tool needs the machine's libraries.
            let script = format!(
                "export HOME={home} XDG_CACHE_HOME=/inner LAYERUTILS_STORE={home}/store; \
                 {home}/img-run {inner} app sh -c 'id -u; exit 6'"
            );
            let mut words = vec!["-v", &bind];
            for folder in ["/lib:/lib:ro", "/lib64:/lib64:ro", "/usr/lib:/usr/lib:ro"] {
                let source = folder.split(':').next().unwrap();
                if Path::new(source).is_dir() {
                    words.extend(["-v", folder]);
                }
            }
            words.extend(options);
            words.extend(["--entrypoint", "", "app", "sh", "-c", &script]);
            scratch.run(&words)
        };
        let inner = "--entrypoint ''";
        // As in docker: user namespaces are refused, and that is said.
        let refused = outer(&[], inner);
        assert_eq!(refused.status.code(), Some(125), "{refused:?}");
        assert!(text(&refused.stderr).contains("user namespaces are refused"), "{refused:?}");
        let chroot = outer(&[], "--isolation chroot --entrypoint ''");
        assert_eq!((chroot.status.code(), text(&chroot.stdout)), (Some(6), "0\n"), "{chroot:?}");
        let seccomp = ["--security-opt", "seccomp=unconfined"];
        let nested = outer(&seccomp, inner);
        assert_eq!((nested.status.code(), text(&nested.stdout)), (Some(6), "0\n"), "{nested:?}");
        assert!(text(&nested.stderr).contains("showing the host's /proc"), "{nested:?}");
        let paths = [&seccomp[..], &["--security-opt", "systempaths=unconfined"]].concat();
        let nested = outer(&paths, inner);
        assert_eq!((nested.status.code(), text(&nested.stdout)), (Some(6), "0\n"), "{nested:?}");
        assert_eq!(text(&nested.stderr), "", "a protection was missing");
    });
}
