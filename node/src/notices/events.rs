//! Reads events, and queues the messages that tell of them.

use std::time::{Duration, Instant};

use jiff::SignedDuration;
use muster_protocol::TerminalId;
use serde_json::value::RawValue;

use super::{
    carrier::NoticeCarrier,
    heard::{HeardEvent, heard},
    turn::OpenTurn,
};
use crate::backplane::{BackplaneError, EventPage, EventView, NoticeSurvey};

/// The time after which a turn reads no more events.
const TURN: Duration = Duration::from_millis(700);
/// The messages that one step may queue. With 32 notices 16 events make as many.
const STEP: usize = 512;
/// How much older than the last event that was read a terminal may have been seen that a search finds.
const SURVEY_BACK: SignedDuration = SignedDuration::from_secs(120);

impl NoticeCarrier {
    /// Reads events, and takes a step for each portion of them.
    pub(super) async fn hear(&self, turn: &mut OpenTurn) -> Result<(), BackplaneError> {
        let began = Instant::now();
        while began.elapsed() < TURN {
            let cursor = turn.read.place.cursor.clone();
            let page = self.events(&cursor).await?;
            if page.gap {
                Self::note_gap(turn);
            }
            let portion = (STEP / turn.read.notices.len().max(1)).max(1);
            for events in page.events.chunks(portion) {
                self.hear_events(events, turn).await?;
                if let Some(last) = events.last() {
                    turn.read.place.cursor.clone_from(&last.cursor);
                }
                self.save(turn).await?;
            }
            // A place that moves without events would be written each second.
            if cursor.is_empty() || page.gap || !page.events.is_empty() {
                turn.read.place.cursor = page.newest;
            }
            if !page.more {
                break;
            }
        }
        Ok(())
    }

    /// The events after a cursor. A cursor of a store that is gone is as one whose events are gone.
    async fn events(&self, cursor: &str) -> Result<EventPage, BackplaneError> {
        if cursor.is_empty() {
            return self.backplane.events(None).await;
        }
        match self.backplane.events(Some(cursor)).await {
            Err(BackplaneError::NoCursor) => Ok(EventPage { gap: true, ..self.backplane.events(None).await? }),
            page => page,
        }
    }

    /// Begins a search for terminals that went offline while events were lost.
    fn note_gap(turn: &mut OpenTurn) {
        tracing::warn!("events were not stored any more when notices came to them: messages about them are lost");
        // What happened before the first notice was set concerns none.
        let begun_at = turn.records().map(|record| record.created_at).min().unwrap_or(turn.now);
        let heard_to = turn.read.place.heard_to.max(begun_at);
        let since = heard_to.checked_sub(SURVEY_BACK).unwrap_or(heard_to);
        let before = turn.read.place.survey.take().map_or(since, |survey| survey.since.min(since));
        turn.read.place.survey = Some(NoticeSurvey { since: before, after: None });
    }

    async fn hear_events(&self, events: &[EventView], turn: &mut OpenTurn) -> Result<(), BackplaneError> {
        let all: Vec<_> = events.iter().filter_map(|event| Some((event, heard(event)?))).collect();
        let has_expression = turn.records().any(|record| record.expression.is_some());
        let named = all.iter().filter_map(|(_, heard)| match heard {
            HeardEvent::Told(_, terminal, _) if has_expression => terminal.clone(),
            _ => None,
        });
        let named: Vec<TerminalId> = named.collect();
        let labels = if named.is_empty() { Default::default() } else { self.backplane.labels_of(&named).await? };
        for (event, heard) in all {
            match heard {
                HeardEvent::Back(terminal) => _ = turn.moved.insert(terminal, None),
                HeardEvent::Off(terminal, at) => turn.went(terminal, at),
                HeardEvent::Told(kind, terminal, at) => {
                    let Ok(data) = RawValue::from_string(event.data.clone()) else { continue };
                    let about = terminal.as_ref().map(|id| (id, labels.get(id).map(|labels| &**labels)));
                    turn.tell(kind, at.unwrap_or(turn.now), &data, about);
                }
            }
        }
        Ok(())
    }
}
