//! The types through which the threads of a node share state: locks, atomics and channels. They are those of std and tokio.
//!
//! Unit tests that are built with the feature `shuttle` get the types of a model checker instead, which decides at each
//! operation which thread goes on. So the modules named `models` run the node's own code in every order of its threads. The
//! feature changes nothing outside of unit tests.

#[cfg(all(test, feature = "shuttle"))]
mod model;

#[cfg(all(test, feature = "shuttle"))]
pub use self::model::{in_each_order, in_many_orders, mpsc, oneshot};
#[cfg(all(test, feature = "shuttle"))]
pub use shuttle::sync::{Mutex, MutexGuard, atomic};

#[cfg(not(all(test, feature = "shuttle")))]
pub use std::sync::{Mutex, MutexGuard, atomic};
#[cfg(not(all(test, feature = "shuttle")))]
pub use tokio::sync::{mpsc, oneshot};
