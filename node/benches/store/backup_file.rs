//! The file of a large store, as an export writes it.

use std::time::Duration;

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

/// The partitions of the store that the file is of.
const PARTITIONS: u16 = 16;
/// The number of commands for all.
const BROADCASTS: u32 = 20;
/// The id of that store.
const STORE: &str = "s1";

/// A file of so many terminals, a command for each fifth of them, and 20 commands for all. Returns its text, and the number of terminals and
/// commands.
pub fn backup_file(terminals: u32) -> (String, u32) {
    let mut next = vec![0u32; usize::from(PARTITIONS)];
    let (known, mut lines) = registered(terminals, &mut next);
    for (number, (id, p, ord)) in known.iter().enumerate().step_by(5) {
        lines.push(command(command_id(*p), Some(id), number as u32));
        lines.push(json!({"few": {"p": p.0, "ords": [ord], "records": "", "waiting": [ord]}}));
    }
    for number in 0..BROADCASTS {
        lines.push(command(command_id(PartitionIndex(3)), None, number));
        for (p, count) in next.iter().enumerate() {
            let buckets = 0..count.div_ceil(times::BUCKET);
            lines.extend(buckets.map(|bucket| many(p, bucket, (count - bucket * times::BUCKET).min(times::BUCKET))));
        }
    }
    let commands = terminals.div_ceil(5) + BROADCASTS;
    let mut text = String::new();
    lines.iter().for_each(|line| text.push_str(&format!("{line}\n")));
    let counts = json!({"terminals": terminals, "commands": commands, "keys": 0, "lines": lines.len()});
    let sha256 = HEXLOWER.encode(digest(&SHA256, text.as_bytes()).as_ref());
    (format!("{text}{}\n", json!({"end": {"counts": counts, "sha256": sha256}})), terminals + commands)
}

/// The header and a line for each terminal; and each terminal with its partition and ordinal.
fn registered(count: u32, next: &mut [u32]) -> (Vec<(String, PartitionIndex, u32)>, Vec<Value>) {
    let (partitions, at) = (Partitions::new(PARTITIONS).expect("a number of partitions"), Timestamp::now());
    let (mut terminals, mut lines) = (Vec::new(), Vec::new());
    for number in 0..count {
        let id = format!("kiosk-{number:07}");
        let p = partitions.of(&id.parse().expect("a terminal's id"));
        let ord = next[usize::from(p.0)];
        next[usize::from(p.0)] += 1;
        let labels = json!({"site": format!("s{}", number % 500), "kind": "kiosk"});
        let record = json!({"terminal": id, "labels": labels, "address": "10.0.0.1", "connected_at": at});
        let entry = format!("n1 0198c0de-0000-7000-8000-000000000001 v1\n{record}");
        lines.push(json!({"terminal": {"p": p.0, "ord": ord, "entry": entry, "left": at.as_second()}}));
        terminals.push((id, p, ord));
    }
    lines.sort_by_key(|line| (line["terminal"]["p"].as_u64(), line["terminal"]["ord"].as_u64()));
    let header =
        json!({"format": 1, "schema": 1, "cluster": "muster", "store": STORE, "partitions": PARTITIONS, "at": at});
    lines.insert(0, json!({ "header": header }));
    (terminals, lines)
}

/// A command for a terminal, or for all.
fn command(id: CommandId, terminal: Option<&String>, number: u32) -> Value {
    let (created, hour) = (Timestamp::now(), Duration::from_secs(3600));
    let target = terminal.map_or_else(|| json!({"all": true}), |terminal| json!({"terminal": terminal}));
    let targets = terminal.map(|terminal| vec![terminal.parse().expect("a terminal's id")]);
    let scope = CommandScope { store: STORE.into(), expires_in: hour, targets: digest_of_targets(targets.as_deref()) };
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
    let mut entries = times::entries(1, &sent).remove(&0).unwrap_or_default();
    entries.extend(times::entries(2, &acked).remove(&0).unwrap_or_default());
    let levels = [&all, &half, "", "", "", "", ""];
    json!({"many": {"p": p, "bucket": bucket, "targets": all, "levels": levels, "times": BASE64.encode(&entries)}})
}
