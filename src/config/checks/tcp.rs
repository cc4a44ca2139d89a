//! The keys of `tcp`.

use serde_json::Value;

use super::keys::Keys;
use super::place::Place;
use crate::address::Scheme;
use crate::config::fields::Fields;
use crate::config::values::{loose_text, wrong_secret};
use crate::target::{Probe, TcpProbe, TcpStep};

/// Lines that are sent or waited for at most.
const MOST_STEPS: usize = 100;

pub(super) fn read(keys: &mut Keys<'_>, fields: &mut Fields) {
    let place = Place::read(keys, "host");
    let (send, expect) = (lines(keys, "send"), lines(keys, "expect"));
    if send.len() + expect.len() > MOST_STEPS {
        keys.fault(format!("\"send\" and \"expect\" have over {MOST_STEPS} lines; write fewer"));
    }
    fields.plan.probe = Some(Probe::Tcp(TcpProbe { dialog: dialog(send, expect) }));
    let Some(place) = place else { return };
    if place.port.is_none() {
        keys.missing("port", "the port to connect to, or write the host like example.com:22");
    }
    place.address(Scheme::Tcp, "", fields);
}

/// What is sent and waited for by turns. A server that has more to say than it is told speaks
/// first; else it answers each line.
fn dialog(send: Vec<Box<str>>, expect: Vec<Box<str>>) -> Vec<TcpStep> {
    let first = expect.len().saturating_sub(send.len());
    let mut expect = expect.into_iter().map(TcpStep::Expect);
    let mut dialog: Vec<TcpStep> = expect.by_ref().take(first).collect();
    for line in send {
        dialog.push(TcpStep::Send(line));
        dialog.extend(expect.next());
    }
    dialog
}

fn lines(keys: &mut Keys<'_>, key: &'static str) -> Vec<Box<str>> {
    let one = |value: &Value| -> Result<Box<str>, String> {
        let text =
            loose_text(value).ok_or_else(|| wrong_secret(key, "text, or a list of texts"))?;
        Ok(text.trim_end_matches(['\r', '\n']).into())
    };
    let read = |value: &Value| match value {
        Value::Array(items) => items.iter().map(one).collect(),
        single => Ok(vec![one(single)?]),
    };
    keys.read(key, read).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(send: &[&str], expect: &[&str]) -> String {
        let own = |texts: &[&str]| texts.iter().map(|text| Box::from(*text)).collect();
        let steps = dialog(own(send), own(expect));
        let word = |step: &TcpStep| match step {
            TcpStep::Send(line) => format!(">{line}"),
            TcpStep::Expect(text) => format!("<{text}"),
            other => format!("{other:?}"),
        };
        steps.iter().map(word).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_server_answers_each_line_and_speaks_first_if_it_has_more_to_say() {
        assert_eq!(told(&["PING"], &["+PONG"]), ">PING <+PONG");
        assert_eq!(told(&[], &["SSH-"]), "<SSH-");
        assert_eq!(told(&["QUIT"], &["220", "221"]), "<220 >QUIT <221");
        assert_eq!(told(&["a", "b"], &["c"]), ">a <c >b");
    }
}
