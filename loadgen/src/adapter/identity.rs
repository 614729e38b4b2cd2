//! Who a terminal is, for templates and for credentials.

use std::{fs, path::Path, sync::Arc};

use anyhow::{Context, ensure};

use crate::template::Template;

/// The greatest size of a file of credentials, in bytes.
const MAX_FILE: u64 = 64 << 20;

/// A terminal as its server sees it.
#[derive(Clone)]
pub struct TerminalIdentity {
    /// The number of the terminal in the plan.
    pub number: usize,
    /// The id of the terminal, which is new in each run.
    pub id: String,
    /// A number of the terminal's own that follows from the seed of the run.
    pub seed: u64,
    /// The terminal's line of the file of credentials; empty without one.
    pub credential: String,
    /// What proves who the terminal is: a token, such as a JWT.
    pub token: Option<String>,
    /// What proves who the terminal is: a user and a password.
    pub login: Option<(String, String)>,
}

impl TerminalIdentity {
    /// A terminal with this id, and nothing else that is its own.
    pub fn named(id: &str) -> Self {
        let (id, credential) = (id.to_owned(), String::new());
        Self { number: 0, id, seed: 0, credential, token: None, login: None }
    }

    /// Fills in a text.
    pub fn fill(&self, template: &Template) -> String {
        template.fill(|name| self.value(name))
    }

    /// Fills in an answer to a frame. `matched` is what the first `*` of the pattern stands for.
    pub fn fill_answer(&self, answer: &Template, matched: &str) -> String {
        answer.fill(|name| if name == "match" { matched.to_owned() } else { self.value(name) })
    }

    fn value(&self, name: &str) -> String {
        match name {
            "n" => self.number.to_string(),
            "id" => self.id.clone(),
            "seed" => self.seed.to_string(),
            _ => self.credential.clone(),
        }
    }
}

/// The lines of a file of credentials. Terminal n has line n modulo their number.
#[derive(Clone, Default)]
pub struct Credentials(Arc<[String]>);

impl Credentials {
    /// Reads a file, of which each line that is not empty is a credential. Fails if the file can't be read, has no line or
    /// more than 64 MiB.
    pub fn read(file: &Path) -> anyhow::Result<Self> {
        let name = file.display();
        let size = fs::metadata(file).with_context(|| format!("--credentials {name}"))?.len();
        ensure!(size <= MAX_FILE, "--credentials {name} has more than {MAX_FILE} bytes");
        let text = fs::read_to_string(file).with_context(|| format!("--credentials {name}"))?;
        let lines: Vec<String> = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(Into::into).collect();
        ensure!(!lines.is_empty(), "--credentials {name} has no line");
        Ok(Self(lines.into()))
    }

    /// The credential of a terminal; empty if there are none.
    pub fn of(&self, number: usize) -> String {
        if self.0.is_empty() { String::new() } else { self.0[number % self.0.len()].clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::trial::identity;

    #[test]
    fn each_terminal_has_its_own_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tokens");
        fs::write(&file, "one\n\ntwo\n").unwrap();
        let credentials = Credentials::read(&file).unwrap();
        assert_eq!([0, 1, 2].map(|number| credentials.of(number)), ["one", "two", "one"]);
        fs::write(&file, "\n").unwrap();
        assert!(Credentials::read(&file).err().unwrap().to_string().contains("has no line"));
    }

    #[test]
    fn a_template_is_filled_in_for_the_terminal() {
        let template = Template::of_terminal("{n} {id} {seed} {credential}").unwrap();
        assert_eq!(identity().fill(&template), "7 load-7 99 secret-7");
    }
}
