//! What fuzzing runs: the signatures that operators send.

use crate::signature::{Signers, version_in};

/// A public key whose private key nobody here has.
const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
/// What the key has signed, without a name.
const SIGNED: &[u8] = b"test";

/// Reads the bytes as a signature and as a key. A signature that names a program is never by this key, whatever else it
/// says.
pub fn signature(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let _ = version_in(text);
    let _ = Signers::try_from(vec![text.to_owned()]);
    let signers = Signers::try_from(vec![KEY.to_owned()]).expect("a key of minisign");
    if let Ok(read) = signers.read(text, "show") {
        assert!(read.verify(SIGNED).is_err(), "{text}");
    }
}

#[cfg(test)]
mod tests {
    use muster_testkit::corpus;

    use super::*;

    #[test]
    fn every_signature_that_was_found_is_refused() {
        for (file, bytes) in corpus::files("signature") {
            // Printed first, so that a panic comes after the name of its input.
            println!("{}", file.display());
            signature(&bytes);
        }
    }
}
