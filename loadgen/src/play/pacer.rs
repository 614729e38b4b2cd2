//! Reports when each message is due, from its own thread. Tokio's timer is exact to a millisecond only and is
//! delayed by the other tasks of the fleet; a sleeping thread wakes within about 50 us.

use std::thread;

use tokio::sync::mpsc;

use crate::clock::{Clock, Nanos};

/// Starts the pacer thread. The receiver yields each number of `due` at its time; `due` must be in the order of
/// time. The thread ends when the receiver is dropped or all numbers were sent.
pub fn start(clock: Clock, due: Vec<(usize, Nanos)>) -> mpsc::UnboundedReceiver<usize> {
    // The channel is unbounded, because it can't hold more entries than the plan has messages.
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
