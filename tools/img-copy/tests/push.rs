//! `img-copy` to a registry: what is sent, in which order, and again if need be.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::{Arc, Mutex};

use common::digest::Digest;

use support::fake::{Fake, Reply};
use support::proxy::Proxy;
use support::pulled::Pulled;
use support::{place, put_noise};

#[test]
fn an_upload_is_not_sent_elsewhere() {
    let pulled = Pulled::new();
    let elsewhere = pulled.serve(|_| None);
    let target = elsewhere.url("/v2/app/blobs/uploads/one");
    let fake = pulled.serve(move |request| match request.method.as_str() {
        "HEAD" => Some(Reply::status(404)),
        "POST" => Some(Reply::status(202).with("Location", &target)),
        _ => None,
    });
    let (_, said) = pulled.place.failed(&["app", &fake.name("app:1")]);
    assert!(said.contains("sends the upload elsewhere: http://127.0.0.1:"), "{said}");
    assert!(elsewhere.log().is_empty());
    assert!(fake.asked("PUT", "/manifests/").is_empty());
}

#[test]
fn a_push_is_tried_again_and_ends_with_the_manifest() {
    let pulled = Pulled::new();
    let fake = pulled.serve(|request| match request.method.as_str() {
        "HEAD" => Some(Reply::status(404)),
        "POST" | "PUT" if request.before == 0 => Some(Reply::status(500)),
        _ => None,
    });
    let pushed = pulled.place.done(&["app", &fake.name("app:1"), "--compress", "none"]);
    assert_eq!(pushed, format!("{}\n", pulled.image));
    let last = fake.log().pop().unwrap();
    assert!(last.is("PUT", "/v2/app/manifests/1"));
    assert_eq!(Digest::of(&last.body), pulled.image);
    let sent: Vec<_> =
        fake.asked("PUT", "/blobs/uploads/").into_iter().map(|put| put.body).collect();
    assert!(sent.iter().any(|body| Digest::of(body) == pulled.layer));
}

#[test]
fn an_upload_that_is_cut_goes_on_where_it_was_cut() {
    let place = place();
    let image = put_noise(&place, "app", 24 << 20);
    let layer = place.image("app").manifest.layers.first().unwrap().clone();
    let received = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&received);
    let fake = Fake::start(&place, &image, move |request| {
        let at = |status, len: usize| {
            let location = format!("/v2/app/blobs/uploads/long?at={len}");
            let range = format!("0-{}", len.saturating_sub(1));
            Some(Reply::status(status).with("Location", location).with("Range", range))
        };
        match request.method.as_str() {
            "HEAD" => Some(Reply::status(404)),
            "PATCH" => {
                let mut received = shared.lock().unwrap();
                received.extend_from_slice(&request.body);
                at(202, received.len())
            }
            // The part that got through may still be on its way to the other thread.
            "GET" if request.path.contains("/uploads/") => loop {
                let len = shared.lock().unwrap().len();
                if len > 0 {
                    break at(204, len);
                }
                std::thread::yield_now();
            },
            _ => None,
        }
    });
    let proxy = Proxy::start(fake.port, 1, 9 << 20);
    let name = format!("docker://127.0.0.1:{}/app", proxy.port);
    assert_eq!(place.done(&["app", &name, "--compress=none"]), format!("{image}\n"));
    assert!(Digest::of(&received.lock().unwrap()) == layer.digest);
    let sent = fake.asked("PATCH", "/uploads/");
    assert_eq!(sent.len(), 2);
    let first = sent[0].body.len();
    let range = format!("{first}-{}", layer.len_bytes - 1);
    assert_eq!(sent[1].header("content-range"), Some(range.as_str()));
    assert_eq!(sent[1].body.len() as u64, layer.len_bytes - first as u64);
}

#[test]
fn an_upload_that_the_registry_loses_is_begun_again() {
    let place = place();
    for len in [1000, 5 << 20] {
        let image = put_noise(&place, "app", len);
        let fake = Fake::start(&place, &image, |request| match request.method.as_str() {
            "HEAD" => Some(Reply::status(404)),
            // Sent, and then gone: at the first part, and at the end of it.
            "PATCH" if request.before == 0 => Some(Reply::status(404)),
            "PUT" if request.before == 0 && request.path.contains("/uploads/") => {
                Some(Reply::status(404))
            }
            "GET" if request.path.contains("/uploads/") => Some(Reply::status(404)),
            _ => None,
        });
        let pushed = place.done(&["app", &fake.name("app:1"), "--compress", "none"]);
        assert_eq!(pushed, format!("{image}\n"));
        let layer = place.image("app").manifest.layers.first().unwrap().digest.clone();
        let sent = [fake.asked("PUT", "/uploads/"), fake.asked("PATCH", "/uploads/")].concat();
        assert!(sent.iter().filter(|sent| Digest::of(&sent.body) == layer).count() > 1);
    }
}

#[test]
fn a_token_that_runs_out_in_an_upload_is_renewed() {
    let place = place();
    let image = put_noise(&place, "app", 5 << 20);
    let fake = Fake::start(&place, &image, |request| {
        if request.path.starts_with("/token") {
            let token = format!(r#"{{"token":"t{}","expires_in":300}}"#, request.before);
            return Some(Reply::status(200).body(token));
        }
        // The first token is good until something is sent.
        let token = request.header("authorization").unwrap_or_default();
        let is_good = match request.method.as_str() {
            "PATCH" | "PUT" => token.starts_with("Bearer t") && token != "Bearer t0",
            _ => token.starts_with("Bearer t"),
        };
        let host = request.header("host").unwrap_or_default();
        let challenge = format!("Bearer realm=\"http://{host}/token\",service=\"s\"");
        match (is_good, request.method.as_str()) {
            (false, _) => Some(Reply::status(401).with("WWW-Authenticate", challenge)),
            (true, "HEAD") => Some(Reply::status(404)),
            (true, _) => None,
        }
    });
    let pushed = place.done(&["app", &fake.name("app:1"), "--compress", "none"]);
    assert_eq!(pushed, format!("{image}\n"));
    assert!(fake.log().pop().unwrap().is("PUT", "/v2/app/manifests/1"));
}

#[test]
fn blobs_that_are_there_are_not_sent() {
    let pulled = Pulled::new();
    let fake = pulled.serve(|_| None);
    let pushed = pulled.place.done(&["app", &fake.name("app:1"), "--compress", "none"]);
    assert_eq!(pushed, format!("{}\n", pulled.image));
    let methods: Vec<_> = fake.log().into_iter().map(|request| request.method).collect();
    assert_eq!(methods, ["GET", "HEAD", "HEAD", "PUT"]);
}

#[test]
fn a_registry_that_takes_a_manifest_for_another_is_not_believed() {
    let pulled = Pulled::new();
    let other = Digest::of(b"other");
    let fake = pulled.serve(move |request| {
        request
            .is("PUT", "/manifests/")
            .then(|| Reply::status(201).with("Docker-Content-Digest", &other))
    });
    let (printed, said) = pulled.place.failed(&["app", &fake.name("app:1")]);
    assert_eq!(printed, "");
    assert!(said.contains("digest mismatch"), "{said}");
}

#[test]
fn damage_of_ours_is_not_sent() {
    let pulled = Pulled::new();
    let path = pulled.place.store().blob_path(&pulled.layer);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[1000] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let fake = pulled.serve(|request| (request.method == "HEAD").then(|| Reply::status(404)));
    let (_, said) = pulled.place.failed(&["app", &fake.name("app:1"), "--compress=none"]);
    assert!(said.contains("img-copy: app: blob ") && said.contains("digest mismatch"), "{said}");
    assert!(fake.asked("PUT", "/manifests/").is_empty());
    let (_, said) = pulled.place.failed(&["app", &fake.name("app:1")]);
    assert!(said.contains("digest mismatch"), "{said}");
}

#[test]
fn what_is_compressed_goes_out_as_it_is_made() {
    let pulled = Pulled::new();
    let fake = pulled.serve(|request| match request.method.as_str() {
        "HEAD" => Some(Reply::status(404)),
        "PATCH" => Some(Reply::status(202).with("Location", "/v2/app/blobs/uploads/on?it=goes")),
        _ => None,
    });
    let _ = pulled.place.done(&["app", &fake.name("app:1"), "--compress=gzip"]);
    let [sent] = &fake.asked("PATCH", "/uploads/")[..] else { panic!("{:?}", fake.log()) };
    assert_eq!(sent.header("transfer-encoding"), Some("chunked"));
    let ended = fake.asked("PUT", "/blobs/uploads/on?it=goes&digest=");
    assert_eq!((ended.len(), ended[0].body.len()), (1, 0));
    let digest = Digest::of(&sent.body).to_string().replace(':', "%3A");
    assert!(ended[0].path.ends_with(&digest), "{} {digest}", ended[0].path);
}

#[test]
fn a_registry_that_takes_no_chunks_gets_it_whole() {
    let pulled = Pulled::new();
    for status in [411, 500, 401] {
        let fake = pulled.serve(move |request| match request.method.as_str() {
            "HEAD" => Some(Reply::status(404)),
            "PATCH" => Some(Reply::status(status)),
            _ => None,
        });
        let _ = pulled.place.done(&["app", &fake.name("app:1"), "--compress=gzip"]);
        let sent = fake.asked("PUT", "/blobs/uploads/");
        let whole = sent.iter().find(|put| put.body.len() > 1 << 20).unwrap();
        let digest = Digest::of(&whole.body).to_string().replace(':', "%3A");
        assert!(whole.path.contains(&digest), "{}", whole.path);
    }
}
