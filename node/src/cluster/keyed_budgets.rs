//! A budget for each key of a kind, such as each address: what one key uses up takes nothing from another.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, RandomState},
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use muster_protocol::address::site;

/// The most keys whose budgets are remembered. Only a budget that is not whole is worth remembering. While the table is
/// full, other keys have no limit here.
const KEYS_MAX: usize = 16_384;
/// The shortest time between two searches of a full table for budgets that are whole again.
const SWEEP: Duration = Duration::from_secs(1);

/// Returns the key of an address. All addresses that can't be parsed share one key.
pub fn of_site(address: &str) -> IpAddr {
    address.parse().map_or(Ipv6Addr::UNSPECIFIED.into(), site)
}

/// Token buckets by the hashes of their keys. The hashes are salted, so nobody outside can find two keys with the same
/// hash.
#[derive(Debug)]
pub struct KeyedBudgets {
    /// What a budget earns in a second.
    rate: f64,
    /// The most that a budget can have.
    most: f64,
    salt: RandomState,
    table: Mutex<BudgetTable>,
}

#[derive(Debug)]
struct BudgetTable {
    by_key: HashMap<u64, KeyBudget>,
    swept_at: Instant,
}

/// What was left of a budget at the time `at`.
#[derive(Debug, Clone, Copy)]
struct KeyBudget {
    left: f64,
    at: Instant,
}

impl KeyedBudgets {
    /// Returns budgets that have `most` at first, and earn `rate` a second up to `most`.
    pub fn new(rate: f64, most: f64) -> Self {
        let table = BudgetTable { by_key: HashMap::new(), swept_at: Instant::now() };
        Self { rate, most, salt: RandomState::new(), table: Mutex::new(table) }
    }

    /// Takes one from the budget of `key`.
    ///
    /// # Errors
    /// If the budget has less than one: the seconds until it has one again, at least 1.
    pub fn take(&self, key: impl Hash, now: Instant) -> Result<(), u64> {
        let key = self.salt.hash_one(key);
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let mut budget = table.by_key.get(&key).copied().unwrap_or(KeyBudget { left: self.most, at: now });
        budget.refill(self.rate, self.most, now);
        let has_one = budget.left >= 1.0;
        budget.left -= if has_one { 1.0 } else { 0.0 };
        if table.has_room_for(key, self.rate, self.most, now) {
            table.by_key.insert(key, budget);
        }
        if has_one { Ok(()) } else { Err(((1.0 - budget.left) / self.rate).ceil().max(1.0) as u64) }
    }
}

impl KeyBudget {
    fn refill(&mut self, rate: f64, most: f64, now: Instant) {
        let earned = now.saturating_duration_since(self.at).as_secs_f64() * rate;
        *self = Self { left: (self.left + earned).min(most), at: now };
    }
}

impl BudgetTable {
    fn has_room_for(&mut self, key: u64, rate: f64, most: f64, now: Instant) -> bool {
        if self.by_key.contains_key(&key) || self.by_key.len() < KEYS_MAX {
            return true;
        }
        if now.saturating_duration_since(self.swept_at) >= SWEEP {
            self.swept_at = now;
            self.by_key.retain(|_, budget| {
                budget.refill(rate, most, now);
                budget.left < most
            });
        }
        self.by_key.len() < KEYS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_that_floods_gets_its_rate_and_another_is_not_held_up() {
        let (budgets, began) = (KeyedBudgets::new(2.0, 40.0), Instant::now());
        let taken = (0..10_000u64).filter(|ms| budgets.take("t1", began + Duration::from_millis(*ms)).is_ok()).count();
        assert_eq!(taken, 40 + 19, "those of 20 s at once, and two in each of the 10 s that follow");
        assert_eq!(budgets.take("t1", began + Duration::from_millis(10_100)), Ok(()));
        assert_eq!(budgets.take("t1", began + Duration::from_millis(10_100)), Err(1));
        assert_eq!(budgets.take("t2", began + Duration::from_millis(10_100)), Ok(()));
        assert_eq!(budgets.take("t1", began + Duration::from_secs(60)), Ok(()));
    }

    #[test]
    fn made_up_keys_fill_no_memory_and_are_forgotten_when_their_budget_is_whole() {
        let (budgets, began) = (KeyedBudgets::new(1.0, 20.0), Instant::now());
        (0..20_000).for_each(|key| budgets.take(key, began).unwrap());
        let count = || budgets.table.lock().unwrap().by_key.len();
        assert_eq!(count(), KEYS_MAX);
        budgets.take(20_001, began + Duration::from_secs(30)).unwrap();
        assert_eq!(count(), 1);
    }

    #[test]
    fn an_address_counts_in_one_form_and_of_ipv6_with_its_network() {
        assert_eq!(of_site("10.0.0.1"), of_site("::ffff:10.0.0.1"));
        assert_eq!(of_site("2001:db8::1"), of_site("2001:db8::2"));
        assert_ne!(of_site("2001:db8::1"), of_site("2001:db8:0:1::1"));
    }
}
