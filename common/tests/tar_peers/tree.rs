//! Archives that the peers make of one directory with one of everything.

use std::os::unix::fs::{FileExt as _, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use crate::judge::{filter, installed};

/// Makes the directory `t` with files that each format writes differently.
pub(crate) fn plant(scratch: &Path) {
    let root = scratch.join("t");
    let long = format!("{}/{}", "directory-".repeat(12), "name-".repeat(24));
    std::fs::create_dir_all(root.join(&long)).unwrap();
    std::fs::write(root.join("file"), "content\n").unwrap();
    std::fs::write(root.join(&long).join("deep"), [7; 600]).unwrap();
    std::fs::write(root.join("café \u{1f600}"), "").unwrap();
    std::fs::write(root.join("two\nlines"), "x").unwrap();
    symlink("/absolute/target", root.join("link")).unwrap();
    symlink(format!("{long}/{long}"), root.join("long link")).unwrap();
    std::fs::hard_link(root.join("file"), root.join("same")).unwrap();
    std::fs::set_permissions(root.join("same"), PermissionsExt::from_mode(0o4751)).unwrap();
    nix::unistd::mkfifo(&root.join("pipe"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    // A file with data at both ends and between, one that is all hole, and one
    // with more segments than fit in a header or a block of any format.
    let sparse = std::fs::File::create_new(root.join("sparse")).unwrap();
    for (offset, text) in [(0, "start"), (64 << 10, "middle"), ((192 << 10) - 3, "end")] {
        sparse.write_all_at(text.as_bytes(), offset).unwrap();
    }
    std::fs::File::create_new(root.join("hole")).unwrap().set_len(64 << 10).unwrap();
    let comb = std::fs::File::create_new(root.join("comb")).unwrap();
    for tooth in 0..60 {
        comb.write_all_at(&[b'a' + tooth as u8 % 26; 100], tooth * 8192).unwrap();
    }
    let time = std::time::UNIX_EPOCH + std::time::Duration::new(1_500_000_000, 123_456_789);
    std::fs::File::open(root.join("file")).unwrap().set_modified(time).unwrap();
}

/// A name for each way of writing an archive, and the archive.
pub(crate) fn archives(scratch: &Path) -> Vec<(String, Vec<u8>)> {
    let mut archives = Vec::new();
    let mut add = |name: &str, program: &str, args: &[&str]| {
        let mut command = Command::new(program);
        match filter(command.args(args).current_dir(scratch), b"") {
            Ok(archive) => archives.push((format!("{program} {name}"), archive)),
            Err(refusal) => panic!("{program} {args:?}: {refusal}"),
        }
    };
    if installed("tar") {
        for format in ["gnu", "oldgnu", "posix"] {
            let format_option = format!("--format={format}");
            add(format, "tar", &["-cf", "-", &format_option, "t"]);
            if format != "posix" {
                let name = format!("{format} sparse");
                add(&name, "tar", &["-cSf", "-", &format_option, "t"]);
            }
        }
        for version in ["0.0", "0.1", "1.0"] {
            let version_option = format!("--sparse-version={version}");
            let name = format!("posix sparse {version}");
            add(&name, "tar", &["-cSf", "-", "--format=posix", &version_option, "t"]);
        }
        add(
            "ustar",
            "tar",
            &["-cf", "-", "--format=ustar", "t/file", "t/same", "t/pipe", "t/link"],
        );
        add("v7", "tar", &["-cf", "-", "--format=v7", "t/file", "t/same", "t/link"]);
    }
    if installed("bsdtar") {
        for format in ["pax", "gnutar"] {
            add(format, "bsdtar", &["-cf", "-", "--format", format, "t"]);
        }
        add("ustar", "bsdtar", &["-cf", "-", "--format=ustar", "t/file", "t/same", "t/pipe"]);
    }
    if installed("python3") {
        for format in ["PAX", "GNU"] {
            let script = format!(
                "import sys, tarfile\n\
                 tar = tarfile.open(fileobj=sys.stdout.buffer, mode='w|', format=tarfile.{format}_FORMAT)\n\
                 tar.add('t')\n\
                 tar.close()\n"
            );
            add(format, "python3", &["-c", &script]);
        }
        // A global header, as git archive writes it, and no content to speak of.
        let script = "import sys, tarfile\n\
             tar = tarfile.open(fileobj=sys.stdout.buffer, mode='w|', pax_headers={'comment': '0123abc'})\n\
             tar.add('t', filter=lambda member: member if member.size < 1024 else None)\n\
             tar.close()\n";
        add("comment", "python3", &["-c", script]);
    }
    archives
}
