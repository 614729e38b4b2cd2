//! One question to several partitions: the answers that came, and the names of the partitions that are away.

use std::sync::Arc;

use futures_util::future::join_all;
use muster_protocol::partition::PartitionIndex;

use super::{RedisBackplane, member::PartitionMember};
use crate::backplane::BackplaneError;

/// What the partitions that were asked answered.
#[derive(Debug)]
pub struct PartitionAnswers<T> {
    /// The answers, by partition, in ascending order.
    pub found: Vec<(PartitionIndex, T)>,
    /// The partitions that are away, in ascending order.
    pub partial: Vec<PartitionIndex>,
}

impl<T> PartitionAnswers<T> {
    /// Divides answers into those that were given and the partitions that are away.
    ///
    /// # Errors
    /// The first refusal for another reason than a partition that is away. If there is none and no partition answered,
    /// the first error, with the names of all partitions.
    pub fn of(
        answers: impl IntoIterator<Item = (PartitionIndex, Result<T, BackplaneError>)>,
    ) -> Result<Self, BackplaneError> {
        let (mut found, mut partial, mut away) = (Vec::new(), Vec::new(), None);
        for (partition, answer) in answers {
            match answer.map_err(|error| error.in_partition(partition)) {
                Ok(answer) => found.push((partition, answer)),
                Err(error) if error.is_away() || matches!(error, BackplaneError::Nameless(_)) => {
                    partial.push(partition);
                    away.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        match away {
            Some(BackplaneError::Away(_, reason)) if found.is_empty() => Err(BackplaneError::Away(partial, reason)),
            Some(error) if found.is_empty() => Err(error),
            _ => Ok(Self { found, partial }),
        }
    }
}

impl RedisBackplane {
    /// Returns the answers of all partitions to one question, asked at the same time.
    ///
    /// # Errors
    /// As [`PartitionAnswers::of`].
    pub(super) async fn ask_all<T, F: Future<Output = Result<T, BackplaneError>>>(
        &self,
        ask: impl Fn(Arc<PartitionMember>) -> F,
    ) -> Result<PartitionAnswers<T>, BackplaneError> {
        let asked = self.members.iter().map(|member| {
            let answer = ask(member.clone());
            async move { (member.index(), member.ask(answer).await) }
        });
        PartitionAnswers::of(join_all(asked).await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(of: &[Result<u32, BackplaneError>]) -> Result<PartitionAnswers<u32>, BackplaneError> {
        PartitionAnswers::of((0..).map(PartitionIndex).zip(of.iter().cloned()))
    }

    fn away() -> Result<u32, BackplaneError> {
        Err(BackplaneError::Unavailable("Redis is not reached".into()))
    }

    #[test]
    fn who_is_away_is_named_while_one_answers() {
        let found = answers(&[away(), Ok(7), away()]).unwrap();
        assert_eq!((found.found, found.partial), (vec![(PartitionIndex(1), 7)], [0, 2].map(PartitionIndex).to_vec()));
        let none = answers(&[away(), away()]).unwrap_err();
        assert_eq!(
            none.to_string(),
            "partitions 0, 1 of the store can't be reached, and nothing was changed: Redis is not reached"
        );
    }

    #[test]
    fn a_refusal_counts_before_who_is_away() {
        let refused = answers(&[away(), Err(BackplaneError::NoCursor), Ok(7)]);
        assert_eq!(refused.unwrap_err(), BackplaneError::NoCursor);
    }
}
