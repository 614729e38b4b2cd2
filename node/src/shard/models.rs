//! The mailboxes of the shards, in every order in which senders, shards and the lease's renewals may act. A shard here
//! is a thread that carries out real messages, without sockets. A test sees what the shard would send by the number of
//! the last command.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use muster_protocol::{CommandId, Payload, SessionId, api::Protocol, frame};
use shuttle::{future::block_on, thread};
use uuid::Uuid;

use super::*;
use crate::{
    backplane::Deliver,
    fence::{BootInstant, Claim},
    hub::{SessionAddr, SessionInfo},
    sync,
};

/// The one partition of the node's store.
const PARTITION: PartitionIndex = PartitionIndex(0);
/// Longer than a run.
const HOUR: Duration = Duration::from_secs(3600);

fn in_each_order(model: impl Fn() + Send + Sync + 'static) {
    test_node::prepare();
    sync::in_each_order(model);
}

fn in_many_orders(model: impl Fn() + Send + Sync + 'static) {
    test_node::prepare();
    sync::in_many_orders(model);
}

/// Returns a node whose fence has expired, with a claim to the lease `first`.
fn node(count: usize, room: usize) -> (Arc<Shared>, Vec<mpsc::Receiver<ShardMessage>>, Arc<Claim>) {
    let (shared, mailboxes) = test_node::node(count, room);
    let claim = Arc::new(Claim::new(shared.fences.of(PARTITION).clone()));
    claim.begin("first".into(), BootInstant::now(), Duration::ZERO);
    (shared, mailboxes, claim)
}

fn command(number: u64) -> Arc<EncodedCommand> {
    let command = frame::Command {
        id: CommandId(Uuid::nil()),
        name: "restart".into(),
        payload: Payload::from_text(""),
        expires_at: Timestamp::MAX,
        cursor: None,
        stagger_ms: None,
    };
    Arc::new(EncodedCommand::new(PARTITION, number, command))
}

/// What a shard did with one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CarriedOut {
    Sent(u64),
    Dropped(u64),
    Rejoined,
    Ended(SessionId),
}

/// Carries out the next `count` messages.
fn carry_out_next(shard: &Rc<Shard>, mailbox: &mut mpsc::Receiver<ShardMessage>, count: usize) -> Vec<CarriedOut> {
    let next = || {
        let mut messages = Vec::new();
        block_on(mailbox.recv_many(&mut messages, 1));
        let message = match &messages[0] {
            ShardMessage::Broadcast(command) => CarriedOut::Dropped(command.number),
            ShardMessage::Rejoin(..) => CarriedOut::Rejoined,
            ShardMessage::End(addr, _) => CarriedOut::Ended(addr.session),
            other => panic!("another message: {other:?}"),
        };
        carry_out(shard, &mut Inbox::of(messages));
        match message {
            CarriedOut::Dropped(number) if shard.sockets.sent_up_to(PARTITION) == number => CarriedOut::Sent(number),
            step => step,
        }
    };
    std::iter::repeat_with(next).take(count).collect()
}

fn renew(shared: &Shared, claim: &Claim, name: &str) {
    block_on(claim.renew(name.into(), BootInstant::now(), HOUR, shared.shards.rejoin(PARTITION)));
}

#[test]
fn what_waited_while_the_lease_was_lost_is_not_sent_before_the_sessions_were_asked() {
    in_many_orders(|| {
        let (shared, mut mailboxes, claim) = node(1, 2);
        block_on(shared.shards.broadcast(command(1)));
        let renewal = {
            let shared = shared.clone();
            thread::spawn(move || renew(&shared, &claim, "second"))
        };
        let shard = Rc::new(Shard::new(0, shared.clone()));
        let steps = carry_out_next(&shard, &mut mailboxes[0], 2);
        assert_eq!(steps, [CarriedOut::Dropped(1), CarriedOut::Rejoined]);
        renewal.join().unwrap();
        block_on(shared.shards.broadcast(command(2)));
        assert_eq!(carry_out_next(&shard, &mut mailboxes[0], 1), [CarriedOut::Sent(2)]);
    });
}

#[test]
fn no_command_overtakes_one_that_the_fence_dropped_and_a_renewal_has_the_sessions_asked() {
    in_many_orders(|| {
        let (shared, mut mailboxes, claim) = node(1, 4);
        for number in 1..=2 {
            block_on(shared.shards.broadcast(command(number)));
        }
        let shard = {
            let shared = shared.clone();
            thread::spawn(move || {
                let shard = Rc::new(Shard::new(0, shared));
                carry_out_next(&shard, &mut mailboxes[0], 3)
            })
        };
        renew(&shared, &claim, "first");
        // The end of a session that is not here comes after a rejoin, if there is one.
        renew(&shared, &claim, "first");
        let addr = SessionAddr { shard: 0, key: 0, session: SessionId(Uuid::nil()) };
        block_on(shared.shards.end(addr, SessionEnd::Left));
        let steps = shard.join().unwrap();
        let sent = |steps: &[CarriedOut]| steps.iter().any(|step| matches!(step, CarriedOut::Sent(_)));
        if let Some(dropped) = steps.iter().position(|step| matches!(step, CarriedOut::Dropped(_))) {
            let asked = steps.iter().skip(dropped).position(|step| *step == CarriedOut::Rejoined);
            let overtaking = asked.map_or(&steps[dropped..], |asked| &steps[dropped..dropped + asked]);
            assert!(!sent(overtaking), "a command overtook the one that was dropped: {steps:?}");
            assert!(
                asked.is_some() || shared.fences.of(PARTITION).takes_tripped(),
                "no renewal asks the sessions: {steps:?}"
            );
        }
    });
}

#[test]
fn a_full_mailbox_makes_its_senders_wait_and_drops_nothing() {
    in_many_orders(|| {
        let (shared, mut mailboxes, claim) = node(1, 1);
        renew(&shared, &claim, "first");
        let senders = [[1, 2], [3, 4]].map(|numbers| {
            let shared = shared.clone();
            thread::spawn(move || numbers.map(|number| block_on(shared.shards.broadcast(command(number)))))
        });
        let mut numbers = Vec::new();
        while numbers.len() < 4 {
            let mut messages = Vec::new();
            assert_eq!(block_on(mailboxes[0].recv_many(&mut messages, 8)), 1, "more than there is room for");
            let Some(ShardMessage::Broadcast(command)) = messages.pop() else { panic!("another message") };
            numbers.push(command.number);
        }
        for pair in [[1, 2], [3, 4]] {
            let of_one: Vec<_> = numbers.iter().copied().filter(|number| pair.contains(number)).collect();
            assert_eq!(of_one, pair, "out of order");
        }
        senders.into_iter().for_each(|sender| _ = sender.join().unwrap());
    });
}

#[test]
fn a_rejoin_waits_for_what_is_in_the_mailbox_of_each_shard() {
    in_many_orders(|| {
        let (shared, mailboxes, _) = node(2, 2);
        block_on(shared.shards.broadcast(command(1)));
        let handled = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let shards: Vec<_> = (0..)
            .zip(mailboxes)
            .map(|(index, mut mailbox)| {
                let (shared, handled) = (shared.clone(), handled.clone());
                thread::spawn(move || {
                    let shard = Rc::new(Shard::new(index, shared));
                    carry_out_next(&shard, &mut mailbox, 1);
                    thread::yield_now();
                    handled.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    carry_out_next(&shard, &mut mailbox, 1);
                })
            })
            .collect();
        block_on(shared.shards.rejoin(PARTITION));
        assert_eq!(handled.load(std::sync::atomic::Ordering::SeqCst), 2);
        shards.into_iter().for_each(|shard| shard.join().unwrap());
    });
}

#[test]
fn nobody_waits_for_a_shard_that_stops() {
    in_many_orders(|| {
        let (shared, mut mailboxes, _) = node(1, 1);
        let rejoin = {
            let shared = shared.clone();
            thread::spawn(move || block_on(shared.shards.rejoin(PARTITION)))
        };
        let shard = {
            let (shared, mut mailbox) = (shared.clone(), mailboxes.remove(0));
            thread::spawn(move || carry_out_next(&Rc::new(Shard::new(0, shared)), &mut mailbox, 1).len())
        };
        block_on(shared.shards.broadcast(command(1)));
        assert_eq!(shard.join().unwrap(), 1);
        rejoin.join().unwrap();
    });
}

#[test]
fn the_end_of_a_replaced_session_does_not_reach_the_newer_one() {
    in_each_order(|| {
        let (shared, mut mailboxes, _) = node(1, 2);
        let [older, newer] = [1, 2].map(|number| SessionId(Uuid::from_u128(number)));
        enter(&shared, older);
        let arrival = {
            let shared = shared.clone();
            thread::spawn(move || enter(&shared, newer))
        };
        block_on(shared.shards.end_session(&"t1".parse().unwrap(), older, SessionEnd::Replaced));
        arrival.join().unwrap();
        assert_eq!(shared.hub.addr(&"t1".parse().unwrap()).unwrap().session, newer);
        let addr = SessionAddr { shard: 0, key: 0, session: SessionId(Uuid::nil()) };
        block_on(shared.shards.end(addr, SessionEnd::Left));
        let shard = Rc::new(Shard::new(0, shared));
        while let [CarriedOut::Ended(session)] = carry_out_next(&shard, &mut mailboxes[0], 1)[..] {
            assert_ne!(session, newer);
            if session == addr.session {
                return;
            }
        }
    });
}

/// Enters a session of the terminal `t1` into the hub.
fn enter(shared: &Shared, session: SessionId) {
    let info = SessionInfo {
        terminal: "t1".parse().unwrap(),
        session,
        protocol: Protocol::V1,
        partition: Default::default(),
        labels: Default::default(),
        address: Box::default(),
        edge: None,
        connected_at: Timestamp::UNIX_EPOCH,
    };
    shared.hub.insert(Arc::new(info), SessionAddr { shard: 0, key: 0, session });
}
