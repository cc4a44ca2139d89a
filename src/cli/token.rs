//! `poller token`: what is asked about tokens of the API, and how they are shown.

use clap::{Args, Subcommand, ValueEnum};

use crate::api::{NewToken, Role, TokenRow};
use crate::config::units::duration;
use crate::view::table;

/// Seconds that a token may be valid at most: a hundred years.
const LONGEST_S: u64 = 3_155_760_000;
/// Characters of a name at most.
const NAME: usize = 100;

/// What is asked about tokens.
#[derive(Args, Debug)]
pub struct Token {
    /// What is to be done with them.
    #[command(subcommand)]
    pub wish: Wish,
}

/// What is to be done with tokens.
#[derive(Debug, Subcommand)]
pub enum Wish {
    /// Make a token and print it; it is shown this once
    Create(Create),
    /// List all tokens, without their secrets
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Revoke a token: from now on it is worth nothing
    Revoke {
        /// Its id, as the list shows it
        id: String,
    },
}

/// The token that is to be made.
#[derive(Args, Debug)]
pub struct Create {
    /// What it allows: to look (read), to have checks run too (run), or everything (admin)
    #[arg(long, value_enum)]
    pub role: Allowed,
    /// How long it is valid, like 30d (default until it is revoked)
    #[arg(long, value_name = "DURATION", value_parser = span)]
    pub expires: Option<u32>,
    /// What it is for, for those who look at the list
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    #[arg(value_parser = name)]
    pub name: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Allowed {
    /// To look at everything
    Read,
    /// To have checks run, too
    Run,
    /// Everything
    Admin,
}

impl Create {
    /// The token that is wanted.
    #[must_use]
    pub fn wanted(&self) -> NewToken {
        let role = match self.role {
            Allowed::Read => Role::Read,
            Allowed::Run => Role::Run,
            Allowed::Admin => Role::Admin,
        };
        NewToken { role, name: self.name.clone(), expires: self.expires }
    }
}

/// The tokens as a table for people.
#[must_use]
pub fn shown(rows: &[TokenRow]) -> String {
    if rows.is_empty() {
        return "there are no tokens; poller token create --role read makes one\n".to_owned();
    }
    let columns = ["id", "role", "state", "created", "expires", "name"].map(str::to_owned);
    let never = || "never".to_owned();
    let row = |row: &TokenRow| {
        vec![
            row.id.clone(),
            row.role.as_str().to_owned(),
            row.state.as_str().to_owned(),
            row.created_at.clone(),
            row.expires_at.clone().unwrap_or_else(never),
            row.name.clone(),
        ]
    };
    table::plain(&columns, &rows.iter().map(row).collect::<Vec<_>>())
}

fn span(text: &str) -> Result<u32, String> {
    let seconds = duration(text)?.as_secs();
    let seconds = u32::try_from(seconds).ok().filter(|_| (1..=LONGEST_S).contains(&seconds));
    seconds.ok_or_else(|| "write a duration from a second to a hundred years, like 30d".to_owned())
}

fn name(text: &str) -> Result<String, String> {
    let is_short = text.chars().count() <= NAME;
    if is_short { Ok(text.to_owned()) } else { Err(format!("write {NAME} characters at most")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_valid_for_a_second_to_a_hundred_years() {
        assert_eq!(span("30d"), Ok(2_592_000));
        assert_eq!(span("1s"), Ok(1));
        assert!(span("0").is_err() && span("10ms").is_err() && span("99999d").is_err());
    }

    #[test]
    fn tokens_are_shown_one_a_line_and_what_to_do_when_there_is_none() {
        let row = TokenRow {
            id: "a1".into(),
            name: "for\u{1b}[31m ci".into(),
            role: Role::Run,
            created_at: "2026-11-22T10:00:00.000Z".into(),
            expires_at: None,
            revoked_at: None,
            state: crate::api::TokenState::Active,
        };
        let text = shown(&[row]);
        assert!(text.starts_with("id  role  state   created"), "{text}");
        assert!(
            text.lines().nth(1).expect("a line").starts_with("a1  run   active  2026"),
            "{text}"
        );
        assert!(text.contains("never") && !text.contains('\u{1b}'), "{text}");
        assert!(shown(&[]).contains("poller token create"));
    }
}
