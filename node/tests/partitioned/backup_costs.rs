//! How long an import and an export take, printed, and the longest call of Redis.
//!
//! `cargo test --release -p muster-node --test partitioned backup_costs -- --ignored --nocapture`

use std::{
    fs,
    time::{Duration, Instant},
};

use data_encoding::{BASE64, HEXLOWER};
use jiff::Timestamp;
use muster_node::backplane::redis::partition::{bitmap, times};
use muster_protocol::{
    CommandId,
    id::ClusterName,
    partition::{PartitionIndex, Partitions, command_id},
    seal::{CommandScope, digest_of_targets, seal_keys},
};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::backup::BackupTest;

const TERMINALS: usize = 100_000;
const SINGLE: usize = 20_000;
const BROADCASTS: usize = 20;
const PARTITIONS: u16 = 16;

/// A file of a store that is as large as these numbers say.
fn file() -> String {
    let partitions = Partitions::new(PARTITIONS).unwrap();
    let (mut lines, mut next) = (Vec::new(), vec![0u32; usize::from(PARTITIONS)]);
    let at = Timestamp::now();
    lines.push(json!({"header": {"format": 1, "schema": 1, "cluster": "muster", "store": "s1", "partitions": PARTITIONS, "at": at}}));
    let mut terminals = Vec::new();
    for number in 0..TERMINALS {
        let id = format!("kiosk-{number:06}");
        let p = partitions.of(&id.parse().unwrap());
        let ord = next[usize::from(p.0)];
        next[usize::from(p.0)] += 1;
        let record = json!({"terminal": id, "labels": {"site": format!("s{}", number % 500), "kind": "kiosk"}, "address": "10.0.0.1", "connected_at": at});
        let entry = format!("n1 0198c0de-0000-7000-8000-000000000001 v1\n{record}");
        lines.push(json!({"terminal": {"p": p.0, "ord": ord, "entry": entry, "left": at.as_second()}}));
        terminals.push((id, p, ord));
    }
    lines.sort_by_key(|line| (line["terminal"]["p"].as_u64(), line["terminal"]["ord"].as_u64()));
    for number in 0..SINGLE {
        let (id, p, ord) = &terminals[number * 3 % TERMINALS];
        lines.push(command(command_id(*p), Some(id), number));
        lines.push(json!({"few": {"p": p.0, "ords": [ord], "records": "", "waiting": [ord]}}));
    }
    for number in 0..BROADCASTS {
        lines.push(command(command_id(PartitionIndex(3)), None, number));
        for (p, count) in next.iter().enumerate() {
            for bucket in 0..count.div_ceil(times::BUCKET) {
                lines.push(many(p, bucket, (count - bucket * times::BUCKET).min(times::BUCKET)));
            }
        }
    }
    let mut text = String::new();
    for line in &lines {
        text.push_str(&format!("{line}\n"));
    }
    let counts = json!({"terminals": TERMINALS, "commands": SINGLE + BROADCASTS, "keys": 0, "lines": lines.len()});
    let sha256 = HEXLOWER.encode(digest(&SHA256, text.as_bytes()).as_ref());
    format!("{text}{}\n", json!({"end": {"counts": counts, "sha256": sha256}}))
}

/// A command for a terminal, or for all.
fn command(id: CommandId, terminal: Option<&String>, number: usize) -> Value {
    let (created, hour) = (Timestamp::now(), Duration::from_secs(3600));
    let target = terminal.map_or_else(|| json!({"all": true}), |terminal| json!({"terminal": terminal}));
    let targets = terminal.map(|terminal| vec![terminal.parse().unwrap()]);
    let scope = CommandScope { store: "s1".into(), expires_in: hour, targets: digest_of_targets(targets.as_deref()) };
    let body = format!(r#""id":"{id}","name":"show","payload":{number}}}"#);
    let sealed = scope.seal(&seal_keys(&ClusterName::default(), &[]).1, &body);
    let frame = format!(r#"{{"expires_at":"{}",{sealed}"#, created + hour);
    let expires = (created + hour).as_millisecond();
    let ask = json!({"target": target, "name": "show", "payload": null, "expires_in": "1h"}).to_string();
    json!({"command": {
        "id": id, "few": terminal.is_some(), "frame": frame, "ask": ask, "by": "ann", "confirm": "ack", "created": created.as_millisecond(),
        "expires": expires, "stored": expires + 600_000, "listed": created.as_millisecond(), "done": false,
    }})
}

/// Targets with the first `count` ordinals of a bucket, all of which have the command, and half of which have acknowledged it.
fn many(p: usize, bucket: u32, count: u32) -> Value {
    let bits = |ordinals: &mut dyn Iterator<Item = u32>| BASE64.encode(&bitmap::bitmap(ordinals));
    let (all, half) = (bits(&mut (0..count)), bits(&mut (0..count / 2)));
    let sent: Vec<_> = (0..count).map(|place| (place, 5)).collect();
    let acked: Vec<_> = (0..count / 2).map(|place| (place, 20 + place % 400)).collect();
    let mut entries = times::entries(1, &sent).remove(&0).unwrap();
    entries.extend(times::entries(2, &acked).remove(&0).unwrap_or_default());
    let levels = [&all, &half, "", "", "", "", ""];
    json!({"many": {"p": p, "bucket": bucket, "targets": all, "levels": levels, "times": BASE64.encode(&entries)}})
}

impl BackupTest {
    /// Prints how long something took, and the longest calls of Redis meanwhile.
    async fn timed<T>(&self, what: &str, doing: impl Future<Output = T>) -> T {
        let () = self.redis.ask(&["SLOWLOG", "RESET"]).await.unwrap();
        let begin = Instant::now();
        let done = doing.await;
        let slow = self.slow().await;
        let longest = slow.into_iter().max();
        println!("{what}: {:.1} s; the longest call of Redis: {longest:?} us", begin.elapsed().as_secs_f64());
        done
    }

    async fn slow(&self) -> Vec<u64> {
        let entries: Vec<redis::Value> = self.redis.ask(&["SLOWLOG", "GET", "1000"]).await.unwrap();
        let entries = entries.into_iter().map(|entry| match entry {
            redis::Value::Array(parts) => redis::from_redis_value::<u64>(parts[2].clone()).unwrap(),
            other => panic!("{other:?}"),
        });
        entries.collect()
    }
}

#[tokio::test]
#[ignore = "prints figures"]
async fn a_store_of_100_000_terminals() {
    let test = BackupTest::start().await;
    let () =
        test.redis.ask(&["CONFIG", "SET", "slowlog-log-slower-than", "500", "slowlog-max-len", "1000"]).await.unwrap();
    fs::write(test.file(), file()).unwrap();
    let counts = test.timed("import, 16 partitions", test.try_import(PARTITIONS)).await.unwrap();
    println!("{counts}");
    assert_eq!(test.timed("export, 16 partitions", test.export()).await.commands, counts.commands);
    println!("the file has {} MiB", fs::metadata(test.file()).unwrap().len() >> 20);
    test.redis.flush().await;
    test.timed("import, 48 partitions", test.try_import(48)).await.unwrap();
    assert_eq!(test.timed("export, 48 partitions", test.export()).await.terminals, TERMINALS as u64);
}
