//! The result of an activation.

/// The result of an activation.
#[derive(Debug)]
pub enum ActivationOutcome {
    /// The set is served.
    Confirmed,
    /// The files could not be written. Nothing was changed.
    NotWritten(anyhow::Error),
    /// `nginx -t` did not accept the files. Nothing was changed.
    Refused(anyhow::Error),
    /// Nginx did not run the new generation in time. The generation before is the current one again.
    RolledBack {
        /// The reason.
        error: anyhow::Error,
        /// The master did reload, so that old workers were left behind.
        reloaded: bool,
    },
    /// As [`RolledBack`](Self::RolledBack), but the generation before could not be made the current one, as with a full
    /// disk. An Nginx that is started or reloaded now reads the new one. [`Activation`](crate::activation::Activation)
    /// tries again to switch back before it does anything else.
    NotRolledBack {
        /// The reason, with the reason why the generation before is not the current one.
        error: anyhow::Error,
        /// The master did reload, so that old workers were left behind.
        reloaded: bool,
    },
}

impl ActivationOutcome {
    /// Returns the value of the label `result` of the metric.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::NotWritten(_) => "not_written",
            Self::Refused(_) => "refused",
            Self::RolledBack { .. } => "rolled_back",
            Self::NotRolledBack { .. } => "not_rolled_back",
        }
    }

    /// Returns why the set is not served. `None` if it is served.
    pub fn error(&self) -> Option<&anyhow::Error> {
        match self {
            Self::Confirmed => None,
            Self::NotWritten(error) | Self::Refused(error) => Some(error),
            Self::RolledBack { error, .. } | Self::NotRolledBack { error, .. } => Some(error),
        }
    }

    /// Returns whether the master reloaded a set that it does not serve, so that old workers were left behind.
    pub fn left_workers(&self) -> bool {
        matches!(self, Self::RolledBack { reloaded: true, .. } | Self::NotRolledBack { reloaded: true, .. })
    }

    /// Returns the outcome of two attempts, of which this one is the second: its own, unless that would hide that the
    /// first left old workers behind.
    pub(super) fn after(self, first: Option<&Self>) -> Self {
        match self {
            Self::NotWritten(error) | Self::Refused(error) | Self::RolledBack { error, .. }
                if first.is_some_and(Self::left_workers) =>
            {
                Self::RolledBack { error, reloaded: true }
            }
            Self::NotRolledBack { error, reloaded } => {
                Self::NotRolledBack { error, reloaded: reloaded || first.is_some_and(Self::left_workers) }
            }
            second => second,
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_second_attempt_does_not_hide_that_the_first_left_workers_behind() {
        let rolled_back = |reloaded| ActivationOutcome::RolledBack { error: anyhow!("first"), reloaded };
        for (first, left) in [(Some(rolled_back(true)), true), (Some(rolled_back(false)), false), (None, false)] {
            for second in [
                ActivationOutcome::Refused(anyhow!("second")),
                ActivationOutcome::NotWritten(anyhow!("second")),
                rolled_back(false),
                ActivationOutcome::NotRolledBack { error: anyhow!("second"), reloaded: false },
            ] {
                let shown = format!("{second:?} after {first:?}");
                assert_eq!(second.after(first.as_ref()).left_workers(), left, "{shown}");
            }
        }
        assert!(matches!(ActivationOutcome::Confirmed.after(Some(&rolled_back(true))), ActivationOutcome::Confirmed));
    }
}
