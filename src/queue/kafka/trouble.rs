//! What a client of Kafka hears of trouble with brokers, kept until somebody asks.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{NoCustomPartitioner, ProducerContext};

/// What one client has heard last.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard(Arc<Mutex<Last>>);

#[derive(Debug, Default)]
struct Last {
    reason: Option<String>,
    kind: Kind,
    /// Whether it says no more than that nobody is there.
    is_vague: bool,
    /// What each broker that failed said, by its address: the gravest of it.
    brokers: BTreeMap<String, Kind>,
    /// How many brokers there are, when all of them are down.
    down: Option<usize>,
}

impl Last {
    /// Whether all brokers are down, and each has said why.
    fn is_all_heard(&self) -> bool {
        self.down.is_some_and(|count| count <= self.brokers.len())
    }

    /// Whether no broker lets us in, so that there is nothing to wait for: each has refused us. One that
    /// is away may be better when it is back.
    fn is_shut_out(&self) -> bool {
        self.is_all_heard() && self.brokers.values().all(|kind| *kind == Kind::RefusalOfOne)
    }
}

/// What kind of trouble something is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    /// It may pass.
    #[default]
    Passing,
    /// One broker does not let us in, or shows what we do not trust: others may be better.
    RefusalOfOne,
    /// We may not do what we want, whichever broker is asked.
    RefusalOfAll,
}

impl Heard {
    /// What was heard last of trouble that has not passed.
    pub(super) fn last(&self) -> Option<String> {
        self.0.lock().reason.clone()
    }

    /// Whether that was a refusal, which waiting does not mend: we may not do what we want, or no
    /// broker is left that lets us in.
    pub(super) fn is_refused(&self) -> bool {
        let last = self.0.lock();
        last.kind == Kind::RefusalOfAll || last.is_shut_out()
    }

    /// Why no broker lets us in, where none does.
    pub(super) fn shut_out(&self) -> Option<String> {
        let last = self.0.lock();
        last.reason.clone().filter(|_| last.is_shut_out())
    }

    /// Whether it was heard that all brokers are down, and why of each.
    pub(super) fn is_all_heard(&self) -> bool {
        self.0.lock().is_all_heard()
    }

    /// Whether nothing better was heard than that nobody is there, as where brokers hang up on who
    /// does not speak as they do.
    pub(super) fn is_vague(&self) -> bool {
        let last = self.0.lock();
        last.is_vague || last.reason.is_none()
    }

    /// Brokers do what they are asked.
    pub(super) fn forget(&self) {
        let mut last = self.0.lock();
        if last.reason.is_some() {
            // What a broker said once says nothing of what happens to it later, of which not all is told;
            // where it is the same still, it is told again after half a minute.
            *last = Last::default();
        }
    }

    /// Takes in `reason` for what has the number `code`.
    pub(super) fn note(&self, code: Option<RDKafkaErrorCode>, reason: &str) {
        tracing::debug!(reason, "Kafka");
        let kind = kind(code, reason);
        let mut last = self.0.lock();
        // That all brokers are down follows from what was told before it, which says why.
        let is_vague = code == Some(RDKafkaErrorCode::AllBrokersDown);
        if is_vague {
            last.down = count(reason);
        } else if let Some(address) = address(reason) {
            // One that refuses may break off as well: nothing went well since.
            let known = last.brokers.entry(address.to_owned()).or_insert(kind);
            if kind != Kind::Passing {
                *known = kind;
            }
        }
        let is_covered = is_vague && last.reason.is_some();
        let is_graver = kind == Kind::RefusalOfAll || last.kind != Kind::RefusalOfAll;
        if kind != Kind::Passing && is_graver || last.kind == Kind::Passing && !is_covered {
            (last.reason, last.kind, last.is_vague) = (Some(reason.to_owned()), kind, is_vague);
        }
    }
}

/// The address of the broker that `reason` is about, HOST:PORT: librdkafka begins with its name,
/// `ssl://HOST:PORT/NUMBER: `.
fn address(reason: &str) -> Option<&str> {
    let (name, _) = reason.split_once(": ")?;
    let (_, name) = name.split_once("://").unwrap_or(("", name));
    let (address, _) = name.rsplit_once('/')?;
    let (_, port) = address.rsplit_once(':')?;
    port.parse::<u16>().is_ok().then_some(address)
}

/// How many brokers there are, by what librdkafka says when all of them are down: `3/3 brokers …`.
fn count(reason: &str) -> Option<usize> {
    let (_, rest) = reason.split_once('/')?;
    rest.split(' ').next()?.parse().ok()
}

/// What librdkafka says when the network failed below TLS.
const BROKEN_OFF: &str = "SSL transport error";

/// Whether what has the number `code` is a refusal of what we want, whichever broker is asked.
pub(super) fn is_refusal(code: Option<RDKafkaErrorCode>) -> bool {
    kind(code, "") == Kind::RefusalOfAll
}

fn kind(code: Option<RDKafkaErrorCode>, reason: &str) -> Kind {
    use RDKafkaErrorCode as Code;
    // A broker that wants another certificate of us says so by an alert (RFC 8446, section 6).
    if reason.contains("SSL alert number") {
        return Kind::RefusalOfOne;
    }
    match code {
        Some(Code::SSL) if reason.contains(BROKEN_OFF) => Kind::Passing,
        Some(
            Code::SSL
            | Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::UnsupportedSASLMechanism,
        ) => Kind::RefusalOfOne,
        Some(
            Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed,
        ) => Kind::RefusalOfAll,
        _ => Kind::Passing,
    }
}

impl ClientContext for Heard {
    fn log(&self, _: RDKafkaLogLevel, _: &str, text: &str) {
        tracing::debug!(text, "Kafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.note(error.rdkafka_error_code(), reason);
    }
}

impl ProducerContext<NoCustomPartitioner> for Heard {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use RDKafkaErrorCode as Code;

    const WRONG: &str =
        "SSL handshake failed: error:0A000086:SSL routines::certificate verify failed";

    fn heard(told: &[(Code, &str)]) -> Heard {
        let heard = Heard::default();
        for (code, reason) in told {
            heard.note(Some(*code), reason);
        }
        heard
    }

    #[test]
    fn a_refusal_is_not_covered_by_what_follows_from_it() {
        let heard = Heard::default();
        heard.note(Some(Code::AllBrokersDown), "1/1 brokers are down");
        assert!(heard.is_vague());
        heard.note(Some(Code::BrokerTransportFailure), "a:1/bootstrap: connection refused");
        assert!(!heard.is_vague() && !heard.is_refused());
        heard.note(Some(Code::AllBrokersDown), "1/1 brokers are down");
        assert_eq!(heard.last().as_deref(), Some("a:1/bootstrap: connection refused"));
        heard.note(Some(Code::Authentication), "a:1/bootstrap: wrong password");
        heard.note(Some(Code::AllBrokersDown), "1/1 brokers are down");
        assert_eq!(heard.last().as_deref(), Some("a:1/bootstrap: wrong password"));
        assert!(heard.is_refused());
        heard.forget();
        assert_eq!((heard.last(), heard.is_refused()), (None, false));
    }

    #[test]
    fn a_certificate_is_refused_and_a_connection_that_breaks_off_is_not() {
        let told = |code, reason: &str| {
            let down = (Code::AllBrokersDown, "1/1 brokers are down");
            heard(&[(code, &format!("ssl://a:1/1: {reason}")), down]).is_refused()
        };
        let alert = "Receive failed: tlsv13 alert certificate required: SSL alert number 116";
        for (code, reason) in [
            (Code::SSL, WRONG),
            (Code::SSL, "SSL handshake failed: error:0A00010B:SSL routines::wrong version number"),
            (Code::SSL, "Broker did not provide a certificate"),
            (Code::BrokerTransportFailure, alert),
        ] {
            assert!(told(code, reason), "{reason}");
        }
        let broken = "SSL handshake failed: SSL transport error: Connection timed out";
        assert!(!told(Code::SSL, broken));
    }

    #[test]
    fn one_broker_that_refuses_is_no_refusal_while_another_may_be_better() {
        let refused = |address: &str| format!("ssl://{address}/2: {WRONG}");
        let (one, other) = (refused("a:1"), refused("b:1"));
        let away = "ssl://b:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused";
        let away = (Code::BrokerTransportFailure, away);
        let (one, other) = ((Code::SSL, &*one), (Code::SSL, &*other));
        let down = (Code::AllBrokersDown, "2/2 brokers are down");
        for told in
            [&[one][..], &[one, other], &[one, down], &[one, away, down], &[away, one, down]]
        {
            let heard = heard(told);
            assert!(!heard.is_refused() && heard.shut_out().is_none(), "{told:?}");
            assert!(heard.last().is_some_and(|last| last.contains(WRONG)), "{told:?}");
        }
        let broken = format!("ssl://a:1/2: {BROKEN_OFF}");
        let broken = (Code::SSL, &*broken);
        for told in [
            &[one, other, down][..],
            &[other, one, one, down],
            &[one, down, other],
            &[one, broken, other, down],
            &[broken, one, other, down],
        ] {
            let heard = heard(told);
            assert!(heard.is_refused() && heard.shut_out().is_some(), "{told:?}");
        }
        // What was refused once and went well since is no reason to end when all are away.
        let heard = heard(&[one, other]);
        heard.forget();
        assert_eq!((heard.last(), heard.is_refused()), (None, false));
        heard.note(Some(down.0), down.1);
        assert!(!heard.is_refused() && heard.shut_out().is_none());
        heard.note(Some(one.0), one.1);
        heard.note(Some(other.0), other.1);
        assert!(heard.is_refused());
    }

    #[test]
    fn what_we_may_not_do_is_refused_by_whichever_broker() {
        let heard = heard(&[(Code::TopicAuthorizationFailed, "Fetch from broker 1 failed: no")]);
        assert!(heard.is_refused() && heard.shut_out().is_none());
    }

    #[test]
    fn a_broker_is_known_by_its_address() {
        for (reason, wanted) in [
            (
                "ssl://kafka.example:9093/bootstrap: SSL handshake failed",
                Some("kafka.example:9093"),
            ),
            ("sasl_ssl://[::1]:9093/3: SASL error: x", Some("[::1]:9093")),
            (
                "127.0.0.1:9092/1: Connect to ipv4#127.0.0.1:9092 failed: refused",
                Some("127.0.0.1:9092"),
            ),
            ("GroupCoordinator: 127.0.0.1:9092: Disconnected", None),
            ("3/3 brokers are down", None),
        ] {
            assert_eq!(address(reason), wanted);
        }
    }
}
