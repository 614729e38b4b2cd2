//! What an operator asks for with the command `file`.

use muster_protocol::Payload;
use serde::{Deserialize, Serialize};

use super::FileSettings;
use crate::allowed::NotAllowed;

/// The longest name of a file, in bytes.
const NAME_MAX: usize = 128;

/// The payload of the command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRequest {
    /// Where the file is, as `https://HOST[:PORT]/PATH`.
    pub url: String,
    /// The SHA-256 of the file, in 64 hexadecimal digits.
    pub sha256: String,
    /// The size of the file in bytes.
    pub size: u64,
    /// The file's name in the folder.
    pub name: String,
    /// The signature of a program, as the whole text of the file that minisign writes. `None` for another file.
    #[serde(default)]
    pub signature: Option<String>,
}

impl FileRequest {
    /// Reads and checks a payload.
    pub fn read(payload: &Payload, settings: &FileSettings) -> Result<Self, NotAllowed> {
        let request: Self = serde_json::from_str(payload.as_json())
            .map_err(|error| NotAllowed(format!("the payload must have url, sha256, size and name: {error}")))?;
        request.check(settings.largest, settings.http)?;
        if settings.programs.contains(&request.name) && request.signature.is_none() {
            let why = "signature: this file is one of files.programs, and such a file needs the text of its .minisig";
            return Err(NotAllowed(why.to_owned()));
        }
        Ok(request)
    }

    /// Checks everything but the signature. `http` is whether `http://` may be used.
    pub fn check(&self, largest: u64, http: bool) -> Result<(), NotAllowed> {
        let problem = if !self.is_named_well() {
            "name: at most 128 bytes of letters, digits, `.`, `-` and `_`, and it must not begin with `.`"
        } else if self.sha256.len() != 64 || !self.sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            "sha256: 64 hexadecimal digits"
        } else if self.size > largest {
            return Err(NotAllowed(format!("size: this box takes files of at most {largest} bytes")));
        } else {
            return check_url(&self.url, http);
        };
        Err(NotAllowed(problem.to_owned()))
    }

    fn is_named_well(&self) -> bool {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        (1..=NAME_MAX).contains(&self.name.len()) && !self.name.starts_with('.') && self.name.bytes().all(fits)
    }
}

/// Checks that a URL may be used.
pub fn check_url(url: &str, http: bool) -> Result<(), NotAllowed> {
    if url.starts_with("https://") || (http && url.starts_with("http://")) {
        return Ok(());
    }
    let why = "url: it must begin with https:// (or with http://, if the setting `http` of the section allows that)";
    Err(NotAllowed(why.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_file_that_fits_is_taken() {
        let settings: FileSettings = toml::from_str("folder = '/'\nlargest = 1000\nprograms = ['show']").unwrap();
        let good = json!({ "url": "https://files/x", "sha256": "0".repeat(64), "size": 1000, "name": "menu-2.json" });
        let read = |change: &[(&str, serde_json::Value)]| {
            let mut payload = good.clone();
            change.iter().for_each(|(key, value)| payload[*key] = value.clone());
            FileRequest::read(&Payload::from_value(&payload), &settings).map_err(|refusal| refusal.0)
        };
        assert!(read(&[]).is_ok());
        for (key, value) in [
            ("name", json!("../etc/passwd")),
            ("name", json!(".hidden")),
            ("name", json!("")),
            ("name", json!("a/b")),
            ("sha256", json!("abc")),
            ("size", json!(1001)),
            ("size", json!(-1)),
            ("url", json!("http://files/x")),
            ("url", json!("file:///etc/passwd")),
            ("run", json!(true)),
            // This name needs a signature.
            ("name", json!("show")),
        ] {
            let error = read(&[(key, value.clone())]).unwrap_err();
            let key = if value == "show" { "signature" } else { key };
            assert!(error.contains(key) || error.contains("payload"), "{key} {value}: {error}");
        }
    }
}
