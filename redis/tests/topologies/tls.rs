//! Connections by TLS to one server, through Sentinel and to a Redis Cluster, and what is said when they fail.

use std::time::{Duration, Instant};

use muster_net::TlsFiles;
use muster_redis::{Connection, TLS_FLAGS, Topology, not_sent, will_pass};
use muster_testkit::{Certificates, free_port, wait::until};
use redis::{AsyncCommands, RedisError};

use tokio::net::TcpStream;

use crate::servers::start_sentinel;
use muster_testkit::TestServer;

/// The hash tag of all names here.
const TAG: &str = "{muster}";

/// The settings of a server that also listens with TLS on `port`.
fn with_tls(made: &Certificates, port: u16, clients: &str) -> String {
    let file = |name: &str| made.file(name).display().to_string();
    format!(
        "--tls-port {port} --tls-cert-file {} --tls-key-file {} --tls-ca-cert-file {} --tls-auth-clients {clients} --tls-replication yes",
        file("server.pem"),
        file("server.key"),
        file("ca.pem")
    )
}

fn trusting(made: &Certificates, ca: &str) -> TlsFiles {
    TlsFiles { flags: TLS_FLAGS, ca: Some(made.file(ca)), ..TlsFiles::default() }
}

fn with_certificate(made: &Certificates) -> TlsFiles {
    TlsFiles { cert: Some(made.file("client.pem")), key: Some(made.file("client.key")), ..trusting(made, "ca.pem") }
}

fn connection(url: &str, files: &TlsFiles) -> Connection {
    Connection::new(Topology::new(url, files).unwrap(), TAG)
}

/// Writes by a connection, and hears itself by a subscription.
async fn works(mut connection: Connection) {
    let channel = format!("{TAG}:channel");
    let () = connection.set(format!("{TAG}:key"), "value").await.unwrap();
    let mut heard = connection.listen(&[&channel]).await.unwrap();
    let () = connection.spublish(&channel, "1").await.unwrap();
    assert_eq!(heard.next().await.as_deref(), Some(&b"1"[..]));
}

/// The error of the first call, which must come within the time for connecting and be certain.
async fn refused(mut connection: Connection) -> String {
    let began = Instant::now();
    let error: RedisError = connection.ping::<()>().await.expect_err("no connection is possible");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert!(!will_pass(&error) && not_sent(&error), "{error}");
    error.to_string()
}

#[tokio::test]
async fn a_server_is_used_by_tls_if_its_certificate_is_trusted() {
    let (made, port) = (Certificates::make(), free_port());
    let server = TestServer::start(&with_tls(&made, port, "no")).await;
    let url = format!("rediss://127.0.0.1:{port}");
    works(connection(&url, &trusting(&made, "ca.pem"))).await;
    assert_eq!(server.text(&format!("GET {TAG}:key")).await, "value");
    let error = refused(connection(&url, &trusting(&made, "other.pem"))).await;
    let told = format!("127.0.0.1:{port}: the server's certificate is not accepted");
    assert!(error.contains(&told) && error.contains("with --redis-ca"), "{error}");
}

#[tokio::test]
async fn a_server_that_requires_a_client_certificate_gets_one() {
    let (made, port) = (Certificates::make(), free_port());
    let _server = TestServer::start(&with_tls(&made, port, "yes")).await;
    let url = format!("rediss://127.0.0.1:{port}");
    let error = refused(connection(&url, &trusting(&made, "ca.pem"))).await;
    assert!(error.contains("does it require a client certificate"), "{error}");
    works(connection(&url, &with_certificate(&made))).await;
}

#[tokio::test]
async fn tls_on_one_side_alone_is_said_in_time() {
    let (made, port) = (Certificates::make(), free_port());
    let server = TestServer::start(&with_tls(&made, port, "no")).await;
    let trusting = trusting(&made, "ca.pem");
    for (scheme, port, told) in [
        ("redis://", port, "speaks TLS; write rediss:// instead of redis://"),
        ("redis+cluster://", port, "speaks TLS; write rediss:// instead of redis://"),
        ("rediss://", server.port, "does not speak TLS; write redis:// instead of rediss://"),
        ("rediss+cluster://", server.port, "does not speak TLS; write redis:// instead of rediss://"),
    ] {
        let files = if scheme.starts_with("rediss") { &trusting } else { &TlsFiles::default() };
        let error = refused(connection(&format!("{scheme}127.0.0.1:{port}"), files)).await;
        assert!(error.contains(&format!("127.0.0.1:{port} {told}")), "{scheme}: {error}");
    }
}

#[tokio::test]
async fn sentinels_and_the_master_are_asked_by_tls() {
    let (made, port, sentinel_port, plain) = (Certificates::make(), free_port(), free_port(), free_port());
    let server = TestServer::start(&with_tls(&made, port, "no")).await;
    let settings = with_tls(&made, sentinel_port, "no").replace(" --", "\n").replace("--", "");
    let _sentinel = start_sentinel(&format!("port {plain}\n{settings}\nsentinel monitor main 127.0.0.1 {port} 1\n"));
    until("the Sentinel listens", async || TcpStream::connect(("127.0.0.1", sentinel_port)).await.is_ok()).await;
    let url = format!("rediss+sentinel://127.0.0.1:{sentinel_port}/main");
    works(connection(&url, &trusting(&made, "ca.pem"))).await;
    assert_eq!(server.text(&format!("GET {TAG}:key")).await, "value");
    let error = refused(connection(&url, &trusting(&made, "other.pem"))).await;
    assert!(error.contains(&format!("127.0.0.1:{sentinel_port}: the server's certificate")), "{error}");
    let url = format!("rediss+sentinel://127.0.0.1:{plain}/main");
    let error = refused(connection(&url, &trusting(&made, "ca.pem"))).await;
    assert!(error.contains("does not speak TLS"), "{error}");
}

#[tokio::test]
async fn a_cluster_is_asked_by_tls_and_its_redirections_are_followed() {
    let (made, ports) = (Certificates::make(), [free_port(), free_port()]);
    let settings = |port| {
        let bus = free_port();
        let tls = with_tls(&made, port, "no");
        (bus, format!("{tls} --tls-cluster yes --cluster-enabled yes --cluster-port {bus}"))
    };
    let [(_, one), (bus, other)] = ports.map(settings);
    let (one, other) = (TestServer::start(&one).await, TestServer::start(&other).await);
    other.tell("CLUSTER ADDSLOTSRANGE 0 16383").await;
    one.tell(&format!("CLUSTER MEET 127.0.0.1 {} {bus}", ports[1])).await;
    for member in [&one, &other] {
        until("the cluster is whole", async || {
            let info = member.text("CLUSTER INFO").await;
            info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:2")
        })
        .await;
    }
    works(connection(&format!("rediss+cluster://127.0.0.1:{}", ports[0]), &trusting(&made, "ca.pem"))).await;
    assert_eq!(other.text(&format!("GET {TAG}:key")).await, "value");
}

#[test]
fn files_without_a_url_for_tls_are_refused() {
    let made = Certificates::make();
    let error = Topology::new("redis://127.0.0.1", &with_certificate(&made)).unwrap_err().to_string();
    assert!(error.starts_with("--redis-ca is for TLS, and --redis does not ask for TLS"), "{error}");
    let error = Topology::new("rediss+unix:///run/redis.sock", &TlsFiles::default()).unwrap_err().to_string();
    assert!(error.starts_with("--redis is no URL"), "{error}");
}
