//! Signatures of programs, in minisign's format. A signature says who has made a program. Its trusted comment says
//! which program it is and which version: `name:show version:1.4.0`.

use std::io::Read;

use anyhow::{Context, anyhow, bail, ensure};
use minisign_verify::{Error, PublicKey, Signature};
use muster_protocol::selector::LabelVersion;
use serde::Deserialize;

/// The longest signature, in bytes.
const SIGNATURE_MAX: usize = 4096;
/// How much of a program is read at a time, in bytes.
const CHUNK: usize = 64 << 10;

/// The public keys of those whose programs this box runs. No keys by default.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Signers(Vec<PublicKey>);

impl TryFrom<Vec<String>> for Signers {
    type Error = anyhow::Error;

    fn try_from(keys: Vec<String>) -> anyhow::Result<Self> {
        let read = |key: &String| {
            PublicKey::from_base64(key.trim())
                .map_err(|_| anyhow!("signers: {key:?} is no public key of minisign (the second line of minisign.pub)"))
        };
        keys.iter().map(read).collect::<Result<_, _>>().map(Self)
    }
}

/// A signature by one of the keys. Nothing in it can be trusted before [`ProgramSignature::verify`] has returned.
#[derive(Clone)]
pub struct ProgramSignature {
    key: PublicKey,
    signature: Signature,
    /// The text of the signature file.
    pub text: String,
    /// Which program was signed.
    pub name: String,
    /// Its version.
    pub version: LabelVersion,
}

impl Signers {
    /// Returns whether there is no key, so that no signature counts.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads the signature of the program `name`.
    ///
    /// # Errors
    /// If the text is no signature by one of the keys, or if it signs another program.
    pub fn read(&self, text: &str, name: &str) -> anyhow::Result<ProgramSignature> {
        ensure!(text.len() <= SIGNATURE_MAX, "signature: it has more than {SIGNATURE_MAX} bytes");
        let signature = Signature::decode(text).map_err(|_| anyhow!("signature: it is no .minisig of minisign"))?;
        let key = self.key_of(&signature)?.clone();
        let (signed, version) = signed_words(signature.trusted_comment())?;
        ensure!(signed == name, "signature: it is that of {signed:?} and not of {name:?}");
        let (name, version) = (signed.to_owned(), version_of(version)?);
        Ok(ProgramSignature { key, text: text.to_owned(), name, version, signature })
    }

    fn key_of(&self, signature: &Signature) -> anyhow::Result<&PublicKey> {
        for key in &self.0 {
            match key.verify_stream(signature) {
                Ok(_) => return Ok(key),
                Err(Error::UnsupportedLegacyMode) => {
                    bail!("signature: it was made with `minisign -l`; sign without -l")
                }
                Err(_) => {}
            }
        }
        bail!("signature: none of this box's keys has made it (signers)")
    }
}

impl ProgramSignature {
    /// Checks that these bytes are what was signed.
    pub fn verify(&self, mut program: impl Read) -> anyhow::Result<()> {
        let refusal = |_| anyhow!("the signature is not that of this file; the file was dropped");
        let mut verifier = self.key.verify_stream(&self.signature).map_err(refusal)?;
        let mut chunk = vec![0; CHUNK];
        loop {
            match program.read(&mut chunk)? {
                0 => return verifier.finalize().map_err(refusal),
                count => verifier.update(&chunk[..count]),
            }
        }
    }
}

/// Returns the version in a signature that was verified before.
pub fn version_in(text: &str) -> anyhow::Result<LabelVersion> {
    let signature = Signature::decode(text).map_err(|_| anyhow!("it is no .minisig of minisign"))?;
    version_of(signed_words(signature.trusted_comment())?.1)
}

/// Reads a version.
pub fn version_of(text: &str) -> anyhow::Result<LabelVersion> {
    LabelVersion::parse(text).with_context(|| format!("{text:?} is no version, such as 1.4.0 or 2.0-rc.1"))
}

/// Returns whether the first version is lower than the second.
pub fn is_older(version: &LabelVersion, than: &LabelVersion) -> bool {
    version.key() < than.key()
}

/// Returns the name and the version in a trusted comment.
fn signed_words(comment: &str) -> anyhow::Result<(&str, &str)> {
    let one = |key: &str| {
        let mut found = comment.split_whitespace().filter_map(|word| word.strip_prefix(key));
        found.next().filter(|word| !word.is_empty() && found.next().is_none())
    };
    let words = one("name:").zip(one("version:"));
    words.context("signature: its trusted comment must be as of `minisign -S -m show -t 'name:show version:1.4.0'`")
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made by minisign itself.
    const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    const SIGNATURE: &str = "untrusted comment: signature from minisign secret key
RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=
trusted comment: timestamp:1633700835\tfile:test\tprehashed
wLMDjy9FLAuxZ3q4NlEvkgtyhrr0gtTu6KC4KBJdITbbOeAi1zBIYo0v4iTgt8jJpIidRJnp94ABQkJAgAooBQ==
";

    fn signers(keys: &[&str]) -> anyhow::Result<Signers> {
        Signers::try_from(keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>())
    }

    fn error(text: &str) -> String {
        format!("{:#}", signers(&[KEY]).unwrap().read(text, "test").err().unwrap())
    }

    #[test]
    fn a_signature_without_a_name_and_a_version_is_refused() {
        assert!(error(SIGNATURE).contains("minisign -S"), "{}", error(SIGNATURE));
        assert!(error("untrusted comment: x").contains("no .minisig"));
        assert!(error(&"x".repeat(SIGNATURE_MAX + 1)).contains("bytes"));
    }

    #[test]
    fn what_minisign_has_signed_is_accepted_and_nothing_else() {
        let (key, signature) = (PublicKey::from_base64(KEY).unwrap(), Signature::decode(SIGNATURE).unwrap());
        let version = LabelVersion::parse("1").unwrap();
        let signed = ProgramSignature { key, signature, text: String::new(), name: String::new(), version };
        assert!(signed.verify(&b"test"[..]).is_ok());
        assert!(signed.verify(&b"Test"[..]).is_err());
    }

    #[test]
    fn a_key_that_is_none_is_named() {
        let error = signers(&[KEY, "RWQ"]).unwrap_err().to_string();
        assert!(error.contains("\"RWQ\""), "{error}");
    }

    #[test]
    fn a_trusted_comment_has_one_name_and_one_version() {
        assert_eq!(signed_words("timestamp:1 name:show\tversion:1.4").unwrap(), ("show", "1.4"));
        for comment in ["", "name:show", "version:1", "name: version:1", "name:a name:b version:1"] {
            assert!(signed_words(comment).is_err(), "{comment}");
        }
    }
}
