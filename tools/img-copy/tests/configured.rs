//! Registries as containers-registries.conf(5) configures them.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;

use support::fake::{Fake, Reply};
use support::pulled::Pulled;

/// Pulls `app:1` of `fake` with the configuration `conf`. Returns the status, and what was
/// printed and said.
fn pull(pulled: &Pulled, fake: &Fake, conf: &str, args: &[&str]) -> (Option<i32>, String, String) {
    fs::write(pulled.place.path("registries.conf"), conf).unwrap();
    let name = fake.name("app:1");
    let mut command = pulled.place.command(&[&[name.as_str(), "oci:pulled:x"], args].concat());
    command.env("CONTAINERS_REGISTRIES_CONF", pulled.place.path("registries.conf"));
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let result = (output.status.code(), text(output.stdout), text(output.stderr));
    let _ = fs::remove_dir_all(pulled.place.path("pulled"));
    result
}

/// Returns a configuration that moves the images of `named` to `own`, below `there`.
fn at(named: &Fake, own: &Fake) -> String {
    let (named, own) = (named.port, own.port);
    format!("[[registry]]\nprefix = '127.0.0.1:{named}'\nlocation = '127.0.0.1:{own}/there'\n")
}

#[test]
fn a_mirror_is_asked_first_and_the_registry_if_it_lacks_the_image() {
    let pulled = Pulled::new();
    let (own, mirror) = (pulled.serve(|_| None), pulled.serve(|_| None));
    let empty =
        pulled.serve(|request| request.is("GET", "/manifests/").then(|| Reply::status(404)));
    let printed = format!("{}\n", pulled.image);
    let conf = |mirror: &Fake| {
        format!(
            "[[registry]]\nlocation = '127.0.0.1:{}'\n[[registry.mirror]]\nlocation = \
             '127.0.0.1:{}/copies'\n",
            own.port, mirror.port
        )
    };
    let done = (Some(0), printed, String::new());
    assert_eq!(pull(&pulled, &own, &conf(&mirror), &[]), done);
    assert_eq!(mirror.asked("GET", "/v2/copies/app/manifests/1").len(), 1);
    assert_eq!(own.log().len(), 0);
    assert_eq!(pull(&pulled, &own, &conf(&empty), &[]), done);
    assert_eq!(empty.asked("GET", "/v2/copies/app/manifests/1").len(), 1);
    assert_eq!(own.asked("GET", "/v2/app/manifests/1").len(), 1);
    // Credentials are for the registry that was named, and for no mirror of it.
    let curious = pulled.serve(|request| {
        let challenge = Reply::status(401).with("WWW-Authenticate", "Basic realm=\"x\"");
        request.header("authorization").is_none().then_some(challenge)
    });
    assert_eq!(pull(&pulled, &own, &conf(&curious), &["--creds=me:secret"]), done);
    assert!(!curious.log().is_empty());
    assert!(curious.log().iter().all(|request| request.header("authorization").is_none()));
}

#[test]
fn an_image_is_pulled_from_the_location_of_its_prefix() {
    let pulled = Pulled::new();
    let (named, own) = (pulled.serve(|_| None), pulled.serve(|_| None));
    let conf = at(&named, &own);
    let printed = format!("{}\n", pulled.image);
    assert_eq!(pull(&pulled, &named, &conf, &[]), (Some(0), printed, String::new()));
    assert_eq!(own.asked("GET", "/v2/there/app/manifests/1").len(), 1);
    assert_eq!(named.log().len(), 0);
}

#[test]
fn what_is_meant_for_a_registry_is_not_for_another_location() {
    let pulled = Pulled::new();
    let (named, own) = (pulled.serve(|_| None), pulled.serve(|_| None));
    let conf = at(&named, &own);
    let printed = format!("{}\n", pulled.image);
    let options = ["--creds=me:secret", "--cert-dir=missing", "--tls-verify=true"];
    assert_eq!(pull(&pulled, &named, &conf, &options), (Some(0), printed, String::new()));
    // A push goes to where a pull comes from.
    let mut command = pulled.place.command(&["app", &named.name("app:2"), "--creds=me:secret"]);
    command.env("CONTAINERS_REGISTRIES_CONF", pulled.place.path("registries.conf"));
    assert!(command.output().unwrap().status.success());
    assert_eq!(own.asked("PUT", "/v2/there/app/manifests/2").len(), 1);
    assert!(own.log().iter().all(|request| request.header("authorization").is_none()));
    // A login does not send the password to the other host.
    fs::write(pulled.place.path("input"), "me\nsecret\n").unwrap();
    let mut command = pulled.place.command(&["--login", &format!("127.0.0.1:{}", named.port)]);
    command.stdin(fs::File::open(pulled.place.path("input")).unwrap());
    let conf = conf.replace("/there", "");
    fs::write(pulled.place.path("registries.conf"), conf).unwrap();
    command.env("CONTAINERS_REGISTRIES_CONF", pulled.place.path("registries.conf"));
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    let words = format!("registries.conf says that it is at 127.0.0.1:{}: log in there", own.port);
    assert!(said.contains(&words), "{said}");
    assert_eq!(named.log().len(), 0);
}

#[test]
fn a_blocked_registry_is_not_asked() {
    let pulled = Pulled::new();
    let fake = pulled.serve(|_| None);
    let conf = format!("[[registry]]\nlocation = '127.0.0.1:{}/app'\nblocked = true\n", fake.port);
    let (status, printed, said) = pull(&pulled, &fake, &conf, &[]);
    assert_eq!((status, printed.as_str()), (Some(2), ""));
    let host = format!("127.0.0.1:{}", fake.port);
    assert!(said.contains(&format!("{host}: blocked in ")) && said.lines().count() == 1, "{said}");
    let mut command = pulled.place.command(&["app", &fake.name("app:1")]);
    command.env("CONTAINERS_REGISTRIES_CONF", pulled.place.path("registries.conf"));
    assert_eq!(command.output().unwrap().status.code(), Some(2));
    assert_eq!(fake.log().len(), 0);
    // The spelling does not matter, and the location of a prefix may be blocked, too.
    for conf in [
        format!("[[registry]]\nlocation = '127.0.0.1:{}/'\nblocked = true\n", fake.port),
        "[[registry]]\nlocation = '127.0.0.1'\nblocked = true\n".into(),
        format!(
            "[[registry]]\nprefix = '127.0.0.1:{0}/app'\nlocation = '127.0.0.1:{0}/there/app'\n\
             [[registry]]\nprefix = '127.0.0.1:{0}/there'\nblocked = true\n",
            fake.port
        ),
    ] {
        let (status, _, said) = pull(&pulled, &fake, &conf, &[]);
        assert!(status == Some(2) && said.contains(": blocked in "), "{conf}: {said}");
    }
    for entry in ["https://127.0.0.1", "127.0.0.1/app:1", "127.0.0.1/app@sha256:0", "*x"] {
        let conf = format!("[[registry]]\nprefix = '{entry}'\nblocked = true\n");
        let (status, _, said) = pull(&pulled, &fake, &conf, &[]);
        assert!(status == Some(2) && said.contains("registries.conf: '"), "{entry}: {said}");
    }
    assert_eq!(fake.log().len(), 0);
    let (status, _, said) = pull(&pulled, &fake, "[[registry]\n", &[]);
    assert!(status == Some(2) && said.contains("registries.conf: line 1: "), "{said}");
}

#[test]
fn too_many_files_are_not_read_in_part() {
    let pulled = Pulled::new();
    let folder = pulled.place.path("config/containers/registries.conf.d");
    fs::create_dir_all(&folder).unwrap();
    for number in 0..1001 {
        fs::write(folder.join(number.to_string()), "").unwrap();
    }
    let mut command = pulled.place.command(&["docker://127.0.0.1:1/app", "x"]);
    command.env("XDG_CONFIG_HOME", pulled.place.path("config"));
    command.env_remove("CONTAINERS_REGISTRIES_CONF");
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("registries.conf.d: more than 1000 files"), "{said}");
}
