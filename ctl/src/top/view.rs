//! The lines of a screen: the fleet, the nodes and the running commands.

use muster_protocol::api::{CommandView, FleetView};

use super::snapshot::ClusterSnapshot;
use crate::{
    nodes,
    text::{TextTable, ago, bar, count, grouped, one_line, selected, states},
};

/// The number of characters of a command's bar.
const BAR: u64 = 12;

/// Returns the lines for a screen of so many rows. `status` stands below the fleet.
pub fn lines(snapshot: &ClusterSnapshot, status: &str, rows: usize) -> Vec<String> {
    let is_partial = !(snapshot.fleet.partial.is_empty()
        && snapshot.nodes.partial.is_empty()
        && snapshot.commands.partial.is_empty());
    let missing = if is_partial { "parts of the store do not answer, and what they have is not shown. " } else { "" };
    let mut lines = vec![fleet_line(&snapshot.fleet), format!("{missing}{status}"), String::new()];
    let (nodes, commands) = (table_lines(&nodes::table(&snapshot.nodes)), table_lines(&commands(snapshot)));
    let room = rows.saturating_sub(lines.len() + 1);
    // Nodes have the room that commands leave, and at least half of it.
    let nodes_room = (room / 2).max(room.saturating_sub(commands.len()));
    lines.extend(at_most(nodes, nodes_room));
    lines.push(String::new());
    let rest = rows.saturating_sub(lines.len());
    lines.extend(at_most(commands, rest));
    lines
}

fn table_lines(table: &str) -> Vec<String> {
    table.split('\n').map(str::to_owned).collect()
}

/// Returns the first of these lines. The last one says how many are left out.
fn at_most(mut lines: Vec<String>, most: usize) -> Vec<String> {
    if lines.len() > most && most > 0 {
        let left_out = lines.len() - (most - 1);
        lines.truncate(most - 1);
        lines.push(format!("… {left_out} more"));
    }
    lines.truncate(most);
    lines
}

fn fleet_line(fleet: &FleetView) -> String {
    let numbers = [("online", fleet.online), ("stale", fleet.stale), ("offline", fleet.offline)];
    let conditions = fleet.by_condition.iter().filter(|(name, number)| *name != "ok" && **number > 0);
    let numbers = numbers.into_iter().chain(conditions.map(|(name, number)| (name.as_str(), *number)));
    let words: Vec<_> = numbers.map(|(name, number)| format!("{} {name}", grouped(number))).collect();
    one_line(&format!("{}: {}", count(fleet.online + fleet.stale + fleet.offline, "terminal"), words.join(", ")))
}

fn commands(snapshot: &ClusterSnapshot) -> String {
    let page = &snapshot.commands;
    let more = if page.next.is_some() { "+" } else { "" };
    let mut table = TextTable::new(&[&format!("{}{more} RUNNING", page.commands.len()), "", "AGE", "TO", "TARGETS"]);
    page.commands.iter().for_each(|command| table.row(cells(command)));
    table.lines()
}

fn cells(command: &CommandView) -> [String; 5] {
    let target = command.target.as_ref().map_or("-".to_owned(), selected);
    [command.name.clone(), bar(command, BAR), ago(command.created_at), target, states(command)]
}

#[cfg(test)]
mod tests {
    use muster_protocol::api::{CommandPage, NodeList};

    use super::*;

    fn snapshot(fleet: FleetView, names: &[&str]) -> ClusterSnapshot {
        let command = |name: &&str| {
            format!(
                r#"{{"id":"0198c0de-0000-7000-8000-000000000001","name":{},"state":"open","targets":4,"counts":{{"queued":3,"acked":1}},
                "created_at":"2026-01-01T00:00:00Z","expires_at":"2026-01-01T00:01:00Z"}}"#,
                serde_json::to_string(name).unwrap()
            )
        };
        let commands: Vec<_> = names.iter().map(command).collect();
        let commands: CommandPage =
            serde_json::from_str(&format!(r#"{{"commands":[{}],"next":null}}"#, commands.join(","))).unwrap();
        let nodes: NodeList = serde_json::from_str(
            r#"{"nodes":[{"id":"n1","address":"10.0.0.1:9000","state":"ready","sessions":3,"version":"1","started_at":"2026-01-01T00:00:00Z"}]}"#,
        )
        .unwrap();
        ClusterSnapshot { fleet, nodes, commands, json: String::new() }
    }

    #[test]
    fn the_fleet_is_one_line_that_names_what_is_not_well() {
        let by_condition = [("ok", 1490), ("degraded", 9), ("failing", 0)];
        let by_condition = by_condition.map(|(name, number)| (name.to_owned(), number)).into();
        let fleet = FleetView { online: 1499, offline: 1, by_condition, ..FleetView::default() };
        assert_eq!(fleet_line(&fleet), "1,500 terminals: 1,499 online, 0 stale, 1 offline, 9 degraded");
    }

    #[test]
    fn the_lines_fit_the_screen_and_harm_none() {
        let snapshot = snapshot(FleetView::default(), &["show", "\u{1b}[31mred\u{202e}", "a\nb", "reboot"]);
        let all = lines(&snapshot, "q ends it", usize::MAX);
        assert_eq!((all.len(), all[1].as_str()), (3 + 2 + 1 + 5, "q ends it"));
        assert!(all[7].starts_with("show") && all[7].contains("███░░░░░░░░░"), "{}", all[7]);
        assert!(all.iter().all(|line| !line.contains(['\u{1b}', '\u{202e}', '\n'])), "{all:?}");
        assert_eq!(lines(&snapshot, "", 9)[8], "… 3 more");
        for rows in 1..20 {
            assert_eq!(lines(&snapshot, "", rows).len().min(rows), rows.min(11), "{rows}");
        }
    }
}
