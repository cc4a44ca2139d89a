//! Detaching: the process splits, and the parent waits for the child's word that it polls.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write};

use daemonize::{Daemonize, Outcome};

use crate::process;

/// Which side of the split this process is.
#[derive(Debug)]
pub enum Detached {
    /// The process that was called, with what the child said once it polled.
    Parent(Result<String, StartError>),
    /// The daemon, which owes the parent a word.
    Child(Ready),
    /// A child that could not become the daemon; the parent knows why, and this process has
    /// nothing to do but to end.
    Failed,
}

/// Why the daemon did not come to poll.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct StartError {
    /// The exit code that goes with it: 1 for a failure, 2 for settings that make no sense.
    pub code: u8,
    /// Why, as a sentence.
    pub reason: String,
}

impl StartError {
    fn failure(reason: impl Into<String>) -> Self {
        Self { code: 1, reason: reason.into() }
    }
}

/// The child's one word to the parent; dropped without a word, it is a failure.
#[derive(Debug)]
pub struct Ready {
    pipe: Option<PipeWriter>,
}

impl Ready {
    /// Polls are made; `word` is what the parent may print.
    pub fn ready(mut self, word: &str) {
        self.say(0, word);
    }

    /// Nothing will be polled, for `reason`; the parent exits with `code`, which is not 0.
    pub fn failed(mut self, code: u8, reason: &str) {
        self.say(code.max(1), reason);
    }

    fn say(&mut self, code: u8, text: &str) {
        if let Some(mut pipe) = self.pipe.take() {
            // The parent may be gone; the daemon does not depend on it.
            let _ = pipe.write_all(&[code]).and_then(|()| pipe.write_all(text.as_bytes()));
        }
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        self.say(1, "the daemon gave up before it polled; its log says more");
    }
}

/// Why this process must not detach, if it must not: a service manager runs it, or it has threads.
///
/// `variable` reads the environment.
#[must_use]
pub fn refusal(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    // Every program below a systemd user session inherits INVOCATION_ID: it counts only in the
    // process that systemd itself executed.
    let is_executed = variable("INVOCATION_ID").is_some()
        && variable("SYSTEMD_EXEC_PID") == Some(std::process::id().to_string());
    if variable("NOTIFY_SOCKET").is_some() || is_executed {
        return Some(
            "systemd runs this process and would lose sight of a detached daemon: \
             add --foreground and use Type=notify"
                .to_owned(),
        );
    }
    match process::threads() {
        Some(2..) => Some("a process with threads cannot detach".to_owned()),
        _ => None,
    }
}

/// Splits off the daemon: a process of its own session, in the directory `/`, that keeps none of
/// the standard streams.
///
/// Every path has to be absolute before. What the runtime writes to standard error, as when it
/// runs out of memory, goes to `stderr`. The parent returns when the child said its word, and
/// the child returns at once.
#[must_use]
pub fn detach(stderr: Option<File>) -> Detached {
    if let Some(reason) = refusal(|name| std::env::var(name).ok()) {
        return Detached::Parent(Err(StartError::failure(reason)));
    }
    let (reader, writer) = match io::pipe() {
        Ok(pipe) => pipe,
        Err(error) => return Detached::Parent(Err(cannot(&error))),
    };
    // What waits in the buffer would be printed on both sides.
    let _ = io::stdout().flush();
    let mut daemonize = Daemonize::new();
    if let Some(file) = stderr {
        daemonize = daemonize.stderr(file);
    }
    match daemonize.execute() {
        Outcome::Parent(Ok(_)) => {
            drop(writer);
            Detached::Parent(listen(reader))
        }
        Outcome::Parent(Err(error)) => Detached::Parent(Err(cannot(&error))),
        Outcome::Child(split) => {
            drop(reader);
            let ready = Ready { pipe: Some(writer) };
            match split {
                Ok(_) => Detached::Child(ready),
                Err(error) => {
                    ready.failed(1, &format!("cannot detach: {error}"));
                    Detached::Failed
                }
            }
        }
    }
}

fn cannot(error: &dyn std::error::Error) -> StartError {
    StartError::failure(format!("cannot detach: {error}"))
}

/// Waits for the child's word. However the child ends, its side of the pipe is closed then.
fn listen(mut reader: PipeReader) -> Result<String, StartError> {
    let mut word = Vec::new();
    let read = reader.read_to_end(&mut word);
    match (read, word.split_first()) {
        (Err(error), _) => Err(cannot(&error)),
        (Ok(_), None) => {
            Err(StartError::failure("the daemon died before it polled; its log may say why"))
        }
        (Ok(_), Some((0, text))) => Ok(String::from_utf8_lossy(text).into_owned()),
        (Ok(_), Some((code, text))) => {
            Err(StartError { code: *code, reason: String::from_utf8_lossy(text).into_owned() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(speak: impl FnOnce(Ready)) -> Result<String, StartError> {
        let (reader, writer) = io::pipe().expect("a pipe");
        speak(Ready { pipe: Some(writer) });
        listen(reader)
    }

    #[test]
    fn the_parent_hears_what_the_child_says() {
        assert_eq!(heard(|ready| ready.ready("polling")), Ok("polling".to_owned()));
        let error = heard(|ready| ready.failed(2, "bad list")).expect_err("a failure");
        assert_eq!((error.code, error.reason.as_str()), (2, "bad list"));
    }

    #[test]
    fn a_child_that_gives_up_or_dies_is_a_failure() {
        assert_eq!(heard(drop).expect_err("a failure").code, 1);
        let died = heard(|mut ready| drop(ready.pipe.take())).expect_err("a failure");
        assert!(died.reason.contains("died"), "{died}");
    }

    #[test]
    fn a_process_that_systemd_executed_does_not_detach() {
        let own = std::process::id().to_string();
        let refused = |given: &[(&str, &str)]| {
            refusal(|name| {
                given.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            })
            .is_some_and(|reason| reason.contains("--foreground"))
        };
        assert!(refused(&[("NOTIFY_SOCKET", "/run/systemd/notify")]));
        assert!(refused(&[("INVOCATION_ID", "1f"), ("SYSTEMD_EXEC_PID", &own)]));
        assert!(!refused(&[("INVOCATION_ID", "1f"), ("SYSTEMD_EXEC_PID", "1")]));
        assert!(!refused(&[]));
    }

    #[test]
    fn a_process_with_threads_does_not_detach() {
        let reason = refusal(|_| None).expect("the test runner has threads");
        assert!(reason.contains("threads"), "{reason}");
    }
}
