//! All masters of a real Redis Cluster: 48 hash tags, of which each master has some, and what happens to them when a master is
//! replaced, dies or loses a slot.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use muster_redis::{Connection, MasterListener, MasterSubscription, Masters, not_sent, will_pass};
use muster_testkit::wait::until;
use redis::{AsyncCommands, RedisResult};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use muster_testkit::{TestCluster, TestServer};

fn tags() -> Vec<String> {
    (0..48).map(|number| format!("{{m:{number}}}")).collect()
}

fn masters(url: &str) -> Masters {
    Masters::new(url.parse().unwrap())
}

async fn write(masters: &Masters, tag: &str) -> RedisResult<()> {
    masters.connection(tag).set(format!("{tag}:key"), tag).await
}

/// Writes for every tag, and returns the tags of each server.
async fn write_all(cluster: &TestCluster, masters: &Masters) -> BTreeMap<usize, Vec<String>> {
    let mut divided: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for tag in tags() {
        write(masters, &tag).await.unwrap();
        let server = cluster.index(&masters.master(&tag).unwrap());
        assert_eq!(cluster.servers[server].text(&format!("GET {tag}:key")).await, tag);
        divided.entry(server).or_default().push(tag);
    }
    divided
}

/// Calls for one tag, again and again.
struct Calls {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Seen>,
}

/// What the calls have seen.
#[derive(Default)]
struct Seen {
    calls: usize,
    errors: Vec<String>,
    /// For how long calls waited, without 50 ms of each.
    waited: Duration,
}

impl Calls {
    fn begin(masters: &Masters, tag: &str) -> Self {
        let (mut connection, key) = (masters.connection(tag), format!("{tag}:counter"));
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            let mut seen = Seen::default();
            while !stopped.load(Ordering::Relaxed) {
                let began = Instant::now();
                let answer: RedisResult<u64> = connection.incr(&key, 1).await;
                seen.calls += 1;
                seen.waited += began.elapsed().saturating_sub(Duration::from_millis(50));
                if let Err(error) = answer {
                    seen.errors.push(error.to_string());
                }
                sleep(Duration::from_millis(5)).await;
            }
            seen
        });
        Self { stop, task }
    }

    async fn end(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}

/// Calls for a tag of each server but one end without an error and without a pause.
async fn undisturbed(calls: Vec<Calls>) {
    for calls in calls {
        let seen = calls.end().await;
        assert!(seen.errors.is_empty(), "{:?}", seen.errors);
        assert!(seen.calls > 5 && seen.waited < Duration::from_millis(700), "{}: {:?}", seen.calls, seen.waited);
    }
}

fn beside(masters: &Masters, divided: &BTreeMap<usize, Vec<String>>, server: usize) -> Vec<Calls> {
    let others = divided.iter().filter(|(other, _)| **other != server);
    others.map(|(_, tags)| Calls::begin(masters, &tags[0])).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_tag_leads_to_its_master_by_one_connection_each() {
    let cluster = TestCluster::start().await;
    let masters = masters(&cluster.url());
    assert_eq!(masters.master("{m:0}"), None, "nothing was asked yet");
    let divided = write_all(&cluster, &masters).await;
    assert_eq!(divided.keys().collect::<Vec<_>>(), [&0, &1, &2]);
    let tags = tags();
    let groups = masters.groups(tags.iter().map(String::as_str));
    let grouped: BTreeSet<Vec<String>> =
        groups.iter().map(|group| group.iter().map(|tag| (*tag).to_owned()).collect()).collect();
    assert_eq!(grouped, divided.into_values().collect());
    for group in &groups {
        let mut pipe = redis::pipe();
        for tag in group {
            pipe.get(format!("{tag}:key"));
        }
        let values: Vec<String> = pipe.query_async(&mut masters.connection(group[0])).await.unwrap();
        assert_eq!(&values, group);
    }
    for server in &cluster.servers[..3] {
        let clients = server.text("CLIENT LIST TYPE normal").await;
        let ours = clients.lines().filter(|client| !client.contains("cmd=client|list")).count();
        assert!(ours <= 2, "one for commands, and one that the map was first read by at the most: {clients}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_on_request_concerns_the_tags_of_that_master_alone() {
    let cluster = TestCluster::start().await;
    let masters = masters(&cluster.url());
    let divided = write_all(&cluster, &masters).await;
    let mut listener = listener(&masters);
    let subscriptions = subscribed(&mut listener, tags().into_iter().collect()).await;
    let others = beside(&masters, &divided, 1);
    cluster.servers[4].tell("CLUSTER FAILOVER").await;
    until("the replica is the master", async || cluster.is_master(4).await && !cluster.is_master(1).await).await;
    let tag = &divided[&1][0];
    until("its first tag is served", async || write(&masters, tag).await.is_ok()).await;
    let mut refused = 0;
    for tag in &divided[&1] {
        refused += usize::from(write(&masters, tag).await.is_err());
        until("its tags are served", async || write(&masters, tag).await.is_ok()).await;
        assert_eq!(cluster.index(&masters.master(tag).unwrap()), 4);
    }
    assert!(refused <= 2, "the map was read again for all tags of that master: {refused}");
    // The old master is a replica now. A subscription must end all the same, since its user has to learn that what was not
    // replicated is lost.
    for mut subscription in subscriptions {
        match cluster.index(subscription.master()) {
            1 => ends(&mut subscription).await,
            _ => hears_all(&masters, &mut subscription).await,
        }
    }
    undisturbed(others).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_is_killed_is_replaced_and_the_others_answer_without_a_pause() {
    let mut cluster = TestCluster::start().await;
    let masters = masters(&cluster.url());
    let divided = write_all(&cluster, &masters).await;
    let others = beside(&masters, &divided, 0);
    cluster.servers[0].kill();
    let tag = &divided[&0][0];
    let (began, mut first) = (Instant::now(), true);
    loop {
        let asked = Instant::now();
        let Err(error) = write(&masters, tag).await else { break };
        assert!(asked.elapsed() < Duration::from_millis(2100), "{:?}", asked.elapsed());
        // The first call may have been sent before the connection was found to be broken.
        assert!(first || not_sent(&error) || will_pass(&error), "{error}");
        assert!(began.elapsed() < Duration::from_secs(20), "{error}");
        first = false;
    }
    for tag in &divided[&0] {
        write(&masters, tag).await.unwrap();
        assert_eq!(cluster.index(&masters.master(tag).unwrap()), 3);
    }
    undisturbed(others).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_was_moved_is_followed_with_its_keys() {
    let cluster = TestCluster::start().await;
    let masters = masters(&cluster.url());
    let divided = write_all(&cluster, &masters).await;
    let (moved, stays) = (&divided[&0][0], &divided[&0][1]);
    let others = beside(&masters, &divided, 0);
    let staying = Calls::begin(&masters, stays);
    let mut connection = masters.connection(moved);
    cluster.begin_move(moved, 0, 2).await;
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(1500) {
        let asked: RedisResult<String> = connection.get(format!("{moved}:absent")).await;
        let error = asked.expect_err("the key may be at the new master").to_string();
        assert!(error.contains("Ask"), "{error}");
        sleep(Duration::from_millis(5)).await;
    }
    undisturbed(vec![staying]).await;
    let staying = Calls::begin(&masters, stays);
    cluster.end_move(moved, 0, 2).await;
    // The old master refuses it, and the new one is asked.
    assert_eq!(connection.get::<_, String>(format!("{moved}:key")).await.unwrap(), *moved);
    assert_eq!(cluster.index(&masters.master(moved).unwrap()), 2);
    sleep(Duration::from_millis(300)).await;
    write(&masters, stays).await.unwrap();
    assert_eq!(cluster.index(&masters.master(stays).unwrap()), 0);
    undisturbed(others).await;
    undisturbed(vec![staying]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_hangs_costs_each_call_at_most_its_bound() {
    let cluster = TestCluster::start().await;
    let masters = masters(&cluster.url());
    let divided = write_all(&cluster, &masters).await;
    let mut listener = listener(&masters);
    let subscriptions = subscribed(&mut listener, tags().into_iter().collect()).await;
    let others = beside(&masters, &divided, 2);
    cluster.servers[2].redis().hang();
    let mut connection = masters.connection(&divided[&2][0]);
    let began = Instant::now();
    let error = connection.ping::<()>().await.expect_err("it does not answer");
    assert!(!not_sent(&error) && began.elapsed() < Duration::from_millis(2500), "{error} {:?}", began.elapsed());
    until("its replica is the master", async || cluster.is_master(5).await).await;
    until("its tags are served", async || connection.ping::<()>().await.is_ok()).await;
    // The connection to the old master is open and silent.
    for mut subscription in subscriptions {
        match cluster.index(subscription.master()) {
            2 => ends(&mut subscription).await,
            _ => hears_all(&masters, &mut subscription).await,
        }
    }
    cluster.servers[2].redis().go_on();
    undisturbed(others).await;
}

/// Subscribes to a channel of each tag.
fn listener(masters: &Masters) -> MasterListener {
    masters.listener(tags().into_iter().map(|tag| (tag.clone(), vec![format!("{tag}:channel")])))
}

/// Waits for subscriptions until all these tags have one.
async fn subscribed(listener: &mut MasterListener, mut missing: BTreeSet<String>) -> Vec<MasterSubscription> {
    let mut subscriptions = Vec::new();
    let all = async {
        while !missing.is_empty() {
            if let Ok(subscription) = listener.next().await {
                subscription.tags().for_each(|tag| assert!(missing.remove(tag), "{tag} twice"));
                subscriptions.push(subscription);
            }
        }
    };
    timeout(Duration::from_secs(20), all).await.expect("all tags have a subscription");
    subscriptions
}

async fn publish(masters: &Masters, tag: &str) {
    let mut connection: Connection = masters.connection(tag);
    until("it is published", async || connection.spublish::<_, _, u64>(format!("{tag}:channel"), tag).await.is_ok())
        .await;
}

/// Publishes for every tag of a subscription, and waits for the messages.
async fn hears_all(masters: &Masters, subscription: &mut MasterSubscription) {
    let tags: Vec<String> = subscription.tags().map(str::to_owned).collect();
    for tag in &tags {
        publish(masters, tag).await;
        let message = timeout(Duration::from_secs(5), subscription.next()).await.unwrap().expect("it is subscribed");
        assert_eq!((message.channel, message.payload), (format!("{tag}:channel"), tag.clone().into_bytes()));
    }
}

async fn ends(subscription: &mut MasterSubscription) {
    let end = timeout(Duration::from_secs(10), subscription.next()).await.expect("the subscription ends");
    assert_eq!(end, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_master_has_one_subscription_which_ends_alone() {
    let mut cluster = TestCluster::start().await;
    let masters = masters(&cluster.url());
    let divided = write_all(&cluster, &masters).await;
    let mut listener = listener(&masters);
    let mut subscriptions = subscribed(&mut listener, tags().into_iter().collect()).await;
    assert_eq!(subscriptions.len(), 3);
    for subscription in &mut subscriptions {
        let mut served: Vec<_> = subscription.tags().map(str::to_owned).collect();
        served.sort_by_key(|tag| tags().iter().position(|other| other == tag));
        assert_eq!(served, divided[&cluster.index(subscription.master())]);
        hears_all(&masters, subscription).await;
    }
    subscriptions.sort_by_key(|subscription| cluster.index(subscription.master()));
    let [mut first, mut second, mut third] = <[_; 3]>::try_from(subscriptions).ok().unwrap();

    // The master dies.
    cluster.servers[0].kill();
    ends(&mut first).await;
    drop(first);
    let mut promoted = subscribed(&mut listener, divided[&0].iter().cloned().collect()).await;
    for subscription in &mut promoted {
        assert_eq!(cluster.index(subscription.master()), 3);
        hears_all(&masters, subscription).await;
    }
    for other in [&mut second, &mut third] {
        hears_all(&masters, other).await;
    }

    // A slot is moved: the subscription of its old master ends, and the tag has one at the new master.
    let moved = &divided[&1][0];
    cluster.begin_move(moved, 1, 2).await;
    cluster.end_move(moved, 1, 2).await;
    ends(&mut second).await;
    drop(second);
    publish(&masters, moved).await;
    let mut divided_anew = subscribed(&mut listener, divided[&1].iter().cloned().collect()).await;
    for subscription in &mut divided_anew {
        let at = cluster.index(subscription.master());
        assert!(subscription.tags().all(|tag| at == if tag == moved { 2 } else { 1 }));
        hears_all(&masters, subscription).await;
    }
    for other in promoted.iter_mut().chain([&mut third]) {
        hears_all(&masters, other).await;
    }

    // It is closed from elsewhere, as one that is dead and does not say so.
    third.closer().close();
    ends(&mut third).await;
    drop(third);
    assert_eq!(subscribed(&mut listener, divided[&2].iter().cloned().collect()).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_server_has_all_tags() {
    let server = TestServer::start("").await;
    let masters = masters(&format!("redis://127.0.0.1:{}", server.port));
    for tag in tags() {
        write(&masters, &tag).await.unwrap();
    }
    let clients = server.text("CLIENT LIST TYPE normal").await;
    assert_eq!(clients.lines().filter(|client| !client.contains("cmd=client|list")).count(), 1, "{clients}");
    let tags = tags();
    assert_eq!(masters.groups(tags.iter().map(String::as_str)), [tags.iter().map(String::as_str).collect::<Vec<_>>()]);
    let mut listener = listener(&masters);
    let mut subscriptions = subscribed(&mut listener, tags.into_iter().collect()).await;
    assert_eq!(subscriptions.len(), 1);
    hears_all(&masters, &mut subscriptions[0]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_most_partitions_have_one_subscription_on_one_server() {
    let server = TestServer::start("").await;
    let masters = masters(&format!("redis://127.0.0.1:{}", server.port));
    let channels = |tag: &str| vec![format!("{tag}:broadcast"), format!("{tag}:inbox"), format!("{tag}:events")];
    let tags: Vec<String> = (0..1024).map(|number| format!("{{m:{number}}}")).collect();
    let mut listener = masters.listener(tags.iter().map(|tag| (tag.clone(), channels(tag))));
    let mut subscriptions = subscribed(&mut listener, tags.iter().cloned().collect()).await;
    assert_eq!(subscriptions.len(), 1);
    let mut connection = masters.connection(&tags[1023]);
    let () = connection.spublish("{m:1023}:events", "last").await.unwrap();
    let message = timeout(Duration::from_secs(5), subscriptions[0].next()).await.unwrap().unwrap();
    assert_eq!(message.channel, "{m:1023}:events");
}
