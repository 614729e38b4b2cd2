//! What an operator asks for with the command `file`.

use muster_protocol::Payload;
use serde::Deserialize;

use super::FileSettings;
use crate::allowed::NotAllowed;

/// The longest name of a file, in bytes.
const NAME_MAX: usize = 128;

/// The payload of the command.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRequest {
    /// Where the file is, as `https://HOST[:PORT]/PATH`.
    pub url: String,
    /// Its SHA-256, in 64 hexadecimal digits.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its name in the folder.
    pub name: String,
}

impl FileRequest {
    /// Reads and checks a payload.
    pub fn read(payload: &Payload, settings: &FileSettings) -> Result<Self, NotAllowed> {
        let request: Self = serde_json::from_str(payload.as_json())
            .map_err(|error| NotAllowed(format!("the payload must have url, sha256, size and name: {error}")))?;
        let problem = if !request.is_named_well() {
            "name: at most 128 bytes of letters, digits, `.`, `-` and `_`, and it must not begin with `.`"
        } else if request.sha256.len() != 64 || !request.sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            "sha256: 64 hexadecimal digits"
        } else if request.size > settings.largest {
            return Err(NotAllowed(format!("size: this box takes files of at most {} bytes", settings.largest)));
        } else if !request.may_be_fetched(settings.http) {
            "url: it must begin with https:// (or with http://, if files.http allows that)"
        } else {
            return Ok(request);
        };
        Err(NotAllowed(problem.to_owned()))
    }

    fn may_be_fetched(&self, http: bool) -> bool {
        self.url.starts_with("https://") || (http && self.url.starts_with("http://"))
    }

    fn is_named_well(&self) -> bool {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        (1..=NAME_MAX).contains(&self.name.len()) && !self.name.starts_with('.') && self.name.bytes().all(fits)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_file_that_fits_is_taken() {
        let settings: FileSettings = toml::from_str("folder = '/'\nlargest = 1000").unwrap();
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
        ] {
            let error = read(&[(key, value.clone())]).unwrap_err();
            assert!(error.contains(key) || error.contains("payload"), "{key} {value}: {error}");
        }
    }
}
