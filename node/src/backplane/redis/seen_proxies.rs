//! The proxies of the cluster, by their own reports. The reports are kept only in memory: each proxy reports every 2 s,
//! so a node that has just started soon knows all proxies.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use muster_protocol::api::ProxyView;

/// A proxy is forgotten when it has not reported for so long.
const FORGOTTEN: Duration = Duration::from_secs(10);
/// The most proxies whose reports are kept. The report of a further proxy is dropped.
const PROXIES_MAX: usize = 100;
/// The longest id of a proxy, in bytes. The report of a proxy with a longer id is dropped.
const ID_MAX: usize = 128;

/// The last report of each proxy.
#[derive(Debug, Default)]
pub struct SeenProxies(Mutex<BTreeMap<String, SeenProxy>>);

#[derive(Debug)]
struct SeenProxy {
    view: ProxyView,
    heard: Instant,
}

impl SeenProxies {
    /// Keeps a report, if it is newer than the last report of this proxy.
    pub fn record(&self, view: ProxyView, now: Instant) {
        let mut proxies = self.fresh(now);
        let is_newer = proxies.get(&view.id).is_none_or(|known| known.view.reported_at < view.reported_at);
        let has_room = proxies.len() < PROXIES_MAX || proxies.contains_key(&view.id);
        if is_newer && has_room && view.id.len() <= ID_MAX {
            proxies.insert(view.id.clone(), SeenProxy { view, heard: now });
        }
    }

    /// Returns the proxies that have reported lately, in ascending order of their ids.
    pub fn list(&self, now: Instant) -> Vec<ProxyView> {
        self.fresh(now).values().map(|proxy| proxy.view.clone()).collect()
    }

    fn fresh(&self, now: Instant) -> MutexGuard<'_, BTreeMap<String, SeenProxy>> {
        let mut proxies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        proxies.retain(|_, proxy| now.duration_since(proxy.heard) < FORGOTTEN);
        proxies
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::*;

    fn report(id: &str, second: i64) -> ProxyView {
        ProxyView {
            id: id.into(),
            address: ([10, 0, 0, 1], 443).into(),
            version: "1".into(),
            started_at: Timestamp::UNIX_EPOCH,
            reported_at: Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second),
            generation: None,
            generation_wanted: 1,
            nodes: second as u64,
            differs: Vec::new(),
            lingering_workers: 0,
            connections: None,
            certificate_ends_at: None,
            last_success_at: None,
            refused: BTreeMap::new(),
        }
    }

    fn shown(proxies: &SeenProxies, now: Instant) -> Vec<(String, u64)> {
        proxies.list(now).into_iter().map(|view| (view.id, view.nodes)).collect()
    }

    #[test]
    fn the_newest_report_counts_until_it_is_old() {
        let (proxies, mut now) = (SeenProxies::default(), Instant::now());
        for (id, second) in [("b:1", 5), ("a:1", 1), ("b:1", 7), ("b:1", 6)] {
            proxies.record(report(id, second), now);
        }
        assert_eq!(shown(&proxies, now), [("a:1".to_owned(), 1), ("b:1".to_owned(), 7)]);
        now += FORGOTTEN / 2;
        proxies.record(report("a:1", 2), now);
        now += FORGOTTEN / 2;
        assert_eq!(shown(&proxies, now), [("a:1".to_owned(), 2)]);
        proxies.record(report("b:1", 3), now);
        assert_eq!(shown(&proxies, now).len(), 2, "its clock was set back, and it was forgotten since");
    }

    #[test]
    fn what_others_can_make_grow_has_a_bound() {
        let (proxies, now) = (SeenProxies::default(), Instant::now());
        proxies.record(report(&"x".repeat(ID_MAX + 1), 1), now);
        assert!(shown(&proxies, now).is_empty());
        for number in 0..PROXIES_MAX + 10 {
            proxies.record(report(&format!("{number:03}"), 1), now);
        }
        proxies.record(report("000", 2), now);
        assert_eq!((shown(&proxies, now).len(), shown(&proxies, now)[0].1), (PROXIES_MAX, 2));
    }
}
