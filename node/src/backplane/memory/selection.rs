//! The terminals that an expression of operators picks, as sets of ordinals.

use std::{ops::Bound, time::Duration};

use muster_protocol::selector::{MatchTerm, MatchTree};

use super::{NodeStore, bitmap::Bitmap, known_terminal::KnownTerminal};
use crate::backplane::BackplaneError;

impl NodeStore {
    /// The known terminals that an expression picks. `ping` is the ping interval, by which a session is stale.
    ///
    /// # Errors
    /// [`LeftOut`](BackplaneError::LeftOut) if it goes by the values of a label's key that has too many.
    pub(super) fn picked(&self, tree: &MatchTree, ping: Duration) -> Result<Bitmap, BackplaneError> {
        match tree {
            MatchTree::All(parts) => {
                let mut picked = self.ordinals.known().as_ref().clone();
                for part in parts {
                    picked = picked.intersection(&self.picked(part, ping)?);
                }
                Ok(picked)
            }
            MatchTree::Any(parts) => {
                let mut picked = Bitmap::default();
                for part in parts {
                    picked.add(&self.picked(part, ping)?);
                }
                Ok(picked)
            }
            MatchTree::Not(part) => Ok(self.ordinals.known().difference(&self.picked(part, ping)?)),
            MatchTree::Term(term) => self.meeting(term, ping),
            // Who takes a request has put what is saved in its place.
            MatchTree::Saved(_) => Ok(Bitmap::default()),
        }
    }

    /// The terminals that meet a condition.
    fn meeting(&self, term: &MatchTerm, ping: Duration) -> Result<Bitmap, BackplaneError> {
        let labels = &self.terminals.labels;
        Ok(match term {
            MatchTerm::Values { key, any_of } => {
                labels.with_value(key, |value| any_of.iter().any(|wanted| wanted == value))?
            }
            MatchTerm::ValuePrefix { key, prefix } => labels.with_value(key, |value| value.starts_with(prefix))?,
            MatchTerm::Version { key, order, than } => labels.with_value(key, |value| order.holds(value, than))?,
            MatchTerm::HasKey(key) => labels.with_key(key),
            MatchTerm::Ids(ids) => ids.iter().filter_map(|id| self.ordinals.of(id)).collect(),
            MatchTerm::IdPrefix(prefix) => {
                let from = self.terminals.known.range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded));
                let begins = from.take_while(|(id, _)| id.as_str().starts_with(prefix));
                begins.map(|(_, known)| known.ordinal).collect()
            }
            MatchTerm::Statuses(statuses) => self.those(|known| statuses.contains(&known.status(ping))),
            MatchTerm::Conditions(conditions) => self.those(|known| conditions.contains(&known.condition())),
            MatchTerm::Nodes(nodes) => self.those(|known| known.is_online && nodes.contains(&known.record.node)),
            MatchTerm::Connected => self.terminals.online.clone(),
            MatchTerm::Protocols(protocols) => self.those(|known| protocols.contains(&known.record.info.protocol)),
        })
    }

    fn those(&self, is_one: impl Fn(&KnownTerminal) -> bool) -> Bitmap {
        self.terminals.known.values().filter(|known| is_one(known)).map(|known| known.ordinal).collect()
    }
}
