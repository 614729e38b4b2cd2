//! The rules of docs/protocol.md, each in a few words, and which of them the kit does not try.

/// A rule that a client must keep.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name in docs/protocol.md, such as R9.
    pub id: &'static str,
    /// The rule in a few words.
    pub says: &'static str,
    /// Why the kit does not try it. None if it does.
    untried: Option<&'static str>,
}

const fn tried(id: &'static str, says: &'static str) -> Rule {
    Rule { id, says, untried: None }
}

const fn untried(id: &'static str, says: &'static str, why: &'static str) -> Rule {
    Rule { id, says, untried: Some(why) }
}

/// All rules, by their numbers.
pub const RULES: &[Rule] = &[
    tried("R1", "the path, and the terminal's id in the query"),
    tried("R2", "the token in a header or a subprotocol, never in the URL"),
    tried("R3", "asks for muster.v1, and checks that it was selected"),
    untried("R4", "plain mode: a message is the payload of a command", "plain mode needs no library"),
    tried("R5", "the hello comes first, and once"),
    tried("R6", "unknown types and fields are ignored"),
    tried("R7", "messages are text"),
    tried("R8", "acknowledges after the program has the command"),
    tried("R9", "a command that comes again is acknowledged, and not run"),
    tried("R10", "not run after its expiry, by the node's clock"),
    tried("R11", "waits its share of a stagger, and acknowledges after it"),
    tried("R12", "commands are run in order"),
    untried("R13", "may send its last results again", "a client may, and need not"),
    tried("R14", "keeps the last cursor"),
    tried("R15", "the cursor moves only with what the program has"),
    tried("R16", "resumes from the cursor, and is told of a gap"),
    tried("R17", "without a cursor resumes from none"),
    tried("R18", "answers pings"),
    tried("R19", "gives up a line on which nothing comes"),
    tried("R20", "a hint comes first"),
    tried("R21", "so does Retry-After"),
    tried("R22", "full jitter, doubling, capped"),
    tried("R23", "only a stable session begins the range anew"),
    tried("R24", "of several URLs the next one after each failure"),
    tried("R25", "stays away when told to; slowly without a good token"),
    tried("R26", "sends nothing over a limit, and tells the program"),
    tried("R27", "the token file is read before each attempt"),
    tried("R28", "a newer token is sent before the old one expires"),
    tried("R29", "a source that fails stops nothing"),
    tried("R30", "a handshake is a plain GET"),
    untried("R31", "TLS is checked", "each client's own tests try TLS"),
    tried("R32", "a payload is JSON or bytes, and the program is told which"),
    tried("R33", "the close code says whether to come back"),
    tried("R34", "an attempt has a deadline"),
    tried("R35", "run once over a restart of the program"),
    tried("R36", "frames are written as the protocol has them"),
    tried("R37", "a program that ends closes with 1000"),
];

impl Rule {
    /// The rule of this name. An error says which there are.
    pub fn of(id: &str) -> Result<&'static Self, String> {
        let found = RULES.iter().find(|rule| rule.id.eq_ignore_ascii_case(id));
        found.ok_or_else(|| format!("there is no rule {id}; they are R1 to R{}", RULES.len()))
    }

    /// Why the kit does not try the rule. None if it does.
    pub fn why_untried(&self) -> Option<&'static str> {
        self.untried
    }

    /// One line for people.
    pub fn description(&self) -> String {
        match self.untried {
            None => format!("{:4} {}", self.id, self.says),
            Some(why) => format!("{:4} {} (not tried: {why})", self.id, self.says),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenarios::SCENARIOS;

    #[test]
    fn the_rules_are_those_of_the_protocols_page() {
        let page = include_str!("../../../docs/protocol.md");
        let mut numbers: Vec<usize> =
            page.lines().filter_map(|line| line.strip_prefix("- **R")?.split_once(".**")?.0.parse().ok()).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=RULES.len()).collect::<Vec<_>>(), "each rule stands there once");
        assert!(RULES.iter().enumerate().all(|(index, rule)| rule.id == format!("R{}", index + 1)));
    }

    #[test]
    fn each_rule_has_a_scenario_or_a_reason_why_not() {
        for rule in RULES {
            let is_tried = SCENARIOS.iter().any(|scenario| scenario.rules.contains(&rule.id));
            assert_eq!(is_tried, rule.untried.is_none(), "{}", rule.id);
        }
    }
}
