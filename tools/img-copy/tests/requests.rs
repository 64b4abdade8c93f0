//! The requests that a copy makes: no more than the protocol needs.

#![allow(clippy::unwrap_used)]

mod support;

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
