//! A terminal against a fake node, which does what the test tells it, step by step.

mod fake_node;
mod limit;
mod reconnect;
mod session;
mod tls;
mod token;
mod vectors;
