//! Words that are written to Nginx's configuration. None can end a directive or begin one.

/// The longest host name (RFC 1035).
const NAME_MAX: usize = 253;

/// Parses a path or name that can be written to Nginx's configuration without quotes.
pub fn word(text: &str) -> Result<String, String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte);
    if !text.is_empty() && text.bytes().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err("only the characters A-Z a-z 0-9 / - _ . are allowed, since this is written to Nginx's configuration"
            .into())
    }
}

/// Parses a host name, or `*.` and a domain.
pub fn server_name(text: &str) -> Result<String, String> {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let is_label = |label: &str| {
        !label.is_empty() && label.len() <= 63 && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if text.len() <= NAME_MAX && name.split('.').all(is_label) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("a host name has letters, digits and - between dots; before a domain it may have *.".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_directive() {
        for good in ["example.org", "*.example.org", "a", "Terminals-1.example.org"] {
            assert_eq!(server_name(good), Ok(good.to_ascii_lowercase()));
        }
        for bad in ["", "*.", "a..b", "a;", "~^a", "a b", "*", "*.*.org", &"a".repeat(64)] {
            assert!(server_name(bad).is_err(), "{bad:?}");
        }
    }
}
