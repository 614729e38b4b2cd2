//! What stands in Redis under a seal.

use std::{sync::LazyLock, time::Duration};

use jiff::Timestamp;
use muster_protocol::{
    ClusterName, CommandId,
    api::ProxyView,
    seal::{CommandScope, LeaseKey, NodeKey, SealedCommand, SealedLease, SealedReport, digest_of_targets, seal_keys},
};

const STORE: &str = "s1";
const EXPIRES_IN: Duration = Duration::from_secs(60);
/// A command's expiry is not sealed, and may lie so much later than [`EXPIRES_IN`] tells.
const SLACK: Duration = Duration::from_secs(31);

static KEYS: LazyLock<(LeaseKey, NodeKey)> = LazyLock::new(|| seal_keys(&ClusterName::default(), &[]));
/// A command as it stands in Redis, and when it was accepted.
static SEALED: LazyLock<(String, Timestamp)> = LazyLock::new(|| {
    let id: CommandId = "0190163d-8694-739b-aea5-966c26f8ad91".parse().expect("a UUID");
    let (seconds, _) = id.0.get_timestamp().expect("a UUID with a time").to_unix();
    let accepted = Timestamp::from_second(seconds as i64).expect("a time of this century");
    let scope = CommandScope { store: STORE.into(), expires_in: EXPIRES_IN, targets: digest_of_targets(None) };
    let body = scope.seal(&KEYS.1, &format!(r#""id":"{id}","name":"show","payload":{{"a":[1,"b"]}}}}"#));
    (format!(r#"{{"expires_at":"{}",{body}"#, accepted + EXPIRES_IN), accepted)
});

/// The text of a lease, with a seal and without one.
pub fn lease(bytes: &[u8]) {
    let (Ok(text), (key, _)) = (str::from_utf8(bytes), &*KEYS) else { return };
    let _ = SealedLease::read(key, STORE, "n1", text);
    let Ok(lease) = serde_json::from_str::<SealedLease>(text) else { return };
    let (sealed, node) = (lease.to_text(key), lease.view.id.as_str());
    assert_eq!(SealedLease::read(key, &lease.store, node, &sealed).as_ref(), Ok(&lease));
    assert!(SealedLease::read(key, &format!("{} ", lease.store), node, &sealed).is_err());
}

/// The report of a proxy, with a seal and without one.
pub fn report(bytes: &[u8]) {
    let (key, _) = &*KEYS;
    if let Ok(sealed) = serde_json::from_slice::<SealedReport>(bytes) {
        let _ = sealed.open(key);
    }
    let Ok(view) = serde_json::from_slice::<ProxyView>(bytes) else { return };
    // One that is too long is not opened.
    if let Ok(opened) = SealedReport::new(key, &view).open(key) {
        assert_eq!(opened, view);
    }
}

/// The text of a command; and changes of a command that is sealed, each of three bytes: the place, and the byte that is put there. What can
/// still be read is what was sealed.
pub fn sealed_command(bytes: &[u8]) {
    let ((_, key), (sealed, accepted)) = (&*KEYS, &*SEALED);
    if let Ok(text) = str::from_utf8(bytes) {
        let _ = SealedCommand::read(key, STORE, text);
        let _ = SealedCommand::moved(key, STORE, "s2", text);
    }
    let mut changed = sealed.clone().into_bytes();
    for change in bytes.chunks_exact(3) {
        let place = usize::from(u16::from_be_bytes([change[0], change[1]])) % changed.len();
        changed[place] = change[2];
    }
    let Ok(changed) = String::from_utf8(changed) else { return };
    let Ok(mut read) = SealedCommand::read(key, STORE, &changed) else { return };
    let original = SealedCommand::read(key, STORE, sealed).expect("a command that was sealed");
    assert!(read.command.expires_at <= *accepted + EXPIRES_IN + SLACK, "{changed}");
    read.command.expires_at = original.command.expires_at;
    assert_eq!((read.command, read.targets), (original.command, original.targets));
}
