//! The files of the console.

use muster_testkit::{TestNode, http::request, token::SECRET};

/// The value of a header in the head of an answer.
fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[tokio::test]
async fn the_console_is_served_without_a_key_and_its_pages_run_nothing_of_others() {
    let node = TestNode::start(&["--secret", SECRET]).await;
    let ask = async |method: &str, path: &str, headers: &str| {
        request(node.address, &format!("{method} {path} HTTP/1.1\r\n{headers}")).await
    };
    let (status, head, _) = ask("GET", "/console", "").await;
    assert_eq!((status, header(&head, "location")), (308, Some("/console/")));
    let (status, head, body) = ask("GET", "/console/", "").await;
    assert!(status == 200 && body.to_ascii_lowercase().starts_with("<!doctype html>"), "{head} {body}");
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-cache"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        assert_eq!(header(&head, name), Some(value), "{name}");
    }
    let policy = header(&head, "content-security-policy").unwrap();
    for part in ["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'"] {
        assert!(policy.split("; ").any(|one| one == part), "{part}: {policy}");
    }
    for part in ["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "img-src 'self' data:"] {
        assert!(policy.split("; ").any(|one| one == part), "{part}: {policy}");
    }
    let tag = header(&head, "etag").unwrap();
    let (status, head, again) = ask("GET", "/console/index.html", &format!("If-None-Match: {tag}\r\n")).await;
    assert_eq!((status, again.as_str(), header(&head, "etag")), (304, "", Some(tag)));
    assert!(header(&head, "content-security-policy").is_some(), "{head}");
    let (status, head, empty) = ask("HEAD", "/console/", "").await;
    assert_eq!((status, empty.as_str()), (200, ""));
    assert_eq!(header(&head, "content-length").map(str::to_owned), Some(body.len().to_string()));
    for path in ["/console/nowhere.js", "/console/README.md", "/console//", "/console/..%2Fnode", "/console/../livez"] {
        let (status, head, body) = ask("GET", path, "").await;
        assert!(status == 404 || status == 400, "{path}: {head}");
        assert!(status == 400 || (body.contains("href=\"/console/\"") && head.contains("frame-ancestors")), "{path}");
    }
    assert_eq!(ask("POST", "/console/", "").await.0, 405);
    node.stop().await;
}
