//! The words of a command line without what is secret.

/// The flags whose values may be secret.
const SECRET: [&str; 12] = [
    "--key",
    "--secret",
    "--header",
    "--cookie",
    "--query",
    "--subprotocol",
    "--login",
    "--token",
    "--first-message",
    "--answer",
    "--agent-token",
    "--send-header",
];

/// Returns the words with the values of secret flags replaced by `***`.
pub fn without_secrets(words: &[String]) -> Vec<String> {
    let mut hide = false;
    let word = |word: &String| {
        let (flag, value) = word.split_once('=').map_or((word.as_str(), None), |(flag, value)| (flag, Some(value)));
        let secret = SECRET.contains(&flag);
        let shown = match value {
            _ if hide => "***".to_owned(),
            Some(_) if secret => format!("{flag}=***"),
            _ => word.clone(),
        };
        hide = secret && value.is_none() && !hide;
        shown
    };
    words.iter().map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_secret_flags_are_hidden() {
        let words = ["run", "--key=a", "--token", "--key", "--header", "Authorization=b", "--title=c"];
        let shown = without_secrets(&words.map(str::to_owned));
        assert_eq!(shown, ["run", "--key=***", "--token", "***", "--header", "***", "--title=c"]);
    }
}
