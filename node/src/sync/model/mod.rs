//! What the model checker does not have: tokio's channels, written after tokio's documentation on the checker's locks. Only what
//! the node uses of them is here.

pub mod mpsc;
pub mod oneshot;

use shuttle::{
    Config, Runner,
    scheduler::{DfsScheduler, RandomScheduler, Scheduler},
};

/// The number of orders that [`in_many_orders`] tries.
const MANY: usize = 2_000;
/// The seed of these orders: a run is like the one before, so a failure comes again.
const SEED: u64 = 0x6d75_7374_6572;

/// A model with more orders than this is not run in each: these take about 20 seconds.
const EACH: usize = 50_000;
/// The stack of each thread in bytes: the checker's default is too small for a shard.
const STACK: usize = 256 * 1024;

/// Runs `model` in every order in which its threads can take turns.
///
/// # Panics
/// If there are more than 50,000 orders. Two threads with some eight operations each on shared state have that many; a larger
/// model belongs to [`in_many_orders`].
pub fn in_each_order(model: impl Fn() + Send + Sync + 'static) {
    assert!(run(DfsScheduler::new(Some(EACH), false), model) < EACH, "too many orders: use in_many_orders");
}

/// Runs `model` in 2,000 orders, chosen at random with a fixed seed.
pub fn in_many_orders(model: impl Fn() + Send + Sync + 'static) {
    run(RandomScheduler::new_from_seed(SEED, MANY), model);
}

fn run(scheduler: impl Scheduler + 'static, model: impl Fn() + Send + Sync + 'static) -> usize {
    let mut config = Config::new();
    config.stack_size = STACK;
    Runner::new(scheduler, config).run(model)
}
