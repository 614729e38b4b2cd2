//! The id of a request: `X-Request-Id`. By it the caller finds the call in the audit and in the logs of proxies.

use hyper::{
    HeaderMap,
    header::{HeaderName, HeaderValue},
};
use uuid::Uuid;

/// The header, in requests and answers.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id that a node takes over from the caller, in bytes.
const LENGTH_MAX: usize = 128;

/// Returns the id that the caller gave. Returns a new id if the caller gave none or several, or if the id is not 1 to
/// 128 characters of `A-Z a-z 0-9 . _ : / + = @ -`.
pub fn of(headers: &HeaderMap) -> String {
    let mut given = headers.get_all(REQUEST_ID).iter();
    match (given.next().and_then(|id| id.to_str().ok()).filter(|id| is_id(id)), given.next()) {
        (Some(id), None) => id.to_owned(),
        _ => Uuid::now_v7().to_string(),
    }
}

/// Returns the id as a header of the answer.
pub fn header(id: &str) -> HeaderValue {
    HeaderValue::from_str(id).expect("an id is visible ASCII")
}

fn is_id(text: &str) -> bool {
    let is_taken = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/+=@-".contains(&byte);
    (1..=LENGTH_MAX).contains(&text.len()) && text.bytes().all(is_taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(given: &[&str]) -> String {
        let values = given.iter().map(|id| (REQUEST_ID, HeaderValue::from_str(id).unwrap()));
        let mut headers = HeaderMap::new();
        values.for_each(|(name, value)| _ = headers.append(name, value));
        of(&headers)
    }

    #[test]
    fn an_id_is_taken_if_it_is_one_and_made_if_not() {
        for good in ["1", "a-B_7.x:/+=@", &"x".repeat(128)] {
            assert_eq!(id(&[good]), good);
        }
        for bad in [&[][..], &[""], &["a b"], &["a\"b"], &["{x}"], &["a", "a"], &[&"x".repeat(129)]] {
            let made = id(bad);
            assert!(made.parse::<Uuid>().is_ok(), "{bad:?} became {made}");
        }
    }
}
