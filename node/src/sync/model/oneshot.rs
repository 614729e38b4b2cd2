//! A channel for one message that does what `tokio::sync::oneshot` documents.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use shuttle::sync::Mutex;

/// The sending half.
#[derive(Debug)]
pub struct Sender<T>(Arc<Mutex<State<T>>>);

/// The receiving half: a future.
#[derive(Debug)]
pub struct Receiver<T>(Arc<Mutex<State<T>>>);

/// The sender was dropped without a message.
#[derive(Debug)]
pub struct Closed;

#[derive(Debug)]
struct State<T> {
    message: Option<T>,
    is_closed: bool,
    receiver: Option<Waker>,
}

/// A channel for one message.
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let state = Arc::new(Mutex::new(State { message: None, is_closed: false, receiver: None }));
    (Sender(state.clone()), Receiver(state))
}

impl<T> Sender<T> {
    /// Sends the message.
    pub fn send(self, message: T) -> Result<(), T> {
        self.0.lock().unwrap().message = Some(message);
        Ok(())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock().unwrap();
        state.is_closed = true;
        let receiver = state.receiver.take();
        drop(state);
        receiver.into_iter().for_each(Waker::wake);
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, Closed>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.lock().unwrap();
        if let Some(message) = state.message.take() {
            return Poll::Ready(Ok(message));
        }
        if state.is_closed {
            return Poll::Ready(Err(Closed));
        }
        state.receiver = Some(context.waker().clone());
        Poll::Pending
    }
}
