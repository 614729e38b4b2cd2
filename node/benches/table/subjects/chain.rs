//! What stands behind an Nginx: a node with its Redis, the Nginx configured by the sidecar; and the bare prototype, the Nginx tuned by hand.

use std::{
    env, fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

use async_trait::async_trait;
use muster_testkit::{TestRedis, free_port, http, wait::until};
use redis::InfoDict;
use tempfile::TempDir;

use super::{BARE, CHAIN, node::FLAGS, proxy::BenchProxy};
use crate::{
    servers::{
        dialect::{Dialect, PLAIN},
        node::BenchNode,
        process::{self, ServerProcess},
        server::Server,
    },
    stage::Subject,
};

/// The configuration of the Nginx before the prototype.
const TUNED: &str = include_str!("../prototype.nginx.conf");

/// A node behind the Nginx of the sidecar.
pub struct NodeBehindNginx;

#[async_trait(?Send)]
impl Subject for NodeBehindNginx {
    fn column(&self) -> &str {
        CHAIN
    }

    fn dialect(&self) -> Dialect {
        PLAIN
    }

    async fn start(&self, terminals: usize) -> Box<dyn Server> {
        let (redis, folder) = (TestRedis::start().await, proxy_folder());
        let node = BenchNode::start(process::NODE, &[FLAGS.as_slice(), &["--redis", &redis.url]].concat());
        node.ready().await;
        let program = Path::new(process::NODE).with_file_name("muster-sidecar");
        let mut command = Command::new(program);
        command.args(["--listen", "127.0.0.1:0", "--redis", &redis.url, "--grace", "100ms"]);
        // The handshakes that are measured besides need room, too.
        command.args(["--sessions", &(terminals + 6_000).to_string(), "--quiet", "200ms", "--quiet-urgent", "200ms"]);
        let proxy = BenchProxy::start(command.arg("--dir").arg(folder.path()));
        let mut address: Option<SocketAddr> = None;
        until("the sidecar is ready", async || {
            address =
                proxy.printed().lines().find_map(|line| line.strip_prefix("muster-sidecar ready on ")?.parse().ok());
            address.is_some()
        })
        .await;
        let address = address.expect("it is ready");
        until("Nginx reaches the node", async || http::get(address, "/readyz").await.0 == 200).await;
        Box::new(Chain::new(proxy, address, Box::new(node), redis, folder).await)
    }
}

/// The prototype behind a tuned Nginx.
pub struct BareBehindNginx;

#[async_trait(?Send)]
impl Subject for BareBehindNginx {
    fn column(&self) -> &str {
        BARE
    }

    fn dialect(&self) -> Dialect {
        PLAIN
    }

    async fn start(&self, _terminals: usize) -> Box<dyn Server> {
        let (redis, folder) = (TestRedis::start().await, proxy_folder());
        let own = env::current_exe().expect("a process knows its program");
        let server = ServerProcess::start(Command::new(own).args(["prototype", &redis.url]), "");
        let (listen, file) = (format!("127.0.0.1:{}", free_port()), folder.path().join("nginx.conf"));
        let text = TUNED.replace("LISTEN", &listen).replace("SERVER", &server.address.to_string());
        fs::write(&file, text).expect("a folder takes a file");
        let mut command = Command::new("nginx");
        command.args(["-e", "stderr", "-g", "daemon off;", "-p"]).arg(folder.path()).arg("-c").arg(&file);
        let proxy = BenchProxy::start(command.stdin(Stdio::null()));
        let address = listen.parse().expect("it is an address");
        until("Nginx listens", async || tokio::net::TcpStream::connect(address).await.is_ok()).await;
        Box::new(Chain::new(proxy, address, Box::new(server), redis, folder).await)
    }
}

/// A folder in which the workers of an Nginx, which have a user of their own, find their files.
fn proxy_folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).expect("it is ours");
    folder
}

/// An Nginx, what is behind it, and the Redis of that. CPU and memory are those of all.
struct Chain {
    proxy: BenchProxy,
    address: SocketAddr,
    server: Box<dyn Server>,
    redis_process: u32,
    _redis: TestRedis,
    _folder: TempDir,
}

impl Chain {
    async fn new(
        proxy: BenchProxy,
        address: SocketAddr,
        server: Box<dyn Server>,
        redis: TestRedis,
        folder: TempDir,
    ) -> Self {
        let info: InfoDict = redis.ask(&["INFO", "server"]).await.expect("Redis answers");
        let redis_process = info.get("process_id").expect("Redis tells its process");
        Self { proxy, address, server, redis_process, _redis: redis, _folder: folder }
    }
}

#[async_trait(?Send)]
impl Server for Chain {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn processes(&self) -> Vec<u32> {
        let mut all = self.proxy.processes();
        all.extend(self.server.processes());
        all.push(self.redis_process);
        all
    }

    async fn broadcast(&mut self, payload: &str, times: usize) {
        self.server.broadcast(payload, times).await;
    }

    async fn confirmed(&mut self, terminals: usize) {
        self.server.confirmed(terminals).await;
    }
}
