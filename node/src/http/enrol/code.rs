//! Codes: what a person types into a box once. The store has a hash of each, so whoever reads the store has no code.

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use ring::digest::{SHA256, digest};

/// The random bytes of a code, which makes 16 characters: too many codes to try.
const BYTES: usize = 10;
/// The longest code that is looked at, with what separates its parts.
const LENGTH_MAX: usize = 64;

/// A new code, in four groups of four characters of A-Z and 2-7.
pub fn fresh() -> String {
    let bytes: [u8; BYTES] = rand::random();
    let text = BASE32_NOPAD.encode(&bytes);
    let groups = text.as_bytes().chunks(4).map(|group| std::str::from_utf8(group).expect("base32 is ASCII"));
    groups.collect::<Vec<_>>().join("-")
}

/// The id of the enrolment with this code. Blanks, hyphens and the case of letters do not matter. None if the text can't be a code.
pub fn id_of(code: &str) -> Option<String> {
    if code.len() > LENGTH_MAX {
        return None;
    }
    let code: String = code.chars().filter(|c| !matches!(c, ' ' | '-')).map(|c| c.to_ascii_uppercase()).collect();
    let bytes = BASE32_NOPAD.decode(code.as_bytes()).ok().filter(|bytes| bytes.len() == BYTES)?;
    Some(HEXLOWER.encode(&digest(&SHA256, &bytes).as_ref()[..16]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_write_it() {
        let code = fresh();
        assert_eq!((code.len(), code.matches('-').count()), (19, 3));
        let id = id_of(&code).unwrap();
        assert_eq!(id_of(&code.to_lowercase().replace('-', " ")), Some(id.clone()));
        assert_eq!(id_of(&format!(" {} ", code.replace('-', ""))), Some(id.clone()));
        assert_ne!(id_of(&fresh()), Some(id));
        for bad in ["", "AAAA", "AAAA-AAAA-AAAA-AAA1", "AAAA-AAAA-AAAA-AAAA-AAAA", &"A".repeat(100), "ÄÄÄÄ-AAAA-AAAA"]
        {
            assert_eq!(id_of(bad), None, "{bad}");
        }
    }
}
