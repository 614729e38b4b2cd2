//! What an operator asks for with the command `upload`.

use std::collections::BTreeMap;

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use muster_protocol::Payload;
use serde::Deserialize;

use super::UploadSettings;
use crate::{allowed::NotAllowed, files::request::check_url};

/// The most headers.
const HEADERS_MAX: usize = 16;
/// The longest value of a header, in bytes.
const VALUE_MAX: usize = 1024;
/// The headers that are the agent's own.
const OWN: [&str; 4] = ["host", "content-length", "transfer-encoding", "connection"];

/// What the command asks for.
#[derive(Debug)]
pub struct UploadRequest {
    /// The file, as a path from the root.
    pub path: String,
    /// Where it goes, as `https://HOST[:PORT]/PATH`.
    pub url: String,
    /// Further headers of the request: what the URL was signed with.
    pub headers: HeaderMap,
}

/// The payload of the command.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UploadPayload {
    path: String,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

impl UploadRequest {
    /// Reads and checks a payload.
    pub fn read(payload: &Payload, settings: &UploadSettings) -> Result<Self, NotAllowed> {
        let UploadPayload { path, url, headers } = serde_json::from_str(payload.as_json()).map_err(|error| {
            NotAllowed(format!("the payload must have path and url, and may have headers: {error}"))
        })?;
        check_url(&url, settings.http)?;
        let headers = headers_of(&headers).ok_or_else(|| {
            let own = OWN.join(", ");
            NotAllowed(format!("headers: at most {HEADERS_MAX} of {VALUE_MAX} bytes each, and none of {own}"))
        })?;
        Ok(Self { path, url, headers })
    }
}

fn headers_of(given: &BTreeMap<String, String>) -> Option<HeaderMap> {
    if given.len() > HEADERS_MAX {
        return None;
    }
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let name: HeaderName = name.parse().ok()?;
        if OWN.contains(&name.as_str()) || value.len() > VALUE_MAX {
            return None;
        }
        headers.insert(name, HeaderValue::from_str(value).ok()?);
    }
    Some(headers)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_headers_that_are_not_the_agents_own_are_taken() {
        let settings: UploadSettings = toml::from_str("folders = ['/var/log']").unwrap();
        let read = |headers: serde_json::Value| {
            let payload = json!({ "path": "/var/log/x", "url": "https://files/x", "headers": headers });
            UploadRequest::read(&Payload::from_value(&payload), &settings).map_err(|refusal| refusal.0)
        };
        assert_eq!(read(json!({ "x-ms-blob-type": "BlockBlob" })).unwrap().headers["x-ms-blob-type"], "BlockBlob");
        let many: BTreeMap<_, _> = (0..=HEADERS_MAX).map(|number| (format!("x-{number}"), "")).collect();
        for headers in [
            json!({ "Host": "other" }),
            json!({ "a b": "" }),
            json!({ "a": "b\r\nc: d" }),
            json!(many),
            json!({ "a": 1 }),
        ] {
            assert!(read(headers.clone()).unwrap_err().contains("headers"), "{headers}");
        }
    }
}
