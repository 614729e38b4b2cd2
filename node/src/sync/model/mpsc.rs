//! A bounded channel that does what `tokio::sync::mpsc` documents. Senders that wait for room are woken all at once, where tokio
//! wakes them in their order: whatever holds for this channel holds for tokio's.

use std::{
    collections::VecDeque,
    future::poll_fn,
    mem,
    sync::Arc,
    task::{Poll, Waker},
};

use shuttle::sync::{Mutex, MutexGuard};

/// The sending half.
#[derive(Debug)]
pub struct Sender<T>(Arc<Channel<T>>);

/// The receiving half. Dropping it drops what it has not received, and wakes the senders.
#[derive(Debug)]
pub struct Receiver<T>(Arc<Channel<T>>);

#[derive(Debug)]
struct Channel<T>(Mutex<State<T>>);

#[derive(Debug)]
struct State<T> {
    messages: VecDeque<T>,
    capacity: usize,
    senders: usize,
    /// Whether the receiver was dropped.
    is_closed: bool,
    waiting_senders: Vec<Waker>,
    waiting_receiver: Option<Waker>,
}

/// A channel in which `capacity` messages may wait.
pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let channel = Arc::new(Channel(Mutex::new(State {
        messages: VecDeque::new(),
        capacity,
        senders: 1,
        is_closed: false,
        waiting_senders: Vec::new(),
        waiting_receiver: None,
    })));
    (Sender(channel.clone()), Receiver(channel))
}

impl<T> Channel<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap()
    }
}

impl<T> Sender<T> {
    /// Sends a message once there is room for it. Returns the message if the receiver was dropped.
    pub async fn send(&self, message: T) -> Result<(), T> {
        let mut message = Some(message);
        poll_fn(|context| {
            let mut state = self.0.lock();
            if !state.is_closed && state.is_full() {
                state.waiting_senders.push(context.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(push(state, message.take().expect("a future that is ready is not polled again")))
        })
        .await
    }

    /// Sends a message if there is room for it. Returns the message if there is none, or if the receiver was dropped.
    pub fn try_send(&self, message: T) -> Result<(), T> {
        let state = self.0.lock();
        if state.is_full() { Err(message) } else { push(state, message) }
    }
}

impl<T> State<T> {
    fn is_full(&self) -> bool {
        self.messages.len() == self.capacity
    }
}

fn push<T>(mut state: MutexGuard<'_, State<T>>, message: T) -> Result<(), T> {
    if state.is_closed {
        return Err(message);
    }
    state.messages.push_back(message);
    let receiver = state.waiting_receiver.take();
    drop(state);
    receiver.into_iter().for_each(Waker::wake);
    Ok(())
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.lock().senders += 1;
        Self(self.0.clone())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.senders -= 1;
        let receiver = state.waiting_receiver.take();
        drop(state);
        receiver.into_iter().for_each(Waker::wake);
    }
}

impl<T> Receiver<T> {
    /// The next message, or none once all senders were dropped.
    pub async fn recv(&mut self) -> Option<T> {
        let mut messages = Vec::new();
        self.recv_many(&mut messages, 1).await;
        messages.pop()
    }

    /// Returns the next message if one waits.
    pub fn try_recv(&mut self) -> Result<T, ()> {
        let mut state = self.0.lock();
        let message = state.messages.pop_front().ok_or(())?;
        let senders = mem::take(&mut state.waiting_senders);
        drop(state);
        senders.into_iter().for_each(Waker::wake);
        Ok(message)
    }

    /// Appends up to `limit` messages, at least one. Returns their number, or 0 once all senders were dropped.
    pub async fn recv_many(&mut self, into: &mut Vec<T>, limit: usize) -> usize {
        poll_fn(|context| {
            let mut state = self.0.lock();
            let count = limit.min(state.messages.len());
            if count == 0 && state.senders > 0 {
                state.waiting_receiver = Some(context.waker().clone());
                return Poll::Pending;
            }
            into.extend(state.messages.drain(..count));
            let senders = mem::take(&mut state.waiting_senders);
            drop(state);
            senders.into_iter().for_each(Waker::wake);
            Poll::Ready(count)
        })
        .await
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_closed = true;
        let (messages, senders) = (mem::take(&mut state.messages), mem::take(&mut state.waiting_senders));
        drop(state);
        // What a message holds may wake a thread when it is dropped, so the lock is not held.
        drop(messages);
        senders.into_iter().for_each(Waker::wake);
    }
}
