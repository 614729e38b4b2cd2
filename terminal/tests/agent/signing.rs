//! Signatures as minisign makes them, of keys that only these tests have.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use data_encoding::{BASE64, HEXLOWER};
use ring::signature::{Ed25519KeyPair, KeyPair};

/// A key that signs.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    id: [u8; 8],
}

impl SigningKey {
    /// The key of this number.
    pub fn new(number: u8) -> Self {
        Self { pair: Ed25519KeyPair::from_seed_unchecked(&[number; 32]).unwrap(), id: [number; 8] }
    }

    /// The second line of `minisign.pub`.
    pub fn public(&self) -> String {
        BASE64.encode(&[b"Ed", &self.id[..], self.pair.public_key().as_ref()].concat())
    }

    /// The text of the `.minisig` that `minisign -S -t COMMENT` writes.
    pub fn sign(&self, content: &[u8], comment: &str) -> String {
        let signature = self.pair.sign(&blake2b(content));
        let global = self.pair.sign(&[signature.as_ref(), comment.as_bytes()].concat());
        let line = BASE64.encode(&[b"ED", &self.id[..], signature.as_ref()].concat());
        format!("untrusted comment: a test\n{line}\ntrusted comment: {comment}\n{}\n", BASE64.encode(global.as_ref()))
    }
}

/// The hash that minisign signs. A library for it would be the second of its kind in the workspace.
fn blake2b(content: &[u8]) -> Vec<u8> {
    let mut child = Command::new("b2sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(content).unwrap();
    let output = child.wait_with_output().unwrap();
    HEXLOWER.decode(output.stdout.split(|byte| *byte == b' ').next().unwrap()).unwrap()
}
