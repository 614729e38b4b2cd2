//! A file with a token that nodes renew: before the token expires, the terminal trades it for a later one
//! (`POST /v1/renew`), and the file holds the newest.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use hyper::{
    Request, StatusCode,
    body::Bytes,
    header::{AUTHORIZATION, HOST},
};
use muster_net::exchange::{AnswerBounds, exchange};
use muster_protocol::api::{Problem, TokenGrant};
use tokio::{sync::Mutex, task::spawn_blocking, time::Instant};

use crate::{Token, platform, server::ServerAddress, token_file::read_file};

/// The largest answer of a node, in bytes. A token may have 16 KiB.
const ANSWER_MAX: usize = 32 * 1024;
/// How long one node may take: short, so that the next node is asked too before the deadline of the token source.
const PATIENCE: Duration = Duration::from_secs(4);

/// A file with a token, and the nodes that renew it.
pub(crate) struct RenewedFile {
    path: PathBuf,
    /// The nodes or proxies, which are tried in turn.
    nodes: Vec<ServerAddress>,
    known: Mutex<Option<KnownToken>>,
    is_reading: Arc<AtomicBool>,
}

struct KnownToken {
    /// What the file held last. If it holds another token, another program wrote that.
    in_file: Token,
    /// The newest token. It differs from the one in the file if it could not be written.
    newest: Token,
}

impl KnownToken {
    fn read(in_file: &Token) -> Self {
        Self { in_file: in_file.clone(), newest: in_file.clone() }
    }
}

/// Why a node did not renew a token.
enum Unrenewed {
    /// The server does not answer, or not as a node does: the next one is asked.
    Unreachable(String),
    /// The node has refused the token, as every node would.
    Refused(String),
}

impl RenewedFile {
    pub(crate) fn new(path: PathBuf, nodes: Vec<ServerAddress>) -> Self {
        Self { path, nodes, known: Mutex::default(), is_reading: Arc::default() }
    }

    /// Returns the token in the file if it is not known yet, and otherwise a later one from a node.
    pub(crate) async fn ask(&self) -> Result<Token, String> {
        let mut known = self.known.lock().await;
        let read = read_file(self.path.clone(), self.is_reading.clone()).await;
        let Some(current) = &mut *known else {
            let in_file = read.map_err(|error| error.to_string())?;
            *known = Some(KnownToken::read(&in_file));
            return Ok(in_file);
        };
        if let Ok(in_file) = read
            && in_file != current.in_file
        {
            *current = KnownToken::read(&in_file);
            return Ok(in_file);
        }
        current.newest = self.renew(&current.newest).await?;
        match self.write(current.newest.clone()).await {
            Ok(()) => current.in_file = current.newest.clone(),
            Err(error) => {
                let path = self.path.display();
                tracing::warn!(%path, %error, "the renewed token can't be written, and is lost when the program ends");
            }
        }
        Ok(current.newest.clone())
    }

    async fn renew(&self, token: &Token) -> Result<Token, String> {
        let mut failure = String::new();
        for node in &self.nodes {
            let name = &node.authority;
            match renew_at(node, token).await {
                Ok(renewed) => return Ok(renewed),
                Err(Unrenewed::Refused(why)) => return Err(format!("{name} does not renew the token: {why}")),
                Err(Unrenewed::Unreachable(why)) => failure = format!("{name} did not renew the token: {why}"),
            }
        }
        Err(failure)
    }

    async fn write(&self, token: Token) -> io::Result<()> {
        let path = self.path.clone();
        spawn_blocking(move || replace(&path, token.reveal())).await.map_err(io::Error::other)?
    }
}

async fn renew_at(node: &ServerAddress, token: &Token) -> Result<Token, Unrenewed> {
    let answer = post(node, token, Instant::now() + PATIENCE).await;
    let (status, body) = answer.map_err(|error| Unrenewed::Unreachable(error.to_string()))?;
    if status == StatusCode::OK {
        let granted: Result<TokenGrant, _> = serde_json::from_slice(&body);
        let token = granted.ok().and_then(|granted| granted.token.parse().ok());
        return token.ok_or_else(|| Unrenewed::Unreachable("its answer is not that of a node".into()));
    }
    let detail = serde_json::from_slice(&body).map(|problem: Problem| problem.detail).unwrap_or_default();
    let why = format!("{status}: {detail}");
    let is_final = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status);
    Err(if is_final { Unrenewed::Refused(why) } else { Unrenewed::Unreachable(why) })
}

async fn post(
    node: &ServerAddress,
    token: &Token,
    deadline: Instant,
) -> Result<(StatusCode, Bytes), Box<dyn std::error::Error + Send + Sync>> {
    let (stream, _) = node.connect(None, deadline).await?;
    let request = Request::post("/v1/renew").header(HOST, &node.authority).header(AUTHORIZATION, token.authorization());
    let bounds = AnswerBounds { body_max: ANSWER_MAX, body_within: None, deadline };
    let answer = exchange(request.body(Bytes::new())?, stream, &bounds).await?;
    Ok((answer.status, answer.body?))
}

/// Replaces a file in one step, so that nobody reads half of a token. No other user may read the new file.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let next = path.with_added_extension("next");
    let mut file = platform::private_file().write(true).create(true).truncate(true).open(&next)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(next, path)
}
