//! The fence and the claim, in every order in which threads may extend the fence and check it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use shuttle::{future::block_on, thread};

use super::{BootInstant, Claim, Fence};
use crate::sync::{atomic, in_each_order, in_many_orders};

/// Longer than a run.
const HOUR: Duration = Duration::from_secs(3600);

/// Returns a fence that has expired, and its claim, which has the lease `first`.
fn expired() -> (Arc<Fence>, Arc<Claim>) {
    let fence = Arc::<Fence>::default();
    let claim = Claim::new(fence.clone());
    claim.begin("first".into(), BootInstant::now(), Duration::ZERO);
    (fence, Arc::new(claim))
}

#[test]
fn once_the_node_gave_way_the_fence_never_holds() {
    in_each_order(|| {
        let fence = Arc::<Fence>::default();
        let claim = Arc::new(Claim::new(fence.clone()));
        claim.begin("first".into(), BootInstant::now(), HOUR);
        let gave_way = Arc::new(atomic::AtomicBool::new(false));
        let giver = {
            let (claim, gave_way) = (claim.clone(), gave_way.clone());
            thread::spawn(move || {
                claim.give_way();
                gave_way.store(true, Ordering::SeqCst);
            })
        };
        for _ in 0..2 {
            let gave_way = gave_way.load(Ordering::SeqCst);
            assert!(!(fence.holds() && gave_way), "a command passed after the node gave way");
        }
        giver.join().unwrap();
        assert!(!fence.holds());
    });
}

#[test]
fn what_the_fence_dropped_is_told_to_a_renewal_also_if_both_happen_at_once() {
    in_each_order(|| {
        let (fence, _) = expired();
        let shard = {
            let fence = fence.clone();
            thread::spawn(move || assert!(!fence.holds()))
        };
        let told = fence.takes_tripped();
        shard.join().unwrap();
        assert!(fence.takes_tripped() != told, "told to none, or to two");
    });
}

#[test]
fn of_two_renewals_at_once_neither_extends_the_fence_before_the_sessions_were_asked() {
    in_many_orders(|| {
        let (fence, claim) = expired();
        let asked = Arc::new(AtomicBool::new(false));
        let renewals = [(); 2].map(|()| {
            let (claim, asked) = (claim.clone(), asked.clone());
            thread::spawn(move || {
                block_on(claim.renew("second".into(), BootInstant::now(), HOUR, async {
                    thread::yield_now();
                    asked.store(true, Ordering::SeqCst);
                }));
                assert!(asked.load(Ordering::SeqCst), "the fence was extended before the sessions were asked");
            })
        });
        assert!(!fence.holds() || asked.load(Ordering::SeqCst), "the fence holds before the sessions were asked");
        renewals.into_iter().for_each(|renewal| renewal.join().unwrap());
        assert!(fence.holds());
    });
}
