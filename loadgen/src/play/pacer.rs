//! Says when a message is due, from a thread of its own: Tokio's timer is right to a millisecond, and stands behind whatever the
//! fleet is doing; a thread that sleeps is woken within some 50 us.

use std::thread;

use tokio::sync::mpsc;

use crate::clock::{Clock, Nanos};

/// Yields each of these places when its time has come. A receiver that is dropped ends it.
pub fn start(clock: Clock, due: Vec<(usize, Nanos)>) -> mpsc::UnboundedReceiver<usize> {
    // Not bounded by a number, but by the plan.
    let (sender, receiver) = mpsc::unbounded_channel();
    let pace = move || {
        for (place, due) in due {
            clock.sleep_until(due);
            if sender.send(place).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("pacer".into()).spawn(pace).expect("a thread can be started");
    receiver
}
