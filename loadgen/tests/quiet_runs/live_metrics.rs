//! What a run tells while it lasts, to Prometheus.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{SocketAddr, TcpStream},
};

use muster_testkit::{LoggedProcess, http, wait};

use crate::null_server::NullServer;

/// The values of a page by their series. Panics where Prometheus would refuse the page, or its linter complain.
fn parsed(page: &str) -> BTreeMap<String, f64> {
    let (mut series, mut types, mut helps) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
    for line in page.lines() {
        if let Some((name, text)) = line.strip_prefix("# HELP ").and_then(|help| help.split_once(' ')) {
            assert!(helps.insert(name) && text.ends_with('.'), "{line}");
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|kind| kind.split_once(' ')) {
            assert!(["counter", "gauge"].contains(&kind) && types.insert(name, kind).is_none(), "{line}");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
        } else {
            let (named, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line:?}"));
            let name = named.split('{').next().unwrap();
            assert!(types.contains_key(name) && helps.contains(name), "{line}");
            assert!(
                name.starts_with("muster_loadgen_")
                    && !name.contains(|c: char| !c.is_ascii_lowercase() && c != '_' && !c.is_ascii_digit())
            );
            let value: f64 = value.parse().unwrap();
            assert!(value.is_finite() && series.insert(named.to_owned(), value).is_none(), "{line}");
        }
    }
    series
}

async fn scraped(address: SocketAddr) -> BTreeMap<String, f64> {
    let (status, head, body) = http::request(address, "GET /metrics HTTP/1.1\r\n").await;
    assert!(status == 200 && head.contains("text/plain; version=0.0.4"), "{head}");
    parsed(&body)
}

/// Where the run serves its metrics, as it says on stderr.
async fn address_of(run: &LoggedProcess) -> SocketAddr {
    let mut address = None;
    wait::until("the run says where its metrics are", async || {
        let said = run.stderr();
        let url = said.lines().find_map(|line| line.strip_prefix("live metrics on http://"));
        address = url.and_then(|url| url.strip_suffix("/metrics")).and_then(|address| address.parse().ok());
        address.is_some()
    })
    .await;
    address.unwrap()
}

#[tokio::test]
async fn a_run_shows_what_is_sent_delivered_wrong_and_overdue_while_it_lasts() {
    let server = NullServer::start(&["--fault", "dropevery:10"]);
    let mut command = server.run(&["--live-metrics", "0", "--for", "8s", "--commands", "0"]);
    let mut run = LoggedProcess::start(&mut command);
    let address = address_of(&run).await;
    assert!(address.ip().is_loopback());
    // Connections that say nothing use up what is served at once, for a while.
    let silent: Vec<TcpStream> = (0..6).map(|_| TcpStream::connect(address).unwrap()).collect();
    let mut last = BTreeMap::new();
    wait::until("a delivery is overdue", async || {
        last = scraped(address).await;
        last["muster_loadgen_deliveries_overdue_total"] > 0.0
    })
    .await;
    drop(silent);
    assert_eq!(last["muster_loadgen_terminals_planned"], 40.0);
    assert!(last["muster_loadgen_terminals_connected"] > 0.0, "{last:?}");
    let [offered, sent, delivered] =
        ["messages_offered", "messages_sent", "deliveries"].map(|name| last[&format!("muster_loadgen_{name}_total")]);
    assert!(offered >= sent && sent > 0.0 && delivered > sent, "{last:?}");
    assert_eq!(last["muster_loadgen_gate_tripped{gate=\"messages that the generator could not send\"}"], 0.0);
    assert!(last.contains_key("muster_loadgen_lag_p99_seconds"), "{last:?}");
    assert_eq!(run.process.ended().await.code(), Some(11));
}

#[tokio::test]
async fn an_address_that_is_taken_keeps_a_run_from_beginning() {
    let (server, taken) = (NullServer::start(&[]), std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let address = taken.local_addr().unwrap().to_string();
    let told = server.run(&["--live-metrics", &address]).output().unwrap();
    assert_eq!(told.status.code(), Some(2));
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.contains(&format!("--live-metrics {address}: ")), "{told}");
}
