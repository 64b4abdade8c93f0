//! The requests that a copy makes: no more than the protocol needs.

#![allow(clippy::unwrap_used)]

mod support;

use support::fake::Reply;
use support::pulled::Pulled;

#[test]
fn a_registry_is_asked_once_for_each_document_and_layer() {
    let pulled = Pulled::new();
    let fake = pulled.serve(|_| None);
    pulled.pulls(&fake);
    let config = pulled.place.image("app").manifest.config.digest;
    let mut asked: Vec<String> =
        fake.log().iter().map(|request| format!("{} {}", request.method, request.path)).collect();
    asked.sort();
    let mut expected = vec![
        "GET /v2/".to_owned(),
        "GET /v2/app/manifests/1".to_owned(),
        format!("GET /v2/app/blobs/{config}"),
        format!("GET /v2/app/blobs/{}", pulled.layer),
    ];
    expected.sort();
    assert_eq!(asked, expected);
}

#[test]
fn an_image_gets_another_tag_without_a_look_at_its_layers() {
    let pulled = Pulled::new();
    let fake = pulled.serve(|_| None);
    let printed = pulled.place.done(&[&fake.name("app:1"), &fake.name("app:2")]);
    assert_eq!(printed, format!("{}\n", pulled.image));
    let config = pulled.place.image("app").manifest.config.digest;
    let log = fake.log();
    let asked: Vec<_> =
        log.iter().map(|request| (request.method.as_str(), request.path.as_str())).collect();
    let expected = [
        ("GET", "/v2/"),
        ("GET", "/v2/app/manifests/1"),
        ("GET", &format!("/v2/app/blobs/{config}")),
        ("GET", "/v2/"),
        ("PUT", "/v2/app/manifests/2"),
    ];
    assert_eq!(asked, expected);
    // In another repository they may be missing.
    pulled.place.done(&[&fake.name("app:1"), &fake.name("other:1")]).pop();
    assert_eq!(fake.asked("HEAD", "/v2/other/blobs/").len(), 2);
}

#[test]
fn a_login_asks_once_without_and_once_with_the_password() {
    let pulled = Pulled::new();
    let fake = pulled.serve(|request| {
        let challenge = Reply::status(401).with("WWW-Authenticate", "Basic realm=\"x\"");
        request.header("authorization").is_none().then_some(challenge)
    });
    let host = format!("127.0.0.1:{}", fake.port);
    let login = ["--authfile=auth.json", "--login", host.as_str()];
    let output = pulled.place.run(&login, b"me\nsecret\n");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let asked: Vec<_> =
        fake.log().iter().map(|request| request.header("authorization").is_some()).collect();
    assert_eq!(asked, [false, true]);
}
