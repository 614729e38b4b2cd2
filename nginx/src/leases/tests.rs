use jiff::Timestamp;
use muster_protocol::{
    api::{NodeState, NodeView},
    partition::Partitions,
    redis_keys::RedisKeys,
    schema::SCHEMA,
    seal::{LeaseKey, SealedLease, seal_keys},
    token::Secret,
};
use muster_testkit::TestRedis;
use redis::{AsyncCommands, aio::MultiplexedConnection};

use super::*;

/// A store in which a test writes leases.
struct TestLeases {
    redis: MultiplexedConnection,
    url: String,
    cluster: ClusterName,
    partitions: Partitions,
    store: String,
    secrets: Vec<Secret>,
    keys: Vec<RedisKeys>,
}

fn secret(letter: &str) -> Vec<Secret> {
    vec![format!("k1={}", letter.repeat(32)).parse().unwrap()]
}

fn address(port: u16) -> std::net::SocketAddr {
    ([127, 0, 0, 1], port).into()
}

fn members(ports: &[u16]) -> Members {
    ports.iter().map(|port| address(*port)).collect()
}

fn reader(url: &str, cluster: &ClusterName, secrets: &[Secret]) -> LeaseReader {
    let allow = vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
    LeaseReader::of(url.parse().unwrap(), cluster, allow, LeaseSeals::of(cluster, secrets))
}

impl TestLeases {
    /// Returns a store of this many partitions.
    async fn new(server: &TestRedis, cluster: &str, partitions: u16, secrets: Vec<Secret>) -> Self {
        let redis = redis::Client::open(server.url.as_str()).unwrap().get_multiplexed_async_connection().await.unwrap();
        let (cluster, partitions) = (cluster.parse().unwrap(), Partitions::new(partitions).unwrap());
        let (url, store, keys) = (server.url.clone(), String::new(), Vec::new());
        let mut store = Self { redis, url, cluster, partitions, store, secrets, keys };
        store.make("s1", partitions, 1).await;
        store
    }

    /// Writes what a node writes when it finds no store.
    async fn make(&mut self, id: &str, partitions: Partitions, created: u64) {
        self.store = id.into();
        let keys = |index| RedisKeys::of_partition(&self.cluster, 0, partitions, index);
        self.keys = partitions.all().map(keys).collect();
        self.partitions = partitions;
        let count = self.partitions.count().to_string();
        let (schema, created) = (SCHEMA.to_string(), created.to_string());
        let fields = [("schema", &*schema), ("partitions", &count), ("id", id), ("created", &created)];
        let () = self.redis.hset_multiple(self.keys(0).store(), &fields).await.unwrap();
    }

    fn reader(&self) -> LeaseReader {
        reader(&self.url, &self.cluster, &self.secrets)
    }

    fn keys(&self, index: u16) -> &RedisKeys {
        &self.keys[usize::from(index)]
    }

    /// Gives the node `n-PORT` a lease in these partitions.
    async fn lease(&mut self, port: u16, partitions: impl IntoIterator<Item = u16>) {
        let (cluster, secrets) = (self.cluster.clone(), self.secrets.clone());
        self.lease_by(port, partitions, &seal_keys(&cluster, &secrets).0).await;
    }

    async fn lease_by(&mut self, port: u16, partitions: impl IntoIterator<Item = u16>, key: &LeaseKey) {
        self.lease_at(&address(port).to_string(), port, partitions, key).await;
    }

    /// Gives the node `n-PORT` a lease in these partitions, which says that it is at this address.
    async fn lease_at(&mut self, address: &str, port: u16, partitions: impl IntoIterator<Item = u16>, key: &LeaseKey) {
        let view = NodeView {
            id: format!("n-{port}").parse().unwrap(),
            address: address.to_owned(),
            state: NodeState::Ready,
            sessions: 0,
            accepts: 0,
            renewed_at: None,
            version: "1".into(),
            started_at: Timestamp::UNIX_EPOCH,
            partitions: None,
            foreign: 0,
            refused: None,
        };
        let id = view.id.to_string();
        let (store, process, name) = (self.store.clone(), "p".into(), "l".into());
        let text = SealedLease { store, process, name, schema: SCHEMA, view }.to_text(key);
        let mut pipe = redis::pipe();
        for keys in partitions.into_iter().map(|index| self.keys(index)) {
            pipe.zadd(keys.nodes(), &id, 99_999_999_999_999u64).set(keys.sealed_lease(&id), &text);
        }
        let () = pipe.query_async(&mut self.redis).await.unwrap();
    }

    async fn end(&mut self, port: u16, index: u16) {
        let lease = self.keys(index).sealed_lease(&format!("n-{port}"));
        let () = self.redis.del(lease).await.unwrap();
    }
}

#[tokio::test]
async fn a_node_is_leased_while_any_partition_holds_its_lease() {
    let server = TestRedis::start().await;
    let mut store = TestLeases::new(&server, "muster", 5, secret("s")).await;
    let mut reader = store.reader();
    store.lease(1, 0..5).await;
    store.lease(2, [3]).await;
    let snapshot = reader.read().await.unwrap();
    assert_eq!((snapshot.leased, snapshot.partitions, snapshot.looks.len()), (members(&[1, 2]), 5, 5));
    store.end(1, 0).await;
    store.end(2, 3).await;
    assert_eq!(reader.read().await.unwrap().leased, members(&[1]));
}

#[tokio::test]
async fn a_foreign_lease_is_not_used_and_the_setting_that_differs_is_named() {
    let server = TestRedis::start().await;
    let mut store = TestLeases::new(&server, "muster", 5, secret("s")).await;
    let cluster = store.cluster.clone();
    let key = |secrets: &[Secret]| seal_keys(&cluster, secrets).0;
    store.lease(1, 0..5).await;
    for (port, foreign, told) in [
        (2, secret("x"), "compare the --cluster-secret-file of both"),
        (3, Vec::new(), "its node runs with --insecure and this sidecar has a secret"),
    ] {
        let mut reader = store.reader();
        store.lease_by(port, 0..5, &key(&foreign)).await;
        for _ in 0..2 {
            let snapshot = reader.read().await.unwrap();
            assert_eq!(snapshot.leased, members(&[1]));
            let foreign = snapshot.foreign.expect("it is shown");
            assert_eq!(foreign.nodes, [format!("n-{port}")]);
            assert!(foreign.why.contains(told), "{}", foreign.why);
        }
        let counted: Vec<_> = reader.refused().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [("foreign", 1)], "a node counts once");
        for index in 0..5 {
            store.end(port, index).await;
        }
        assert_eq!(reader.read().await.unwrap().foreign, None);
    }
    let snapshot = self::reader(&store.url, &store.cluster, &[]).read().await.unwrap();
    let why = snapshot.foreign.unwrap().why;
    assert!(
        snapshot.leased.is_empty() && why.contains("this sidecar has none: give the sidecar the --cluster-secret-file")
    );
}

#[tokio::test]
async fn a_node_outside_the_allowed_networks_is_shown_with_its_address_in_either_family() {
    let server = TestRedis::start().await;
    let mut store = TestLeases::new(&server, "muster", 3, secret("s")).await;
    let key = seal_keys(&store.cluster, &store.secrets).0;
    for (port, address) in [(1, "[::1]:1"), (2, "[2001:db8::9]:2"), (3, "8.8.8.8:3"), (4, "[::ffff:8.8.8.8]:4")] {
        store.lease_at(address, port, 0..3, &key).await;
    }
    let mut reader = store.reader();
    let snapshot = reader.read().await.unwrap();
    assert_eq!(snapshot.leased, ["[::1]:1".parse().unwrap()].into());
    let outside: Vec<_> = snapshot.outside.iter().map(|(node, address)| format!("{node} {address}")).collect();
    assert_eq!(outside, ["n-2 [2001:db8::9]:2", "n-3 8.8.8.8:3", "n-4 [::ffff:8.8.8.8]:4"]);
    let counted: Vec<_> = reader.refused().filter(|(_, count)| *count > 0).collect();
    assert_eq!(counted, [("not_allowed", 3)]);
    for port in 2..=4 {
        for index in 0..3 {
            store.end(port, index).await;
        }
    }
    assert!(reader.read().await.unwrap().outside.is_empty(), "they are gone");
}

#[tokio::test]
async fn a_lease_that_was_moved_to_another_place_is_foreign() {
    let server = TestRedis::start().await;
    let mut store = TestLeases::new(&server, "muster", 2, secret("s")).await;
    store.lease(1, [0]).await;
    let text: String = store.redis.get(store.keys(0).sealed_lease("n-1")).await.unwrap();
    let () = store.redis.zadd(store.keys(1).nodes(), "n-9", 1).await.unwrap();
    let () = store.redis.set(store.keys(1).sealed_lease("n-9"), text).await.unwrap();
    let snapshot = store.reader().read().await.unwrap();
    assert_eq!((snapshot.leased, snapshot.foreign.unwrap().nodes), (members(&[1]), vec!["n-9".to_owned()]));
}

#[tokio::test]
async fn a_partition_that_fails_takes_no_node_out_and_is_told_from_an_empty_one() {
    let server = TestRedis::start().await;
    let mut store = TestLeases::new(&server, "muster", 5, secret("s")).await;
    store.lease(1, 0..5).await;
    let mut reader = store.reader();
    let () = store.redis.del(store.keys(2).nodes()).await.unwrap();
    let () = store.redis.set(store.keys(4).nodes(), "another type").await.unwrap();
    let snapshot = reader.read().await.unwrap();
    assert_eq!(snapshot.leased, members(&[1]));
    let mut leases: Vec<_> =
        snapshot.looks.iter().map(|(at, look)| (*at, look.as_ref().map(|look| look.leases))).collect();
    leases.sort_unstable();
    assert_eq!(leases, [(0, Some(1)), (1, Some(1)), (2, Some(0)), (3, Some(1)), (4, None)]);
}

#[tokio::test]
async fn no_look_at_a_large_store_is_long_and_all_partitions_are_seen() {
    let server = TestRedis::start().await;
    let mut store = TestLeases::new(&server, "muster", 1024, secret("s")).await;
    let mut reader = store.reader();
    for port in 1..=8 {
        store.lease(port, 0..1024).await;
    }
    store.lease(9, [777]).await;
    let commands = async |redis: &mut MultiplexedConnection| {
        let stats: String = redis::cmd("INFO").arg("commandstats").query_async(redis).await.unwrap();
        let calls = |name: &str| {
            let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{name}:calls=")))?;
            line.split(',').next()?.parse::<usize>().ok()
        };
        calls("zrange").unwrap_or(0) + calls("mget").unwrap_or(0)
    };
    let mut seen = Members::new();
    for look in 0..3 {
        let before = commands(&mut store.redis).await;
        let snapshot = reader.read().await.unwrap();
        let count = commands(&mut store.redis).await - before;
        // The first look does not know how many nodes there are.
        let most = if look == 0 { 64 } else { 4096 / 8 };
        assert!(count <= 2 * most && snapshot.looks.len() <= most, "look {look}: {count} commands");
        assert!(snapshot.leased.is_superset(&members(&[1, 2, 3, 4, 5, 6, 7, 8])));
        seen.extend(snapshot.leased);
    }
    assert_eq!(seen, members(&[1, 2, 3, 4, 5, 6, 7, 8, 9]));
    store.end(9, 777).await;
    let mut gone = false;
    for _ in 0..3 {
        gone = !reader.read().await.unwrap().leased.contains(&address(9));
    }
    assert!(gone, "each partition is read again in its turn");
}

#[tokio::test]
async fn two_clusters_on_one_redis_do_not_meet() {
    let server = TestRedis::start().await;
    let mut one = TestLeases::new(&server, "one", 3, secret("s")).await;
    let mut other = TestLeases::new(&server, "other", 7, secret("s")).await;
    one.lease(1, 0..3).await;
    other.lease(2, 0..7).await;
    for (store, ports) in [(&one, [1]), (&other, [2])] {
        let snapshot = store.reader().read().await.unwrap();
        let found = (snapshot.leased, usize::from(store.partitions.count()), snapshot.foreign);
        assert_eq!(found, (members(&ports), snapshot.partitions, None));
    }
}

#[tokio::test]
async fn a_store_that_was_made_again_is_noticed_and_its_nodes_stay() {
    let server = TestRedis::start().await;
    let mut store = TestLeases::new(&server, "muster", 3, secret("s")).await;
    store.lease(1, 0..3).await;
    let (mut reader, three) = (store.reader(), store.partitions);
    let reset = |snapshot: &RegistrySnapshot| (snapshot.is_reset, snapshot.leased.clone(), snapshot.partitions);
    assert_eq!(reset(&reader.read().await.unwrap()), (false, members(&[1]), 3));
    store.make("s1", three, 2).await;
    assert_eq!(reset(&reader.read().await.unwrap()), (true, members(&[1]), 3), "it was flushed and made again");
    store.make("s2", three, 3).await;
    assert_eq!(reset(&reader.read().await.unwrap()), (true, members(&[1]), 3));
    let snapshot = reader.read().await.unwrap();
    assert_eq!(
        (reset(&snapshot), snapshot.foreign),
        ((false, members(&[1]), 3), None),
        "its lease is renewed in a moment"
    );
    store.make("s3", Partitions::new(2).unwrap(), 4).await;
    store.lease(2, 0..2).await;
    assert_eq!(reset(&reader.read().await.unwrap()), (true, members(&[2]), 2));
}

#[tokio::test]
async fn a_store_of_another_schema_is_an_error_that_says_what_to_start() {
    let server = TestRedis::start().await;
    let mut store = TestLeases::new(&server, "muster", 3, secret("s")).await;
    let mut before = store.reader();
    before.read().await.unwrap();
    let () = store.redis.hset(store.keys(0).store(), "schema", SCHEMA + 1).await.unwrap();
    for error in [
        store.reader().first(false).await.unwrap_err().to_string(),
        store.reader().first(true).await.unwrap_err().to_string(),
        before.read().await.unwrap_err().to_string(),
    ] {
        assert!(error.contains("start the version of muster-sidecar that fits the nodes"), "{error}");
        assert!(error.contains("it has schema 2, and this program runs on schema 1"), "{error}");
    }
}

#[tokio::test]
async fn a_redis_without_a_store_has_no_nodes_until_there_is_one() {
    let server = TestRedis::start().await;
    let mut reader = reader(&server.url, &ClusterName::default(), &secret("s"));
    let snapshot = reader.read().await.unwrap();
    assert_eq!((snapshot.leased, snapshot.looks.len()), (members(&[]), 1));
    assert!(
        snapshot.looks[0].1.as_ref().is_some_and(|look| !look.run_id.is_empty()),
        "it is known which Redis this is"
    );
    let mut store = TestLeases::new(&server, "muster", 3, secret("s")).await;
    store.lease(2, 0..3).await;
    let snapshot = reader.read().await.unwrap();
    assert_eq!((snapshot.leased, snapshot.partitions), (members(&[2]), 3));
}

#[tokio::test]
async fn a_message_goes_to_the_channel_of_the_sidecars_alone() {
    let server = TestRedis::start().await;
    let store = TestLeases::new(&server, "muster", 3, secret("s")).await;
    let mut reader = store.reader();
    reader.read().await.unwrap();
    let masters = Masters::new(store.url.parse().unwrap());
    let channels: Vec<_> = (0..3).map(|index| store.keys(index).proxy()).collect();
    let channels: Vec<_> = channels.iter().map(String::as_str).collect();
    let mut heard = masters.connection(store.keys(0).tag()).listen(&channels).await.unwrap();
    let message = ProxyMessage::Retire { worker: "edge/7".into(), over_ms: 1000 };
    reader.tell(message.clone()).await.unwrap();
    let text = muster_testkit::wait::soon(heard.next()).await.unwrap();
    assert_eq!(serde_json::from_slice::<ProxyMessage>(&text).unwrap(), message);
}
