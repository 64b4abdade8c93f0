//! `-o`: in our words and in docker's, and the files of an image in a directory.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, unreachable_pub)]

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use layerutils_tests::registry::{Registry, Setup};
use support::{Bench, skip};

const TEXT: &str = "FROM scratch\nCOPY --chown=5:6 --chmod=4755 nonce /bin/tool\nCOPY nonce /gone/a\nCOPY nonce /kept\n";

fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("Containerfile", TEXT);
    bench
}

fn names(dir: &std::path::Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_files_of_an_image_go_to_a_directory() {
    let bench = bench();
    for (number, destination) in ["out0", "./out1", "type=local,dest=out2"].iter().enumerate() {
        let built = bench.run(&["-o", destination, "ctx"], b"");
        assert_eq!((built.stderr.as_str(), built.status), ("", 0), "{destination}");
        assert!(built.stdout.starts_with("sha256:"));
        let out = bench.path(&format!("out{number}"));
        assert_eq!(names(&out), ["bin", "gone", "kept"]);
        // They are the caller's, and let nobody act as him.
        let tool = fs::metadata(out.join("bin/tool")).unwrap();
        assert_eq!((tool.uid(), tool.mode() & 0o7777), (nix::unistd::geteuid().as_raw(), 0o755));
    }
    let index = fs::read_to_string(bench.path("store/index.json")).unwrap_or_default();
    assert!(!index.contains("digest"), "{index}");
}

#[test]
fn other_files_of_the_directory_stay() {
    let bench = bench();
    fs::create_dir_all(bench.path("out/gone")).unwrap();
    fs::write(bench.path("out/mine"), "").unwrap();
    fs::write(bench.path("out/gone/mine"), "").unwrap();
    fs::write(bench.path("out/kept"), "old").unwrap();
    // A layer that deletes and makes anew what the directory has, too.
    bench.write("dir/new", "");
    bench.write(
        "Containerfile",
        "FROM scratch\nCOPY nonce /gone/a\nADD one.tar /\nCOPY nonce /kept\n",
    );
    let script = "import tarfile; t=tarfile.open('ctx/one.tar','w'); i=tarfile.TarInfo('gone'); t.addfile(i)";
    let made = std::process::Command::new("python3")
        .args(["-c", script])
        .current_dir(bench.dir.path())
        .status();
    if made.is_ok_and(|status| status.success()) {
        let built = bench.run(&["-o", "fresh", "ctx"], b"");
        assert_eq!((built.stderr.as_str(), built.status), ("", 0));
        assert!(fs::metadata(bench.path("fresh/gone")).unwrap().is_file());
    }
    bench.write("Containerfile", TEXT);
    let built = bench.run(&["-o", "out", "ctx"], b"");
    assert_eq!((built.stderr.as_str(), built.status), ("", 0));
    assert_eq!(names(&bench.path("out")), ["bin", "gone", "kept", "mine"]);
    assert_eq!(names(&bench.path("out/gone")), ["a", "mine"]);
    assert_ne!(fs::read_to_string(bench.path("out/kept")).unwrap(), "old");
}

#[test]
fn each_platform_has_a_directory_of_its_own() {
    let bench = bench();
    let built = bench.run(&["--platform=linux/amd64,linux/arm/v7", "-o", "out", "ctx"], b"");
    assert_eq!((built.stderr.as_str(), built.status), ("", 0));
    assert_eq!(names(&bench.path("out")), ["linux_amd64", "linux_arm_v7"]);
    assert_eq!(names(&bench.path("out/linux_amd64")), ["bin", "gone", "kept"]);
}

#[test]
fn an_image_goes_to_several_places_in_dockers_words() {
    let bench = bench();
    let outputs = [
        "-o",
        "type=oci,dest=oci.tar",
        "-o",
        "type=docker,dest=docker.tar",
        "-o",
        "type=oci,dest=layout,tar=false",
        "-o",
        "type=tar,dest=root.tar",
        "-o",
        "out",
    ];
    let built = bench.run(&[&outputs[..], &["-t", "x", "ctx"]].concat(), b"");
    assert_eq!((built.stderr.as_str(), built.status), ("", 0));
    for name in ["oci-archive:oci.tar", "docker-archive:docker.tar", "oci:layout"] {
        let text = format!("FROM {name}\n");
        assert_eq!(bench.build(&text).layers.len(), 3, "{name}");
    }
    let list = std::process::Command::new("tar").arg("-tf").arg(bench.path("root.tar")).output();
    let list = String::from_utf8(list.unwrap().stdout).unwrap();
    assert_eq!(list, "bin/\nbin/tool\ngone/\ngone/a\nkept\n");
    let output = bench.output(&["-o", "type=tar,dest=-", "ctx"], b"");
    assert!(output.status.success() && !output.stdout.starts_with(b"sha256:"));
}

#[test]
fn what_is_no_destination_is_refused_before_anything_is_built() {
    let bench = bench();
    fs::write(bench.path("file"), "").unwrap();
    for (destination, expected) in [
        ("type=local", "dest=PATH is missing"),
        ("type=docker,tar=false", "there are local, tar, oci, docker and registry"),
        ("type=image,name=x,push=true", "'name' is not supported"),
        ("type=image", "the image is in the store anyway"),
        ("type=oci,dest=x,push=true", "only type=image can be pushed"),
        ("type=docker,push=true", "only type=image can be pushed"),
        ("type=local,dest=x,push=true", "only type=image can be pushed"),
        ("type=image,push=maybe", "push must be true or false"),
        ("type=registry", "the image has no name"),
        ("type=image,push=true", "the image has no name"),
        ("type=what,dest=x", "there are local, tar, oci, docker and registry"),
        ("type=local,dest=x,mode=y", "'mode' is not supported"),
        ("what:x", "what:x"),
        ("file", "file: "),
    ] {
        let built = bench.run(&["-o", destination, "ctx"], b"");
        assert_eq!((built.status, built.stdout.as_str()), (2, ""), "{destination}");
        assert!(built.stderr.contains(expected), "{destination}: {}", built.stderr);
        assert!(!bench.path("store").try_exists().unwrap(), "{destination}: something was built");
    }
    let built = bench.run(&["-o", "-", "-o", "type=tar,dest=-", "ctx"], b"");
    assert!(built.stderr.contains("only one can be standard output"), "{}", built.stderr);
}

#[test]
fn a_path_of_docker_s_may_have_colons() {
    let bench = bench();
    for destination in
        ["type=oci,tar=false,dest=./a:b", "type=oci,dest=./c:d", "type=docker,dest=./e:f"]
    {
        let built = bench.run(&["-o", destination, "ctx"], b"");
        assert_eq!((built.stderr.as_str(), built.status), ("", 0), "{destination}");
    }
    assert!(bench.path("a:b/index.json").is_file());
    assert!(bench.path("c:d").is_file() && bench.path("e:f").is_file());
    assert!(!fs::read_to_string(bench.path("a:b/index.json")).unwrap().contains("ref.name"));
}

#[test]
fn docker_loads_the_image_where_there_is_one() {
    let mut bench = bench();
    let path = format!("{}:/usr/bin:/bin", bench.path("bin").display());
    fs::create_dir(bench.path("bin")).unwrap();
    let docker = bench.path("bin/docker");
    let script = "#!/bin/sh\ntest \"$*\" = load && cat >loaded.tar && echo Loaded image: x:1\n";
    fs::write(&docker, script).unwrap();
    fs::set_permissions(&docker, fs::Permissions::from_mode(0o755)).unwrap();
    bench.env.insert("PATH".into(), path);
    for load in [["--load"], ["-otype=docker"]] {
        let built = bench.run(&[&load[..], &["-t", "x:1", "ctx"]].concat(), b"");
        assert_eq!((built.stderr.as_str(), built.status), ("", 0));
        assert!(built.stdout.starts_with("sha256:"), "{}", built.stdout);
        assert_eq!(bench.build("FROM docker-archive:loaded.tar:x:1\n").layers.len(), 3);
        fs::remove_file(bench.path("loaded.tar")).unwrap();
        bench.write("Containerfile", TEXT);
    }
    fs::write(&docker, "#!/bin/sh\necho no daemon >&2; exit 3\n").unwrap();
    let built = bench.run(&["--load", "ctx"], b"");
    assert_eq!(built.stderr, "no daemon\nimg-build: docker failed: exit status: 3\n");
    assert_eq!(built.status, 2);
    fs::remove_file(docker).unwrap();
    bench.env.insert("PATH".into(), bench.path("bin").display().to_string());
    let built = bench.run(&["--load", "--no-cache", "--progress=plain", "ctx"], b"");
    assert_eq!(built.status, 2);
    assert!(built.stderr.starts_with("img-build: docker: not in PATH\n"), "{}", built.stderr);
}

#[test]
fn a_push_gets_the_way_to_its_registry() {
    let bench = bench();
    let copy = std::path::Path::new(env!("CARGO_BIN_EXE_img-build")).with_file_name("img-copy");
    let has_registry = std::process::Command::new("docker-registry").arg("--version").output();
    if !copy.try_exists().unwrap() || has_registry.is_err() {
        return skip("no img-copy or docker-registry");
    }
    let registry = Registry::start(Setup { password: true, ..Setup::default() });
    let host = format!("localhost:{}", registry.port());
    let name = format!("{host}/a:1");
    // me:secret
    let auth = format!(r#"{{"auths":{{"{host}":{{"auth":"bWU6c2VjcmV0"}}}}}}"#);
    fs::write(bench.path("auth"), auth).unwrap();
    fs::create_dir(bench.path("certs")).unwrap();
    let built = bench.run(&["--push", "-t", &name, "ctx"], b"");
    assert!(built.stderr.contains("credentials are needed"), "{}", built.stderr);
    let built = bench.run(&["--push", "-t", &name, "--authfile=auth", "ctx"], b"");
    assert_eq!((built.stderr.as_str(), built.status), ("", 0));
    for (option, expected) in [
        // Nothing but TLS will do, and the registry has none.
        ("--tls-verify=true", "img-copy failed"),
        ("--cert-dir=none", "none"),
    ] {
        let arguments = ["--push", "-t", &name, "--authfile=auth", option, "ctx"];
        let built = bench.run(&arguments, b"");
        assert_eq!(built.status, 2, "{option}");
        assert!(built.stderr.contains(expected), "{option}: {}", built.stderr);
    }
}

#[test]
fn the_image_is_pushed_under_its_names() {
    let bench = bench();
    let built = bench.run(&["--push", "ctx"], b"");
    assert_eq!(built.status, 2);
    assert!(built.stderr.starts_with("img-build: --push: the image has no name\n"));
    let copy = std::path::Path::new(env!("CARGO_BIN_EXE_img-build")).with_file_name("img-copy");
    let has_registry = std::process::Command::new("docker-registry").arg("--version").output();
    if !copy.try_exists().unwrap() || has_registry.is_err() {
        return skip("no img-copy or docker-registry");
    }
    let registry = Registry::start(Setup::default());
    let names = ["a/b:1", "c:2"].map(|name| format!("localhost:{}/{name}", registry.port()));
    let built = bench.run(&["--push", "-t", &names[0], "-t", &names[1], "ctx"], b"");
    assert_eq!((built.stderr.as_str(), built.status), ("", 0));
    for name in &names {
        assert_eq!(bench.build(&format!("FROM docker://{name}\n")).layers.len(), 3, "{name}");
        bench.write("Containerfile", TEXT);
    }
    drop(registry);
    let built = bench.run(&["-otype=registry", "-t", &names[0], "ctx"], b"");
    assert_eq!((built.status, built.stdout.as_str()), (2, ""));
    assert!(
        built.stderr.ends_with("img-build: img-copy failed: exit status: 2\n"),
        "{}",
        built.stderr
    );
}
