//! An issuer of tokens of its own: a small HTTP server that publishes keys, and tokens that are signed with them.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use data_encoding::BASE64URL_NOPAD;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// The server. Dropping it ends it.
pub struct TestIssuer {
    pub address: SocketAddr,
    answer: Arc<Mutex<String>>,
    requests: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl TestIssuer {
    /// Starts a server at `listen` that publishes the keys with these names.
    pub async fn start(listen: &str, kids: &[&str]) -> Self {
        let listener = TcpListener::bind(listen).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (answer, requests) = (Arc::<Mutex<String>>::default(), Arc::<AtomicUsize>::default());
        let (shown, count) = (answer.clone(), requests.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let text = shown.lock().unwrap().clone();
                serve(stream, &text).await;
            }
        });
        let issuer = Self { address, answer, requests, task };
        issuer.publish(kids);
        issuer
    }

    /// The value of `--jwks`.
    pub fn url(&self) -> String {
        format!("http://{}/keys", self.address)
    }

    /// Publishes these keys alone from now on.
    pub fn publish(&self, kids: &[&str]) {
        let body = set(kids).to_string();
        self.answer(&format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    }

    /// Gives this answer from now on.
    pub fn answer(&self, text: &str) {
        *self.answer.lock().unwrap() = text.to_owned();
    }

    /// How often it was asked.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

impl Drop for TestIssuer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, answer: &str) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => return,
        }
    }
    assert!(request.starts_with(b"GET /keys HTTP/1.1\r\n"), "{}", String::from_utf8_lossy(&request));
    let _ = stream.write_all(answer.as_bytes()).await;
}

/// A JWK set with the Ed25519 keys of these names.
pub fn set(kids: &[&str]) -> Value {
    let jwk = |kid: &&str| {
        let x = BASE64URL_NOPAD.encode(pair(kid).public_key().as_ref());
        json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "use": "sig", "x": x })
    };
    json!({ "keys": kids.iter().map(jwk).collect::<Vec<_>>() })
}

/// A token with these claims, signed with the key of this name.
pub fn token(kid: &str, claims: &Value) -> String {
    let encode = |json: Value| BASE64URL_NOPAD.encode(json.to_string().as_bytes());
    let signed = format!("{}.{}", encode(json!({ "alg": "EdDSA", "kid": kid })), encode(claims.clone()));
    format!("{signed}.{}", BASE64URL_NOPAD.encode(pair(kid).sign(signed.as_bytes()).as_ref()))
}

/// The key of a name: the same at each call.
fn pair(kid: &str) -> Ed25519KeyPair {
    let mut seed = [0; 32];
    seed[..kid.len()].copy_from_slice(kid.as_bytes());
    Ed25519KeyPair::from_seed_unchecked(&seed).unwrap()
}
