//! What a role says of something that is away: a reason once, another one when half a minute has passed,
//! and once that it is back.

/// Whether `text` says at its end that `what` is there.
pub(crate) fn is_back(text: &str, what: &str) -> bool {
    text.rfind(&back(what)) > text.rfind(&waiting(what))
}

/// Holds that `text` tells of waits for `what` which are over, and nothing of them twice: on a machine
/// that is slow there may be more of them than the test makes, and longer ones.
pub(crate) fn assert_said_once(text: &str, what: &str) {
    let (mut said, mut waits) = (None, 0);
    for line in text.lines() {
        if let Some((_, reason)) = line.split_once(&waiting(what)) {
            let reason: String = reason.chars().filter(|letter| !letter.is_ascii_digit()).collect();
            assert_ne!(said.as_ref(), Some(&reason), "said twice: {text}");
            said = Some(reason);
        } else if line.contains(&back(what)) {
            assert!(said.take().is_some(), "it was not away: {text}");
            waits += 1;
        }
    }
    assert!(said.is_none() && waits > 0, "{waits} waits are over: {text}");
}

fn waiting(what: &str) -> String {
    format!(" waiting for {what}: ")
}

fn back(what: &str) -> String {
    format!(" {what} is there again after ")
}
