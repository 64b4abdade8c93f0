//! `img-copy` and registries that are overloaded, cut off, or hostile: what passes is
//! waited for, what does not is refused in one line, and nothing is half-made.

#![allow(clippy::unwrap_used)]

mod support;

use common::digest::Digest;
use common::json::base64;

use support::fake::{Fake, Reply, Request, part};
use support::proxy::Proxy;
use support::pulled::{LEN, Pulled};
use support::put_noise;

#[test]
fn a_cut_transfer_goes_on_where_it_was_cut() {
    let pulled = Pulled::new();
    let (layer, bytes) = (pulled.layer.to_string(), pulled.bytes(&pulled.layer));
    let fake = pulled.serve(move |request| {
        let cut = request.is("GET", &layer) && request.before < 2;
        cut.then(|| Reply { cut_after: Some(1 << 20), ..part(request, bytes.clone()) })
    });
    pulled.pulls(&fake);
    let asked = fake.asked("GET", &pulled.layer.to_string());
    let ranges: Vec<_> = asked.iter().map(|request| request.header("range")).collect();
    assert_eq!(ranges, [None, Some("bytes=1048576-"), Some("bytes=2097152-")]);
}

#[test]
fn a_registry_without_ranges_is_read_again_from_the_start() {
    let pulled = Pulled::new();
    let (layer, bytes) = (pulled.layer.to_string(), pulled.bytes(&pulled.layer));
    let fake = pulled.serve(move |request| {
        let whole = Reply::status(200).body(bytes.clone());
        let cut = (request.before == 0).then_some(100_000);
        request.is("GET", &layer).then_some(Reply { cut_after: cut, ..whole })
    });
    pulled.pulls(&fake);
    assert_eq!(fake.asked("GET", &pulled.layer.to_string()).len(), 2);
}

#[test]
fn a_busy_registry_is_asked_again() {
    let pulled = Pulled::new();
    for status in [429, 503] {
        let fake = pulled.serve(move |request| {
            let busy = request.is("GET", "/v2/app/") && request.before == 0;
            busy.then(|| Reply::status(status).with("Retry-After", 0))
        });
        pulled.pulls(&fake);
        std::fs::remove_dir_all(pulled.place.path("pulled")).unwrap();
        assert_eq!(fake.asked("GET", "/manifests/1").len(), 2);
    }
}

#[test]
fn patience_ends() {
    let pulled = Pulled::new();
    let busy = |request: &Request| {
        request.is("GET", "/manifests/").then(|| Reply::status(429).with("Retry-After", 0))
    };
    let fake = pulled.serve(busy);
    pulled.fails(&fake, "manifest 1: 429");
    assert_eq!(fake.asked("GET", "/manifests/").len(), 2);
    let fake = pulled.serve(|request| {
        request.is("GET", "/manifests/").then(|| Reply::status(503).with("Retry-After", 86_400))
    });
    pulled.fails(&fake, "manifest 1: 503");
    assert_eq!(fake.asked("GET", "/manifests/").len(), 1);
}

#[test]
fn a_registry_that_trickles_is_given_up() {
    let pulled = Pulled::new();
    let slow = "slower than 1000 bytes a second for 1 s";
    for part in ["/v2/", "/manifests/", "/blobs/", "/token"] {
        let tokens = with_tokens(|_| Reply::status(200).body(r#"{"token":"good"}"#));
        let bytes = pulled.bytes(&pulled.image);
        let fake = pulled.serve(move |request| {
            let trickles = request.path == part || part != "/v2/" && request.is("GET", part);
            let body = bytes.clone();
            match trickles {
                true => Some(Reply { trickles, ..Reply::status(200).body(body) }),
                false => tokens(request),
            }
        });
        let start = std::time::Instant::now();
        let name = fake.name("app:1");
        let args = ["--speed-time=1", "--retry-times=1", &name, "oci:new:x"];
        let (_, said) = pulled.place.failed(&args);
        assert!(said.contains(slow), "{part}: {said}");
        assert!(said.ends_with("hint: --speed-limit and --speed-time say how slow it may be\n"));
        assert_eq!(said.lines().count(), 2, "{part}: {said}");
        assert!(start.elapsed().as_secs() < 30, "{part}");
    }
}

#[test]
fn a_registry_that_falls_silent_is_given_up_in_the_time_that_was_set() {
    let pulled = Pulled::new();
    let (layer, bytes) = (pulled.layer.to_string(), pulled.bytes(&pulled.layer));
    let fake = pulled.serve(move |request| {
        let reply = Reply { cut_after: Some(1000), stalls: true, ..part(request, bytes.clone()) };
        request.is("GET", &layer).then_some(reply)
    });
    let start = std::time::Instant::now();
    let name = fake.name("app:1");
    let args = ["--speed-time=2", "--retry-times=0", &name, "oci:new:x"];
    let (_, said) = pulled.place.failed(&args);
    assert!(said.contains("slower than 1000 bytes a second for 2 s"), "{said}");
    assert!(start.elapsed().as_secs() < 20, "{said}");
}

#[test]
fn a_registry_that_takes_little_is_given_up() {
    let place = support::place();
    // More than the kernel takes off our hands.
    let image = put_noise(&place, "app", 16 << 20);
    let fake = Fake::start(&place, &image, |request| {
        request.is("HEAD", "/blobs/").then(|| Reply::status(404))
    });
    let proxy = Proxy::slow(fake.port);
    let name = format!("docker://127.0.0.1:{}/app:1", proxy.port);
    let limit = ["--speed-limit=1000000", "--speed-time=1", "--retry-times=0", "--compress=none"];
    let start = std::time::Instant::now();
    let (_, said) = place.failed(&[&["app", &name][..], &limit].concat());
    assert!(start.elapsed().as_secs() < 20, "{said}");
    assert!(said.contains("slower than 1000000 bytes a second for 1 s"), "{said}");
    assert_eq!(fake.asked("PUT", "/manifests/").len(), 0);
}

#[test]
fn a_registry_that_is_too_busy_is_explained() {
    let pulled = Pulled::new();
    let date = "Fri, 31 Dec 2100 23:59:59 GMT".to_owned();
    for (status, after, line, hint) in [
        (429, None, "manifest 1: 429 too many requests: slow down", "try again later"),
        (429, Some("1000".to_owned()), "429 too many requests", "try again in 1000 seconds"),
        (503, Some(date), "503 service unavailable", "try again in 2"),
        (503, None, "503 service unavailable", "try again later"),
    ] {
        let fake = pulled.serve(move |request| {
            let body = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}"#;
            let reply = Reply::status(status).body(body);
            request.is("GET", "/manifests/").then(|| match &after {
                Some(after) => reply.with("Retry-After", after),
                None => reply,
            })
        });
        pulled.fails(&fake, line);
        pulled.fails(&fake, &format!("img-copy: hint: {hint}"));
    }
}

#[test]
fn what_a_registry_says_is_shown_and_cannot_drive_a_terminal() {
    let pulled = Pulled::new();
    let fake = pulled.serve(|request| {
        let body =
            r#"{"errors":[{"code":"X","message":"no\u001b]52;c;aGk=\u0007\nimg-copy: done"}]}"#;
        request.is("GET", "/manifests/").then(|| Reply::status(404).body(body))
    });
    pulled.fails(&fake, "manifest 1 is not there: no\\033]52;c;aGk=\\007\\012img-copy: done");
}

#[test]
fn other_bytes_than_were_asked_for_are_refused() {
    let pulled = Pulled::new();
    let (layer, mut damaged) = (pulled.layer.to_string(), pulled.bytes(&pulled.layer));
    *damaged.last_mut().unwrap() ^= 1;
    let wrong = layer.clone();
    let fake = pulled.serve(move |request| {
        request.is("GET", &wrong).then(|| Reply::status(200).body(damaged.clone()))
    });
    pulled.fails(&fake, "digest mismatch");
    // Too many, and too few.
    for len in [LEN / 2, LEN * 2] {
        let other = layer.clone();
        let fake = pulled.serve(move |request| {
            request.is("GET", &other).then(|| Reply::status(200).body(vec![0; len]))
        });
        pulled.fails(&fake, "size mismatch");
    }
    let other = layer.clone();
    let fake = pulled.serve(move |request| {
        let endless = Reply { endless: true, ..Reply::status(200) };
        request.is("GET", &other).then_some(endless)
    });
    pulled.fails(&fake, "digest mismatch");
    // A part that is not the one that is missing.
    let bytes = pulled.bytes(&pulled.layer);
    let fake = pulled.serve(move |request| {
        let first = Reply { cut_after: Some(1000), ..Reply::status(200).body(bytes.clone()) };
        let second = Reply::status(206).with("Content-Range", "bytes 0-9/10").body(vec![0; 10]);
        let reply = if request.before == 0 { first } else { second };
        request.is("GET", &layer).then_some(reply)
    });
    pulled.fails(&fake, "sends another part of a blob than was asked for");
}

#[test]
fn manifests_are_checked_and_bounded() {
    let pulled = Pulled::new();
    let bytes = pulled.bytes(&pulled.image);
    let other = Digest::of(b"other");
    for (reply, words) in [
        (
            Reply::status(200).with("Docker-Content-Digest", &other).body(bytes.clone()),
            "digest mismatch",
        ),
        (Reply { endless: true, ..Reply::status(200) }, "longer than 4194304 bytes"),
        (Reply::status(200).body(vec![b' '; 5 << 20]), "longer than 4194304 bytes"),
        (Reply::status(200).body("{}"), "manifest 1: "),
        (
            Reply::status(200).with("Content-Type", common::oci::media_type::INDEX).body(bytes),
            "ambiguous document",
        ),
        (
            Reply::status(200)
                .with("Content-Type", "application/vnd.docker.distribution.manifest.v1+prettyjws")
                .body(r#"{"schemaVersion":1,"fsLayers":[]}"#),
            "schema version 1 is not supported",
        ),
    ] {
        let fake =
            pulled.serve(move |request| request.is("GET", "/manifests/").then(|| reply.clone()));
        pulled.fails(&fake, words);
    }
}

#[test]
fn a_digest_that_was_asked_for_is_what_comes() {
    let pulled = Pulled::new();
    let other = put_noise(&pulled.place, "other", 10);
    let fake = pulled.serve(|_| None);
    let exact = format!("{}@{}", fake.name("app"), pulled.image);
    assert_eq!(pulled.place.done(&[&exact, "exact"]), format!("{}\n", pulled.image));
    let bytes = pulled.bytes(&other);
    let fake = pulled.serve(move |request| {
        request.is("GET", "/manifests/").then(|| Reply::status(200).body(bytes.clone()))
    });
    let exact = format!("{}@{}", fake.name("app"), pulled.image);
    let (_, said) = pulled.place.failed(&[&exact, "oci:new:x"]);
    assert!(said.contains("digest mismatch"), "{said}");
}

#[test]
fn a_redirect_is_followed_without_credentials_and_not_for_ever() {
    let pulled = Pulled::new();
    let elsewhere = pulled.serve(|_| None);
    let (target, layer) = (elsewhere.url(""), pulled.layer.to_string());
    let fake = pulled.serve(move |request| {
        if request.header("authorization").is_none() {
            return Some(Reply::status(401).with("WWW-Authenticate", "Basic realm=\"x\""));
        }
        let location = format!("{target}{}", request.path);
        request.is("GET", &layer).then(|| Reply::status(307).with("Location", location))
    });
    let printed = pulled.place.done(&[&fake.name("app:1"), "oci:pulled:x", "--creds", "me:secret"]);
    assert_eq!(printed, format!("{}\n", pulled.image));
    let asked = elsewhere.log();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].header("authorization"), None);
    let own = fake.asked("GET", &pulled.layer.to_string());
    let expected = format!("Basic {}", base64(b"me:secret"));
    assert_eq!(own[0].header("authorization"), Some(expected.as_str()));

    let fake = pulled.serve(|request| {
        request.is("GET", "/manifests/").then(|| Reply::status(302).with("Location", &request.path))
    });
    pulled.fails(&fake, "more redirects than are followed");
    for (location, words) in [
        ("ftp://127.0.0.1/", "redirects to what is no address: ftp://127.0.0.1/"),
        ("http://me@127.0.0.1/", "redirects to what is no address"),
        ("http://[", "redirects to what is no address"),
    ] {
        let fake = pulled.serve(move |request| {
            request.is("GET", "/manifests/").then(|| Reply::status(302).with("Location", location))
        });
        pulled.fails(&fake, words);
    }
}

/// Wants a token of its own realm for everything but that realm.
fn with_tokens(
    realm: impl Fn(&Request) -> Reply + Send + Sync + 'static,
) -> impl Fn(&Request) -> Option<Reply> {
    move |request: &Request| {
        if request.path.starts_with("/token") {
            return Some(realm(request));
        }
        if request.header("authorization").is_some_and(|value| value == "Bearer good") {
            return None;
        }
        let host = request.header("host").unwrap_or_default();
        let challenge = format!("Bearer realm=\"http://{host}/token\",service=\"the service\"");
        Some(Reply::status(401).with("WWW-Authenticate", challenge))
    }
}

#[test]
fn a_token_is_fetched_with_the_credentials_there_are() {
    let pulled = Pulled::new();
    let token = |_: &Request| Reply::status(200).body(r#"{"token":"good","expires_in":300}"#);
    let fake = pulled.serve(with_tokens(token));
    pulled.pulls(&fake);
    let asked = fake.asked("GET", "/token");
    assert_eq!(asked.len(), 1, "one token serves for all");
    assert_eq!(asked[0].path, "/token?service=the%20service&scope=repository%3Aapp%3Apull");
    assert_eq!(asked[0].header("authorization"), None);

    let file = format!(
        r#"{{"auths":{{"127.0.0.1:{}":{{"auth":"{}"}}}}}}"#,
        fake.port,
        base64(b"me:secret")
    );
    std::fs::write(pulled.place.path("auth.json"), file).unwrap();
    let printed = pulled.place.done(&[&fake.name("app"), "oci:with:x", "--authfile", "auth.json"]);
    assert_eq!(printed, format!("{}\n", pulled.image));
    let expected = format!("Basic {}", base64(b"me:secret"));
    assert_eq!(fake.asked("GET", "/token")[1].header("authorization"), Some(expected.as_str()));

    let pushed = pulled.place.done(&["app", &fake.name("app"), "--compress=none"]);
    assert_eq!(pushed, format!("{}\n", pulled.image));
    let scope = "scope=repository%3Aapp%3Apull%2Cpush";
    assert!(fake.asked("GET", "/token")[2].path.contains(scope));
}

#[test]
fn credentials_are_read_from_files_that_end() {
    let pulled = Pulled::new();
    let fake = pulled.serve(|_| None);
    let home = pulled.place.path("docker");
    std::fs::create_dir(&home).unwrap();
    let config = home.join("config.json");
    let run = |args: &[&str]| {
        let mut command = pulled.place.command(&[&[fake.name("app").as_str()], args].concat());
        let output = command.env("DOCKER_CONFIG", &home).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert!(std::process::Command::new("mkfifo").arg(&config).status().unwrap().success());
    let (status, said) = run(&["oci:new:x"]);
    assert!(status == Some(2) && said.contains("config.json: not a regular file"), "{said}");
    std::fs::remove_file(&config).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &config).unwrap();
    let (status, said) = run(&["oci:new:x"]);
    assert!(status == Some(2) && said.contains("config.json: not a regular file"), "{said}");
    let (status, said) = run(&["oci:new:x", "--authfile=/dev/zero"]);
    assert!(status == Some(2) && said.contains("/dev/zero: larger than 1048576 bytes"), "{said}");
    // A link to settings that are kept elsewhere.
    std::fs::remove_file(&config).unwrap();
    std::fs::write(pulled.place.path("kept.json"), "{}").unwrap();
    std::os::unix::fs::symlink(pulled.place.path("kept.json"), &config).unwrap();
    assert_eq!(run(&["oci:new:x"]), (Some(0), String::new()));
}

#[test]
fn an_identity_token_is_exchanged() {
    let pulled = Pulled::new();
    let fake = pulled.serve(with_tokens(|request| {
        assert_eq!(request.method, "POST");
        Reply::status(200).body(r#"{"access_token":"good"}"#)
    }));
    let file = format!(r#"{{"auths":{{"127.0.0.1:{}":{{"identitytoken":"a b"}}}}}}"#, fake.port);
    std::fs::create_dir(pulled.place.path("docker")).unwrap();
    std::fs::write(pulled.place.path("docker/config.json"), file).unwrap();
    let mut command = pulled.place.command(&[&fake.name("app"), "oci:pulled:x"]);
    let output = command.env("DOCKER_CONFIG", pulled.place.path("docker")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let form = String::from_utf8(fake.asked("POST", "/token")[0].body.clone()).unwrap();
    assert!(form.starts_with("grant_type=refresh_token&"), "{form}");
    assert!(form.ends_with("&refresh_token=a%20b"), "{form}");
}

#[test]
fn a_token_that_runs_out_is_renewed() {
    let pulled = Pulled::new();
    let token = |request: &Request| {
        let name = if request.before == 0 { "first" } else { "good" };
        Reply::status(200).body(format!(r#"{{"token":"{name}","expires_in":300}}"#))
    };
    let tokens = with_tokens(token);
    let fake = pulled.serve(move |request| {
        let early =
            request.header("authorization") == Some("Bearer first") && request.path == "/v2/";
        if early { None } else { tokens(request) }
    });
    pulled.pulls(&fake);
    assert_eq!(fake.asked("GET", "/token").len(), 2);
}

#[test]
fn credentials_are_asked_for_and_a_refusal_is_final() {
    let pulled = Pulled::new();
    let basic = |_: &Request| Some(Reply::status(401).with("WWW-Authenticate", "Basic realm=x"));
    let fake = pulled.serve(basic);
    pulled.fails(&fake, ": credentials are needed\nimg-copy: hint: log in with");
    let wrong = [&fake.name("app"), "oci:new:x", "--creds", "me:wrong"];
    let (_, said) = pulled.place.failed(&wrong);
    assert!(said.contains("the credentials are not accepted"), "{said}");
    assert!(!said.contains("wrong"), "{said}");
    let fake = pulled.serve(with_tokens(|_| {
        Reply::status(401).body(r#"{"errors":[{"code":"UNAUTHORIZED","message":"who are you"}]}"#)
    }));
    pulled.fails(&fake, "who are you");
    let fake = pulled.serve(with_tokens(|_| Reply::status(200).body(r#"{"token":"bad"}"#)));
    pulled.fails(&fake, "the credentials are missing or not accepted");
    let fake = pulled.serve(with_tokens(|_| Reply::status(200).body(vec![b' '; 1 << 20])));
    pulled.fails(&fake, "no token in the token server's answer");
    let fake = pulled.serve(|_| Some(Reply::status(401)));
    pulled.fails(&fake, "wants credentials, and does not say which");
}

#[test]
fn an_evil_realm_is_not_asked() {
    let pulled = Pulled::new();
    for realm in ["file:///etc/passwd", "http://me:secret@127.0.0.1/", "//x", "http://a b/", ""] {
        let fake = pulled.serve(move |_| {
            let challenge = format!("Bearer realm=\"{realm}\"");
            Some(Reply::status(401).with("WWW-Authenticate", challenge))
        });
        pulled.fails(&fake, "not a token server's address");
    }
}
