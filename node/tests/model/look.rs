//! What a store says when it is asked for everything, and the events that it has recorded.

use std::{collections::BTreeMap, time::Duration};

use muster_node::backplane::{EventView, TargetQuery, TerminalQuery, TimeSource};
use muster_protocol::{
    Payload, TerminalId,
    api::{Status, TerminalView},
};
use serde_json::Value;
use tokio::time;

use crate::{
    answer::{self, Snapshot},
    operation::TERMINALS,
    store::{Store, id},
};

/// How the terminals are called by whose events it is known that all reports before were taken.
const MARKER: &str = "marker";

impl Store {
    /// Waits until all reports were taken, and returns the events up to there.
    pub async fn events(&mut self) -> BTreeMap<String, u64> {
        let mark = format!("m{}", rand::random::<u64>());
        for node in &self.nodes {
            for terminal in self.markers() {
                node.reports.event("terminal.event", &terminal, vec![("name", Payload::from_text(&mark))]);
            }
        }
        let (mut events, mut marks) = (BTreeMap::new(), self.nodes.len() * self.markers().len());
        for _ in 0..5000 {
            // An event of a partitioned store is given out when every partition was read up to a later time.
            self.clock.advance(Duration::from_millis(1));
            let page = self.nodes[0].backplane.events(Some(&self.event)).await.unwrap_or_default();
            for event in &page.events {
                self.event.clone_from(&event.cursor);
                let Some((what, count)) = self.event_in_words(event) else {
                    marks -= usize::from(event.data.contains(&mark));
                    continue;
                };
                *events.entry(what).or_default() += count;
            }
            if marks == 0 {
                return events;
            }
            time::sleep(Duration::from_millis(1)).await;
        }
        panic!("reports are not taken: {events:?}")
    }

    /// A terminal in each partition. The events of a partition are written in the order of reports.
    fn markers(&self) -> Vec<TerminalId> {
        let name = |number: u32| format!("{MARKER}{number}").parse::<TerminalId>().unwrap();
        let lies_in = |partition| (0..).map(name).find(|terminal| self.partitions.of(terminal) == partition);
        self.partitions.all().filter_map(lies_in).collect()
    }

    fn event_in_words(&self, event: &EventView) -> Option<(String, u64)> {
        let data: Value = serde_json::from_str(&event.data).expect("an event is JSON");
        let text = |field: &str| data[field].as_str().unwrap_or_default().to_owned();
        if text("terminal").starts_with(MARKER) {
            return None;
        }
        let kind = &event.kind;
        Some(match kind.as_str() {
            "command.state" => {
                let name = self.name(text("command").parse().expect("the id of a command"));
                (format!("{kind} {name} {}", text("state")), data["terminals"].as_u64().unwrap_or(1))
            }
            "command.done" => {
                let name = self.name(text("command").parse().expect("the id of a command"));
                let counts: BTreeMap<String, u64> = serde_json::from_value(data["counts"].clone()).expect("counts");
                (answer::done(&name, &text("state"), data["targets"].as_u64().unwrap_or(0), &counts), 1)
            }
            "terminal.offline" => (format!("{kind} {} {}", text("terminal"), text("reason")), 1),
            "terminal.health" => (format!("{kind} {} {}", text("terminal"), text("condition")), 1),
            "terminal.event" => (format!("{kind} {} {}", text("terminal"), text("name")), 1),
            _ => (format!("{kind} {}", text("terminal")), 1),
        })
    }

    /// A terminal in words. A store of one node is asked where the operation put the terminal.
    pub fn terminal(&self, view: &TerminalView) -> String {
        let status = serde_json::to_value(view.status).unwrap();
        let condition = serde_json::to_value(view.condition).unwrap();
        let placed = || {
            let number = view.id.as_str()[1..].parse::<u8>().expect("the number of a terminal");
            format!("n{}", self.placed.get(&number).copied().unwrap_or_default())
        };
        let node = match &view.node {
            None => "-".into(),
            Some(_) if self.nodes.len() == 1 => placed(),
            Some(node) => node.to_string(),
        };
        let labels: Vec<_> = view.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        format!("{} {} {node} {}", status.as_str().unwrap(), condition.as_str().unwrap(), labels.join(" "))
    }

    /// Asks for everything, of each node in turn.
    pub async fn snapshot(&self) -> Snapshot {
        let mut all = Snapshot::new();
        for (index, command) in self.commands.iter().enumerate() {
            let backplane = &self.node(index as u8).backplane;
            let record = match backplane.command(*command).await {
                Ok(record) => record,
                Err(error) => panic!("command: {error}"),
            };
            let Some(record) = record else {
                all.insert(format!("c{index}"), "none".into());
                continue;
            };
            all.insert(format!("c{index}"), self.view(&record));
            let mut query = TargetQuery { limit: 3, ..Default::default() };
            loop {
                let page = backplane.targets(*command, &query).await.expect("targets");
                for target in page.targets {
                    let view = record.target_view(target.terminal, &target.record, target.reply, self.clock.now());
                    let steps: Vec<_> = view.at.keys().map(String::as_str).collect();
                    let words = answer::target(view.state, &steps, view.payload.as_json());
                    all.insert(format!("c{index} {}", view.terminal), words);
                }
                query.after = page.next;
                if query.after.is_none() {
                    break;
                }
            }
        }
        for number in 0..TERMINALS {
            let view = self.node(number).backplane.terminal(&id(number)).await.expect("terminal");
            all.insert(format!("t{number}"), view.map_or_else(|| "none".into(), |view| self.terminal(&view)));
        }
        for site in ["", "a", "b", "c"] {
            for (name, status) in [("any", None), ("online", Some(Status::Online)), ("offline", Some(Status::Offline))]
            {
                let listed = self.list(site, status).await;
                assert_eq!(self.picked(site, name).await, listed, "{site} {name}");
                all.insert(format!("list {site} {name}"), listed);
            }
        }
        self.fleet(&mut all).await;
        all
    }

    /// The names of terminals that an expression picks, which says the same as the labels and the status of a list.
    async fn picked(&self, site: &str, status: &str) -> String {
        let mut terms = vec!["@id ^= t".to_owned()];
        if !site.is_empty() {
            terms.push(format!("not (site != {site})"));
        }
        if status != "any" {
            terms.push(format!("@status = {status}"));
        }
        let expression = Some(terms.join(" and ").parse().expect("an expression"));
        self.pages(TerminalQuery { expression, limit: 2, ..TerminalQuery::default() }).await
    }

    async fn list(&self, site: &str, status: Option<Status>) -> String {
        let labels = [("site", site)].into_iter().filter(|(_, site)| !site.is_empty());
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let prefix = "t".into();
        self.pages(TerminalQuery { labels, status, prefix, limit: 2, ..TerminalQuery::default() }).await
    }

    /// The names of terminals, taken in pages.
    async fn pages(&self, mut query: TerminalQuery) -> String {
        let mut names = Vec::new();
        loop {
            let page = self.nodes[0].backplane.terminals(&query).await.expect("terminals");
            names.extend(page.terminals.iter().map(|view| view.id.to_string()));
            let Some(next) = page.next else { return names.join(" ") };
            query.after = Some(next);
        }
    }

    async fn fleet(&self, all: &mut Snapshot) {
        let fleet = self.nodes[0].backplane.fleet().await.expect("fleet");
        let status = format!("online {}, stale {}, offline {}", fleet.online, fleet.stale, fleet.offline);
        all.insert("fleet".into(), status);
        all.insert("by condition".into(), answer::numbers(&fleet.by_condition));
        all.insert("by label".into(), answer::numbers(fleet.by_label.iter().filter(|(_, count)| **count > 0)));
        let mut by_node = fleet.by_node;
        if self.nodes.len() == 1 {
            let mut placed = BTreeMap::from([("n0".to_owned(), 0), ("n1".to_owned(), 0)]);
            let here = self.nodes[0].hub.infos();
            let numbers = here.iter().map(|info| info.terminal.as_str()[1..].parse::<u8>().unwrap());
            numbers.for_each(|number| *placed.entry(format!("n{}", self.placed[&number])).or_default() += 1);
            assert_eq!(by_node.values().sum::<u64>(), here.len() as u64, "by_node: {by_node:?}");
            by_node = placed;
        }
        all.insert("by node".into(), answer::numbers(&by_node));
    }
}
