//! `img-copy --login`: what is kept, and where.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use common::lock::{Lock, Mode};
use layerutils_tests::place::Place;
use layerutils_tests::registry::{Registry, Setup};
use layerutils_tests::require;
use serde_json::{Value, json};

use support::place;

const WHEN: &str = "2001-01-01T00:00:00Z";

/// Runs in a home of its own; the status, and what was said.
fn run(place: &Place, args: &[&str], input: &str) -> (Option<i32>, String) {
    let mut command = place.command(args);
    command.env("HOME", place.path("home")).env("PATH", place.path("bin"));
    fs::write(place.path("input"), input).unwrap();
    command.stdin(fs::File::open(place.path("input")).unwrap());
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

fn read(place: &Place, file: &str) -> Value {
    serde_json::from_slice(&fs::read(place.path(file)).unwrap()).unwrap()
}

#[test]
fn credentials_are_checked_and_kept_where_others_look() {
    require!(Peer("docker-registry"));
    let (place, registry) =
        (place(), Registry::start(Setup { password: true, ..Setup::default() }));
    let host = format!("localhost:{}", registry.port());
    place.put_image(&["app"], WHEN, &[10]);
    fs::create_dir(place.path("home")).unwrap();
    let login = ["--login", host.as_str()];
    let (status, said) = run(&place, &login, "me\nwrong\n");
    assert_eq!(status, Some(2));
    assert_eq!(
        said,
        format!("img-copy: {host}: the credentials are not accepted: authentication required\n")
    );
    assert_eq!(fs::read_dir(place.path("home")).unwrap().count(), 0);
    for bad in ["", "me", "me\n", ":\nx\n", "a:b\nc\n", "me\nsecret\nmore\n", "me\nse\tcret\n"] {
        let (status, said) = run(&place, &login, bad);
        assert_eq!(status, Some(2), "{bad:?}");
        let words = "not a user's name and a password, each on a line\n";
        assert!(said.ends_with(words) && said.lines().count() == 1, "{bad:?}: {said}");
    }

    let config = "home/.docker/config.json";
    assert_eq!(run(&place, &login, "me\nsecret\n"), (Some(0), String::new()));
    let auth = json!({"auth": common::json::base64(b"me:secret")});
    assert_eq!(read(&place, config), json!({"auths": {&host: auth}}));
    let mode = |file: &str| fs::metadata(place.path(file)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(config), mode("home/.docker")), (0o600, 0o700));
    let name = registry.name("app");
    assert_eq!(run(&place, &["app", &name], ""), (Some(0), String::new()));

    // The rest of the file stays, and an old entry for the registry goes.
    let old = json!({
        "auths": {format!("https://{host}/v1/"): {"auth": "x"}, "other.example": {"auth": "y"}},
        "proxies": {"default": {}},
    });
    fs::rename(place.path(config), place.path("kept.json")).unwrap();
    fs::write(place.path("kept.json"), old.to_string()).unwrap();
    std::os::unix::fs::symlink(place.path("kept.json"), place.path(config)).unwrap();
    assert_eq!(run(&place, &login, "me\r\nsecret\r\n"), (Some(0), String::new()));
    let expected = json!({
        "auths": {&host: auth, "other.example": {"auth": "y"}},
        "proxies": {"default": {}},
    });
    assert_eq!(read(&place, "kept.json"), expected);
    assert!(fs::symlink_metadata(place.path(config)).unwrap().is_symlink());

    // A file that knows the registry is asked first, and one that is named is the only one.
    let podman = "home/.config/containers/auth.json";
    fs::create_dir_all(place.path(podman).parent().unwrap()).unwrap();
    fs::write(place.path(podman), json!({"auths": {&host: {"auth": "x"}}}).to_string()).unwrap();
    assert_eq!(run(&place, &login, "me\nsecret\n").0, Some(0));
    assert_eq!(read(&place, podman), json!({"auths": {&host: auth}}));
    assert_eq!(read(&place, "kept.json"), expected);
    assert_eq!(run(&place, &["--authfile=own.json", "--login", &host], "me\nsecret\n").0, Some(0));
    assert_eq!(read(&place, "own.json"), json!({"auths": {&host: auth}}));
    for bad in ["[]", "{\"auths\":7}", "{"] {
        fs::write(place.path("own.json"), bad).unwrap();
        let args = ["--authfile=own.json", "--login", host.as_str()];
        let (status, said) = run(&place, &args, "me\nsecret\n");
        assert!(status == Some(2) && said.contains("own.json: "), "{bad}: {said}");
        assert_eq!(fs::read_to_string(place.path("own.json")).unwrap(), bad);
    }
}

#[test]
fn a_file_of_credentials_is_changed_by_one_at_a_time_and_stays_its_owners() {
    require!(Peer("docker-registry"));
    let (place, registry) =
        (place(), Registry::start(Setup { password: true, ..Setup::default() }));
    let host = format!("localhost:{}", registry.port());
    let args = ["--authfile=own.json", "--login", host.as_str()];
    let auth = json!({"auth": common::json::base64(b"me:secret")});
    let own = place.path("own.json");
    // An empty file says nothing, to a login and to a copy.
    fs::write(&own, "").unwrap();
    fs::set_permissions(&own, fs::Permissions::from_mode(0o640)).unwrap();
    // Only root may give it to somebody else.
    let _ = std::os::unix::fs::chown(&own, Some(1234), Some(1234));
    let owner = |metadata: fs::Metadata| (metadata.uid(), metadata.gid(), metadata.mode());
    let before = owner(fs::metadata(&own).unwrap());
    let (_, said) = run(&place, &["--authfile=own.json", &registry.name("app"), "x"], "");
    assert!(said.contains("credentials are needed"), "{said}");

    fs::write(place.path(".layerutils-own.json.lock"), "").unwrap();
    let file = fs::File::open(place.path(".layerutils-own.json.lock")).unwrap();
    let lock = Lock::wait(file, Mode::Exclusive).unwrap();
    let waiting = std::thread::scope(|scope| {
        let login = scope.spawn(|| run(&place, &args, "me\nsecret\n"));
        std::thread::sleep(std::time::Duration::from_millis(500));
        let other = json!({"auths": {"other.example": {"auth": "y"}}});
        fs::write(&own, other.to_string()).unwrap();
        drop(lock);
        login.join().unwrap()
    });
    assert_eq!(waiting, (Some(0), String::new()));
    let expected = json!({"auths": {&host: auth, "other.example": {"auth": "y"}}});
    assert_eq!(read(&place, "own.json"), expected);
    assert_eq!(owner(fs::metadata(&own).unwrap()), before);

    fs::remove_file(&own).unwrap();
    std::os::unix::fs::symlink("nowhere", &own).unwrap();
    let (status, said) = run(&place, &args, "me\nsecret\n");
    assert_eq!(status, Some(2));
    assert_eq!(said, "img-copy: own.json: a link that leads nowhere\n");
    assert!(own.is_symlink() && fs::symlink_metadata(place.path("nowhere")).is_err());
}

#[test]
fn a_program_that_keeps_credentials_gets_them() {
    require!(Peer("docker-registry"));
    let (place, registry) =
        (place(), Registry::start(Setup { password: true, ..Setup::default() }));
    let host = format!("localhost:{}", registry.port());
    fs::create_dir_all(place.path("home/.docker")).unwrap();
    fs::create_dir(place.path("bin")).unwrap();
    let helper = place.path("bin/docker-credential-test");
    let got = place.path("got");
    let script = format!("#!/bin/sh\nread -r text\necho \"$1 $text\" > '{}'\n", got.display());
    fs::write(&helper, script).unwrap();
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    let config = json!({"credHelpers": {&host: "test"}}).to_string();
    fs::write(place.path("home/.docker/config.json"), &config).unwrap();
    assert_eq!(run(&place, &["--login", &host], "me\nsecret\n"), (Some(0), String::new()));
    let text = fs::read_to_string(got).unwrap();
    let kept: Value = serde_json::from_str(text.strip_prefix("store ").unwrap()).unwrap();
    assert_eq!(kept, json!({"ServerURL": host, "Username": "me", "Secret": "secret"}));
    assert_eq!(fs::read_to_string(place.path("home/.docker/config.json")).unwrap(), config);
}

#[test]
fn a_login_is_no_copy() {
    let place = place();
    for (args, words) in [
        (&["--login", "h.example", "a", "b"][..], "cannot be used with"),
        (&["--login", "h.example", "--all"], "cannot be used with"),
        (&["--login", "h.example", "--creds=a:b"], "cannot be used with"),
        (&["--login", "h.example/x"], "--login: 'h.example/x' is not a registry's name"),
        (&["--login", ""], "--login: '' is not a registry's name"),
        (&["app"], "required"),
        (&[], "required"),
    ] {
        let output = place.run(args, b"me\nsecret\n");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(words), "{args:?}: {said}");
    }
}
