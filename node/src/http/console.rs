//! The console: the pages for operators in the folder `console/`, which are part of the program. The pages need no key:
//! they ask the API for what they show, with the operator's key.

use std::sync::LazyLock;

use hyper::{
    HeaderMap, Response, StatusCode,
    header::{self, HeaderName, HeaderValue},
};

use super::{
    answer::{Body, status, typed},
    etag,
};

/// Each file, by its path below `/console/`.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/console_files.rs"));

/// The tag of each file, in the same order.
static TAGS: LazyLock<Vec<HeaderValue>> = LazyLock::new(|| FILES.iter().map(|(_, bytes)| etag::of(bytes)).collect());

/// What a browser lets a page of the console do: use scripts and styles of this folder, and call the node that the page
/// came from.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The headers of each answer. With them a page runs no scripts of other sites, can't be put into a frame, and sends
/// other sites no referrer.
const HEADERS: [(HeaderName, &str); 4] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// The page for a path at which there is no file.
const NOT_FOUND: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Not found - Muster</title>\n\
                         <h1>There is no such page</h1>\n<p><a href=\"/console/\">Go to the console</a></p>\n</html>\n";

/// `GET /console/…`. `path` is what follows `/console`, as segments.
pub fn file(path: &[&str], sent: &HeaderMap) -> Response<Body> {
    let mut response = match path {
        [] => moved(),
        [""] => found("index.html", sent),
        _ => found(&path.join("/"), sent),
    };
    let headers = response.headers_mut();
    headers.extend(HEADERS.map(|(name, value)| (name, HeaderValue::from_static(value))));
    response
}

fn found(name: &str, sent: &HeaderMap) -> Response<Body> {
    let at = FILES.iter().position(|(path, _)| *path == name);
    let Some((at, kind)) = at.and_then(|at| Some((at, kind(name)?))) else {
        return typed(StatusCode::NOT_FOUND, "text/html; charset=utf-8", NOT_FOUND);
    };
    let tag = &TAGS[at];
    let answer =
        if etag::is_known(sent, tag) { etag::not_modified() } else { typed(StatusCode::OK, kind, FILES[at].1) };
    etag::tagged(answer, tag.clone())
}

/// Redirects to the path with a slash at its end, because the pages name their files by relative paths.
fn moved() -> Response<Body> {
    let mut response = status(StatusCode::PERMANENT_REDIRECT);
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static("/console/"));
    response
}

/// Returns the content type of a file, by the end of its name; none if the end is not known.
fn kind(name: &str) -> Option<&'static str> {
    let (_, end) = name.rsplit_once('.')?;
    Some(match end {
        "css" => "text/css; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "ico" => "image/x-icon",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "txt" => "text/plain; charset=utf-8",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_has_a_content_type_and_is_found() {
        assert!(FILES.iter().any(|(name, _)| *name == "index.html"));
        for (name, _) in FILES {
            let path: Vec<_> = name.split('/').collect();
            let response = file(&path, &HeaderMap::new());
            assert_eq!((response.status(), kind(name).is_some()), (StatusCode::OK, true), "{name}");
        }
        for path in [&["README.md"][..], &["", ""], &["pages"], &[".."], &["index.html", ""]] {
            assert_eq!(file(path, &HeaderMap::new()).status(), StatusCode::NOT_FOUND, "{path:?}");
        }
    }
}
