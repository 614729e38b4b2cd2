//! Checks that the nodes and this proxy agree. The sidecar asks each node what it expects of a proxy, when the node
//! joins and then every 10 s. It logs as an error what does not agree, and shows it in `/state`, before a terminal has
//! to find out.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use futures_util::{FutureExt, future::join_all};
use muster_protocol::api::ProxyTerms;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time,
};

use crate::{config::Config, membership::Members, state::NodeMismatch};

/// How often all nodes are asked.
const ASK_EVERY: Duration = Duration::from_secs(10);
/// How long one node may take to answer. If it does not, what was known of it stays.
const ANSWER: Duration = Duration::from_secs(1);
/// The largest answer, in bytes. A larger one is not read to its end and does not count.
const ANSWER_MAX: u64 = 8 << 10;
/// How many nodes `/state` shows.
const SHOWN_MAX: usize = 20;
/// After this time Nginx closes a connection on which nothing was sent (`proxy_read_timeout` in templates/http.conf).
const SILENCE: Duration = Duration::from_secs(90);

/// What does not agree, by node. Each text names the flags.
type Mismatches = BTreeMap<SocketAddr, Vec<String>>;

/// What is known of the nodes' terms.
pub struct TermsCheck {
    own: OwnTerms,
    mismatches: Mismatches,
    /// The nodes that were asked last, and when.
    asked: Option<(Members, Instant)>,
    /// The questions that are under way. They never hold up the loop.
    asking: Option<JoinHandle<Mismatches>>,
}

/// The settings of this proxy that nodes have too.
#[derive(Debug, Clone)]
struct OwnTerms {
    ws_path: String,
    max_body: u64,
}

impl TermsCheck {
    /// Begins with the settings of this proxy. No node was asked yet.
    pub fn new(config: &Config) -> Self {
        let own = OwnTerms { ws_path: config.ws_path.clone(), max_body: config.max_body };
        Self { own, mismatches: Mismatches::new(), asked: None, asking: None }
    }

    /// Has all nodes asked at the next step.
    pub fn ask_again(&mut self) {
        self.asked = None;
    }

    /// Takes answers that have come, and asks the nodes if it is time to.
    pub fn step(&mut self, nodes: &Members, now: Instant) {
        if let Some(asking) = self.asking.take_if(|asking| asking.is_finished())
            && let Some(Ok(mismatches)) = asking.now_or_never()
        {
            self.take(mismatches);
        }
        let due = self.asked.as_ref().is_none_or(|(asked, at)| asked != nodes || now >= *at + ASK_EVERY);
        if due && self.asking.is_none() {
            self.asked = Some((nodes.clone(), now));
            self.asking = Some(tokio::spawn(ask_all(nodes.clone(), self.own.clone(), self.mismatches.clone())));
        }
    }

    /// Returns what does not agree, for `/state`: of 20 nodes at most.
    pub fn shown(&self) -> Vec<NodeMismatch> {
        let shown = self.mismatches.iter().take(SHOWN_MAX);
        shown.map(|(node, what)| NodeMismatch { node: *node, what: what.clone() }).collect()
    }

    fn take(&mut self, mismatches: Mismatches) {
        for (node, what) in &mismatches {
            if self.mismatches.get(node) != Some(what) {
                tracing::error!(%node, "a node and this proxy do not agree: {}", what.join("; "));
            }
        }
        if mismatches.is_empty() && !self.mismatches.is_empty() {
            tracing::info!("all nodes and this proxy agree again");
        }
        self.mismatches = mismatches;
    }
}

/// Asks all nodes at once. If a node does not answer, what was known of it `before` stays.
async fn ask_all(nodes: Members, own: OwnTerms, mut before: Mismatches) -> Mismatches {
    let answers = join_all(nodes.iter().map(|node| time::timeout(ANSWER, ask(*node)))).await;
    let known = nodes.iter().zip(answers).map(|(node, answer)| match answer {
        Ok(Ok(terms)) => (*node, terms.map(|terms| own.mismatches(&terms)).unwrap_or_default()),
        _ => (*node, before.remove(node).unwrap_or_default()),
    });
    known.filter(|(_, what)| !what.is_empty()).collect()
}

/// Asks a node. `None` if the node has no such path, since it is of an older version.
async fn ask(node: SocketAddr) -> io::Result<Option<ProxyTerms>> {
    let mut stream = TcpStream::connect(node).await?;
    let request = format!("GET /proxy HTTP/1.1\r\nHost: {node}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(ANSWER_MAX).read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::InvalidData)?;
    if !head.starts_with("HTTP/1.1 200 ") {
        return Ok(None);
    }
    Ok(Some(serde_json::from_str(body)?))
}

impl OwnTerms {
    fn mismatches(&self, node: &ProxyTerms) -> Vec<String> {
        let trusted = (!node.trusted).then(|| {
            format!(
                "the node does not trust this proxy: add {} to its --trusted-proxy, or its terminals are shown with the proxy's address and are cut off with the proxy's old workers",
                node.address
            )
        });
        let max_body = (node.max_body != self.max_body).then(|| {
            format!("--max-body is {} at the node and {} here: give both the same", node.max_body, self.max_body)
        });
        let ws_path = (node.ws_path != self.ws_path).then(|| {
            format!("--ws-path is {:?} at the node and {:?} here: give both the same", node.ws_path, self.ws_path)
        });
        let ping = Duration::from_millis(node.ping_ms);
        let ping = (ping >= SILENCE).then(|| {
            format!("--ping is {ping:?} at the node, and Nginx closes connections that are silent for {SILENCE:?}")
        });
        [trusted, max_body, ws_path, ping].into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn own() -> OwnTerms {
        OwnTerms { ws_path: "/ws".into(), max_body: 1000 }
    }

    fn terms() -> ProxyTerms {
        ProxyTerms {
            trusted: true,
            address: [10, 0, 0, 1].into(),
            ws_path: "/ws".into(),
            max_body: 1000,
            ping_ms: 25_000,
        }
    }

    /// Returns a node that answers each request so.
    async fn node(answer: String) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.read(&mut [0; 1024]).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        address
    }

    fn ok(terms: &ProxyTerms) -> String {
        format!("HTTP/1.1 200 OK\r\n\r\n{}", serde_json::to_string(terms).unwrap())
    }

    #[test]
    fn each_setting_that_differs_is_named_with_its_flag() {
        assert!(own().mismatches(&terms()).is_empty());
        let other = ProxyTerms { trusted: false, ws_path: "/w".into(), max_body: 1, ping_ms: 90_000, ..terms() };
        let text = own().mismatches(&other);
        for (said, flag) in text.iter().zip(["10.0.0.1 to its --trusted-proxy", "--max-body", "--ws-path", "--ping"]) {
            assert!(said.contains(flag), "{said}");
        }
        assert_eq!(text.len(), 4);
    }

    #[tokio::test]
    async fn nodes_are_known_by_their_last_answer_and_older_ones_are_not_judged() {
        let other = ProxyTerms { max_body: 1, ..terms() };
        let (agrees, differs) = (node(ok(&terms())).await, node(ok(&other)).await);
        let (older, silent) = (node("HTTP/1.1 404 Not Found\r\n\r\n{}".into()).await, node(String::new()).await);
        let before = Mismatches::from([(silent, vec!["known".into()]), (agrees, vec!["mended".into()])]);
        let known = ask_all([agrees, differs, older, silent].into(), own(), before).await;
        assert_eq!(known.keys().copied().collect::<Members>(), [differs, silent].into());
        assert_eq!(known[&silent], ["known"]);
    }
}
