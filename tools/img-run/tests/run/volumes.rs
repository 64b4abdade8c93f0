//! What is kept, and what of the host is seen: upper directories, volumes, tmpfs, devices.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::{Command, Stdio};

use layerutils_tests::requirement::is_root;

use crate::support::{Role, USER, in_each_role, text};

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
fn what_is_unpacked_is_out_of_reach_of_other_users() {
    // CVE-2021-41091: set-id programs of an image, run by users of the host.
    in_each_role(|scratch| {
        scratch.sh(&[], "true");
        let cache = scratch.path("cache/layerutils").metadata().unwrap();
        assert_eq!(cache.permissions().mode() & 0o777, 0o700);
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
        assert_eq!(
            said,
            "img-run: cannot mount on /etc/passwd: it is a regular file, not a directory\n"
        );
        let names = scratch.run(&["--hostname", "a\n127.0.0.1 example.org", "app"]);
        assert_eq!(names.status.code(), Some(2), "{names:?}");
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
